"""Conflicts: runs in which a conversation id arrives although a history provider is configured, and the runs after them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import contradicts, kind_before, made_local, timing_of
from conformance.rules.run_view import RunView
from conformance.trace.harness_events import HistoryFailed, ServiceFailed, ServiceReplied, ToolRaised, Warned

_THEIRS = re.compile(
    r"(conversation|session|thread|response).?id|server.?side|\b(service|server|remote)\b(?!.call).*\b(conversation|history)", re.I
)
_OURS = re.compile(r"provider|(local|memory).?history|(history|message|chat|memory).?store", re.I)
"""The two sides of a conflict in the words of a warning: what the service has, and what keeps the history here."""


@dataclass(frozen=True)
class Conflict:
    """A run in which a conversation id arrives that nobody asked for, and where: the first reply that brings one."""

    run: RunView
    at: int


@selection
def conflict(execution: ExecutionView) -> Iterator[Conflict]:
    """A run with a history provider in which an unasked conversation id arrives, on a thread that has no conversation yet.

    The thread was created local, or is adaptive and has no kind yet. An earlier conflict that was not refused gave it a
    conversation, and so did an option that contradicts the thread and was let through.
    """
    for run, _, _ in execution.agent_runs():
        if _is_conflict(execution, run) and not any(_gives_a_conversation(execution, other) for other in execution.earlier(run)):
            yield Conflict(run, ids_arrive(run)[0])


@dataclass(frozen=True)
class RunAfterAConflict:
    """A conflict, and a later run on its thread."""

    conflict: Conflict
    later: RunView


@selection
def run_after_a_conflict(execution: ExecutionView) -> Iterator[RunAfterAConflict]:
    """A run that called its service on a thread on which a conversation id had arrived beside a history provider."""
    for each in conflict(execution):
        yield from (RunAfterAConflict(each, later) for later in runs_after(execution, each.run))


def runs_after(execution: ExecutionView, run: RunView) -> list[RunView]:
    """The later runs of its agent on the same thread that called the service and were well formed."""
    later_runs = [each for each, _, _ in execution.agent_runs() if each.agent_name == run.agent_name and each.calls]
    return [later for later in later_runs if run in execution.earlier(later) and not contradicts(execution, later)]


def of_conflict(*conditions: Condition[RunView]) -> list[Condition[Conflict]]:
    """The same conditions, asked of the run in which the id arrives."""
    return [each.of(lambda conflict: conflict.run) for each in conditions]


def after_conflict(*conditions: Condition[RunView]) -> list[Condition[RunAfterAConflict]]:
    """The same conditions, asked of the run in which the id arrived."""
    return [each.of(lambda pair: pair.conflict.run) for each in conditions]


@dataclass(frozen=True)
class RunElsewhere:
    """A conflict, and a run of the same agent on another thread that began after the id had arrived."""

    conflict: Conflict
    other: RunView


@selection
def run_elsewhere_after_a_conflict(execution: ExecutionView) -> Iterator[RunElsewhere]:
    """A run of an agent after a conversation id arrived beside its history provider on another thread."""
    for each in conflict(execution):
        for other, thread, _ in execution.agent_runs():
            if other.at > each.at and thread != each.run.thread and other.agent_name == each.run.agent_name:
                yield RunElsewhere(each, other)


def of_other(*conditions: Condition[RunView]) -> list[Condition[RunElsewhere]]:
    """The same conditions, asked of the run on the other thread."""
    return [each.of(lambda pair: pair.other) for each in conditions]


def elsewhere(*conditions: Condition[RunView]) -> list[Condition[RunElsewhere]]:
    """The same conditions, asked of the run in which the id arrived."""
    return [each.of(lambda pair: pair.conflict.run) for each in conditions]


@condition
def created_local(execution: ExecutionView, run: RunView) -> bool:
    """The thread was created local."""
    return made_local(execution, run)


@condition
def throws(_: ExecutionView, run: RunView) -> bool:
    """The agent refuses a conversation id beside its history provider: `throw` is set."""
    return run.agent.on_conflict.throw


@condition
def clears(_: ExecutionView, run: RunView) -> bool:
    """The agent detaches its history provider for a conversation id: `clear` is set."""
    return run.agent.on_conflict.clear


@condition
def ended_otherwise(_: ExecutionView, conflict: Conflict) -> bool:
    """The run ended for another reason after the id came, before a conflict has to be found."""
    run = conflict.run
    others = [*run.own(ServiceFailed), *run.own(HistoryFailed), *run.own(ToolRaised)]
    failed = run.raised is not None and not run.refused_as_conflict and any(where > conflict.at for where, _ in others)
    return failed or run.ending in ("abandoned", "cancelled")


def _is_conflict(execution: ExecutionView, run: RunView) -> bool:
    if not _may_meet_one(execution, run) or contradicts(execution, run):
        return False
    created, service = execution.scenario.kind_of(run.thread or ""), run.agent.service
    unasked = service.surprising or (created == "adaptive" and service.stores_by_default)
    named = run.store is not None or run.named_id is not None
    return unasked and not named and timing_of(run) != "not" and bool(ids_arrive(run))


def _gives_a_conversation(execution: ExecutionView, run: RunView) -> bool:
    let_through = bool(run.calls) and _may_meet_one(execution, run) and contradicts(execution, run)
    return let_through or (_is_conflict(execution, run) and not run.refused_as_conflict)


def _may_meet_one(execution: ExecutionView, run: RunView) -> bool:
    """Whether the run has a history provider, on a thread that was created local or has no kind yet."""
    created = execution.scenario.kind_of(run.thread or "")
    open_kind = created == "local" or (created == "adaptive" and kind_before(execution, run) == "adaptive")
    return open_kind and run.agent.history == "provider"


def ids_arrive(run: RunView) -> list[int]:
    """Where replies of the run carried a conversation id."""
    return [at for at, reply in run.own(ServiceReplied) if reply.conversation_id is not None]


def warnings_of_a_conflict(run: RunView) -> list[int]:
    """Where it is warned in the run that the service has the conversation, and a provider of the run's own agent the history.

    Such a warning names both sides. It is another agent's, one that the run's agent has as a tool, where the latest conversation id
    before it is that one's.
    """
    return [at for at, event in run.of(Warned) if _THEIRS.search(event.text) and _OURS.search(event.text) and _is_own(run, at)]


def _is_own(run: RunView, at: int) -> bool:
    named = [reply.agent for where, reply in run.of(ServiceReplied) if where < at and reply.conversation_id is not None]
    return named[-1:] in ([], [run.agent_name])
