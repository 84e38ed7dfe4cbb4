"""Rules on what a consumer sees beside the answer: intermediate outputs, chunks, and that looking changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import answering, conversation, produced, response_of
from conformance.rules.orchestration.outputs import SIGNAL, completed, intermediate, misattributed
from conformance.rules.orchestration.pairs import completions_alike, twins
from conformance.rules.orchestration.runs import direct, faulty, left_to_author, nests
from conformance.rules.pairs import by_order
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import show
from conformance.scenario.scenario import RunWorkflow
from conformance.scenario.specs import WorkflowSpec
from conformance.trace.adapter_events import Chunk, Output
from conformance.trace.messages import Part


@rule("ORC-20", needs=["workflows"], policies=SIGNAL)
def without_intermediates_there_is_one_output(execution: ExecutionView) -> Iterator[Finding]:
    """With `intermediate_outputs` off, the run-completed output is the only output, handoff excepted.

    Leaves alone: chunks of what may belong to the answer, and author-written workflows in which not exactly one executor completes.
    """
    for run, spec, workflow in direct(execution):
        if (
            not run.succeeded
            or workflow.intermediate_outputs
            or workflow.pattern == "handoff"
            or left_to_author(execution.scenario, spec.workflow)
        ):
            continue
        outputs = run.of(Output)
        others = [at for at, output in outputs if not output.completed]
        others += [at for at, chunk in run.of(Chunk) if chunk.executor in _hidden(workflow)]
        if outputs:
            yield finding(
                not others,
                others[0] if others else outputs[0][0],
                expected="the run-completed output alone, and no chunk of anything else",
                got=f"{len(others)} other outputs or chunks of them",
            )


@rule("ORC-21", needs=["workflows", "workflows.intermediate_outputs"], policies=SIGNAL)
def with_intermediates_each_response_is_shown_once(execution: ExecutionView) -> Iterator[Finding]:
    """With `intermediate_outputs` on, each participant response is output exactly once as intermediate, before the completion.

    In the order in which they were produced; the answering participant's response is not also counted as a second completion. As
    the answer of a sequence is that response itself, an implementation may show it as the answer alone. Leaves alone: that there is
    a completion (ORC-01), nested workflows (ORC-29), handoff (ORC-15), and author-written workflows in which not exactly one
    executor completes.
    """
    for run, spec, workflow in direct(execution):
        if not workflow.intermediate_outputs or workflow.pattern == "handoff" or nests(execution.scenario, workflow):
            continue
        if not run.succeeded or faulty(execution, run):
            continue
        found = completed(run)
        if left_to_author(execution.scenario, spec.workflow) or (workflow.pattern == "custom" and workflow.participants):
            continue
        shown = intermediate(execution, run)
        whole = any(not output.completed for _, output in run.of(Output))
        expected = _responses(execution, run, workflow, texts_only=not whole)
        got = [part for _, said in shown for part in said]
        others = expected
        if workflow.pattern == "sequential":
            last = [part for part in response_of(execution, run, workflow.participants[-1]) if whole or part[0] == "assistant"]
            others = expected[: len(expected) - len(last)]
        late = [at for at, _ in shown if found and at > found[0][0]]
        outputs = [output for _, output in run.of(Output) if not output.completed]
        foreign = [name for output in outputs for name in misattributed(execution, run, output.messages)]
        how = "letters" if spec.stream and not whole else "any order" if workflow.pattern == "concurrent" else "in order"
        yield finding(
            (_alike(got, expected, how) or _alike(got, others, how)) and not (late or foreign) and len(found) <= 1,
            late[0] if late else (found[0][0] if found else run.events[-1][0]),
            expected=f"as intermediate, before the completion: {show(expected)}",
            got=f"{show(got)}, {len(late)} of the outputs too late, {len(found)} completions"
            + (f", signed by {', '.join(foreign)} instead" if foreign else ""),
        )


@rule("ORC-22", needs=["workflows", "workflows.intermediate_outputs"], policies=SIGNAL)
def looking_changes_nothing(execution: ExecutionView) -> Iterator[Finding]:
    """Turning `intermediate_outputs` on changes neither the run-completed payload nor what the participants were sent.

    Judged on runs with the same script, on workflows that differ in nothing else. Leaves alone what participants of children were
    sent, who take part in both.
    """
    for pair in twins(execution, "intermediate_outputs", direct=True):
        yield completions_alike(execution, pair)
        assert isinstance(pair.first.spec, RunWorkflow)
        if nests(execution.scenario, execution.scenario.workflows[pair.first.spec.workflow]):
            continue
        first, second = (_sent(execution, run) for run in pair.runs)
        changed = [agent for agent in first if first[agent] != second.get(agent)]
        yield finding(
            not changed,
            pair.second.calls[0].at if pair.second.calls else pair.second.at,
            expected="the same requests to every participant",
            got=f"other requests to {', '.join(changed)}",
            also=[pair.first.at],
        )


def _responses(execution: ExecutionView, run: RunView, workflow: WorkflowSpec, *, texts_only: bool) -> list[Part]:
    """What the participants, or an author's executors, say in the order in which they are done."""
    if workflow.pattern == "custom":
        staged = [workflow.executors[name] for stage in workflow.stages for name in stage]
        said: list[Part] = [("assistant", text) for executor in staged for text in executor.emits]
    else:
        said = [part for spell in produced(execution, run) for part in conversation([spell])]
    return [part for part in said if part[0] == "assistant"] if texts_only else said


def _alike(got: Sequence[Part], expected: Sequence[Part], how: Literal["in order", "any order", "letters"]) -> bool:
    """Whether intermediates are as expected.

    Side by side, nobody can say whose response was there first; chunks of several that speak at once say the same in other pieces.
    """
    if how == "in order":
        return list(got) == list(expected)
    if how == "any order":
        return Counter(got) == Counter(expected)
    return sorted("".join(part[1] for part in got)) == sorted("".join(part[1] for part in expected))


def _sent(execution: ExecutionView, run: RunView) -> dict[str, list[list[Part]]]:
    """What each participant was sent in a run, with calls by their order of appearance."""
    found: dict[str, list[list[Part]]] = {}
    for view in run.calls:
        found.setdefault(view.request.agent, []).append(execution.heard([*view.request.held, *view.request.messages]))
    return {agent: by_order(requests) for agent, requests in found.items()}


def _hidden(workflow: WorkflowSpec) -> tuple[str, ...]:
    """The participants whose work can be no part of the answer."""
    if workflow.pattern in ("sequential", "concurrent", "group_chat", "magentic", "custom"):
        return tuple(name for name in workflow.participants if name not in answering(workflow))
    return ()
