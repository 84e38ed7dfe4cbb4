"""Persistence, refusals: what a strict service refuses in a request (PER-54)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import is_forgotten, persistence_of
from conformance.rules.persistence.approvals import waiting_before
from conformance.rules.persistence.history import calls_waited_for, kept_untold, nobody_keeps_it, unheard
from conformance.rules.preconditions import forked
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.trace.harness_events import ServiceCalled, ServiceReplied
from conformance.trace.messages import Message

Fault = tuple[str, str]
"""What is malformed in a request: the aspect, and the id of the call or of the conversation that it is about."""

APART = "call and result apart"

# --- what the rule looks at, and leaves alone ---


@dataclass(frozen=True)
class AnyRequest:
    """A request of a run: of its own agent, of one that this has as a tool, or of a participant of a workflow."""

    run: RunView
    at: int
    sent: ServiceCalled

    @property
    def on_its_thread(self) -> bool:
        """Whether the run is on a thread, and the request is of its own agent: it goes on with that thread's history."""
        return self.run.thread is not None and self.sent.agent == self.run.agent_name


@selection
def any_request(execution: ExecutionView) -> Iterator[AnyRequest]:
    """A request of any agent, also of one that is a tool or takes part in a workflow."""
    for run in execution.runs:
        yield from (AnyRequest(run, at, sent) for at, sent in run.of(ServiceCalled))


@condition
def to_a_strict_service(execution: ExecutionView, asked: AnyRequest) -> bool:
    """The service is strict: it refuses what real ones refuse."""
    return execution.scenario.agents[asked.sent.agent].service.strict


@condition
def forgotten(execution: ExecutionView, asked: AnyRequest) -> bool:
    """The service forgot the conversation that the request goes on with: the scenario asked for the refusal."""
    return asked.on_its_thread and asked.sent.conversation_id is not None and is_forgotten(execution, asked.run, asked.at)


def _of_thread(asked: Condition[RunView]) -> Condition[AnyRequest]:
    """The same condition, asked of the run whose thread a request goes on with; no other request meets it."""

    def test(execution: ExecutionView, request: AnyRequest) -> bool:
        return request.on_its_thread and asked(execution, request.run)

    return Condition(asked.name, asked.text, test)


# --- the rule ---


@rule(
    "PER-54",
    each=any_request,
    when=[to_a_strict_service],
    leaves_alone=[forgotten, _of_thread(forked), _of_thread(nobody_keeps_it), _of_thread(kept_untold)],
    aspects=["call without a result", "result without a call", APART, "two ids", "unknown id", "sentinel"],
    edition=2,
)
def no_refusal_that_nobody_scripted(execution: ExecutionView, asked: AnyRequest) -> Iterator[Finding]:
    """A strict service refuses no request, unless the scenario itself asked for that.

    A request holds what it sends and what the service has under its conversation id: there each call has one result, right after
    its message, and each result a call. It names one conversation at most, which the service has. An error that is scripted says
    nothing of the request. Calls that still wait for an answer are another rule's (PER-42), of a reply in which a stream was left
    nobody knows who heard it, and a result that a caller supplies late stands where the caller put it.
    """
    faults = [*_misnamed(execution, asked), *_mispaired(execution, asked)]
    aspect = faults[0][0] if faults else ""
    yield finding(
        not faults,
        asked.at,
        aspect,
        expected="a request that a strict service serves",
        got=", ".join(f"{fault}: {about}" for fault, about in faults),
    )


# --- what it compares ---


def _misnamed(execution: ExecutionView, asked: AnyRequest) -> Iterator[Fault]:
    """What is wrong with the conversation ids of a request. Those that a service issued are named by it."""
    sent = asked.sent
    if sent.second_id is not None:
        yield "two ids", f"{sent.conversation_id} and {sent.second_id}"
    for id in (sent.conversation_id, sent.second_id):
        if id is not None and id.rpartition("-")[0] != sent.agent:
            yield "sentinel" if _made_up(execution, asked, id) else "unknown id", id


def _made_up(execution: ExecutionView, asked: AnyRequest, id: str) -> bool:
    """Whether an id that no service issued can only be that of per-service-call persistence: nothing else was ever there."""
    agent = asked.sent.agent
    told = [reply for at, reply in execution.of(ServiceReplied) if at < asked.at and reply.agent == agent and reply.conversation_id]
    per_call = persistence_of(execution.scenario.agents[agent]) == "per call"
    return per_call and not told and id.startswith("foreign-")


def _mispaired(execution: ExecutionView, asked: AnyRequest) -> Iterator[Fault]:
    """What is wrong with the calls and results of a request, but for what somebody else is to blame for."""
    run, ours = asked.run, asked.on_its_thread
    open_rightly = _awaited(execution, run) | unheard(execution, run, asked.sent) if ours else set[str]()
    late = _supplied_late(execution, run) if ours else set[str]()
    for aspect, id in unpaired([*asked.sent.held, *asked.sent.messages]):
        if id not in (late if aspect == APART else open_rightly):
            yield aspect, id


def _awaited(execution: ExecutionView, run: RunView) -> set[str]:
    """The calls that wait for an answer when a run begins: what is sent of them meanwhile is another rule's (PER-42)."""
    return {call.id for each in waiting_before(execution, run) for call in calls_waited_for(each)}


def _supplied_late(execution: ExecutionView, run: RunView) -> set[str]:
    """The calls whose results a caller supplied when other runs had gone past them: that they stand apart is its own doing."""
    runs = [*execution.earlier(run), run]
    return {result.id for before, each in pairwise(runs) for result in each.supplied if result.id not in before.own_calls}


def unpaired(messages: Sequence[Message]) -> list[Fault]:
    """The calls and results that a strict service refuses.

    Instructions come with each request: where a service keeps the call, they stand between it and its result.
    """
    found: list[Fault] = []
    waiting: list[str] = []
    late: list[str] = []
    for message in messages:
        for result in message.results:
            if result.id in waiting:
                waiting.remove(result.id)
            elif result.id in late:
                late.remove(result.id)
                found.append((APART, result.id))
            else:
                found.append(("result without a call", result.id))
        if message.role not in ("tool", "system"):
            late, waiting = [*late, *waiting], []
        waiting += [call.id for call in message.calls]
    return [*found, *(("call without a result", id) for id in [*late, *waiting])]
