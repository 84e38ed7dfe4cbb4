"""What a scenario demands of an implementation, as capabilities."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from conformance.scenario.scenario import (
    CreateThread,
    Respond,
    Restore,
    Run,
    RunWorkflow,
    Scenario,
    Serialize,
    Step,
    Tamper,
    Together,
    agent_of_threads,
    agents_used,
    requests_in,
    runs_of,
    workflow_runs_of,
    workflows_used,
)
from conformance.scenario.specs import AgentSpec, OnConflict, ReplySpec, ServiceSpec, WorkflowSpec
from conformance.vocabulary import PATTERN_CAPABILITIES, Capability, Need, OneOf, lacking

_KEEPS: Mapping[str, Capability] = {
    "nothing": "service.stateless",
    "one_id": "service.one_id",
    "new_ids": "service.new_ids",
}


_ITS_OWN_WAY = OneOf(("history.per_run", "history.incremental"))
"""An agent without settings persists as its framework does by itself: at the end of a run, or in steps of its own."""


def can_perform(scenario: Scenario, capabilities: Collection[Capability]) -> bool:
    """Whether an implementation that declares these can be asked to perform a scenario."""
    return not lacking(needs(scenario), capabilities)


def needs(scenario: Scenario) -> frozenset[Need]:
    """Exactly what a scenario demands: of its agents and workflows only what some step uses."""
    found: set[Need] = set()
    for name in agents_used(scenario):
        found.update(of_service(scenario.agents[name].service), of_settings(scenario.agents[name]))
    for name in workflows_used(scenario):
        found.update(_of_workflow(scenario, scenario.workflows[name]))
    for place, step in enumerate(scenario.steps):
        found.update(_of_step(step), _of_sharing(step, agent_of_threads(scenario)))
        after_workflow = any(workflow_runs_of(earlier) for earlier in scenario.steps[:place])
        waits = bool(workflow_runs_of(step)) and requests_in(scenario, step) > 0
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


def of_settings(agent: AgentSpec) -> Iterator[Need]:
    """What the configuration of an agent demands, whatever its service."""
    tools = agent.tools.values()
    provided = agent.history == "provider" and not agent.per_service_call
    demands: tuple[tuple[bool, Need], ...] = (
        (agent.history == "provider", "history.provider"),
        (provided, "history.per_run" if agent.client_as_is else _ITS_OWN_WAY),
        (agent.per_service_call, "history.per_service_call"),
        (agent.client_as_is or agent.decorated, "history.client_as_is"),
        (agent.decorated, "history.decorated"),
        (agent.on_conflict != OnConflict(), "history.conflict_switches"),
        (bool(agent.context), "threads.context_state"),
        (agent.observed, "threads.observe"),
        (agent.reduces_to is not None, "threads.reducer"),
        (agent.limit is not None, "tools.limit"),
        (bool(tools), "tools"),
        (any(tool.agent is not None for tool in tools), "agents.as_tool"),
        (any(tool.terminates for tool in tools), "tools.terminate"),
        (any(tool.approval for tool in tools), "tools.approval"),
    )
    for demanded, need in demands:
        if demanded:
            yield need


def _of_workflow(scenario: Scenario, workflow: WorkflowSpec) -> Iterator[Capability]:
    yield "workflows"
    yield PATTERN_CAPABILITIES[workflow.pattern]
    if workflow.intermediate_outputs:
        yield "workflows.intermediate_outputs"
    if any(member in scenario.workflows for member in workflow.participants):
        yield "workflows.nested"
    if workflow.aggregates is not None:
        yield "workflows.aggregator"
    if workflow.max_rounds is not None:
        yield "workflows.limits"
    if workflow.max_stalls is not None or workflow.max_resets is not None:
        yield "workflows.resets"


def _of_step(step: Step) -> Iterator[Capability]:
    match step:
        case CreateThread():
            yield from _of_creation(step)
        case Serialize() | Restore():
            yield "threads.serialize"
        case Tamper():
            yield "runs.tamper"
        case Together():
            yield "runs.interleaved"
        case Respond():
            if step.stream:
                yield "runs.streaming"
        case _:
            pass
    for run in runs_of(step):
        yield from _of_run(run)
    for run in workflow_runs_of(step):
        yield from _of_workflow_run(run)


def _of_creation(step: CreateThread) -> Iterator[Capability]:
    if step.kind == "hosted":
        yield "threads.hosted"
    if step.kind == "adaptive":
        yield "threads.adaptive"
    if step.with_id:
        yield "threads.with_id"


def _of_run(run: Run) -> Iterator[Capability]:
    if run.stream:
        yield "runs.streaming"
    if run.store is not None:
        yield "runs.store"
    if run.conversation_id is not None:
        yield "runs.conversation_id"
    if run.supplies:
        yield "runs.results"
    if run.background:
        yield "runs.background"
    if run.per_service_call is not None:
        yield from ("history.per_run", "history.per_service_call")
    for replies in (run.replies, *run.inner.values()):
        yield from _of_replies(replies)


def _of_workflow_run(run: RunWorkflow) -> Iterator[Capability]:
    if run.stream:
        yield "runs.streaming"
    if run.as_agent:
        yield "workflows.as_agent"
    if run.thread is not None:
        yield "workflows.threads"
    for replies in run.replies.values():
        yield from _of_replies(replies)


def _of_sharing(step: Step, threads: Mapping[str, str]) -> Iterator[Capability]:
    """What a step demands that has a thread of one agent meet another one. threads: the agent of each."""
    met = [(step.data, step.agent)] if isinstance(step, Restore) else [(run.thread, run.agent) for run in runs_of(step)]
    if any(agent is not None and agent != threads.get(thread) for thread, agent in met):
        yield "threads.shared"


def _of_replies(replies: tuple[ReplySpec, ...]) -> Iterator[Capability]:
    if any(reply.without_id for reply in replies):
        yield "service.without_id"
    if any(reply.id_in != "every" for reply in replies):
        yield "service.id_in_chunks"
    if any(reply.cancelled or any(call.cancelled for call in reply.calls) for reply in replies):
        yield "runs.cancel"
