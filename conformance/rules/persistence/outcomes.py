"""What became of calls: whether a tool returned, raised, or was not run because somebody rejected that, and where it is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.persistence.approvals import decided_on, needs_approval
from conformance.rules.run_view import RunView
from conformance.trace.adapter_events import RequestPending, RunReturned, ThreadDescribed
from conformance.trace.harness_events import HistoryAppended, HistoryLoaded, ServiceCalled, ToolRaised, ToolReturned
from conformance.trace.messages import Call, Message, Result

How = Literal["returned", "raised", "rejected"]
Where = Literal["sent", "kept", "returned"]
Told = Sequence[tuple[int, Result]]
"""Results of one call, and where they stand in the trace."""


@dataclass(frozen=True)
class Outcome:
    """A call of an id that stands for no other, and how it ended. at: where it was asked for. told: its results.

    within: those of them that stand in its own run; a later one may have lost the result, and say so.
    """

    call: Call
    how: How
    returns: str
    at: int
    told: Mapping[Where, Told]
    within: Told


@selection
def outcome(execution: ExecutionView) -> Iterator[Outcome]:
    """A call that came to an end."""
    told = _told(execution)
    for run in execution.runs:
        ended = _ended(execution, run)
        for at, agent, call in run.asked_for:
            tool = execution.scenario.agents[agent].tools.get(call.tool)
            if tool is not None and execution.asked_for[call.id] == 1 and call.id in ended:
                yield Outcome(call, ended[call.id], tool.returns, at, told[call.id], _until(run.events[-1][0], told[call.id]))


@condition
def gone_well(_: ExecutionView, outcome: Outcome) -> bool:
    """The tool returned."""
    return outcome.how == "returned"


def _ended(execution: ExecutionView, run: RunView) -> Mapping[str | None, How]:
    """How the calls of a run ended, by their ids."""
    found: dict[str | None, How] = {}
    for id in _rejected(execution, run):
        found[id] = "rejected"
    for _, event in run.of(ToolReturned):
        found[event.id] = "returned"
    for _, event in run.of(ToolRaised):
        found[event.id] = "raised"
    return found


def _rejected(execution: ExecutionView, run: RunView) -> Iterable[str]:
    """The calls that somebody rejected, as far as that can be told: where requests name them, or where nothing was approved."""
    decided, asked = decided_on(execution, run), run.of(RequestPending)
    if all(request.call for _, request in asked):
        return [request.call for request, approve in decided if request.call and not approve]
    nothing_approved = len(decided) == len(asked) and not any(approve for _, approve in decided)
    return _asking_for_approval(run) if nothing_approved and run.thread is not None else ()


def _asking_for_approval(run: RunView) -> list[str]:
    return [call.id for _, agent, call in run.asked_for if agent == run.agent_name and needs_approval(run, call)]


def _until(at: int, told: Mapping[Where, Told]) -> Told:
    return [each for found in told.values() for each in found if each[0] <= at]


def _told(execution: ExecutionView) -> Mapping[str, Mapping[Where, Told]]:
    """Where the results of each call are told."""
    found: defaultdict[str, dict[Where, list[tuple[int, Result]]]] = defaultdict(dict)
    for where, at, messages in _shown(execution):
        for result in (result for message in messages for result in message.results):
            found[result.id].setdefault(where, []).append((at, result))
    return found


def _shown(execution: ExecutionView) -> Iterator[tuple[Where, int, Sequence[Message]]]:
    for at, event in execution.of(ServiceCalled):
        yield "sent", at, event.messages
    for at, event in (*execution.of(HistoryAppended), *execution.of(HistoryLoaded), *execution.of(ThreadDescribed)):
        yield "kept", at, event.messages or ()
    for at, event in execution.of(RunReturned):
        yield "returned", at, event.messages
