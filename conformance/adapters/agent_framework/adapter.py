"""Microsoft's `agent-framework`, reached through its native chat-client seam."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, ClassVar, cast

from agent_framework import Agent, AgentResponse, AgentResponseUpdate, AgentSession, BaseChatClient, HistoryProvider, WorkflowAgent
from agent_framework import Message as NativeMessage

from conformance.adapter import AgentSpec, Answer, Choice, ChunkSeen, ErrorKind, Response, ThreadKind, ThreadState, Turn
from conformance.adapters.agent_framework.agents import build, check
from conformance.adapters.agent_framework.clients import scripted_client
from conformance.adapters.agent_framework.declaration import (
    CHOICES,
    CONFLICT,
    ERRORS,
    POLICIES,
    THREADS_AND_PERSISTENCE,
    WORKFLOW_CHOICES,
    WORKFLOWS,
    refused,
)
from conformance.adapters.agent_framework.history import Histories
from conformance.adapters.agent_framework.messages import said, to_native
from conformance.adapters.agent_framework.requests import without_requests
from conformance.adapters.agent_framework.sessions import Handed, Runnable, Sources, Thread, describe, overwrite
from conformance.adapters.agent_framework.versions import closing
from conformance.adapters.agent_framework.workflow_runs import WorkflowRuns


class AgentFramework(WorkflowRuns):
    """`agent-framework` as published, with its own loop, sessions, providers, workflows and orchestrations.

    Threads: a session has no kind. What a caller can say is who keeps the history, with the option `store` of a run;
    `create_session` documents that `store=True` leads to a service's id on the session, and `store=False` to messages in it. Where
    a scenario asks for a local thread on a client that stores by default, each run says `store=False`, until the session has a
    service's id; for a hosted one on a client that does not, `store=True`. Else nothing is said. Where the scenario gives `store`,
    that is passed; `conversation_id` likewise.

    Adaptive threads: a caller may also say nothing. "This depends on the service used, in some cases", `create_session` goes on:
    a session then gets a service's id from the first reply that has one, and messages where "the default of a service is False".
    That is an adaptive thread; nothing is ever said of storing in its runs, also not in later ones.

    Serialized threads: `to_dict` and `from_dict` of the session, and nothing else. What the caller says of storing is no part of
    a session, restored or not: the framework's sample that suspends and resumes a local session says `store=False` beside it. So
    of a session with the same `session_id`, which is in the data, the caller goes on saying the same; of any other, nothing.

    What it does with workflows: `WorkflowRuns`.

    history: the explicit history provider under test, where it is not the harness's own: `package.module:factory`, see
    `docs/providers.md`.
    """

    name = "agent-framework"
    version = version("agent-framework-core")
    capabilities = THREADS_AND_PERSISTENCE | WORKFLOWS
    policies = POLICIES
    errors: ClassVar[Mapping[type[BaseException], ErrorKind]] = ERRORS
    choices: ClassVar[Sequence[Choice]] = (*CHOICES, *WORKFLOW_CHOICES)
    handoff_tool = "handoff_to_{agent}"  # `get_handoff_tool_name`, for the names that scenarios use

    def __init__(self, history: str | None = None) -> None:
        super().__init__()
        self._specs: dict[str, AgentSpec] = {}
        self._inner: dict[str, Mapping[str, Agent[Any]]] = {}
        self._explicit: dict[str, HistoryProvider] = {}  # the history providers of those agents that have one of their own
        self._histories = Histories(history)
        self._sources = Sources(histories=self._histories.sources)
        self._asked: dict[str, ThreadKind] = {}  # what the caller wants of each session, under its id

    async def close(self) -> None:
        """Give back the history providers."""
        await self._histories.close()

    def make_client(self, name: str, spec: AgentSpec) -> BaseChatClient[Any]:
        """The chat client of an agent: the one thing that another seam replaces."""
        return scripted_client(self.world.service(name), as_is=spec.client_as_is)

    async def create_agent(self, name: str, spec: AgentSpec, inner: Mapping[str, Runnable]) -> Agent[Any]:
        """Build an agent."""
        check(spec)
        self._specs[name] = spec
        self._inner[name] = {tool: agent for tool, agent in inner.items() if isinstance(agent, Agent)}
        self._sources.contexts.update((provider.id, None) for provider in self.world.contexts(name))
        if spec.history == "provider":
            self._explicit[name] = await self._histories.provide(name, self.world.history(name))
        return self.build_again(name, per_service_call=spec.per_service_call)

    def build_again(self, name: str, *, per_service_call: bool) -> Agent[Any]:
        """An agent of this name, with the client, the tools and the providers that it has."""
        spec = self._specs[name]
        return build(
            name,
            spec,
            self.world,
            self.make_client(name, spec),
            inner=self._inner[name],
            history=self._explicit.get(name),
            sources=self._sources,
            per_service_call=per_service_call,
        )

    async def create_thread(self, agent: Runnable, kind: ThreadKind) -> Thread:
        """Create a session: there is only one sort.

        On a workflow as an agent likewise, as the framework's sample of a workflow as an agent with a session has it; a history
        provider for what is said there is the framework's own default.
        """
        return self._asked_for(agent.create_session(), kind)

    async def continue_conversation(self, agent: Runnable, conversation_id: str) -> Thread:
        """A session for a conversation that the service has."""
        return self._asked_for(agent.get_session(conversation_id), "hosted")

    def _asked_for(self, session: AgentSession, kind: ThreadKind) -> Thread:
        self._asked[session.session_id] = kind
        return Thread(session, kind)

    async def describe_thread(self, agent: Runnable, thread: Thread) -> ThreadState:
        """What the session shows."""
        return describe(cast("Agent[Any]", agent), thread.session, self._sources)

    async def serialize_thread(self, agent: Runnable, thread: Thread) -> Any:
        """The session as data."""
        return thread.session.to_dict()

    async def restore_thread(self, agent: Runnable, data: Any) -> Thread:
        """The session that the data describes."""
        session = AgentSession.from_dict(data)
        return Thread(session, self._asked.get(session.session_id, "adaptive"))

    async def tamper(self, agent: Runnable, thread: Thread, text: str) -> None:
        """Set every text of the caller's messages and of what it got back."""
        overwrite(thread.owned, text)

    async def run(self, agent: Runnable, thread: Thread | None, turn: Turn) -> Response:
        """Run an agent, not streaming."""
        return await self._run(agent, Handed(agent, thread, _input(turn), turn))

    def stream(self, agent: Runnable, thread: Thread | None, turn: Turn) -> AsyncIterator[ChunkSeen | Response]:
        """Run an agent, streaming."""
        return self._stream(agent, Handed(agent, thread, _input(turn), turn))

    async def answer(self, agent: Runnable, thread: Thread | None, answers: Sequence[Answer]) -> Response:
        """Resume by running the same session with the answers, not streaming."""
        return await self._run(agent, Handed(agent, thread, self.requests.answered(answers)))

    def stream_answer(
        self, agent: Runnable, thread: Thread | None, answers: Sequence[Answer]
    ) -> AsyncIterator[ChunkSeen | Response]:
        """Resume, streaming."""
        return self._stream(agent, Handed(agent, thread, self.requests.answered(answers)))

    async def _run(self, agent: Runnable, handed: Handed) -> Response:
        return self._response(await agent.run(handed.messages, **_arguments(agent, handed)), handed)

    async def _stream(self, agent: Runnable, handed: Handed) -> AsyncIterator[ChunkSeen | Response]:
        # As a context manager it is closed where its consumer leaves it early.
        async with closing(agent.run(handed.messages, stream=True, **_arguments(agent, handed))) as stream:
            async for update in stream:
                handed.back(update)
                yield ChunkSeen(text=update.text, executor=_executor(agent, update))
            yield self._response(await stream.get_final_response(), handed)

    def _response(self, response: AgentResponse[Any], handed: Handed) -> Response:
        handed.back(*response.messages)
        pending = self.requests.pending(response)
        messages = said(without_requests(response.messages))
        return Response(messages=messages, author=response.agent_id, pending=pending, given=handed.given())

    def error_kind(self, error: BaseException) -> ErrorKind:
        """The neutral kind of a native exception."""
        if CONFLICT in str(error):
            return "conflict"
        return "invalid" if refused(error) else super().error_kind(error)


def _arguments(agent: Runnable, handed: Handed) -> dict[str, Any]:
    return handed.arguments(options=not isinstance(agent, WorkflowAgent))


def _executor(agent: Runnable, update: AgentResponseUpdate) -> str | None:
    """Whose update it is: a workflow as an agent signs the updates of its executors with their names."""
    return update.author_name if isinstance(agent, WorkflowAgent) else None


def _input(turn: Turn) -> list[NativeMessage]:
    return [to_native(message) for message in turn.messages]
