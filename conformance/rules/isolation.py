"""The threads rules about what must stay apart: other threads, the caller's objects, failed runs, and those who only look."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import msgspec

from conformance.rules.case import Case
from conformance.rules.requests import change, history_known, latest_id, show, undisputed
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.trace import (
    AnyEvent,
    ContextInvoking,
    HistoryAppended,
    HistoryLoaded,
    Message,
    Observed,
    Observing,
    RunReturned,
    Serialized,
    ServiceCalled,
    Tampered,
    ThreadDescribed,
)


@rule("THR-25")
def threads_are_isolated(case: Case) -> Iterator[Finding]:
    """Threads on one agent never see each other's messages, ids or context state, also when their runs interleave.

    Leaves alone: what a thread sees of itself (THR-05, THR-06, THR-10), texts said on both, threads of one origin (THR-23).
    """
    for run, thread, agent in case.agent_runs():
        others = [other for other in case.runs if other.thread is not None and not case.related(other.thread, thread)]
        others = [other for other in others if other.agent_name == run.agent_name]
        family = [each for each in case.runs if each.thread is not None and case.related(each.thread, thread)]
        foreign_ids = {view.reply.conversation_id for other in others for view in other.calls if view.reply} - {None}
        own_ids = {view.reply.conversation_id for own in family for view in own.calls if view.reply}
        if not any(other.at < run.events[-1][0] for other in others):
            continue
        own = Counter(part for each in family for part in each.happened())
        foreign = Counter(part for other in others for part in other.happened()) - own
        for view in run.calls:
            seen = Counter(case.spoken([*view.request.held, *view.request.messages], agent))
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
def the_callers_input_is_not_changed(case: Case) -> Iterator[Finding]:
    """The caller's input messages and options are not changed by a run.

    Leaves alone runs that return nothing, and the option `store` where the scenario leaves it out: some adapters must say it then.
    """
    for run, _, _ in case.agent_runs():
        for at, event in run.of(RunReturned)[:1]:
            if event.given is None:
                continue
            said = case.heard(event.given.messages)
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


@rule("THR-28")
def a_failed_run_leaves_a_local_thread_as_it_was(case: Case) -> Iterator[Finding]:
    """A run that fails or is cancelled leaves a local thread as it was.

    Leaves alone: per-service-call persistence (PER-19), context state (THR-31), refused runs (THR-16), services that return ids
    nobody asked for (PER-32 ff.), stacks whose history is the caller's.
    """
    for run, thread, agent in case.agent_runs():
        failed = run.ending in ("raised", "cancelled") and bool(run.calls)
        if not failed or case.kind_before(run) != "local" or case.persists(agent) != "per run" or agent.client_as_is:
            continue
        if agent.service.surprising or not undisputed(case, run) or run.answered_requests:
            continue
        wrong = [*change(case, run, thread, ("kind", "conversation_id", "messages")), *(at for at, _ in run.stored)]
        yield finding(
            not wrong,
            wrong[0] if wrong else run.events[-1][0],
            expected=f"thread {thread!r} as it was before the run",
            got="something of the failed run was kept",
            also=[run.at],
        )


@rule("THR-35", needs=["threads.observe"])
def looking_shows_and_changes_nothing(case: Case) -> Iterator[Finding]:
    """Who looks at a thread sees, on a local one, its messages before and after the run, on a hosted one its metadata alone.

    And looking never causes a service call. Leaves alone: the look after a run that failed, runs that waited for approvals,
    messages that a provider keeps, and threads on which options that contradict were let through.
    """
    for run, _, agent in case.agent_runs():
        if not agent.observed or run.answered_requests or run.ending in ("refused", "unknown", "waiting"):
            continue
        if not undisputed(case, run):
            continue
        for at, _ in run.own(Observing):
            end = next((where for where, _ in run.own(Observed) if where > at), len(case.trace.events))
            calls = [where for where, _ in run.of(ServiceCalled) if at < where < end]
            yield finding(not calls, calls[0] if calls else at, expected="a look without a service call", got="a call", also=[at])
        for moment in ("before", "after"):
            looks = [(at, seen) for at, seen in run.own(Observed) if seen.moment == moment]
            if run.succeeded or (moment == "before" and run.calls):
                yield finding(len(looks) == 1, run.at, expected=f"one look {moment} the run", got=f"{len(looks)} looks")
            for at, seen in looks if run.succeeded else ():
                yield from _seen(case, run, moment, at, seen)


def _seen(case: Case, run: RunView, moment: str, at: int, seen: Observed) -> Iterator[Finding]:
    before = case.kind_before(run)
    kind = before if moment == "before" else case.kind_after(run)
    ids = {None, case.id_before(run) if moment == "before" else latest_id([run]) or case.id_before(run)}
    yield finding(
        seen.kind in (None, kind) and seen.conversation_id in ids,
        at,
        expected=f"a thread that is {kind}, with conversation {' or '.join(sorted(map(str, ids)))}",
        got=f"one that is {seen.kind}, with conversation {seen.conversation_id}",
        also=[run.at],
    )
    if kind == "hosted":
        got = f"messages {show(case.heard(seen.messages or ()))}"
        yield finding(not seen.messages, at, expected="the metadata of a hosted thread", got=got, also=[run.at])
    elif kind == "local" and run.agent.history == "default" and history_known(case, run) and not run.agent.service.surprising:
        expected = case.local_history(run) + (case.stored_after(run) if moment == "after" else [])
        got = case.spoken(seen.messages or (), run.agent)
        told = f"the thread's messages: {show(expected)}"
        yield finding(got == expected, at, expected=told, got=f"messages {show(got)}", also=[run.at])


@rule("THR-36", needs=["runs.tamper"])
def a_thread_keeps_its_own_copies(case: Case) -> Iterator[Finding]:
    """What a thread stored is its own: whatever the caller changes afterwards changes neither the thread nor its next request.

    The caller changes its input messages, the response and its messages. Exercised by what is seen of the thread after that.
    """
    for at, tampered in case.of(Tampered):
        text = json.dumps(tampered.text)[1:-1]
        for where, event in enumerate(case.trace.events):
            if where > at and isinstance(event, _SHOWING) and _concerns(case, event, tampered.thread):
                yield finding(
                    text not in msgspec.json.encode(event).decode(),
                    where,
                    expected=f"nothing of what the caller wrote over the messages of thread {tampered.thread!r}",
                    got=f"{tampered.text!r}",
                    also=[at],
                )


_SHOWING = (ThreadDescribed, Serialized, ServiceCalled, HistoryLoaded, HistoryAppended)


def _concerns(case: Case, event: AnyEvent, thread: str) -> bool:
    if isinstance(event, (ThreadDescribed, Serialized)):
        return case.related(event.thread, thread)
    return any(run.number == event.run and run.thread is not None and case.related(run.thread, thread) for run in case.runs)
