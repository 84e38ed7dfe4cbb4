"""Persistence, de-duplication: each message is stored once, none is lost, in the order of the conversation (PER-09 to PER-13)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import persistence_of
from conformance.rules.parts import at_most, but_for_empty, open_calls, within
from conformance.rules.persistence.history import (
    appended_something,
    copies_are_written,
    detached,
    gained,
    kept_locally,
    loads,
    occurred,
    plain,
    threads_of,
    under_a_conversation,
    with_results,
)
from conformance.rules.preconditions import (
    DISPUTED,
    callers_history,
    cut_short,
    on_hosted_thread,
    succeeded,
    terminated,
    thread_run,
    with_provider,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import show
from conformance.trace.harness_events import ContextInvoked
from conformance.trace.messages import Part
from conformance.vocabulary import ANY_TIMING

# --- what the rules of this section look at, and leave alone ---


@dataclass(frozen=True)
class Append:
    """An append of a run. first: of its thread, which has no runs before those of its own.

    earlier: what was appended by then, on the thread and on the one that it was restored from. first_at: where each part was
    appended first. occurred: how often each part had occurred on the thread by then.
    """

    run: RunView
    at: int
    parts: list[Part]
    first: bool
    earlier: Counter[Part]
    first_at: dict[Part, int]
    occurred: Counter[Part]


@selection
def append(execution: ExecutionView) -> Iterator[Append]:
    """An append of a run on a thread."""
    for thread in threads_of(execution):
        yield from _appends_on(execution, thread)


def _appends_on(execution: ExecutionView, thread: str) -> Iterator[Append]:
    own = [run for run in execution.runs if run.thread == thread]
    inherited = execution.inherited(thread)
    total = Counter(part for run in inherited for part in execution.heard(run.stored_messages))
    first_at: dict[Part, int] = {}
    appends = [(at, run, execution.heard(event.messages)) for run in own for at, event in run.stored]
    for at, run, parts in sorted(appends, key=lambda each: each[0]):
        first = not (first_at or inherited)
        happened = occurred([*inherited, *_until(own, at)])
        yield Append(run, at, parts, first, Counter(total), dict(first_at), with_results(happened))
        total.update(parts)
        first_at = {part: at for part in parts} | first_at


def _until(runs: Sequence[RunView], at: int) -> list[RunView]:
    """Runs as they were at a moment, those that had begun."""
    return [run.until(at) for run in runs if run.at < at]


@condition
def after_another_append(_: ExecutionView, append: Append) -> bool:
    """The append is not the first of its thread, or the thread was restored from one that had run."""
    return not append.first


@dataclass(frozen=True)
class Load:
    """A load of a history: what it gave, and what had been appended to that history before."""

    at: int
    loaded: list[Part]
    appended: list[Part]


@selection
def load(execution: ExecutionView) -> Iterator[Load]:
    """A load of a history in which something is stored."""
    yield from (Load(at, loaded, appended) for at, loaded, appended in loads(execution))


@condition
def of_several_parts(_: ExecutionView, load: Load) -> bool:
    """Two parts of the conversation or more had been appended, so that they have an order."""
    return len(load.appended) > 1


@dataclass(frozen=True)
class Notification:
    """An append, or what a context provider is told of: one of several that the same one got in a run.

    before: the earlier ones of that run, each with its position.
    """

    run: RunView
    at: int
    parts: list[Part]
    before: list[tuple[int, list[Part]]]
    to_history: bool


@selection
def notification(execution: ExecutionView) -> Iterator[Notification]:
    """A notification of a history or a context provider: an append, or what it is told of."""
    for run, _, _ in execution.agent_runs():
        told: dict[str, list[tuple[int, list[Part]]]] = {}
        for at, event in run.own(ContextInvoked):
            told.setdefault(event.provider, []).append((at, execution.heard(event.messages)))
        appended = [(at, execution.heard(event.messages)) for at, event in run.stored]
        for series in (appended, *told.values()):
            for place, (at, parts) in enumerate(series):
                yield Notification(run, at, parts, series[:place], series is appended)


@condition
def after_another_notification(_: ExecutionView, notification: Notification) -> bool:
    """The same provider was notified before in the run."""
    return bool(notification.before)


@condition
def stored_several_parts(execution: ExecutionView, run: RunView) -> bool:
    """The run appended two parts of the conversation or more, so that they have an order."""
    return len(_comparable(execution, run)) > 1


COPY = (on_hosted_thread, copies_are_written)
"""What must be so of a run of whose turn a history provider has to have a copy."""


# --- the rules ---


@clause(each=load)
def a_load_gives_nothing_twice(_: ExecutionView, load: Load) -> Iterator[Finding]:
    """A load gives back no more than what was appended."""
    more = list((Counter(load.loaded) - Counter(load.appended)).elements())
    expected = f"loaded as appended: {show(load.appended)}"
    yield finding(not more, load.at, "loaded again", expected=expected, got=f"more than that: {show(more)}")


@rule(
    "PER-09",
    needs=["history.provider", ANY_TIMING],
    each=append,
    when=[after_another_append],
    also=[a_load_gives_nothing_twice],
    aspects=["within a run", "across runs", "loaded again"],
)
def no_message_is_appended_twice(execution: ExecutionView, append: Append) -> Iterator[Finding]:
    """No message is appended twice, within a run or across runs.

    Sameness is the logical message, not its text: a text that was said twice by then may be stored twice. Every call may have one
    result, also one that was made up because nobody decided on the call.
    """
    total = append.earlier + Counter(append.parts)
    twice = [part for part in append.parts if total[part] > append.occurred[part] > 0]
    yield finding(
        not twice,
        append.at,
        _where_repeated(execution, append, twice),
        expected=f"what happened on thread {append.run.thread!r}, each message once",
        got=f"appended again: {show(twice)}",
        also=sorted({append.first_at[part] for part in twice if part in append.first_at}),
    )


@clause(each=load)
def a_load_gives_everything_back(_: ExecutionView, load: Load) -> Iterator[Finding]:
    """A load gives back everything that was appended."""
    missing = list((Counter(load.appended) - Counter(load.loaded)).elements())
    expected = f"loaded as appended: {show(load.appended)}"
    yield finding(not missing, load.at, "not loaded", expected=expected, got=f"without {show(missing)}")


@clause(each=thread_run, when=[with_provider, *COPY, succeeded], leaves_alone=[*DISPUTED, detached, callers_history, cut_short])
def nothing_is_lost_in_a_copy(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A copy of what the service keeps holds all of it."""
    yield _appended_whole(execution, run)


@rule(
    "PER-10",
    needs=["history.provider", ANY_TIMING],
    each=thread_run,
    when=[with_provider, succeeded],
    leaves_alone=[*DISPUTED, under_a_conversation, callers_history, cut_short],
    also=[nothing_is_lost_in_a_copy, a_load_gives_everything_back],
    aspects=["no append", "missing input", "missing reply", "missing result", "not loaded"],
)
def nothing_is_lost(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """After a successful run the appended messages are the run's input and response messages, all of them.

    Trailing results of a terminated run need not be among them (PER-14, PER-15), nor replies that hold nothing. A load gives all of
    them back.
    """
    yield _appended_whole(execution, run)


@clause(each=load, when=[of_several_parts])
def a_load_gives_back_the_order(_: ExecutionView, load: Load) -> Iterator[Finding]:
    """A load gives back what was appended in the same order; what it lacks or gives twice is another matter (PER-09, PER-10)."""
    yield finding(
        within([part for part in load.appended if part in load.loaded], load.loaded),
        load.at,
        "loaded in another order",
        expected=f"loaded as appended: {show(load.appended)}",
        got=show(load.loaded),
    )


@clause(each=thread_run, when=[*COPY, stored_several_parts], leaves_alone=[*DISPUTED, detached])
def a_copy_has_the_order_of_the_conversation(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A copy of what the service keeps has the order of the conversation."""
    yield _stored_in_order(execution, run)


@rule(
    "PER-11",
    needs=["history.provider", ANY_TIMING],
    each=thread_run,
    when=[kept_locally, stored_several_parts],
    leaves_alone=[*DISPUTED, under_a_conversation],
    also=[a_copy_has_the_order_of_the_conversation, a_load_gives_back_the_order],
    aspects=["order", "result before its call", "loaded in another order"],
)
def the_order_is_that_of_the_conversation(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """The order of stored messages is the order of the conversation; results follow their calls.

    Compared is what a run added, without what is stored more often than it happened (PER-09), and what a load gives back.
    """
    yield _stored_in_order(execution, run)


@rule(
    "PER-12",
    needs=["history.provider", ANY_TIMING],
    each=notification,
    when=[after_another_notification],
    aspects=["appended again", "told again"],
)
def a_response_is_never_delivered_as_request(_: ExecutionView, notification: Notification) -> Iterator[Finding]:
    """What one notification delivered as response is never delivered again as request in a later one of the same run.

    A notification is an append, or what a context provider is told of.
    """
    happened = occurred([notification.run])
    known = Counter(part for _, said in notification.before for part in said)
    again = [part for part in notification.parts if part[0] in ("assistant", "call") and known[part] >= happened[part] > 0]
    yield finding(
        not again,
        notification.at,
        "appended again" if notification.to_history else "told again",
        expected="only what no earlier notification of the run delivered",
        got=f"delivered again: {show(again)}",
        also=[at for at, _ in notification.before],
    )


@clause(each=thread_run, when=[*COPY, succeeded, appended_something], leaves_alone=[*DISPUTED, detached, terminated, cut_short])
def a_copy_is_well_formed(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A copy of what the service keeps is well formed."""
    yield _well_formed(execution, run)


@rule(
    "PER-13",
    needs=["history.provider", ANY_TIMING],
    each=thread_run,
    when=[succeeded, appended_something],
    leaves_alone=[*DISPUTED, under_a_conversation, terminated, cut_short],
    also=[a_copy_is_well_formed],
    aspects=["call without a result", "result without a call"],
)
def stored_history_is_well_formed(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """After any successful, unterminated run the stored history is well formed: every call has one result, every result its call.

    Judged on the whole history where all runs before were such runs too, else on what this run added to it, results for calls that
    were left open included: a failure can leave a call open that somebody has to recover by hand, says the record.
    """
    yield _well_formed(execution, run)


# --- what they compare ---


def _where_repeated(execution: ExecutionView, append: Append, twice: Sequence[Part]) -> str:
    """Whether a run appended its own messages again, or those of earlier runs."""
    own, happened = Counter(execution.heard(append.run.stored_messages)), occurred([append.run])
    return "within a run" if any(own[part] > happened[part] > 0 for part in twice) else "across runs"


def _appended_whole(execution: ExecutionView, run: RunView) -> Finding:
    """Whether a run appended all that happened in it."""
    happened = run.happened(trailing=False)
    lost = but_for_empty(list((Counter(happened) - Counter(execution.heard(run.stored_messages))).elements()))
    return finding(
        not lost,
        run.events[-1][0],
        _what_is_lost(run, lost),
        expected=f"appended: {show(happened)}",
        got=f"lost: {show(lost)}",
        also=[at for at, _ in run.stored],
    )


def _what_is_lost(run: RunView, lost: Sequence[Part]) -> str:
    if not run.stored:
        return "no append"
    if any(part in run.inputs for part in lost):
        return "missing input"
    return "missing result" if all(part[0] == "result" for part in lost) else "missing reply"


def _comparable(execution: ExecutionView, run: RunView) -> list[Part]:
    """What a run stored of its conversation, each part as often as it occurred at most."""
    return at_most(gained(execution, run), Counter(run.happened()))


def _stored_in_order(execution: ExecutionView, run: RunView) -> Finding:
    """Whether what a run appended has the order of its conversation."""
    said, stored = run.happened(), _comparable(execution, run)
    return finding(
        within(stored, said),
        run.stored[0][0],
        "result before its call" if _results_come_first(stored) else "order",
        expected=f"in the order of the conversation: {show(said)}",
        got=f"stored: {show(stored)}",
        also=[at for at, _ in run.stored[1:]],
    )


def _results_come_first(stored: Sequence[Part]) -> bool:
    results = [part[1] for part in stored if part[0] == "result"]
    return any(part[0] == "call" and part[1] in results and part[1] in open_calls(stored) for part in stored)


def _well_formed(execution: ExecutionView, run: RunView) -> Finding:
    """Whether every call in the history has one result, and every result its call."""
    earlier = execution.earlier(run)
    known = earlier if all(map(_leaves_nothing_open, earlier)) else []
    stored = [part for each in [*known, run] for part in execution.heard(each.stored_messages)]
    wrong = open_calls([*([] if known else _answered_late(execution, run)), *stored])
    return finding(
        not wrong,
        run.stored[-1][0],
        _how_malformed(stored, wrong),
        expected="exactly one result for every call, each after its call",
        got=f"not so for {', '.join(wrong)}: {show(stored)}",
    )


def _answered_late(execution: ExecutionView, run: RunView) -> list[Part]:
    """The calls of earlier runs that get a result in this one: those that it supplies one for, or that were left open."""
    before = [part for each in execution.earlier(run) for part in execution.heard(each.stored_messages)]
    own = execution.heard(run.stored_messages)
    supplied = [result.id for result in run.supplied]
    late = Counter(open_calls(own)) - _called(own)
    open_before = Counter(id for id in open_calls(before) if _called(before)[id] and id not in supplied)
    return [("call", id, "", "") for id in [*supplied, *(open_before & late).elements()]]


def _called(said: Sequence[Part]) -> Counter[str]:
    """The ids of calls, each as often as it was called."""
    return Counter(part[1] for part in said if part[0] == "call")


def _how_malformed(stored: Sequence[Part], wrong: Sequence[str]) -> str:
    results = {part[1] for part in stored if part[0] == "result"}
    return "result without a call" if all(id in results for id in wrong) else "call without a result"


def _leaves_nothing_open(run: RunView) -> bool:
    """Whether a run left nothing open in the history."""
    return plain(run) and persistence_of(run.agent) != "not"
