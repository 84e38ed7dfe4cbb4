"""Persistence, conflict: a conversation id arrives although a history provider is configured (PER-32 to PER-37)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView, change
from conformance.rules.model import timing_of
from conformance.rules.parts import how_they_differ
from conformance.rules.persistence.conflicting_runs import (
    Conflict,
    RunAfterAConflict,
    after_conflict,
    clears,
    conflict,
    created_local,
    ended_otherwise,
    ids_arrive,
    of_conflict,
    run_after_a_conflict,
    runs_after,
    throws,
    warnings_of_a_conflict,
)
from conformance.rules.persistence.history import created_hosted, grown, kept_without_a_name, under_a_conversation
from conformance.rules.preconditions import (
    DISPUTED,
    abandoned,
    called_the_service,
    callers_history,
    on_local_thread,
    succeeded,
    thread_run,
    with_provider,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import CallView, RunView, latest_id
from conformance.rules.wording import outcome
from conformance.trace.harness_events import Event, HistoryLoaded, ServiceReplied
from conformance.vocabulary import ANY_TIMING, EITHER_MODE

_CONVERSATION = re.compile(r"conversation|thread|session|response.?id", re.I)
_HISTORY = re.compile(r"history|provider|store|memory", re.I)
"""The two sides of a conflict, in the words that frameworks have for them in an error of that kind."""

# --- what the rules of this section look at, and leave alone ---


@condition
def brought_an_id_by_now(execution: ExecutionView, run: RunView) -> bool:
    """A reply carried a conversation id, in the run or before it on its thread."""
    return bool(_first_id(execution, run))


# --- the rules ---


@rule(
    "PER-32",
    needs=["history.provider", EITHER_MODE, "service.surprising"],
    each=conflict,
    when=of_conflict(throws),
    leaves_alone=[ended_otherwise],
    aspects=["not raised", "wrong kind of error", "a side not named", "thread changed", "appended", "next run does not load"],
)
def throw_raises_on_a_conflict(execution: ExecutionView, conflict: Conflict) -> Iterator[Finding]:
    """With `throw`, a conversation id that arrives although a history provider is configured raises an error naming both.

    Whatever the other switches say; nothing of the call that brings the id is appended (of the run, with per-run persistence), the
    thread is as it was, and its next run loads as before.
    """
    run = conflict.run
    kind, text = (run.raised[1].kind, run.raised[1].text) if run.raised else (None, "")
    aspect, where = next(_effects(execution, conflict), (_how_it_is_not_raised(kind, text), conflict.at))
    yield finding(
        not aspect,
        where,
        aspect,
        expected="an error of kind conflict that names the conversation id and the history provider, and no effect",
        got=f"{aspect}; {f'an error of kind {kind}: {text}' if kind else 'no error'}",
        also=[conflict.at],
    )


@clause(each=run_after_a_conflict, when=after_conflict(succeeded, clears))
def nothing_is_warned_once_detached(_: ExecutionView, pair: RunAfterAConflict) -> Iterator[Finding]:
    """Once the provider is detached, nothing more is warned of."""
    again = warnings_of_a_conflict(pair.later)
    yield finding(
        not again,
        again[0] if again else pair.later.at,
        "warned once detached",
        expected="no more warnings once the provider is detached",
        got=f"{len(again)} warnings",
        also=[pair.conflict.at],
    )


@rule(
    "PER-33",
    needs=["history.provider", EITHER_MODE, "history.conflict_switches", "service.surprising"],
    each=conflict,
    leaves_alone=[ended_otherwise],
    also=[nothing_is_warned_once_detached],
    aspects=["no warning", "repeated", "unasked", "warned once detached"],
)
def warn_warns_once(_: ExecutionView, conflict: Conflict) -> Iterator[Finding]:
    """With `warn`, a conversation id that arrives beside a history provider gives one warning; without `warn` it gives none.

    Also where `throw` is set. One is given for the run, or one for each reply that brings an id; once the provider is detached
    nothing more is warned of. A warning is one of a conflict where it names both sides, the service's conversation and what keeps
    the history here; other warnings count for nothing.
    """
    run, at = conflict.run, conflict.at
    warned = [where for where in warnings_of_a_conflict(run) if where > at]
    least, most = (1, len(ids_arrive(run))) if run.agent.on_conflict.warn else (0, 0)
    yield finding(
        least <= len(warned) <= most,
        warned[-1] if warned else at,
        "unasked" if not most else "repeated" if warned else "no warning",
        expected=f"{least} to {most} warnings",
        got=f"{len(warned)} of them",
        also=[at],
    )


@rule(
    "PER-34",
    needs=["history.provider", EITHER_MODE, "history.conflict_switches", "service.surprising"],
    each=run_after_a_conflict,
    when=after_conflict(~throws, clears, succeeded),
    aspects=["loaded", "appended", "no id", "another id", "missing", "repeated", "foreign", "order"],
)
def clear_detaches_the_provider(execution: ExecutionView, pair: RunAfterAConflict) -> Iterator[Finding]:
    """With `clear`, without `throw`, a conversation id detaches the provider: later runs neither load nor append, and go on by it.

    That is, by the latest id, and with what is new alone.
    """
    loads = [(at, "loaded") for at, _ in pair.later.own(HistoryLoaded)]
    used = sorted([*loads, *((at, "appended") for at, _ in pair.later.stored)])
    wrong = [*used, *_wrongly_continued(execution, pair.later)]
    at, aspect = wrong[0] if wrong else (pair.later.at, "")
    yield finding(
        not wrong,
        at,
        aspect,
        expected="neither load nor append, and requests that name the conversation",
        got="the provider was used" if used else "a request without the latest id, or with more than what is new",
        also=[pair.conflict.at],
    )


@clause(each=conflict, when=of_conflict(~throws, ~clears, succeeded))
def a_provider_gets_a_copy_from_the_conflict_on(execution: ExecutionView, conflict: Conflict) -> Iterator[Finding]:
    """In the run of a conflict the provider gets a copy at most."""
    yield _beside_the_service(execution, conflict.run, since=conflict.at)


@clause(each=run_after_a_conflict, when=after_conflict(~throws, ~clears, succeeded))
def a_provider_gets_a_copy_after_a_conflict(execution: ExecutionView, pair: RunAfterAConflict) -> Iterator[Finding]:
    """After a conflict the provider gets a copy at most."""
    yield _beside_the_service(execution, pair.later, since=pair.later.at)


@rule(
    "PER-35",
    needs=["history.provider", EITHER_MODE],
    policies=("provider_copy",),
    each=thread_run,
    when=[created_hosted, with_provider, called_the_service],
    leaves_alone=DISPUTED,
    also=[a_provider_gets_a_copy_from_the_conflict_on, a_provider_gets_a_copy_after_a_conflict],
    aspects=["loaded", "copied", "no copy"],
)
def a_provider_beside_the_service_only_gets_a_copy(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A provider that stays configured while the service manages the history is never loaded from, and gets what is declared.

    It stays where neither `throw` nor `clear` is set, and on threads that were created hosted. It receives nothing, or a copy, as
    `provider_copy` declares; what a copy has to hold is PER-09's to PER-13's.
    """
    yield _beside_the_service(execution, run, since=run.at)


@rule(
    "PER-36",
    needs=[EITHER_MODE, "service.surprising"],
    each=thread_run,
    when=[~with_provider, created_local, brought_an_id_by_now],
    leaves_alone=[*DISPUTED, abandoned],
    aspects=["conflict", "warned", "kept on the thread"],
)
def the_default_store_gives_way(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Without an explicitly configured provider a conversation id is no conflict: no error, no warning, nothing kept locally.

    Judged on threads that were created local, from the first run in which an id arrives on.
    """
    came = _first_id(execution, run)[0]
    refused = run.refused_as_conflict
    warned = [at for at in warnings_of_a_conflict(run) if at > came]
    more = grown(execution, run)
    yield finding(
        not refused and not warned and not more,
        [*warned, *more, run.sign][0],
        "conflict" if refused else "warned" if warned else "kept on the thread",
        expected="no error, no warning, and nothing more kept on the thread",
        got=outcome(run) if refused else f"{len(warned)} warnings" if warned else "messages kept on the thread",
        also=[came],
    )


@rule(
    "PER-37",
    needs=["history.provider", ANY_TIMING],
    each=thread_run,
    when=[with_provider, on_local_thread, called_the_service],
    leaves_alone=[*DISPUTED, under_a_conversation, callers_history, kept_without_a_name],
    aspects=["conflict", "warned", "no append"],
)
def no_id_no_conflict(_: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A service that returns no conversation id raises no conflict: no such error, no warning, and the provider is used."""
    refused = run.refused_as_conflict
    warned = warnings_of_a_conflict(run)
    unused = run.succeeded and not run.stored
    yield finding(
        not refused and not warned and not unused,
        [*warned, run.sign][0],
        "conflict" if refused else "warned" if warned else "no append",
        expected="no conflict, no warning of one, and a provider that is used",
        got=outcome(run) if refused else f"{len(warned)} warnings" if warned else "no append",
    )


# --- what they compare ---


def _how_it_is_not_raised(kind: str | None, text: str) -> str:
    """The aspect in which an error is not that of a conflict; empty where it is."""
    if kind is None:
        return "not raised"
    if kind != "conflict":
        return "wrong kind of error"
    return "" if _names_both(text) else "a side not named"


def _effects(execution: ExecutionView, conflict: Conflict) -> Iterator[tuple[str, int]]:
    """What a refused conflict did all the same, and where."""
    run = conflict.run
    yield from (("thread changed", at) for at in change(execution, run, run.thread or "", ("kind", "conversation_id", "messages")))
    yield from (("appended", at) for at in _appended_all_the_same(conflict))
    again = [later for later in runs_after(execution, run) if any(each.stored for each in execution.earlier(later))]
    yield from (("next run does not load", later.at) for later in again if not later.own(HistoryLoaded))


def _appended_all_the_same(conflict: Conflict) -> list[int]:
    """The appends of a run but those of calls before the one that brings the id, with per-service-call persistence (PER-02)."""
    run = conflict.run
    before = [at for at, _ in run.own(ServiceReplied) if at < conflict.at]
    first = before[0] if before and timing_of(run) == "per call" else conflict.at
    return [at for at, _ in run.stored if not first < at < conflict.at]


def _beside_the_service(execution: ExecutionView, run: RunView, *, since: int) -> Finding:
    """Whether the provider is not loaded from, and gets what is declared, from a position in the trace on."""
    loads, appends = _later(run.own(HistoryLoaded), since), _later(run.stored, since)
    wanted = execution.policies.provider_copy == "written" and timing_of(run) != "not"
    missing = wanted and run.succeeded and not appends
    return finding(
        not (loads or missing or (appends and not wanted)),
        [*loads, *appends, run.at][0],
        "loaded" if loads else "no copy" if missing else "copied",
        expected=f"no load, and {'a copy' if wanted else 'no append'}",
        got=f"{len(loads)} loads and {len(appends)} appends",
    )


def _later(events: Sequence[tuple[int, Event]], since: int) -> list[int]:
    return [at for at, _ in events if at > since]


def _first_id(execution: ExecutionView, run: RunView) -> list[int]:
    """Where replies carried a conversation id, in the run or before it on its thread."""
    runs = [*execution.earlier(run), run]
    return [at for each in runs for at in ids_arrive(each)]


def _wrongly_continued(execution: ExecutionView, run: RunView) -> Iterator[tuple[int, str]]:
    """The requests of a run that do not name the latest id of the conversation, or carry more than what is new."""
    counted = [each for each in execution.earlier(run) if each.succeeded or timing_of(each) == "per call"]
    if any(each.ending == "abandoned" for each in counted):  # nobody knows which id came through
        return
    for place, view in enumerate(run.calls):
        latest = latest_id([*counted, run], before=view.request.call)
        if aspect := _how_it_goes_on(execution, run, place, view, latest):
            yield view.at, aspect


def _how_it_goes_on(execution: ExecutionView, run: RunView, place: int, view: CallView, latest: str | None) -> str:
    """The aspect in which a request does not go on with a conversation; empty where it does."""
    if view.request.conversation_id != latest:
        return "another id" if view.request.conversation_id else "no id"
    sent, new = execution.spoken(run.sent_in(view), run.agent), run.new_in(place)
    return "" if sent == new else how_they_differ(sent, new)


def _names_both(text: str) -> bool:
    return bool(_CONVERSATION.search(text) and _HISTORY.search(text))
