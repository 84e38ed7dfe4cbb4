"""Microsoft's `agent-framework`, reached through its native chat-client seam."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, ClassVar

from agent_framework import (
    Agent,
    AgentResponse,
    BaseChatClient,
    Content,
    SupportsAgentRun,
    Workflow,
    WorkflowAgent,
    WorkflowEvent,
)
from agent_framework import Message as NativeMessage

from conformance.adapters.agent_framework_agents import Thread, build, check, describe, options
from conformance.adapters.agent_framework_client import ScriptedClient, StoringClient
from conformance.adapters.agent_framework_events import requests, seen, tool_of
from conformance.adapters.agent_framework_messages import said, to_native
from conformance.adapters.agent_framework_profile import CONFLICT, ERRORS, POLICIES, THREADS_AND_PERSISTENCE, WORKFLOWS
from conformance.adapters.agent_framework_workflows import BUILDERS
from conformance.implementation import (
    Answer,
    ChunkSeen,
    Implementation,
    NotSupported,
    Pending,
    Response,
    ThreadState,
    Turn,
    WorkflowSeen,
)
from conformance.scenario import AgentSpec, WorkflowSpec
from conformance.vocabulary import ErrorKind, ThreadKind


class AgentFramework(Implementation):
    """`agent-framework` as published, with its own loop, sessions, providers, workflows and orchestrations.

    Threads: a session has no kind. What a caller can say is who keeps the history, with the option `store` of a run;
    `create_session` documents that `store=True` leads to a service's id on the session, and `store=False` to messages in it. So a
    run that leaves `store` out says what its thread is: true where the session has a service's id or was asked for as hosted, else
    false. Where the scenario gives `store`, that is passed and nothing else; `conversation_id` likewise.

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
        self._requests: dict[str, Content | WorkflowEvent[Any]] = {}
        self._waiting: dict[str, set[str]] = {}  # the open requests of each workflow

    def make_client(self, name: str, spec: AgentSpec) -> BaseChatClient[Any]:
        """The chat client of an agent: the one thing that another seam replaces."""
        client = StoringClient if spec.service.stores_by_default else ScriptedClient
        return client(self.world.service(name))

    async def create_agent(self, name: str, spec: AgentSpec) -> Agent[Any]:
        """Build an agent."""
        check(spec)
        self._specs[name] = spec
        return build(name, spec, self.world, self.make_client(name, spec), per_service_call=spec.per_service_call)

    async def create_thread(self, agent: Agent[Any], kind: ThreadKind) -> Thread:
        """Create a session: there is only one sort."""
        if kind == "adaptive":
            raise NotSupported("a session takes no kind, so none can be left open either")
        return Thread(agent.create_session(), kind == "hosted")

    async def describe_thread(self, agent: Agent[Any], thread: Thread) -> ThreadState:
        """What the session shows."""
        return describe(agent, thread)

    async def run(self, agent: SupportsAgentRun, thread: Thread | None, turn: Turn) -> Response:
        """Run an agent, not streaming."""
        return await self._run(agent, thread, _input(turn), turn)

    def stream(self, agent: SupportsAgentRun, thread: Thread | None, turn: Turn) -> AsyncIterator[ChunkSeen | Response]:
        """Run an agent, streaming."""
        return self._stream(agent, thread, _input(turn), turn)

    async def answer(self, agent: SupportsAgentRun, thread: Thread | None, answers: Sequence[Answer]) -> Response:
        """Resume by running the same session with the answers, not streaming."""
        return await self._run(agent, thread, self._answers(answers), Turn())

    def stream_answer(
        self, agent: SupportsAgentRun, thread: Thread | None, answers: Sequence[Answer]
    ) -> AsyncIterator[ChunkSeen | Response]:
        """Resume, streaming."""
        return self._stream(agent, thread, self._answers(answers), Turn())

    async def _run(self, agent: SupportsAgentRun, thread: Thread | None, messages: list[NativeMessage], turn: Turn) -> Response:
        return self._response(await agent.run(messages, session=thread and thread.session, **options(thread, turn)))

    async def _stream(
        self, agent: SupportsAgentRun, thread: Thread | None, messages: list[NativeMessage], turn: Turn
    ) -> AsyncIterator[ChunkSeen | Response]:
        stream = agent.run(messages, stream=True, session=thread and thread.session, **options(thread, turn))
        async for update in stream:
            yield ChunkSeen(text=update.text)
        yield self._response(await stream.get_final_response())

    def _response(self, response: AgentResponse[Any]) -> Response:
        asked = self._new(requests(response.messages))
        pending = tuple(Pending(id=_id(request), tool=tool_of(request)) for request in asked)
        return Response(messages=said(response.messages), author=response.agent_id, pending=pending)

    def _new(self, found: Iterable[Content]) -> list[Content]:
        """Requests that were not reported before: until the last one is answered, every response repeats those that still wait."""
        new = [request for request in found if _id(request) not in self._requests]
        self._requests.update((_id(request), request) for request in new)
        return new

    def _answers(self, answers: Sequence[Answer]) -> list[NativeMessage]:
        return [NativeMessage("user", [self._take(answer) for answer in answers])]

    def _take(self, answer: Answer) -> Content:
        """The native answer to a request, which then waits no more."""
        request = self._requests[answer.id]
        content = request.data if isinstance(request, WorkflowEvent) else request
        if not isinstance(content, Content) or content.type != "function_approval_request":
            raise NotSupported("the framework asks for words here: a yes or no cannot answer that")
        del self._requests[answer.id]
        return content.to_function_approval_response(answer.approve)

    async def create_workflow(self, name: str, spec: WorkflowSpec, participants: Mapping[str, Any]) -> Workflow:
        """Build a workflow with the framework's builder for its pattern."""
        members = {member: self._member(member, participants[member], spec) for member in spec.participants}
        return BUILDERS[spec.pattern](name, spec, members, self.world)

    def _member(self, name: str, participant: Agent[Any] | Workflow, spec: WorkflowSpec) -> SupportsAgentRun:
        if isinstance(participant, Workflow):
            return participant.as_agent(name=name)
        if spec.pattern == "handoff":
            agent = self._specs[name]
            return build(name, agent, self.world, self.make_client(name, agent), per_service_call=True)
        return participant

    async def run_workflow(self, workflow: Workflow, turn: Turn, *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Run a workflow until it is idle."""
        async for item in self._follow(workflow, stream, message=_input(turn)):
            yield item

    async def answer_workflow(self, workflow: Workflow, answers: Sequence[Answer], *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Answer pending requests and follow the workflow until it is idle again."""
        responses = {answer.id: self._take(answer) for answer in answers}
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
            self._requests[event.request_id] = event
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


def _id(request: Content) -> str:
    return request.id or request.call_id or ""
