"""The workflows of `agent-framework`: how they are built, run and followed until they are idle."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from agent_framework import (
    Agent,
    AgentResponse,
    AgentResponseUpdate,
    Content,
    SupportsAgentRun,
    Workflow,
    WorkflowAgent,
    WorkflowEvent,
    WorkflowRunState,
)
from agent_framework import Message as NativeMessage

from conformance.adapter import (
    Answer,
    ChunkSeen,
    FailedSeen,
    IdleSeen,
    Implementation,
    Message,
    OutputSeen,
    Pending,
    Turn,
    WorkflowSeen,
    WorkflowSpec,
)
from conformance.adapters.agent_framework.messages import said, to_native
from conformance.adapters.agent_framework.requests import Requests, call_of, tool_of
from conformance.adapters.agent_framework.sessions import Runnable, Thread
from conformance.adapters.agent_framework.versions import closing
from conformance.adapters.agent_framework.workflows import BUILDERS


class WorkflowRuns(Implementation[Runnable, Thread, Workflow]):
    """What the adapter does with workflows.

    Handoff: the framework refuses participants without per-service-call persistence, so every participant of a handoff is built
    with it, whatever its spec says.

    Nesting: in an author-written workflow a child takes part by `WorkflowExecutor`, in an orchestration as an agent, which the
    framework's guide on workflows as agents recommends for use "as building blocks in larger agent systems or other workflows". The
    orchestrations take executors too, but no `WorkflowExecutor`: it takes what its child takes and sends what its child outputs,
    while a sequence and a concurrent workflow hand on an `AgentExecutorResponse`, and a group chat and Magentic speak to executors
    in messages of their own.

    A run of a workflow that its consumer leaves is closed as its `ResponseStream` documents it: as a context manager, which closes
    "on block exit, including an early consumer break".
    """

    def __init__(self) -> None:
        self.requests = Requests()

    @abstractmethod
    def build_again(self, name: str, *, per_service_call: bool) -> Agent[Any]:
        """Another agent like the one of this name, but for the setting."""

    async def create_workflow(self, name: str, spec: WorkflowSpec, participants: Mapping[str, Any]) -> Workflow:
        """Build a workflow with the framework's builder for its pattern."""
        members = {member: self._member(member, participants[member], spec) for member in spec.participants}
        return BUILDERS[spec.pattern](name, spec, members, self.world)

    def _member(self, name: str, participant: Agent[Any] | Workflow, spec: WorkflowSpec) -> SupportsAgentRun | Workflow:
        if spec.pattern == "handoff" and not isinstance(participant, Workflow):
            return self.build_again(name, per_service_call=True)
        return participant

    def run_workflow(self, workflow: Workflow, turn: Turn, *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Run a workflow until it is idle."""
        return self._follow(workflow, stream, message=[to_native(message) for message in turn.messages])

    def answer_workflow(self, workflow: Workflow, answers: Sequence[Answer], *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Answer pending requests and follow the workflow until it is idle again."""
        responses = {answer.id: self.requests.take(answer) for answer in answers}
        return self._follow(workflow, stream, responses=responses)

    async def _follow(self, workflow: Workflow, stream: bool, **what: Any) -> AsyncIterator[WorkflowSeen]:
        if stream:
            async with closing(workflow.run(stream=True, **what)) as events:
                async for event in events:
                    for item in self._seen(event):
                        yield item
            return
        try:
            result = await workflow.run(**what)
        except Exception:
            # No result, no timeline: without a stream a run that fails leaves its status on the workflow alone, until the next one
            # begins. One that is refused does not begin, and leaves the status of the run before it.
            if workflow.status is WorkflowRunState.FAILED:
                yield FailedSeen()
            raise
        # Without a stream the status events stand apart from the others.
        for event in [*result, *result.status_timeline()]:
            for item in self._seen(event):
                yield item

    def _seen(self, event: WorkflowEvent[Any]) -> Iterable[WorkflowSeen]:
        if event.type == "request_info":
            self.requests.note(event)
        return seen(event)

    async def workflow_as_agent(self, name: str, workflow: Workflow) -> WorkflowAgent:
        """Wrap a workflow as an agent."""
        return workflow.as_agent(name=name)


_OUTPUTS = ("output", "intermediate", "data")  # `data`: the framework's older word for `intermediate`
_RESTS: Mapping[WorkflowRunState | None, IdleSeen | FailedSeen] = {
    WorkflowRunState.IDLE: IdleSeen(),
    WorkflowRunState.IDLE_WITH_PENDING_REQUESTS: IdleSeen(pending=None),  # how many is not said
    WorkflowRunState.FAILED: FailedSeen(),
}
"""What the framework says of a workflow that rests. An event of type `failed` is the error with its details; its status follows."""


def seen(event: WorkflowEvent[Any]) -> Iterator[WorkflowSeen]:
    """What an event of a workflow is; nothing for the framework's bookkeeping (steps, invocations, routing)."""
    if event.type in _OUTPUTS:
        yield output(event)
    elif event.type == "request_info":
        tool, call = (tool_of(event.data), call_of(event.data)) if isinstance(event.data, Content) else (None, None)
        yield Pending(id=event.request_id, tool=tool, call=call, executor=event.source_executor_id)
    elif event.type == "status" and event.state in _RESTS:
        yield _RESTS[event.state]


def output(event: WorkflowEvent[Any]) -> ChunkSeen | OutputSeen:
    """An output event: an update of a response is a chunk, the rest are whole outputs. The event's type is the signal."""
    completed, executor, data = event.type == "output", event.executor_id, event.data
    if isinstance(data, AgentResponseUpdate):
        return ChunkSeen(text=data.text, executor=executor, completed=completed)
    if isinstance(data, AgentResponse):
        response = cast("AgentResponse[Any]", data)
        return OutputSeen(executor=executor, completed=completed, messages=said(response.messages), author=response.agent_id)
    if isinstance(data, str):
        messages = (Message(role="assistant", text=data),)
        return OutputSeen(executor=executor, completed=completed, payload="text", messages=messages)
    items = cast("list[Any]", data) if isinstance(data, list) else [data]
    if all(isinstance(item, NativeMessage) for item in items):
        return OutputSeen(executor=executor, completed=completed, payload="messages", messages=said(items))
    return OutputSeen(executor=executor, completed=completed, payload="other")
