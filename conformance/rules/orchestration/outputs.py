"""What a consumer of a workflow sees of a run: its outputs, their signal, and what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import answering, said, spells, staged
from conformance.rules.orchestration.structure import MANAGED, inside
from conformance.rules.rule import Finding, finding
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import RunWorkflow, agents_in
from conformance.trace.adapter_events import Chunk, Output, RunReturned
from conformance.trace.messages import Message, Part, parts


def completed(run: RunView) -> list[tuple[int, Output]]:
    """The outputs that are signalled as the run-completed one."""
    return [(at, output) for at, output in run.of(Output) if output.completed]


def intermediate_outputs(run: RunView) -> list[tuple[int, Output]]:
    """The outputs that are not signalled so."""
    return [(at, output) for at, output in run.of(Output) if not output.completed]


def intermediate(execution: ExecutionView, run: RunView) -> list[tuple[int, list[Part]]]:
    """The intermediate outputs, what each says: whole ones, and of what is in none of them the chunks of each in a row, joined.

    Chunks of participants whose response is the answer are intermediate where intermediate outputs are asked for.
    """
    whole = [(at, said(execution, output.messages)) for at, output in intermediate_outputs(run)]
    rows = [list(row) for _, row in groupby(in_no_output(run), key=lambda each: each[1].executor)]
    joined = [(row[-1][0], [("assistant", "".join(chunk.text for _, chunk in row))]) for row in rows]
    return sorted([*whole, *joined], key=lambda each: each[0])


def belongs_to_the_answer(run: RunView) -> tuple[str, ...]:
    """The participants whose chunks are a part of the answer, and surely no intermediate outputs."""
    assert isinstance(run.spec, RunWorkflow)
    workflow = run.scenario.workflows[run.spec.workflow]
    return () if workflow.intermediate_outputs else answering(workflow)


def in_no_output(run: RunView) -> list[tuple[int, Chunk]]:
    """The chunks that are intermediate by themselves: no whole intermediate output of whoever spoke follows them.

    A run may have both: it began without a stream and was answered in one, or shows one executor so and another otherwise.
    """
    own = belongs_to_the_answer(run)
    chunks = [(at, chunk) for at, chunk in run.of(Chunk) if chunk.text and not chunk.completed and chunk.executor not in own]
    outputs = [(at, _speakers(output)) for at, output in intermediate_outputs(run)]
    return [(at, chunk) for at, chunk in chunks if not any(at < later and chunk.executor in names for later, names in outputs)]


def _speakers(output: Output) -> set[str | None]:
    """Whose chunks an output may be made of; nobody knows of whom unsigned ones are."""
    return {None, output.executor, *(message.author for message in output.messages)}


def pieces(execution: ExecutionView, run: RunView) -> list[str]:
    """The texts of the intermediate outputs in the pieces in which they came: chunks, and what whole ones say."""
    whole = [
        (at, part[1])
        for at, output in intermediate_outputs(run)
        for part in said(execution, output.messages)
        if part[0] == "assistant"
    ]
    chunks = [(at, chunk.text) for at, chunk in in_no_output(run)]
    return [text for _, text in sorted([*whole, *chunks], key=lambda each: each[0])]


def returned(execution: ExecutionView, run: RunView) -> list[Part]:
    """What the response of a workflow as an agent says; of a run that went on after requests, all of its responses."""
    return [part for _, event in run.of(RunReturned) for part in said(execution, event.messages)]


COMPLETIONS = ("no completion", "several completions")
"""The aspects of `how_many`."""


def how_many(found: Sequence[object]) -> str:
    """The aspect in which the number of run-completed outputs is wrong; "" where there is one."""
    return "" if len(found) == 1 else "several completions" if found else "no completion"


def exactly_one(run: RunView, found: Sequence[int]) -> Finding:
    """Whether a run has one run-completed output; `found`: where there are some."""
    marked = sum(1 for _, chunk in run.of(Chunk) if chunk.completed)
    return finding(
        len(found) == 1,
        found[1] if len(found) > 1 else run.events[-1][0],
        how_many(found),
        expected="exactly one run-completed output",
        got=f"{len(found)} run-completed outputs" + (f", and {marked} chunks that are marked like one" if marked else ""),
        also=found[:1],
    )


def texts(said: Iterable[Part]) -> Counter[str]:
    """The texts among parts, whatever role they are told in: what one participant said, another may hear as a user's."""
    return Counter(part[1] for part in said if part[0] in ("user", "assistant") and part[1])


def how_texts_differ(got: str, expected: Sequence[str]) -> str:
    """The aspect in which what was streamed is not the expected texts: `missing`, `repeated`, `foreign` or `order`.

    Letters are counted, because texts of several that speak at once come in turns.
    """
    wanted = "".join(expected)
    if Counter(wanted) - Counter(got):
        return "missing"
    if Counter(got) - Counter(wanted):
        return "repeated" if any(text and got.count(text) > wanted.count(text) for text in expected) else "foreign"
    return "order"


def heard_texts(execution: ExecutionView, messages: Iterable[Message]) -> Counter[str]:
    """The texts of messages."""
    return texts(execution.heard(list(messages)))


def told(execution: ExecutionView, run: RunView) -> Counter[str]:
    """Every text of a run: its input and what everybody in it said, the manager and executors too."""
    assert isinstance(run.spec, RunWorkflow)
    found = Counter(run.spec.say) + texts(part for spell in spells(execution, run) for part in spell.said)
    for workflow in inside(execution.scenario, run.spec.workflow):
        made = [run.spec.manager.answer if workflow.pattern in MANAGED else None, workflow.aggregates]
        for executor in staged(workflow).values():
            made += [*executor.emits, executor.completes, executor.again]
        found.update(text for text in made if text)
    return found


def said_inside(execution: ExecutionView, run: RunView, workflow: str) -> Counter[str]:
    """The texts of all participants of a workflow, also those of workflows in it."""
    members = agents_in(run.scenario, workflow)
    return texts(part for spell in spells(execution, run) if spell.agent in members for part in spell.said)


def misattributed(execution: ExecutionView, run: RunView, messages: Sequence[Message]) -> list[str]:
    """The participants that sign messages which they did not say, but another one, the manager or an executor did."""
    assert isinstance(run.spec, RunWorkflow)
    owners: dict[Part, set[str]] = {("assistant", text): set() for text in told(execution, run)}
    for spell in spells(execution, run):
        for part in spell.said:
            owners.setdefault(part, set()).add(spell.agent)
    members = agents_in(run.scenario, run.spec.workflow)
    return [
        message.author
        for message in messages
        for part in parts([message])
        if part[0] in ("assistant", "call") and message.author in members and message.author not in owners.get(part, members)
    ]


SIGNAL = ("completion_signal",)


def final_events(run: RunView, spec: RunWorkflow) -> list[tuple[int, Output | RunReturned]]:
    """What a run ended with: its run-completed outputs, or its last response as an agent."""
    return [*(run.of(RunReturned)[-1:] if spec.as_agent else completed(run))]
