"""Threads, state: as data and restored, isolated from each other, and as they were after a failure (THR-21 to THR-28)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView, alike, change, same_data
from conformance.rules.model import persistence_of, timing_of
from conformance.rules.preconditions import (
    failed_after_a_request,
    failed_at_an_undeclared_time,
    on_local_thread,
    resumed,
    thread_run,
    with_provider,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import CallView, RunView
from conformance.rules.threads.restorations import (
    FACTS,
    Malformed,
    NextRuns,
    Restoration,
    answered_meanwhile,
    asked_for_the_same,
    compared_requests,
    either,
    fault_of_refusal,
    fault_of_thread,
    malformed_data,
    next_runs,
    restoration,
    shown_fact,
)
from conformance.rules.threads.streaming_pairs import StreamingPair, asked_alike, differences, script_ran_out, streaming_pair
from conformance.rules.wording import error, outcome, show
from conformance.trace.adapter_events import Raised, RunReturned, Serialized, ThreadDescribed
from conformance.trace.harness_events import ContextInvoked, ContextInvoking, DataChanged
from conformance.trace.messages import Message, Part

# --- what the rules of this section look at, and leave alone ---


@selection
def serialized_thread(execution: ExecutionView) -> Iterator[tuple[int, Serialized]]:
    """A thread that was turned into data."""
    yield from execution.of(Serialized)


@selection
def changed_data(execution: ExecutionView) -> Iterator[tuple[int, DataChanged]]:
    """Data of a thread that is not what it was any more."""
    yield from execution.of(DataChanged)


@condition
def with_relatives(execution: ExecutionView, run: RunView) -> bool:
    """The run's thread had become data before, or another thread of one origin was there."""
    step = execution.trace.events[run.at].step
    serialized = any(event.step < step and event.thread == run.thread for _, event in execution.of(Serialized))
    return serialized or bool(_relatives(execution, run))


@condition
def strangers_ran(execution: ExecutionView, run: RunView) -> bool:
    """A run of the same agent on a thread of another origin began before this one ended."""
    return any(other.at < run.events[-1][0] for other in _strangers(execution, run))


@condition
def shows_what_was_given(_: ExecutionView, run: RunView) -> bool:
    """The run returned, and what became of the caller's messages and options is shown."""
    return any(event.given is not None for _, event in run.of(RunReturned)[:1])


@condition
def set_to_persist_per_run(_: ExecutionView, run: RunView) -> bool:
    """The agent's history is appended once, at the end of a run, or as the implementation does it by itself."""
    return persistence_of(run.agent) == "per run"


# --- the rules ---

_OBJECT = re.compile(r"<[^<>]*\bat (?:id-\d+|0x[0-9a-fA-F]+)>|<class '[\w.]+'>")
"""What a live object is as text; its address is not stable, so that the trace names it by a number."""


@rule("THR-21", needs=["threads.serialize"], each=serialized_thread, aspects=["not JSON", "changed by JSON", "live object"])
def serialized_threads_are_plain_data(_: ExecutionView, serialized: tuple[int, Serialized]) -> Iterator[Finding]:
    """A serialized thread is plain JSON data: no clients, stores or providers, and the same after a round trip through JSON."""
    at, event = serialized
    live = _OBJECT.search(json.dumps(event.data)) if event.flaw is None else None
    flaw = "changed by JSON" if "round trip" in (event.flaw or "") else "not JSON"
    yield finding(
        event.flaw is None and live is None,
        at,
        "live object" if live else flaw,
        expected="plain JSON data",
        got=event.flaw or (f"a text that was an object: {live[0]}" if live else ""),
    )


@clause(
    each=next_runs,
    when=[asked_for_the_same],
    leaves_alone=[either(with_provider), answered_meanwhile],
)
def the_next_request_is_the_same(execution: ExecutionView, runs: NextRuns) -> Iterator[Finding]:
    """The next request of a restored thread equals the next one of its original, where both go on in the same way."""
    copy, original = runs.copy, runs.original
    if copy.calls and original.calls:
        yield compared_requests(execution, copy.calls[0], original.calls[0])
    elif copy.calls or original.calls or (copy.raised is None) != (original.raised is None):
        refused = bool(original.calls) or (copy.raised is not None and not copy.calls)
        yield finding(
            False,
            copy.at,
            "refused" if refused else "not refused",
            expected="that both threads send a request, or neither does",
            got=f"of the restored thread: {outcome(copy)}; of its original: {outcome(original)}",
        )


@rule(
    "THR-22",
    needs=["threads.serialize"],
    each=restoration,
    also=[the_next_request_is_the_same],
    aspects=["wrong kind", "another id", "other messages", "other context", "other store", "refused", "not refused"],
)
def a_restored_thread_behaves_the_same(execution: ExecutionView, restored: Restoration) -> Iterator[Finding]:
    """A restored thread has the kind, id, messages and context state of the original, and its next request is the original's next.

    What another agent shows of its messages and its context state is that agent's business.
    """
    before, after = restored.before, restored.after
    names = [execution.scenario.agent_name(thread) for thread in (restored.event.thread, restored.event.source)]
    facts = FACTS if names[0] == names[1] else {fact: FACTS[fact] for fact in ("kind", "conversation_id")}
    wrong = [fact for fact in facts if not same_data(getattr(after, fact), getattr(before, fact))]
    yield finding(
        not wrong,
        restored.shown_at,
        FACTS[wrong[0]] if wrong else "",
        expected=f"thread {restored.event.thread!r} as {restored.event.source!r} was when it became data",
        got="; ".join(shown_fact(execution, fact, after, before) for fact in wrong),
        also=[restored.at],
    )


@clause(each=changed_data)
def data_does_not_change(_: ExecutionView, changed: tuple[int, DataChanged]) -> Iterator[Finding]:
    """Whatever is done to a thread afterwards, the data that was made of it stays what it was."""
    at, event = changed
    expected = f"the data of thread {event.source!r}, whatever is done after it was made"
    yield finding(False, at, "data changed", expected=expected, got="the data is not what it was")


@rule(
    "THR-23",
    needs=["threads.serialize"],
    each=thread_run,
    when=[with_relatives],
    also=[data_does_not_change],
    aspects=["data changed", "another thread changed"],
)
def restored_threads_are_independent(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Restoring gives threads that are independent of each other, of the original and of the data: changing one changes no other.

    What the service or a history provider keeps for both is no part of a thread.
    """
    relatives, step = _relatives(execution, run), execution.trace.events[run.at].step
    touched = [
        at
        for at, event in execution.of(ThreadDescribed)
        if event.step == step and event.thread in relatives and not _as_before(execution, at, event)
    ]
    yield finding(
        not touched,
        touched[0] if touched else run.at,
        "another thread changed",
        expected=f"a run on thread {run.thread!r} that does not change {', '.join(sorted(relatives)) or 'another'}",
        got="another thread is not what it was before this run",
        also=[run.at],
    )


@rule(
    "THR-24",
    needs=["threads.serialize"],
    each=malformed_data,
    aspects=["not refused", "half-built", "wrong kind of error", "not named", "changed"],
)
def malformed_data_is_invalid(execution: ExecutionView, malformed: Malformed) -> Iterator[Finding]:
    """Malformed data raises an error of kind invalid that names the field, and no half-built thread is returned.

    Malformed is what lacks, or has of another type, something that the thread certainly held: its kind, its id, what was said. A
    field too many may be refused or ignored.
    """
    damage, end = malformed.damage, malformed.end
    what = f"{damage.how} at {damage.path}"
    if isinstance(end, Raised):
        aspect = fault_of_refusal(end, damage)
        expected, got = f"that names {' or '.join(damage.fields) or 'what is wrong'} ({what})", error(end)
    else:
        aspect = fault_of_thread(execution, malformed, end)
        expected = f"({what})"
        got = f"a thread that cannot be described: {end.flaw}" if end.flaw else f"a thread of kind {end.kind}"
    yield finding(
        not aspect, malformed.end_at, aspect, expected=f"an error of kind invalid {expected}", got=got, also=[malformed.at]
    )


@clause(each=thread_run, when=[strangers_ran])
def context_state_is_isolated(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """The state that a context provider is handed has seen no runs of other threads."""
    told = [at for each in _family(execution, run) for at, _ in each.own(ContextInvoked)]
    strange = [at for each in _strangers(execution, run) for at, _ in each.own(ContextInvoked)]
    for at, event in run.own(ContextInvoking):
        # a run that waits is told of each time; what providers of one agent do to each other is THR-30's
        runs, most = event.state.get("runs", 0), sum(1 for each in told if each < at)
        if any(each < at for each in strange):
            yield finding(
                runs <= most,
                at,
                "foreign context",
                expected=f"context state of thread {run.thread!r} alone, which was told of {most} runs",
                got=f"a state that has seen {runs} runs",
            )


@rule(
    "THR-25",
    each=thread_run,
    when=[strangers_ran],
    also=[context_state_is_isolated],
    aspects=["foreign", "another id", "foreign context"],
)
def threads_are_isolated(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Threads on one agent never see each other's messages, ids or context state, also when their runs interleave.

    Exercised by what follows something of another thread. What a thread sees of itself is in THR-05, THR-06 and THR-10; of threads
    with one origin speaks THR-23.
    """
    for view in run.calls:
        foreign, foreign_ids = _foreign_before(execution, run, view)
        if not (foreign or foreign_ids):
            continue
        seen = execution.spoken([*view.request.held, *view.request.messages], run.agent)
        strange = [part for part in dict.fromkeys(seen) if part in foreign]
        id = view.request.conversation_id
        yield finding(
            not strange and id not in foreign_ids,
            view.at,
            "foreign" if strange else "another id",
            expected=f"a request with nothing of another thread than {run.thread!r}",
            got=f"messages of another thread: {show(strange)}" if strange else f"another thread's conversation {id!r}",
        )


@rule(
    "THR-26",
    needs=["runs.inputs"],
    each=thread_run,
    when=[shows_what_was_given],
    aspects=["messages changed", "store changed", "id changed"],
)
def the_callers_input_is_not_changed(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """The caller's input messages and options are not changed by a run.

    Where the scenario leaves out the option `store`, it may have any value: some adapters must say it then.
    """
    at, event = run.of(RunReturned)[0]
    given = event.given
    assert given is not None
    supplied = [Message(role="tool", results=run.supplied)] if run.supplied else []
    whole = given.messages == (*supplied, *(Message(role="user", text=text) for text in run.spec.say))
    same_store = run.store in (None, given.store)
    yield finding(
        whole and same_store and given.conversation_id == run.named_id,
        at,
        "messages changed" if not whole else "id changed" if same_store else "store changed",
        expected=f"what the caller handed over: {show(run.inputs)} and its options",
        got=f"messages {show(execution.heard(given.messages))}, store={given.store}, conversation id {given.conversation_id}",
        also=[run.at],
    )


@rule(
    "THR-27",
    needs=["runs.streaming"],
    each=streaming_pair,
    when=[asked_alike],
    leaves_alone=[script_ran_out],
    aspects=["other requests", "other ending", "other response", "other thread"],
)
def streaming_changes_nothing(execution: ExecutionView, pair: StreamingPair) -> Iterator[Finding]:
    """Streaming and non-streaming runs of one scenario send the same requests, leave the same thread and return the same content.

    Ids are compared by their order. In which chunks an answer is streamed does not matter: a chunk may add to what came before,
    replace it, or be all that is streamed.
    """
    for plain, streamed in zip(pair.plain, pair.streamed, strict=True):
        wrong = differences(execution, plain, streamed)
        yield finding(
            not wrong,
            streamed.events[-1][0],
            f"other {next(iter(wrong), '')}",
            expected="; ".join(f"{what} as without streaming: {told}" for what, (told, _) in wrong.items()),
            got="; ".join(f"{what} {told}" for what, (_, told) in wrong.items()),
            also=[plain.at, streamed.at],
        )


@rule(
    "THR-28",
    each=thread_run,
    when=[failed_after_a_request, on_local_thread, set_to_persist_per_run],
    leaves_alone=[resumed, failed_at_an_undeclared_time],
    aspects=["turn kept", "wrong kind", "another id"],
)
def a_failed_run_leaves_a_local_thread_as_it_was(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A run that fails or is cancelled leaves a local thread as it was.

    What per-service-call persistence keeps of it is in PER-19, what is kept in steps of the implementation's own, in PER-57 and
    PER-62; what context providers make of it, in THR-31.
    """
    in_steps = timing_of(run) == "incremental"
    stored = [] if in_steps else [at for at, _ in run.stored]
    facts = {"kind": "wrong kind", "conversation_id": "another id", **({} if in_steps else {"messages": "turn kept"})}
    wrong = [*change(execution, run, run.thread or "", tuple(facts)), *stored]
    aspects = [aspect for fact, aspect in facts.items() if change(execution, run, run.thread or "", (fact,))]
    yield finding(
        not wrong,
        wrong[0] if wrong else run.events[-1][0],
        aspects[0] if aspects else "turn kept",
        expected=f"thread {run.thread!r} as it was before the run",
        got="something of the failed run was kept",
        also=[run.at],
    )


# --- what they compare ---


def _as_before(execution: ExecutionView, at: int, state: ThreadDescribed) -> bool:
    """Whether a thread is described as it was before."""
    before = execution.described(state.thread, before=at)
    return before is not None and alike(state, before)


def _used_with(execution: ExecutionView, run: RunView) -> set[str | None]:
    """The threads that are run on in the step of a run, its own too."""
    step = execution.trace.events[run.at].step
    return {other.thread for other in execution.runs if execution.trace.events[other.at].step == step}


def _relatives(execution: ExecutionView, run: RunView) -> set[str]:
    """The threads of one origin with the run's that were there before its step, and are not run on in it."""
    step = execution.trace.events[run.at].step
    exist = {event.thread for _, event in execution.of(ThreadDescribed) if event.step < step}
    return {other for other in exist - _used_with(execution, run) if execution.related(run.thread or "", other)}


def _strangers(execution: ExecutionView, run: RunView) -> list[RunView]:
    """The runs of the same agent on threads of another origin."""
    threads = [other for other in execution.runs if other.thread is not None and other.agent_name == run.agent_name]
    return [other for other in threads if not execution.related(other.thread or "", run.thread or "")]


def _family(execution: ExecutionView, run: RunView) -> list[RunView]:
    """The runs on threads of one origin with the run's."""
    threads = [other for other in execution.runs if other.thread is not None]
    return [other for other in threads if execution.related(other.thread or "", run.thread or "")]


def _foreign_before(execution: ExecutionView, run: RunView, view: CallView) -> tuple[set[Part], set[str]]:
    """What other threads than the run's had said alone before a request, and the conversation ids that they alone had."""
    family = _family(execution, run)
    others = [other for other in _strangers(execution, run) if other.at < view.at]
    said, own = _said_in(others, view.request.call), _said_in(family)
    asked = {part[1] for part in own if part[0] == "call"}
    unanswered = {part for part in said if part[0] == "result" and len(part) == 2 and part[1] in asked}
    # a rejection or an error has no value that could tell whose it is, and a service may give two threads one call id
    return said - own - unanswered, _ids_of(others, view.request.call) - _ids_of(family)


def _said_in(runs: list[RunView], before: int | None = None) -> set[Part]:
    """Everything that was said in runs; before: until this call number."""
    return {part for run in runs for part in run.happened(before=before)}


def _ids_of(runs: list[RunView], before: int | None = None) -> set[str]:
    """The conversation ids that the replies in runs carried; before: until this call number."""
    replies = [view.reply for run in runs for view in run.calls if view.reply and (before is None or view.request.call < before)]
    return {id for reply in replies if (id := reply.conversation_id)}
