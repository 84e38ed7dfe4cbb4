"""The persistence rules about ways of running that must not change what is stored."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from conformance.rules.case import Case
from conformance.rules.kept import gained, kept_runs, keys_of, occurred, plain, stored_before
from conformance.rules.requests import show
from conformance.rules.rule import Finding, finding, rule
from conformance.scenario import Run, Together
from conformance.trace import ContextInvoking, Warned

_ABOUT_THE_END = re.compile(r"background|continuation|per.?service.?call", re.I)


@rule("PER-39", needs=["history.provider", "runs.interleaved"])
def interleaved_runs_store_each_its_own(case: Case) -> Iterator[Finding]:
    """Two runs on two threads of one agent that interleave store each its own."""
    for run in kept_runs(case):
        step = case.trace.events[run.at].step
        beside = [other for other in case.runs if other.number != run.number and case.trace.events[other.at].step == step]
        same = [other for other in beside if other.thread is not None and other.agent_name == run.agent_name]
        interleaved = isinstance(case.scenario.steps[step], Together)
        if not interleaved or not same or run.timing == "not" or not run.stored:
            continue
        foreign = Counter(gained(case, run)) - occurred([run])
        mine = set(keys_of(run))
        apart = [other for other in same if not case.related(other.thread or "", run.thread or "")]
        shared = [other for other in apart if mine & set(keys_of(other))]
        yield finding(
            not foreign and not shared,
            run.stored[0][0],
            expected=f"stored for thread {run.thread!r}: {show(run.happened())}, apart from all others",
            got=f"stored: {show(gained(case, run))}" + (f", where thread {shared[0].thread!r} stores too" if shared else ""),
            also=[other.at for other in same],
        )


@rule("PER-40", level="SHOULD", needs=["history.provider", "runs.background"])
def background_runs_persist_at_the_end(case: Case) -> Iterator[Finding]:
    """Runs in the background persist at the end of the run, and warn where `per_service_call` is on."""
    for run in kept_runs(case):
        if not isinstance(run.spec, Run) or not run.spec.background or run.timing == "not" or not plain(run) or not run.calls:
            continue
        last = max(view.replied_at or 0 for view in run.calls)
        warned = [at for at, event in run.of(Warned) if _ABOUT_THE_END.search(event.text)]
        once = len(run.stored) == 1 and run.stored[0][0] > last and gained(case, run) == run.happened()
        wanted = run.agent.per_service_call
        yield finding(
            (once or bool(run.answered_requests)) and bool(warned) == wanted,
            run.stored[0][0] if run.stored else run.at,
            expected=f"one append at the end: {show(run.happened())}, and {'a' if wanted else 'no'} warning",
            got=f"{len(run.stored)} appends: {show(gained(case, run))}, and {len(warned)} warnings",
        )


@rule("PER-43", level="SHOULD", needs=["history.provider", "history.per_run", "history.per_service_call"])
def switching_leaves_one_history(case: Case) -> Iterator[Finding]:
    """Switching `per_service_call` between two runs of one thread leaves one history, without duplicates or gaps.

    Judged where every run of the thread came to its own end; in the request that follows the switch, and in what is stored.
    """
    for run in kept_runs(case):
        before = case.earlier(run)
        switched = any(each.timing != run.timing for each in before)
        if not switched or not all(plain(each) and each.timing != "not" for each in [*before, run]) or not run.calls:
            continue
        if run.agent.reduces_to is not None or case.forked(run) or len({each.agent_name for each in [*before, run]}) > 1:
            continue
        said = [part for each in before for part in each.happened()]
        sent = case.spoken(run.calls[0].request.messages, run.agent)
        yield finding(
            sent == said + run.inputs,
            run.calls[0].at,
            expected=f"a request with the whole history: {show(said + run.inputs)}",
            got=show(sent),
            also=[before[-1].at],
        )
        stored = case.spoken(stored_before(case, run, run.events[-1][0] + 1), run.agent)
        yield finding(
            stored == said + run.happened(),
            run.stored[-1][0] if run.stored else run.events[-1][0],
            expected=f"stored: {show(said + run.happened())}",
            got=show(stored),
            also=[before[-1].at],
        )


@rule("PER-45", needs=["threads.context_state", "history.per_run", "history.per_service_call"])
def injected_messages_reach_every_call(case: Case) -> Iterator[Finding]:
    """The two modes differ in persistence only: what context providers injected reaches every service call of a run in both.

    Where the service has the conversation it is enough that it was sent once. Leaves alone reducers, and how often it is sent
    (THR-32).
    """
    for run, _, agent in case.agent_runs():
        if not agent.context or run.contradicts or agent.reduces_to is not None or run.ending in ("unknown", "refused"):
            continue
        for place, view in enumerate(run.calls):
            adds = [part for at, event in run.own(ContextInvoking) if at < view.at for part in case.heard(event.adds)]
            seen = Counter(case.heard([*view.request.held, *view.request.messages]))
            missing = [part for part in dict.fromkeys(adds) if not seen[part]]
            if adds:
                yield finding(
                    not missing,
                    view.at,
                    expected=f"service call {place + 1} of the run with what was injected: {show(adds)}",
                    got=f"without {show(missing)}",
                    also=[run.calls[0].at],
                )
