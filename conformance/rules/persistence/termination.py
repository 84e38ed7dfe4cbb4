"""Persistence, termination: what is stored of a run whose loop a tool ended, and what comes after it (PER-14 to PER-16)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import persistence_of
from conformance.rules.persistence.history import (
    copies_are_written,
    detached,
    gained,
    occurred,
    recurring_call_ids,
    service_failed,
    stored_by_end,
    under_a_conversation,
)
from conformance.rules.preconditions import (
    RequestView,
    abandoned,
    after_a_contradiction,
    callers_history,
    contradicting,
    cut_short,
    history_failed,
    next_after,
    of_run,
    on_hosted_thread,
    persisted_per_call,
    persisted_per_run,
    request,
    succeeded,
    terminated,
    thread_run,
    with_provider,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import outcome, show
from conformance.scenario.scenario import Run
from conformance.trace.messages import Part, parts

# --- what the rules of this section look at, and leave alone ---


@condition
def supplies_results(_: ExecutionView, run: RunView) -> bool:
    """The caller of the run supplies the results that the thread's history lacks."""
    return isinstance(run.spec, Run) and run.spec.supplies


@condition
def more_than_one_gone_wrong(execution: ExecutionView, run: RunView) -> bool:
    """Of the runs before the last one, some did not succeed or were terminated, too."""
    return not all(other.succeeded and not other.terminated for other in execution.earlier(run)[:-1])


@condition
def cancelled(_: ExecutionView, run: RunView) -> bool:
    """The run's caller cancelled it."""
    return run.ending == "cancelled"


@condition
def ended_by_a_tool_or_a_conflict(_: ExecutionView, run: RunView) -> bool:
    """The run raised the error of a tool, or of a conflict."""
    return run.raised is not None and run.raised[1].kind in ("tool", "conflict")


SUPPLYING = (supplies_results, next_after(terminated), next_after(succeeded))
"""What must be so of a run that is handed the missing results of a terminated one."""

UNSURE = (recurring_call_ids, more_than_one_gone_wrong, cut_short, next_after(callers_history))
"""Where nobody can say which calls and results there are to be found after such a run."""


@condition
def per_call_but_in_the_background(_: ExecutionView, run: RunView) -> bool:
    """The agent persists after each call, and the run is in the background: it should persist at its end, but need not (PER-40)."""
    return run.in_background and persistence_of(run.agent) == "per call"


# --- the rules ---


@clause(
    each=thread_run,
    when=[with_provider, on_hosted_thread, copies_are_written, persisted_per_call, terminated],
    leaves_alone=[detached],
)
def a_trailing_result_is_not_in_a_copy(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A copy of what the service keeps does not hold the trailing result either."""
    yield _ends_with_the_calls(execution, run)


@rule(
    "PER-14",
    needs=["history.provider", "history.per_service_call", "tools.terminate"],
    each=thread_run,
    when=[with_provider, persisted_per_call, terminated],
    leaves_alone=[after_a_contradiction, under_a_conversation],
    also=[a_trailing_result_is_not_in_a_copy],
    aspects=["no append", "trailing result", "missing"],
)
def a_trailing_result_is_not_stored_per_call(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """With `per_service_call`, a terminated run does not store the trailing result: the assistant's calls are stored last."""
    yield _ends_with_the_calls(execution, run)


@rule(
    "PER-15",
    needs=["history.provider", "history.per_run", "tools.terminate"],
    policies=("trailing_result",),
    each=thread_run,
    when=[with_provider, persisted_per_run, terminated, succeeded],
    leaves_alone=[after_a_contradiction, under_a_conversation, per_call_but_in_the_background],
    aspects=["stored", "not stored"],
)
def a_trailing_result_is_a_policy_per_run(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """With per-run persistence, a terminated run stores its trailing result or not, as the policy `trailing_result` declares."""
    trailing = [part for part in run.happened() if part not in run.happened(trailing=False)]
    kept = execution.policies.trailing_result == "stored"
    stored = gained(execution, run)
    there = [part for part in trailing if part in stored]
    yield finding(
        there == (trailing if kept else []),
        run.stored[-1][0] if run.stored else run.events[-1][0],
        "not stored" if kept else "stored",
        expected=f"{'stored' if kept else 'not stored'}: {show(trailing)}",
        got=f"stored: {show(stored)}",
    )


@clause(each=request, when=of_run(*SUPPLYING), leaves_alone=of_run(*UNSURE, service_failed))
def supplied_results_are_sent_once(execution: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """The service has, or is sent, each call and each result once."""
    call = request.call
    seen = execution.heard([*call.request.held, *call.request.messages])
    yield _each_once(execution, request.run, seen, call.at, "sent")


@clause(each=thread_run, when=[*SUPPLYING, with_provider, succeeded], leaves_alone=[*UNSURE, under_a_conversation])
def supplied_results_are_stored_once(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Each call and each result is stored once."""
    yield _each_once(execution, run, stored_by_end(execution, run), run.events[-1][0], "stored")


@rule(
    "PER-16",
    needs=["tools.terminate", "runs.results"],
    each=thread_run,
    when=SUPPLYING,
    leaves_alone=[
        *UNSURE,
        contradicting,
        service_failed,
        history_failed,
        cancelled,
        abandoned,
        ended_by_a_tool_or_a_conflict,
    ],
    also=[supplied_results_are_sent_once, supplied_results_are_stored_once],
    aspects=["refused", "not sent", "sent again", "not stored", "stored again"],
)
def missing_results_can_be_supplied(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """After a terminated run, the next run with the missing results supplied works, and stores each call and each result once.

    In every cell, and as the service sees it: each call and each result once in what it has and is sent.
    """
    before = execution.earlier(run)[-1]
    works = run.ending in ("returned", "waiting")
    yield finding(works, run.sign, "refused", expected="a run that works", got=outcome(run), also=[before.at])


# --- what they compare ---


def _ends_with_the_calls(execution: ExecutionView, run: RunView) -> Finding:
    """Whether what a run appended ends with its last reply."""
    stored = gained(execution, run)
    last = parts([view.reply.message for view in run.calls if view.reply is not None][-1:])
    return finding(
        stored[-len(last) :] == last,
        run.stored[-1][0] if stored else run.events[-1][0],
        _how_it_ends(stored, last),
        expected=f"stored last: {show(last)}",
        got=f"stored: {show(stored)}",
    )


def _how_it_ends(stored: Sequence[Part], last: Sequence[Part]) -> str:
    if not stored:
        return "no append"
    return "trailing result" if stored[-1][0] == "result" and set(last) <= set(stored) else "missing"


def _each_once(execution: ExecutionView, run: RunView, said: Sequence[Part], at: int, what: str) -> Finding:
    """Whether the calls of the terminated run and their results are there once; what: `sent` or `stored`."""
    before = execution.earlier(run)
    seen, whole = _about(before[-1], said), _about(before[-1], occurred([*before, run]).elements())
    missing = [part for part in whole if seen[part] < whole[part]]
    again = [part for part in seen if seen[part] > max(whole[part], _tolerated(part))]
    return finding(
        not (missing or again),
        at,
        f"not {what}" if missing else f"{what} again",
        expected=f"{what}: each call and each result once",
        got="; ".join(f"{show([part])} {seen[part]} times" for part in [*missing, *again]),
    )


def _about(run: RunView, said: Iterable[Part]) -> Counter[Part]:
    """How often the calls of a run, and results of these, are there."""
    asked = {call.id for view in run.calls if view.reply for call in view.reply.message.calls}
    return Counter(part for part in said if part[0] in ("call", "result") and part[1] in asked)


def _tolerated(part: Part) -> int:
    """An implementation may make up the result of a call whose tool it did not run any more."""
    return 1 if part[0] == "result" else 0
