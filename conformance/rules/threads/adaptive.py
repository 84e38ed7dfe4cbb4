"""Threads, adaptive: what fixes the kind of a thread that was created without one (THR-18 to THR-20)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView, states_after
from conformance.rules.model import kind_before, persistence_of, restored_adaptive
from conformance.rules.parts import but_for_empty
from conformance.rules.preconditions import (
    after,
    called_the_service,
    contradicting,
    failed_after_an_answer,
    interrupting,
    on_adaptive_thread,
    says_when_it_persists,
    terminated,
    thread_run,
    waiting,
)
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView, latest_id
from conformance.rules.wording import show
from conformance.scenario.scenario import Restore
from conformance.trace.adapter_events import Restored, ThreadDescribed
from conformance.trace.messages import Part


@condition
def once_adaptive(execution: ExecutionView, run: RunView) -> bool:
    """The thread was created without a kind, and has one when the run begins."""
    assert run.thread is not None
    return execution.scenario.kind_of(run.thread) == "adaptive" and kind_before(execution, run) != "adaptive"


@dataclass(frozen=True)
class RestoredThread:
    """A thread that was made from data, and where in the trace."""

    at: int
    event: Restored


@selection
def restored_thread(execution: ExecutionView) -> Iterator[RestoredThread]:
    """A thread that was restored from data that is whole."""
    for at, event in execution.of(Restored):
        step = execution.scenario.steps[event.step]
        if isinstance(step, Restore) and not step.damage:
            yield RestoredThread(at, event)


@condition
def had_no_kind(execution: ExecutionView, restored: RestoredThread) -> bool:
    """It was adaptive and had not run when it became data."""
    return restored_adaptive(execution, restored.event.thread)


@rule(
    "THR-18",
    needs=["threads.adaptive"],
    each=thread_run,
    when=[on_adaptive_thread],
    leaves_alone=[waiting, failed_after_an_answer, after(failed_after_an_answer), interrupting, terminated],
    aspects=["fixed by a failure", "wrong kind", "another id", "turn lost", "turn kept twice", "id kept"],
)
def the_first_success_fixes_the_kind(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """The first successful run fixes an adaptive thread's kind: hosted where a reply has a conversation id, else local.

    Local with the turn's messages, hosted with the latest id; a failed run fixes nothing, but what came before the failure may be
    kept where the history is not appended at the end of a run alone.
    """
    for at, state in _states_at_its_end(execution, run):
        shown = None if state.messages is None else execution.heard(state.messages)
        if not run.succeeded:
            aspect, expected = _still_adaptive(execution, run, state, shown), "a thread that is still adaptive and holds nothing"
        elif run.brought_id:
            aspect, expected = _hosted(run, state, shown), f"a hosted thread with conversation {latest_id([run])!r}"
        else:
            aspect, expected = _local(execution, run, state, shown), f"a local thread with {show(run.happened())}"
        yield finding(not aspect, at, aspect, expected=expected, got=_described(state, shown), also=[run.at])


@rule(
    "THR-19",
    needs=["threads.adaptive"],
    each=thread_run,
    when=[once_adaptive, called_the_service],
    leaves_alone=[contradicting, after(contradicting)],
    aspects=["wrong kind", "id appeared", "id lost"],
)
def a_fixed_kind_stays(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Once it is fixed, the kind of an adaptive thread never changes, whatever later replies carry.

    What the kind means for a request is in THR-05 to THR-10.
    """
    kind = kind_before(execution, run)
    for at, state in states_after(execution, run):
        kept = (state.conversation_id is None) == (kind == "local")
        yield finding(
            state.kind in (kind, None) and kept,
            at,
            "wrong kind" if state.kind not in (kind, None) else "id appeared" if kind == "local" else "id lost",
            expected=f"a thread that is still {kind}",
            got=_described(state, None),
            also=[run.at],
        )


@rule(
    "THR-20",
    level="SHOULD",
    needs=["threads.adaptive", "threads.serialize"],
    each=restored_thread,
    when=[had_no_kind],
    aspects=["wrong kind", "id appeared"],
)
def an_adaptive_thread_is_restored_adaptive(execution: ExecutionView, restored: RestoredThread) -> Iterator[Finding]:
    """An adaptive thread that became data before its first run is still adaptive when it is restored."""
    for at, state in execution.of(ThreadDescribed):
        if state.step == restored.event.step and state.thread == restored.event.thread:
            adaptive = state.kind in ("adaptive", None)
            yield finding(
                adaptive and state.conversation_id is None,
                at,
                "id appeared" if adaptive else "wrong kind",
                expected="a thread that is still adaptive",
                got=_described(state, None),
                also=[restored.at],
            )


def _states_at_its_end(execution: ExecutionView, run: RunView) -> list[tuple[int, ThreadDescribed]]:
    """How the thread is described when the run is over; it need not be described again where an answer changed nothing."""
    if not run.answered_requests:
        return states_after(execution, run)
    last = run.events[-1][1].step
    states = [(at, each) for at, each in execution.of(ThreadDescribed) if each.thread == run.thread and each.step <= last]
    return states[-1:]


def _still_adaptive(execution: ExecutionView, run: RunView, state: ThreadDescribed, shown: list[Part] | None) -> str:
    """What is wrong with a thread after a run that failed; empty where nothing is."""
    if state.kind not in ("adaptive", None):
        return "fixed by a failure"
    if state.conversation_id is not None:
        return "id kept"
    at_its_end = says_when_it_persists(execution, run) and not run.agent.per_service_call
    return "turn kept twice" if (shown or run.stored) and at_its_end else ""


def _hosted(run: RunView, state: ThreadDescribed, shown: list[Part] | None) -> str:
    """What is wrong with a thread after a run in which a reply had an id."""
    if state.kind not in ("hosted", None):
        return "wrong kind"
    if state.conversation_id != latest_id([run]):
        return "another id"
    return "turn kept twice" if shown else ""


def _local(execution: ExecutionView, run: RunView, state: ThreadDescribed, shown: list[Part] | None) -> str:
    """What is wrong with a thread after a run without any id."""
    if state.kind not in ("local", None):
        return "wrong kind"
    if state.conversation_id is not None:
        return "id kept"
    if (shown is None and run.agent.history == "default") or persistence_of(run.agent) == "not":
        return ""
    held = [*(shown or ()), *execution.heard(run.stored_messages)]
    # whether what trails a run that reached its limit is kept is left open (PER-44)
    said = but_for_empty(run.happened(trailing=not run.cut_short))
    return "" if all(part in held for part in said) else "turn lost"


def _described(state: ThreadDescribed, shown: list[Part] | None) -> str:
    holding = f" that holds {show(shown)}" if shown else ""
    return f"a thread of kind {state.kind} with conversation {state.conversation_id!r}{holding}"
