"""The persistence rules about what is stored: each message once, none lost, in the order of the conversation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import timing_of
from conformance.rules.parts import open_calls, within
from conformance.rules.persistence.history import copied_runs, gained, kept_runs, loads, occurred, plain, threads_of
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import show
from conformance.trace.harness_events import ContextInvoked
from conformance.trace.messages import Part


@rule("PER-09", needs=["history.provider"])
def no_message_is_appended_twice(execution: ExecutionView) -> Iterator[Finding]:
    """No message is appended twice, within a run or across runs.

    Sameness is the logical message, not its text: a text that was said twice may be stored twice. Exercised where something was
    appended after an earlier append of the same thread, and where it is loaded. Leaves alone: order (PER-11), losses (PER-10).
    """
    for thread in threads_of(execution):
        own = [run for run in execution.runs if run.thread == thread]
        inherited = [run for run in execution.earlier(own[0]) if run.thread != thread]
        happened = occurred([*inherited, *own])
        stored: Counter[Part] = Counter(part for run in inherited for part in execution.heard(run.stored_messages))
        first_at: dict[Part, int] = {}
        for place, (at, event) in enumerate(execution.appends(thread)):
            new = execution.heard(event.messages)
            stored.update(new)
            twice = [part for part in new if part in happened and stored[part] > happened[part]]
            if place or inherited:
                yield finding(
                    not twice,
                    at,
                    expected=f"what happened on thread {thread!r}, each message once",
                    got=f"appended again: {show(twice)}",
                    also=sorted({first_at[part] for part in twice if part in first_at}),
                )
            for part in new:
                first_at.setdefault(part, at)
    for at, loaded, appended in loads(execution):
        more = list((Counter(loaded) - Counter(appended)).elements())
        yield finding(not more, at, expected=f"loaded as appended: {show(appended)}", got=f"more than that: {show(more)}")


@rule("PER-10", needs=["history.provider"])
def nothing_is_lost(execution: ExecutionView) -> Iterator[Finding]:
    """After a successful run the appended messages are the run's input and response messages, all of them.

    A load gives all of them back; a copy holds them too, where one is written. Leaves alone: trailing results of a terminated run
    (PER-14, PER-15), the caller's own stack (PER-04), a run that reached its limit (PER-44).
    """
    for run in [*kept_runs(execution), *copied_runs(execution)]:
        if timing_of(run) == "not" or not run.succeeded or not run.calls or run.cut_short:
            continue
        happened = run.happened(trailing=False)
        lost = Counter(happened) - Counter(execution.heard(run.stored_messages))
        yield finding(
            not lost,
            run.events[-1][0],
            expected=f"appended: {show(happened)}",
            got=f"lost: {show(list(lost.elements()))}",
            also=[at for at, _ in run.stored],
        )
    for at, loaded, stored in loads(execution):
        missing = list((Counter(stored) - Counter(loaded)).elements())
        yield finding(not missing, at, expected=f"loaded as appended: {show(stored)}", got=f"without {show(missing)}")


@rule("PER-11", needs=["history.provider"])
def the_order_is_that_of_the_conversation(execution: ExecutionView) -> Iterator[Finding]:
    """The order of stored messages is the order of the conversation; results follow their calls.

    Compared is what a run added, and what a load gives back: repeated messages (PER-09) and lost ones (PER-10) are left alone.
    """
    for run in [*kept_runs(execution), *copied_runs(execution)]:
        said = [part for part in run.happened() if part[0] != "result" or part not in run.inputs]
        stored = [part for part in _once(gained(execution, run), Counter(run.happened())) if part in said]
        if len(stored) < 2:
            continue
        yield finding(
            within(stored, said),
            run.stored[0][0],
            expected=f"in the order of the conversation: {show(said)}",
            got=f"stored: {show(stored)}",
            also=[at for at, _ in run.stored[1:]],
        )
    for at, loaded, appended in loads(execution):
        if len(appended) > 1 and Counter(loaded) == Counter(appended):
            yield finding(loaded == appended, at, expected=f"loaded as appended: {show(appended)}", got=show(loaded))


@rule("PER-12", needs=["history.provider"])
def a_response_is_never_delivered_as_request(execution: ExecutionView) -> Iterator[Finding]:
    """What one notification delivered as response is never delivered again as request in a later one of the same run.

    A notification is an append or what a context provider is told of; exercised where one of them gets several in a run.
    """
    for run, _, _ in execution.agent_runs():
        told = {event.provider for _, event in run.own(ContextInvoked)}
        tellings: list[list[tuple[int, list[Part]]]] = [[(at, execution.heard(event.messages)) for at, event in run.stored]]
        for provider in sorted(told):
            of_it = [(at, event) for at, event in run.own(ContextInvoked) if event.provider == provider]
            tellings.append([(at, execution.heard(event.messages)) for at, event in of_it])
        for notifications in tellings:
            yield from _told_again(run, notifications)


@rule("PER-13", needs=["history.provider"])
def stored_history_is_well_formed(execution: ExecutionView) -> Iterator[Finding]:
    """After any successful, unterminated run the stored history is well formed: every call has one result, every result its call.

    Judged on the whole history where all runs before were such runs too, else on what this run added to it: a failure can leave a
    call open that somebody has to recover by hand, says the record.
    """
    for run in [*kept_runs(execution), *copied_runs(execution)]:
        if timing_of(run) == "not" or not plain(run) or not run.stored:
            continue
        runs = [*execution.earlier(run), run] if all(_settled(each) for each in execution.earlier(run)) else [run]
        before = [part for each in runs[:-1] for part in execution.heard(each.stored_messages)]
        supplied = [("call", result.id, "", "") for result in run.supplied] if len(runs) == 1 else []
        wrong = open_calls([*supplied, *before, *execution.heard(run.stored_messages)])
        yield finding(
            not wrong,
            run.stored[-1][0],
            expected="exactly one result for every call, each after its call",
            got=f"not so for {', '.join(wrong)}: {show(before + execution.heard(run.stored_messages))}",
        )


def _once(said: Sequence[Part], happened: Counter[Part]) -> list[Part]:
    """Each part as often as it occurred at most; none of those that occurred several times and are there more often still."""
    seen = Counter(said)
    left = Counter({part: count for part, count in happened.items() if count == 1 or seen[part] <= count})
    found: list[Part] = []
    for part in said:
        if left[part] > 0:
            left[part] -= 1
            found.append(part)
    return found


def _told_again(run: RunView, notifications: Sequence[tuple[int, list[Part]]]) -> Iterator[Finding]:
    happened = occurred([run])
    seen: Counter[Part] = Counter()
    for place, (at, said) in enumerate(notifications):
        responses = [part for part in said if part[0] in ("assistant", "call")]
        again = [part for part in responses if seen[part] >= happened[part] > 0]
        if place:
            yield finding(
                not again,
                at,
                expected="only what no earlier notification of the run delivered",
                got=f"delivered again: {show(again)}",
                also=[where for where, _ in notifications[:place]],
            )
        seen.update(responses)


def _settled(run: RunView) -> bool:
    """Whether a run left nothing open."""
    return plain(run) and timing_of(run) != "not"
