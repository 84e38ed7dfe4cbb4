"""Persistence, histories of an implementation's own: in steps of its own, or on its own threads (PER-57, PER-62)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import stored_by
from conformance.rules.pairs import by_order, on_one_agent_and_of_one_kind, one_streams_and_the_other_does_not
from conformance.rules.parts import at_most, begins, but_for_empty, by_number, how_they_differ, open_calls, within
from conformance.rules.persistence.failed_runs import (
    a_tool_raised,
    failed_or_cancelled,
    returned_or_failed_there,
    whole_beside_a_tools_error,
)
from conformance.rules.persistence.history import (
    KEPT,
    all_came_to_their_own_end,
    appended_something,
    gained,
    kept_locally,
    occurred,
    stored_before,
    under_a_conversation,
    with_results,
)
from conformance.rules.persistence.kept_by_threads import (
    KeptPair,
    KeptRun,
    both_came_to_their_own_end,
    history_before,
    kept_in_steps,
    kept_pair,
    kept_run,
    of_kept,
    of_the_pair,
    per_run_beside_per_call,
    said_to_keep_at_the_end,
)
from conformance.rules.persistence.sent_history import without_repairs
from conformance.rules.preconditions import (
    RequestView,
    after_a_contradiction,
    after_another_history,
    bounded_history,
    callers_history,
    contradicting,
    failed_after_a_request,
    next_after,
    of_run,
    request,
    resumed,
    succeeded,
    thread_run,
    with_provider,
)
from conformance.rules.repairs import repaired
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import show
from conformance.trace.messages import Part

# --- what the rules of this section look at, and leave alone ---


@condition
def history_is_shown(execution: ExecutionView, request: RequestView) -> bool:
    """What the run's history was when it began can be seen: in the provider, or on the thread."""
    return _history(execution, request.run) is not None


KEPT_BY_ITSELF = of_kept(kept_locally)
"""What must be so of a run whose turn its thread keeps."""

ELSEWHERE = of_kept(contradicting, after_a_contradiction, under_a_conversation)
"""Where somebody else may keep the turn, or nobody knows what the thread shows."""


# --- in steps of the implementation's own ---


@clause(each=thread_run, when=[*KEPT, succeeded], leaves_alone=[under_a_conversation])
def a_success_is_stored_whole(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """After a successful run all of the conversation is stored, but for trailing results."""
    said = run.happened(trailing=False)
    lost = but_for_empty(list((Counter(said) - Counter(gained(execution, run))).elements()))
    at = run.stored[-1][0] if run.stored else run.events[-1][0]
    yield finding(
        not lost, at, "incomplete", expected=f"stored by the end of the run: {show(said)}", got=f"not stored: {show(lost)}"
    )


@clause(
    each=request,
    when=[*of_run(kept_locally), history_is_shown],
    leaves_alone=of_run(under_a_conversation, bounded_history, after_another_history),
)
def a_request_is_the_conversation_so_far(execution: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """Each request is the conversation so far: what is stored when the run begins, then what came of the run."""
    run, view = request.run, request.call
    got = execution.spoken(view.request.messages, run.agent)
    so_far = [*(_history(execution, run) or ()), *run.happened(before=view.request.call)]
    expected = repaired(by_number(so_far), got)
    yield finding(
        got == expected,
        view.at,
        f"request {how_they_differ(got, expected)}",
        expected=f"a request with the conversation so far: {show(expected)}",
        got=show(got),
    )


@rule(
    "PER-57",
    needs=["history.incremental"],
    each=thread_run,
    when=[*KEPT, appended_something],
    leaves_alone=[under_a_conversation],
    also=[a_success_is_stored_whole, a_request_is_the_conversation_so_far],
    aspects=[
        *("gap", "repeated", "foreign", "order", "incomplete"),
        *("request missing", "request repeated", "request foreign", "request order"),
    ],
    edition=2,
)
def what_is_stored_is_how_the_conversation_begins(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """With a history of steps of the implementation's own, what is stored is at any moment how the conversation begins.

    The results of one reply may come in any order. After a successful run all of it is stored, each message once; a failed run
    leaves what it had come to. Each request is the conversation so far, each message once: what is stored when the run begins, and
    what came of the run since, whoever keeps it. Results that close calls of earlier runs may be there, too.
    """
    for at, _ in run.stored:
        stored = but_for_empty(without_repairs(execution, run.until(at + 1)))
        said = but_for_empty(stored_by(run, at))
        if not begins(stored, said):
            expected, got = f"stored by then, from its beginning on: {show(said)}", f"stored: {show(stored)}"
            yield finding(False, at, _how_it_does_not_begin(stored, said), expected=expected, got=got)
            return
    yield finding(True, run.stored[-1][0], "", expected="", got="")


# --- on the implementation's own threads ---


@clause(each=kept_run, when=[*KEPT_BY_ITSELF, *of_kept(succeeded)], leaves_alone=[*ELSEWHERE, *of_kept(callers_history)])
def nothing_is_lost_on_the_thread(_: ExecutionView, kept: KeptRun) -> Iterator[Finding]:
    """PER-10: after a successful run the thread shows its input and its response messages, all of them."""
    said = kept.run.happened(trailing=False)
    lost = but_for_empty(list((Counter(said) - Counter(kept.gained)).elements()))
    yield _on_the_thread(kept, not lost, "lost (PER-10)", said, kept.gained)


@clause(each=kept_run, when=KEPT_BY_ITSELF, leaves_alone=ELSEWHERE)
def the_thread_has_the_order_of_the_conversation(_: ExecutionView, kept: KeptRun) -> Iterator[Finding]:
    """PER-11: the order of what the run added to the thread is the order of the conversation."""
    said = kept.run.happened()
    added = at_most(kept.gained, Counter(said))
    if added:
        yield _on_the_thread(kept, within(added, said), "order (PER-11)", said, added)


@clause(
    each=kept_run,
    when=[*KEPT_BY_ITSELF, *of_kept(all_came_to_their_own_end)],
    leaves_alone=[*ELSEWHERE, *of_kept(callers_history)],
)
def the_thread_is_well_formed(_: ExecutionView, kept: KeptRun) -> Iterator[Finding]:
    """PER-13: after successful runs every call on the thread has one result, and every result its call."""
    wrong = open_calls(kept.after)
    yield finding(
        not wrong,
        kept.at,
        "open call (PER-13)",
        expected="exactly one result for every call on the thread, each after its call",
        got=f"not so for {', '.join(wrong)}: {show(kept.after)}",
        also=[kept.run.at],
    )


@clause(
    each=kept_run,
    when=[*KEPT_BY_ITSELF, *of_kept(next_after(failed_after_a_request), succeeded)],
    leaves_alone=of_kept(after_a_contradiction, under_a_conversation, callers_history),
)
def the_thread_keeps_what_follows_a_failure(_: ExecutionView, kept: KeptRun) -> Iterator[Finding]:
    """PER-22: a run after a failed one adds its own messages to the thread, once; trailing results need not be among them."""
    allowed = [but_for_empty(kept.run.happened(trailing=trailing)) for trailing in (True, False)]
    yield _on_the_thread(kept, but_for_empty(kept.own) in allowed, "after a failure (PER-22)", allowed[0], kept.own)


@clause(
    each=kept_run,
    when=[*KEPT_BY_ITSELF, *of_kept(a_tool_raised, returned_or_failed_there)],
    leaves_alone=of_kept(under_a_conversation, callers_history),
)
def the_thread_is_whole_beside_a_tools_error(execution: ExecutionView, kept: KeptRun) -> Iterator[Finding]:
    """PER-23: a tool that raises is a result on the thread, or fails the run; either way what the thread keeps is whole."""
    run, stored = kept.run, but_for_empty(kept.own)
    allowed = [*whole_beside_a_tools_error(run), *([run.happened(trailing=False)] if run.succeeded else [])]
    whole = [but_for_empty(each) for each in allowed]
    reached = not run.succeeded and kept_in_steps(execution, run) and begins(stored, whole[0])
    yield _on_the_thread(kept, reached or stored in whole, "a tool's error (PER-23)", whole[0], stored)


@clause(
    each=kept_run,
    when=[*KEPT_BY_ITSELF, *of_kept(said_to_keep_at_the_end, failed_or_cancelled)],
    leaves_alone=of_kept(contradicting, after_a_contradiction, resumed),
)
def a_failed_run_leaves_no_message_on_the_thread(_: ExecutionView, kept: KeptRun) -> Iterator[Finding]:
    """PER-20: with per-run persistence a failed run leaves the thread's messages as they were."""
    yield _on_the_thread(kept, kept.after == kept.before, "failed run kept (PER-20)", kept.before, kept.after)


@clause(
    each=kept_run,
    when=[*KEPT_BY_ITSELF, *of_kept(kept_in_steps)],
    leaves_alone=of_kept(contradicting, under_a_conversation),
)
def the_thread_shows_how_the_conversation_begins(_: ExecutionView, kept: KeptRun) -> Iterator[Finding]:
    """PER-57: in steps of the implementation's own, what the run added to the thread is how its conversation begins."""
    said, added = but_for_empty(stored_by(kept.run, kept.run.events[-1][0] + 1)), but_for_empty(kept.own)
    yield _on_the_thread(kept, begins(added, said), "no beginning (PER-57)", said, added)


@clause(
    each=kept_pair,
    when=of_the_pair(on_one_agent_and_of_one_kind, one_streams_and_the_other_does_not),
)
def streaming_keeps_the_same_on_the_thread(_: ExecutionView, kept: KeptPair) -> Iterator[Finding]:
    """PER-38: a thread whose runs stream shows the same messages as one whose runs do not."""
    yield _as_on_the_other(kept, "streaming (PER-38)")


@clause(each=kept_pair, when=[per_run_beside_per_call, both_came_to_their_own_end])
def both_modes_leave_the_same_on_the_thread(_: ExecutionView, kept: KeptPair) -> Iterator[Finding]:
    """PER-18: per-run and per-service-call persistence leave the same messages on the thread."""
    yield _as_on_the_other(kept, "modes (PER-18)")


@rule(
    "PER-62",
    each=kept_run,
    when=KEPT_BY_ITSELF,
    leaves_alone=ELSEWHERE,
    also=[
        nothing_is_lost_on_the_thread,
        the_thread_has_the_order_of_the_conversation,
        the_thread_is_well_formed,
        the_thread_keeps_what_follows_a_failure,
        the_thread_is_whole_beside_a_tools_error,
        a_failed_run_leaves_no_message_on_the_thread,
        the_thread_shows_how_the_conversation_begins,
        streaming_keeps_the_same_on_the_thread,
        both_modes_leave_the_same_on_the_thread,
    ],
    aspects=[
        *("repeated (PER-09)", "lost (PER-10)", "order (PER-11)", "open call (PER-13)", "modes (PER-18)"),
        *("failed run kept (PER-20)", "after a failure (PER-22)", "a tool's error (PER-23)", "streaming (PER-38)"),
        "no beginning (PER-57)",
    ],
    edition=2,
)
def threads_keep_histories_as_providers_do(execution: ExecutionView, kept: KeptRun) -> Iterator[Finding]:
    """A history that the implementation keeps itself obeys the rules on stored history, as its thread shows it after every step.

    Judged on the thread: PER-09 to PER-11, PER-13, PER-22, PER-23, PER-38 (the content alone), PER-20 or, in steps of the
    implementation's own, PER-57, and PER-18 where both modes exist.
    """
    run = kept.run
    happened = with_results(occurred([*execution.earlier(run), run]))
    total = Counter(kept.after)
    twice = [part for part in total if total[part] > happened[part] > 0]
    yield finding(
        not twice,
        kept.at,
        "repeated (PER-09)",
        expected=f"what happened on thread {run.thread!r}, each message once",
        got=f"more often: {show(twice)}",
        also=[run.at],
    )


# --- what they compare ---


def _history(execution: ExecutionView, run: RunView) -> Sequence[Part] | None:
    """The run's history when it began, as far as it shows."""
    if with_provider(execution, run):
        return execution.spoken(stored_before(execution, run, run.at), run.agent)
    return history_before(execution, run)


def _how_it_does_not_begin(stored: Sequence[Part], said: Sequence[Part]) -> str:
    """The aspect in which what is stored is not how a conversation begins; `gap`: something before it is not stored."""
    extra = Counter(stored) - Counter(said)
    if extra:
        return "repeated" if set(extra) <= set(said) else "foreign"
    return "order" if Counter(stored) == Counter(said[: len(stored)]) else "gap"


def _on_the_thread(kept: KeptRun, right: bool, aspect: str, expected: Sequence[Part], got: Sequence[Part]) -> Finding:
    told = f"on thread {kept.run.thread!r}: {show(expected)}"
    return finding(right, kept.at, aspect, expected=told, got=show(got), also=[kept.run.at])


def _as_on_the_other(kept: KeptPair, aspect: str) -> Finding:
    """Whether two threads show the same, with calls named by their order."""
    expected, got = (by_order([each.after])[0] for each in (kept.one, kept.other))
    return finding(
        got == expected,
        kept.other.at,
        aspect,
        expected=f"as on thread {kept.one.run.thread!r}: {show(kept.one.after)}",
        got=f"on thread {kept.other.run.thread!r}: {show(kept.other.after)}",
        also=[kept.one.at],
    )
