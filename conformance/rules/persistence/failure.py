"""Persistence, failure: what is kept when the service, a tool, the history provider or the consumer fails (PER-19 to PER-25)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import kind_before, stored_after, timing_of
from conformance.rules.parts import begins, how_they_differ, within
from conformance.rules.persistence.cells import cancelled_in_a_call
from conformance.rules.persistence.failed_runs import (
    HistoryFailure,
    ProviderOfAFailedRun,
    a_tool_raised,
    failed_or_cancelled,
    failures,
    history_failure,
    how_it_goes_on,
    how_it_is_told,
    kind_raised,
    provider_of_a_failed_run,
    returned_or_failed_there,
    whole_beside_a_tools_error,
)
from conformance.rules.persistence.history import (
    KEPT,
    NOT_KEPT,
    gained,
    in_background,
    occurred,
    service_failed,
    with_results,
)
from conformance.rules.persistence.sent_history import without_repairs
from conformance.rules.preconditions import (
    abandoned,
    after,
    after_a_contradiction,
    callers_history,
    contradicting,
    cut_short,
    failed_after_a_request,
    history_failed,
    next_after,
    persisted_per_call,
    persisted_per_run,
    succeeded,
    terminated,
    thread_run,
    with_provider,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import outcome, show
from conformance.trace.adapter_events import ThreadDescribed
from conformance.trace.harness_events import ServiceFailed, ToolRaised
from conformance.trace.messages import Part
from conformance.vocabulary import ANY_TIMING, EITHER_MODE

# --- what the rules of this section look at, and leave alone ---


@condition
def next_at_the_same_time(execution: ExecutionView, run: RunView) -> bool:
    """The run before this one, on its thread, was persisted as this one is: per run or per service call."""
    return any(timing_of(run) == timing_of(other) for other in execution.earlier(run)[-1:])


# --- the rules ---


@clause(each=thread_run, when=[*KEPT, persisted_per_call, cancelled_in_a_call], leaves_alone=NOT_KEPT)
def a_cancelled_call_keeps_the_earlier_ones(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A run that is cancelled in a service call has stored what came before that call, with the input of that call or without."""
    stored, expected = gained(execution, run), stored_after(run)
    yield finding(
        stored in (expected, expected + _input_of_the_last(run, expected)),
        run.events[-1][0],
        how_they_differ(stored, expected),
        expected=f"stored: {show(expected)}",
        got=f"stored: {show(stored)}, and {outcome(run)}",
        also=[at for at, _ in run.stored],
    )


@rule(
    "PER-19",
    needs=["history.provider", "history.per_service_call"],
    each=thread_run,
    when=[*KEPT, persisted_per_call, service_failed],
    leaves_alone=NOT_KEPT,
    also=[a_cancelled_call_keeps_the_earlier_ones],
    aspects=["failed input", "missing", "repeated", "foreign", "order", "not raised", "wrong kind of error"],
)
def a_failing_call_keeps_the_earlier_ones(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """With `per_service_call`, failing service call *k* leaves the messages of calls 1 to k-1 stored and raises its error.

    Whether the input of a call that its caller cancelled is stored is left open.
    """
    stored, expected = gained(execution, run), stored_after(run)
    yield finding(
        stored == expected and kind_raised(run) == "service",
        run.own(ServiceFailed)[-1][0],
        _how_it_failed(run, stored, expected),
        expected=f"stored: {show(expected)}, and an error of kind service",
        got=f"stored: {show(stored)}, and {outcome(run)}",
        also=[at for at, _ in run.stored],
    )


@rule(
    "PER-20",
    needs=["history.per_run"],
    each=thread_run,
    when=[persisted_per_run, failed_or_cancelled],
    leaves_alone=[in_background],
    aspects=["appended before", "appended afterwards", "thread changed"],
)
def a_failing_run_stores_nothing(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """With per-run persistence, a run in which any service call fails stores nothing, and the thread's messages are as before.

    A run that its caller cancels fails too. Of one that was resumed, only the part that failed.
    """
    failed = failures(run)[-1]
    late = [at for at, event in run.stored if event.step == run.events[-1][1].step]
    grown = _grown(execution, run)
    how = "appended before" if any(at < failed for at in late) else "appended afterwards"
    yield finding(
        not late and not grown,
        [*late, *grown, failed][0],
        how if late else "thread changed",
        expected="nothing of what failed is stored",
        got=f"{len(late)} appends" if late else "the thread's messages changed",
        also=[failed],
    )


@rule(
    "PER-21",
    needs=["threads.context_state"],
    each=provider_of_a_failed_run,
    leaves_alone=[contradicting.of(lambda provider: provider.run)],
    aspects=["not told", "told again", "another error", "other messages", "appended afterwards"],
)
def providers_are_told_of_a_failure_once(execution: ExecutionView, provider: ProviderOfAFailedRun) -> Iterator[Finding]:
    """Providers are told of a failure once, with the request messages and the error, and store nothing from that.

    Each part of a run that waited for answers is judged alone. What is stored in steps of the implementation's own is PER-57's.
    """
    told = provider.told
    after = [] if timing_of(provider.run) == "incremental" else provider.part.stored_afterwards
    said = [execution.heard(event.messages) for _, event in told]
    aspect = how_it_is_told(provider, said) or ("appended afterwards" if after else "")
    yield finding(
        not aspect,
        [*(at for at, _ in told[1:]), *after, provider.part.failed_at][0],
        aspect,
        expected=f"provider {provider.provider!r} told once, with the request messages and the error, and no append after that",
        got=f"{aspect}; told {len(told)} times{': ' if said else ''}{'; '.join(map(show, said))}, {len(after)} appends",
        also=[at for at, _ in told],
    )


@rule(
    "PER-22",
    needs=["history.provider", ANY_TIMING],
    each=thread_run,
    when=[with_provider, next_after(failed_after_a_request), succeeded, next_at_the_same_time],
    leaves_alone=[*NOT_KEPT, callers_history, terminated, cut_short],
    aspects=["failed run", "missing", "repeated", "foreign", "order"],
)
def a_run_after_a_failed_one_stores_its_own(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A run after a failed one stores its own messages once, and never the failed call's twice.

    It may store a result for a call that was left open.
    """
    own, lost = without_repairs(execution, run), execution.earlier(run)[-1]
    twice = (Counter(own) + Counter(gained(execution, lost))) - occurred([lost, run])
    yield finding(
        own == run.happened() and not twice,
        run.stored[-1][0] if run.stored else run.events[-1][0],
        _how_it_follows(run, own, lost),
        expected=f"stored: {show(run.happened())}, and nothing of the failed run again",
        got=f"stored: {show(own)}",
        also=[lost.events[-1][0]],
    )


@rule(
    "PER-23",
    needs=["history.provider", ANY_TIMING, "tools"],
    each=thread_run,
    when=[*KEPT, a_tool_raised, returned_or_failed_there],
    leaves_alone=[*NOT_KEPT, callers_history, terminated, cut_short, service_failed, history_failed],
    aspects=["missing result", "missing", "repeated", "foreign", "order", "stored on failure"],
)
def a_tool_that_raises_leaves_history_whole(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A tool that raises is a function result with an error, or fails the run; either way what is stored is whole.

    Where the run succeeds: all of it, and one result for the call. Where it fails: nothing of the part that failed with per-run
    persistence, with per-service-call persistence the replies until then, in steps of the implementation's own what it came to.
    """
    whole = whole_beside_a_tools_error(run)
    stored, raised, expected = gained(execution, run), run.own(ToolRaised)[0][0], whole[0]
    reached = not run.succeeded and timing_of(run) == "incremental" and begins(stored, expected)
    yield finding(
        reached or stored in whole,
        run.stored[-1][0] if run.stored else raised,
        _how_it_is_whole(run, stored, expected),
        expected=f"stored: {show(expected)}",
        got=f"stored: {show(stored)}",
        also=[raised],
    )


@rule(
    "PER-24",
    needs=["history.provider", ANY_TIMING],
    each=history_failure,
    aspects=["not raised", "wrong kind of error", "service called", "appended afterwards"],
)
def a_failing_provider_fails_the_run(_: ExecutionView, failure: HistoryFailure) -> Iterator[Finding]:
    """A history provider that fails on load, or on append, fails the run: with its error, and with no message reported as stored.

    On load before the service call that it was to be loaded for. Nothing is appended after it failed. Where the consumer has left
    the stream there is nobody to raise to.
    """
    aspect, following = how_it_goes_on(failure)
    yield finding(
        not aspect,
        [*following, failure.at][0],
        aspect,
        expected=f"an error of kind provider after the failing {failure.operation}, and nothing else",
        got=f"{outcome(failure.run)}, and {len(following)} service calls, appends and responses after that",
        also=[failure.at],
    )


@clause(each=thread_run, when=[*KEPT, abandoned, persisted_per_run], leaves_alone=[contradicting])
def an_abandoned_run_is_stored_whole_or_not(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """With per-run persistence a run whose consumer left stores nothing, or all where only its end was not seen."""
    happened, stored = run.happened(), gained(execution, run)
    right = not stored or stored == happened
    yield _kept_of_abandoned(run, right, "partly stored", f"nothing, or {show(happened)}", stored)


@clause(each=thread_run, when=[*KEPT, after(abandoned)], leaves_alone=[after_a_contradiction])
def nothing_abandoned_is_stored_again(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """The runs after an abandoned one store nothing of that again."""
    earlier = execution.earlier(run)
    left = [each for each in earlier if each.ending == "abandoned"]
    kept, before, own = (_gained_in(execution, runs) for runs in (left, earlier, [run]))
    happened = with_results(occurred([*earlier, run]))
    # a reply that was not over when its consumer left happened to nobody, and may be stored as far as it came
    twice = [part for part in own if part in kept and before[part] + own[part] > max(happened[part], 1)]
    expected, got = "nothing of an abandoned run stored again", f"stored twice: {show(twice)}"
    yield finding(not twice, run.sign, "stored again", expected=expected, got=got, also=[each.at for each in left])


@rule(
    "PER-25",
    level="SHOULD",
    needs=["history.provider", EITHER_MODE, "runs.streaming"],
    each=thread_run,
    when=[*KEPT, abandoned, persisted_per_call],
    leaves_alone=[*NOT_KEPT, history_failed],
    also=[an_abandoned_run_is_stored_whole_or_not, nothing_abandoned_is_stored_again],
    aspects=["input in flight", "never said", "partly stored", "stored again"],
)
def an_abandoned_stream_loses_nothing(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A consumer that abandons a stream early costs nothing that earlier calls stored, and nothing is stored twice afterwards.

    With per-service-call persistence the input of the call in flight, with the results of earlier calls, is not lost. With per-run
    persistence a run that did not come to its end stores nothing, or all of it where only its consumer did not see that end.
    """
    stored, in_flight = gained(execution, run), run.happened(before=run.calls[-1].request.call) if run.calls else []
    kept = within(in_flight, stored)
    right = kept and within(stored, _with_what_was_begun(run, stored))
    yield _kept_of_abandoned(run, right, "never said" if kept else "input in flight", show(in_flight), stored)


# --- what they compare ---


def _gained_in(execution: ExecutionView, runs: Sequence[RunView]) -> Counter[Part]:
    """What was appended in runs."""
    return Counter(part for run in runs for part in gained(execution, run))


def _input_of_the_last(run: RunView, stored: Sequence[Part]) -> list[Part]:
    """The input of the run's last call, which got no reply, where this much is stored of the calls before."""
    return run.happened()[len(stored) :] if stored else run.inputs


def _how_it_failed(run: RunView, stored: list[Part], expected: list[Part]) -> str:
    """The aspect in which a run whose service call failed left something wrong: in what is stored, then in what it raised."""
    if stored == expected:
        return "not raised" if run.raised is None else "wrong kind of error"
    if stored == expected + _input_of_the_last(run, expected):
        return "failed input"
    return how_they_differ(stored, expected)


def _how_it_follows(run: RunView, own: Sequence[Part], lost: RunView) -> str:
    """The aspect in which what a run stored is not its own; `failed run`: it is the messages of the one before."""
    happened = run.happened()
    if own == happened:
        return "repeated"
    more = Counter(own) - Counter(happened)
    return "failed run" if more and set(more) <= set(lost.happened()) else how_they_differ(own, happened)


def _how_it_is_whole(run: RunView, stored: Sequence[Part], expected: Sequence[Part]) -> str:
    lacking = Counter(expected) - Counter(stored)
    if lacking and all(part[0] == "result" for part in lacking):
        return "missing result"
    return how_they_differ(stored, expected) if run.succeeded or lacking else "stored on failure"


def _grown(execution: ExecutionView, run: RunView) -> list[int]:
    """Where the thread shows other messages after the run than before it, if it is local and the run came in one part."""
    if kind_before(execution, run) != "local" or run.agent.service.surprising or run.answered_requests:
        return []
    step = execution.trace.events[run.at].step
    states = [(at, state) for at, state in execution.of(ThreadDescribed) if state.thread == run.thread]
    shown = [(at, state.step, execution.heard(state.messages)) for at, state in states if state.messages is not None]
    return _changed(shown, step)


def _changed(shown: Sequence[tuple[int, int, list[Part]]], step: int) -> list[int]:
    """Where what is shown in a step, of where, when and what, is not what was shown last before it."""
    before = [said for _, when, said in shown if when < step][-1:]
    return [at for at, when, said in shown if before and when == step and said != before[0]]


def _with_what_was_begun(run: RunView, stored: Sequence[Part]) -> list[Part]:
    """What happened in the run, with its last reply as far as it is stored: what was streamed of it."""
    happened, reply = run.happened(), run.calls[-1].reply if run.calls else None
    whole: Part = ("assistant", reply.message.text if reply else "")
    begun = stored[-1] if stored and stored[-1][0] == "assistant" and whole[1].startswith(stored[-1][1]) else whole
    at = max((place for place, part in enumerate(happened) if part == whole), default=None) if reply else None
    return happened if at is None else [*happened[:at], begun, *happened[at + 1 :]]


def _kept_of_abandoned(run: RunView, right: bool, aspect: str, expected: str, stored: Sequence[Part]) -> Finding:
    at = run.stored[-1][0] if run.stored else run.events[-1][0]
    also = [view.at for view in run.calls[-1:]]
    return finding(right, at, aspect, expected=f"stored: {expected}", got=f"stored: {show(stored)}", also=also)
