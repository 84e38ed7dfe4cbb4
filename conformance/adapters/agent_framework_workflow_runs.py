"""The workflows of `agent-framework`: how they are built, run and followed until they are idle."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from agent_framework import Agent, SupportsAgentRun, Workflow, WorkflowAgent, WorkflowEvent

from conformance.adapters.agent_framework_events import seen
from conformance.adapters.agent_framework_messages import to_native
from conformance.adapters.agent_framework_requests import Requests
from conformance.adapters.agent_framework_workflows import BUILDERS
from conformance.implementation import Answer, Implementation, Turn, WorkflowSeen
from conformance.scenario import WorkflowSpec


class WorkflowRuns(Implementation):
    """What the adapter does with workflows.

    Handoff: the framework refuses participants without per-service-call persistence, so every participant of a handoff is built
    with it, whatever its spec says.

    Nesting: a workflow takes part in another as an agent, which the framework's guide on workflows as agents recommends for use "as
    building blocks in larger agent systems or other workflows". Its other means, `WorkflowExecutor`, sends the child's answer in a
    form that no next participant of an orchestration takes, and a group chat has no use for it.
    """

    def __init__(self) -> None:
        self.requests = Requests()
        self._waiting: dict[str, set[str]] = {}  # the open requests of each workflow

    @abstractmethod
    def build_again(self, name: str, *, per_service_call: bool) -> Agent[Any]:
        """Another agent like the one of this name, but for the setting."""

    async def create_workflow(self, name: str, spec: WorkflowSpec, participants: Mapping[str, Any]) -> Workflow:
        """Build a workflow with the framework's builder for its pattern."""
        members = {member: self._member(member, participants[member], spec) for member in spec.participants}
        return BUILDERS[spec.pattern](name, spec, members, self.world)

    def _member(self, name: str, participant: Agent[Any] | Workflow, spec: WorkflowSpec) -> SupportsAgentRun:
        if isinstance(participant, Workflow):
            return participant.as_agent(name=name)
        return self.build_again(name, per_service_call=True) if spec.pattern == "handoff" else participant

    async def run_workflow(self, workflow: Workflow, turn: Turn, *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Run a workflow until it is idle."""
        async for item in self._follow(workflow, stream, message=[to_native(message) for message in turn.messages]):
            yield item

    async def answer_workflow(self, workflow: Workflow, answers: Sequence[Answer], *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Answer pending requests and follow the workflow until it is idle again."""
        responses = {answer.id: self.requests.take(answer) for answer in answers}
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
            self.requests.note(event)
            waiting.add(event.request_id)
        return seen(event, waiting)

    async def workflow_as_agent(self, name: str, workflow: Workflow) -> WorkflowAgent:
        """Wrap a workflow as an agent."""
        return workflow.as_agent(name=name)
