"""What a consumer of a workflow sees of a run: its outputs, their signal, and what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from conformance.rules.answers import answering, said
from conformance.rules.rule import Finding, finding
from conformance.rules.run import RunView
from conformance.scenario import RunWorkflow
from conformance.trace import Chunk, Output, Part, RunReturned


def completed(run: RunView) -> list[tuple[int, Output]]:
    """The outputs that are signalled as the run-completed one."""
    return [(at, output) for at, output in run.of(Output) if output.completed]


def intermediate(run: RunView) -> list[tuple[int, list[Part]]]:
    """The intermediate outputs, what each says. Where a stream shows them as chunks only, the chunks of each in a row, joined.

    Chunks of participants whose response is the answer are intermediate where intermediate outputs are asked for.
    """
    whole = [(at, said(run.case, output.messages)) for at, output in run.of(Output) if not output.completed]
    if whole or not isinstance(run.spec, RunWorkflow):
        return whole
    workflow = run.case.scenario.workflows[run.spec.workflow]
    own = () if workflow.intermediate_outputs else answering(workflow)
    chunks = [(at, chunk) for at, chunk in run.of(Chunk) if not chunk.completed and chunk.executor not in own]
    joined: list[tuple[int, list[Part]]] = []
    for _, row in groupby(chunks, key=lambda each: each[1].executor):
        found = list(row)
        joined.append((found[-1][0], [("assistant", "".join(chunk.text for _, chunk in found))]))
    return joined


def returned(run: RunView) -> list[Part]:
    """What the response of a workflow as an agent says; of a run that went on after requests, all of its responses."""
    return [part for _, event in run.of(RunReturned) for part in said(run.case, event.messages)]


def exactly_one(run: RunView, found: Sequence[int]) -> Finding:
    """Whether a run has one run-completed output; `found`: where there are some."""
    marked = sum(1 for _, chunk in run.of(Chunk) if chunk.completed)
    return finding(
        len(found) == 1,
        found[1] if len(found) > 1 else run.events[-1][0],
        expected="exactly one run-completed output",
        got=f"{len(found)} run-completed outputs" + (f", and {marked} chunks that are marked like one" if marked else ""),
        also=found[:1],
    )
