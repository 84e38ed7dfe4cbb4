"""The rests of a run of a workflow: when nobody in it works any more, what state it is in then, and what is said of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration import failures, workflow_run
from conformance.rules.orchestration.outputs import completed
from conformance.rules.orchestration.questions import answers, approvals, unasked
from conformance.rules.orchestration.workflow_run import WorkflowRun, direct_run
from conformance.rules.run_view import RunView
from conformance.trace.adapter_events import Chunk, Failed, Idle, Output, Raised, RequestPending
from conformance.trace.harness_events import RunStarted, ToolCalled, Warned
from conformance.trace.trace import AnyEvent

State = Literal["idle", "waiting", "failed"]


@dataclass(frozen=True)
class Rest:
    """A run of a workflow rests, when its beginning or an answer has been worked off, in the same step.

    granted: of each request of the run that was answered until then, whether it was granted. later: the workflow had been run
    before. left: how many requests its earlier runs had left open.
    """

    whole: WorkflowRun
    step: int
    granted: tuple[bool, ...] = ()
    later: bool = False
    left: int = 0

    @property
    def events(self) -> Sequence[tuple[int, AnyEvent]]:
        """What happened in the run from then on when it last began to work."""
        return [(at, event) for at, event in self.whole.run.events if event.step == self.step]

    @property
    def end(self) -> int:
        """Where in the trace the last of these events is; of an answer that led to nothing, that of the run before it."""
        return max((at for at, event in self.whole.run.events if event.step <= self.step), default=self.whole.run.at)

    @property
    def raised(self) -> bool:
        """Whether the caller got an error."""
        return any(isinstance(event, Raised) for _, event in self.events)

    @property
    def said(self) -> Sequence[tuple[int, Idle | Failed]]:
        """What the workflow says of itself."""
        return [(at, event) for at, event in self.events if isinstance(event, (Idle, Failed))]

    @property
    def open(self) -> int:
        """How many requests of the run that the consumer was told of are not answered yet."""
        return max(0, len(_told(self.whole.run.until(self.end + 1))) - len(self.granted))


def _told(run: RunView) -> set[str]:
    """The requests that the consumer of a run was told of."""
    return {event.id or str(at) for at, event in run.of(RequestPending)}


# --- what rules look at ---


@selection
def rest(execution: ExecutionView) -> Iterator[Rest]:
    """A rest of a run of a workflow by itself: when it began, or was answered, and nobody in it works any more."""
    for each in direct_run(execution):
        for found in _rests(execution, each):
            yield found
            if found.raised:  # it is over, whoever answers what it had asked
                break


def _rests(execution: ExecutionView, each: WorkflowRun) -> Iterator[Rest]:
    """The rests of a run: one for its beginning, and one for each answer."""
    earlier = _earlier(execution, each)
    asked = sum(map(len, earlier.values()))
    given = [(number, request.run, step.approve) for number, request, step in answers(execution)]
    own = [(number, approve) for number, run, approve in given if run == each.run.number]
    closed = [number for number, run, _ in given if run in earlier]
    for step in (execution.trace.events[each.run.at].step, *dict(own)):
        granted = tuple(approve for number, approve in own if number <= step)
        yield Rest(each, step, granted, later=bool(earlier), left=max(0, asked - sum(number <= step for number in closed)))


def _earlier(execution: ExecutionView, each: WorkflowRun) -> dict[int, set[str]]:
    """The runs of the same workflow that had begun before, as an agent too, and the requests that each told of."""
    runs = [(run, spec) for run, spec in execution.workflow_runs() if run.at < each.run.at]
    return {run.number: _told(run) for run, spec in runs if spec.workflow == each.spec.workflow}


# --- conditions ---


def _of_the_run(asked: Condition[WorkflowRun]) -> Condition[Rest]:
    return asked.of(lambda each: each.whole)


cut_off = _of_the_run(workflow_run.cut_off)


@condition
def refused_at_once(execution: ExecutionView, each: Rest) -> bool:
    """Nothing is seen but an error that may refuse what is asked: the workflow ran before, or need not fail by the script.

    A workflow that is called failed then may be so since an earlier run.
    """
    others = [event for _, event in each.events if not isinstance(event, (RunStarted, Raised, Warned, Failed))]
    return each.raised and not others and (each.later or not failures.surely_fails(execution, each.whole))


@condition
def perhaps_withdrawn(execution: ExecutionView, each: Rest) -> bool:
    """A request was told and not answered, and a failure that the workflow goes on without may have withdrawn it."""
    if not each.open or each.raised:
        return False
    inside = workflow_run.nests(execution, each.whole) and failures.faulty(execution, each.whole)
    return inside or any(event.step <= each.step for event in failures.failures(each.whole))


# --- what is so ---


def states(execution: ExecutionView, each: Rest) -> Collection[State]:
    """How the run rests: by its error, its open requests, its script. What earlier runs asked may still wait when it is over."""
    if each.raised:
        return {"failed"}
    if each.open or _asks_in_silence(execution, each):
        return {"waiting"}
    if failures.surely_fails(execution, each.whole) and not failures.goes_on_without(each.whole):
        return {"failed"}
    return {"idle", "waiting"} if each.left else {"idle"}


def _asks_in_silence(execution: ExecutionView, each: Rest) -> bool:
    """Whether a call waits for its approval, or an executor for its answer, and the consumer is told neither that nor an answer.

    An executor is taken to wait where nothing at all is output: what is may come after it, from those who did not wait for it.
    """
    run = each.whole.run
    if execution.policies.completion_signal in (None, "none") or completed(run):
        return False
    shown = run.of(Output) or run.of(Chunk)
    return _unapproved(each) or (not shown and bool(unasked(run, each.whole.spec.workflow)))


def _unapproved(each: Rest) -> bool:
    """Whether there are more calls that need approval, and were not executed, than were refused."""
    run = each.whole.run.until(each.end + 1)
    ran = {event.id for _, event in run.of(ToolCalled)}
    return sum(call.id not in ran for _, _, call in approvals(run)) > each.granted.count(False)
