"""Threads, several agents and long conversations: threads that move, reducers, who looks, agents as tools (THR-33 to THR-37)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import accepted, local_history, stored_after
from conformance.rules.parts import but_for_empty, how_they_differ, within
from conformance.rules.preconditions import (
    DISPUTED,
    abandoned,
    after,
    after_another_history,
    bounded_history,
    called_the_service,
    callers_history,
    contradicting,
    failed_after_an_answer,
    failed_at_an_undeclared_time,
    failed_before_it_had_a_kind,
    forked,
    on_hosted_thread,
    on_local_thread,
    refused_for_an_open_call,
    resumed,
    says_when_it_persists,
    succeeded,
    thread_run,
)
from conformance.rules.repairs import repaired
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import RunView, latest_id
from conformance.rules.threads.inner_agents import (
    InnerRequest,
    calls_an_agent,
    ids_of_the_thread,
    inherited,
    inner_request,
    leaks,
)
from conformance.rules.threads.looks import (
    Look,
    begun_look,
    hosted_then,
    kind_then,
    local_then,
    of_look,
    of_no_certain_kind,
    seen_thread,
    shows_no_messages,
)
from conformance.rules.threads.requests import after_another_agent
from conformance.rules.wording import outcome, show
from conformance.trace.adapter_events import Observed, Serialized, ThreadDescribed
from conformance.trace.harness_events import ContextInvoking, HistoryAppended, HistoryLoaded, ServiceCalled, Tampered
from conformance.trace.messages import Message, Part

# --- what the rules of this section look at, and leave alone ---


@condition
def terminated_as_nobody_declared(execution: ExecutionView, run: RunView) -> bool:
    """A tool ended the loop, and the implementation does not say whether the trailing result is kept, or when (PER-14, PER-15)."""
    declared = execution.policies.trailing_result is not None and says_when_it_persists(execution, run)
    return run.terminated and not declared


UNKNOWN_THREAD_HISTORY = (
    bounded_history,
    after(abandoned),
    after(terminated_as_nobody_declared),
    after(failed_at_an_undeclared_time),
    after(failed_after_an_answer),
    after(failed_before_it_had_a_kind),
    after_another_history,
)
"""Where the configuration matrix does not say which messages are on a thread that keeps its own when a run begins."""


@condition
def in_a_conversation(execution: ExecutionView, run: RunView) -> bool:
    """The thread has a conversation id when the run begins."""
    return execution.id_before(run) is not None


@condition
def observed(_: ExecutionView, run: RunView) -> bool:
    """Something looks at the thread before and after every run of the agent."""
    return run.agent.observed


Showing = ThreadDescribed | Serialized | ServiceCalled | HistoryLoaded | HistoryAppended
"""What shows a thread: itself, its data, its requests or its history."""


@dataclass(frozen=True)
class Shown:
    """Something that shows what a thread holds, after its caller changed the messages that are its own; places in the trace."""

    tampered_at: int
    tampered: Tampered
    at: int
    event: Showing


@selection
def shown_after_tampering(execution: ExecutionView) -> Iterator[Shown]:
    """What shows the thread, its data, its history or its requests, after the caller changed messages of its own."""
    for tampered_at, tampered in execution.of(Tampered):
        for at, event in enumerate(execution.trace.events):
            if at > tampered_at and isinstance(event, Showing) and _shows(execution, event, tampered.thread):
                yield Shown(tampered_at, tampered, at, event)


# --- the rules ---


@rule(
    "THR-33",
    needs=["threads.shared"],
    each=thread_run,
    when=[after_another_agent, on_local_thread],
    leaves_alone=[*DISPUTED, callers_history, *UNKNOWN_THREAD_HISTORY, refused_for_an_open_call],
    aspects=["refused", "missing", "repeated", "foreign", "order"],
)
def a_local_thread_moves_with_its_history(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A local thread that is passed from one agent to another shows the other the whole conversation."""
    seen = but_for_empty(execution.spoken(run.calls[0].request.messages if run.calls else (), run.agent))
    whole = repaired(but_for_empty(local_history(execution, run) + run.inputs), seen)
    yield finding(
        bool(run.calls) and seen == whole,
        run.sign,
        how_they_differ(seen, whole) if run.calls else "refused",
        expected=f"on agent {run.agent_name!r}, all of thread {run.thread!r}: {show(whole)}",
        got=f"the model sees {show(seen)}" if run.calls else outcome(run),
        also=[other.at for other in execution.earlier(run) if other.calls],
    )


@clause(
    each=thread_run,
    when=[bounded_history, called_the_service, on_hosted_thread, in_a_conversation],
    leaves_alone=[forked],
)
def a_reducer_leaves_hosted_threads_alone(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """On a hosted thread a reducer has no effect: a request carries what is new."""
    sent = execution.spoken(run.sent_in(run.calls[0]), run.agent)
    yield finding(
        sent == run.inputs,
        run.calls[0].at,
        "effect on a hosted thread",
        expected=f"only {show(run.inputs)}",
        got=f"messages {show(sent)}",
    )


@rule(
    "THR-34",
    level="SHOULD",
    needs=["threads.reducer"],
    each=thread_run,
    when=[bounded_history, called_the_service, ~on_hosted_thread],
    leaves_alone=[contradicting, callers_history],
    also=[a_reducer_leaves_hosted_threads_alone],
    aspects=["too many", "input lost", "call split", "cut though it fits", "order", "effect on a hosted thread"],
)
def a_reducer_bounds_what_is_sent(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A reducer on a local thread bounds what is sent, splits no call from its result and keeps the newest input.

    Where the new input alone is more than the declared size, it is sent alone; what fits is sent whole. On a hosted thread a
    reducer is refused or has no effect. Judged at the first request of each run; whether what context providers add and
    instructions count is left open.
    """
    first, size = run.calls[0], run.agent.reduces_to
    assert size is not None
    most = max(size, _least(run))
    sent = execution.spoken(first.request.messages, run.agent)
    count = sum(1 for message in first.request.messages if execution.spoken([message], run.agent))
    aspect = ""
    if count > most:
        aspect = "too many"
    elif sent[len(sent) - len(run.inputs) :] != run.inputs:
        aspect = "input lost"
    elif _split(sent, local_history(execution, run)):
        aspect = "call split"
    elif _settled(execution, run):
        aspect = _how_it_is_cut(sent, local_history(execution, run) + run.inputs, size - _beside(execution, run))
    yield finding(
        not aspect,
        first.at,
        aspect,
        expected=f"at most {most} messages in order, {show(run.inputs)} last, every call with its result",
        got=f"{count} messages: {show(sent)}",
    )


@clause(each=begun_look, when=of_look(observed))
def looking_calls_no_service(execution: ExecutionView, look: Look) -> Iterator[Finding]:
    """While somebody looks at a thread no service is called."""
    end = next((at for at, _ in look.run.own(Observed) if at > look.at), len(execution.trace.events))
    calls = [at for at, _ in look.run.of(ServiceCalled) if look.at < at < end]
    at = calls[0] if calls else look.at
    yield finding(not calls, at, "service call", expected="a look without a service call", got="a call", also=[look.at])


@clause(each=seen_thread, when=of_look(succeeded), leaves_alone=[*of_look(resumed, *DISPUTED), of_no_certain_kind])
def who_looks_sees_kind_and_id(execution: ExecutionView, look: Look) -> Iterator[Finding]:
    """Who looks at a thread sees its kind and its conversation id."""
    seen, run, kind = look.event, look.run, kind_then(execution, look)
    assert isinstance(seen, Observed)
    before = execution.id_before(run)
    id = before if seen.moment == "before" else latest_id([run]) or before
    right = seen.kind in (None, kind)
    yield finding(
        right and seen.conversation_id in (None, id),
        look.at,
        "another id" if right else "wrong kind",
        expected=f"a thread that is {kind}, with conversation {id}",
        got=f"one that is {seen.kind}, with conversation {seen.conversation_id}",
        also=[run.at],
    )


@clause(each=seen_thread, when=[*of_look(succeeded), hosted_then])
def who_looks_sees_metadata(execution: ExecutionView, look: Look) -> Iterator[Finding]:
    """Who looks at a hosted thread sees no messages."""
    messages = look.event.messages if isinstance(look.event, Observed) else None
    yield finding(
        not messages,
        look.at,
        "messages of a hosted thread",
        expected="the metadata of a hosted thread",
        got=f"messages {show(execution.heard(messages or ()))}",
        also=[look.run.at],
    )


@clause(
    each=seen_thread,
    when=[*of_look(succeeded), local_then],
    leaves_alone=[
        shows_no_messages,
        *of_look(terminated_as_nobody_declared, resumed, contradicting, *UNKNOWN_THREAD_HISTORY),
    ],
)
def who_looks_sees_messages(execution: ExecutionView, look: Look) -> Iterator[Finding]:
    """Who looks at a local thread sees its messages, as they are then."""
    seen, run = look.event, look.run
    assert isinstance(seen, Observed)
    expected = but_for_empty(local_history(execution, run) + (stored_after(run) if seen.moment == "after" else []))
    got = but_for_empty(execution.spoken(seen.messages or (), run.agent))
    yield finding(
        got == expected,
        look.at,
        "other messages",
        expected=f"the thread's messages: {show(expected)}",
        got=f"messages {show(got)}",
        also=[run.at],
    )


@rule(
    "THR-35",
    needs=["threads.observe"],
    each=thread_run,
    when=[observed],
    leaves_alone=[resumed],
    also=[looking_calls_no_service, who_looks_sees_kind_and_id, who_looks_sees_metadata, who_looks_sees_messages],
    aspects=[
        "no look",
        "several looks",
        "service call",
        "wrong kind",
        "another id",
        "messages of a hosted thread",
        "other messages",
    ],
)
def looking_shows_and_changes_nothing(_: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Who looks at a thread sees, on a local one, its messages before and after the run, on a hosted one its metadata alone.

    And looking never causes a service call. After a run that failed nobody need look.
    """
    seen = [event.moment for _, event in run.own(Observed)]
    for moment in ("before", "after"):
        if run.succeeded or (moment == "before" and run.calls):
            looks = seen.count(moment)
            aspect = "several looks" if looks else "no look"
            yield finding(looks == 1, run.at, aspect, expected=f"one look {moment} the run", got=f"{looks} looks")


@rule(
    "THR-36",
    needs=["runs.tamper"],
    each=shown_after_tampering,
    aspects=["input changed", "response changed", "data changed"],
)
def a_thread_keeps_its_own_copies(_: ExecutionView, shown: Shown) -> Iterator[Finding]:
    """What a thread stored is its own: whatever the caller changes afterwards changes neither the thread nor its next request.

    The caller changes its input messages, the response and its messages. Exercised by what is seen of the thread after that.
    """
    text = shown.tampered.text
    yield finding(
        not _holds(shown.event, text),
        shown.at,
        _what_changed(shown.event, text),
        expected=f"nothing of what the caller wrote over the messages of thread {shown.tampered.thread!r}",
        got=f"{text!r}",
        also=[shown.tampered_at],
    )


@clause(each=inner_request)
def an_inner_agent_gets_its_task_alone(execution: ExecutionView, inner: InnerRequest) -> Iterator[Finding]:
    """An agent that is a tool is sent its task, and nothing of the conversation that it is called from."""
    request, run = inner.call.request, inner.run
    known, id = inherited(execution, inner), request.conversation_id
    yield finding(
        not known and id not in ids_of_the_thread(execution, run),
        inner.call.at,
        "inherited messages" if known else "inherited id",
        expected=f"agent {request.agent!r}, as a tool, with its task alone",
        got=f"of thread {run.thread!r}: {show(known)}" if known else f"its conversation {id!r}",
        also=[run.at],
    )


@rule(
    "THR-37",
    level="SHOULD",
    needs=["agents.as_tool"],
    each=thread_run,
    when=[calls_an_agent],
    also=[an_inner_agent_gets_its_task_alone],
    aspects=["inherited messages", "inherited id", "id taken over", "sent outside", "stored outside", "foreign context"],
)
def an_agent_as_a_tool_keeps_to_itself(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """An agent used as a tool neither inherits nor overwrites the outer conversation id, nor stores into the outer thread.

    And it is not sent the outer conversation, but its task. What is equal on both sides may stand on either; for threads that are
    shared on purpose scenarios have no word.
    """
    found = leaks(execution, run)
    yield finding(
        not found,
        found[0][0] if found else run.at,
        found[0][1] if found else "",
        expected=f"thread {run.thread!r} and its requests without anything of the inner agent's own conversation",
        got="the inner agent's conversation id, messages of its own or its context state",
        also=[view.at for view in run.inner_calls],
    )


# --- what they compare ---


def _settled(execution: ExecutionView, run: RunView) -> bool:
    """Whether every earlier run came to its end on this agent, and nobody meddled with the thread since."""
    earlier = execution.earlier(run)
    if not all(other.succeeded and other.agent_name == run.agent_name and not other.terminated for other in earlier):
        return False
    return not (accepted(execution, run) or forked(execution, run) or execution.tampered(run))


def _least(run: RunView) -> int:
    """How many messages a request holds at least: the new input, and the calls whose results it brings."""
    return len(run.inputs) + bool(run.supplied)


def _beside(execution: ExecutionView, run: RunView) -> int:
    """How many messages a reducer may count beside the conversation: instructions, and what context providers add."""
    runs = [*execution.earlier(run), run] if execution.policies.injected_messages == "stored" else [run]
    added = sum(len(event.adds) for each in runs for _, event in each.own(ContextInvoking))
    return added + sum(1 for message in run.calls[0].request.messages if message.role == "system")


def _split(sent: Sequence[Part], history: Sequence[Part]) -> bool:
    """Whether a call stands without the result that history has of it, or a result without its call."""
    calls = {part[1] for part in sent if part[0] == "call"}
    results = {part[1] for part in sent if part[0] == "result"}
    known = {part[1] for part in history if part[0] == "result"}
    return bool((calls & known) - results or results - calls)


def _how_it_is_cut(sent: Sequence[Part], whole: Sequence[Part], size: int) -> str:
    """What is wrong with what is left of a conversation; empty where nothing is."""
    if len(whole) <= size and sent != whole:
        return "cut though it fits"
    return "" if within([part for part in sent if part in whole], whole) else "order"


def _shows(execution: ExecutionView, event: Showing, thread: str) -> bool:
    """Whether an event shows a thread, or one of the same origin."""
    if isinstance(event, (ThreadDescribed, Serialized)):
        return execution.related(event.thread, thread)
    shown = [run.thread for run in execution.runs if run.number == event.run and run.thread is not None]
    return any(execution.related(other, thread) for other in shown)


def _holds(shown: Message | Showing, text: str) -> bool:
    """Whether a text stands anywhere in something."""
    return msgspec.json.encode(text)[1:-1] in msgspec.json.encode(shown)


def _what_changed(shown: Showing, text: str) -> str:
    """The aspect in which a thread holds what its caller wrote: whose message became that."""
    messages = () if isinstance(shown, Serialized) else shown.messages or ()
    held = shown.held if isinstance(shown, ServiceCalled) else ()
    roles = {message.role for message in (*held, *messages) if _holds(message, text)}
    return "input changed" if "user" in roles else "response changed" if roles else "data changed"
