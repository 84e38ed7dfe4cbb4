"""The persistence rules about the settings: when history is loaded and appended, once a run or at every service call."""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.rules.case import Case
from conformance.rules.kept import gained, kept_runs, plain, stored_before
from conformance.rules.record import by_number
from conformance.rules.requests import show
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import CallView, RunView
from conformance.scenario import Run
from conformance.trace import HistoryFailed, HistoryLoaded, Observed, RequestPending, ServiceCalled, ToolCalled, Warned

ABOUT_PERSISTING = re.compile(r"per.?service.?call|persist|decorator", re.I)
"""How a warning sounds that is about when history is persisted."""


@rule("PER-01", needs=["history.provider", "history.per_run"])
def per_run_appendsonce_at_the_end(case: Case) -> Iterator[Finding]:
    """With both settings off, a successful run makes exactly one append, after its last service call, with its input and response.

    Leaves alone: terminated runs (PER-15), runs that waited for approvals or reached a limit (PER-44), services that return ids
    nobody asked for (PER-32 ff.).
    """
    for run in kept_runs(case):
        if run.timing == "per run" and not run.agent.client_as_is:
            yield from once_at_the_end(case, run)


@rule("PER-02", needs=["history.provider", "history.per_service_call"])
def per_call_appends_after_every_call(case: Case) -> Iterator[Finding]:
    """With `per_service_call` there is one append after each service call, before the next tool runs or the next call starts.

    Leaves alone: services that return ids nobody asked for (PER-32 ff.), what the appends hold (PER-09, PER-10, PER-17), an append
    that fails (PER-24), and the call in which a stream is abandoned (PER-25).
    """
    for run in kept_runs(case):
        if run.timing == "per call" and not run.agent.client_as_is:
            yield from once_after_each_call(run)


@rule("PER-07", needs=["history.per_run"])
def both_settings_default_to_false(case: Case) -> Iterator[Finding]:
    """Both settings default to false: an agent built without them keeps nothing before the end of a run.

    Neither in an explicit provider nor, as a tool that looks sees, on the thread itself; and it warns of nothing.
    """
    for run, _, agent in case.agent_runs():
        local = case.kind_before(run) == "local" and not run.brought_id
        if agent.client_as_is or agent.per_service_call or run.contradicts or not local or not run.calls or _rebuilt(case, run):
            continue
        goes_on = max(at for at, event in run.events if isinstance(event, (ServiceCalled, ToolCalled)))
        early = [at for at, _ in run.stored if at < goes_on and not run.of(RequestPending)]
        before = case.described(run.thread, before=run.at)
        known = before.messages if before else None
        seen = [at for at, look in run.own(Observed) if look.moment == "within" and look.messages and look.messages != known]
        warned = [at for at, event in run.of(Warned) if ABOUT_PERSISTING.search(event.text)]
        wrong = [*early, *(seen if not run.of(RequestPending) else ()), *warned]
        yield finding(
            not wrong,
            min(wrong, default=run.at),
            expected="nothing kept before the last service call, and no warning",
            got=f"{len(early)} appends, {len(seen)} looks at messages of this run, {len(warned)} warnings",
        )


@rule("PER-08", needs=["history.provider", "history.per_service_call"])
def history_is_loaded_before_every_call(case: Case) -> Iterator[Finding]:
    """With `per_service_call`, history is loaded before every service call: the stored history, then what is new, each once.

    Leaves alone the first run of an adaptive thread, of which nobody knows yet whether there will be any, and reducers.
    """
    for run in kept_runs(case):
        if run.timing != "per call" or run.agent.reduces_to is not None or case.kind_before(run) == "adaptive":
            continue
        for place, view in enumerate(run.calls):
            since = _previous(run, place)
            loaded = any(since < at < view.at for at, _ in run.own(HistoryLoaded))
            stored = case.spoken(stored_before(case, run, view.at), run.agent)
            expected = by_number([*stored, *run.new_in(place)])
            got = case.spoken(view.request.messages, run.agent)
            yield finding(
                loaded and got == expected,
                view.at,
                expected=f"a load, then a request with {show(expected)}",
                got=f"{'' if loaded else 'no load, '}{show(got)}",
            )


def once_at_the_end(case: Case, run: RunView) -> Iterator[Finding]:
    """What PER-01 asks of a successful run."""
    if run.answered_requests and not run.in_background:
        yield from _once_in_each_part(run)
    if not plain(run) or run.answered_requests or not run.calls:
        return
    last = max(view.replied_at or 0 for view in run.calls)
    expected = run.happened()
    right = len(run.stored) == 1 and run.stored[0][0] > last and gained(case, run) == expected
    yield finding(
        right,
        next((at for at, _ in run.stored), run.events[-1][0]),
        expected=f"one append after the last service call: {show(expected)}",
        got=f"{len(run.stored)} appends: {'; '.join(show(case.heard(event.messages)) for _, event in run.stored)}",
        also=[at for at, _ in run.stored[1:]],
    )


def _once_in_each_part(run: RunView) -> Iterator[Finding]:
    """Each part of a run that waited for answers has its own end, and nothing is appended before it."""
    for step in dict.fromkeys(event.step for _, event in run.events):
        called = [at for at, event in run.events if event.step == step and isinstance(event, ServiceCalled)]
        mine = [at for at, event in run.stored if event.step == step]
        early = [at for at in mine if called and at < called[-1]]
        if called:
            yield finding(
                not early and len(mine) < 2,
                [*early, *mine, called[-1]][0],
                expected="no more than one append, after the last service call of this part of the run",
                got=f"{len(mine)} appends, {len(early)} of them before that",
            )


def once_after_each_call(run: RunView) -> Iterator[Finding]:
    """What PER-02 asks of a run."""
    goes_on = [at for at, event in run.events if isinstance(event, (ServiceCalled, ToolCalled))]
    replied = [view.replied_at for view in run.calls if view.replied_at is not None]
    whole = run.ending != "abandoned" and not run.own(HistoryFailed)
    for reply_at in replied if whole else replied[:-1]:
        next_at = min((at for at in goes_on if at > reply_at), default=run.events[-1][0] + 1)
        between = [at for at, _ in run.stored if reply_at < at < next_at]
        yield finding(
            len(between) == 1,
            between[1] if len(between) > 1 else reply_at,
            expected="exactly one append between this reply and what comes next",
            got=f"{len(between)} appends",
        )
    in_flight = run.ending == "cancelled" and run.calls[-1].reply is None
    if replied and whole and not in_flight:
        yield finding(
            len(run.stored) == len(replied),
            run.stored[-1][0] if run.stored else replied[-1],
            expected=f"{len(replied)} appends for {len(replied)} service calls",
            got=f"{len(run.stored)} appends",
        )


def _previous(run: RunView, place: int) -> int:
    before: list[CallView] = run.calls[:place]
    return before[-1].replied_at or before[-1].at if before else run.at


def _rebuilt(case: Case, run: RunView) -> bool:
    """Whether the run or an earlier one of its thread is of an agent that was rebuilt, or runs in the background."""
    specs = [each.spec for each in [*case.earlier(run), run] if isinstance(each.spec, Run)]
    return any(spec.per_service_call is not None or spec.background for spec in specs)
