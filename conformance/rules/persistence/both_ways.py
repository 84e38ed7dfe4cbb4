"""Persistence, both ways of running: what must not change what is stored (PER-38 to PER-45)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import persistence_of, timing_of
from conformance.rules.pairs import (
    ThreadPair,
    by_order,
    on_one_agent_and_of_one_kind,
    one_streams_and_the_other_does_not,
    thread_pair,
)
from conformance.rules.parts import how_they_differ, open_calls
from conformance.rules.persistence.approvals import orphans_of, waiting_before, while_another_waits
from conformance.rules.persistence.conflicting_runs import (
    RunElsewhere,
    clears,
    created_local,
    elsewhere,
    of_other,
    run_elsewhere_after_a_conflict,
    throws,
)
from conformance.rules.persistence.history import (
    KEPT,
    all_came_to_their_own_end,
    appended_something,
    calls_waited_for,
    gained,
    in_background,
    kept_locally,
    keys_of,
    nobody_keeps_it,
    occurred,
    stored_by_end,
    under_a_conversation,
)
from conformance.rules.preconditions import (
    DISPUTED,
    RequestView,
    after,
    bounded_history,
    brought_an_id,
    called_the_service,
    callers_history,
    contradicting,
    cut_short,
    forked,
    of_run,
    request,
    succeeded,
    terminated,
    thread_run,
)
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import outcome, show
from conformance.trace.adapter_events import RunReturned
from conformance.trace.harness_events import ContextInvoking, HistoryLoaded, ServiceReplied, Warned
from conformance.trace.messages import Part
from conformance.vocabulary import ANY_TIMING, EITHER_MODE

_ABOUT_THE_END = re.compile(r"background|continuation|per.?service.?call", re.I)
"""How a warning sounds that is about a run in the background, which persists at its end."""

# --- what the rules of this section look at, and leave alone ---


@condition
def pair_with_provider(_: ExecutionView, pair: ThreadPair) -> bool:
    """The two threads have an explicitly configured history provider."""
    return pair.first.agent.history == "provider"


@condition
def beside_another(execution: ExecutionView, run: RunView) -> bool:
    """Another run of the agent, on another thread, is in flight at the same time."""
    return bool(_beside(execution, run))


@condition
def after_a_switch(execution: ExecutionView, run: RunView) -> bool:
    """An earlier run on the thread was persisted at other times."""
    return any(timing_of(each) != timing_of(run) for each in execution.earlier(run))


@condition
def partly_the_callers(execution: ExecutionView, run: RunView) -> bool:
    """The history was the caller's business in this run or in an earlier one on the thread (PER-04)."""
    return any(persistence_of(each.agent) == "not" for each in [*execution.earlier(run), run])


@condition
def after_another_agent(execution: ExecutionView, run: RunView) -> bool:
    """Another agent ran on the thread before, whose history is its own."""
    return any(each.agent_name != run.agent_name for each in execution.earlier(run))


@condition
def after_an_injection(execution: ExecutionView, request: RequestView) -> bool:
    """A context provider injected messages into the run before the request."""
    return bool(_injected_before(execution, request))


# --- the rules ---


@rule(
    "PER-38",
    needs=["history.provider", ANY_TIMING, "runs.streaming"],
    each=thread_pair,
    when=[on_one_agent_and_of_one_kind, one_streams_and_the_other_does_not, pair_with_provider],
    aspects=["split", "missing", "repeated", "foreign", "order"],
)
def streaming_stores_the_same(execution: ExecutionView, pair: ThreadPair) -> Iterator[Finding]:
    """Streaming and non-streaming runs make the same appends: their number, their order and their content are equal.

    Judged on pairs within one scenario, on one agent and of one kind: one streams in every run, the other in none.
    """
    for one, other in zip(pair.first.runs, pair.second.runs, strict=True):
        plainly, streamed = ([execution.heard(event.messages) for _, event in run.stored] for run in (one, other))
        expected, got = by_order(plainly), by_order(streamed)
        yield finding(
            got == expected,
            other.events[-1][0],
            _how_appends_differ(got, expected),
            expected=f"appends as without streaming: {'; '.join(map(show, plainly)) or 'none'}",
            got=f"appends: {'; '.join(map(show, streamed)) or 'none'}",
            also=[one.events[-1][0]],
        )


@rule(
    "PER-39",
    needs=["history.provider", ANY_TIMING, "runs.interleaved"],
    each=thread_run,
    when=[kept_locally, beside_another, appended_something],
    leaves_alone=DISPUTED,
    aspects=["one history", "foreign", "repeated"],
)
def interleaved_runs_store_each_its_own(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Two runs on two threads of one agent that interleave store each its own."""
    beside, stored = _beside(execution, run), gained(execution, run)
    more = Counter(stored) - occurred([run])
    shared = [other for other in beside if _share_a_history(execution, run, other)]
    yield finding(
        not more and not shared,
        run.stored[0][0],
        "one history" if shared else "repeated" if set(more) <= set(run.happened()) else "foreign",
        expected=f"stored for thread {run.thread!r}: {show(run.happened())}, apart from all others",
        got=f"stored: {show(stored)}" + (f", where thread {shared[0].thread!r} stores too" if shared else ""),
        also=[other.at for other in beside],
    )


@rule(
    "PER-40",
    level="SHOULD",
    needs=["history.provider", EITHER_MODE, "runs.background"],
    each=thread_run,
    when=[*KEPT, in_background, succeeded],
    leaves_alone=[*DISPUTED, under_a_conversation, callers_history, terminated, cut_short],
    aspects=["no append", "several appends", "before the end", "other content", "no warning", "unasked warning"],
)
def background_runs_persist_at_the_end(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Runs in the background persist at the end of the run, and warn where `per_service_call` is on."""
    warned = any(_ABOUT_THE_END.search(event.text) for _, event in run.of(Warned))
    wanted = run.agent.per_service_call
    # a run that waited for answers has an end more than once
    aspect = "" if run.answered_requests else _how_it_persists(execution, run)
    if not aspect and warned != wanted:
        aspect = "no warning" if wanted else "unasked warning"
    yield finding(
        not aspect,
        run.stored[0][0] if run.stored else run.at,
        aspect,
        expected=f"one append at the end: {show(run.happened())}, and {'a' if wanted else 'no'} warning",
        got=f"{len(run.stored)} appends: {show(gained(execution, run))}, and {'a' if warned else 'no'} warning",
    )


@rule(
    "PER-41",
    level="SHOULD",
    needs=["history.provider", EITHER_MODE, "history.conflict_switches", "service.surprising"],
    each=run_elsewhere_after_a_conflict,
    when=[*elsewhere(~throws, clears), *of_other(created_local, called_the_service)],
    leaves_alone=of_other(after(brought_an_id)),
    aspects=["not loaded", "not appended"],
)
def other_threads_keep_their_history(execution: ExecutionView, pair: RunElsewhere) -> Iterator[Finding]:
    """Detaching the provider on one thread's conflict does not silently cost other threads of the same agent their history."""
    other = pair.other
    loaded = any(where < other.calls[0].at for where, _ in other.own(HistoryLoaded))
    forgotten = not loaded and any(each.stored for each in execution.earlier(other))
    lost = other.succeeded and not other.brought_id and not other.stored
    yield finding(
        not forgotten and not lost,
        other.calls[0].at,
        "not loaded" if forgotten else "not appended",
        expected=f"history loaded and appended on thread {other.thread!r} as before",
        got="no load" if forgotten else "no append",
        also=[pair.conflict.at],
    )


@rule(
    "PER-42",
    level="SHOULD",
    needs=["tools.approval"],
    each=thread_run,
    when=[while_another_waits],
    leaves_alone=[nobody_keeps_it],
    aspects=["call without a result", "result without a call"],
)
def an_unrelated_input_sends_no_orphan_call(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """An unrelated input while an approval is pending sends no orphan call: it is refused, or the call is answered first."""
    pending = waiting_before(execution, run)
    orphans = list(orphans_of(execution, run, {call.id for each in pending for call in calls_waited_for(each)}))
    at, aspect, id = orphans[0] if orphans else (run.sign, "", "")
    yield finding(
        not orphans,
        at,
        aspect,
        expected="a refusal, or requests in which every call has its result",
        got=f"{aspect}: {id}; {outcome(run)}",
        also=[pending[-1].at],
    )


@rule(
    "PER-43",
    level="SHOULD",
    needs=["history.provider", "history.per_run", "history.per_service_call"],
    each=thread_run,
    when=[*KEPT, after_a_switch, all_came_to_their_own_end],
    leaves_alone=[under_a_conversation, partly_the_callers, bounded_history, forked, after_another_agent],
    aspects=[
        "sends too little",
        "sends too much",
        "sends another order",
        "stores too little",
        "stores too much",
        "stores another order",
    ],
)
def switching_leaves_one_history(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Switching `per_service_call` between two runs of one thread leaves one history, without duplicates or gaps.

    Judged where every run of the thread came to its own end; in the request that follows the switch, and in what is stored.
    """
    before = execution.earlier(run)
    said = [part for each in before for part in each.happened()]
    first = run.calls[0].request.messages if run.calls else ()
    sent, stored = execution.spoken(first, run.agent), stored_by_end(execution, run)
    yield finding(
        sent == said + run.inputs,
        run.sign,
        _much_or_little("sends", sent, said + run.inputs),
        expected=f"a request with the whole history: {show(said + run.inputs)}",
        got=show(sent),
        also=[before[-1].at],
    )
    yield finding(
        stored == said + run.happened(),
        run.stored[-1][0] if run.stored else run.events[-1][0],
        _much_or_little("stores", stored, said + run.happened()),
        expected=f"stored: {show(said + run.happened())}",
        got=show(stored),
        also=[before[-1].at],
    )


@rule(
    "PER-44",
    needs=["history.provider", ANY_TIMING, "tools.limit"],
    each=thread_run,
    when=[*KEPT, cut_short, succeeded],
    leaves_alone=[contradicting, under_a_conversation, callers_history, terminated],
    aspects=["limit passed", "dangling call", "missing", "repeated", "foreign", "order"],
)
def a_limit_leaves_nothing_dangling(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A loop cut short by its iteration limit stores what the caller was given, and no dangling call that the caller never saw.

    With per-service-call persistence a trailing result need not be stored. That streaming stores the same is PER-38's.
    """
    asking = [at for at, reply in run.own(ServiceReplied) if reply.message.calls]
    given = run.inputs + execution.heard([message for _, event in run.of(RunReturned) for message in event.messages])
    stored = gained(execution, run)
    aspect = "" if stored in _allowed_at_the_limit(run, given) else how_they_differ(stored, given)
    aspect = "dangling call" if _unseen(run, stored, given) else aspect
    if len(asking) != run.agent.limit and not run.answered_requests:
        aspect = "limit passed"
    yield finding(
        not aspect,
        run.stored[-1][0] if run.stored else run.events[-1][0],
        aspect,
        expected=f"at most {run.agent.limit} replies with calls, and stored what the caller was given: {show(given)}",
        got=f"{len(asking)} such replies, and stored: {show(stored)}",
        also=[asking[-1]],
    )


@rule(
    "PER-45",
    needs=["threads.context_state", "history.per_run", "history.per_service_call"],
    each=request,
    when=[after_an_injection],
    leaves_alone=of_run(contradicting, bounded_history),
    aspects=["missing at first", "missing later"],
)
def injected_messages_reach_every_call(execution: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """What context providers injected reaches every service call of a run, whichever way its history is persisted.

    Where the service has the conversation it is enough that it was sent once. How often it is sent is THR-32's.
    """
    asked, adds = request.call.request, _injected_before(execution, request)
    seen = set(execution.heard([*asked.held, *asked.messages]))
    missing = [part for part in dict.fromkeys(adds) if part not in seen]
    yield finding(
        not missing,
        request.call.at,
        "missing later" if request.place else "missing at first",
        expected=f"service call {request.place + 1} of the run with what was injected: {show(adds)}",
        got=f"without {show(missing)}",
        also=[request.run.calls[0].at],
    )


# --- what they compare ---


def _how_appends_differ(got: Sequence[Sequence[Part]], expected: Sequence[Sequence[Part]]) -> str:
    """The aspect in which appends are not the expected ones; `split`: the same altogether, at other places."""
    all_got, all_expected = list(chain(*got)), list(chain(*expected))
    return "split" if all_got == all_expected else how_they_differ(all_got, all_expected)


def _beside(execution: ExecutionView, run: RunView) -> list[RunView]:
    """The other runs of the agent that began in the same step: in flight at the same time."""
    step = execution.trace.events[run.at].step
    others = [other for other in execution.runs if other.number != run.number and execution.trace.events[other.at].step == step]
    return [other for other in others if other.thread is not None and other.agent_name == run.agent_name]


def _share_a_history(execution: ExecutionView, run: RunView, other: RunView) -> bool:
    """Whether two runs used the history store under one name, though their threads do not come from the same one."""
    return bool(set(keys_of(run)) & set(keys_of(other))) and not execution.related(other.thread or "", run.thread or "")


def _how_it_persists(execution: ExecutionView, run: RunView) -> str:
    """The aspect in which a run does not persist once, at its end; empty where it does."""
    if len(run.stored) != 1:
        return "several appends" if run.stored else "no append"
    if run.stored[0][0] < max((view.replied_at or 0 for view in run.calls), default=0):
        return "before the end"
    return "" if gained(execution, run) == run.happened() else "other content"


def _much_or_little(verb: str, got: Sequence[Part], expected: Sequence[Part]) -> str:
    how = how_they_differ(got, expected)
    return f"{verb} {'too little' if how == 'missing' else 'another order' if how == 'order' else 'too much'}"


def _allowed_at_the_limit(run: RunView, given: list[Part]) -> list[list[Part]]:
    """What may be stored of a loop that its limit cut short, where this is what the caller was given."""
    trailing = [given[:-cut] for cut in range(1, len(given)) if all(part[0] == "result" for part in given[-cut:])]
    return [given, *(trailing if timing_of(run) == "per call" else [])]


def _unseen(run: RunView, stored: Sequence[Part], given: Sequence[Part]) -> list[str]:
    """The calls that are stored without a result, and the caller was not given."""
    supplied = [("call", result.id, "", "") for result in run.supplied]
    known = {part[1] for part in given if part[0] == "call"}
    return [id for id in open_calls([*supplied, *stored]) if id not in known]


def _injected_before(execution: ExecutionView, request: RequestView) -> list[Part]:
    """What context providers added to the run before a request."""
    asked = [event for at, event in request.run.own(ContextInvoking) if at < request.call.at]
    return [part for event in asked for part in execution.heard(event.adds)]
