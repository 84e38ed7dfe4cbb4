"""Threads, kinds: which threads can be had on which agent, and whose a thread is (THR-01 to THR-04)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import accepted, buildable, contradicting_options, misplaced, refuses_reducer
from conformance.rules.preconditions import (
    RequestView,
    answered,
    interrupting,
    of_run,
    on_hosted_thread,
    refused_for_an_open_call,
    refused_while_one_waits,
    request,
    thread_run,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import RunView, latest_id
from conformance.rules.threads.checks import creations
from conformance.rules.wording import error, outcome
from conformance.scenario.scenario import CreateThread
from conformance.trace.adapter_events import AgentCreated, Raised, ThreadDescribed

# --- what the rules of this section look at, and leave alone ---


@dataclass(frozen=True)
class Creation:
    """A step that creates a thread, and the event that tells how it ended: an error, or a thread."""

    step: CreateThread
    at: int
    event: Raised | ThreadDescribed


@selection
def created_thread(execution: ExecutionView) -> Iterator[Creation]:
    """The creation of a thread."""
    yield from (Creation(*found) for found in creations(execution))


@condition
def asked_to_be_local(_: ExecutionView, creation: Creation) -> bool:
    """A local thread is asked for."""
    return creation.step.kind == "local"


@condition
def asked_to_be_hosted(_: ExecutionView, creation: Creation) -> bool:
    """A hosted thread is asked for."""
    return creation.step.kind == "hosted"


@condition
def on_a_service_that_keeps_nothing(execution: ExecutionView, creation: Creation) -> bool:
    """The agent's service keeps nothing."""
    return execution.scenario.agents[creation.step.agent].service.keeps == "nothing"


@condition
def agent_cannot_be_built(execution: ExecutionView, creation: Creation) -> bool:
    """The agent cannot be built (THR-30)."""
    return not buildable(execution.scenario, creation.step.agent)


@condition
def said_to_support_hosted(execution: ExecutionView, creation: Creation) -> bool:
    """The agent's client says that it supports hosted threads."""
    return bool(_flags(execution).get(creation.step.agent))


@dataclass(frozen=True)
class CreatedAgent:
    """An agent that was built, and where in the trace."""

    at: int
    event: AgentCreated


@selection
def created_agent(execution: ExecutionView) -> Iterator[CreatedAgent]:
    """An agent that was built."""
    yield from (CreatedAgent(at, event) for at, event in execution.of(AgentCreated))


@condition
def by_a_client_without_hosted(execution: ExecutionView, run: RunView) -> bool:
    """The agent's client says that it does not support hosted threads."""
    return _flags(execution).get(run.agent_name) is False


@condition
def by_a_client_with_hosted(execution: ExecutionView, run: RunView) -> bool:
    """The agent's client says that it supports hosted threads."""
    return bool(_flags(execution).get(run.agent_name))


@condition
def contradicted_otherwise(execution: ExecutionView, run: RunView) -> bool:
    """Something else than the client stands against the run: its options, the thread's home, a reducer, or an earlier such run."""
    here = contradicting_options(execution, run) or misplaced(execution, run) or refuses_reducer(execution, run)
    return here or bool(accepted(execution, run))


@condition
def raised_before_a_request(_: ExecutionView, run: RunView) -> bool:
    """The run ended in an error before any request."""
    return not run.calls and run.raised is not None


@condition
def on_a_conversation_of_another_agent(execution: ExecutionView, run: RunView) -> bool:
    """The service of another agent has the thread's conversation."""
    return misplaced(execution, run) and _known_id(execution, run) is not None


# --- the rules ---


@rule(
    "THR-01",
    each=created_thread,
    when=[asked_to_be_local],
    leaves_alone=[agent_cannot_be_built],
    aspects=["refused", "wrong kind"],
)
def local_threads_everywhere(_: ExecutionView, creation: Creation) -> Iterator[Finding]:
    """A local thread can be created on every agent, whatever its chat client supports."""
    made = isinstance(creation.event, ThreadDescribed)
    yield finding(
        isinstance(creation.event, ThreadDescribed) and creation.event.kind in ("local", None),
        creation.at,
        "wrong kind" if made else "refused",
        expected=f"a local thread {creation.step.thread!r} on agent {creation.step.agent!r}",
        got=_end(creation),
    )


@rule(
    "THR-02",
    needs=["threads.hosted", "service.stateless"],
    policies=("unsupported_thread",),
    each=created_thread,
    when=[asked_to_be_hosted, on_a_service_that_keeps_nothing],
    leaves_alone=[agent_cannot_be_built],
    aspects=["not refused", "at another time", "wrong kind of error", "not named", "after a request"],
)
def hosted_threads_need_support(execution: ExecutionView, creation: Creation) -> Iterator[Finding]:
    """A hosted thread on a client without hosted support is refused as `unsupported` when the implementation says, naming both.

    At creation, or at the first run and before any service call. What is refused later on the same thread is left open.
    """
    agent, event = creation.step.agent, creation.event
    if execution.policies.unsupported_thread == "at_creation":
        aspect = _refusal_fault(event, agent) if isinstance(event, Raised) else "not refused"
        yield finding(not aspect, creation.at, aspect, expected=_refusal(agent, "when it is created"), got=_end(creation))
    elif isinstance(event, Raised):
        expected = _refusal(agent, "at its first run, not when it is created")
        yield finding(False, creation.at, "at another time", expected=expected, got=_end(creation))
    else:
        yield from _refused_at_its_first_run(execution, creation)


@clause(each=created_agent)
def the_flag_is_there(_: ExecutionView, agent: CreatedAgent) -> Iterator[Finding]:
    """A client says whether it supports hosted threads, as is declared."""
    said = agent.event.hosted is not None
    yield finding(said, agent.at, "no flag", expected="a flag, as is declared", got="a client that does not say")


@clause(each=request, when=of_run(by_a_client_without_hosted))
def nothing_is_stored_without_support(_: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """Where a client says that it does not support hosted threads, no request says to store of its own accord."""
    store = request.call.request.store
    yield finding(store is not True, request.call.at, "stores", expected="a request that does not store", got=f"store={store}")


@clause(
    each=request,
    when=[*of_run(by_a_client_with_hosted, on_hosted_thread), answered],
    leaves_alone=of_run(contradicted_otherwise),
)
def the_service_holds_the_conversation(_: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """Where a client says that it supports hosted threads, the service keeps what a run on one requests."""
    kept = request.call.reply is not None and request.call.reply.kept
    expected = "a request that the service keeps"
    yield finding(kept, request.call.at, "not kept", expected=expected, got="it keeps nothing")


@clause(
    each=thread_run,
    when=[by_a_client_with_hosted, on_hosted_thread, raised_before_a_request],
    leaves_alone=[contradicted_otherwise, interrupting, refused_for_an_open_call],
)
def hosted_runs_work(_: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Where a client says that it supports hosted threads, a run on one is not refused."""
    assert run.raised is not None
    at, raised = run.raised
    yield finding(False, at, "refused", expected="a hosted run, as the client's flag says", got=error(raised))


@rule(
    "THR-03",
    needs=["threads.hosted", "clients.hosted_flag"],
    each=created_thread,
    when=[asked_to_be_hosted, said_to_support_hosted, ~agent_cannot_be_built],
    also=[the_flag_is_there, nothing_is_stored_without_support, the_service_holds_the_conversation, hosted_runs_work],
    aspects=["no flag", "refused", "not kept", "stores"],
)
def the_flag_tells_the_truth(_: ExecutionView, creation: Creation) -> Iterator[Finding]:
    """Where a client says that it supports hosted threads they work, and the service holds them; else no request says to store."""
    made = isinstance(creation.event, ThreadDescribed)
    yield finding(made, creation.at, "refused", expected="a hosted thread, as the client's flag says", got=_end(creation))


@rule(
    "THR-04",
    needs=["threads.hosted", "threads.shared"],
    each=thread_run,
    when=[on_a_conversation_of_another_agent],
    leaves_alone=[refused_while_one_waits],
    aspects=["not refused", "wrong kind of error", "after a request"],
)
def hosted_threads_stay_with_their_service(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A thread whose conversation one agent's service has is refused, before any service call, by an agent of another service."""
    raised = run.raised[1] if run.raised else None
    known = raised is not None and raised.kind in ("unsupported", "conflict")
    id = _known_id(execution, run)
    yield finding(
        known and not run.calls,
        run.sign,
        "not refused" if raised is None else "after a request" if run.calls else "wrong kind of error",
        expected=f"an error of kind unsupported or conflict: agent {run.agent_name!r} cannot know conversation {id!r}",
        got=outcome(run),
    )


# --- what they compare ---

_HOSTED = re.compile(r"\b(hosted|remote|server|service|service-side|stor(e|es|ed|ing))\b", re.I)


def _refused_at_its_first_run(execution: ExecutionView, creation: Creation) -> Iterator[Finding]:
    """Whether a thread that cannot be is refused when it is first run on, where its options do not contradict it as well."""
    first = next((run for run in execution.runs if run.thread == creation.step.thread), None)
    if first is None or contradicting_options(execution, first):
        return
    fault = _refusal_fault(first.raised[1], first.agent_name) if first.raised else "not refused"
    aspect = "after a request" if first.calls else fault
    expected = _refusal(creation.step.agent, "before the first service call")
    yield finding(not aspect, first.sign, aspect, expected=expected, got=outcome(first))


def _refusal_fault(raised: Raised, agent: str) -> str:
    """What is wrong with an error that refuses a hosted thread: its kind, or what it names; empty where nothing is."""
    if raised.kind != "unsupported":
        return "wrong kind of error"
    named = bool(_HOSTED.search(raised.text)) and ("client" in raised.text.lower() or repr(agent) in raised.text)
    return "" if named else "not named"


def _refusal(agent: str, when: str) -> str:
    return f"an error of kind unsupported {when} that names the client of {agent!r} and the kind of thread"


def _flags(execution: ExecutionView) -> dict[str, bool | None]:
    """What the clients say of themselves."""
    return {event.agent: event.hosted for _, event in execution.of(AgentCreated)}


def _known_id(execution: ExecutionView, run: RunView) -> str | None:
    """The id of the conversation that a thread has when a run begins."""
    succeeded = [other for other in execution.earlier(run) if other.succeeded]
    return latest_id(succeeded) or execution.id_given(run.thread or "")


def _end(creation: Creation) -> str:
    event = creation.event
    return error(event) if isinstance(event, Raised) else f"a thread of kind {event.kind}"
