"""Rules on the one completion of a run: it is there, once, last, told apart, and never before its time."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.rules.answers import completing, spells
from conformance.rules.case import Case
from conformance.rules.outputs import completed, exactly_one
from conformance.rules.plays import MANAGED, cut_off, direct, fails, faulty, left_to_author, nests, played, waited
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.rules.texts import texts
from conformance.scenario import WorkflowSpec
from conformance.trace import Chunk, Idle, Output, RequestPending, ServiceFailed

SIGNAL = ("completion_signal",)


@rule("ORC-01", needs=["workflows"], policies=SIGNAL)
def one_completion_a_run(case: Case) -> Iterator[Finding]:
    """A run that completes has exactly one run-completed output.

    Leaves alone: runs that wait or fail (ORC-04, ORC-05), and author-written workflows in which not exactly one executor completes
    (ORC-07, ORC-08).
    """
    for run, spec, _ in direct(case):
        if run.succeeded and not left_to_author(case, spec.workflow):
            yield exactly_one(run, [at for at, _ in completed(run)])


@rule("ORC-02", needs=["workflows"], policies=SIGNAL)
def the_completion_is_the_last_output(case: Case) -> Iterator[Finding]:
    """The run-completed output is the last output event of the run: nothing is output after it until the next run begins.

    Leaves alone: how many there are (ORC-01), author-written workflows in which not exactly one executor completes (ORC-07), or in
    which another one outputs beside or after it.
    """
    for run, spec, workflow in direct(case):
        found = completed(run)
        if not found or left_to_author(case, spec.workflow) or _outputs_beside(workflow):
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
def the_completion_can_be_told(case: Case) -> Iterator[Finding]:
    """A consumer can tell the run-completed output without looking at the payload's type or position.

    By the signal that the policy `completion_signal` declares; with `none` nobody can. Where outputs of a run that completed bear
    no signal, or what is no whole output bears it, a consumer cannot tell either. Leaves alone: how many there are (ORC-01).
    """
    signal = case.policies.completion_signal
    for run, spec, _ in direct(case):
        outputs = [at for at, event in run.events if isinstance(event, (Output, Chunk))]
        if not run.succeeded or not outputs or left_to_author(case, spec.workflow):
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
def a_suspended_run_is_not_completed(case: Case) -> Iterator[Finding]:
    """While a run is suspended on a pending request no output is run-completed; after all answers there is exactly one.

    However many outputs came before. Leaves alone what the answer is (ORC-13 ff.).
    """
    for run, spec, _ in direct(case):
        pending = run.of(RequestPending)
        if not pending or left_to_author(case, spec.workflow) or faulty(run) or run.ending in ("unknown", "refused"):
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
def a_run_that_fails_does_not_complete(case: Case) -> Iterator[Finding]:
    """A run that fails has no run-completed output; the error reaches the consumer.

    Intermediate outputs already emitted stay valid: in a stream, whoever spoke one after another before the failure was heard. It
    fails where a participant or an executor does. Where a manager names somebody unknown, an implementation may go on without:
    then there is no error, but never both. Leaves alone: concurrent workflows that answer without the failing participant (ORC-33),
    and completions in author-written workflows in which somebody else fails.
    """
    for run, spec, workflow in played(case):
        if not fails(run) or run.ending == "waiting" or cut_off(run):
            continue
        done = [] if completing(workflow) else [at for at, _ in completed(run)]
        raised = run.raised is not None
        withdrawn = _withdrawn(run, workflow) if spec.stream else []
        yield finding(
            (raised and not done and not withdrawn) or (spec.manager.errs and not raised),
            done[0] if done else run.events[-1][0],
            expected="an error for the consumer, no run-completed output, and what was said until then",
            got=f"{'an' if raised else 'no'} error, {len(done)} run-completed outputs"
            + (f", and nothing of {', '.join(withdrawn)}" if withdrawn else ""),
        )


def _withdrawn(run: RunView, workflow: WorkflowSpec) -> list[str]:
    """Texts that a consumer should have seen before the run failed: those of intermediate outputs, by participants in turn."""
    in_turn = workflow.pattern == "handoff" or (workflow.pattern in ("sequential", *MANAGED) and workflow.intermediate_outputs)
    if not in_turn or nests(run.case, workflow) or waited(run):
        return []
    failed = {event.agent for _, event in run.of(ServiceFailed)}
    said = texts(part for spell in spells(run) if spell.agent not in failed for part in spell.said)
    chunks = "".join(chunk.text for _, chunk in run.of(Chunk))
    outputs = texts(part for _, output in run.of(Output) for part in run.case.heard(output.messages))
    return [text for text in said if text not in outputs and text not in chunks]


def _outputs_beside(workflow: WorkflowSpec) -> bool:
    """Whether an author-written workflow lets somebody output in the same superstep as the completing one, or later."""
    names = completing(workflow) if workflow.pattern == "custom" else []
    late = workflow.stages[_stage_of(workflow, names[0]) :] if names else ()
    others = [name for stage in late for name in stage if name not in names]
    return any(name in workflow.participants or workflow.executors[name].emits for name in others)


def _stage_of(workflow: WorkflowSpec, executor: str) -> int:
    return next(place for place, stage in enumerate(workflow.stages) if executor in stage)
