"""Rules on what works side by side: participants in every order of finishing, one that fails, and two workflows at once."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import spells
from conformance.rules.orchestration.outputs import SIGNAL, completed, exactly_one, heard_texts, texts, told
from conformance.rules.orchestration.pairs import completions_alike, twins
from conformance.rules.orchestration.runs import cut_off, direct, faulty, left_to_author, nests, played
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import RunWorkflow, Together
from conformance.trace.adapter_events import RunReturned
from conformance.trace.harness_events import ServiceFailed, ServiceReplied


@rule("ORC-32", needs=["workflows.concurrent"], policies=SIGNAL)
def every_order_of_finishing_gives_the_same_answer(execution: ExecutionView) -> Iterator[Finding]:
    """Concurrent with every order of finishing: the same answer, one completion.

    Judged on runs with the same script but for that order, where the participants did finish in it. Leaves alone: what the answer
    is (ORC-14).
    """
    for pair in twins(execution, "finish", direct=True):
        assert isinstance(pair.first.spec, RunWorkflow)
        concurrent = execution.scenario.workflows[pair.first.spec.workflow].pattern == "concurrent"
        if concurrent and all(_in_its_order(run) for run in pair.runs):
            yield completions_alike(execution, pair)
            for run in pair.runs:
                yield exactly_one(run, [at for at, _ in completed(run)])


@rule("ORC-33", needs=["workflows.concurrent"], policies=("completion_signal", "failing_participant"))
def a_failing_participant_leads_to_one_end(execution: ExecutionView) -> Iterator[Finding]:
    """Concurrent with one failing participant: the run fails, or there is an answer without it, as declared; never both.

    The policy `failing_participant`. Leaves alone: nested workflows.
    """
    for run, _, workflow in direct(execution):
        failed = {event.agent for _, event in run.of(ServiceFailed)}
        if workflow.pattern != "concurrent" or not failed or nests(execution.scenario, workflow):
            continue
        if run.ending == "waiting" or cut_off(run):
            continue
        found = completed(run)
        if execution.policies.failing_participant == "fails":
            right, expected = run.raised is not None and not found, "an error and no completion"
        else:
            others = texts(part for spell in spells(execution, run) if spell.agent in failed for part in spell.said)
            told_of = [text for _, output in found for text in heard_texts(execution, output.messages) if text in others]
            right = run.raised is None and len(found) == 1 and not told_of
            if failed == set(workflow.participants):
                right = not found
            expected = f"one completion without {', '.join(sorted(failed))}, and no error"
        yield finding(
            right,
            found[0][0] if found else run.events[-1][0],
            expected=expected,
            got=f"{'an' if run.raised else 'no'} error and {len(found)} completions",
            also=[run.of(ServiceFailed)[0][0]],
        )


@rule("ORC-34", needs=["workflows", "runs.interleaved"], policies=SIGNAL)
def interleaved_runs_do_not_mix(execution: ExecutionView) -> Iterator[Finding]:
    """Two runs of two workflow instances that interleave do not mix outputs.

    Nothing that only the other one said is in its outputs or reaches its participants. Leaves alone: runs that wait or fail, what
    the answer is (ORC-13 ff.), and texts that both say.
    """
    for run, spec, _ in played(execution):
        others = [other for other, its, _ in played(execution) if _beside(execution, run, other) and its.workflow != spec.workflow]
        if not others or not run.succeeded or faulty(execution, run) or left_to_author(execution.scenario, spec.workflow):
            continue
        foreign = {text for other in others for text in told(execution, other)} - set(told(execution, run))
        seen = [*completed(run), *run.of(RunReturned)[-1:]]
        sent = [(view.at, view.request) for view in run.calls]
        mixed = [at for at, event in (*seen, *sent) if foreign & set(heard_texts(execution, event.messages))]
        yield finding(
            not mixed,
            mixed[0] if mixed else seen[0][0] if seen else run.events[-1][0],
            expected="nothing of the other run in answers and requests",
            got=f"{len(mixed)} of them with texts of the other run",
            also=[others[0].at],
        )


def _in_its_order(run: RunView) -> bool:
    """Whether the participants finished as the script says; an order of some alone says so of these."""
    assert isinstance(run.spec, RunWorkflow)
    last: dict[str, int] = {reply.agent: at for at, reply in run.of(ServiceReplied)}
    finished = [agent for agent in sorted(last, key=lambda agent: last[agent]) if agent in run.spec.finish]
    return finished == list(dict.fromkeys(run.spec.finish))


def _beside(execution: ExecutionView, run: RunView, other: RunView) -> bool:
    """Whether two runs belong to one step in which several are in flight."""
    step = execution.trace.events[run.at].step
    together = isinstance(execution.scenario.steps[step], Together)
    return together and other is not run and execution.trace.events[other.at].step == step
