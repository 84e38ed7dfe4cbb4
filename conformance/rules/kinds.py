"""The threads rules about kinds: which threads can be had where, and what fixes the kind of an adaptive one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.rules.case import Case
from conformance.rules.requests import accepted, creations, error, latest_id, outcome, show, states_after
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.scenario import CreateThread, Restore
from conformance.trace import AgentCreated, Raised, Restored, ThreadDescribed
from conformance.vocabulary import ThreadKind

_HOSTED = re.compile(r"\b(hosted|remote|server|service|service-side|stor(e|es|ed|ing))\b", re.I)


@rule("THR-01")
def local_threads_everywhere(case: Case) -> Iterator[Finding]:
    """A local thread can be created on every agent, whatever its chat client supports.

    Leaves alone what a local thread does afterwards (THR-05), and agents that cannot be built (THR-30).
    """
    for step, at, event in _created(case, "local"):
        if case.buildable(step.agent):
            created = isinstance(event, ThreadDescribed) and event.kind in ("local", None)
            yield finding(created, at, expected=f"a local thread {step.thread!r} on agent {step.agent!r}", got=_end(event))


@rule("THR-02", needs=["threads.hosted", "service.stateless"], policies=("unsupported_thread",))
def hosted_threads_need_support(case: Case) -> Iterator[Finding]:
    """A hosted thread on a client without hosted support is refused as `unsupported` when the implementation says, naming both.

    At creation, or at the first run and before any service call. Leaves alone what is refused later on the same thread.
    """
    at_creation = case.policies.unsupported_thread == "at_creation"
    for step, at, event in _created(case, "hosted"):
        if case.scenario.agents[step.agent].service.keeps != "nothing" or not case.buildable(step.agent):
            continue
        if at_creation or isinstance(event, Raised):
            refused = at_creation and isinstance(event, Raised) and event.kind == "unsupported" and _names(event.text, step.agent)
            when = "when it is created" if at_creation else "at its first run, not when it is created"
            yield finding(refused, at, expected=_refusal(step.agent, when), got=_end(event))
            continue
        first = next((run for run in case.runs if run.thread == step.thread), None)
        if first is not None and not first.contradicting_options:
            raised = first.raised[1] if first.raised else None
            refused = raised is not None and raised.kind == "unsupported" and _names(raised.text, first.agent_name)
            yield finding(
                refused and not first.calls,
                first.sign,
                expected=_refusal(step.agent, "before the first service call"),
                got=outcome(first),
            )


@rule("THR-03", needs=["threads.hosted", "clients.hosted_flag"])
def the_flag_tells_the_truth(case: Case) -> Iterator[Finding]:
    """Where a client says that it supports hosted threads they work, and the service holds them; else no request says to store.

    Leaves alone: runs that fail because the service does, or gives no id (THR-11), and runs whose caller says to store.
    """
    flags = {event.agent: event.hosted for _, event in case.of(AgentCreated)}
    for step, at, event in _created(case, "hosted"):
        if flags.get(step.agent) and case.buildable(step.agent):
            got = _end(event)
            yield finding(isinstance(event, ThreadDescribed), at, expected="a hosted thread, as the client's flag says", got=got)
    for at, event in case.of(AgentCreated):
        yield finding(event.hosted is not None, at, expected="a flag, as is declared", got="a client that does not say")
    for run, _, _ in case.agent_runs():
        if flags.get(run.agent_name) is False:
            for view in run.calls:
                if run.store is not True:
                    got = f"store={view.request.store}"
                    yield finding(view.request.store is not True, view.at, expected="a request that does not store", got=got)
        elif flags.get(run.agent_name) and _plainly_hosted(case, run):
            for view in run.calls:
                if view.reply is not None:
                    yield finding(view.reply.kept, view.at, expected="a request that the service keeps", got="it keeps nothing")
            if not run.calls and run.raised:
                at, raised = run.raised
                yield finding(False, at, expected="a hosted run, as the client's flag says", got=error(raised))


@rule("THR-04", needs=["threads.hosted", "threads.shared"])
def hosted_threads_stay_with_their_service(case: Case) -> Iterator[Finding]:
    """A thread whose conversation one agent's service has is refused, before any service call, by an agent of another service.

    Leaves alone: threads that have no conversation yet, local threads (THR-33), and options that contradict at the same time.
    """
    for run, thread, _ in case.agent_runs():
        id = latest_id([other for other in case.earlier(run) if other.succeeded]) or case.id_given(thread)
        if not run.misplaced or run.contradicting_options or id is None:
            continue
        raised = run.raised[1] if run.raised else None
        yield finding(
            raised is not None and raised.kind in ("unsupported", "conflict") and not run.calls,
            run.sign,
            expected=f"an error of kind unsupported or conflict: agent {run.agent_name!r} cannot know conversation {id!r}",
            got=outcome(run),
        )


@rule("THR-18", needs=["threads.adaptive"])
def the_first_success_fixes_the_kind(case: Case) -> Iterator[Finding]:
    """The first successful run fixes an adaptive thread's kind: hosted where a reply has a conversation id, else local.

    Local with the turn's messages, hosted with the latest id; a failed run fixes nothing. Leaves alone what per-service-call
    persistence keeps of a failed run.
    """
    for run, _, agent in case.agent_runs():
        if case.kind_before(run) != "adaptive" or run.ending in ("refused", "unknown", "waiting") or run.terminated:
            continue
        id = latest_id([run])
        for at, state in states_after(case, run):
            shown = None if state.messages is None else case.heard(state.messages)
            if not run.succeeded:
                right = state.kind in ("adaptive", None) and state.conversation_id is None
                right = right and (not (shown or run.stored) or agent.per_service_call)
                expected = "a thread that is still adaptive and holds nothing"
            elif run.brought_id:
                right = state.kind in ("hosted", None) and state.conversation_id == id and not shown
                expected = f"a hosted thread with conversation {id!r}"
            else:
                turn = run.happened()
                held = [*(shown or ()), *case.heard(run.stored_messages)]
                hidden = shown is None and agent.history == "default"
                kept = hidden or case.persists(agent) == "not" or all(part in held for part in turn)
                right = state.kind in ("local", None) and state.conversation_id is None and kept
                expected = f"a local thread with {show(turn)}"
            yield finding(right, at, expected=expected, got=_described(state, shown), also=[run.at])


@rule("THR-19", needs=["threads.adaptive"])
def a_fixed_kind_stays(case: Case) -> Iterator[Finding]:
    """Once it is fixed, the kind of an adaptive thread never changes, whatever later replies carry.

    Leaves alone: options that contradict the kind (THR-12 ff.). What the kind means for a request is in THR-05 to THR-10.
    """
    for run, thread, _ in case.agent_runs():
        kind = case.kind_before(run)
        fixed = case.scenario.kind_of(thread) == "adaptive" and kind != "adaptive"
        if not fixed or not run.calls or run.contradicts or any(other.contradicts for other in case.earlier(run)):
            continue
        for at, state in states_after(case, run):
            right = state.kind in (kind, None) and (state.conversation_id is None) == (kind == "local")
            expected = f"a thread that is still {kind}"
            yield finding(right, at, expected=expected, got=_described(state, None), also=[run.at])


@rule("THR-20", level="SHOULD", needs=["threads.adaptive", "threads.serialize"])
def an_adaptive_thread_is_restored_adaptive(case: Case) -> Iterator[Finding]:
    """An adaptive thread that became data before its first run is still adaptive when it is restored."""
    for at, restored in case.of(Restored):
        step = case.scenario.steps[restored.step]
        if not isinstance(step, Restore) or step.damage or not case.newborn(restored.thread):
            continue
        for where, state in case.of(ThreadDescribed):
            if state.step == restored.step and state.thread == restored.thread:
                right = state.kind in ("adaptive", None) and state.conversation_id is None
                yield finding(right, where, expected="a thread that is still adaptive", got=_described(state, None), also=[at])


def _plainly_hosted(case: Case, run: RunView) -> bool:
    """Whether nothing stands against a run on a hosted thread but, perhaps, its client."""
    tolerated = run.contradicting_options or run.misplaced or run.refuses_reducer or accepted(case, run)
    return case.kind_before(run) == "hosted" and not tolerated


def _created(case: Case, kind: ThreadKind) -> Iterator[tuple[CreateThread, int, Raised | ThreadDescribed]]:
    """The creations of threads of a kind."""
    return (created for created in creations(case) if created[0].kind == kind)


def _names(text: str, agent: str) -> bool:
    """Whether an error names the client, by the agent or in general, and the kind of thread."""
    return bool(_HOSTED.search(text)) and ("client" in text.lower() or repr(agent) in text)


def _refusal(agent: str, when: str) -> str:
    return f"an error of kind unsupported {when} that names the client of {agent!r} and the kind of thread"


def _end(event: Raised | ThreadDescribed) -> str:
    return error(event) if isinstance(event, Raised) else f"a thread of kind {event.kind}"


def _described(state: ThreadDescribed, shown: list[tuple[str, ...]] | None) -> str:
    holding = f" that holds {show(shown)}" if shown else ""
    return f"a thread of kind {state.kind} with conversation {state.conversation_id!r}{holding}"
