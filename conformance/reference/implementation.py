"""The reference as an implementation of the protocol, and its caller, who owns the messages that it hands over and gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, ClassVar, cast

import msgspec

from conformance.errors import known
from conformance.implementation.protocol import Implementation
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.errors import Abandoned, Conflict, Invalid, NoConversation, Unsupported
from conformance.reference.parts import Parts
from conformance.reference.patterns import PATTERNS
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread, copied
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.scenario.specs import AgentSpec, WorkflowSpec
from conformance.trace.exchange import Answer, ChunkSeen, Response, ThreadState, Turn, WorkflowSeen
from conformance.trace.messages import Message
from conformance.vocabulary import CAPABILITIES, Capability, Pattern, Policies, ThreadKind


class Caller:
    """Makes the caller's own objects out of what the harness says, and tells the harness by value what became of them.

    They are the caller's: it may change them whenever it likes.
    """

    def __init__(self) -> None:
        self._owned: list[tuple[Thread, Message]] = []

    def asks(self, thread: Thread | None, turn: Turn) -> Turn:
        """The caller's own input and options of a run; its messages are a list, as a caller would have one."""
        messages = list(copied(turn.messages))
        self._own(thread, messages)
        return msgspec.structs.replace(turn, messages=cast("tuple[Message, ...]", messages))

    def got(self, thread: Thread | None, asked: Turn | None, response: Response) -> Response:
        """A response that the caller got: what stands in it now, and what the caller's input is by now."""
        self._own(thread, response.messages)
        given = msgspec.structs.replace(asked, messages=copied(asked.messages)) if asked is not None else None
        return msgspec.structs.replace(response, messages=copied(response.messages), given=given)

    def tamper(self, thread: Thread, text: str) -> None:
        """Set every text in the messages of the runs on a thread to this one."""
        for message in (message for other, message in self._owned if other is thread):
            msgspec.structs.force_setattr(message, "text", text)
            for result in message.results:
                msgspec.structs.force_setattr(result, "value", text)

    def _own(self, thread: Thread | None, messages: list[Message] | tuple[Message, ...]) -> None:
        if thread is not None:
            self._owned += [(thread, message) for message in messages]


Runnable = Agent | WorkflowAgent

_IN_STEPS: frozenset[Capability] = frozenset({"history.incremental"})
_BY_THE_MATRIX: frozenset[Capability] = frozenset(
    {"history.per_run", "history.per_service_call", "history.client_as_is", "history.decorated"}
)
_OF_A_PROVIDER: frozenset[Capability] = frozenset({"history.provider", "history.conflict_switches"})


class Reference(Implementation[Runnable, Thread, Workflow]):
    """Everything that the rules ask for, under any combination of policies: `Reference(store_conflict="ignore")`.

    conduct: what it does where the records leave a choice; policies: what it declares of that, all of it. history: `modes`, the two
    of the configuration matrix, or `incremental`, in steps of its own. provider: `pluggable`, or `none`: then its threads keep all
    local histories. Raises UsageError for another value.
    """

    name = "reference"
    capabilities = frozenset(CAPABILITIES) - _IN_STEPS
    errors: ClassVar = {Conflict: "conflict", Unsupported: "unsupported", Invalid: "invalid", NoConversation: "service"}
    agent_type: ClassVar[type[Agent]] = Agent
    parts: ClassVar[Parts] = Parts()
    agent_wrapper: ClassVar[type[WorkflowAgent]] = WorkflowAgent
    patterns: ClassVar[Mapping[Pattern, type[Workflow]]] = PATTERNS

    def __init__(self, *, history: str = "modes", provider: str = "pluggable", **policies: Any) -> None:
        from conformance import __version__

        self.version = __version__
        known([history], ("modes", "incremental"), "history")
        known([provider], ("pluggable", "none"), "provider")
        self._built_of = self.parts
        if history == "incremental":
            self._built_of = replace(self.parts, home=self.parts.incremental)
            self.capabilities = self.capabilities - _BY_THE_MATRIX | _IN_STEPS
        if provider == "none":
            self.capabilities -= _OF_A_PROVIDER
        declared = {
            "store_conflict": "raise",
            "unsupported_thread": "at_creation",
            "trailing_result": "stored",
            "provider_copy": "none",
            "injected_messages": "dropped",
            "completion_signal": "flag",
            "limit_answer": "notice",
            "failing_participant": "fails",
            "sequential_shares": "conversation",
        }
        self.policies = self.conduct = msgspec.convert({**declared, **policies}, Policies)
        self.caller = Caller()
        self._threads = 0
        self._workflows: list[Workflow] = []

    async def close(self) -> None:
        """Leave nothing behind that still waits."""
        for workflow in self._workflows:
            await workflow.close()

    async def create_agent(self, name: str, spec: AgentSpec, inner: Mapping[str, Runnable]) -> Agent:
        """Build an agent; `inner`: those that it has as tools, under the names of the tools."""
        inner_agents = {tool: _own(agent) for tool, agent in inner.items()}
        return self.agent_type(Setting(name, spec, self.world, self.conduct, inner_agents), self._built_of)

    async def supports_hosted(self, agent: Runnable) -> bool:
        """The flag of the agent's chat client."""
        return _own(agent).threads.supports_hosted()

    async def create_thread(self, agent: Runnable, kind: ThreadKind) -> Thread:
        """Create a thread."""
        return agent.create_thread(self._next_key(), kind)

    async def continue_conversation(self, agent: Runnable, conversation_id: str) -> Thread:
        """A hosted thread that continues a conversation."""
        return _own(agent).threads.continue_conversation(self._next_key(), conversation_id)

    def _next_key(self) -> str:
        self._threads += 1
        return f"thread {self._threads}"

    async def describe_thread(self, agent: Runnable, thread: Thread) -> ThreadState:
        """A thread is state: this is all of it."""
        return _own(agent).threads.describe(thread)

    async def serialize_thread(self, agent: Runnable, thread: Thread) -> Any:
        """A thread as data, see `conformance.reference.thread_json`."""
        return _own(agent).threads.serialize(thread)

    async def restore_thread(self, agent: Runnable, data: Any) -> Thread:
        """The thread that data describes."""
        return _own(agent).threads.restore(data)

    async def tamper(self, agent: Runnable, thread: Thread, text: str) -> None:
        """Change what the caller of the runs on a thread owns."""
        self.caller.tamper(thread, text)

    async def run(self, agent: Runnable, thread: Any, turn: Turn) -> Response:
        """Run, not streaming."""
        asked = self.caller.asks(thread, turn)
        if isinstance(agent, WorkflowAgent):
            return await _last(self._got(thread, asked, agent.run(thread, asked, stream=False)))
        return self.caller.got(thread, asked, await agent.run(thread, asked, _nowhere, stream=False))

    def stream(self, agent: Runnable, thread: Any, turn: Turn) -> AsyncIterator[ChunkSeen | Response]:
        """Run, streaming."""
        asked = self.caller.asks(thread, turn)
        if isinstance(agent, WorkflowAgent):
            return self._got(thread, asked, agent.run(thread, asked, stream=True))
        return self._got(thread, asked, _streamed(lambda emit: agent.run(thread, asked, emit, stream=True)))

    async def answer(self, agent: Runnable, thread: Any, answers: Sequence[Answer]) -> Response:
        """Resume, not streaming."""
        if isinstance(agent, WorkflowAgent):
            return await _last(self._got(thread, None, agent.resume(thread, answers, stream=False)))
        return self.caller.got(thread, None, await agent.resume(thread, answers, _nowhere, stream=False))

    def stream_answer(self, agent: Runnable, thread: Any, answers: Sequence[Answer]) -> AsyncIterator[ChunkSeen | Response]:
        """Resume, streaming."""
        if isinstance(agent, WorkflowAgent):
            return self._got(thread, None, agent.resume(thread, answers, stream=True))
        return self._got(thread, None, _streamed(lambda emit: agent.resume(thread, answers, emit, stream=True)))

    async def _got(
        self, thread: Thread | None, asked: Turn | None, items: AsyncGenerator[ChunkSeen | Response]
    ) -> AsyncGenerator[ChunkSeen | Response]:
        """What a run gives its caller, who owns the response."""
        async with aclosing(items):
            async for item in items:
                yield self.caller.got(thread, asked, item) if isinstance(item, Response) else item

    async def create_workflow(self, name: str, spec: WorkflowSpec, participants: Mapping[str, Any]) -> Workflow:
        """Build a workflow."""
        self._workflows.append(self.patterns[spec.pattern](name, spec, participants, self.world, self.conduct))
        return self._workflows[-1]

    def run_workflow(self, workflow: Workflow, turn: Turn, *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Run a workflow."""
        return workflow.start(turn, stream=stream)

    def answer_workflow(self, workflow: Workflow, answers: Sequence[Answer], *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Answer pending requests."""
        return workflow.respond(answers, stream=stream)

    async def workflow_as_agent(self, name: str, workflow: Workflow) -> WorkflowAgent:
        """Wrap a workflow."""
        return self.agent_wrapper(workflow)


def _own(agent: Runnable) -> Agent:
    """An agent that is no wrapped workflow."""
    assert isinstance(agent, Agent)
    return agent


async def _nowhere(text: str) -> None:
    """Nobody listens."""


async def _last(items: AsyncGenerator[ChunkSeen | Response]) -> Response:
    """The response of a run whose updates nobody wants."""
    async with aclosing(items):
        async for item in items:
            if isinstance(item, Response):
                return item
    raise AssertionError("a run ends with its response, or raises")


async def _streamed(work: Callable[[Emit], Awaitable[Response]]) -> AsyncGenerator[ChunkSeen | Response]:
    """What a run emits, then its response, as a stream. The run goes no further than its consumer, and is over when this is."""
    chunks: asyncio.Queue[str | None] = asyncio.Queue()
    left = False

    async def emit(text: str) -> None:
        chunks.put_nowait(text)
        await chunks.join()
        if left:
            raise Abandoned("the consumer left the stream")

    task = asyncio.ensure_future(work(emit))
    task.add_done_callback(lambda _: chunks.put_nowait(None))
    try:
        while (text := await chunks.get()) is not None:
            try:
                yield ChunkSeen(text=text)
            except GeneratorExit:
                left = True
                chunks.task_done()
                await asyncio.wait([task])
                raise
            chunks.task_done()
        yield await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
