"""Microsoft's `agent-framework`, reached through its native chat-client seam."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, ClassVar

from agent_framework import (
    Agent,
    AgentResponse,
    AgentSession,
    BaseChatClient,
    SupportsAgentRun,
    Workflow,
    WorkflowAgent,
    WorkflowEvent,
)
from agent_framework import Message as NativeMessage

from conformance.adapters.agent_framework_agents import build, check
from conformance.adapters.agent_framework_client import ScriptedClient, StoringClient
from conformance.adapters.agent_framework_events import seen
from conformance.adapters.agent_framework_handed import Handed
from conformance.adapters.agent_framework_messages import said, to_native
from conformance.adapters.agent_framework_profile import CONFLICT, ERRORS, POLICIES, THREADS_AND_PERSISTENCE, WORKFLOWS
from conformance.adapters.agent_framework_requests import Requests
from conformance.adapters.agent_framework_threads import Thread, describe, overwrite
from conformance.adapters.agent_framework_workflows import BUILDERS
from conformance.implementation import Answer, ChunkSeen, Implementation, Response, ThreadState, Turn, WorkflowSeen
from conformance.scenario import AgentSpec, WorkflowSpec
from conformance.vocabulary import ErrorKind, ThreadKind


class AgentFramework(Implementation):
    """`agent-framework` as published, with its own loop, sessions, providers, workflows and orchestrations.

    Threads: a session has no kind. What a caller can say is who keeps the history, with the option `store` of a run;
    `create_session` documents that `store=True` leads to a service's id on the session, and `store=False` to messages in it. So a
    run that leaves `store` out says what its thread is: true where the session has a service's id or was asked for as hosted, else
    false. Where the scenario gives `store`, that is passed and nothing else; `conversation_id` likewise.

    Adaptive threads: a caller may also say nothing. "This depends on the service used, in some cases", `create_session` goes on:
    a session then gets a service's id from the first reply that has one, and messages where "the default of a service is False".
    That is an adaptive thread; nothing is ever said of storing in its runs, also not in later ones.

    Serialized threads: `to_dict` and `from_dict` of the session, and nothing else. What the caller says of storing is no part of
    a session, restored or not: the framework's sample that suspends and resumes a local session says `store=False` beside it. So
    of a session with the same `session_id`, which is in the data, the caller goes on saying the same; of any other, nothing.

    Handoff: the framework refuses participants without per-service-call persistence, so every participant of a handoff is built
    with it, whatever its spec says.

    Nesting: a workflow takes part in another as an agent, which the framework's guide on workflows as agents recommends for use "as
    building blocks in larger agent systems or other workflows". Its other means, `WorkflowExecutor`, sends the child's answer in a
    form that no next participant of an orchestration takes, and a group chat has no use for it.
    """

    name = "agent-framework"
    version = version("agent-framework-core")
    capabilities = THREADS_AND_PERSISTENCE | WORKFLOWS
    policies = POLICIES
    errors: ClassVar[Mapping[type[BaseException], ErrorKind]] = ERRORS
    handoff_tool = "handoff_to_{agent}"  # `get_handoff_tool_name`, for the names that scenarios use

    def __init__(self) -> None:
        self._specs: dict[str, AgentSpec] = {}
        self._inner: dict[str, Mapping[str, Agent[Any]]] = {}
        self._contexts: dict[str, None] = {}  # the ids of all context providers, in order: a session holds those of every agent
        self._asked: dict[str, ThreadKind] = {}  # what the caller wants of each session, under its id
        self._requests = Requests()
        self._waiting: dict[str, set[str]] = {}  # the open requests of each workflow

    def make_client(self, name: str, spec: AgentSpec) -> BaseChatClient[Any]:
        """The chat client of an agent: the one thing that another seam replaces."""
        client = StoringClient if spec.service.stores_by_default else ScriptedClient
        return client(self.world.service(name))

    async def create_agent(self, name: str, spec: AgentSpec, inner: Mapping[str, Agent[Any]] | None = None) -> Agent[Any]:
        """Build an agent."""
        check(spec)
        self._specs[name] = spec
        self._inner[name] = inner or {}
        self._contexts.update((provider.id, None) for provider in self.world.contexts(name))
        return self._build(name, per_service_call=spec.per_service_call)

    def _build(self, name: str, *, per_service_call: bool) -> Agent[Any]:
        spec = self._specs[name]
        client = self.make_client(name, spec)
        return build(
            name,
            spec,
            self.world,
            client,
            inner=self._inner[name],
            contexts=self._contexts,
            per_service_call=per_service_call,
        )

    async def create_thread(self, agent: Agent[Any], kind: ThreadKind, conversation_id: str | None = None) -> Thread:
        """Create a session: there is only one sort, with or without the id of a conversation that the service has."""
        session = agent.create_session() if conversation_id is None else agent.get_session(conversation_id)
        self._asked[session.session_id] = kind
        return Thread(session, kind)

    async def describe_thread(self, agent: Agent[Any], thread: Thread) -> ThreadState:
        """What the session shows."""
        return describe(agent, thread.session, self._contexts)

    async def serialize_thread(self, agent: Agent[Any], thread: Thread) -> Any:
        """The session as data."""
        return thread.session.to_dict()

    async def restore_thread(self, agent: Agent[Any], data: Any) -> Thread:
        """The session that the data describes."""
        session = AgentSession.from_dict(data)
        return Thread(session, self._asked.get(session.session_id, "adaptive"))

    async def tamper(self, agent: Agent[Any], thread: Thread, text: str) -> None:
        """Set every text of the caller's messages and of what it got back."""
        overwrite(thread.owned, text)

    async def run(self, agent: SupportsAgentRun, thread: Thread | None, turn: Turn) -> Response:
        """Run an agent, not streaming."""
        return await self._run(agent, Handed(thread, _input(turn), turn))

    def stream(self, agent: SupportsAgentRun, thread: Thread | None, turn: Turn) -> AsyncIterator[ChunkSeen | Response]:
        """Run an agent, streaming."""
        return self._stream(agent, Handed(thread, _input(turn), turn))

    async def answer(self, agent: SupportsAgentRun, thread: Thread | None, answers: Sequence[Answer]) -> Response:
        """Resume by running the same session with the answers, not streaming."""
        return await self._run(agent, Handed(thread, self._requests.answered(answers)))

    def stream_answer(
        self, agent: SupportsAgentRun, thread: Thread | None, answers: Sequence[Answer]
    ) -> AsyncIterator[ChunkSeen | Response]:
        """Resume, streaming."""
        return self._stream(agent, Handed(thread, self._requests.answered(answers)))

    async def _run(self, agent: SupportsAgentRun, handed: Handed) -> Response:
        return self._response(await agent.run(handed.messages, **handed.arguments()), handed)

    async def _stream(self, agent: SupportsAgentRun, handed: Handed) -> AsyncIterator[ChunkSeen | Response]:
        stream = agent.run(handed.messages, stream=True, **handed.arguments())
        async for update in stream:
            handed.back(update)
            yield ChunkSeen(text=update.text)
        yield self._response(await stream.get_final_response(), handed)

    def _response(self, response: AgentResponse[Any], handed: Handed) -> Response:
        handed.back(*response.messages)
        pending = self._requests.pending(response)
        return Response(messages=said(response.messages), author=response.agent_id, pending=pending, given=handed.given())

    async def create_workflow(self, name: str, spec: WorkflowSpec, participants: Mapping[str, Any]) -> Workflow:
        """Build a workflow with the framework's builder for its pattern."""
        members = {member: self._member(member, participants[member], spec) for member in spec.participants}
        return BUILDERS[spec.pattern](name, spec, members, self.world)

    def _member(self, name: str, participant: Agent[Any] | Workflow, spec: WorkflowSpec) -> SupportsAgentRun:
        if isinstance(participant, Workflow):
            return participant.as_agent(name=name)
        return self._build(name, per_service_call=True) if spec.pattern == "handoff" else participant

    async def run_workflow(self, workflow: Workflow, turn: Turn, *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Run a workflow until it is idle."""
        async for item in self._follow(workflow, stream, message=_input(turn)):
            yield item

    async def answer_workflow(self, workflow: Workflow, answers: Sequence[Answer], *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Answer pending requests and follow the workflow until it is idle again."""
        responses = {answer.id: self._requests.take(answer) for answer in answers}
        self._waiting[workflow.id].difference_update(responses)
        async for item in self._follow(workflow, stream, responses=responses):
            yield item

    async def _follow(self, workflow: Workflow, stream: bool, **what: Any) -> AsyncIterator[WorkflowSeen]:
        waiting = self._waiting.setdefault(workflow.id, set())
        if stream:
            async for event in workflow.run(stream=True, **what):
                for item in self._seen(event, waiting):
                    yield item
            return
        result = await workflow.run(**what)
        # Without a stream the status events stand apart from the others; only the last one says how the workflow came to rest.
        for event in [*result, *result.status_timeline()[-1:]]:
            for item in self._seen(event, waiting):
                yield item

    def _seen(self, event: WorkflowEvent[Any], waiting: set[str]) -> Iterable[WorkflowSeen]:
        if event.type == "request_info":
            self._requests.note(event)
            waiting.add(event.request_id)
        return seen(event, waiting)

    async def workflow_as_agent(self, name: str, workflow: Workflow) -> WorkflowAgent:
        """Wrap a workflow as an agent."""
        return workflow.as_agent(name=name)

    def error_kind(self, error: BaseException) -> ErrorKind:
        """The neutral kind of a native exception."""
        return "conflict" if CONFLICT in str(error) else super().error_kind(error)


def _input(turn: Turn) -> list[NativeMessage]:
    return [to_native(message) for message in turn.messages]
