"""Runs of workflows, and what the script makes of them: whether they fail, wait, or are limited."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import completing, ended_by, staged
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import RunWorkflow, Scenario, workflows_in
from conformance.scenario.specs import WorkflowSpec
from conformance.trace.adapter_events import RequestPending
from conformance.trace.harness_events import Abandoned, ServiceFailed

MANAGED = ("group_chat", "magentic")
"""The patterns in which a manager says who speaks, and answers."""


def played(execution: ExecutionView) -> Iterator[tuple[RunView, RunWorkflow, WorkflowSpec]]:
    """Every run of a workflow, but for those that somebody answers when a later run of the workflow has begun, or has left."""
    runs = list(execution.workflow_runs())
    for place, (run, spec) in enumerate(runs):
        after = [other.at for other, its in runs[place + 1 :] if its.workflow == spec.workflow]
        left = [at for at, _ in run.of(Abandoned)]
        if not any(at < run.events[-1][0] for at in (*after, *left)):
            yield run, spec, execution.scenario.workflows[spec.workflow]


def left_to_author(scenario: Scenario, name: str) -> bool:
    """Whether it is the author of a workflow, or of one in it, who has it complete never, or more than once."""
    return any(each.pattern == "custom" and len(completing(each)) != 1 for each in inside(scenario, name))


def limited(scenario: Scenario, spec: RunWorkflow) -> bool:
    """Whether a limit ends the workflow of a run or one in it, or may: then the answer need not be the manager's."""
    managed = (each for each in inside(scenario, spec.workflow) if each.pattern in MANAGED)
    return any(ended_by(spec.manager, each) != "answer" for each in managed)


def children(scenario: Scenario, workflow: WorkflowSpec) -> list[str]:
    """The workflows that take part in a workflow."""
    return [name for name in workflow.participants if name in scenario.workflows]


def nests(scenario: Scenario, workflow: WorkflowSpec) -> bool:
    """Whether a workflow has others as participants."""
    return bool(children(scenario, workflow))


def faulty(execution: ExecutionView, run: RunView) -> bool:
    """Whether the run fails by its script, or may: a participant's service, an executor, or a manager that errs."""
    assert isinstance(run.spec, RunWorkflow)
    involved = inside(execution.scenario, run.spec.workflow)
    raising = any(spec.raises is not None for each in involved for spec in staged(each).values())
    managed = any(each.pattern in MANAGED for each in involved)
    return bool(run.of(ServiceFailed)) or raising or (managed and run.spec.manager.errs)


def fails(execution: ExecutionView, run: RunView) -> bool:
    """Whether the run surely fails: a participant's service did, or an executor or the manager of the workflow itself does."""
    assert isinstance(run.spec, RunWorkflow)
    involved = inside(execution.scenario, run.spec.workflow)
    if run.of(ServiceFailed):
        return not (run.policies.failing_participant == "left_out" and any(each.pattern == "concurrent" for each in involved))
    if len(involved) > 1:
        return False
    raising = any(spec.raises is not None for spec in staged(involved[0]).values())
    errs = involved[0].pattern in MANAGED and run.spec.manager.errs and not limited(execution.scenario, run.spec)
    return raising or errs


def waited(run: RunView) -> bool:
    """Whether the run waited for someone's answer at some point."""
    return bool(run.of(RequestPending))


def cut_off(run: RunView) -> bool:
    """Whether nobody can say what the run would have come to: its consumer left, it broke, or it cannot be expressed."""
    return run.ending in ("abandoned", "unknown", "refused")


def inside(scenario: Scenario, name: str) -> list[WorkflowSpec]:
    """A workflow and those in it."""
    return [scenario.workflows[each] for each in workflows_in(scenario, name)]
