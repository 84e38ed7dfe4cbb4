"""Orchestration, visibility: intermediate outputs, chunks, and that showing them changes nothing (ORC-20 to ORC-22)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import Spell, answering, conversation, produced, response_of
from conformance.rules.orchestration.failures import faulty
from conformance.rules.orchestration.outputs import (
    SIGNAL,
    completed,
    how_texts_differ,
    in_no_output,
    intermediate,
    intermediate_outputs,
    misattributed,
    pieces,
)
from conformance.rules.orchestration.pairs import BOTH_ENDED, INCOMPARABLE, PAYLOADS, Pair, completions_alike, pair_by
from conformance.rules.orchestration.turns import in_turns
from conformance.rules.orchestration.workflow_run import (
    WorkflowRun,
    direct_run,
    handoff,
    left_to_author,
    nests,
    others_output_beside,
    shows_intermediates,
    succeeded,
)
from conformance.rules.pairs import by_order
from conformance.rules.parts import how_they_differ
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import show
from conformance.scenario.specs import ExecutorSpec
from conformance.trace.adapter_events import Chunk, Output
from conformance.trace.messages import Part

# --- what the rules of this section look at, and leave alone ---


@condition
def outputs_something(_: ExecutionView, each: WorkflowRun) -> bool:
    """The run has outputs."""
    return bool(each.run.of(Output))


@condition
def custom_with_participants(_: ExecutionView, each: WorkflowRun) -> bool:
    """The workflow is author-written and has participants: what is shown of them is the author's."""
    return each.workflow.pattern == "custom" and bool(each.workflow.participants)


# --- the rules ---


@rule(
    "ORC-20",
    needs=["workflows"],
    policies=SIGNAL,
    each=direct_run,
    when=[~shows_intermediates, succeeded, outputs_something],
    leaves_alone=[handoff, left_to_author],
    aspects=["output", "chunk"],
)
def without_intermediates_there_is_one_output(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """With `intermediate_outputs` off, the run-completed output is the only output, handoff excepted.

    Chunks of what may belong to the answer are a part of it.
    """
    outputs = each.run.of(Output)
    others = [at for at, _ in intermediate_outputs(each.run)]
    chunks = [at for at, chunk in each.run.of(Chunk) if chunk.executor in _hidden(each)]
    yield finding(
        not others and not chunks,
        [*others, *chunks, outputs[0][0]][0],
        "output" if others else "chunk",
        expected="the run-completed output alone, and no chunk of anything else",
        got=f"{len(others)} other outputs and {len(chunks)} chunks",
    )


@rule(
    "ORC-21",
    needs=["workflows", "workflows.intermediate_outputs"],
    policies=SIGNAL,
    each=direct_run,
    when=[shows_intermediates, succeeded],
    leaves_alone=[nests, faulty, left_to_author, custom_with_participants],
    aspects=["missing", "repeated", "foreign", "order", "late", "another author", "several completions"],
)
def with_intermediates_each_response_is_shown_once(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """With `intermediate_outputs` on, each participant response is output exactly once as intermediate, before the completion.

    In the order in which they were produced: of several that work side by side each one's in its own order. The answering
    participant's response is not also counted as a second completion. As the answer of a sequence is that response itself, an
    implementation may show it as the answer alone. An author may let others output beside the completion, or after it.
    """
    run = each.run
    done, shown = [at for at, _ in completed(run)], intermediate(execution, run)
    got, expected = [part for _, said in shown for part in said], _shown(execution, each)
    latest = run.events[-1][0] if others_output_beside(execution, each) else min(done, default=run.events[-1][0])
    late, signed = [at for at, _ in shown if at > latest], _signed_by_others(execution, run)
    how = _how_shown_otherwise(execution, each, got, expected) or _how_out_of_place(late, signed, done)
    yield finding(
        not how,
        [*late, *done, run.events[-1][0]][0],
        how,
        expected=f"as intermediate, before the completion: {show(_flat(expected))}",
        got=f"{show(got)}, signed by others: {', '.join(signed) or 'nothing'}, {len(late)} too late, {len(done)} completions",
    )


@clause(each=pair_by("intermediate_outputs", as_agent=False), when=BOTH_ENDED, leaves_alone=INCOMPARABLE)
def participants_are_sent_the_same(execution: ExecutionView, pair: Pair) -> Iterator[Finding]:
    """Turning `intermediate_outputs` on does not change what the participants are sent."""
    first, second = (_sent(execution, run) for run in pair.runs)
    changed = [agent for agent in first if first[agent] != second.get(agent)]
    yield finding(
        not changed,
        pair.second.run.sign,
        "other requests",
        expected="the same requests to every participant",
        got=f"other requests to {', '.join(changed)}",
        also=[pair.first.run.at],
    )


@rule(
    "ORC-22",
    needs=["workflows", "workflows.intermediate_outputs"],
    policies=SIGNAL,
    each=pair_by("intermediate_outputs", as_agent=False),
    when=BOTH_ENDED,
    leaves_alone=INCOMPARABLE,
    also=[participants_are_sent_the_same],
    aspects=[*PAYLOADS, "other requests"],
)
def looking_changes_nothing(execution: ExecutionView, pair: Pair) -> Iterator[Finding]:
    """Turning `intermediate_outputs` on changes neither the run-completed payload nor what the participants were sent.

    Judged on runs with the same script, on workflows that differ in nothing else.
    """
    yield completions_alike(execution, pair)


# --- what they compare ---


def _hidden(each: WorkflowRun) -> tuple[str, ...]:
    """The participants whose work can be no part of the answer."""
    return tuple(name for name in each.workflow.participants if name not in answering(each.workflow))


Shown = list[list[list[Part]]]
"""What is to be shown, one superstep after another: in each, what everybody who works side by side says."""


def _shown(execution: ExecutionView, each: WorkflowRun) -> Shown:
    """What the participants say in the order in which they are done, or an author's executors.

    Of several that work side by side nobody can say whose response was there first.
    """
    if each.workflow.pattern == "custom":
        return [[_emitted(each.workflow.executors[name]) for name in stage] for stage in each.workflow.stages]
    spoken = produced(execution, each.run)
    if each.workflow.pattern == "concurrent":
        return [[_as_shown(each, _said_by(name, spoken)) for name in each.workflow.participants]]
    return [[_as_shown(each, [part for spell in spoken for part in conversation([spell])])]]


def _emitted(executor: ExecutorSpec) -> list[Part]:
    return [("assistant", text) for text in executor.emits]


def _said_by(name: str, spoken: Sequence[Spell]) -> list[Part]:
    return conversation(spell for spell in spoken if spell.agent == name)


def _as_shown(each: WorkflowRun, said: list[Part]) -> list[Part]:
    """What a consumer can see of responses: where some are seen in pieces the texts alone."""
    return said if not _in_pieces(each) else [part for part in said if part[0] == "assistant"]


def _but_the_answer(execution: ExecutionView, each: WorkflowRun, shown: Shown) -> Shown:
    """The same without what the answer of a sequence is made of."""
    if each.workflow.pattern != "sequential":
        return shown
    answer = _as_shown(each, response_of(execution, each.run, each.workflow.participants[-1]))
    ((said,),) = shown
    return [[said[: len(said) - len(answer)]]]


def _in_pieces(each: WorkflowRun) -> bool:
    """Whether intermediates are seen as chunks alone: those of several that speak at once come in turns."""
    return bool(in_no_output(each.run)) or (each.spec.stream and not intermediate_outputs(each.run))


def _alike(execution: ExecutionView, each: WorkflowRun, got: Sequence[Part], expected: Shown) -> bool:
    """Whether intermediates, or the chunks of which they are made, are as expected."""
    if not _in_pieces(each):
        return in_turns([[part] for part in got], expected)
    return in_turns(pieces(execution, each.run), [["".join(part[1] for part in said) for said in stage] for stage in expected])


def _how_shown_otherwise(execution: ExecutionView, each: WorkflowRun, got: Sequence[Part], shown: Shown) -> str:
    """The aspect in which intermediates are not the expected ones; "" where they are."""
    if any(_alike(execution, each, got, form) for form in (shown, _but_the_answer(execution, each, shown))):
        return ""
    if _in_pieces(each):
        return how_texts_differ("".join(pieces(execution, each.run)), [part[1] for part in _flat(shown)])
    return how_they_differ(got, _flat(shown))


def _flat(shown: Shown) -> list[Part]:
    return [part for stage in shown for said in stage for part in said]


def _how_out_of_place(late: Sequence[int], signed: Sequence[str], done: Sequence[int]) -> str:
    """The aspect in which intermediates that say what is expected are wrong all the same; "" where they are not."""
    if late:
        return "late"
    if signed:
        return "another author"
    return "several completions" if len(done) > 1 else ""


def _signed_by_others(execution: ExecutionView, run: RunView) -> list[str]:
    """Who signs intermediate outputs that somebody else said."""
    outputs = intermediate_outputs(run)
    return [name for _, output in outputs for name in misattributed(execution, run, output.messages)]


def _sent(execution: ExecutionView, run: RunView) -> dict[str, list[list[Part]]]:
    """What each participant was sent in a run, with calls by their order of appearance."""
    found: dict[str, list[list[Part]]] = {}
    for view in run.calls:
        found.setdefault(view.request.agent, []).append(execution.heard([*view.request.held, *view.request.messages]))
    return {agent: by_order(requests) for agent, requests in found.items()}
