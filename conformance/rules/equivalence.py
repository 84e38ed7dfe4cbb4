"""The persistence rule about equivalence: the storing service's own transcript is the oracle."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.rules.case import Case
from conformance.rules.persistence import threads_of
from conformance.rules.requests import show
from conformance.rules.rule import Finding, finding, rule
from conformance.scenario import Run
from conformance.trace import Part


@rule("PER-17", needs=["history.provider", "history.per_service_call", "threads.hosted"])
def stored_history_equals_the_services_transcript(case: Case) -> Iterator[Finding]:
    """With `per_service_call`, framework-stored history equals the transcript that the storing service keeps for the same script.

    Judged on twins within one scenario: a local thread with per-service-call persistence and a hosted one on a storing service,
    whose runs say, stream and script the same: in success, in failure at any call, under termination. Leaves alone threads whose
    runs contradict them.
    """
    hosted = [thread for thread in threads_of(case, "hosted") if _script(case, thread)]
    for thread in threads_of(case):
        agent = case.scenario.agent_of(thread)
        if case.persists(agent) != "per call" or agent.service.surprising or agent.history != "provider":
            continue
        for twin in hosted:
            same_tools = case.scenario.agent_of(twin).tools == agent.tools
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
