"""When a run appends: once, at its end, or after each reply."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.rules.execution_view import ExecutionView
from conformance.rules.parts import but_for_empty, how_they_differ
from conformance.rules.persistence.history import gained
from conformance.rules.preconditions import RequestView
from conformance.rules.rule import Finding, finding
from conformance.rules.run_view import RunView
from conformance.rules.wording import show
from conformance.trace.harness_events import ServiceCalled, ToolCalled


def once_at_the_end(execution: ExecutionView, run: RunView) -> Finding:
    """Whether a run made one append, after its last service call, of all that happened in it."""
    last = max((view.replied_at or 0 for view in run.calls), default=0)
    expected, appends = but_for_empty(run.happened()), [at for at, _ in run.stored]
    got = but_for_empty(gained(execution, run))
    return finding(
        len(appends) == 1 and appends[0] > last and got == expected,
        [*appends, run.events[-1][0]][0],
        _how_it_appends(appends, last) or how_they_differ(got, expected),
        expected=f"one append after the last service call: {show(expected)}",
        got=f"{len(appends)} appends: {'; '.join(show(execution.heard(event.messages)) for _, event in run.stored)}",
        also=appends[1:],
    )


def _how_it_appends(appends: Sequence[int], last: int) -> str:
    if len(appends) != 1:
        return "several appends" if appends else "no append"
    return "early" if appends[0] < last else ""


def once_in_each_part(run: RunView) -> Iterator[Finding]:
    """Whether each part of a run that waited for answers has its own end, and nothing is appended before it."""
    last_calls = {event.step: at for at, event in run.of(ServiceCalled)}
    for step, last in last_calls.items():
        appends = [at for at, event in run.stored if event.step == step]
        early = [at for at in appends if at < last]
        yield finding(
            not early and len(appends) < 2,
            [*early, *appends, last][0],
            "early" if early else "several appends",
            expected="no more than one append, after the last service call of this part of the run",
            got=f"{len(appends)} appends, {len(early)} of them before that",
        )


def once_after_the_reply(request: RequestView) -> Finding:
    """Whether a reply is followed by one append, before the run goes on."""
    run, replied_at = request.run, end_of(request.run, request.place)
    goes_on = _goes_on(run, replied_at)
    between = [at for at, _ in run.stored if replied_at < at < goes_on]
    return finding(
        len(between) == 1,
        between[1] if len(between) > 1 else replied_at,
        "several appends" if between else "late" if _late(run, goes_on) else "no append",
        expected="exactly one append between this reply and what comes next",
        got=f"{len(between)} appends",
    )


def _goes_on(run: RunView, replied_at: int) -> int:
    """Where a run goes on after a reply: with a tool, with the next service call or, at last, with nothing."""
    steps = [at for at, event in run.events if isinstance(event, (ServiceCalled, ToolCalled)) and at > replied_at]
    return min(steps, default=run.events[-1][0] + 1)


def _late(run: RunView, goes_on: int) -> bool:
    """Whether something is appended after a run went on, and before the next reply."""
    next_reply = min((view.replied_at for view in run.calls if view.replied_at and view.replied_at > goes_on), default=None)
    return any(goes_on < at and (next_reply is None or at < next_reply) for at, _ in run.stored)


def as_many_as_replies(run: RunView) -> Finding:
    """Whether a run made as many appends as it got replies."""
    replies = [view.replied_at for view in run.calls if view.replied_at is not None]
    appends = [at for at, _ in run.stored]
    astray = [at for at in appends if not any(reply < at < _goes_on(run, reply) for reply in replies)]
    return finding(
        len(appends) == len(replies),
        [*replies, *appends][-1],
        "no append" if len(appends) < len(replies) else "elsewhere" if astray else "several appends",
        expected=f"{len(replies)} appends for {len(replies)} service calls",
        got=f"{len(appends)} appends",
    )


def end_of(run: RunView, place: int) -> int:
    """Where the service call at a place was answered, or else made."""
    view = run.calls[place]
    return view.replied_at or view.at
