"""The reference as an implementation under test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar

import msgspec

from conformance.implementation import (
    Answer,
    ChunkSeen,
    Implementation,
    Response,
    ThreadState,
    Turn,
    WorkflowSeen,
)
from conformance.reference.agent import Agent
from conformance.reference.errors import Conflict, Invalid, NoConversation, Unsupported
from conformance.reference.orchestrations import PATTERNS
from conformance.reference.thread import Thread
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.scenario import AgentSpec, WorkflowSpec
from conformance.vocabulary import CAPABILITIES, Pattern, Policies, ThreadKind

Emit = Callable[[str], None]


class Reference(Implementation):
    """Everything that the rules ask for, under any combination of policies: `Reference(store_conflict="ignore")`."""

    name = "reference"
    capabilities = frozenset(CAPABILITIES)
    errors: ClassVar = {Conflict: "conflict", Unsupported: "unsupported", Invalid: "invalid", NoConversation: "service"}
    agent_type: ClassVar[type[Agent]] = Agent
    agent_wrapper: ClassVar[type[WorkflowAgent]] = WorkflowAgent
    patterns: ClassVar[Mapping[Pattern, type[Workflow]]] = PATTERNS

    def __init__(self, **policies: Any) -> None:
        from conformance import __version__

        self.version = __version__
        declared = {
            "store_conflict": "raise",
            "unsupported_thread": "at_creation",
            "trailing_result": "stored",
            "provider_copy": "none",
            "completion_signal": "flag",
        }
        self.policies = msgspec.convert({**declared, **policies}, Policies)
        self._threads = 0

    async def create_agent(self, name: str, spec: AgentSpec) -> Agent:
        """Build an agent."""
        return self.agent_type(name, spec, self.world, self.policies)

    async def create_thread(self, agent: Agent, kind: ThreadKind) -> Thread:
        """Create a thread."""
        self._threads += 1
        return agent.create_thread(f"thread {self._threads}", kind)

    async def describe_thread(self, agent: Agent, thread: Thread) -> ThreadState:
        """A thread is state: this is all of it."""
        keeps = thread.kind == "local" and agent.spec.history == "default"
        return ThreadState(
            kind=thread.kind,
            conversation_id=thread.conversation_id,
            messages=tuple(thread.messages) if keeps else None,
            context=deepcopy(thread.context),
        )

    async def run(self, agent: Agent | WorkflowAgent, thread: Any, turn: Turn) -> Response:
        """Run, not streaming."""
        return await agent.run(thread, turn, _nowhere, stream=False)

    def stream(self, agent: Agent | WorkflowAgent, thread: Any, turn: Turn) -> AsyncIterator[ChunkSeen | Response]:
        """Run, streaming."""
        return _streamed(lambda emit: agent.run(thread, turn, emit, stream=True))

    async def answer(self, agent: Agent | WorkflowAgent, thread: Any, answers: Sequence[Answer]) -> Response:
        """Resume, not streaming."""
        return await agent.resume(thread, answers, _nowhere, stream=False)

    def stream_answer(
        self, agent: Agent | WorkflowAgent, thread: Any, answers: Sequence[Answer]
    ) -> AsyncIterator[ChunkSeen | Response]:
        """Resume, streaming."""
        return _streamed(lambda emit: agent.resume(thread, answers, emit, stream=True))

    async def create_workflow(self, name: str, spec: WorkflowSpec, participants: Mapping[str, Any]) -> Workflow:
        """Build a workflow."""
        return self.patterns[spec.pattern](name, spec, participants, self.world)

    def run_workflow(self, workflow: Workflow, turn: Turn, *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Run a workflow."""
        return workflow.start(turn, stream=stream)

    def answer_workflow(self, workflow: Workflow, answers: Sequence[Answer], *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Answer pending requests."""
        return workflow.respond(answers)

    async def workflow_as_agent(self, name: str, workflow: Workflow) -> WorkflowAgent:
        """Wrap a workflow."""
        return self.agent_wrapper(workflow)


def _nowhere(text: str) -> None:
    pass


async def _streamed(work: Callable[[Emit], Awaitable[Response]]) -> AsyncIterator[ChunkSeen | Response]:
    """What a run emits, then its response, as a stream."""
    chunks: asyncio.Queue[str | None] = asyncio.Queue()
    task = asyncio.ensure_future(work(chunks.put_nowait))
    task.add_done_callback(lambda _: chunks.put_nowait(None))
    try:
        while (text := await chunks.get()) is not None:
            yield ChunkSeen(text=text)
        yield await task
    finally:
        task.cancel()
