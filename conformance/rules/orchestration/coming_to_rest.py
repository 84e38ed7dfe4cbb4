"""Orchestration, coming to rest: every run comes back, and its workflow says how it rests (ORC-43, ORC-50)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from conformance.rules.condition import selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.rests import Rest, State, cut_off, perhaps_withdrawn, refused_at_once, rest, states
from conformance.rules.orchestration.workflow_run import WorkflowRun, left_to_author
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.wording import outcome
from conformance.trace.adapter_events import Chunk, Failed, Idle, Output, Raised, RequestPending, RunReturned
from conformance.trace.harness_events import Broke, ServiceCalled, ToolCalled

# --- what the rules of this section look at ---


@selection
def awaited_run(execution: ExecutionView) -> Iterator[WorkflowRun]:
    """A run of a workflow whose consumer does not leave before it comes back."""
    for run, spec in execution.workflow_runs():
        if run.ending not in ("abandoned", "refused"):
            yield WorkflowRun(run, spec, execution.scenario.workflows[spec.workflow])


# --- the rules ---


@rule(
    "ORC-43",
    needs=["workflows", "workflows.status"],
    each=rest,
    leaves_alone=[cut_off, refused_at_once, perhaps_withdrawn],
    aspects=[
        "not said",
        "idle while it waits",
        "waiting for nothing",
        "idle after a failure",
        "failed without a failure",
        "another number",
        "said twice",
        "said early",
    ],
    edition=2,
)
def each_rest_is_said_once_and_truly(execution: ExecutionView, each: Rest) -> Iterator[Finding]:
    """Each time a run of a workflow comes to rest its status says so, once and truly: idle, idle with pending requests, or failed.

    Idle where it completed; with pending requests where it waits, with their number where one is given; failed where it failed.
    It also waits where nobody is told of a request (ORC-27, ORC-30), and has failed where nobody is told of the error (ORC-05).
    Requests that earlier runs of the workflow left open may count as pending, or not. Only the outermost workflow is heard, run by
    itself: as an agent it has no status.
    """
    true = states(execution, each)
    wrong = _wrong(each, true)
    number = f" ({each.open})" if each.open else ""
    yield finding(
        not wrong,
        each.said[-1][0] if each.said else each.end,
        wrong,
        expected=" or ".join(_IN_WORDS[word] for word in sorted(true)) + number + ", once, at the end",
        got=", then ".join(_told(event) for _, event in each.said) or "no word of it",
        also=[each.end],
    )


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


# --- what they compare ---

_IN_WORDS: Mapping[State, str] = {"idle": "idle", "waiting": "idle with pending requests", "failed": "failed"}
_AT_WORK = (ServiceCalled, ToolCalled, Chunk, Output, RequestPending)


def _wrong(each: Rest, true: Collection[State]) -> str:
    """The aspect in which what is said of a rest is wrong, an untruth before all else; "" where it is right."""
    if not each.said:
        return "not said"
    untrue = [_untrue(event, true) for _, event in each.said if _says(event) not in true]
    if untrue:
        return untrue[0]
    if _miscounted(each):
        return "another number"
    if len(each.said) > 1:
        return "said twice"
    return "said early" if _goes_on(each) else ""


def _miscounted(each: Rest) -> bool:
    """Whether the number of pending requests is given, and is none that they can have; of requests that nobody told any can be."""
    most = each.open + each.left
    given = [event.pending for _, event in each.said if isinstance(event, Idle) and event.pending]
    return most > 0 and not all(each.open <= number <= most for number in given)


def _goes_on(each: Rest) -> bool:
    """Whether somebody works after what is said first."""
    first = each.said[0][0]
    return any(isinstance(event, _AT_WORK) for at, event in each.events if at > first)


def _untrue(event: Idle | Failed, true: Collection[State]) -> str:
    """The aspect in which a word is not true."""
    if isinstance(event, Failed):
        return "failed without a failure"
    if "failed" in true:
        return "idle after a failure"
    return "idle while it waits" if "waiting" in true else "waiting for nothing"


def _says(event: Idle | Failed) -> State:
    if isinstance(event, Failed):
        return "failed"
    return "idle" if event.pending == 0 else "waiting"


def _told(event: Idle | Failed) -> str:
    number = event.pending if isinstance(event, Idle) else None
    return _IN_WORDS[_says(event)] + (f" ({number})" if number else "")
