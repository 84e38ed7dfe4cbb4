"""The persistence rules about conflicts: a conversation id arrives although a history provider is configured."""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView, change
from conformance.rules.model import contradicts, kind_before, timing_of, undisputed
from conformance.rules.persistence.history import grown, kept_runs, kept_unnamed
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView, latest_id
from conformance.rules.wording import outcome
from conformance.trace.harness_events import HistoryFailed, HistoryLoaded, ServiceFailed, ServiceReplied, ToolRaised, Warned

_CONVERSATION = re.compile(r"conversation|thread|session|response.?id", re.I)


_HISTORY = re.compile(r"history|provider|store|memory", re.I)
"""The two sides of a conflict, in the words that frameworks have for them."""


@rule("PER-32", needs=["history.provider", "service.surprising"])
def throw_raises_on_a_conflict(execution: ExecutionView) -> Iterator[Finding]:
    """With `throw`, a conversation id that arrives although a history provider is configured raises an error naming both.

    Whatever the other switches say; nothing of the call that brings the id is appended (of the run, with per-run persistence), the
    thread is as it was, and its next run loads as before. Leaves alone context state (providers are told of the failure), the
    caller's own stack, and threads that an earlier conflict made hosted.
    """
    for run, at in conflicts(execution):
        if not run.agent.on_conflict.throw or _cut_off(run, at):
            continue
        kind, text = (run.raised[1].kind, run.raised[1].text) if run.raised else (None, "")
        names_both = bool(_CONVERSATION.search(text) and _HISTORY.search(text))
        # with per-service-call persistence the calls before the one that brings the id are stored already (PER-02)
        before = [where for where, _ in run.own(ServiceReplied) if where < at]
        first = before[0] if before and timing_of(run) == "per call" else at
        appends = [where for where, _ in run.stored if not first < where < at]
        changed = change(execution, run, run.thread or "", ("kind", "conversation_id", "messages"))
        again = [later for later in next_runs(execution, run) if any(each.stored for each in execution.earlier(later))]
        unloaded = [later.at for later in again if not later.own(HistoryLoaded)]
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
def warn_warns_once(execution: ExecutionView) -> Iterator[Finding]:
    """With `warn`, a conflict gives one warning an occurrence, also where `throw` is set; without `warn` it gives none.

    An occurrence is a run or a reply that brings an id. Counts what is warned of it after the first such reply; once the provider
    is cleared nothing more is warned.
    """
    for run, at in conflicts(execution):
        if _cut_off(run, at):
            continue
        switches = run.agent.on_conflict
        warned = [where for where, event in run.of(Warned) if where > at and about_the_conflict(event)]
        came = len([1 for _, reply in run.own(ServiceReplied) if reply.conversation_id is not None])
        least, most = (1, came) if switches.warn else (0, 0)
        yield finding(
            least <= len(warned) <= most,
            warned[-1] if warned else at,
            expected=f"{least} to {most} warnings" if most > 1 else "one warning" if most else "no warning",
            got=f"{len(warned)} of them",
            also=[at],
        )
        if run.succeeded and switches.clear:
            for later in next_runs(execution, run):
                again = [where for where, event in later.of(Warned) if about_the_conflict(event)]
                yield finding(
                    not again,
                    again[0] if again else later.at,
                    expected="no more warnings once the provider is detached",
                    got=f"{len(again)} warnings",
                    also=[at],
                )


@rule("PER-34", needs=["history.provider", "history.conflict_switches", "service.surprising"])
def clear_detaches_the_provider(execution: ExecutionView) -> Iterator[Finding]:
    """With `clear` and without `throw`, the provider is detached: later runs neither load nor append, and go on by the id.

    That is, by the latest one, and with what is new alone.
    """
    for run, at in conflicts(execution):
        if run.agent.on_conflict.throw or not run.agent.on_conflict.clear or not run.succeeded:
            continue
        for later in next_runs(execution, run):
            used = sorted(where for where, _ in (*later.own(HistoryLoaded), *later.stored))
            without = _wrongly_continued(execution, later)
            yield finding(
                not used and not without,
                [*used, *without, later.at][0],
                expected="neither load nor append, and requests that name the conversation",
                got="the provider was used" if used else "a request without the latest id, or with more than what is new",
                also=[at],
            )


@rule("PER-35", needs=["history.provider"], policies=("provider_copy",))
def a_provider_beside_the_service_only_gets_a_copy(execution: ExecutionView) -> Iterator[Finding]:
    """With neither `throw` nor `clear`, while the service manages the history the provider is never loaded from.

    It receives nothing, or a copy, as `provider_copy` declares. That holds too on threads that were created hosted. What a copy has
    to hold is PER-09's to PER-13's.
    """
    copied = execution.policies.provider_copy == "written"
    managed = [(run, run.at) for run in _hosted_with_a_provider(execution)]
    for run, at in conflicts(execution):
        switches = run.agent.on_conflict
        if not switches.throw and not switches.clear and run.succeeded:
            managed += [(run, at), *((later, later.at) for later in next_runs(execution, run))]
    for run, since in managed:
        if not run.calls:
            continue
        loads = [at for at, _ in run.own(HistoryLoaded) if at > since]
        appends = [at for at, _ in run.stored if at > since]
        wanted = copied and timing_of(run) != "not"
        yield finding(
            not loads and (bool(appends) == wanted if run.succeeded else wanted or not appends),
            [*loads, *appends, run.at][0],
            expected=f"no load, and {'a copy' if wanted else 'no append'}",
            got=f"{len(loads)} loads and {len(appends)} appends",
        )


@rule("PER-36", needs=["service.surprising"])
def the_default_store_gives_way(execution: ExecutionView) -> Iterator[Finding]:
    """Without an explicitly configured provider an id that arrives is no conflict: no error, no warning, nothing kept locally.

    Judged on threads that were created local, from the first run in which an id arrives on.
    """
    for run, thread, agent in execution.agent_runs():
        if agent.history != "default" or execution.scenario.kind_of(thread) != "local" or not run.calls or run.ending == "unknown":
            continue
        runs = [*execution.earlier(run), run]
        came = [at for each in runs for at, reply in each.own(ServiceReplied) if reply.conversation_id is not None]
        if not agent.service.surprising or not came or not undisputed(execution, run) or run.ending == "abandoned":
            continue
        conflict = run.raised is not None and run.raised[1].kind == "conflict"
        warned = [at for at, event in run.of(Warned) if at > came[0] and about_the_conflict(event)]
        more = grown(execution, run)
        yield finding(
            not conflict and not warned and not more,
            [*warned, *more, run.sign][0],
            expected="no error, no warning, and nothing more kept on the thread",
            got=outcome(run) if conflict else f"{len(warned)} warnings" if warned else "messages kept on the thread",
            also=[came[0]],
        )


@rule("PER-37", needs=["history.provider"])
def no_id_no_conflict(execution: ExecutionView) -> Iterator[Finding]:
    """A service that returns no id never triggers any of this: no error of kind conflict, no warning, and the provider is used.

    Leaves alone services that keep by default without naming the conversation: that may be warned of in the same words.
    """
    for run in kept_runs(execution):
        if not run.calls or timing_of(run) == "not" or kind_before(execution, run) == "adaptive" or kept_unnamed(execution, run):
            continue
        conflict = run.raised is not None and run.raised[1].kind == "conflict"
        warned = [at for at, event in run.of(Warned) if _names_both(event)]
        unused = run.succeeded and not run.stored
        yield finding(
            not conflict and not warned and not unused,
            [*warned, run.sign][0],
            expected="no conflict, no warning of one, and a provider that is used",
            got=outcome(run) if conflict else f"{len(warned)} warnings" if warned else "no append",
        )


def _wrongly_continued(execution: ExecutionView, run: RunView) -> list[int]:
    """The requests of a run that do not name the latest id of the conversation, or carry more than what is new."""
    counted = [each for each in execution.earlier(run) if each.succeeded or timing_of(each) == "per call"]
    if execution.forked(run) or any(each.ending == "abandoned" for each in counted):
        return []
    wrong: list[int] = []
    for place, view in enumerate(run.calls):
        id = latest_id([*counted, run], before=view.request.call)
        if view.request.conversation_id != id or execution.spoken(view.request.messages, run.agent) != run.new_in(place):
            wrong.append(view.at)
    return wrong


def _cut_off(run: RunView, at: int) -> bool:
    """Whether the run ended for another reason after the id came: where conflicts are looked for at the end, none was found."""
    others = [*run.own(ServiceFailed), *run.own(HistoryFailed), *run.own(ToolRaised)]
    failed = run.raised is not None and run.raised[1].kind != "conflict" and any(where > at for where, _ in others)
    return failed or run.ending in ("abandoned", "cancelled")


def about_the_conflict(event: Warned) -> bool:
    """Whether a warning may be about a conflict: it speaks of conversations, or of history."""
    return bool(_CONVERSATION.search(event.text) or _HISTORY.search(event.text))


def _names_both(event: Warned) -> bool:
    return bool(_CONVERSATION.search(event.text) and _HISTORY.search(event.text))


def next_runs(execution: ExecutionView, run: RunView) -> list[RunView]:
    """The later runs on the same thread that called the service and were well formed."""
    return [
        later
        for later in execution.runs
        if later.thread is not None
        and later.calls
        and not contradicts(execution, later)
        and later.agent_name == run.agent_name
        and any(each is run for each in execution.earlier(later))
    ]


def conflicts(execution: ExecutionView) -> Iterator[tuple[RunView, int]]:
    """Runs on threads with a provider in which a reply brings a conversation id, and where; until the thread is settled.

    The threads were created local, or are adaptive and have no kind yet. Settled is also one that an option of a run was let to
    contradict.
    """
    settled: set[int] = set()
    for run, thread, agent in execution.agent_runs():
        created = execution.scenario.kind_of(thread)
        if (
            agent.history != "provider"
            or created == "hosted"
            or (created == "adaptive" and kind_before(execution, run) != "adaptive")
        ):
            continue
        if any(each.number in settled for each in execution.earlier(run)):
            continue
        if contradicts(execution, run):
            settled |= {run.number} if run.calls else set()
            continue
        unasked = agent.service.surprising or (created == "adaptive" and agent.service.stores_by_default)
        if not unasked or timing_of(run) == "not" or run.store is not None or run.named_id is not None:
            continue
        came = [at for at, reply in run.own(ServiceReplied) if reply.conversation_id is not None]
        if came:
            yield run, came[0]
            if run.raised is None or run.raised[1].kind != "conflict":
                settled.add(run.number)


def _hosted_with_a_provider(execution: ExecutionView) -> Iterator[RunView]:
    """Runs on threads that were created hosted, on agents with an explicit history provider."""
    for run, thread, agent in execution.agent_runs():
        hosted = execution.scenario.kind_of(thread) == "hosted" and agent.history == "provider"
        if hosted and undisputed(execution, run):
            yield run
