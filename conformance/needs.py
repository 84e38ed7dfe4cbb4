"""What a scenario demands of an implementation, as capabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from conformance.cast import agents_used, approvals_in, runs_of, workflows_used
from conformance.scenario import (
    AgentSpec,
    CreateThread,
    OnConflict,
    ReplySpec,
    Respond,
    RunWorkflow,
    Scenario,
    ServiceSpec,
    Step,
    Together,
    WorkflowSpec,
)
from conformance.vocabulary import PATTERN_CAPABILITIES, Capability

_KEEPS: Mapping[str, Capability] = {
    "nothing": "service.stateless",
    "one_id": "service.one_id",
    "new_ids": "service.new_ids",
}


def needs(scenario: Scenario) -> frozenset[Capability]:
    """Exactly what a scenario demands: of its agents and workflows only what some step uses.

    Adaptive threads have no capability yet: a scenario with one is for nobody.
    """
    found: set[Capability] = set()
    for name in agents_used(scenario):
        found.update(of_service(scenario.agents[name].service), of_settings(scenario.agents[name]))
    for name in workflows_used(scenario):
        found.update(_of_workflow(scenario, scenario.workflows[name]))
    for place, step in enumerate(scenario.steps):
        found.update(_of_step(step))
        after_workflow = any(isinstance(earlier, RunWorkflow) for earlier in scenario.steps[:place])
        waits = isinstance(step, RunWorkflow) and approvals_in(scenario, step) > 0
        if waits or (isinstance(step, Respond) and after_workflow):
            found.add("workflows.requests")
    return frozenset(found)


def of_service(service: ServiceSpec) -> Iterator[Capability]:
    """What an agent's chat service demands of the clients of an implementation."""
    yield _KEEPS[service.keeps]
    if service.stores_by_default:
        yield "service.stores_by_default"
    elif service.keeps != "nothing":
        yield "service.stores_on_request"
    if service.surprising:
        yield "service.surprising"


def of_settings(agent: AgentSpec) -> Iterator[Capability]:
    """What the configuration of an agent demands, whatever its service."""
    if agent.history == "provider":
        yield "history.provider"
        if not agent.per_service_call:
            yield "history.per_run"
    if agent.per_service_call:
        yield "history.per_service_call"
    if agent.client_as_is or agent.decorated:
        yield "history.client_as_is"
    if agent.on_conflict != OnConflict():
        yield "history.conflict_switches"
    if agent.context:
        yield "threads.context_state"
    if agent.tools:
        yield "tools"
    if any(tool.terminates for tool in agent.tools.values()):
        yield "tools.terminate"
    if any(tool.approval for tool in agent.tools.values()):
        yield "tools.approval"


def _of_workflow(scenario: Scenario, workflow: WorkflowSpec) -> Iterator[Capability]:
    yield "workflows"
    yield PATTERN_CAPABILITIES[workflow.pattern]
    if workflow.intermediate_outputs:
        yield "workflows.intermediate_outputs"
    if any(member in scenario.workflows for member in workflow.participants):
        yield "workflows.nested"


def _of_step(step: Step) -> Iterator[Capability]:
    if isinstance(step, CreateThread) and step.kind == "hosted":
        yield "threads.hosted"
    if isinstance(step, Together):
        yield "runs.interleaved"
    for run in runs_of(step):
        if run.stream:
            yield "runs.streaming"
        if run.store is not None:
            yield "runs.store"
        if run.conversation_id is not None:
            yield "runs.conversation_id"
        yield from _of_replies(run.replies)
    if isinstance(step, RunWorkflow):
        if step.as_agent:
            yield "workflows.as_agent"
        for replies in step.replies.values():
            yield from _of_replies(replies)
    if isinstance(step, (RunWorkflow, Respond)) and step.stream:
        yield "runs.streaming"


def _of_replies(replies: tuple[ReplySpec, ...]) -> Iterator[Capability]:
    if any(reply.without_id for reply in replies):
        yield "service.without_id"
