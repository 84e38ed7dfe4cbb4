"""The threads rules about threads as state: as data, restored, restored twice, restored from what is malformed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from conformance.rules.case import Case
from conformance.rules.requests import accepted, error, show
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.scenario import Run
from conformance.trace import Damaged, DataChanged, Raised, Restored, Serialized, ThreadDescribed

_OBJECT = re.compile(r"<[^<>]*\bat …|<class '[\w.]+'>")
"""What is left of a live object that was written as text; its address is not stable and was cut out."""


@rule("THR-21", needs=["threads.serialize"])
def serialized_threads_are_plain_data(case: Case) -> Iterator[Finding]:
    """A serialized thread is plain JSON data: no clients, stores or providers, and the same after a round trip through JSON."""
    for at, event in case.of(Serialized):
        live = _OBJECT.search(json.dumps(event.data)) if event.flaw is None else None
        got = event.flaw or (f"a text that was an object: {live[0]}" if live else "")
        yield finding(event.flaw is None and live is None, at, expected="plain JSON data", got=got)


@rule("THR-22", needs=["threads.serialize"])
def a_restored_thread_behaves_the_same(case: Case) -> Iterator[Finding]:
    """A restored thread has the kind, id, messages and context state of the original, and its next request is the original's next.

    Compared where both go on with equal input, options and replies. Leaves alone: what another agent shows of it, the next request
    where both share one home (a conversation under one id that went on, a history provider) or an option contradicted before.
    """
    for at, restored in case.of(Restored):
        if _damage_in(case, restored.step) is not None:
            continue
        origin = case.origin(restored.thread)
        before = case.described(restored.source, before=origin[1]) if origin else None
        after = [(where, state) for where, state in case.of(ThreadDescribed) if state.thread == restored.thread and where > at]
        if origin is None or before is None or not after:
            continue
        facts = ["kind", "conversation_id"]
        if case.scenario.agent_name(restored.thread) == case.scenario.agent_name(restored.source):
            facts += ["messages", "context"]
        where, state = after[0]
        wrong = [fact for fact in facts if getattr(state, fact) != getattr(before, fact)]
        yield finding(
            not wrong,
            where,
            expected=f"thread {restored.thread!r} as {restored.source!r} was when it became data",
            got="; ".join(f"{fact}: {_shown(case, state, fact)} instead of {_shown(case, before, fact)}" for fact in wrong),
            also=[at],
        )
        yield from _same_next_request(case, restored, origin[1])


def _same_next_request(case: Case, restored: Restored, made: int) -> Iterator[Finding]:
    copy = next((run for run in case.runs if run.thread == restored.thread), None)
    original = next((run for run in case.runs if run.thread == restored.source and run.at > made), None)
    if copy is None or original is None or not _comparable(case, copy) or not _comparable(case, original):
        return
    if _asked(copy) != _asked(original) or copy.agent_name != original.agent_name:
        return
    pair = [(case.heard(run.calls[0].request.messages), run.calls[0].request) for run in (copy, original) if run.calls]
    if len(pair) == 2:
        (got, mine), (expected, other) = pair
        yield finding(
            (got, mine.store, mine.conversation_id) == (expected, other.store, other.conversation_id),
            copy.calls[0].at,
            expected=f"store={other.store}, conversation id {other.conversation_id}, messages {show(expected)}",
            got=f"store={mine.store}, conversation id {mine.conversation_id}, messages {show(got)}",
            also=[original.calls[0].at],
        )
    elif pair or (copy.raised is None) != (original.raised is None):
        yield finding(False, copy.at, expected="that both threads send a request, or neither does", got=f"{len(pair)} requests")


def _comparable(case: Case, run: RunView) -> bool:
    return run.agent.history == "default" and not accepted(case, run) and run.ending not in ("refused", "unknown")


def _asked(run: RunView) -> tuple[object, ...]:
    assert isinstance(run.spec, Run)
    return run.spec.say, run.spec.store, run.spec.conversation_id, run.spec.stream


@rule("THR-23", needs=["threads.serialize"])
def restored_threads_are_independent(case: Case) -> Iterator[Finding]:
    """Restoring gives threads that are independent of each other, of the original and of the data: changing one changes no other.

    Exercised by a run on a thread that has such a relative. Leaves alone what the service or a history provider keeps for both.
    """
    for at, event in case.of(DataChanged):
        expected = f"the data of thread {event.source!r}, whatever is done after it was made"
        yield finding(False, at, expected=expected, got="the data is not what it was")
    described = case.of(ThreadDescribed)
    for run, thread, _ in case.agent_runs():
        step = case.trace.events[run.at].step
        used = {other.thread for other in case.runs if case.trace.events[other.at].step == step}
        exist = {event.thread for _, event in described if event.step < step}
        relatives = {other for other in exist - used if case.related(thread, other)}
        if any(not case.related(thread, other or thread) for other in used):
            continue  # what runs of strangers do to each other is THR-25's
        if not relatives and not any(event.step < step and event.thread == thread for _, event in case.of(Serialized)):
            continue
        touched = [at for at, event in described if event.step == step and event.thread in relatives]
        yield finding(
            not touched,
            touched[0] if touched else run.at,
            expected=f"a run on thread {thread!r} that does not change {', '.join(sorted(relatives)) or 'another'}",
            got="another thread is not what it was before this run",
            also=[run.at],
        )


@rule("THR-24", needs=["threads.serialize"])
def malformed_data_is_invalid(case: Case) -> Iterator[Finding]:
    """Malformed data raises an error of kind invalid that names the field, and no half-built thread is returned.

    Malformed is what lacks, or has of another type, something that the thread certainly held: its kind, its id, what was said. A
    field too many may be refused or ignored. Leaves alone what may be anything: context state, the arguments of calls.
    """
    for at, damage in case.of(Damaged):
        ends = [(where, event) for where, event in enumerate(case.trace.events) if where > at and event.step == damage.step]
        raised = next(((where, event) for where, event in ends if isinstance(event, Raised)), None)
        restored = next(((where, event) for where, event in ends if isinstance(event, Restored)), None)
        what = f"{damage.how} at {damage.path}"
        if raised is not None:
            where, refusal = raised
            named = not damage.fields or any(_names(refusal.text, field) for field in damage.fields)
            yield finding(
                refusal.kind == "invalid" and named,
                where,
                expected=f"an error of kind invalid that names {' or '.join(damage.fields) or 'what is wrong'} ({what})",
                got=error(refusal),
                also=[at],
            )
        elif restored is not None:
            where, thread = restored
            before = case.described(damage.source, before=at)
            unharmed = damage.how == "extra" and thread.flaw is None and before is not None and _same(thread, before)
            yield finding(
                unharmed,
                where,
                expected=f"an error of kind invalid ({what})",
                got=f"a thread that cannot be described: {thread.flaw}" if thread.flaw else f"a thread of kind {thread.kind}",
                also=[at],
            )


def _names(text: str, field: str) -> bool:
    """Whether a text names a field, not only some word that holds its letters."""
    return re.search(rf"(?<!\w){re.escape(field)}(?!\w)", text) is not None


def _damage_in(case: Case, step: int) -> int | None:
    return next((at for at, event in case.of(Damaged) if event.step == step), None)


def _same(restored: Restored, state: ThreadDescribed) -> bool:
    return all(getattr(restored, fact) == getattr(state, fact) for fact in ("kind", "conversation_id", "messages", "context"))


def _shown(case: Case, state: ThreadDescribed, fact: str) -> str:
    value: object = getattr(state, fact)
    if isinstance(value, tuple):
        return show(case.heard(state.messages or ()))
    return repr(value)
