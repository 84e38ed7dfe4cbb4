"""The threads rules about kinds: which threads can be had where, and what fixes the kind of an adaptive one."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView, states_after
from conformance.rules.model import contradicts, kind_before, persistence_of, restored_adaptive
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import latest_id
from conformance.rules.wording import show
from conformance.scenario.scenario import Restore
from conformance.trace.adapter_events import Restored, ThreadDescribed


@rule("THR-18", needs=["threads.adaptive"])
def the_first_success_fixes_the_kind(execution: ExecutionView) -> Iterator[Finding]:
    """The first successful run fixes an adaptive thread's kind: hosted where a reply has a conversation id, else local.

    Local with the turn's messages, hosted with the latest id; a failed run fixes nothing. Leaves alone what per-service-call
    persistence keeps of a failed run.
    """
    for run, _, agent in execution.agent_runs():
        if kind_before(execution, run) != "adaptive" or run.ending in ("refused", "unknown", "waiting") or run.terminated:
            continue
        id = latest_id([run])
        for at, state in states_after(execution, run):
            shown = None if state.messages is None else execution.heard(state.messages)
            if not run.succeeded:
                right = state.kind in ("adaptive", None) and state.conversation_id is None
                right = right and (not (shown or run.stored) or agent.per_service_call)
                expected = "a thread that is still adaptive and holds nothing"
            elif run.brought_id:
                right = state.kind in ("hosted", None) and state.conversation_id == id and not shown
                expected = f"a hosted thread with conversation {id!r}"
            else:
                turn = run.happened()
                held = [*(shown or ()), *execution.heard(run.stored_messages)]
                hidden = shown is None and agent.history == "default"
                kept = hidden or persistence_of(agent) == "not" or all(part in held for part in turn)
                right = state.kind in ("local", None) and state.conversation_id is None and kept
                expected = f"a local thread with {show(turn)}"
            yield finding(right, at, expected=expected, got=_described(state, shown), also=[run.at])


@rule("THR-19", needs=["threads.adaptive"])
def a_fixed_kind_stays(execution: ExecutionView) -> Iterator[Finding]:
    """Once it is fixed, the kind of an adaptive thread never changes, whatever later replies carry.

    Leaves alone: options that contradict the kind (THR-12 ff.). What the kind means for a request is in THR-05 to THR-10.
    """
    for run, thread, _ in execution.agent_runs():
        kind = kind_before(execution, run)
        fixed = execution.scenario.kind_of(thread) == "adaptive" and kind != "adaptive"
        if (
            not fixed
            or not run.calls
            or contradicts(execution, run)
            or any(contradicts(execution, other) for other in execution.earlier(run))
        ):
            continue
        for at, state in states_after(execution, run):
            right = state.kind in (kind, None) and (state.conversation_id is None) == (kind == "local")
            expected = f"a thread that is still {kind}"
            yield finding(right, at, expected=expected, got=_described(state, None), also=[run.at])


@rule("THR-20", level="SHOULD", needs=["threads.adaptive", "threads.serialize"])
def an_adaptive_thread_is_restored_adaptive(execution: ExecutionView) -> Iterator[Finding]:
    """An adaptive thread that became data before its first run is still adaptive when it is restored."""
    for at, restored in execution.of(Restored):
        step = execution.scenario.steps[restored.step]
        if not isinstance(step, Restore) or step.damage or not restored_adaptive(execution, restored.thread):
            continue
        for where, state in execution.of(ThreadDescribed):
            if state.step == restored.step and state.thread == restored.thread:
                right = state.kind in ("adaptive", None) and state.conversation_id is None
                yield finding(right, where, expected="a thread that is still adaptive", got=_described(state, None), also=[at])


def _described(state: ThreadDescribed, shown: list[tuple[str, ...]] | None) -> str:
    holding = f" that holds {show(shown)}" if shown else ""
    return f"a thread of kind {state.kind} with conversation {state.conversation_id!r}{holding}"
