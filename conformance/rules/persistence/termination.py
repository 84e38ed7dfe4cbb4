"""The persistence rules about loops that end early: terminated by a tool, or cut short by a limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import contradicts, timing_of
from conformance.rules.persistence.history import copied_runs, gained, kept_runs, occurred, stored_by_end
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import outcome, show
from conformance.scenario.scenario import Run
from conformance.trace.harness_events import HistoryFailed, ServiceFailed
from conformance.trace.messages import Part, parts


@rule("PER-14", needs=["history.provider", "history.per_service_call", "tools.terminate"])
def a_trailing_result_is_not_stored_per_call(execution: ExecutionView) -> Iterator[Finding]:
    """With `per_service_call`, a terminated run does not store the trailing result: the assistant's calls are stored last.

    Leaves alone: per-run persistence, where it is a policy (PER-15).
    """
    for run in [*kept_runs(execution), *copied_runs(execution)]:
        if timing_of(run) != "per call" or not run.terminated or not run.succeeded:
            continue
        stored = gained(execution, run)
        wanted = parts([view.reply.message for view in run.calls if view.reply is not None][-1:])
        yield finding(
            bool(wanted) and stored[-len(wanted) :] == wanted,
            run.stored[-1][0] if stored else run.events[-1][0],
            expected=f"stored last: {show(wanted)}",
            got=f"stored: {show(stored)}",
        )


@rule("PER-15", needs=["history.provider", "history.per_run", "tools.terminate"], policies=("trailing_result",))
def a_trailing_result_is_a_policy_per_run(execution: ExecutionView) -> Iterator[Finding]:
    """With per-run persistence, a terminated run stores its trailing result or not, as the policy `trailing_result` declares."""
    for run in kept_runs(execution):
        if timing_of(run) != "per run" or not run.terminated or not run.succeeded:
            continue
        trailing = [part for part in run.happened() if part not in run.happened(trailing=False)]
        kept = execution.policies.trailing_result == "stored"
        stored = gained(execution, run)
        there = [part for part in trailing if part in stored]
        yield finding(
            there == (trailing if kept else []),
            run.stored[-1][0] if run.stored else run.events[-1][0],
            expected=f"{'stored' if kept else 'not stored'}: {show(trailing)}",
            got=f"stored: {show(stored)}",
        )


@rule("PER-16", needs=["tools.terminate", "runs.results"])
def missing_results_can_be_supplied(execution: ExecutionView) -> Iterator[Finding]:
    """After a terminated run, the next run with the missing results supplied works, and stores each call and each result once.

    In every cell, and as the service sees it: each call and each result once in what it has and is sent. Leaves alone what is
    stored where that is the caller's responsibility (PER-04), whatever else makes the run fail, and services whose call ids come
    back.
    """
    for run, _, _ in execution.agent_runs():
        before = execution.earlier(run)
        if run.agent.service.repeats_call_ids or contradicts(execution, run) or not _supplies(run):
            continue
        if not before or not before[-1].terminated or not before[-1].succeeded:
            continue
        if not all(each.succeeded and not each.terminated for each in before[:-1]) or run.own(ServiceFailed):
            continue
        if run.own(HistoryFailed) or run.cut_short or run.ending in ("cancelled", "abandoned") or timing_of(before[-1]) == "not":
            continue
        if run.raised is not None and run.raised[1].kind in ("tool", "conflict"):
            continue
        yield finding(
            run.ending in ("returned", "waiting"), run.sign, expected="a run that works", got=outcome(run), also=[before[-1].at]
        )
        asked = {call.id for view in before[-1].calls if view.reply for call in view.reply.message.calls}
        whole = Counter(_of(asked, list(occurred([*before, run]).elements())))
        if timing_of(run) != "not":
            for view in run.calls:
                seen = Counter(_of(asked, execution.heard([*view.request.held, *view.request.messages])))
                yield _each_once(seen, whole, view.at, "sent")
        if any(each is run for each in kept_runs(execution)) and timing_of(run) != "not" and run.succeeded:
            seen = Counter(_of(asked, stored_by_end(execution, run)))
            yield _each_once(seen, whole, run.events[-1][0], "stored")


def _supplies(run: RunView) -> bool:
    return isinstance(run.spec, Run) and run.spec.supplies


def _of(asked: set[str], said: list[Part]) -> list[Part]:
    """The calls and results of some ids."""
    return [part for part in said if part[0] in ("call", "result") and part[1] in asked]


def _each_once(seen: Counter[Part], whole: Counter[Part], at: int, what: str) -> Finding:
    wrong = [part for part in whole if seen[part] != whole[part]]
    # an implementation may make up the result of a call whose tool it did not run any more
    wrong += [part for part in seen if part not in whole and (part[0] == "call" or seen[part] > 1)]
    return finding(
        not wrong,
        at,
        expected=f"{what}: each call and each result once",
        got="; ".join(f"{show([part])} {seen[part]} times" for part in wrong),
    )
