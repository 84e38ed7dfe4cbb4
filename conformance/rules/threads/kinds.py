"""The threads rules about kinds: which threads can be had where, and what fixes the kind of an adaptive one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import accepted, buildable, contradicting_options, kind_before, misplaced, refuses_reducer
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView, latest_id
from conformance.rules.threads.checks import creations
from conformance.rules.wording import error, outcome
from conformance.scenario.scenario import CreateThread
from conformance.trace.adapter_events import AgentCreated, Raised, ThreadDescribed
from conformance.vocabulary import ThreadKind

_HOSTED = re.compile(r"\b(hosted|remote|server|service|service-side|stor(e|es|ed|ing))\b", re.I)


@rule("THR-01")
def local_threads_everywhere(execution: ExecutionView) -> Iterator[Finding]:
    """A local thread can be created on every agent, whatever its chat client supports.

    Leaves alone what a local thread does afterwards (THR-05), and agents that cannot be built (THR-30).
    """
    for step, at, event in _created(execution, "local"):
        if buildable(execution.scenario, step.agent):
            created = isinstance(event, ThreadDescribed) and event.kind in ("local", None)
            yield finding(created, at, expected=f"a local thread {step.thread!r} on agent {step.agent!r}", got=_end(event))


@rule("THR-02", needs=["threads.hosted", "service.stateless"], policies=("unsupported_thread",))
def hosted_threads_need_support(execution: ExecutionView) -> Iterator[Finding]:
    """A hosted thread on a client without hosted support is refused as `unsupported` when the implementation says, naming both.

    At creation, or at the first run and before any service call. Leaves alone what is refused later on the same thread.
    """
    at_creation = execution.policies.unsupported_thread == "at_creation"
    for step, at, event in _created(execution, "hosted"):
        if execution.scenario.agents[step.agent].service.keeps != "nothing" or not buildable(execution.scenario, step.agent):
            continue
        if at_creation or isinstance(event, Raised):
            refused = at_creation and isinstance(event, Raised) and event.kind == "unsupported" and _names(event.text, step.agent)
            when = "when it is created" if at_creation else "at its first run, not when it is created"
            yield finding(refused, at, expected=_refusal(step.agent, when), got=_end(event))
            continue
        first = next((run for run in execution.runs if run.thread == step.thread), None)
        if first is not None and not contradicting_options(execution, first):
            raised = first.raised[1] if first.raised else None
            refused = raised is not None and raised.kind == "unsupported" and _names(raised.text, first.agent_name)
            yield finding(
                refused and not first.calls,
                first.sign,
                expected=_refusal(step.agent, "before the first service call"),
                got=outcome(first),
            )


@rule("THR-03", needs=["threads.hosted", "clients.hosted_flag"])
def the_flag_tells_the_truth(execution: ExecutionView) -> Iterator[Finding]:
    """Where a client says that it supports hosted threads they work, and the service holds them; else no request says to store.

    Leaves alone: runs that fail because the service does, or gives no id (THR-11), and runs whose caller says to store.
    """
    flags = {event.agent: event.hosted for _, event in execution.of(AgentCreated)}
    for step, at, event in _created(execution, "hosted"):
        if flags.get(step.agent) and buildable(execution.scenario, step.agent):
            got = _end(event)
            yield finding(isinstance(event, ThreadDescribed), at, expected="a hosted thread, as the client's flag says", got=got)
    for at, event in execution.of(AgentCreated):
        yield finding(event.hosted is not None, at, expected="a flag, as is declared", got="a client that does not say")
    for run, _, _ in execution.agent_runs():
        if flags.get(run.agent_name) is False:
            for view in run.calls:
                if run.store is not True:
                    got = f"store={view.request.store}"
                    yield finding(view.request.store is not True, view.at, expected="a request that does not store", got=got)
        elif flags.get(run.agent_name) and _plainly_hosted(execution, run):
            for view in run.calls:
                if view.reply is not None:
                    yield finding(view.reply.kept, view.at, expected="a request that the service keeps", got="it keeps nothing")
            if not run.calls and run.raised:
                at, raised = run.raised
                yield finding(False, at, expected="a hosted run, as the client's flag says", got=error(raised))


@rule("THR-04", needs=["threads.hosted", "threads.shared"])
def hosted_threads_stay_with_their_service(execution: ExecutionView) -> Iterator[Finding]:
    """A thread whose conversation one agent's service has is refused, before any service call, by an agent of another service.

    Leaves alone: threads that have no conversation yet, local threads (THR-33), and options that contradict at the same time.
    """
    for run, thread, _ in execution.agent_runs():
        id = latest_id([other for other in execution.earlier(run) if other.succeeded]) or execution.id_given(thread)
        if not misplaced(execution, run) or contradicting_options(execution, run) or id is None:
            continue
        raised = run.raised[1] if run.raised else None
        yield finding(
            raised is not None and raised.kind in ("unsupported", "conflict") and not run.calls,
            run.sign,
            expected=f"an error of kind unsupported or conflict: agent {run.agent_name!r} cannot know conversation {id!r}",
            got=outcome(run),
        )


def _plainly_hosted(execution: ExecutionView, run: RunView) -> bool:
    """Whether nothing stands against a run on a hosted thread but, perhaps, its client."""
    tolerated = (
        contradicting_options(execution, run)
        or misplaced(execution, run)
        or refuses_reducer(execution, run)
        or accepted(execution, run)
    )
    return kind_before(execution, run) == "hosted" and not tolerated


def _created(execution: ExecutionView, kind: ThreadKind) -> Iterator[tuple[CreateThread, int, Raised | ThreadDescribed]]:
    """The creations of threads of a kind."""
    return (created for created in creations(execution) if created[0].kind == kind)


def _names(text: str, agent: str) -> bool:
    """Whether an error names the client, by the agent or in general, and the kind of thread."""
    return bool(_HOSTED.search(text)) and ("client" in text.lower() or repr(agent) in text)


def _refusal(agent: str, when: str) -> str:
    return f"an error of kind unsupported {when} that names the client of {agent!r} and the kind of thread"


def _end(event: Raised | ThreadDescribed) -> str:
    return error(event) if isinstance(event, Raised) else f"a thread of kind {event.kind}"
