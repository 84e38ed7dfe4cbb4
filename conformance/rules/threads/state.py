"""The threads rules about threads as state: as data, restored, restored twice, restored from what is malformed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

import msgspec

from conformance.rules.execution_view import ExecutionView, change, states_after
from conformance.rules.model import accepted, kind_before, persistence_of, undisputed
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import error, show
from conformance.scenario.scenario import Run
from conformance.trace.adapter_events import Raised, Restored, RunReturned, Serialized, ThreadDescribed
from conformance.trace.harness_events import ContextInvoking, Damaged, DataChanged
from conformance.trace.messages import Message

_OBJECT = re.compile(r"<[^<>]*\bat …|<class '[\w.]+'>")
"""What is left of a live object that was written as text; its address is not stable and was cut out."""


_QUOTED = re.compile(r"'[^']*'")


@rule("THR-21", needs=["threads.serialize"])
def serialized_threads_are_plain_data(execution: ExecutionView) -> Iterator[Finding]:
    """A serialized thread is plain JSON data: no clients, stores or providers, and the same after a round trip through JSON."""
    for at, event in execution.of(Serialized):
        live = _OBJECT.search(json.dumps(event.data)) if event.flaw is None else None
        got = event.flaw or (f"a text that was an object: {live[0]}" if live else "")
        yield finding(event.flaw is None and live is None, at, expected="plain JSON data", got=got)


@rule("THR-22", needs=["threads.serialize"])
def a_restored_thread_behaves_the_same(execution: ExecutionView) -> Iterator[Finding]:
    """A restored thread has the kind, id, messages and context state of the original, and its next request is the original's next.

    Compared where both go on with equal input, options and replies. Leaves alone: what another agent shows of it, the next request
    where both share one home (a conversation under one id that went on, a history provider) or an option contradicted before.
    """
    for at, restored in execution.of(Restored):
        if _damage_in(execution, restored.step) is not None:
            continue
        origin = execution.origin(restored.thread)
        before = execution.described(restored.source, before=origin[1]) if origin else None
        after = [(where, state) for where, state in execution.of(ThreadDescribed) if state.thread == restored.thread and where > at]
        if origin is None or before is None or not after:
            continue
        facts = ["kind", "conversation_id"]
        if execution.scenario.agent_name(restored.thread) == execution.scenario.agent_name(restored.source):
            facts += ["messages", "context"]
        where, state = after[0]
        wrong = [fact for fact in facts if getattr(state, fact) != getattr(before, fact)]
        yield finding(
            not wrong,
            where,
            expected=f"thread {restored.thread!r} as {restored.source!r} was when it became data",
            got="; ".join(
                f"{fact}: {_shown(execution, state, fact)} instead of {_shown(execution, before, fact)}" for fact in wrong
            ),
            also=[at],
        )
        yield from _same_next_request(execution, restored, origin[1])


@rule("THR-23", needs=["threads.serialize"])
def restored_threads_are_independent(execution: ExecutionView) -> Iterator[Finding]:
    """Restoring gives threads that are independent of each other, of the original and of the data: changing one changes no other.

    Exercised by a run on a thread that has such a relative. Leaves alone what the service or a history provider keeps for both.
    """
    for at, event in execution.of(DataChanged):
        expected = f"the data of thread {event.source!r}, whatever is done after it was made"
        yield finding(False, at, expected=expected, got="the data is not what it was")
    described = execution.of(ThreadDescribed)
    for run, thread, _ in execution.agent_runs():
        step = execution.trace.events[run.at].step
        used = {other.thread for other in execution.runs if execution.trace.events[other.at].step == step}
        exist = {event.thread for _, event in described if event.step < step}
        relatives = {other for other in exist - used if execution.related(thread, other)}
        if any(not execution.related(thread, other or thread) for other in used):
            continue  # what runs of strangers do to each other is THR-25's
        if not relatives and not any(event.step < step and event.thread == thread for _, event in execution.of(Serialized)):
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
def malformed_data_is_invalid(execution: ExecutionView) -> Iterator[Finding]:
    """Malformed data raises an error of kind invalid that names the field, and no half-built thread is returned.

    Malformed is what lacks, or has of another type, something that the thread certainly held: its kind, its id, what was said. A
    field too many may be refused or ignored. Leaves alone what may be anything: context state, the arguments of calls.
    """
    for at, damage in execution.of(Damaged):
        ends = [(where, event) for where, event in enumerate(execution.trace.events) if where > at and event.step == damage.step]
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
            before = execution.described(damage.source, before=at)
            unharmed = damage.how == "extra" and thread.flaw is None and before is not None and _same(thread, before)
            yield finding(
                unharmed,
                where,
                expected=f"an error of kind invalid ({what})",
                got=f"a thread that cannot be described: {thread.flaw}" if thread.flaw else f"a thread of kind {thread.kind}",
                also=[at],
            )


@rule("THR-25")
def threads_are_isolated(execution: ExecutionView) -> Iterator[Finding]:
    """Threads on one agent never see each other's messages, ids or context state, also when their runs interleave.

    Leaves alone: what a thread sees of itself (THR-05, THR-06, THR-10), texts said on both, threads of one origin (THR-23).
    """
    for run, thread, agent in execution.agent_runs():
        others = [other for other in execution.runs if other.thread is not None and not execution.related(other.thread, thread)]
        others = [other for other in others if other.agent_name == run.agent_name]
        family = [each for each in execution.runs if each.thread is not None and execution.related(each.thread, thread)]
        foreign_ids = {view.reply.conversation_id for other in others for view in other.calls if view.reply} - {None}
        own_ids = {view.reply.conversation_id for own in family for view in own.calls if view.reply}
        if not any(other.at < run.events[-1][0] for other in others):
            continue
        own = Counter(part for each in family for part in each.happened())
        foreign = Counter(part for other in others for part in other.happened()) - own
        for view in run.calls:
            seen = Counter(execution.spoken([*view.request.held, *view.request.messages], agent))
            strangers = [part for part in seen if part in foreign and not own[part]]
            id = view.request.conversation_id
            yield finding(
                not strangers and (id not in foreign_ids or id in own_ids),
                view.at,
                expected=f"a request with nothing of another thread than {thread!r}",
                got=f"messages of another thread: {show(strangers)}" if strangers else f"another thread's conversation {id!r}",
            )
        counted = sum(1 for each in family if each.own(ContextInvoking))
        for at, event in run.own(ContextInvoking):
            runs = event.state.get("runs", 0)
            # what providers of one agent do to each other is THR-30's
            yield finding(
                runs < counted or len(agent.context) > 1,
                at,
                expected=f"context state of thread {thread!r} alone: at most {counted - 1} earlier runs",
                got=f"a state that has seen {runs} runs",
            )


@rule("THR-26", needs=["runs.inputs"])
def the_callers_input_is_not_changed(execution: ExecutionView) -> Iterator[Finding]:
    """The caller's input messages and options are not changed by a run.

    Leaves alone runs that return nothing, and the option `store` where the scenario leaves it out: some adapters must say it then.
    """
    for run, _, _ in execution.agent_runs():
        for at, event in run.of(RunReturned)[:1]:
            if event.given is None:
                continue
            said = execution.heard(event.given.messages)
            supplied = [Message(role="tool", results=run.supplied)] if run.supplied else []
            said_by_it = [Message(role="user", text=text) for text in run.spec.say]
            whole = event.given.messages == (*supplied, *said_by_it)
            same_store = run.store in (None, event.given.store)
            yield finding(
                whole and same_store and event.given.conversation_id == run.named_id,
                at,
                expected=f"what the caller handed over: {show(run.inputs)} and its options",
                got=f"messages {show(said)}, store={event.given.store}, conversation id {event.given.conversation_id}",
                also=[run.at],
            )


@rule("THR-27", needs=["runs.streaming"])
def streaming_changes_nothing(execution: ExecutionView) -> Iterator[Finding]:
    """Streaming and non-streaming runs of one scenario send the same requests, leave the same thread and return the same content.

    Judged on twins within one scenario: two threads of one kind on one agent, whose runs say, choose and script the same, but those
    of one stream and those of the other do not. Ids are compared by their order. Leaves alone in which chunks an answer is
    streamed: a chunk may add to what came before, replace it, or be all that is streamed.
    """
    threads = list(dict.fromkeys(thread for _, thread, _ in execution.agent_runs()))
    for silent in threads:
        for streamed in threads:
            if _streams(execution, silent, False) and _streams(execution, streamed, True) and _twins(execution, silent, streamed):
                for first, second in zip(_runs_of(execution, silent), _runs_of(execution, streamed), strict=False):
                    yield from _same_run(execution, first, second)


@rule("THR-28")
def a_failed_run_leaves_a_local_thread_as_it_was(execution: ExecutionView) -> Iterator[Finding]:
    """A run that fails or is cancelled leaves a local thread as it was.

    Leaves alone: per-service-call persistence (PER-19), context state (THR-31), refused runs (THR-16), services that return ids
    nobody asked for (PER-32 ff.), stacks whose history is the caller's.
    """
    for run, thread, agent in execution.agent_runs():
        failed = run.ending in ("raised", "cancelled") and bool(run.calls)
        if not failed or kind_before(execution, run) != "local" or persistence_of(agent) != "per run" or agent.client_as_is:
            continue
        if agent.service.surprising or not undisputed(execution, run) or run.answered_requests:
            continue
        wrong = [*change(execution, run, thread, ("kind", "conversation_id", "messages")), *(at for at, _ in run.stored)]
        yield finding(
            not wrong,
            wrong[0] if wrong else run.events[-1][0],
            expected=f"thread {thread!r} as it was before the run",
            got="something of the failed run was kept",
            also=[run.at],
        )


def _same_next_request(execution: ExecutionView, restored: Restored, made: int) -> Iterator[Finding]:
    copy = next((run for run in execution.runs if run.thread == restored.thread), None)
    original = next((run for run in execution.runs if run.thread == restored.source and run.at > made), None)
    if copy is None or original is None or not _comparable(execution, copy) or not _comparable(execution, original):
        return
    if _asked(copy) != _asked(original) or copy.agent_name != original.agent_name:
        return
    pair = [(execution.heard(run.calls[0].request.messages), run.calls[0].request) for run in (copy, original) if run.calls]
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


def _comparable(execution: ExecutionView, run: RunView) -> bool:
    return run.agent.history == "default" and not accepted(execution, run) and run.ending not in ("refused", "unknown")


def _asked(run: RunView) -> tuple[object, ...]:
    assert isinstance(run.spec, Run)
    return run.spec.say, run.spec.store, run.spec.conversation_id, run.spec.stream


def _names(text: str, field: str) -> bool:
    """Whether a text names a field, not only some word that holds its letters."""
    return re.search(rf"(?<!\w){re.escape(field)}(?!\w)", text) is not None


def _damage_in(execution: ExecutionView, step: int) -> int | None:
    return next((at for at, event in execution.of(Damaged) if event.step == step), None)


def _same(restored: Restored, state: ThreadDescribed) -> bool:
    return all(getattr(restored, fact) == getattr(state, fact) for fact in ("kind", "conversation_id", "messages", "context"))


def _shown(execution: ExecutionView, state: ThreadDescribed, fact: str) -> str:
    value: object = getattr(state, fact)
    if isinstance(value, tuple):
        return show(execution.heard(state.messages or ()))
    return repr(value)


def _twins(execution: ExecutionView, plain: str, streamed: str) -> bool:
    scenario = execution.scenario
    alike = all(scenario.kind_of(each) == scenario.kind_of(plain) and execution.origin(each) is None for each in (plain, streamed))
    given = scenario.creation_of(plain).with_id == scenario.creation_of(streamed).with_id
    scripts = [[_but_for_streaming(run) for run in _runs_of(execution, each)] for each in (plain, streamed)]
    return alike and given and scenario.agent_name(plain) == scenario.agent_name(streamed) and scripts[0] == scripts[1] != []


def _streams(execution: ExecutionView, thread: str, stream: bool) -> bool:
    """Whether all runs of a thread stream, or none, and no script ran out: it would go on with texts that are never the same."""
    return all(
        isinstance(run.spec, Run)
        and run.spec.stream is stream
        and len(run.calls) <= len(run.spec.replies)
        and len(run.inner_calls) <= sum(len(replies) for replies in run.spec.inner.values())
        and run.ending != "unknown"
        for run in _runs_of(execution, thread)
    )


def _but_for_streaming(run: RunView) -> object:
    assert isinstance(run.spec, Run)
    return msgspec.structs.replace(run.spec, thread="", stream=False)


def _same_run(execution: ExecutionView, plain: RunView, streamed: RunView) -> Iterator[Finding]:
    told = [_told(execution, run) for run in (plain, streamed)]
    wrong = [what for what in told[0] if told[0][what] != told[1][what]]
    yield finding(
        not wrong,
        streamed.events[-1][0],
        expected="; ".join(f"{what} as without streaming: {told[0][what]}" for what in wrong),
        got="; ".join(f"{what} {told[1][what]}" for what in wrong),
        also=[plain.at, streamed.at],
    )


def _told(execution: ExecutionView, run: RunView) -> dict[str, str]:
    """What must not depend on streaming, with ids by their order on the thread."""
    requests = [(view.request.store, view.request.conversation_id, execution.heard(view.request.messages)) for view in run.calls]
    returned = [execution.heard(event.messages) for _, event in run.of(RunReturned)]
    left = [
        (each.kind, each.conversation_id, each.messages and execution.heard(each.messages))
        for _, each in states_after(execution, run)
    ]
    ending = run.raised[1].kind if run.raised else run.ending
    return {
        "requests": _by_order(execution, run, repr(requests)),
        "ending": ending,
        "response": _by_order(execution, run, repr(returned)),
        "thread": _by_order(execution, run, repr(left)),
    }


def _by_order(execution: ExecutionView, run: RunView, text: str) -> str:
    """A text in which the ids of a thread's calls and conversations are numbered by their order on the thread."""
    mine = [*execution.earlier(run), run]
    replies = [view.reply for each in mine for view in (*each.calls, *each.inner_calls) if view.reply]
    calls = [call.id for reply in replies for call in reply.message.calls]
    ids = [id for each in mine for id in (each.named_id, *(view.reply.conversation_id for view in each.calls if view.reply)) if id]
    given = execution.id_given(run.thread or "")
    names = {id: f"'conversation {place}'" for place, id in enumerate(dict.fromkeys([*([given] if given else []), *ids]))}
    names |= {id: f"'call {place}'" for place, id in enumerate(dict.fromkeys(calls))}
    return _QUOTED.sub(lambda found: names.get(found[0][1:-1], found[0]), text)


def _runs_of(execution: ExecutionView, thread: str) -> list[RunView]:
    return [run for run in execution.runs if run.thread == thread]
