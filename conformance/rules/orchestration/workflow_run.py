"""A run of a workflow: what rules of this area look at, and the conditions that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from conformance.rules import preconditions
from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import completing
from conformance.rules.orchestration.outputs import completed
from conformance.rules.orchestration.structure import children, completes_once
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import RunWorkflow
from conformance.scenario.specs import WorkflowSpec
from conformance.trace.adapter_events import RequestPending
from conformance.trace.harness_events import Abandoned
from conformance.vocabulary import Pattern


@dataclass(frozen=True)
class WorkflowRun:
    """A run of a workflow: what happened, what was asked for, and how the workflow is built."""

    run: RunView
    spec: RunWorkflow
    workflow: WorkflowSpec

    @property
    def end(self) -> int:
        """Where in the trace its last event is."""
        return self.run.events[-1][0]


# --- what rules look at ---


@selection
def workflow_run(execution: ExecutionView) -> Iterator[WorkflowRun]:
    """A run of a workflow that nobody answers when a later one has begun, or when its consumer has left."""
    runs = list(execution.workflow_runs())
    for place, (run, spec) in enumerate(runs):
        later = [other.at for other, its in runs[place + 1 :] if its.workflow == spec.workflow]
        left = [at for at, _ in run.of(Abandoned)]
        if not any(at < run.events[-1][0] for at in (*later, *left)):
            yield WorkflowRun(run, spec, execution.scenario.workflows[spec.workflow])


@selection
def direct_run(execution: ExecutionView) -> Iterator[WorkflowRun]:
    """A run of a workflow by itself: its outputs can be seen."""
    yield from (each for each in workflow_run(execution) if not each.spec.as_agent)


@selection
def run_as_agent(execution: ExecutionView) -> Iterator[WorkflowRun]:
    """A run of a workflow as an agent."""
    yield from (each for each in workflow_run(execution) if each.spec.as_agent)


# --- how the run went ---


def of_the_run(asked: Condition[RunView]) -> Condition[WorkflowRun]:
    """The same condition, asked of the run of a workflow."""
    return asked.of(lambda each: each.run)


succeeded = of_the_run(preconditions.succeeded)
waiting = of_the_run(preconditions.waiting)
ended_unknown = of_the_run(preconditions.ended_unknown)
inexpressible = of_the_run(preconditions.inexpressible)
called_the_service = of_the_run(preconditions.called_the_service)


@condition
def waited(_: ExecutionView, each: WorkflowRun) -> bool:
    """The run waited for someone's answer (ORC-04, ORC-27, ORC-30)."""
    return bool(each.run.of(RequestPending))


@condition
def raised(_: ExecutionView, each: WorkflowRun) -> bool:
    """The run ended in an error."""
    return each.run.raised is not None


@condition
def completes(_: ExecutionView, each: WorkflowRun) -> bool:
    """The run has a run-completed output (ORC-01)."""
    return bool(completed(each.run))


@condition
def cut_off(_: ExecutionView, each: WorkflowRun) -> bool:
    """Nobody can say what the run would have come to: its consumer left, it broke, or it cannot be expressed."""
    return each.run.ending in ("abandoned", "unknown", "refused")


# --- how it is asked for and built ---


@condition
def streams(_: ExecutionView, each: WorkflowRun) -> bool:
    """The run streams."""
    return each.spec.stream


@condition
def shows_intermediates(_: ExecutionView, each: WorkflowRun) -> bool:
    """The workflow has `intermediate_outputs` on."""
    return each.workflow.intermediate_outputs


@condition
def nests(execution: ExecutionView, each: WorkflowRun) -> bool:
    """The workflow has others as participants (ORC-29 to ORC-31)."""
    return bool(children(execution.scenario, each.workflow))


@condition
def left_to_author(execution: ExecutionView, each: WorkflowRun) -> bool:
    """An author-written workflow takes part in which not exactly one executor completes (ORC-07, ORC-08)."""
    return not completes_once(execution.scenario, each.spec.workflow)


@condition
def others_output_beside(_: ExecutionView, each: WorkflowRun) -> bool:
    """The workflow's author lets others output in the superstep of the executor that completes, or later."""
    names = completing(each.workflow)
    others = [name for stage in _last_stages(each.workflow, names) for name in stage if name not in names]
    return any(name in each.workflow.participants or each.workflow.executors[name].emits for name in others)


def _last_stages(workflow: WorkflowSpec, names: list[str]) -> tuple[tuple[str, ...], ...]:
    """The supersteps of a workflow from the one of the first of these executors on."""
    first = next((place for place, stage in enumerate(workflow.stages) if names and names[0] in stage), len(workflow.stages))
    return workflow.stages[first:]


def of_pattern(pattern: Pattern) -> Condition[WorkflowRun]:
    """The condition that the workflow is of a pattern."""
    return Condition(pattern.replace("_", " "), f"the workflow's pattern is {pattern}", _has(pattern))


def _has(pattern: Pattern) -> Callable[[ExecutionView, WorkflowRun], bool]:
    return lambda _, each: each.workflow.pattern == pattern


handoff = of_pattern("handoff")
concurrent = of_pattern("concurrent")
custom = of_pattern("custom")
