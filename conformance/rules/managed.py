"""The persistence rules about a history provider, or a default store, beside a service that manages the history."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.rules.case import Case
from conformance.rules.conflicts import about_the_conflict, conflicts, next_runs
from conformance.rules.kept import grown
from conformance.rules.requests import outcome, undisputed
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.trace import HistoryLoaded, ServiceReplied, Warned


@rule("PER-35", needs=["history.provider"], policies=("provider_copy",))
def a_provider_beside_the_service_only_gets_a_copy(case: Case) -> Iterator[Finding]:
    """With neither `throw` nor `clear`, while the service manages the history the provider is never loaded from.

    It receives nothing, or a copy, as `provider_copy` declares. That holds too on threads that were created hosted. What a copy has
    to hold is PER-09's to PER-13's.
    """
    copied = case.policies.provider_copy == "written"
    managed = [(run, run.at) for run in _hosted_with_a_provider(case)]
    for run, at in conflicts(case):
        switches = run.agent.on_conflict
        if not switches.throw and not switches.clear and run.succeeded:
            managed += [(run, at), *((later, later.at) for later in next_runs(case, run))]
    for run, since in managed:
        if not run.calls:
            continue
        loads = [at for at, _ in run.own(HistoryLoaded) if at > since]
        appends = [at for at, _ in run.stored if at > since]
        wanted = copied and run.timing != "not"
        yield finding(
            not loads and (bool(appends) == wanted if run.succeeded else wanted or not appends),
            [*loads, *appends, run.at][0],
            expected=f"no load, and {'a copy' if wanted else 'no append'}",
            got=f"{len(loads)} loads and {len(appends)} appends",
        )


@rule("PER-36", needs=["service.surprising"])
def the_default_store_gives_way(case: Case) -> Iterator[Finding]:
    """Without an explicitly configured provider an id that arrives is no conflict: no error, no warning, nothing kept locally.

    Judged on threads that were created local, from the first run in which an id arrives on.
    """
    for run, thread, agent in case.agent_runs():
        if agent.history != "default" or case.scenario.kind_of(thread) != "local" or not run.calls or run.ending == "unknown":
            continue
        runs = [*case.earlier(run), run]
        came = [at for each in runs for at, reply in each.own(ServiceReplied) if reply.conversation_id is not None]
        if not agent.service.surprising or not came or not undisputed(case, run) or run.ending == "abandoned":
            continue
        conflict = run.raised is not None and run.raised[1].kind == "conflict"
        warned = [at for at, event in run.of(Warned) if at > came[0] and about_the_conflict(event)]
        more = grown(case, run)
        yield finding(
            not conflict and not warned and not more,
            [*warned, *more, run.sign][0],
            expected="no error, no warning, and nothing more kept on the thread",
            got=outcome(run) if conflict else f"{len(warned)} warnings" if warned else "messages kept on the thread",
            also=[came[0]],
        )


@rule("PER-41", level="SHOULD", needs=["history.provider", "history.conflict_switches", "service.surprising"])
def other_threads_keep_their_history(case: Case) -> Iterator[Finding]:
    """Detaching the provider on one thread's conflict does not silently cost other threads of the same agent their history."""
    for run, at in conflicts(case):
        if not run.agent.on_conflict.clear or run.agent.on_conflict.throw or not run.succeeded:
            continue
        for other in case.runs:
            if other.thread in (None, run.thread) or other.number < run.number or other.agent_name != run.agent_name:
                continue
            before = [*case.earlier(other), other]
            local = case.scenario.kind_of(other.thread or "") == "local" and undisputed(case, other)
            if not local or any(each.brought_id for each in before[:-1]) or not other.calls or other.at < at:
                continue
            loads = [where for where, _ in other.own(HistoryLoaded) if where < other.calls[0].at]
            lost = other.succeeded and not other.brought_id and not other.stored
            yield finding(
                (bool(loads) or not any(each.stored for each in before[:-1])) and not lost,
                other.calls[0].at,
                expected=f"history loaded and appended on thread {other.thread!r} as before",
                got="no append" if loads else "no load",
                also=[at],
            )


def _hosted_with_a_provider(case: Case) -> Iterator[RunView]:
    """Runs on threads that were created hosted, on agents with an explicit history provider."""
    for run, thread, agent in case.agent_runs():
        hosted = case.scenario.kind_of(thread) == "hosted" and agent.history == "provider"
        if hosted and undisputed(case, run):
            yield run
