"""Orchestration, completion: it is there, once, last, told apart, and never before its time (ORC-01 to ORC-10)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import answer_of, answering, completing, response_of
from conformance.rules.orchestration.failures import completed_in_spite, faulty, goes_on_without, surely_fails, withdrawn
from conformance.rules.orchestration.later_run import LaterRun, leaked_at, of_the_later, run_again
from conformance.rules.orchestration.limits import limited
from conformance.rules.orchestration.outputs import (
    COMPLETIONS,
    SIGNAL,
    belongs_to_the_answer,
    completed,
    exactly_one,
    final_events,
    how_texts_differ,
    in_no_output,
    intermediate,
    texts,
)
from conformance.rules.orchestration.pairs import BOTH_ENDED, INCOMPARABLE, PAYLOADS, Pair, completions_alike, pair_by
from conformance.rules.orchestration.workflow_run import (
    WorkflowRun,
    completes,
    custom,
    cut_off,
    direct_run,
    left_to_author,
    others_output_beside,
    streams,
    succeeded,
    waited,
    waiting,
    workflow_run,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.wording import outcome, quoted, show
from conformance.scenario.scenario import RunWorkflow
from conformance.trace.adapter_events import Chunk, Idle, Output, Raised, RequestPending
from conformance.trace.harness_events import Warned

# --- what the rules of this section look at, and leave alone ---


@condition
def shows_something(_: ExecutionView, each: WorkflowRun) -> bool:
    """The run has outputs or chunks."""
    return bool(each.run.of(Output) or each.run.of(Chunk))


@condition
def after_one_cut_off(execution: ExecutionView, each: LaterRun) -> bool:
    """An earlier run of the workflow was cut off: its consumer left, it broke, or it cannot be expressed (ORC-38)."""
    return any(cut_off(execution, other) for other in each.earlier)


@condition
def completed_by_several(_: ExecutionView, each: WorkflowRun) -> bool:
    """The workflow is author-written, and its executors complete more than once."""
    return len(completing(each.workflow)) > 1


@condition
def completed_by_nobody(_: ExecutionView, each: WorkflowRun) -> bool:
    """None of the workflow's executors completes."""
    return not completing(each.workflow)


# --- the rules ---


@rule(
    "ORC-01",
    needs=["workflows"],
    policies=SIGNAL,
    each=direct_run,
    when=[succeeded],
    leaves_alone=[left_to_author],
    aspects=COMPLETIONS,
)
def one_completion_a_run(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A run that completes has exactly one run-completed output."""
    yield exactly_one(each.run, [at for at, _ in completed(each.run)])


@rule(
    "ORC-02",
    needs=["workflows"],
    policies=SIGNAL,
    each=direct_run,
    when=[completes],
    leaves_alone=[left_to_author, others_output_beside],
    aspects=["several completions", "output", "chunk"],
)
def the_completion_is_the_last_output(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """The run-completed output is the last output event of the run: nothing is output after it until the next run begins."""
    (first, _output), *others = completed(each.run)
    outputs = [at for at, _ in each.run.of(Output) if at > first]
    after = sorted([*outputs, *(at for at, _ in each.run.of(Chunk) if at > first)])
    yield finding(
        not after,
        after[0] if after else first,
        "several completions" if others else "output" if outputs else "chunk",
        expected="no output after the run-completed one",
        got=f"{len(after)} more output events",
        also=[first],
    )


@rule(
    "ORC-03",
    needs=["workflows"],
    each=direct_run,
    when=[succeeded, shows_something],
    leaves_alone=[left_to_author],
    aspects=["no signal", "signal on a chunk"],
)
def the_completion_can_be_told(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A consumer can tell the run-completed output without looking at the payload's type or position.

    By the signal that the policy `completion_signal` declares; with `none` nobody can. Where outputs of a run that completed bear
    no signal, or what is no whole output bears it, a consumer cannot tell either.
    """
    signal, found = execution.policies.completion_signal, completed(each.run)
    pieces = _signalled_chunks(each)
    shown = [at for at, event in each.run.events if isinstance(event, (Output, Chunk))]
    yield finding(
        signal not in (None, "none") and bool(found) and not pieces,
        pieces[0] if pieces else shown[-1],
        "signal on a chunk" if pieces else "no signal",
        expected="a signal on the run-completed output, and on nothing less than it",
        got=f"{len(found)} outputs and {len(pieces)} chunks with a signal (completion_signal: {signal})",
    )


@clause(each=direct_run, when=[waited])
def rests_with_pending_requests(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A workflow that says that it rests while a request is pending says that it waits.

    Whether it says so each time, and what else it says of its rests, is ORC-43.
    """
    asked = each.run.of(RequestPending)[0][0]
    rested = [at for at, idle in each.run.of(Idle) if _waits(each, at) and idle.pending == 0]
    yield finding(
        not rested,
        rested[0] if rested else asked,
        "idle without requests",
        expected="idle with pending requests",
        got="idle without any, although a request waits",
        also=[asked],
    )


@clause(each=direct_run, when=[waited, succeeded], leaves_alone=[left_to_author])
def completes_after_all_answers(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """When all requests are answered there is exactly one run-completed output."""
    yield exactly_one(each.run, [at for at, output in completed(each.run) if not _suspended(each, output.step)])


@rule(
    "ORC-04",
    needs=["workflows", "workflows.requests"],
    policies=SIGNAL,
    each=direct_run,
    when=[waited],
    also=[rests_with_pending_requests, completes_after_all_answers],
    aspects=["completed early", "idle without requests", *COMPLETIONS],
)
def a_suspended_run_is_not_completed(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """While a run is suspended on a pending request no output is run-completed; after all answers there is exactly one.

    However many outputs came before.
    """
    asked = each.run.of(RequestPending)[0][0]
    early = [at for at, output in completed(each.run) if _suspended(each, output.step)]
    yield finding(
        not early,
        early[0] if early else asked,
        "completed early",
        expected="no run-completed output while a request is pending",
        got=f"{len(early)} run-completed outputs while the run was suspended",
        also=[asked],
    )


@rule(
    "ORC-05",
    needs=["workflows"],
    policies=SIGNAL,
    each=workflow_run,
    when=[surely_fails],
    leaves_alone=[waiting, cut_off],
    aspects=["not raised", "both", "withdrawn"],
)
def a_run_that_fails_does_not_complete(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A run that fails has no run-completed output; the error reaches the consumer.

    Intermediate outputs already emitted stay valid: in a stream, whoever spoke one after another before the failure was heard. It
    fails where a participant or an executor does; not where the framework itself tries the service again, and gets a reply. Where
    a manager names somebody unknown, an implementation may go on without: then there is an answer and no error, but never both.
    Where an author's executor completes and another one fails, either may come first.
    """
    done, lost = completed_in_spite(each), withdrawn(execution, each)
    raised = each.run.raised is not None
    yield finding(
        goes_on_without(each) or (raised and not done and not lost),
        done[0] if done else each.end,
        "not raised" if not raised else "both" if done else "withdrawn",
        expected="an error for the consumer, no run-completed output, and what was said until then",
        got=f"{'an' if raised else 'no'} error, {len(done)} run-completed outputs, of what was said not seen: {quoted(lost)}",
    )


@rule(
    "ORC-06",
    needs=["workflows"],
    policies=SIGNAL,
    each=run_again,
    leaves_alone=[after_one_cut_off, *map(of_the_later, (faulty, cut_off))],
    aspects=["raised", "no completion", "leaked"],
)
def runs_do_not_leak_into_each_other(execution: ExecutionView, each: LaterRun) -> Iterator[Finding]:
    """The second run on the same workflow has its own completion, with nothing of the first run's answer.

    A failed or suspended-and-dropped first run does not poison it. Texts that both runs say are no leak. An implementation whose
    earlier runs had no completion need not have one now (ORC-01).
    """
    run, found = each.itself.run, final_events(each.itself.run, each.itself.spec)
    leaked = leaked_at(execution, each)
    own = run.ending == "waiting" or (run.succeeded and (bool(found) or not _completed_before(each)))
    failed = [run.raised[0]] if run.raised else []
    yield finding(
        own and not leaked,
        [*leaked, *failed, each.itself.end][0],
        "leaked" if leaked else "raised" if failed else "no completion",
        expected="a completion of its own, with nothing of an earlier run in it",
        got=f"{len(leaked)} answers with texts of earlier runs" if own else f"{len(found)} completions; {outcome(run)}",
        also=[each.earlier[-1].end],
    )


@rule(
    "ORC-07",
    needs=["workflows", "workflows.custom"],
    each=direct_run,
    when=[completed_by_several],
    leaves_alone=[waiting, cut_off, faulty],
    aspects=["no warning", "not named"],
)
def several_completions_are_detected(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A custom workflow in which several executors complete is detected: a warning or an error names the executors.

    One after another, in the same superstep, or one of them twice.
    """
    names, told = set(completing(each.workflow)), each.run.of(Warned) + each.run.of(Raised)
    named = {name for name in names if any(_names(event.text, name) for _, event in told)}
    failed_fast = each.run.raised is not None and len(named) > 1
    yield finding(
        named == names or failed_fast,
        min((at for at, _ in told), default=each.end),
        "not named" if told else "no warning",
        expected=f"a warning or an error that names {', '.join(sorted(names))}",
        got=f"{len(told)} warnings and errors, which name {', '.join(sorted(named)) or 'none of them'}",
    )


@rule(
    "ORC-08",
    level="SHOULD",
    needs=["workflows", "workflows.custom"],
    each=direct_run,
    when=[custom, completed_by_nobody, succeeded],
    aspects=["not reported"],
)
def an_end_without_completion_is_reported(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A custom workflow that ends without completing is reported: a warning, or an implementation-made completion."""
    reported = [at for at, _ in (*each.run.of(Warned), *completed(each.run))]
    yield finding(
        bool(reported),
        reported[0] if reported else each.end,
        "not reported",
        expected="a warning, or a run-completed output made by the implementation",
        got="an end that nobody can tell from a run that is still to be completed",
    )


@rule(
    "ORC-09",
    needs=["workflows", "runs.streaming"],
    policies=SIGNAL,
    each=direct_run,
    when=[streams, succeeded],
    leaves_alone=[waited, faulty, left_to_author, limited],
    aspects=["no completion", "not whole", "signal on a chunk", "other chunks"],
)
def a_streamed_answer_is_whole(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """Streaming: the run-completed event carries the whole answer, not the last chunk; chunks are intermediate.

    The answer's text equals the concatenation of its chunks where they belong to the answering agent.
    """
    found, answer = completed(each.run), answer_of(execution, each.run, each.workflow)
    whole = [at for at, output in found if texts(execution.heard(output.messages)) >= texts(answer)]
    pieces, other = _signalled_chunks(each), _joined_otherwise(execution, each)
    all_whole = bool(whole) and len(whole) == len(found)
    yield finding(
        all_whole and not pieces and not other,
        [*pieces, *whole, each.end][0],
        "signal on a chunk" if pieces else "no completion" if not found else "other chunks" if all_whole else "not whole",
        expected=f"a run-completed output with the whole answer {show(answer)}, which its chunks join to",
        got=f"{len(whole)} of {len(found)} answers whole, {len(pieces)} chunks that complete, chunks that join to something else: "
        + (", ".join(other) or "none"),
    )


@rule(
    "ORC-10",
    needs=["workflows", "runs.streaming"],
    policies=SIGNAL,
    each=pair_by("stream", as_agent=False),
    when=BOTH_ENDED,
    leaves_alone=INCOMPARABLE,
    aspects=[*PAYLOADS, "missing intermediate", "repeated intermediate", "foreign intermediate"],
)
def streaming_changes_no_output(execution: ExecutionView, pair: Pair) -> Iterator[Finding]:
    """Streaming and non-streaming runs have the same run-completed payload and the same intermediate outputs.

    After chunks are joined. Judged on runs with the same script, one streaming and one not. Of intermediate outputs the letters
    are compared: chunks of several that speak at once come in turns. Chunks of what the run-completed output says may be the
    answer's, and no intermediate outputs.
    """
    yield completions_alike(execution, pair)
    first, second = (_shown(execution, each) for each in (pair.first, pair.second))
    plain, streamed = (_letters(execution, each) for each in (pair.first, pair.second))
    yield finding(
        any(letters in streamed for letters in plain),
        pair.second.end,
        f"{how_texts_differ(''.join(second), first)} intermediate",
        expected=f"the same intermediate outputs: {quoted(first)}",
        got=quoted(second),
        also=[pair.first.end],
    )


# --- what they compare ---


def _names(text: str, name: str) -> bool:
    """Whether a text holds a name as a word of its own, not as a piece of another one."""
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


def _suspended(each: WorkflowRun, step: int) -> bool:
    """Whether a run that waited was not done yet in a step: it went on in a later one, waits still, or failed."""
    return each.run.ending in ("waiting", "raised") or step < max(event.step for _, event in each.run.events)


def _waits(each: WorkflowRun, at: int) -> bool:
    """Whether a request of the run is unanswered at a moment."""
    then = each.run.until(at + 1)
    return len(then.of(RequestPending)) > then.answered_requests


def _signalled_chunks(each: WorkflowRun) -> list[int]:
    """Where chunks bear the signal of the run-completed output."""
    return [at for at, chunk in each.run.of(Chunk) if chunk.completed]


def _completed_before(each: LaterRun) -> bool:
    """Whether an earlier run that was asked for in the same way came to a completion."""
    alike = [other for other in each.earlier if _asked(other.spec) == _asked(each.itself.spec)]
    return any(final_events(other.run, other.spec) for other in alike)


def _asked(spec: RunWorkflow) -> tuple[bool, bool]:
    return spec.stream, spec.as_agent


def _joined_otherwise(execution: ExecutionView, each: WorkflowRun) -> list[str]:
    """The participants that answer, and whose chunks, where any are shown, do not join to the texts that they said."""
    return [name for name in answering(each.workflow) if _streamed(each, name) not in ("", _text_of(execution, each, name))]


def _streamed(each: WorkflowRun, name: str) -> str:
    return "".join(chunk.text for _, chunk in each.run.of(Chunk) if chunk.executor == name)


def _text_of(execution: ExecutionView, each: WorkflowRun, name: str) -> str:
    return "".join(part[1] for part in response_of(execution, each.run, name) if part[0] == "assistant")


def _letters(execution: ExecutionView, each: WorkflowRun) -> list[Counter[str]]:
    """The letters of a run's intermediate outputs: all of them, or those that are not its answer's."""
    every = Counter("".join(_shown(execution, each)))
    answered = Counter("".join(_streamed_answer(execution, each)))
    return [every, every - answered] if answered <= every else [every]


def _streamed_answer(execution: ExecutionView, each: WorkflowRun) -> list[str]:
    """The texts of a run's answer, where its chunks may be among those that are taken for intermediate outputs."""
    if not in_no_output(each.run) or belongs_to_the_answer(each.run):
        return []
    said = [part for _, output in completed(each.run) for part in execution.heard(output.messages)]
    return list(texts(said).elements())


def _shown(execution: ExecutionView, each: WorkflowRun) -> list[str]:
    """The texts of a run's intermediate outputs."""
    return list(texts(part for _, said in intermediate(execution, each.run) for part in said).elements())
