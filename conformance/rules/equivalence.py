"""The rules about twins: two threads of one scenario that must come to the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from conformance.rules.case import Case
from conformance.rules.persistence import threads_of
from conformance.rules.requests import show, states_after
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.scenario import AgentSpec, Run
from conformance.trace import Part, RunReturned


@rule("PER-17", needs=["history.provider", "history.per_service_call", "threads.hosted"])
def stored_history_equals_the_services_transcript(case: Case) -> Iterator[Finding]:
    """With `per_service_call`, framework-stored history equals the transcript that the storing service keeps for the same script.

    Judged on twins within one scenario: a local thread with per-service-call persistence and a hosted one on a storing service,
    whose runs say, stream and script the same: in success, in failure at any call, under termination. Leaves alone threads whose
    runs contradict them.
    """
    hosted = [thread for thread in threads_of(case, "hosted") if _script(case, thread)]
    for thread in threads_of(case):
        agent = _agent_of(case, thread)
        if case.persists(agent) != "per call" or agent.service.surprising or agent.history != "provider":
            continue
        for twin in hosted:
            same_tools = _agent_of(case, twin).tools == agent.tools
            if not same_tools or _script(case, twin) != _script(case, thread) or not _all_ended(case, thread, twin):
                continue
            stored = case.heard([message for _, event in case.appends(thread) for message in event.messages])
            kept = _transcript(case, twin)
            yield finding(
                _without_call_ids(stored) == _without_call_ids(kept),
                max([at for at, _ in case.appends(thread)], default=len(case.trace.events) - 1),
                expected=f"as the service keeps on thread {twin!r}: {show(kept)}",
                got=f"stored for thread {thread!r}: {show(stored)}",
            )


@rule("THR-27", needs=["runs.streaming"])
def streaming_changes_nothing(case: Case) -> Iterator[Finding]:
    """Streaming and non-streaming runs of one scenario send the same requests, leave the same thread and return the same content.

    Judged on twins within one scenario: two threads of one kind on one agent, whose runs say, choose and script the same, but those
    of one stream and those of the other do not. Ids are compared by their order. Leaves alone in which chunks an answer is
    streamed: a chunk may add to what came before, replace it, or be all that is streamed.
    """
    threads = list(dict.fromkeys(thread for _, thread, _ in case.agent_runs()))
    for plain in threads:
        for streamed in threads:
            if _streams(case, plain, False) and _streams(case, streamed, True) and _twins(case, plain, streamed):
                for first, second in zip(_runs_of(case, plain), _runs_of(case, streamed), strict=False):
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


def _agent_of(case: Case, thread: str) -> AgentSpec:
    return case.scenario.agents[case.scenario.agent_name(thread)]


def _script(case: Case, thread: str) -> list[tuple[object, ...]]:
    """What a thread's runs were asked to do; empty where they contradict it or where their script ran out.

    A script that ran out goes on with texts that name their agent, so that twins would differ.
    """
    script: list[tuple[object, ...]] = []
    for run in case.runs:
        if run.thread == thread and isinstance(run.spec, Run):
            spec = run.spec
            if spec.store is not None or spec.conversation_id is not None or len(run.calls) > len(spec.replies):
                return []
            script.append((spec.say, spec.stream, spec.replies))
    return script


def _all_ended(case: Case, *threads: str) -> bool:
    return all(run.ending in ("returned", "raised") for run in case.runs if run.thread in threads)


def _transcript(case: Case, thread: str) -> list[Part]:
    """What the service kept of a thread's runs: with every exchange, what was new in it.

    Also of a failed run whose id the thread did not take over (PER-28, PER-29), so that a failure can be compared at all.
    """
    views = [view for run in case.runs if run.thread == thread for view in run.calls]
    kept = [view for view in views if view.reply is not None and view.reply.kept]
    return case.heard([each for view in kept if view.reply for each in (*view.request.messages, view.reply.message)])


def _without_call_ids(said: list[Part]) -> list[Part]:
    """Call ids by order of appearance: twins have calls of their own."""
    names: dict[str, str] = {}
    return [
        (part[0], names.setdefault(part[1], str(len(names))), *part[2:]) if part[0] in ("call", "result") else part for part in said
    ]
