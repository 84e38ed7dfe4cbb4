"""Rules on what a consumer sees beside the answer: intermediate outputs, chunks, and that looking changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from conformance.rules.answers import answer_of, answering, conversation, produced, response_of
from conformance.rules.case import Case
from conformance.rules.completion import SIGNAL
from conformance.rules.outputs import completed, intermediate
from conformance.rules.plays import direct, faulty, left_to_author, limited, nests, waited
from conformance.rules.requests import show
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.rules.siblings import by_order
from conformance.rules.texts import misattributed, texts
from conformance.rules.twins import completions_alike, twins
from conformance.scenario import RunWorkflow, WorkflowSpec
from conformance.trace import Chunk, Output, Part


@rule("ORC-09", needs=["workflows", "runs.streaming"], policies=SIGNAL)
def a_streamed_answer_is_whole(case: Case) -> Iterator[Finding]:
    """Streaming: the run-completed event carries the whole answer, not the last chunk; chunks are intermediate.

    The answer's text equals the concatenation of its chunks where they belong to the answering agent. Leaves alone: handoff, which
    completes with nothing, and author-written workflows in which not exactly one executor completes.
    """
    for run, spec, workflow in direct(case):
        if not spec.stream or not run.succeeded or waited(run) or faulty(run):
            continue
        if workflow.pattern == "handoff" or left_to_author(case, spec.workflow) or limited(case, spec):
            continue
        wanted = texts(answer_of(run, workflow))
        whole = [at for at, output in completed(run) if texts(case.heard(output.messages)) >= wanted]
        pieces = [at for at, chunk in run.of(Chunk) if chunk.completed]
        cut = [name for name in answering(workflow) if not _joins(run, name)]
        yield finding(
            bool(whole) and not pieces and not cut,
            pieces[0] if pieces else whole[0] if whole else run.events[-1][0],
            expected=f"a run-completed output with the whole answer {show(answer_of(run, workflow))}, which its chunks join to",
            got=f"{len(whole)} whole answers, {len(pieces)} chunks that complete"
            + (f", chunks of {', '.join(cut)} that join to something else" if cut else ""),
        )


@rule("ORC-10", needs=["workflows", "runs.streaming"], policies=SIGNAL)
def streaming_changes_no_output(case: Case) -> Iterator[Finding]:
    """Streaming and non-streaming runs have the same run-completed payload and the same intermediate outputs.

    After chunks are joined. Judged on runs with the same script, one streaming and one not. Of intermediate outputs that a stream
    shows as chunks only, the texts are compared.
    """
    for pair in twins(case, "stream", direct=True):
        yield completions_alike(pair)
        first, second = (_shown(run) for run in pair.runs)
        yield finding(
            first == second,
            pair.second.events[-1][0],
            expected=f"the same intermediate outputs: {', '.join(sorted(first.elements()))}",
            got=", ".join(sorted(second.elements())) or "none",
            also=[pair.first.events[-1][0]],
        )


@rule("ORC-20", needs=["workflows"], policies=SIGNAL)
def without_intermediates_there_is_one_output(case: Case) -> Iterator[Finding]:
    """With `intermediate_outputs` off, the run-completed output is the only output, handoff excepted.

    Leaves alone: chunks of what may belong to the answer, and author-written workflows in which not exactly one executor completes.
    """
    for run, spec, workflow in direct(case):
        if (
            not run.succeeded
            or workflow.intermediate_outputs
            or workflow.pattern == "handoff"
            or left_to_author(case, spec.workflow)
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
def with_intermediates_each_response_is_shown_once(case: Case) -> Iterator[Finding]:
    """With `intermediate_outputs` on, each participant response is output exactly once as intermediate, before the completion.

    In the order in which they were produced; the answering participant's response is not also counted as a second completion. As
    the answer of a sequence is that response itself, an implementation may show it as the answer alone. Leaves alone: that there is
    a completion (ORC-01), nested workflows (ORC-29), handoff (ORC-15), and author-written workflows in which not exactly one
    executor completes.
    """
    for run, spec, workflow in direct(case):
        if not workflow.intermediate_outputs or workflow.pattern == "handoff" or nests(case, workflow):
            continue
        if not run.succeeded or faulty(run):
            continue
        found = completed(run)
        if left_to_author(case, spec.workflow) or (workflow.pattern == "custom" and workflow.participants):
            continue
        shown = intermediate(run)
        whole = any(not output.completed for _, output in run.of(Output))
        expected = _responses(run, workflow, texts_only=not whole)
        got = [part for _, said in shown for part in said]
        others = expected
        if workflow.pattern == "sequential":
            last = [part for part in response_of(run, workflow.participants[-1]) if whole or part[0] == "assistant"]
            others = expected[: len(expected) - len(last)]
        late = [at for at, _ in shown if found and at > found[0][0]]
        outputs = [output for _, output in run.of(Output) if not output.completed]
        foreign = [name for output in outputs for name in misattributed(run, output.messages)]
        how = "letters" if spec.stream and not whole else "any order" if workflow.pattern == "concurrent" else "in order"
        yield finding(
            (_alike(got, expected, how) or _alike(got, others, how)) and not (late or foreign) and len(found) <= 1,
            late[0] if late else (found[0][0] if found else run.events[-1][0]),
            expected=f"as intermediate, before the completion: {show(expected)}",
            got=f"{show(got)}, {len(late)} of the outputs too late, {len(found)} completions"
            + (f", signed by {', '.join(foreign)} instead" if foreign else ""),
        )


@rule("ORC-22", needs=["workflows", "workflows.intermediate_outputs"], policies=SIGNAL)
def looking_changes_nothing(case: Case) -> Iterator[Finding]:
    """Turning `intermediate_outputs` on changes neither the run-completed payload nor what the participants were sent.

    Judged on runs with the same script, on workflows that differ in nothing else. Leaves alone what participants of children were
    sent, who take part in both.
    """
    for pair in twins(case, "intermediate_outputs", direct=True):
        yield completions_alike(pair)
        assert isinstance(pair.first.spec, RunWorkflow)
        if nests(case, case.scenario.workflows[pair.first.spec.workflow]):
            continue
        first, second = (_sent(run) for run in pair.runs)
        changed = [agent for agent in first if first[agent] != second.get(agent)]
        yield finding(
            not changed,
            pair.second.calls[0].at if pair.second.calls else pair.second.at,
            expected="the same requests to every participant",
            got=f"other requests to {', '.join(changed)}",
            also=[pair.first.at],
        )


def _joins(run: RunView, agent: str) -> bool:
    """Whether the chunks of an agent, where any are shown, join to the texts that it said."""
    shown = [chunk.text for _, chunk in run.of(Chunk) if chunk.executor == agent]
    return not any(shown) or "".join(shown) == "".join(part[1] for part in response_of(run, agent) if part[0] == "assistant")


def _responses(run: RunView, workflow: WorkflowSpec, *, texts_only: bool) -> list[Part]:
    """What the participants, or an author's executors, say in the order in which they are done."""
    if workflow.pattern == "custom":
        staged = [workflow.executors[name] for stage in workflow.stages for name in stage]
        said: list[Part] = [("assistant", text) for executor in staged for text in executor.emits]
    else:
        said = [part for spell in produced(run) for part in conversation([spell])]
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


def _shown(run: RunView) -> Counter[str]:
    """The texts of a run's intermediate outputs; of one that shows chunks only, letter by letter."""
    return Counter("".join(text * count for text, count in texts(part for _, said in intermediate(run) for part in said).items()))


def _sent(run: RunView) -> dict[str, list[list[Part]]]:
    """What each participant was sent in a run, with calls by their order of appearance."""
    found: dict[str, list[list[Part]]] = {}
    for view in run.calls:
        found.setdefault(view.request.agent, []).append(run.case.heard([*view.request.held, *view.request.messages]))
    return {agent: by_order(requests) for agent, requests in found.items()}


def _hidden(workflow: WorkflowSpec) -> tuple[str, ...]:
    """The participants whose work can be no part of the answer."""
    if workflow.pattern in ("sequential", "concurrent", "group_chat", "magentic", "custom"):
        return tuple(name for name in workflow.participants if name not in answering(workflow))
    return ()
