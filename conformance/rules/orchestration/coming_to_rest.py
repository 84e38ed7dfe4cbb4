"""Orchestration, coming to rest: every run comes back (ORC-50)."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.rules.condition import selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.workflow_run import WorkflowRun, left_to_author
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.wording import outcome
from conformance.trace.adapter_events import Chunk, Output, Raised, RequestPending, RunReturned
from conformance.trace.harness_events import Broke

# --- what the rules of this section look at ---


@selection
def awaited_run(execution: ExecutionView) -> Iterator[WorkflowRun]:
    """A run of a workflow whose consumer does not leave before it comes back."""
    for run, spec in execution.workflow_runs():
        if run.ending not in ("abandoned", "refused"):
            yield WorkflowRun(run, spec, execution.scenario.workflows[spec.workflow])


# --- the rules ---


@clause(each=awaited_run, leaves_alone=[left_to_author])
def _comes_back_with_something(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A run that comes back does so with an output, a response, a request or an error."""
    told = [at for kind in (Output, Chunk, RunReturned, RequestPending, Raised) for at, _ in each.run.of(kind)]
    if each.run.ending != "unknown":
        expected = "an answer, a request or an error"
        yield finding(bool(told), max(told, default=each.end), "empty-handed", expected=expected, got="nothing at all")


@rule(
    "ORC-50",
    needs=["workflows"],
    each=awaited_run,
    also=[_comes_back_with_something],
    aspects=["deadlock", "empty-handed"],
    edition=2,
    of_deadlocks=True,
)
def every_run_comes_back(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """Every run of a workflow comes back, with its answer, a request or an error.

    Whatever a participant, a tool, a manager or an aggregator does. A deadlock is seen where nothing is left that could end the
    waiting; what else happened in such a scenario no other rule judges.
    """
    stuck = [at for at, broke in each.run.of(Broke) if broke.cause == "deadlock"]
    yield finding(
        not stuck,
        stuck[0] if stuck else each.end,
        "deadlock",
        expected="a run that comes back",
        got=f"a run that waits, and nothing is left that could end the waiting; until then: {outcome(each.run)}",
    )
