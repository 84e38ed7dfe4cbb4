"""Threads that were made from data, whole or malformed: beside what their originals were, and how both go on (THR-22, THR-24)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView, same_data
from conformance.rules.rule import Finding, finding
from conformance.rules.run_view import CallView, RunView
from conformance.rules.wording import show
from conformance.scenario.scenario import Run
from conformance.trace.adapter_events import Raised, Restored, ThreadDescribed
from conformance.trace.harness_events import Damaged

FACTS = {"kind": "wrong kind", "conversation_id": "another id", "messages": "other messages", "context": "other context"}
"""The facts that a thread is described by, each with the aspect in which it is not what it was."""


@dataclass(frozen=True)
class Restoration:
    """A thread that was restored from data, and how it is described.

    at: where in the trace. made: where its original became data. before: how that was described then. after, shown_at: how the new
    thread is described first, and where.
    """

    at: int
    event: Restored
    made: int
    before: ThreadDescribed
    after: ThreadDescribed
    shown_at: int


@selection
def restoration(execution: ExecutionView) -> Iterator[Restoration]:
    """A thread that was restored from the data of another, where both are described."""
    for at, event in execution.of(Restored):
        origin = execution.origin(event.thread)
        before = execution.described(event.source, before=origin[1]) if origin else None
        described = execution.of(ThreadDescribed)
        after = next(((where, state) for where, state in described if state.thread == event.thread and where > at), None)
        if origin and before and after:
            yield Restoration(at, event, origin[1], before, after[1], after[0])


@dataclass(frozen=True)
class NextRuns:
    """The first run of a restored thread, and the first one of its original since that became data."""

    copy: RunView
    original: RunView


@selection
def next_runs(execution: ExecutionView) -> Iterator[NextRuns]:
    """The next run of a restored thread beside the next one of its original, where the adapter could express both."""
    for restored in restoration(execution):
        copy = _first_run(execution, restored.event.thread)
        original = _first_run(execution, restored.event.source, since=restored.made)
        if copy and original:
            yield NextRuns(copy, original)


def _first_run(execution: ExecutionView, thread: str, *, since: int = 0) -> RunView | None:
    """The first run on a thread since then; None where there is none, or the adapter cannot express it."""
    first = next((run for run in execution.runs if run.thread == thread and run.at > since), None)
    return first if first and first.ending != "refused" else None


@condition
def asked_for_the_same(_: ExecutionView, runs: NextRuns) -> bool:
    """Both runs are of one agent and ask for the same."""
    return runs.copy.agent_name == runs.original.agent_name and _asked(runs.copy) == _asked(runs.original)


@condition
def answered_meanwhile(execution: ExecutionView, runs: NextRuns) -> bool:
    """A run that waited when the original became data got an answer there before its next run."""
    waited = [run for run in execution.inherited(runs.copy.thread or "") if run.ending == "waiting"]
    return bool(waited) and not any(run.waits_at(runs.original.at) for run in execution.earlier(runs.original))


def either(asked: Condition[RunView]) -> Condition[NextRuns]:
    """The condition that one of both runs meets another one."""

    def test(execution: ExecutionView, runs: NextRuns) -> bool:
        return asked(execution, runs.copy) or asked(execution, runs.original)

    return Condition(asked.name, f"of one of both runs: {asked.text}", test)


@dataclass(frozen=True)
class Malformed:
    """Data that was damaged, where in the trace, and what came of it when a thread was restored from it."""

    at: int
    damage: Damaged
    end_at: int
    end: Raised | Restored


@selection
def malformed_data(execution: ExecutionView) -> Iterator[Malformed]:
    """Data that was damaged before a thread was restored from it, to an error or a thread."""
    for at, damage in execution.of(Damaged):
        for kind in (Raised, Restored):
            ends = [(where, event) for where, event in execution.of(kind) if where > at and event.step == damage.step]
            if ends:
                yield Malformed(at, damage, *ends[0])
                break


def compared_requests(execution: ExecutionView, mine: CallView, other: CallView) -> Finding:
    """Whether the request of a restored thread is that of its original."""
    got, expected = mine.request, other.request
    said, wanted = execution.heard(got.messages), execution.heard(expected.messages)
    same_id, same_store = got.conversation_id == expected.conversation_id, got.store == expected.store
    return finding(
        same_id and same_store and said == wanted,
        mine.at,
        "another id" if not same_id else "other messages" if same_store else "other store",
        expected=f"store={expected.store}, conversation id {expected.conversation_id}, messages {show(wanted)}",
        got=f"store={got.store}, conversation id {got.conversation_id}, messages {show(said)}",
        also=[other.at],
    )


def _asked(run: RunView) -> tuple[object, ...]:
    assert isinstance(run.spec, Run)
    return run.spec.say, run.spec.store, run.spec.conversation_id, run.spec.stream


def shown_fact(execution: ExecutionView, fact: str, after: ThreadDescribed, before: ThreadDescribed) -> str:
    """A fact that changed, in words."""
    now, then = (
        show(execution.heard(state.messages or ())) if fact == "messages" else repr(getattr(state, fact))
        for state in (after, before)
    )
    return f"{fact}: {now} instead of {then}"


def fault_of_refusal(raised: Raised, damage: Damaged) -> str:
    """What is wrong with an error about malformed data; empty where nothing is."""
    if raised.kind != "invalid":
        return "wrong kind of error"
    named = not damage.fields or any(_names(raised.text, field) for field in damage.fields)
    return "" if named else "not named"


def _names(text: str, field: str) -> bool:
    """Whether a text names a field, not only some word that holds its letters."""
    return re.search(rf"(?<!\w){re.escape(field)}(?!\w)", text) is not None


def fault_of_thread(execution: ExecutionView, malformed: Malformed, thread: Restored) -> str:
    """What is wrong with a thread that came out of malformed data; empty where a field too many was ignored."""
    if thread.flaw is not None:
        return "half-built"
    if malformed.damage.how != "extra":
        return "not refused"
    before = execution.described(malformed.damage.source, before=malformed.at)
    same = before is not None and all(same_data(getattr(thread, fact), getattr(before, fact)) for fact in FACTS)
    return "" if same else "changed"
