"""The persistence rules about conversation ids: the sentinel, and ids that arrive although a history provider is configured."""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.rules.case import Case
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.scenario import AgentSpec
from conformance.trace import HistoryAppended, HistoryLoaded, ServiceReplied, ThreadDescribed, Warned


@rule("PER-26", needs=["history.per_service_call"])
def the_sentinel_stays_inside(case: Case) -> Iterator[Finding]:
    """The sentinel never reaches the service, in any request of any run.

    Every conversation id in a request must be one that the service issued. Exercised from the second request of a thread on.
    """
    for run, _, agent in case.agent_runs():
        if case.persists(agent) != "per call":
            continue
        for place, view in enumerate(run.calls):
            id = view.request.conversation_id
            if place or case.earlier(run):
                yield finding(
                    id is None or not id.startswith("foreign-"),
                    view.at,
                    expected="no conversation id, or one that the service issued",
                    got=f"the made-up id {id!r}",
                )


@rule("PER-32", needs=["history.provider", "service.surprising"])
def throw_raises_on_a_conflict(case: Case) -> Iterator[Finding]:
    """With `throw`, a conversation id that arrives although a history provider is configured raises an error naming both.

    Whatever the other switches say; nothing of the run is appended, and the thread does not adopt the id.
    """
    for run, thread, agent, at in _conflicts(case):
        if not agent.on_conflict.throw:
            continue
        kind, text = (run.raised[1].kind, run.raised[1].text) if run.raised else (None, "")
        names_both = bool(re.search("conversation", text, re.I) and re.search("history|provider", text, re.I))
        appends = [at for at, _ in run.of(HistoryAppended)]
        step = case.trace.events[run.at].step
        adopted = [
            at
            for at, state in case.of(ThreadDescribed)
            if state.thread == thread and state.step == step and state.conversation_id is not None
        ]
        yield finding(
            kind == "conflict" and names_both and not appends and not adopted,
            [*adopted, *appends, at][0],
            expected="an error of kind conflict that names the conversation id and the history provider, and no effect",
            got="the thread adopted the id"
            if adopted
            else f"{len(appends)} appends"
            if appends
            else f"an error of kind {kind}: {text}"
            if kind
            else "no error",
            also=[at],
        )


@rule("PER-33", needs=["history.provider", "history.conflict_switches", "service.surprising"])
def warn_warns_once(case: Case) -> Iterator[Finding]:
    """With `warn`, a conflict gives one warning an occurrence, also where `throw` is set; without `warn` it gives none.

    Counts what is warned after the reply that brings the id.
    """
    for run, _, agent, at in _conflicts(case):
        warned = [where for where, _ in run.of(Warned) if where > at]
        expected = 1 if agent.on_conflict.warn else 0
        yield finding(
            len(warned) == expected,
            warned[-1] if warned else at,
            expected=f"{expected} warnings",
            got=f"{len(warned)} warnings",
            also=[at],
        )


@rule("PER-34", needs=["history.provider", "history.conflict_switches", "service.surprising"])
def clear_detaches_the_provider(case: Case) -> Iterator[Finding]:
    """With `clear` and without `throw`, the provider is detached: later runs neither load nor append, and go on by the id."""
    for run, thread, agent, at in _conflicts(case):
        if agent.on_conflict.throw or not agent.on_conflict.clear or not run.succeeded:
            continue
        for later in case.runs:
            if later.thread != thread or later.number <= run.number or not later.calls or later.contradicts:
                continue
            used = [where for where, event in later.events if isinstance(event, (HistoryLoaded, HistoryAppended))]
            without = [view.at for view in later.calls if view.request.conversation_id is None]
            yield finding(
                not used and not without,
                [*used, *without, later.at][0],
                expected="neither load nor append, and requests that name the conversation",
                got="the provider was used" if used else "a request without a conversation id",
                also=[at],
            )


def _conflicts(case: Case) -> Iterator[tuple[RunView, str, AgentSpec, int]]:
    """Runs on local threads with a provider in which a reply brings a conversation id, and where; the first of each thread."""
    settled: set[str] = set()
    for run, thread, agent in case.agent_runs():
        if case.scenario.kind_of(thread) != "local" or agent.history != "provider" or run.contradicts or thread in settled:
            continue
        if not agent.service.surprising or case.persists(agent) == "not":
            continue
        came = [at for at, reply in run.of(ServiceReplied) if reply.conversation_id is not None]
        if came:
            yield run, thread, agent, came[0]
            if run.raised is None or run.raised[1].kind != "conflict":
                settled.add(thread)
