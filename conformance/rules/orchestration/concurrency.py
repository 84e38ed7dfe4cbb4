"""Orchestration, concurrency: every order of finishing, a participant that fails, two workflows at once (ORC-32 to ORC-34)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import spells
from conformance.rules.orchestration.failures import failures
from conformance.rules.orchestration.outputs import (
    COMPLETIONS,
    SIGNAL,
    completed,
    exactly_one,
    heard_texts,
    how_many,
    intermediate_outputs,
    texts,
    told,
)
from conformance.rules.orchestration.pairs import BOTH_ENDED, INCOMPARABLE, PAYLOADS, Pair, both, completions_alike, pair_by
from conformance.rules.orchestration.workflow_run import (
    WorkflowRun,
    concurrent,
    cut_off,
    direct_run,
    nests,
    succeeded,
    waiting,
    workflow_run,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.scenario.scenario import Together
from conformance.trace.adapter_events import Chunk, RunReturned
from conformance.trace.harness_events import ServiceFailed, ServiceReplied
from conformance.trace.messages import Message

# --- what the rules of this section look at, and leave alone ---


@condition
def finished_in_its_order(_: ExecutionView, each: WorkflowRun) -> bool:
    """The participants finished in the order that the script says; one of some alone says so of these."""
    last: dict[str, int] = {reply.agent: at for at, reply in each.run.of(ServiceReplied)}
    finished = [agent for agent in sorted(last, key=lambda agent: last[agent]) if agent in each.spec.finish]
    return finished == list(dict.fromkeys(each.spec.finish))


@condition
def a_participant_fails(_: ExecutionView, each: WorkflowRun) -> bool:
    """The service of a participant failed, for good."""
    return bool(failures(each))


@condition
def has_to_fail(execution: ExecutionView, _: WorkflowRun) -> bool:
    """A run with a failing participant fails, as the implementation declares."""
    return execution.policies.failing_participant == "fails"


@dataclass(frozen=True)
class Beside:
    """A run of a workflow, and runs of other workflows that were in flight at the same time."""

    itself: WorkflowRun
    others: tuple[WorkflowRun, ...]


@selection
def run_beside_others(execution: ExecutionView) -> Iterator[Beside]:
    """A run of a workflow beside runs of other ones in the same step."""
    runs = list(workflow_run(execution))
    for each in runs:
        others = tuple(other for other in runs if _in_flight(execution, each, other))
        if others:
            yield Beside(each, others)


def _in_flight(execution: ExecutionView, each: WorkflowRun, other: WorkflowRun) -> bool:
    """Whether a run of another workflow belongs to the same step, in which several are in flight."""
    step, its = (execution.trace.events[run.at].step for run in (each.run, other.run))
    return step == its and other.spec.workflow != each.spec.workflow and isinstance(execution.scenario.steps[step], Together)


# --- the rules ---


@rule(
    "ORC-32",
    needs=["workflows.concurrent"],
    policies=SIGNAL,
    each=pair_by("finish", as_agent=False),
    when=[*BOTH_ENDED, both(concurrent), both(finished_in_its_order)],
    leaves_alone=INCOMPARABLE,
    aspects=PAYLOADS,
)
def every_order_of_finishing_gives_the_same_answer(execution: ExecutionView, pair: Pair) -> Iterator[Finding]:
    """Concurrent with every order of finishing: the same answer, one completion.

    Judged on runs with the same script but for that order.
    """
    yield completions_alike(execution, pair)
    for run in pair.runs:
        yield exactly_one(run, [at for at, _ in completed(run)])


@clause(
    each=direct_run,
    when=[concurrent, a_participant_fails, ~has_to_fail],
    leaves_alone=[nests, waiting, cut_off],
)
def the_others_answer(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """Where a failing participant is left out, there is one completion with nothing that it said, and no error.

    Where everybody fails there is nothing to answer with.
    """
    failed = {event.agent for event in failures(each)}
    everybody = failed == set(each.workflow.participants)
    aspect = _answer_of_nobody(each) if everybody else _how_it_ended(each) or _words_of(execution, each, failed)
    yield _one_end(each, aspect, f"one completion without {', '.join(sorted(failed))}, and no error")


@rule(
    "ORC-33",
    needs=["workflows.concurrent"],
    policies=("completion_signal", "failing_participant"),
    each=direct_run,
    when=[concurrent, a_participant_fails, has_to_fail],
    leaves_alone=[waiting, cut_off],
    also=[the_others_answer],
    aspects=["both", "not raised", "raised", *COMPLETIONS, "words of the failed", "answer of nobody"],
)
def a_failing_participant_leads_to_one_end(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """Concurrent with one failing participant: the run fails, or there is an answer without it, as declared; never both.

    The policy `failing_participant`.
    """
    aspect = "not raised" if each.run.raised is None else "both" if completed(each.run) else ""
    yield _one_end(each, aspect, "an error and no completion")


@rule(
    "ORC-34",
    needs=["workflows", "runs.interleaved"],
    policies=SIGNAL,
    each=run_beside_others,
    when=[succeeded.of(lambda beside: beside.itself)],
    aspects=["answer", "intermediate", "request"],
)
def interleaved_runs_do_not_mix(execution: ExecutionView, beside: Beside) -> Iterator[Finding]:
    """Two runs of two workflow instances that interleave do not mix outputs.

    Nothing that only the other one said is in its outputs, intermediate ones and chunks too, or reaches its participants.
    """
    run, foreign = beside.itself.run, _only_others_told(execution, beside)
    seen = [*completed(run), *run.of(RunReturned)[-1:]]
    mixed = _where_told(execution, foreign, ((at, event.messages) for at, event in seen))
    between = _where_told(execution, foreign, ((at, output.messages) for at, output in intermediate_outputs(run)))
    between += _strange_chunks(beside, foreign)
    sent = _where_told(execution, foreign, ((view.at, view.request.messages) for view in run.calls))
    yield finding(
        not mixed and not between and not sent,
        [*mixed, *between, *sent, *(at for at, _ in seen), beside.itself.end][0],
        "answer" if mixed else "intermediate" if between else "request",
        expected="nothing of the other run in answers, intermediate outputs and requests",
        got=f"texts of the other run in {len(mixed)} answers, {len(between)} intermediate outputs and {len(sent)} requests",
        also=[beside.others[0].run.at],
    )


# --- what they compare ---


def _only_others_told(execution: ExecutionView, beside: Beside) -> Set[str]:
    """The texts that were said in the other runs, and not in this one."""
    return {text for other in beside.others for text in told(execution, other.run)} - set(told(execution, beside.itself.run))


def _where_told(execution: ExecutionView, foreign: Set[str], told: Iterable[tuple[int, Sequence[Message]]]) -> list[int]:
    """Where messages hold foreign texts."""
    return [at for at, messages in told if foreign & set(heard_texts(execution, messages))]


def _strange_chunks(beside: Beside, foreign: Set[str]) -> list[int]:
    """Where the last chunks of executors are whose chunks join to what only the other run said."""
    joined: dict[str | None, tuple[int, str]] = {}
    for at, chunk in beside.itself.run.of(Chunk):
        _, before = joined.get(chunk.executor, (at, ""))
        joined[chunk.executor] = at, before + chunk.text
    return [at for at, text in joined.values() if text in foreign]


def _answer_of_nobody(each: WorkflowRun) -> str:
    return "answer of nobody" if completed(each.run) else ""


def _how_it_ended(each: WorkflowRun) -> str:
    """The aspect in which a run that has to answer without the failing participant does not; "" where it does."""
    found = completed(each.run)
    if each.run.raised is not None:
        return "both" if found else "raised"
    return how_many(found)


def _words_of(execution: ExecutionView, each: WorkflowRun, failed: set[str]) -> str:
    """Whether an answer holds what a failing participant said before it failed, as an aspect."""
    said = texts(part for spell in spells(execution, each.run) if spell.agent in failed for part in spell.said)
    told_of = any(text in said for _, output in completed(each.run) for text in heard_texts(execution, output.messages))
    return "words of the failed" if told_of else ""


def _one_end(each: WorkflowRun, aspect: str, expected: str) -> Finding:
    run, found = each.run, completed(each.run)
    return finding(
        not aspect,
        found[0][0] if found else each.end,
        aspect,
        expected=expected,
        got=f"{'an' if run.raised else 'no'} error and {len(found)} completions",
        also=[run.of(ServiceFailed)[0][0]],
    )
