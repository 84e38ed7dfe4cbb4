"""A run of a workflow that was run before, and what of the earlier runs is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from conformance.rules.condition import Condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.outputs import final_events, heard_texts, intermediate_outputs, told
from conformance.rules.orchestration.workflow_run import WorkflowRun, run_as_agent, workflow_run


@dataclass(frozen=True)
class LaterRun:
    """A run of a workflow, and those before it that it might go on from; at least one."""

    itself: WorkflowRun
    earlier: tuple[WorkflowRun, ...]


@selection
def run_again(execution: ExecutionView) -> Iterator[LaterRun]:
    """A run of a workflow that was run before."""
    yield from _later(workflow_run(execution), _same_workflow)


@selection
def later_run_as_agent(execution: ExecutionView) -> Iterator[LaterRun]:
    """A run of a workflow as an agent that was run as one before, on whatever thread."""
    yield from _later(run_as_agent(execution), _same_workflow)


@selection
def later_run_on_thread(execution: ExecutionView) -> Iterator[LaterRun]:
    """A run of a workflow as an agent on a thread on which it was run before."""
    yield from _later(run_as_agent(execution), lambda each, other: _same_workflow(each, other) and _same_thread(each, other))


def _later(runs: Iterable[WorkflowRun], goes_on: Callable[[WorkflowRun, WorkflowRun], bool]) -> Iterator[LaterRun]:
    """The runs before which there are some that they might go on from."""
    before: list[WorkflowRun] = []
    for each in runs:
        earlier = tuple(other for other in before if goes_on(each, other))
        if earlier:
            yield LaterRun(each, earlier)
        before.append(each)


def _same_workflow(each: WorkflowRun, other: WorkflowRun) -> bool:
    return each.spec.workflow == other.spec.workflow


def _same_thread(each: WorkflowRun, other: WorkflowRun) -> bool:
    return each.spec.thread is not None and each.spec.thread == other.spec.thread


def of_the_later(asked: Condition[WorkflowRun]) -> Condition[LaterRun]:
    """The same condition, asked of the later run itself."""
    return asked.of(lambda each: each.itself)


def leaked_at(execution: ExecutionView, each: LaterRun) -> Sequence[int]:
    """Where texts that only earlier runs said are in what the later run ended with, or showed on the way."""
    before = {text for other in each.earlier for text in told(execution, other.run)}
    foreign = before - set(told(execution, each.itself.run))
    ends = final_events(each.itself.run, each.itself.spec)
    shown = [*ends, *intermediate_outputs(each.itself.run)]
    return [at for at, event in shown if foreign & set(heard_texts(execution, event.messages))]
