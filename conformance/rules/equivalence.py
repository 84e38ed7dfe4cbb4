"""The rules about twins: two threads of one scenario that must come to the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from conformance.rules.case import Case
from conformance.rules.kept import gained, plain
from conformance.rules.requests import show, states_after
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.rules.siblings import Member, by_order, pairs
from conformance.scenario import AgentSpec, Run
from conformance.trace import Part, RunReturned


@rule("PER-17", needs=["history.provider", "history.per_service_call", "threads.hosted"])
def stored_history_equals_the_services_transcript(case: Case) -> Iterator[Finding]:
    """With `per_service_call`, framework-stored history equals the transcript that the storing service keeps for the same script.

    Judged on siblings within one scenario: a local thread with per-service-call persistence and a hosted one on a storing service:
    in success, in failure at any call, under termination. Leaves alone what a caller cancels or abandons, and faults of the
    provider, which the service has no part in.
    """
    for local, hosted in pairs(case):
        kept = local.kind == "local" and case.persists(local.agent) == "per call" and local.agent.history == "provider"
        if not kept or hosted.kind != "hosted" or not _judged_by_transcript(local) or not _judged_by_transcript(hosted):
            continue
        if local.streams != hosted.streams or local.agent.service.repeats_call_ids != hosted.agent.service.repeats_call_ids:
            continue
        count = _comparable(case, hosted)
        stored = [part for run in local.runs[:count] for part in gained(case, run)]
        transcript = _transcript(case, hosted.runs[:count], hosted.agent)
        appends = [at for run in local.runs[:count] for at, _ in run.stored]
        yield finding(
            by_order([stored]) == by_order([transcript]),
            max(appends, default=local.runs[-1].events[-1][0]),
            expected=f"as the service keeps on thread {hosted.thread!r}: {show(transcript)}",
            got=f"stored for thread {local.thread!r}: {show(stored)}",
        )


@rule("PER-18", needs=["history.provider", "history.per_run", "history.per_service_call"])
def both_modes_end_with_the_same_history(case: Case) -> Iterator[Finding]:
    """Where a run succeeds and is not terminated, per-run and per-service-call persistence end with the same stored history.

    Judged on siblings within one scenario, run by run until one of them ends otherwise.
    """
    for per_run, per_call in pairs(case):
        if not (_keeps(case, per_run, "per run") and _keeps(case, per_call, "per call")) or per_run.streams != per_call.streams:
            continue
        for one, other in zip(per_run.runs, per_call.runs, strict=True):
            if not (plain(one) and plain(other)):
                break
            stored = [gained(case, run) for run in (one, other)]
            yield finding(
                by_order(stored[:1]) == by_order(stored[1:]),
                other.events[-1][0],
                expected=f"as stored at the end of the run on thread {per_run.thread!r}: {show(stored[0])}",
                got=f"stored call by call on thread {per_call.thread!r}: {show(stored[1])}",
                also=[one.events[-1][0]],
            )


@rule("PER-38", needs=["history.provider", "runs.streaming"])
def streaming_stores_the_same(case: Case) -> Iterator[Finding]:
    """Streaming and non-streaming runs make the same appends: their number, their order and their content are equal.

    Judged on siblings within one scenario, on one agent and of one kind: one streams in every run, the other in none.
    """
    for unstreamed, streamed in pairs(case):
        same = unstreamed.name == streamed.name and unstreamed.kind == streamed.kind and unstreamed.agent.history == "provider"
        if not same or any(unstreamed.streams) or not all(streamed.streams):
            continue
        for one, other in zip(unstreamed.runs, streamed.runs, strict=True):
            appends = [[case.heard(event.messages) for _, event in run.stored] for run in (one, other)]
            yield finding(
                by_order(appends[0]) == by_order(appends[1]),
                other.events[-1][0],
                expected=f"appends as without streaming: {'; '.join(map(show, appends[0])) or 'none'}",
                got=f"appends: {'; '.join(map(show, appends[1])) or 'none'}",
                also=[one.events[-1][0]],
            )


@rule("THR-27", needs=["runs.streaming"])
def streaming_changes_nothing(case: Case) -> Iterator[Finding]:
    """Streaming and non-streaming runs of one scenario send the same requests, leave the same thread and return the same content.

    Judged on twins within one scenario: two threads of one kind on one agent, whose runs say, choose and script the same, but those
    of one stream and those of the other do not. Ids are compared by their order. Leaves alone in which chunks an answer is
    streamed: a chunk may add to what came before, replace it, or be all that is streamed.
    """
    threads = list(dict.fromkeys(thread for _, thread, _ in case.agent_runs()))
    for silent in threads:
        for streamed in threads:
            if _streams(case, silent, False) and _streams(case, streamed, True) and _twins(case, silent, streamed):
                for first, second in zip(_runs_of(case, silent), _runs_of(case, streamed), strict=False):
                    yield from _same_run(case, first, second)


def _twins(case: Case, plain: str, streamed: str) -> bool:
    scenario = case.scenario
    alike = all(scenario.kind_of(each) == scenario.kind_of(plain) and case.origin(each) is None for each in (plain, streamed))
    given = scenario.creation_of(plain).with_id == scenario.creation_of(streamed).with_id
    scripts = [[_but_for_streaming(run) for run in _runs_of(case, each)] for each in (plain, streamed)]
    return alike and given and scenario.agent_name(plain) == scenario.agent_name(streamed) and scripts[0] == scripts[1] != []


def _streams(case: Case, thread: str, stream: bool) -> bool:
    """Whether all runs of a thread stream, or none, and no script ran out: it would go on with texts that are never the same."""
    return all(
        isinstance(run.spec, Run)
        and run.spec.stream is stream
        and len(run.calls) <= len(run.spec.replies)
        and len(run.inner_calls) <= sum(len(replies) for replies in run.spec.inner.values())
        and run.ending != "unknown"
        for run in _runs_of(case, thread)
    )


def _but_for_streaming(run: RunView) -> object:
    assert isinstance(run.spec, Run)
    return msgspec.structs.replace(run.spec, thread="", stream=False)


def _same_run(case: Case, plain: RunView, streamed: RunView) -> Iterator[Finding]:
    told = [_told(case, run) for run in (plain, streamed)]
    wrong = [what for what in told[0] if told[0][what] != told[1][what]]
    yield finding(
        not wrong,
        streamed.events[-1][0],
        expected="; ".join(f"{what} as without streaming: {told[0][what]}" for what in wrong),
        got="; ".join(f"{what} {told[1][what]}" for what in wrong),
        also=[plain.at, streamed.at],
    )


def _told(case: Case, run: RunView) -> dict[str, str]:
    """What must not depend on streaming, with ids by their order on the thread."""
    requests = [(view.request.store, view.request.conversation_id, case.heard(view.request.messages)) for view in run.calls]
    returned = [case.heard(event.messages) for _, event in run.of(RunReturned)]
    left = [(each.kind, each.conversation_id, each.messages and case.heard(each.messages)) for _, each in states_after(case, run)]
    ending = run.raised[1].kind if run.raised else run.ending
    return {
        "requests": _by_order(case, run, repr(requests)),
        "ending": ending,
        "response": _by_order(case, run, repr(returned)),
        "thread": _by_order(case, run, repr(left)),
    }


def _by_order(case: Case, run: RunView, text: str) -> str:
    """A text in which the ids of a thread's calls and conversations are numbered by their order on the thread."""
    mine = [*case.earlier(run), run]
    replies = [view.reply for each in mine for view in (*each.calls, *each.inner_calls) if view.reply]
    calls = [call.id for reply in replies for call in reply.message.calls]
    ids = [id for each in mine for id in (each.named_id, *(view.reply.conversation_id for view in each.calls if view.reply)) if id]
    given = case.id_given(run.thread or "")
    names = {id: f"'conversation {place}'" for place, id in enumerate(dict.fromkeys([*([given] if given else []), *ids]))}
    names |= {id: f"'call {place}'" for place, id in enumerate(dict.fromkeys(calls))}
    return _QUOTED.sub(lambda found: names.get(found[0][1:-1], found[0]), text)


_QUOTED = re.compile(r"'[^']*'")


def _runs_of(case: Case, thread: str) -> list[RunView]:
    return [run for run in case.runs if run.thread == thread]


def _judged_by_transcript(member: Member) -> bool:
    """Whether the transcript says what the provider must have, or what the service has: no surprises, and ends that it knows of."""
    ends = all(run.ending in ("returned", "waiting", "raised") for run in member.runs)
    specs = [run.spec for run in member.runs if isinstance(run.spec, Run)]
    faults = any(spec.load_fails is not None or spec.append_fails is not None or spec.background for spec in specs)
    return ends and not faults and not member.agent.service.surprising


def _keeps(case: Case, member: Member, timing: str) -> bool:
    agent = member.agent
    local = member.kind == "local" and agent.history == "provider" and not agent.service.surprising
    return local and case.persists(agent) == timing


def _comparable(case: Case, hosted: Member) -> int:
    """How many runs compare: where ids are followed only at the end of a run, what comes after a failed one rightly differs."""
    failed = [place for place, run in enumerate(hosted.runs) if run.ending == "raised"]
    return failed[0] + 1 if failed and case.persists(hosted.agent) != "per call" else len(hosted.runs)


def _transcript(case: Case, runs: Sequence[RunView], agent: AgentSpec) -> list[Part]:
    """What the service kept of a thread's runs: with every exchange, what was new in it, without what context providers added.

    Also of a failed run whose id the thread did not take over (PER-28, PER-29), so that a failure can be compared at all.
    """
    views = [view for run in runs for view in run.calls if view.reply is not None and view.reply.kept]
    said = [each for view in views if view.reply for each in (*view.request.messages, view.reply.message)]
    return case.spoken(said, agent)
