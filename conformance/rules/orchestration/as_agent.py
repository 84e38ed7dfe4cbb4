"""Rules on workflows as agents: the answer is the agent's response, streaming or not, with requests, on threads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import (
    answer_of,
    answering,
    answers,
    conversation,
    produced,
    response_of,
    said,
    spells,
)
from conformance.rules.orchestration.outputs import heard_texts, misattributed, returned, texts, told
from conformance.rules.orchestration.pairs import responses_alike, twins
from conformance.rules.orchestration.runs import (
    approvals,
    as_answered,
    cut_off,
    faulty,
    left_to_author,
    limited,
    nests,
    unasked,
    waited,
    wrapped,
)
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import outcome, show
from conformance.scenario.scenario import RunWorkflow
from conformance.scenario.specs import WorkflowSpec
from conformance.trace.adapter_events import Chunk, RequestPending, RunReturned
from conformance.trace.messages import Part

_AS_AGENT = ("workflows", "workflows.as_agent")


@rule("ORC-23", needs=_AS_AGENT)
def as_an_agent_the_answer_is_the_response(execution: ExecutionView) -> Iterator[Finding]:
    """As an agent, not streaming, intermediates off: the response is the run-completed response, named after the workflow.

    Messages keep their own authors. Leaves alone: handoff (ORC-26), pending requests (ORC-27), runs that a limit ends,
    author-written workflows in which not exactly one executor completes.
    """
    for run, spec, workflow in _answered(execution):
        if spec.stream or workflow.intermediate_outputs or workflow.pattern == "handoff":
            continue
        for at, response in run.of(RunReturned):
            expected, got = answers(execution, run, workflow), said(execution, response.messages)
            kept = {message.author for message in response.messages}
            theirs = (spec.workflow not in kept or _own_word(workflow)) and not misattributed(execution, run, response.messages)
            yield finding(
                got in expected and response.author == spec.workflow and theirs,
                at,
                expected=f"{show(expected[0])} as a response by {spec.workflow!r}, messages by their own authors",
                got=f"{show(got)} as a response by {response.author!r}, messages by {', '.join(sorted(map(str, kept)))}",
            )


@rule("ORC-24", needs=[*_AS_AGENT, "workflows.intermediate_outputs"])
def as_an_agent_intermediates_come_before_the_answer(execution: ExecutionView) -> Iterator[Finding]:
    """As an agent, not streaming, intermediates on: intermediates first, then the answer, each message once.

    Where the answer is what participants said, their messages are both, and stand there once. Leaves alone: handoff (ORC-26),
    nested workflows, pending requests, runs that a limit ends, author-written workflows in which not exactly one executor
    completes.
    """
    for run, spec, workflow in _answered(execution):
        if spec.stream or not workflow.intermediate_outputs or workflow.pattern == "handoff" or nests(execution.scenario, workflow):
            continue
        for at, response in run.of(RunReturned):
            got = said(execution, response.messages)
            first, answer = _shown(execution, run, workflow)
            together = [
                [*first, *form] for form in ([answer] if workflow.pattern != "concurrent" else answers(execution, run, workflow))
            ]
            # side by side, nobody can say whose response was there first
            any_order = workflow.pattern in ("concurrent", "custom") and got[len(got) - len(answer) :] in (
                answer,
                *answers(execution, run, workflow),
            )
            right = Counter(got) == Counter(together[0]) if any_order else got in together
            yield finding(
                right,
                at,
                expected=f"intermediates, then the answer, each once: {show(together[0])}",
                got=show(got),
            )


@rule("ORC-25", needs=[*_AS_AGENT, "runs.streaming"])
def as_an_agent_updates_join_to_the_response(execution: ExecutionView) -> Iterator[Finding]:
    """Streaming as an agent: intermediates arrive as updates, and the updates joined equal the non-streaming response.

    The answer is not repeated after its chunks. What several say side by side may arrive in turns: of those the letters are
    compared. Judged by itself, and against a run with the same script that does not stream. Leaves alone: pending requests, nested
    workflows with intermediates, runs that a limit ends, author-written workflows in which not exactly one executor completes.
    """
    for run, spec, workflow in _answered(execution):
        if not spec.stream or (workflow.intermediate_outputs and nests(execution.scenario, workflow)):
            continue
        first, answer = _shown(execution, run, workflow)
        wanted = "".join(part[1] for part in (*first, *answer) if part[0] == "assistant")
        updates = run.of(Chunk)
        got = "".join(chunk.text for _, chunk in updates)
        beside = any(each.pattern in ("concurrent", "custom") for each in execution.scenario.workflows.values())
        yield finding(
            sorted(got) == sorted(wanted) if beside else got == wanted,
            updates[-1][0] if updates else run.events[-1][0],
            expected=f"updates that join to {wanted!r}",
            got=repr(got),
        )
    for pair in twins(execution, "stream", direct=False):
        yield responses_alike(execution, pair)


@rule("ORC-26", needs=[*_AS_AGENT, "workflows.handoff"])
def a_handoff_as_an_agent_returns_what_was_said(execution: ExecutionView) -> Iterator[Finding]:
    """Handoff as an agent: the empty completion adds no empty message; the response holds the participants' messages.

    Leaves alone: pending requests (ORC-27), results of handoffs, which not every framework has, and an empty text that a
    participant said itself.
    """
    for run, spec, workflow in _answered(execution):
        if workflow.pattern != "handoff":
            continue
        expected = response_of(execution, run, spec.workflow)
        for at, response in run.of(RunReturned):
            got = said(execution, response.messages)
            yield finding(
                got == expected,
                at,
                expected=f"what the participants said, and no empty message: {show(expected)}",
                got=show(got),
            )


@rule("ORC-27", needs=[*_AS_AGENT, "workflows.requests"])
def as_an_agent_a_request_can_be_answered(execution: ExecutionView) -> Iterator[Finding]:
    """A pending request inside a workflow as an agent surfaces in the agent's response, and answering it resumes the same run.

    When all are answered the calls that were approved are done, no others, and the run ends with its answer. Leaves alone: the rest
    of the response (ORC-23 ff.).
    """
    for run, spec, _ in wrapped(execution):
        asked, silent = approvals(run), unasked(execution, run, spec.workflow)
        if cut_off(run) or faulty(execution, run):
            continue
        if silent or (run.raised and waited(run)):
            yield finding(
                False,
                run.events[-1][0],
                expected=f"a request of {', '.join(silent)}" if silent else "a run that goes on when its request is answered",
                got="an end of the run without it" if silent else outcome(run),
            )
        if not asked or run.raised:
            continue
        tools = {call.tool for _, _, call in asked}
        surfaced = [event.tool for _, event in run.of(RequestPending)]
        yield finding(
            tools <= set(surfaced),
            run.of(RequestPending)[0][0] if surfaced else run.events[-1][0],
            expected=f"requests for {', '.join(sorted(tools))} in the response",
            got=f"requests for {', '.join(map(str, surfaced)) or 'nothing'}",
            also=[asked[0][0]],
        )
        if (
            run.succeeded
            and surfaced
            and not left_to_author(execution.scenario, spec.workflow)
            and not limited(execution.scenario, spec)
        ):
            last = [part for part in response_of(execution, run, spec.workflow) if part[0] == "assistant"][-1:]
            got = returned(execution, run)
            yield as_answered(execution, run)
            yield finding(
                all(part in got for part in last),
                run.events[-1][0],
                expected=f"the answer, after the last request was answered: {show(last)}",
                got=show(got),
                also=[run.of(RequestPending)[0][0]],
            )


@rule("ORC-28", needs=[*_AS_AGENT, "workflows.threads"])
def a_thread_keeps_the_conversation_of_a_workflow(execution: ExecutionView) -> Iterator[Finding]:
    """A thread given to a workflow as an agent keeps the conversation over two runs, without intermediate messages as answers.

    Kept: whoever is asked first in a later run hears the inputs and answers of the earlier ones, and of a sequence without
    intermediate outputs nothing that others said on the way. Leaves alone: how often (ORC-35), what is missing from the answer
    (ORC-23), and earlier runs that did not come to their own end.
    """
    runs = list(wrapped(execution))
    for place, (run, spec, workflow) in enumerate(runs):
        earlier = [(other, its) for other, its, _ in runs[:place] if _same_thread(spec, its)]
        sound = [
            (other, its)
            for other, its in earlier
            if other.succeeded and not faulty(execution, other) and not limited(execution.scenario, its)
        ]
        if (
            not earlier
            or not run.calls
            or left_to_author(execution.scenario, spec.workflow)
            or any(other.ending == "unknown" for other, _ in earlier)
        ):
            continue
        request = run.calls[0].request
        heard = heard_texts(execution, [*request.held, *request.messages])
        kept = [
            text
            for other, its in sound
            for text in (*its.say, *(texts(response_of(execution, other, its.workflow)) & texts(returned(execution, other))))
        ]
        missing = [text for text in dict.fromkeys(kept) if text not in heard]
        work = [text for other, _ in sound for text in _work_before(execution, other, workflow, request.agent)]
        exposed = [text for text in dict.fromkeys(work) if text in heard and text not in (*kept, *spec.say)]
        if sound:
            yield finding(
                not missing and not exposed,
                run.calls[0].at,
                expected=f"the conversation so far, and no work on it: {', '.join(dict.fromkeys(kept))}",
                got=f"a request without {', '.join(missing) or 'nothing'}, and with {', '.join(exposed) or 'nothing else'}",
                also=[sound[-1][0].events[-1][0]],
            )
        plain = not workflow.intermediate_outputs and workflow.pattern != "handoff" and not waited(run)
        if plain and run.succeeded and not faulty(execution, run) and not limited(execution.scenario, spec):
            wanted = texts(answer_of(execution, run, workflow))
            others = {text for other, _ in [*earlier, (run, spec)] for text in told(execution, other) if text not in wanted}
            more = sorted(others & set(texts(returned(execution, run))))
            yield finding(
                not more,
                run.events[-1][0],
                expected=f"no more than the answer of this run: {show(answer_of(execution, run, workflow))}",
                got=f"also {', '.join(more)}",
            )


def _answered(execution: ExecutionView) -> Iterator[tuple[RunView, RunWorkflow, WorkflowSpec]]:
    """Runs as agents that came to an answer, with nobody asked and nothing failed."""
    for run, spec, workflow in wrapped(execution):
        untroubled = run.succeeded and not waited(run) and not faulty(execution, run) and not limited(execution.scenario, spec)
        if untroubled and not left_to_author(execution.scenario, spec.workflow):
            yield run, spec, workflow


def _own_word(workflow: WorkflowSpec) -> bool:
    """Whether an answer may be signed by the workflow itself: an author's aggregator is no participant."""
    return workflow.aggregates is not None


def _shown(execution: ExecutionView, run: RunView, workflow: WorkflowSpec) -> tuple[list[Part], list[Part]]:
    """What the response of a workflow as an agent begins with, and the answer that it ends with."""
    answer = answer_of(execution, run, workflow)
    if workflow.pattern == "handoff":
        return conversation(spells(execution, run)), []
    if not workflow.intermediate_outputs:
        return [], answer
    if workflow.pattern == "custom":
        staged = [name for stage in workflow.stages for name in stage]
        first: list[Part] = []
        for name in staged:
            if name in workflow.executors:
                first += [("assistant", text) for text in workflow.executors[name].emits]
            else:
                first += response_of(execution, run, name)
        return first, answer
    if workflow.pattern == "concurrent" and workflow.aggregates is None:
        return [], answer
    others = conversation(produced(execution, run))
    return others[: len(others) - len(answer)] if workflow.pattern == "sequential" else others, answer


def _work_before(execution: ExecutionView, run: RunView, workflow: WorkflowSpec, agent: str) -> list[str]:
    """What participants of a sequence said on the way to its answer; somebody may remember its own words."""
    if workflow.pattern != "sequential" or workflow.intermediate_outputs:
        return []
    others = [spell for spell in spells(execution, run) if spell.agent not in (agent, *answering(workflow))]
    return [*texts(conversation(others))] if all(name in run.scenario.agents for name in answering(workflow)) else []


def _same_thread(spec: RunWorkflow, other: RunWorkflow) -> bool:
    return spec.thread is not None and (spec.thread, spec.workflow) == (other.thread, other.workflow)
