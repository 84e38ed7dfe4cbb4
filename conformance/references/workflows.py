"""The references within workflows and their runs: who takes part, in which order, and what only some patterns have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conformance.cast import agents_in, workflows_in
from conformance.misfit import path_to
from conformance.references.names import in_leaving, in_replies, known
from conformance.scenario import RunWorkflow, Scenario, WorkflowSpec


def in_workflow(scenario: Scenario, name: str, workflow: WorkflowSpec, path: str) -> Iterator[str]:
    """What does not hold in a workflow: the path of the field, what it names, and what was expected."""
    if name in scenario.agents:
        yield f"{path}: got the name of an agent, expected a name of its own"
    custom = workflow.pattern == "custom"
    if custom != bool(workflow.stages):
        yield f"{path}.stages: " + ("missing, expected the executors of a custom workflow" if custom else _ONLY_CUSTOM)
    if not custom and not workflow.participants:
        yield f"{path}.participants: missing, expected at least one"
    yield from _in_settings(workflow, path)
    yield from _in_participants(scenario, name, workflow, path)
    yield from _in_stages(workflow, path)


def _in_participants(scenario: Scenario, name: str, workflow: WorkflowSpec, path: str) -> Iterator[str]:
    members = [*scenario.agents, *(other for other in scenario.workflows if other != name)]
    for place, member in enumerate(workflow.participants):
        here = f"{path}.participants[{place}]"
        yield from known(member, members, "an agent or another workflow", here)
        if member in workflow.participants[:place]:
            yield f"{here}: got {member!r} twice, expected each participant once"
        if workflow.pattern == "handoff" and member in scenario.workflows:
            yield f"{here}: got {member!r}, a workflow; only agents take part in a handoff"
        if member != name and name in workflows_in(scenario, member):
            yield f"{here}: got {member!r}, which contains {name!r} itself"
        inside = {agent for other in workflow.participants[:place] for agent in _members(scenario, [other])}
        for agent in _members(scenario, [member]):
            if agent in inside and member not in workflow.participants[:place]:
                yield f"{here}: got {member!r}, but agent {agent!r} takes part already; expected everybody once in a workflow"


def _in_stages(workflow: WorkflowSpec, path: str) -> Iterator[str]:
    staged: list[str] = []
    for stage, members in enumerate(workflow.stages):
        if not members:
            yield f"{path}.stages[{stage}]: empty, expected somebody in every stage"
        for place, member in enumerate(members):
            here = f"{path}.stages[{stage}][{place}]"
            yield from known(member, [*workflow.executors, *workflow.participants], "an executor or a participant", here)
            if member in staged:
                yield f"{here}: got {member!r} twice, expected everybody once"
            staged.append(member)
    for place, member in enumerate(workflow.participants):
        if workflow.pattern == "custom" and member not in staged:
            yield f"{path}.participants[{place}]: got {member!r}, which stands in no stage"


def _in_settings(workflow: WorkflowSpec, path: str) -> Iterator[str]:
    """What only some patterns have, and what numbers may be."""
    for field, patterns in _ONLY_FOR.items():
        value = getattr(workflow, field)
        if value is not None and workflow.pattern not in patterns:
            yield f"{path}.{field}: a workflow of the pattern {workflow.pattern!r} has none; expected {' or '.join(patterns)}"
    for field, least in (("max_rounds", 1), ("max_stalls", 0), ("max_resets", 0)):
        value = getattr(workflow, field)
        if value is not None and value < least:
            yield f"{path}.{field}: got {value}, expected at least {least}"
    for name, executor in workflow.executors.items():
        if executor.again is not None and executor.completes is None:
            yield f"{path_to(f'{path}.executors', name)}.again: nothing was completed before; expected 'completes'"


_ONLY_FOR = {
    "aggregates": ("concurrent",),
    "max_rounds": ("group_chat", "magentic"),
    "max_stalls": ("magentic",),
    "max_resets": ("magentic",),
}
_ONLY_CUSTOM = "only custom workflows have stages; expected participants"


def in_workflow_run(scenario: Scenario, step: RunWorkflow, path: str) -> Iterator[str]:
    """What does not hold in a run of a workflow."""
    yield from known(step.workflow, scenario.workflows, "a workflow", f"{path}.workflow")
    yield from in_leaving(step, path)
    if step.thread is not None and not step.as_agent:
        yield f"{path}.thread: only an agent has threads; expected 'as_agent': true"
    if step.workflow not in scenario.workflows:
        return
    agents = agents_in(scenario, step.workflow)
    inside = [scenario.workflows[name] for name in workflows_in(scenario, step.workflow)]
    for agent, replies in step.replies.items():
        here = path_to(f"{path}.replies", agent)
        yield from known(agent, agents, "an agent that takes part in the workflow", here)
        targets = {
            member
            for workflow in inside
            if workflow.pattern == "handoff" and agent in workflow.participants
            for member in workflow.participants
        } - {agent}
        if agent in scenario.agents:
            yield from in_replies(scenario.agents[agent], replies, targets, here)
    beside = [member for workflow in inside for members in _side_by_side(workflow) for member in _members(scenario, members)]
    for place, agent in enumerate(step.finish):
        yield from known(agent, beside, "an agent that runs beside others", f"{path}.finish[{place}]")
    managed = [name for workflow in inside if workflow.pattern in ("group_chat", "magentic") for name in workflow.participants]
    for place, pick in enumerate(step.manager.picks):
        yield from known(pick, managed, "a participant that a manager can pick", f"{path}.manager.picks[{place}]")


def _side_by_side(workflow: WorkflowSpec) -> list[tuple[str, ...]]:
    """The participants that work side by side."""
    if workflow.pattern == "custom":
        return [stage for stage in workflow.stages if len(stage) > 1]
    return [workflow.participants] if workflow.pattern == "concurrent" else []


def _members(scenario: Scenario, names: Iterable[str]) -> Iterator[str]:
    """The agents among these participants, with those inside of nested ones."""
    for member in names:
        yield from [member] if member in scenario.agents else agents_in(scenario, member)
