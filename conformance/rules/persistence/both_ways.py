"""The persistence rules about ways of running that must not change what is stored."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import contradicting_options, contradicts, kind_before, misplaced, timing_of, undisputed
from conformance.rules.pairs import by_order, pairs
from conformance.rules.parts import open_calls
from conformance.rules.persistence.conflict import conflicts
from conformance.rules.persistence.history import calls_waited_for, gained, kept_runs, keys_of, occurred, plain, stored_before
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.wording import outcome, show
from conformance.scenario.scenario import Run, Together
from conformance.trace.adapter_events import RunReturned
from conformance.trace.harness_events import ContextInvoking, HistoryLoaded, Warned

_ABOUT_THE_END = re.compile(r"background|continuation|per.?service.?call", re.I)


@rule("PER-38", needs=["history.provider", "runs.streaming"])
def streaming_stores_the_same(execution: ExecutionView) -> Iterator[Finding]:
    """Streaming and non-streaming runs make the same appends: their number, their order and their content are equal.

    Judged on siblings within one scenario, on one agent and of one kind: one streams in every run, the other in none.
    """
    for unstreamed, streamed in pairs(execution):
        same = unstreamed.name == streamed.name and unstreamed.kind == streamed.kind and unstreamed.agent.history == "provider"
        if not same or any(unstreamed.streams) or not all(streamed.streams):
            continue
        for one, other in zip(unstreamed.runs, streamed.runs, strict=True):
            appends = [[execution.heard(event.messages) for _, event in run.stored] for run in (one, other)]
            yield finding(
                by_order(appends[0]) == by_order(appends[1]),
                other.events[-1][0],
                expected=f"appends as without streaming: {'; '.join(map(show, appends[0])) or 'none'}",
                got=f"appends: {'; '.join(map(show, appends[1])) or 'none'}",
                also=[one.events[-1][0]],
            )


@rule("PER-39", needs=["history.provider", "runs.interleaved"])
def interleaved_runs_store_each_its_own(execution: ExecutionView) -> Iterator[Finding]:
    """Two runs on two threads of one agent that interleave store each its own."""
    for run in kept_runs(execution):
        step = execution.trace.events[run.at].step
        beside = [other for other in execution.runs if other.number != run.number and execution.trace.events[other.at].step == step]
        same = [other for other in beside if other.thread is not None and other.agent_name == run.agent_name]
        interleaved = isinstance(execution.scenario.steps[step], Together)
        if not interleaved or not same or timing_of(run) == "not" or not run.stored:
            continue
        foreign = Counter(gained(execution, run)) - occurred([run])
        mine = set(keys_of(run))
        apart = [other for other in same if not execution.related(other.thread or "", run.thread or "")]
        shared = [other for other in apart if mine & set(keys_of(other))]
        yield finding(
            not foreign and not shared,
            run.stored[0][0],
            expected=f"stored for thread {run.thread!r}: {show(run.happened())}, apart from all others",
            got=f"stored: {show(gained(execution, run))}" + (f", where thread {shared[0].thread!r} stores too" if shared else ""),
            also=[other.at for other in same],
        )


@rule("PER-40", level="SHOULD", needs=["history.provider", "runs.background"])
def background_runs_persist_at_the_end(execution: ExecutionView) -> Iterator[Finding]:
    """Runs in the background persist at the end of the run, and warn where `per_service_call` is on."""
    for run in kept_runs(execution):
        if not isinstance(run.spec, Run) or not run.spec.background or timing_of(run) == "not" or not plain(run) or not run.calls:
            continue
        last = max(view.replied_at or 0 for view in run.calls)
        warned = [at for at, event in run.of(Warned) if _ABOUT_THE_END.search(event.text)]
        once = len(run.stored) == 1 and run.stored[0][0] > last and gained(execution, run) == run.happened()
        wanted = run.agent.per_service_call
        yield finding(
            (once or bool(run.answered_requests)) and bool(warned) == wanted,
            run.stored[0][0] if run.stored else run.at,
            expected=f"one append at the end: {show(run.happened())}, and {'a' if wanted else 'no'} warning",
            got=f"{len(run.stored)} appends: {show(gained(execution, run))}, and {len(warned)} warnings",
        )


@rule("PER-41", level="SHOULD", needs=["history.provider", "history.conflict_switches", "service.surprising"])
def other_threads_keep_their_history(execution: ExecutionView) -> Iterator[Finding]:
    """Detaching the provider on one thread's conflict does not silently cost other threads of the same agent their history."""
    for run, at in conflicts(execution):
        if not run.agent.on_conflict.clear or run.agent.on_conflict.throw or not run.succeeded:
            continue
        for other in execution.runs:
            if other.thread in (None, run.thread) or other.number < run.number or other.agent_name != run.agent_name:
                continue
            before = [*execution.earlier(other), other]
            local = execution.scenario.kind_of(other.thread or "") == "local" and undisputed(execution, other)
            if not local or any(each.brought_id for each in before[:-1]) or not other.calls or other.at < at:
                continue
            loads = [where for where, _ in other.own(HistoryLoaded) if where < other.calls[0].at]
            lost = other.succeeded and not other.brought_id and not other.stored
            yield finding(
                (bool(loads) or not any(each.stored for each in before[:-1])) and not lost,
                other.calls[0].at,
                expected=f"history loaded and appended on thread {other.thread!r} as before",
                got="no append" if loads else "no load",
                also=[at],
            )


@rule("PER-42", level="SHOULD", needs=["tools.approval"])
def an_unrelated_input_sends_no_orphan_call(execution: ExecutionView) -> Iterator[Finding]:
    """An unrelated input while an approval is pending sends no orphan call: it is refused, or the call is answered first."""
    for run, _, _ in execution.agent_runs():
        pending = [each for each in execution.earlier(run) if each.waits_at(run.at)]
        nobody_keeps = timing_of(run) == "not" and kind_before(execution, run) != "hosted"
        if (
            not pending
            or nobody_keeps
            or contradicting_options(execution, run)
            or misplaced(execution, run)
            or run.ending in ("unknown", "refused")
        ):
            continue
        waiting = {call.id for each in pending for call in calls_waited_for(each)}
        orphans = [
            (view.at, id)
            for view in run.calls
            for id in open_calls(execution.heard([*view.request.held, *view.request.messages]))
            if id in waiting
        ]
        yield finding(
            not orphans,
            orphans[0][0] if orphans else run.sign,
            expected="a refusal, or requests in which every call has its result",
            got=f"{', '.join(id for _, id in orphans)} without a result; {outcome(run)}",
            also=[pending[-1].at],
        )


@rule("PER-43", level="SHOULD", needs=["history.provider", "history.per_run", "history.per_service_call"])
def switching_leaves_one_history(execution: ExecutionView) -> Iterator[Finding]:
    """Switching `per_service_call` between two runs of one thread leaves one history, without duplicates or gaps.

    Judged where every run of the thread came to its own end; in the request that follows the switch, and in what is stored.
    """
    for run in kept_runs(execution):
        before = execution.earlier(run)
        switched = any(timing_of(each) != timing_of(run) for each in before)
        if not switched or not all(plain(each) and timing_of(each) != "not" for each in [*before, run]) or not run.calls:
            continue
        if run.agent.reduces_to is not None or execution.forked(run) or len({each.agent_name for each in [*before, run]}) > 1:
            continue
        said = [part for each in before for part in each.happened()]
        sent = execution.spoken(run.calls[0].request.messages, run.agent)
        yield finding(
            sent == said + run.inputs,
            run.calls[0].at,
            expected=f"a request with the whole history: {show(said + run.inputs)}",
            got=show(sent),
            also=[before[-1].at],
        )
        stored = execution.spoken(stored_before(execution, run, run.events[-1][0] + 1), run.agent)
        yield finding(
            stored == said + run.happened(),
            run.stored[-1][0] if run.stored else run.events[-1][0],
            expected=f"stored: {show(said + run.happened())}",
            got=show(stored),
            also=[before[-1].at],
        )


@rule("PER-44", needs=["history.provider", "tools.limit"])
def a_limit_leaves_nothing_dangling(execution: ExecutionView) -> Iterator[Finding]:
    """A loop cut short by its iteration limit stores what the caller was given, and no dangling call that the caller never saw.

    With per-service-call persistence a trailing result need not be stored. That streaming stores the same is PER-38's.
    """
    for run in kept_runs(execution):
        limit = run.agent.limit
        asking = [view for view in run.calls if view.reply is not None and view.reply.message.calls]
        if limit is None or len(asking) < limit or not run.succeeded or timing_of(run) == "not" or run.terminated:
            continue
        given = run.inputs + execution.heard([message for _, event in run.of(RunReturned) for message in event.messages])
        stored = gained(execution, run)
        trailing = [given[:-cut] for cut in range(1, len(given)) if all(part[0] == "result" for part in given[-cut:])]
        allowed = [given, *(trailing if timing_of(run) == "per call" else [])]
        supplied = [("call", result.id, "", "") for result in run.supplied]
        unseen = [id for id in open_calls([*supplied, *stored]) if not any(part[:2] == ("call", id) for part in given)]
        yield finding(
            stored in allowed and not unseen and (len(asking) == limit or bool(run.answered_requests)),
            run.stored[-1][0] if run.stored else run.events[-1][0],
            expected=f"at most {limit} replies with calls, and stored what the caller was given: {show(given)}",
            got=f"{len(asking)} such replies, and stored: {show(stored)}",
            also=[asking[-1].at],
        )


@rule("PER-45", needs=["threads.context_state", "history.per_run", "history.per_service_call"])
def injected_messages_reach_every_call(execution: ExecutionView) -> Iterator[Finding]:
    """The two modes differ in persistence only: what context providers injected reaches every service call of a run in both.

    Where the service has the conversation it is enough that it was sent once. Leaves alone reducers, and how often it is sent
    (THR-32).
    """
    for run, _, agent in execution.agent_runs():
        if not agent.context or contradicts(execution, run) or agent.reduces_to is not None or run.ending in ("unknown", "refused"):
            continue
        for place, view in enumerate(run.calls):
            adds = [part for at, event in run.own(ContextInvoking) if at < view.at for part in execution.heard(event.adds)]
            seen = Counter(execution.heard([*view.request.held, *view.request.messages]))
            missing = [part for part in dict.fromkeys(adds) if not seen[part]]
            if adds:
                yield finding(
                    not missing,
                    view.at,
                    expected=f"service call {place + 1} of the run with what was injected: {show(adds)}",
                    got=f"without {show(missing)}",
                    also=[run.calls[0].at],
                )
