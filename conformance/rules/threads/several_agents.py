"""The threads rules about several agents and long conversations: a thread that moves, reducers, agents as tools."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from conformance.rules.execution_view import ExecutionView, states_after
from conformance.rules.model import (
    accepted,
    contradicts,
    history_known,
    kind_after,
    kind_before,
    local_history,
    persistence_of,
    stored_after,
    undisputed,
)
from conformance.rules.parts import once_in_order, within
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView, latest_id
from conformance.rules.wording import outcome, show
from conformance.scenario.specs import AgentSpec
from conformance.trace.adapter_events import Observed, Serialized, ThreadDescribed
from conformance.trace.harness_events import HistoryAppended, HistoryLoaded, Observing, ServiceCalled, Tampered
from conformance.trace.messages import Message, Part
from conformance.trace.trace import AnyEvent

_SHOWING = (ThreadDescribed, Serialized, ServiceCalled, HistoryLoaded, HistoryAppended)


@rule("THR-33", needs=["threads.shared"])
def a_local_thread_moves_with_its_history(execution: ExecutionView) -> Iterator[Finding]:
    """A local thread that is passed from one agent to another shows the other the whole conversation.

    Leaves alone: hosted threads (THR-04), history that a provider of one agent keeps, contradicting options.
    """
    for run, thread, agent in execution.agent_runs():
        before = [other for other in execution.earlier(run) if other.calls]
        moved = any(other.agent_name != run.agent_name for other in before)
        plain = undisputed(execution, run) and not agent.service.surprising
        if not moved or kind_before(execution, run) != "local" or not plain or not history_known(execution, run):
            continue
        history = local_history(execution, run)
        first = run.calls[0] if run.calls else None
        seen = execution.spoken(first.request.messages, agent) if first else []
        allowed = Counter(history) + Counter(run.inputs)
        yield finding(
            first is not None and once_in_order(seen, history + run.inputs, allowed),
            run.sign,
            expected=f"on agent {run.agent_name!r}, all of thread {thread!r}: {show(history + run.inputs)}",
            got=f"the model sees {show(seen)}" if first else outcome(run),
            also=[other.at for other in before],
        )


@rule("THR-34", level="SHOULD", needs=["threads.reducer"])
def a_reducer_bounds_what_is_sent(execution: ExecutionView) -> Iterator[Finding]:
    """A reducer on a local thread bounds what is sent, splits no call from its result and keeps the newest input.

    What fits the declared size is sent whole. On a hosted thread it is refused or has no effect. Judged at the first request of
    each run; what context providers add and instructions do not count.
    """
    for run, _, agent in execution.agent_runs():
        size = agent.reduces_to
        if size is None or contradicts(execution, run) or not run.calls or run.ending in ("refused", "unknown"):
            continue
        first = run.calls[0]
        sent = execution.spoken(first.request.messages, agent)
        if kind_before(execution, run) == "hosted":
            known = execution.id_before(run) is not None
            got = f"messages {show(sent)}"
            yield finding(not known or sent == run.inputs, first.at, expected=f"only {show(run.inputs)}", got=got)
            continue
        if agent.service.surprising or persistence_of(agent) == "not":
            continue
        count = sum(1 for message in first.request.messages if not _aside(execution, message, agent))
        whole = local_history(execution, run) + run.inputs if _settled(execution, run) else None
        lost = whole is not None and len(whole) <= size and sent != whole
        garbled = whole is not None and not within([part for part in sent if part in whole], whole)
        kept = sent[len(sent) - len(run.inputs) :] == run.inputs
        yield finding(
            count <= max(size, len(run.inputs))
            and kept
            and not _split(sent, local_history(execution, run))
            and not (lost or garbled),
            first.at,
            expected=f"at most {size} messages in order, {show(run.inputs)} last, every call with its result",
            got=f"{count} messages: {show(sent)}",
        )


@rule("THR-35", needs=["threads.observe"])
def looking_shows_and_changes_nothing(execution: ExecutionView) -> Iterator[Finding]:
    """Who looks at a thread sees, on a local one, its messages before and after the run, on a hosted one its metadata alone.

    And looking never causes a service call. Leaves alone: the look after a run that failed, runs that waited for approvals,
    messages that a provider keeps, and threads on which options that contradict were let through.
    """
    for run, _, agent in execution.agent_runs():
        if not agent.observed or run.answered_requests or run.ending in ("refused", "unknown", "waiting"):
            continue
        if not undisputed(execution, run):
            continue
        for at, _ in run.own(Observing):
            end = next((where for where, _ in run.own(Observed) if where > at), len(execution.trace.events))
            calls = [where for where, _ in run.of(ServiceCalled) if at < where < end]
            yield finding(not calls, calls[0] if calls else at, expected="a look without a service call", got="a call", also=[at])
        for moment in ("before", "after"):
            looks = [(at, seen) for at, seen in run.own(Observed) if seen.moment == moment]
            if run.succeeded or (moment == "before" and run.calls):
                yield finding(len(looks) == 1, run.at, expected=f"one look {moment} the run", got=f"{len(looks)} looks")
            for at, seen in looks if run.succeeded else ():
                yield from _seen(execution, run, moment, at, seen)


@rule("THR-36", needs=["runs.tamper"])
def a_thread_keeps_its_own_copies(execution: ExecutionView) -> Iterator[Finding]:
    """What a thread stored is its own: whatever the caller changes afterwards changes neither the thread nor its next request.

    The caller changes its input messages, the response and its messages. Exercised by what is seen of the thread after that.
    """
    for at, tampered in execution.of(Tampered):
        text = json.dumps(tampered.text)[1:-1]
        for where, event in enumerate(execution.trace.events):
            if where > at and isinstance(event, _SHOWING) and _concerns(execution, event, tampered.thread):
                yield finding(
                    text not in msgspec.json.encode(event).decode(),
                    where,
                    expected=f"nothing of what the caller wrote over the messages of thread {tampered.thread!r}",
                    got=f"{tampered.text!r}",
                    also=[at],
                )


@rule("THR-37", level="SHOULD", needs=["agents.as_tool"])
def an_agent_as_a_tool_keeps_to_itself(execution: ExecutionView) -> Iterator[Finding]:
    """An agent used as a tool neither inherits nor overwrites the outer conversation id, nor stores into the outer thread.

    And it is not sent the outer conversation, but its task. Leaves alone what is equal on both sides, and threads that are
    shared on purpose, for which scenarios have no word.
    """
    for run, thread, _ in execution.agent_runs():
        if not run.inner_calls:
            continue
        mine = [*execution.earlier(run), run]
        told = [view for each in execution.runs for view in each.inner_calls if each.thread is not None]
        outer = {part for each in mine for part in each.happened()}
        outer_ids = {view.reply.conversation_id for each in mine for view in each.calls if view.reply}
        outer_ids = (outer_ids | {execution.id_given(thread), execution.id_before(run)}) - {None}
        inner_ids = {view.reply.conversation_id for view in run.inner_calls if view.reply} - {None}
        asking = [view.reply for each in execution.runs if each.thread is not None for view in each.calls if view.reply]
        tasks = {text for reply in asking for call in reply.message.calls for text in call.arguments.values()}
        replies = {part for view in told if view.reply for part in execution.heard([view.reply.message])}
        for view in run.inner_calls:
            seen = execution.heard([*view.request.held, *view.request.messages])
            inherited = [part for part in seen if part in outer - replies and part[1] not in tasks]
            id = view.request.conversation_id
            yield finding(
                not inherited and id not in outer_ids,
                view.at,
                expected=f"agent {view.request.agent!r}, as a tool, with its task alone",
                got=f"of thread {thread!r}: {show(inherited)}" if inherited else f"its conversation {id!r}",
                also=[run.at],
            )
        inner = replies - outer
        wrong = [view.at for view in run.calls if view.request.conversation_id in inner_ids]
        wrong += [view.at for view in run.calls if _holds(execution, [*view.request.held, *view.request.messages], inner)]
        wrong += [at for at, state in states_after(execution, run) if state.conversation_id in inner_ids]
        wrong += [at for at, state in states_after(execution, run) if _holds(execution, state.messages or (), inner)]
        wrong += [at for at, state in states_after(execution, run) if _foreign_context(execution, run, state)]
        wrong += [at for at, event in run.stored if _holds(execution, event.messages, inner)]
        yield finding(
            not wrong,
            wrong[0] if wrong else run.at,
            expected=f"thread {thread!r} and its requests without anything of the inner agent's own conversation",
            got="the inner agent's conversation id, messages of its own or its context state",
            also=[view.at for view in run.inner_calls],
        )


def _foreign_context(execution: ExecutionView, run: RunView, state: ThreadDescribed) -> bool:
    """Whether a thread came by context state of a provider that its agents do not have, in a run with inner calls."""
    before = execution.described(run.thread, before=run.at)
    known = {id for each in [*execution.earlier(run), run] for id in each.agent.provider_ids}
    new = {id for id, left in state.context.items() if left} - set(before.context if before else ())
    agents = [execution.scenario.agents.get(view.request.agent, AgentSpec()) for view in run.inner_calls]
    inner = {id for each in agents for id in each.provider_ids}
    return bool(new & (inner - known))


def _holds(execution: ExecutionView, messages: Sequence[Message], inner: set[Part]) -> bool:
    return any(part in inner for part in execution.heard(messages))


def _aside(execution: ExecutionView, message: Message, agent: AgentSpec) -> bool:
    """Whether a message holds nothing of the conversation: instructions, or what a context provider added."""
    return not execution.spoken([message], agent)


def _settled(execution: ExecutionView, run: RunView) -> bool:
    """Whether every earlier run came to its end on this agent, and nobody meddled with the thread since."""
    plain = all(other.succeeded and other.agent_name == run.agent_name for other in execution.earlier(run))
    if not plain or accepted(execution, run) or any(other.terminated for other in execution.earlier(run)):
        return False
    return not execution.forked(run) and not execution.tampered(run)


def _split(sent: Sequence[Part], history: Sequence[Part]) -> bool:
    """Whether a call stands without the result that history has of it, or a result without its call."""
    calls = {part[1] for part in sent if part[0] == "call"}
    results = {part[1] for part in sent if part[0] == "result"}
    known = {part[1] for part in history if part[0] == "result"}
    return bool((calls & known) - results or results - calls)


def _seen(execution: ExecutionView, run: RunView, moment: str, at: int, seen: Observed) -> Iterator[Finding]:
    before = kind_before(execution, run)
    kind = before if moment == "before" else kind_after(execution, run)
    ids = {None, execution.id_before(run) if moment == "before" else latest_id([run]) or execution.id_before(run)}
    yield finding(
        seen.kind in (None, kind) and seen.conversation_id in ids,
        at,
        expected=f"a thread that is {kind}, with conversation {' or '.join(sorted(map(str, ids)))}",
        got=f"one that is {seen.kind}, with conversation {seen.conversation_id}",
        also=[run.at],
    )
    if kind == "hosted":
        got = f"messages {show(execution.heard(seen.messages or ()))}"
        yield finding(not seen.messages, at, expected="the metadata of a hosted thread", got=got, also=[run.at])
    elif kind == "local" and run.agent.history == "default" and history_known(execution, run) and not run.agent.service.surprising:
        expected = local_history(execution, run) + (stored_after(run) if moment == "after" else [])
        got = execution.spoken(seen.messages or (), run.agent)
        told = f"the thread's messages: {show(expected)}"
        yield finding(got == expected, at, expected=told, got=f"messages {show(got)}", also=[run.at])


def _concerns(execution: ExecutionView, event: AnyEvent, thread: str) -> bool:
    if isinstance(event, (ThreadDescribed, Serialized)):
        return execution.related(event.thread, thread)
    return any(
        run.number == event.run and run.thread is not None and execution.related(run.thread, thread) for run in execution.runs
    )
