"""Calls and their executions. Tools rarely see the ids of calls, so that both are counted by agent, tool and arguments."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.persistence.approvals import decided_on
from conformance.rules.run_view import RunView
from conformance.scenario.specs import ToolSpec
from conformance.trace.adapter_events import RequestPending
from conformance.trace.harness_events import ServiceCalled, ToolCalled
from conformance.trace.messages import Call

Which = tuple[str, str, str]
"""Which calls are counted as one: those of one agent, tool and arguments."""


@dataclass(frozen=True)
class Executed:
    """A tool that begins to run, of the run's agent or of any other one that works in the run."""

    run: RunView
    at: int
    event: ToolCalled

    @property
    def which(self) -> Which:
        """What it is counted as."""
        return _which(self.event.agent, self.event)


@dataclass(frozen=True)
class PassedCall:
    """A call, where it was asked for, and where its run went on past it: a request of the same agent that holds it."""

    run: RunView
    agent: str
    call: Call
    asked_at: int
    at: int

    @property
    def which(self) -> Which:
        """What it is counted as."""
        return _which(self.agent, self.call)


@selection
def executed(execution: ExecutionView) -> Iterator[Executed]:
    """A tool that runs."""
    for run in execution.runs:
        yield from (Executed(run, at, event) for at, event in run.of(ToolCalled))


@selection
def passed_call(execution: ExecutionView) -> Iterator[PassedCall]:
    """A call past which its run went on."""
    for run in execution.runs:
        for asked_at, agent, call in run.asked_for:
            at = next((at for at, sent in run.of(ServiceCalled) if at > asked_at and _holds(sent, agent, call)), None)
            if at is not None:
                yield PassedCall(run, agent, call, asked_at, at)


@condition
def of_a_tool_that_needs_approval(execution: ExecutionView, each: Executed) -> bool:
    """The tool needs an approval."""
    tool = _tool(execution, each.event.agent, each.event.tool)
    return tool is not None and tool.approval


@condition
def of_a_tool_of_its_own(execution: ExecutionView, each: PassedCall) -> bool:
    """The agent has the tool, which is no agent."""
    tool = _tool(execution, each.agent, each.call.tool)
    return tool is not None and tool.agent is None


@condition
def perhaps_rejected(execution: ExecutionView, each: PassedCall) -> bool:
    """The call needs an approval, and somebody refused one in the run (PER-31)."""
    tool = _tool(execution, each.agent, each.call.tool)
    refused = any(not approve for _, approve in decided_on(execution, each.run))
    return tool is not None and tool.approval and refused


def executions(run: RunView, which: Which, *, before: int) -> list[int]:
    """Where tools ran in a run before a position in the trace."""
    return [at for at, event in run.of(ToolCalled) if at < before and _which(event.agent, event) == which]


def asked(run: RunView, which: Which, *, before: int) -> list[int]:
    """Where replies of a run before a position in the trace ask for calls; one that asks for several stands several times."""
    return [at for at, agent, call in run.asked_for if at < before and _which(agent, call) == which]


def left_waiting(execution: ExecutionView, run: RunView, which: Which) -> int:
    """How many calls earlier runs of the thread wait with when a run begins: it may execute them instead (PER-42)."""
    waiting = [each for each in execution.earlier(run) if each.waits_at(run.at)] if run.thread is not None else []
    return sum(len(asked(each, which, before=run.at)) - len(executions(each, which, before=run.at)) for each in waiting)


@dataclass(frozen=True)
class Decided:
    """What was decided by the time a tool runs, of calls that it may be one of. ran: how many of these ran by then, it included."""

    approved: int
    rejected: int
    ran: int


def decided_by(execution: ExecutionView, each: Executed) -> Decided:
    """The decisions on calls like this one in its run, told apart as far as all requests of the run tell."""
    run = each.run
    ids = {call.id: _which(agent, call) for _, agent, call in run.asked_for}
    told = _told([request for _, request in run.of(RequestPending)], ids)
    decisions = decided_on(execution, run, by=each.event.step)
    answers = [yes for request, yes in decisions if _about(request, ids)[told] == each.which[told]]
    ran = [other for other in _begun_under_approval(execution, each) if other.which[told] == each.which[told]]
    return Decided(sum(answers), len(answers) - sum(answers), len(ran))


def _begun_under_approval(execution: ExecutionView, each: Executed) -> list[Executed]:
    """The tools that need an approval and ran in the same run until then, this one included."""
    begun = [Executed(each.run, at, event) for at, event in each.run.of(ToolCalled) if at <= each.at]
    return [other for other in begun if of_a_tool_that_needs_approval(execution, other)]


def _told(requests: Sequence[RequestPending], ids: Mapping[str, Which]) -> slice:
    """How much of what is counted as one all of these requests tell: all, the tool alone, or nothing."""
    if all(request.call in ids for request in requests):
        return slice(0, 3)
    return slice(1, 2) if all(request.tool for request in requests) else slice(0, 0)


def _about(request: RequestPending, ids: Mapping[str, Which]) -> Which:
    return ids.get(request.call or "", ("", request.tool or "", ""))


def _which(agent: str, call: Call | ToolCalled) -> Which:
    return agent, call.tool, json.dumps(call.arguments, sort_keys=True)


def _tool(execution: ExecutionView, agent: str, name: str) -> ToolSpec | None:
    return execution.scenario.agents[agent].tools.get(name)


def _holds(sent: ServiceCalled, agent: str, call: Call) -> bool:
    """Whether a request of an agent holds a call, or its result."""
    said = [*sent.held, *sent.messages] if sent.agent == agent else []
    return any(call.id in {each.id for each in (*message.calls, *message.results)} for message in said)
