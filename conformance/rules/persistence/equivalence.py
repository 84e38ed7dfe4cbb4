"""The rules about twins: two threads of one scenario that must come to the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import persistence_of
from conformance.rules.pairs import Member, by_order, pairs
from conformance.rules.persistence.history import gained, plain
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import show
from conformance.scenario.scenario import Run
from conformance.scenario.specs import AgentSpec
from conformance.trace.messages import Part


@rule("PER-17", needs=["history.provider", "history.per_service_call", "threads.hosted"])
def stored_history_equals_the_services_transcript(execution: ExecutionView) -> Iterator[Finding]:
    """With `per_service_call`, framework-stored history equals the transcript that the storing service keeps for the same script.

    Judged on siblings within one scenario: a local thread with per-service-call persistence and a hosted one on a storing service:
    in success, in failure at any call, under termination. Leaves alone what a caller cancels or abandons, and faults of the
    provider, which the service has no part in.
    """
    for local, hosted in pairs(execution):
        kept = local.kind == "local" and persistence_of(local.agent) == "per call" and local.agent.history == "provider"
        if not kept or hosted.kind != "hosted" or not _judged_by_transcript(local) or not _judged_by_transcript(hosted):
            continue
        if local.streams != hosted.streams or local.agent.service.repeats_call_ids != hosted.agent.service.repeats_call_ids:
            continue
        count = _comparable(hosted)
        stored = [part for run in local.runs[:count] for part in gained(execution, run)]
        transcript = _transcript(execution, hosted.runs[:count], hosted.agent)
        appends = [at for run in local.runs[:count] for at, _ in run.stored]
        yield finding(
            by_order([stored]) == by_order([transcript]),
            max(appends, default=local.runs[-1].events[-1][0]),
            expected=f"as the service keeps on thread {hosted.thread!r}: {show(transcript)}",
            got=f"stored for thread {local.thread!r}: {show(stored)}",
        )


@rule("PER-18", needs=["history.provider", "history.per_run", "history.per_service_call"])
def both_modes_end_with_the_same_history(execution: ExecutionView) -> Iterator[Finding]:
    """Where a run succeeds and is not terminated, per-run and per-service-call persistence end with the same stored history.

    Judged on siblings within one scenario, run by run until one of them ends otherwise.
    """
    for per_run, per_call in pairs(execution):
        if not (_keeps(per_run, "per run") and _keeps(per_call, "per call")) or per_run.streams != per_call.streams:
            continue
        for one, other in zip(per_run.runs, per_call.runs, strict=True):
            if not (plain(one) and plain(other)):
                break
            stored = [gained(execution, run) for run in (one, other)]
            yield finding(
                by_order(stored[:1]) == by_order(stored[1:]),
                other.events[-1][0],
                expected=f"as stored at the end of the run on thread {per_run.thread!r}: {show(stored[0])}",
                got=f"stored call by call on thread {per_call.thread!r}: {show(stored[1])}",
                also=[one.events[-1][0]],
            )


def _judged_by_transcript(member: Member) -> bool:
    """Whether the transcript says what the provider must have, or what the service has: no surprises, and ends that it knows of."""
    ends = all(run.ending in ("returned", "waiting", "raised") for run in member.runs)
    specs = [run.spec for run in member.runs if isinstance(run.spec, Run)]
    faults = any(spec.load_fails is not None or spec.append_fails is not None or spec.background for spec in specs)
    return ends and not faults and not member.agent.service.surprising


def _keeps(member: Member, timing: str) -> bool:
    agent = member.agent
    local = member.kind == "local" and agent.history == "provider" and not agent.service.surprising
    return local and persistence_of(agent) == timing


def _comparable(hosted: Member) -> int:
    """How many runs compare: where ids are followed only at the end of a run, what comes after a failed one rightly differs."""
    failed = [place for place, run in enumerate(hosted.runs) if run.ending == "raised"]
    return failed[0] + 1 if failed and persistence_of(hosted.agent) != "per call" else len(hosted.runs)


def _transcript(execution: ExecutionView, runs: Sequence[RunView], agent: AgentSpec) -> list[Part]:
    """What the service kept of a thread's runs: with every exchange, what was new in it, without what context providers added.

    Also of a failed run whose id the thread did not take over (PER-28, PER-29), so that a failure can be compared at all.
    """
    views = [view for run in runs for view in run.calls if view.reply is not None and view.reply.kept]
    said = [each for view in views if view.reply for each in (*view.request.messages, view.reply.message)]
    return execution.spoken(said, agent)
