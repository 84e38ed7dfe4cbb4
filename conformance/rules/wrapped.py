"""Rules on workflows as agents: the answer is the agent's response, streaming or not, with requests, on threads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conformance.rules.answers import answer_of, answers, conversation, produced, response_of, said, spells
from conformance.rules.case import Case
from conformance.rules.plays import faulty, left_to_author, limited, nests, waited, wrapped
from conformance.rules.requests import show
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.rules.texts import misattributed
from conformance.rules.twins import responses_alike, twins
from conformance.scenario import RunWorkflow, WorkflowSpec
from conformance.trace import Chunk, Part, RunReturned

_AS_AGENT = ("workflows", "workflows.as_agent")


@rule("ORC-23", needs=_AS_AGENT)
def as_an_agent_the_answer_is_the_response(case: Case) -> Iterator[Finding]:
    """As an agent, not streaming, intermediates off: the response is the run-completed response, named after the workflow.

    Messages keep their own authors. Leaves alone: handoff (ORC-26), pending requests (ORC-27), runs that a limit ends,
    author-written workflows in which not exactly one executor completes.
    """
    for run, spec, workflow in _answered(case):
        if spec.stream or workflow.intermediate_outputs or workflow.pattern == "handoff":
            continue
        for at, response in run.of(RunReturned):
            expected, got = answers(run, workflow), said(case, response.messages)
            kept = {message.author for message in response.messages}
            theirs = (spec.workflow not in kept or _own_word(workflow)) and not misattributed(run, response.messages)
            yield finding(
                got in expected and response.author == spec.workflow and theirs,
                at,
                expected=f"{show(expected[0])} as a response by {spec.workflow!r}, messages by their own authors",
                got=f"{show(got)} as a response by {response.author!r}, messages by {', '.join(sorted(map(str, kept)))}",
            )


@rule("ORC-24", needs=[*_AS_AGENT, "workflows.intermediate_outputs"])
def as_an_agent_intermediates_come_before_the_answer(case: Case) -> Iterator[Finding]:
    """As an agent, not streaming, intermediates on: intermediates first, then the answer, each message once.

    Where the answer is what participants said, their messages are both, and stand there once. Leaves alone: handoff (ORC-26),
    nested workflows, pending requests, runs that a limit ends, author-written workflows in which not exactly one executor
    completes.
    """
    for run, spec, workflow in _answered(case):
        if spec.stream or not workflow.intermediate_outputs or workflow.pattern == "handoff" or nests(case, workflow):
            continue
        for at, response in run.of(RunReturned):
            got = said(case, response.messages)
            first, answer = _shown(run, workflow)
            together = [[*first, *form] for form in ([answer] if workflow.pattern != "concurrent" else answers(run, workflow))]
            # side by side, nobody can say whose response was there first
            any_order = workflow.pattern in ("concurrent", "custom") and got[len(got) - len(answer) :] in (
                answer,
                *answers(run, workflow),
            )
            right = Counter(got) == Counter(together[0]) if any_order else got in together
            yield finding(
                right,
                at,
                expected=f"intermediates, then the answer, each once: {show(together[0])}",
                got=show(got),
            )


@rule("ORC-25", needs=[*_AS_AGENT, "runs.streaming"])
def as_an_agent_updates_join_to_the_response(case: Case) -> Iterator[Finding]:
    """Streaming as an agent: intermediates arrive as updates, and the updates joined equal the non-streaming response.

    The answer is not repeated after its chunks. What several say side by side may arrive in turns: of those the letters are
    compared. Judged by itself, and against a run with the same script that does not stream. Leaves alone: pending requests, nested
    workflows with intermediates, runs that a limit ends, author-written workflows in which not exactly one executor completes.
    """
    for run, spec, workflow in _answered(case):
        if not spec.stream or (workflow.intermediate_outputs and nests(case, workflow)):
            continue
        first, answer = _shown(run, workflow)
        wanted = "".join(part[1] for part in (*first, *answer) if part[0] == "assistant")
        updates = run.of(Chunk)
        got = "".join(chunk.text for _, chunk in updates)
        beside = any(each.pattern in ("concurrent", "custom") for each in case.scenario.workflows.values())
        yield finding(
            sorted(got) == sorted(wanted) if beside else got == wanted,
            updates[-1][0] if updates else run.events[-1][0],
            expected=f"updates that join to {wanted!r}",
            got=repr(got),
        )
    for pair in twins(case, "stream", direct=False):
        yield responses_alike(pair)


@rule("ORC-26", needs=[*_AS_AGENT, "workflows.handoff"])
def a_handoff_as_an_agent_returns_what_was_said(case: Case) -> Iterator[Finding]:
    """Handoff as an agent: the empty completion adds no empty message; the response holds the participants' messages.

    Leaves alone: pending requests (ORC-27), results of handoffs, which not every framework has, and an empty text that a
    participant said itself.
    """
    for run, spec, workflow in _answered(case):
        if workflow.pattern != "handoff":
            continue
        expected = response_of(run, spec.workflow)
        for at, response in run.of(RunReturned):
            got = said(case, response.messages)
            yield finding(
                got == expected,
                at,
                expected=f"what the participants said, and no empty message: {show(expected)}",
                got=show(got),
            )


def _answered(case: Case) -> Iterator[tuple[RunView, RunWorkflow, WorkflowSpec]]:
    """Runs as agents that came to an answer, with nobody asked and nothing failed."""
    for run, spec, workflow in wrapped(case):
        untroubled = run.succeeded and not waited(run) and not faulty(run) and not limited(case, spec)
        if untroubled and not left_to_author(case, spec.workflow):
            yield run, spec, workflow


def _own_word(workflow: WorkflowSpec) -> bool:
    """Whether an answer may be signed by the workflow itself: an author's aggregator is no participant."""
    return workflow.aggregates is not None


def _shown(run: RunView, workflow: WorkflowSpec) -> tuple[list[Part], list[Part]]:
    """What the response of a workflow as an agent begins with, and the answer that it ends with."""
    answer = answer_of(run, workflow)
    if workflow.pattern == "handoff":
        return conversation(spells(run)), []
    if not workflow.intermediate_outputs:
        return [], answer
    if workflow.pattern == "custom":
        staged = [name for stage in workflow.stages for name in stage]
        first: list[Part] = []
        for name in staged:
            if name in workflow.executors:
                first += [("assistant", text) for text in workflow.executors[name].emits]
            else:
                first += response_of(run, name)
        return first, answer
    if workflow.pattern == "concurrent" and workflow.aggregates is None:
        return [], answer
    others = conversation(produced(run))
    return others[: len(others) - len(answer)] if workflow.pattern == "sequential" else others, answer
