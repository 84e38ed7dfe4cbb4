"""The persistence rules about conversation ids: the sentinel, and ids that arrive although a history provider is configured."""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.rules.case import Case
from conformance.rules.requests import change
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.scenario import AgentSpec
from conformance.trace import HistoryLoaded, ServiceReplied, Warned

_CONVERSATION = re.compile(r"conversation|thread|session|response.?id", re.I)
_HISTORY = re.compile(r"history|provider|store|memory", re.I)
"""The two sides of a conflict, in the words that frameworks have for them."""


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
            issued = id is None or not id.startswith("foreign-")
            if place or case.earlier(run) or not issued:
                yield finding(
                    issued,
                    view.at,
                    expected="no conversation id, or one that the service issued",
                    got=f"the made-up id {id!r}",
                )


@rule("PER-32", needs=["history.provider", "service.surprising"])
def throw_raises_on_a_conflict(case: Case) -> Iterator[Finding]:
    """With `throw`, a conversation id that arrives although a history provider is configured raises an error naming both.

    Whatever the other switches say; nothing of the call that brings the id is appended (of the run, with per-run persistence), the
    thread is as it was, and its next run loads as before. Leaves alone context state (providers are told of the failure), the
    caller's own stack, and threads that an earlier conflict made hosted.
    """
    for run, thread, agent, at in _conflicts(case):
        if not agent.on_conflict.throw:
            continue
        kind, text = (run.raised[1].kind, run.raised[1].text) if run.raised else (None, "")
        names_both = bool(_CONVERSATION.search(text) and _HISTORY.search(text))
        # with per-service-call persistence the calls before the one that brings the id are stored already (PER-02)
        appends = [where for where, _ in run.stored if where > at or case.persists(agent) == "per run"]
        changed = change(case, run, thread, ("kind", "conversation_id", "messages"))
        unloaded = [later.at for later in _next_runs(case, run) if not later.of(HistoryLoaded)]
        trouble = {"the thread changed": changed, "appended all the same": appends, "a later run did not load": unloaded}
        wrong = [(what, where) for what, places in trouble.items() for where in places]
        yield finding(
            kind == "conflict" and names_both and not wrong,
            wrong[0][1] if wrong else at,
            expected="an error of kind conflict that names the conversation id and the history provider, and no effect",
            got=wrong[0][0] if wrong else f"an error of kind {kind}: {text}" if kind else "no error",
            also=[at],
        )


@rule("PER-33", needs=["history.provider", "history.conflict_switches", "service.surprising"])
def warn_warns_once(case: Case) -> Iterator[Finding]:
    """With `warn`, a conflict gives one warning an occurrence, also where `throw` is set; without `warn` it gives none.

    An occurrence is a run or a reply that brings an id. Counts what is warned of it after the first such reply; once the provider
    is cleared nothing more is warned.
    """
    for run, _, agent, at in _conflicts(case):
        warned = [where for where, event in run.of(Warned) if where > at and _about_the_conflict(event)]
        came = len([1 for _, reply in run.of(ServiceReplied) if reply.conversation_id is not None])
        least, most = (1, came) if agent.on_conflict.warn else (0, 0)
        yield finding(
            least <= len(warned) <= most,
            warned[-1] if warned else at,
            expected=f"{least} to {most} warnings" if most > 1 else "one warning" if most else "no warning",
            got=f"{len(warned)} of them",
            also=[at],
        )
        if run.succeeded and agent.on_conflict.clear:
            for later in _next_runs(case, run):
                again = [where for where, event in later.of(Warned) if _about_the_conflict(event)]
                yield finding(
                    not again,
                    again[0] if again else later.at,
                    expected="no more warnings once the provider is detached",
                    got=f"{len(again)} warnings",
                    also=[at],
                )


@rule("PER-34", needs=["history.provider", "history.conflict_switches", "service.surprising"])
def clear_detaches_the_provider(case: Case) -> Iterator[Finding]:
    """With `clear` and without `throw`, the provider is detached: later runs neither load nor append, and go on by the id."""
    for run, _, agent, at in _conflicts(case):
        if agent.on_conflict.throw or not agent.on_conflict.clear or not run.succeeded:
            continue
        for later in _next_runs(case, run):
            used = sorted(where for where, _ in (*later.of(HistoryLoaded), *later.stored))
            without = [view.at for view in later.calls if view.request.conversation_id is None]
            yield finding(
                not used and not without,
                [*used, *without, later.at][0],
                expected="neither load nor append, and requests that name the conversation",
                got="the provider was used" if used else "a request without a conversation id",
                also=[at],
            )


def _about_the_conflict(event: Warned) -> bool:
    return bool(_CONVERSATION.search(event.text) or _HISTORY.search(event.text))


def _next_runs(case: Case, run: RunView) -> list[RunView]:
    """The later runs on the same thread that called the service and were well formed."""
    return [
        later
        for later in case.runs
        if later.thread == run.thread and later.number > run.number and later.calls and not later.contradicts
    ]


def _conflicts(case: Case) -> Iterator[tuple[RunView, str, AgentSpec, int]]:
    """Runs on local threads with a provider in which a reply brings a conversation id, and where; until the thread is settled."""
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
