"""A run of a workflow: what rules of this area look at, and the conditions that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from conformance.rules import preconditions
from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration import runs
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import RunWorkflow
from conformance.scenario.specs import WorkflowSpec
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
    yield from (WorkflowRun(*each) for each in runs.played(execution))


@selection
def direct_run(execution: ExecutionView) -> Iterator[WorkflowRun]:
    """A run of a workflow by itself: its outputs can be seen."""
    yield from (each for each in workflow_run(execution) if not each.spec.as_agent)


@selection
def run_as_agent(execution: ExecutionView) -> Iterator[WorkflowRun]:
    """A run of a workflow as an agent."""
    yield from (each for each in workflow_run(execution) if each.spec.as_agent)


@dataclass(frozen=True)
class LaterRun:
    """A run of a workflow, and those before it that it might go on from; at least one."""

    itself: WorkflowRun
    earlier: tuple[WorkflowRun, ...]


def of_the_later(asked: Condition[WorkflowRun]) -> Condition[LaterRun]:
    """The same condition, asked of the later run itself."""
    return asked.of(lambda each: each.itself)


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
    return runs.waited(each.run)


@condition
def raised(_: ExecutionView, each: WorkflowRun) -> bool:
    """The run ended in an error."""
    return each.run.raised is not None


@condition
def cut_off(_: ExecutionView, each: WorkflowRun) -> bool:
    """Nobody can say what the run would have come to: its consumer left, it broke, or it cannot be expressed."""
    return runs.cut_off(each.run)


@condition
def faulty(execution: ExecutionView, each: WorkflowRun) -> bool:
    """The run fails by its script, or may: a participant's service, an executor, or a manager that errs (ORC-05, ORC-33)."""
    return runs.faulty(execution, each.run)


@condition
def limited(execution: ExecutionView, each: WorkflowRun) -> bool:
    """A limit ends the workflow or one in it, or may: then the answer need not be the manager's (ORC-18)."""
    return runs.limited(execution.scenario, each.spec)


@condition
def left_to_author(execution: ExecutionView, each: WorkflowRun) -> bool:
    """An author-written workflow takes part in which not exactly one executor completes (ORC-07, ORC-08)."""
    return runs.left_to_author(execution.scenario, each.spec.workflow)


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
    return runs.nests(execution.scenario, each.workflow)


def of_pattern(pattern: Pattern) -> Condition[WorkflowRun]:
    """The condition that the workflow is of a pattern."""
    return Condition(pattern.replace("_", " "), f"the workflow's pattern is {pattern}", _has(pattern))


def _has(pattern: Pattern) -> Callable[[ExecutionView, WorkflowRun], bool]:
    return lambda _, each: each.workflow.pattern == pattern


handoff = of_pattern("handoff")
concurrent = of_pattern("concurrent")
custom = of_pattern("custom")
