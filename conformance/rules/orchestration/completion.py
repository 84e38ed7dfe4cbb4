"""Rules on the one completion of a run: it is there, once, last, told apart, and never before its time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import answer_of, answering, completing, response_of, spells
from conformance.rules.orchestration.outputs import SIGNAL, completed, exactly_one, final_events, foreign_at, intermediate, texts
from conformance.rules.orchestration.pairs import completions_alike, twins
from conformance.rules.orchestration.runs import (
    MANAGED,
    cut_off,
    direct,
    fails,
    faulty,
    left_to_author,
    limited,
    nests,
    played,
    waited,
)
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import show
from conformance.scenario.specs import WorkflowSpec
from conformance.trace.adapter_events import Chunk, Idle, Output, Raised, RequestPending
from conformance.trace.harness_events import ServiceFailed, Warned


@rule("ORC-01", needs=["workflows"], policies=SIGNAL)
def one_completion_a_run(execution: ExecutionView) -> Iterator[Finding]:
    """A run that completes has exactly one run-completed output.

    Leaves alone: runs that wait or fail (ORC-04, ORC-05), and author-written workflows in which not exactly one executor completes
    (ORC-07, ORC-08).
    """
    for run, spec, _ in direct(execution):
        if run.succeeded and not left_to_author(execution.scenario, spec.workflow):
            yield exactly_one(run, [at for at, _ in completed(run)])


@rule("ORC-02", needs=["workflows"], policies=SIGNAL)
def the_completion_is_the_last_output(execution: ExecutionView) -> Iterator[Finding]:
    """The run-completed output is the last output event of the run: nothing is output after it until the next run begins.

    Leaves alone: how many there are (ORC-01), author-written workflows in which not exactly one executor completes (ORC-07), or in
    which another one outputs beside or after it.
    """
    for run, spec, workflow in direct(execution):
        found = completed(run)
        if not found or left_to_author(execution.scenario, spec.workflow) or _outputs_beside(workflow):
            continue
        first = found[0][0]
        after = [at for at, event in run.events if at > first and isinstance(event, (Output, Chunk))]
        yield finding(
            not after,
            after[0] if after else first,
            expected="no output after the run-completed one",
            got=f"{len(after)} more output events",
            also=[first],
        )


@rule("ORC-03", needs=["workflows"])
def the_completion_can_be_told(execution: ExecutionView) -> Iterator[Finding]:
    """A consumer can tell the run-completed output without looking at the payload's type or position.

    By the signal that the policy `completion_signal` declares; with `none` nobody can. Where outputs of a run that completed bear
    no signal, or what is no whole output bears it, a consumer cannot tell either. Leaves alone: how many there are (ORC-01).
    """
    signal = execution.policies.completion_signal
    for run, spec, _ in direct(execution):
        outputs = [at for at, event in run.events if isinstance(event, (Output, Chunk))]
        if not run.succeeded or not outputs or left_to_author(execution.scenario, spec.workflow):
            continue
        pieces = [at for at, chunk in run.of(Chunk) if chunk.completed]
        told_apart = signal not in (None, "none") and bool(completed(run)) and not pieces
        yield finding(
            told_apart,
            pieces[0] if pieces else outputs[-1],
            expected="a signal on the run-completed output, and on nothing less than it",
            got=f"{len(completed(run))} outputs and {len(pieces)} chunks with a signal (completion_signal: {signal})",
        )


@rule("ORC-04", needs=["workflows", "workflows.requests"], policies=SIGNAL)
def a_suspended_run_is_not_completed(execution: ExecutionView) -> Iterator[Finding]:
    """While a run is suspended on a pending request no output is run-completed; after all answers there is exactly one.

    However many outputs came before. Leaves alone what the answer is (ORC-13 ff.).
    """
    for run, spec, _ in direct(execution):
        pending = run.of(RequestPending)
        if (
            not pending
            or left_to_author(execution.scenario, spec.workflow)
            or faulty(execution, run)
            or run.ending in ("unknown", "refused")
        ):
            continue
        last_step = max(event.step for _, event in run.events)
        open_end = run.ending in ("waiting", "raised")
        early = [at for at, event in completed(run) if event.step < last_step or open_end]
        yield finding(
            not early,
            early[0] if early else pending[0][0],
            expected="no run-completed output while a request is pending",
            got=f"{len(early)} run-completed outputs while the run was suspended",
            also=[pending[0][0]],
        )
        rested = [(at, idle) for at, idle in run.of(Idle) if idle.step < last_step or open_end]
        said_done = [at for at, idle in rested if not idle.pending]
        yield finding(
            not said_done,
            said_done[0] if said_done else pending[0][0],
            expected="idle with pending requests",
            got="idle without any, although a request waits",
            also=[pending[0][0]],
        )
        if run.succeeded:
            yield exactly_one(run, [at for at, event in completed(run) if event.step == last_step])


@rule("ORC-05", needs=["workflows"], policies=SIGNAL)
def a_run_that_fails_does_not_complete(execution: ExecutionView) -> Iterator[Finding]:
    """A run that fails has no run-completed output; the error reaches the consumer.

    Intermediate outputs already emitted stay valid: in a stream, whoever spoke one after another before the failure was heard. It
    fails where a participant or an executor does. Where a manager names somebody unknown, an implementation may go on without:
    then there is no error, but never both. Leaves alone: concurrent workflows that answer without the failing participant (ORC-33),
    and completions in author-written workflows in which somebody else fails.
    """
    for run, spec, workflow in played(execution):
        if not fails(execution, run) or run.ending == "waiting" or cut_off(run):
            continue
        done = [] if completing(workflow) else [at for at, _ in completed(run)]
        raised = run.raised is not None
        withdrawn = _withdrawn(execution, run, workflow) if spec.stream else []
        yield finding(
            (raised and not done and not withdrawn) or (spec.manager.errs and not raised),
            done[0] if done else run.events[-1][0],
            expected="an error for the consumer, no run-completed output, and what was said until then",
            got=f"{'an' if raised else 'no'} error, {len(done)} run-completed outputs"
            + (f", and nothing of {', '.join(withdrawn)}" if withdrawn else ""),
        )


@rule("ORC-06", needs=["workflows"], policies=SIGNAL)
def runs_do_not_leak_into_each_other(execution: ExecutionView) -> Iterator[Finding]:
    """The second run on the same workflow has its own completion, with nothing of the first run's answer.

    A failed or suspended-and-dropped first run does not poison it. Leaves alone: how many completions there are (ORC-01), what
    participants are sent (ORC-35), runs after one whose consumer left its stream (ORC-38), and texts that both runs say.
    """
    runs = list(played(execution))
    for place, (run, spec, _) in enumerate(runs):
        earlier = [other for other, its, _ in runs[:place] if its.workflow == spec.workflow and other.events[-1][0] < run.at]
        left = any(cut_off(other) for other in earlier)
        if not earlier or left or faulty(execution, run) or cut_off(run) or left_to_author(execution.scenario, spec.workflow):
            continue
        found = final_events(run, spec)
        expected = any(final_events(other, its) for other, its, _ in runs[:place] if other in earlier and its.stream == spec.stream)
        leaked = foreign_at(execution, run, earlier, found)
        own = run.ending == "waiting" or (run.succeeded and (bool(found) or not expected))
        yield finding(
            own and not leaked,
            leaked[0] if leaked else run.raised[0] if run.raised else run.events[-1][0],
            expected="a completion of its own, with nothing of an earlier run in it",
            got=f"{len(leaked)} answers with texts of earlier runs" if own else f"{len(found)} completions; the run {run.ending}",
            also=[earlier[-1].events[-1][0]],
        )


@rule("ORC-07", needs=["workflows", "workflows.custom"])
def several_completions_are_detected(execution: ExecutionView) -> Iterator[Finding]:
    """A custom workflow in which several executors complete is detected: a warning or an error names the executors.

    One after another, in the same superstep, or one of them twice.
    """
    for run, _, workflow in direct(execution):
        names = completing(workflow) if workflow.pattern == "custom" else []
        if len(names) < 2 or run.ending == "waiting" or cut_off(run) or faulty(execution, run):
            continue
        told = [(at, event.text) for at, event in run.events if isinstance(event, (Warned, Raised))]
        named = {name for name in names for _, text in told if name in text}
        failed_fast = run.raised is not None and len(named) > 1
        yield finding(
            named == set(names) or failed_fast,
            told[0][0] if told else run.events[-1][0],
            expected=f"a warning or an error that names {', '.join(dict.fromkeys(names))}",
            got=f"{len(told)} warnings and errors, which name {', '.join(sorted(named)) or 'none of them'}",
        )


@rule("ORC-08", level="SHOULD", needs=["workflows", "workflows.custom"])
def an_end_without_completion_is_reported(execution: ExecutionView) -> Iterator[Finding]:
    """A custom workflow that ends without completing is reported: a warning, or an implementation-made completion."""
    for run, _, workflow in direct(execution):
        if workflow.pattern != "custom" or completing(workflow) or not run.succeeded or faulty(execution, run):
            continue
        reported = [at for at, _ in (*run.of(Warned), *completed(run))]
        yield finding(
            bool(reported),
            reported[0] if reported else run.events[-1][0],
            expected="a warning, or a run-completed output made by the implementation",
            got="an end that nobody can tell from a run that is still to be completed",
        )


@rule("ORC-09", needs=["workflows", "runs.streaming"], policies=SIGNAL)
def a_streamed_answer_is_whole(execution: ExecutionView) -> Iterator[Finding]:
    """Streaming: the run-completed event carries the whole answer, not the last chunk; chunks are intermediate.

    The answer's text equals the concatenation of its chunks where they belong to the answering agent. Leaves alone: handoff, which
    completes with nothing, and author-written workflows in which not exactly one executor completes.
    """
    for run, spec, workflow in direct(execution):
        if not spec.stream or not run.succeeded or waited(run) or faulty(execution, run):
            continue
        if workflow.pattern == "handoff" or left_to_author(execution.scenario, spec.workflow) or limited(execution.scenario, spec):
            continue
        wanted = texts(answer_of(execution, run, workflow))
        whole = [at for at, output in completed(run) if texts(execution.heard(output.messages)) >= wanted]
        pieces = [at for at, chunk in run.of(Chunk) if chunk.completed]
        cut = [name for name in answering(workflow) if not _joins(execution, run, name)]
        yield finding(
            bool(whole) and not pieces and not cut,
            pieces[0] if pieces else whole[0] if whole else run.events[-1][0],
            expected=f"a run-completed output with the whole answer {show(answer_of(execution, run, workflow))}, "
            "which its chunks join to",
            got=f"{len(whole)} whole answers, {len(pieces)} chunks that complete"
            + (f", chunks of {', '.join(cut)} that join to something else" if cut else ""),
        )


@rule("ORC-10", needs=["workflows", "runs.streaming"], policies=SIGNAL)
def streaming_changes_no_output(execution: ExecutionView) -> Iterator[Finding]:
    """Streaming and non-streaming runs have the same run-completed payload and the same intermediate outputs.

    After chunks are joined. Judged on runs with the same script, one streaming and one not. Of intermediate outputs that a stream
    shows as chunks only, the texts are compared.
    """
    for pair in twins(execution, "stream", direct=True):
        yield completions_alike(execution, pair)
        first, second = (_shown(execution, run) for run in pair.runs)
        yield finding(
            first == second,
            pair.second.events[-1][0],
            expected=f"the same intermediate outputs: {', '.join(sorted(first.elements()))}",
            got=", ".join(sorted(second.elements())) or "none",
            also=[pair.first.events[-1][0]],
        )


def _withdrawn(execution: ExecutionView, run: RunView, workflow: WorkflowSpec) -> list[str]:
    """Texts that a consumer should have seen before the run failed: those of intermediate outputs, by participants in turn."""
    in_turn = workflow.pattern == "handoff" or (workflow.pattern in ("sequential", *MANAGED) and workflow.intermediate_outputs)
    if not in_turn or nests(execution.scenario, workflow) or waited(run):
        return []
    failed = {event.agent for _, event in run.of(ServiceFailed)}
    said = texts(part for spell in spells(execution, run) if spell.agent not in failed for part in spell.said)
    chunks = "".join(chunk.text for _, chunk in run.of(Chunk))
    outputs = texts(part for _, output in run.of(Output) for part in execution.heard(output.messages))
    return [text for text in said if text not in outputs and text not in chunks]


def _outputs_beside(workflow: WorkflowSpec) -> bool:
    """Whether an author-written workflow lets somebody output in the same superstep as the completing one, or later."""
    names = completing(workflow) if workflow.pattern == "custom" else []
    late = workflow.stages[_stage_of(workflow, names[0]) :] if names else ()
    others = [name for stage in late for name in stage if name not in names]
    return any(name in workflow.participants or workflow.executors[name].emits for name in others)


def _stage_of(workflow: WorkflowSpec, executor: str) -> int:
    return next(place for place, stage in enumerate(workflow.stages) if executor in stage)


def _joins(execution: ExecutionView, run: RunView, agent: str) -> bool:
    """Whether the chunks of an agent, where any are shown, join to the texts that it said."""
    shown = [chunk.text for _, chunk in run.of(Chunk) if chunk.executor == agent]
    return not any(shown) or "".join(shown) == "".join(
        part[1] for part in response_of(execution, run, agent) if part[0] == "assistant"
    )


def _shown(execution: ExecutionView, run: RunView) -> Counter[str]:
    """The texts of a run's intermediate outputs; of one that shows chunks only, letter by letter."""
    return Counter(
        "".join(text * count for text, count in texts(part for _, said in intermediate(execution, run) for part in said).items())
    )
