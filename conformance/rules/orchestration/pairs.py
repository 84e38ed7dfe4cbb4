"""Pairs: two runs of workflows in one scenario that have the same script, and differ in one thing that must not matter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import msgspec

from conformance.rules.condition import Condition, Selection, condition
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import said
from conformance.rules.orchestration.outputs import COMPLETIONS, completed
from conformance.rules.orchestration.workflow_run import WorkflowRun, succeeded, workflow_run
from conformance.rules.pairs import by_order
from conformance.rules.parts import how_they_differ
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
class Pair:
    """Two runs with one script; `second` is the one that streams, shows intermediates, or has the later order of finishing."""

    first: WorkflowRun
    second: WorkflowRun

    @property
    def runs(self) -> tuple[RunView, RunView]:
        """What happened in both."""
        return self.first.run, self.second.run


# --- what rules look at ---


def pair_by(difference: Difference, *, as_agent: bool) -> Selection[Pair]:
    """Every two runs that differ in nothing else, as agents or not."""
    text = f"two runs with the same script that differ in `{difference}` alone, {'as agents' if as_agent else 'by themselves'}"
    return Selection(f"pair by {difference}", text, _pairs(difference, as_agent))


def both(asked: Condition[WorkflowRun]) -> Condition[Pair]:
    """The condition that both runs of a pair meet one."""
    return Condition(
        f"both {asked.name}", f"of both runs: {asked.text}", lambda execution, pair: all(_asked(execution, pair, asked))
    )


def either(asked: Condition[WorkflowRun]) -> Condition[Pair]:
    """The condition that one of the runs of a pair, or both, meet one."""
    return Condition(
        f"either {asked.name}", f"of one of the runs: {asked.text}", lambda execution, pair: any(_asked(execution, pair, asked))
    )


def _asked(execution: ExecutionView, pair: Pair, asked: Condition[WorkflowRun]) -> tuple[bool, bool]:
    return asked(execution, pair.first), asked(execution, pair.second)


@condition
def beyond_its_script(_: ExecutionView, each: WorkflowRun) -> bool:
    """The service answered with texts of its own, which count over the scenario and differ from run to run."""
    asked = Counter(event.agent for _, event in each.run.of(ServiceCalled))
    return any(count > len(each.spec.replies.get(agent, ())) for agent, count in asked.items())


BOTH_ENDED = (both(succeeded),)
"""What must be so of runs that are compared."""

INCOMPARABLE = (either(beyond_its_script),)
"""Where two runs need not come to the same although their scripts are equal."""


# --- what they compare ---


PAYLOADS = (*COMPLETIONS, "missing", "repeated", "foreign", "order", "another author")
"""The aspects of `completions_alike`."""


def completions_alike(execution: ExecutionView, pair: Pair) -> Finding:
    """Whether both have the same run-completed payload: the same messages by the same authors, as often."""
    first, second = (_completions(execution, run) for run in pair.runs)
    return finding(
        first == second,
        pair.second.end,
        _how_completions_differ(second, first),
        expected="the same run-completed payload: " + " and ".join(show(parts) for parts, _ in first),
        got=" and ".join(show(parts) for parts, _ in second) or "none",
        also=[pair.first.end],
    )


Completions = list[tuple[list[Part], list[str | None]]]
"""The run-completed outputs of a run: what each says, and who signs its messages."""


def _completions(execution: ExecutionView, run: RunView) -> Completions:
    assert isinstance(run.spec, RunWorkflow)
    outputs = [output for _, output in completed(run)]
    heard = by_order([said(execution, output.messages) for output in outputs])
    itself = {run.spec.workflow: "the workflow itself"}
    signed = [[itself.get(message.author or "", message.author) for message in output.messages] for output in outputs]
    return list(zip(heard, signed, strict=True))


def _how_completions_differ(got: Completions, expected: Completions) -> str:
    if len(got) != len(expected):
        return "several completions" if got and expected else "no completion"
    told, wanted = ([part for parts, _ in outputs for part in parts] for outputs in (got, expected))
    return "another author" if told == wanted else how_they_differ(told, wanted)


def responses_alike(execution: ExecutionView, pair: Pair) -> Finding:
    """Whether both agents' responses say the same, in any order; it breaks in an aspect of `how_they_differ`, but in no order."""
    first, second = (_responses(execution, run) for run in pair.runs)
    return finding(
        first == second,
        pair.second.end,
        how_they_differ(list(second.elements()), list(first.elements())),
        expected=f"the same response: {show(list(first.elements()))}",
        got=show(list(second.elements())),
        also=[pair.first.end],
    )


def _responses(execution: ExecutionView, run: RunView) -> Counter[Part]:
    """What a response says; of a call, what it asks for: side by side, nobody can say which one was there first."""
    asked = {call.id: call.tool for _, reply in run.of(ServiceReplied) for call in reply.message.calls}
    heard = [part for _, event in run.of(RunReturned) for part in said(execution, event.messages)]
    return Counter((part[0], *part[2:]) if part[0] == "call" else _of_tool(part, asked) for part in heard)


def _of_tool(part: Part, asked: Mapping[str, str]) -> Part:
    return (part[0], asked.get(part[1], part[1])) if part[0] == "result" else part


# --- which runs have the same script ---


def _pairs(difference: Difference, as_agent: bool) -> Callable[[ExecutionView], Iterator[Pair]]:
    def select(execution: ExecutionView) -> Iterator[Pair]:
        runs = [each for each in workflow_run(execution) if each.spec.as_agent == as_agent]
        for first, second in combinations(runs, 2):
            one, other = _value(first, difference), _value(second, difference)
            if one != other and _but_for(first, difference) == _but_for(second, difference):
                yield Pair(second, first) if one is True else Pair(first, second)

    return select


def _value(each: WorkflowRun, difference: Difference) -> object:
    return getattr(each.workflow if difference == "intermediate_outputs" else each.spec, difference)


def _but_for(each: WorkflowRun, difference: Difference) -> tuple[RunWorkflow, WorkflowSpec, tuple[Respond, ...]]:
    """The script of a run, without what differs and without names."""
    own = {event.step for _, event in each.run.events}
    answered = tuple(
        msgspec.structs.replace(step, stream=False)
        for place, step in enumerate(each.run.scenario.steps)
        if place in own and isinstance(step, Respond)
    )
    script, workflow = msgspec.structs.replace(each.spec, workflow="", thread=None), each.workflow
    if difference == "intermediate_outputs":
        workflow = msgspec.structs.replace(workflow, intermediate_outputs=False)
    elif difference == "stream":
        script = msgspec.structs.replace(script, stream=False)
    else:
        script = msgspec.structs.replace(script, finish=())
    return script, workflow, answered
