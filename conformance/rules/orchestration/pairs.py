"""Twins: two runs of workflows in one scenario that have the same script, and differ in one thing that must not matter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import said
from conformance.rules.orchestration.outputs import completed
from conformance.rules.orchestration.runs import Played, faulty, played
from conformance.rules.pairs import by_order
from conformance.rules.rule import Finding, finding
from conformance.rules.run_view import RunView
from conformance.rules.wording import show
from conformance.scenario.scenario import Respond, RunWorkflow
from conformance.scenario.specs import WorkflowSpec
from conformance.trace.adapter_events import RunReturned
from conformance.trace.harness_events import ServiceCalled, ServiceReplied
from conformance.trace.messages import Part

Difference = Literal["stream", "intermediate_outputs", "finish"]


@dataclass(frozen=True)
class Twins:
    """Two runs that both came to their own end; `second` streams, shows intermediates, or has the other order."""

    first: RunView
    second: RunView

    @property
    def runs(self) -> tuple[RunView, RunView]:
        """Both."""
        return self.first, self.second


def twins(execution: ExecutionView, difference: Difference, *, direct: bool) -> Iterator[Twins]:
    """Every two runs that differ in nothing else, as agents or not.

    Replies must stand in the script: a text of the service's own counts over the scenario and would differ. So must orders be as
    the script says, where they are what differs.
    """
    fit = [each for each in played(execution) if each[1].as_agent != direct and _fits(execution, each)]
    for place, first in enumerate(fit):
        for second in fit[place + 1 :]:
            one, other = _value(first, difference), _value(second, difference)
            if one != other and _but_for(first, difference) == _but_for(second, difference):
                yield Twins(second[0], first[0]) if one is True else Twins(first[0], second[0])


def completions_alike(execution: ExecutionView, pair: Twins) -> Finding:
    """Whether both have the same run-completed payload: the same messages by the same authors, as often."""
    first, second = (_completions(execution, run) for run in pair.runs)
    return finding(
        first == second,
        pair.second.events[-1][0],
        expected="the same run-completed payload: " + " and ".join(show(parts) for parts, _ in first),
        got=" and ".join(show(parts) for parts, _ in second) or "none",
        also=[pair.first.events[-1][0]],
    )


def _completions(execution: ExecutionView, run: RunView) -> list[tuple[list[Part], list[str | None]]]:
    assert isinstance(run.spec, RunWorkflow)
    outputs = [output for _, output in completed(run)]
    heard = by_order([said(execution, output.messages) for output in outputs])
    itself = {run.spec.workflow: "the workflow itself"}
    signed = [[itself.get(message.author or "", message.author) for message in output.messages] for output in outputs]
    return list(zip(heard, signed, strict=True))


def responses_alike(execution: ExecutionView, pair: Twins) -> Finding:
    """Whether both agents' responses say the same, in any order."""
    first, second = (_responses(execution, run) for run in pair.runs)
    return finding(
        first == second,
        pair.second.events[-1][0],
        expected=f"the same response: {show(list(first.elements()))}",
        got=show(list(second.elements())),
        also=[pair.first.events[-1][0]],
    )


def _responses(execution: ExecutionView, run: RunView) -> Counter[Part]:
    """What a response says; of a call, what it asks for: side by side, nobody can say which one was there first."""
    asked = {call.id: call.tool for _, reply in run.of(ServiceReplied) for call in reply.message.calls}
    heard = [part for _, event in run.of(RunReturned) for part in said(execution, event.messages)]
    return Counter((part[0], *part[2:]) if part[0] == "call" else _of_tool(part, asked) for part in heard)


def _of_tool(part: Part, asked: Mapping[str, str]) -> Part:
    return (part[0], asked.get(part[1], part[1])) if part[0] == "result" else part


def _fits(execution: ExecutionView, each: Played) -> bool:
    run, spec, _ = each
    asked = Counter(event.agent for _, event in run.of(ServiceCalled))
    scripted = all(count <= len(spec.replies.get(agent, ())) for agent, count in asked.items())
    return run.succeeded and scripted and not faulty(execution, run)


def _value(each: Played, difference: Difference) -> object:
    _, spec, workflow = each
    return getattr(workflow if difference == "intermediate_outputs" else spec, difference)


def _but_for(each: Played, difference: Difference) -> tuple[RunWorkflow, WorkflowSpec, tuple[Respond, ...]]:
    """The script of a run, without what differs and without names."""
    run, spec, workflow = each
    own = {event.step for _, event in run.events}
    answered = tuple(
        msgspec.structs.replace(step, stream=False)
        for place, step in enumerate(run.scenario.steps)
        if place in own and isinstance(step, Respond)
    )
    script = msgspec.structs.replace(spec, workflow="", thread=None)
    if difference == "intermediate_outputs":
        workflow = msgspec.structs.replace(workflow, intermediate_outputs=False)
    else:
        script = (
            msgspec.structs.replace(script, stream=False) if difference == "stream" else msgspec.structs.replace(script, finish=())
        )
    return script, workflow, answered
