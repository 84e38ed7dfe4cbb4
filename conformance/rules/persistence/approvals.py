"""Approvals: runs that waited for someone's answer about function calls, and what is sent meanwhile and after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.parts import open_calls
from conformance.rules.persistence.history import calls_waited_for
from conformance.rules.preconditions import RequestView, callers_history
from conformance.rules.rule import Finding, finding
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import Respond
from conformance.trace.adapter_events import RequestPending
from conformance.trace.harness_events import ToolCalled
from conformance.trace.messages import Call, Part

_SORTS = ("call", "result")


@condition
def partly_answered(execution: ExecutionView, run: RunView) -> bool:
    """Some of the calls that wait for approval got no answer."""
    waiting = {call.id for call in calls_waited_for(run) if needs_approval(run, call)}
    return len(answers_of(execution, run)) < len(waiting)


@condition
def while_another_waits(execution: ExecutionView, run: RunView) -> bool:
    """An earlier run on the thread waits for an approval when this one begins."""
    return bool(waiting_before(execution, run))


@condition
def after_the_answer(_: ExecutionView, request: RequestView) -> bool:
    """The request was sent after someone answered what its run had waited for."""
    return request.call.at > resumed_at(request.run)


@dataclass(frozen=True)
class LaterRequest:
    """A run that waited for approval, and a request of a later run on its thread."""

    waited: RunView
    request: RequestView


@selection
def later_request(execution: ExecutionView) -> Iterator[LaterRequest]:
    """A request of a run on a thread on which an earlier run had waited for approval."""
    for later, _, _ in execution.agent_runs():
        for waited in execution.earlier(later):
            if waited.answered_requests:
                yield from (LaterRequest(waited, RequestView(later, place, call)) for place, call in enumerate(later.calls))


@condition
def on_the_same_agent(_: ExecutionView, later: LaterRequest) -> bool:
    """The later run is of the agent that had waited."""
    return later.request.run.agent_name == later.waited.agent_name


@condition
def callers_history_in_between(execution: ExecutionView, later: LaterRequest) -> bool:
    """The history was the caller's business in one of the two runs (PER-04)."""
    return callers_history(execution, later.waited) or callers_history(execution, later.request.run)


def of_waited(*conditions: Condition[RunView]) -> list[Condition[LaterRequest]]:
    """The same conditions, asked of the run that waited."""
    return [each.of(lambda later: later.waited) for each in conditions]


def of_later(*conditions: Condition[RunView]) -> list[Condition[LaterRequest]]:
    """The same conditions, asked of the later run."""
    return [each.of(lambda later: later.request.run) for each in conditions]


def waiting_before(execution: ExecutionView, run: RunView) -> list[RunView]:
    """The earlier runs on the thread that wait for someone's answer when this one begins."""
    return [each for each in execution.earlier(run) if each.waits_at(run.at)]


def orphans_of(execution: ExecutionView, run: RunView, awaited: set[str]) -> Iterator[tuple[int, str, str]]:
    """The awaited calls without a result in a request of the run, or their results without them: where, how and which."""
    for view in run.calls:
        said = execution.heard([*view.request.held, *view.request.messages])
        asked = {part[1] for part in said if part[0] == "call"}
        for id in open_calls(said):
            if id in awaited:
                yield view.at, "call without a result" if id in asked else "result without a call", id


def resumed_at(run: RunView) -> int:
    """Where a run that waited goes on first."""
    begun = run.trace.events[run.at].step
    return next((at for at, event in run.events if event.step != begun), run.events[-1][0])


def answers_of(execution: ExecutionView, run: RunView) -> list[bool]:
    """The answers that the run got, in order."""
    steps = [execution.scenario.steps[step] for step in dict.fromkeys(event.step for _, event in run.events)]
    return [step.approve for step in steps if isinstance(step, Respond)]


def decided_on(execution: ExecutionView, run: RunView, *, by: int | None = None) -> list[tuple[RequestPending, bool]]:
    """What was decided of the run, in order: the request, which says what it is about as far as it does, and the answer.

    by: the last step that counts.
    """
    waiting: dict[tuple[int | None, str], RequestPending] = {}
    decided: list[tuple[RequestPending, bool]] = []
    for number, step in enumerate(execution.scenario.steps[: None if by is None else by + 1]):
        if isinstance(step, Respond) and step.request < len(waiting):
            request = waiting.pop(list(waiting)[step.request])
            decided += [(request, step.approve)] if request.run == run.number else []
        for at, event in execution.of(RequestPending):
            if event.step == number:
                waiting.setdefault((event.run, event.id or str(at)), event)
    return decided


class Told(Enum):
    """What requests say of the calls that wait, all of them: which call, of which tool, or nothing."""

    CALL = auto()
    TOOL = auto()
    NOTHING = auto()

    @classmethod
    def of(cls, requests: Sequence[RequestPending]) -> Told:
        """As much as each of them says."""
        if all(request.call for request in requests):
            return cls.CALL
        return cls.TOOL if all(request.tool for request in requests) else cls.NOTHING

    def asked(self, request: RequestPending) -> str:
        """What a request is about."""
        return self._name(request.tool, request.call)

    def run(self, event: ToolCalled) -> str:
        """The same of a call that is run."""
        return self._name(event.tool, event.id)

    def _name(self, tool: str | None, call: str | None) -> str:
        if self is Told.NOTHING:
            return "any tool"
        return str(tool) if self is Told.TOOL else f"{tool} {call}"


def needs_approval(run: RunView, call: Call) -> bool:
    """Whether a call of the run needs approval."""
    return call.tool in run.agent.tools and run.agent.tools[call.tool].approval


def each_once(said: Sequence[Part], ids: set[str], at: int, verb: str, *, at_most: bool = False) -> Finding:
    """Whether each call and each result is there once; verb: `sent` or `stored`; at_most: or not at all."""
    seen = [part[:2] for part in said]
    counts = {(sort, id): seen.count((sort, id)) for id in ids for sort in _SORTS}
    wrong = {part: count for part, count in sorted(counts.items()) if count > 1 or (count == 0 and not at_most)}
    return finding(
        not wrong,
        at,
        f"not {verb}" if 0 in wrong.values() else f"{verb} again",
        expected=f"{verb}: each call and each result once",
        got=", ".join(f"{sort} {id} {count} times" for (sort, id), count in wrong.items()),
    )
