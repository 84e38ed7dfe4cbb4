"""Rules on what the run-completed output holds: the answer of each pattern, as a response, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import (
    answer_of,
    answering,
    answers,
    ended_by,
    orders,
    owned,
    response_of,
    said,
    spells,
)
from conformance.rules.orchestration.outputs import SIGNAL, completed, heard_texts, misattributed, texts, told
from conformance.rules.orchestration.runs import MANAGED, again, cut_off, direct, faulty, left_to_author, limited, nests
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import error, show
from conformance.scenario.specs import WorkflowSpec
from conformance.trace.adapter_events import Chunk, Output
from conformance.vocabulary import Pattern

_LIMIT_ANSWERS = {True: "the manager's answer", False: "a notice that speaks of the limit"}


_ABOUT_LIMITS = re.compile(r"limit|max|reach|exceed|round|stall|reset", re.I)


@rule("ORC-11", needs=["workflows"], policies=SIGNAL)
def the_answer_is_a_response(execution: ExecutionView) -> Iterator[Finding]:
    """The payload of a run-completed output is an agent response, never a bare list of messages; for handoff it is empty.

    A response has messages with authors, and nobody signs what somebody else said. Leaves alone: author-written workflows, whose
    payload is the author's.
    """
    for run, _, workflow in direct(execution):
        if workflow.pattern == "custom":
            continue
        for at, output in completed(run):
            authors = [message.author for message in output.messages if message.role == "assistant"]
            signed = all(authors) and not misattributed(execution, run, output.messages)
            right = output.payload == "response" and (not output.messages if workflow.pattern == "handoff" else signed)
            yield finding(
                right,
                at,
                expected="an empty response" if workflow.pattern == "handoff" else "an agent response, its messages with authors",
                got=f"a payload of kind {output.payload}: {show(execution.heard(output.messages))}, "
                f"by {', '.join(map(str, authors))}",
            )


@rule("ORC-12", needs=["workflows"], policies=SIGNAL)
def the_answer_is_no_dump(execution: ExecutionView) -> Iterator[Finding]:
    """No dump: the answer does not hold the user's prompt, nor messages of participants that are not part of it.

    Leaves alone: what is missing (ORC-13 ff.), the participants' responses in the completion of a handoff (ORC-11), texts that are
    said in the answer too, and author-written workflows in which not exactly one executor completes.
    """
    for run, spec, workflow in direct(execution):
        if left_to_author(execution.scenario, spec.workflow) or workflow.pattern == "handoff":
            continue
        wanted = texts(answer_of(execution, run, workflow))
        strange = {text for text in told(execution, run) if text not in wanted}
        for at, output in completed(run):
            asked = [message.text for message in output.messages if message.role == "user"]
            dumped = sorted({*asked, *(strange & set(heard_texts(execution, output.messages)))})
            yield finding(
                not dumped,
                at,
                expected="the answer alone",
                got=f"also what is no part of it: {', '.join(dumped)}",
                also=[run.at],
            )


@rule("ORC-13", needs=["workflows.sequential"], policies=SIGNAL)
def sequential_answers_with_the_last_response(execution: ExecutionView) -> Iterator[Finding]:
    """Sequential: the answer is the last participant's response, all of its messages and nothing else."""
    yield from _right_answers(execution, "sequential")


@rule("ORC-14", needs=["workflows.concurrent"], policies=SIGNAL)
def concurrent_answers_with_every_response(execution: ExecutionView) -> Iterator[Finding]:
    """Concurrent: the answer is every participant's response messages, each once, unchanged, in a stable order.

    With the default aggregation; with a custom aggregator it is what the aggregator returned. Stable: the order of the
    participants, or that of their names, but not that of their finishing. Unchanged: text and author. Leaves alone: runs in which a
    participant fails (ORC-33).
    """
    for run, spec, workflow in direct(execution):
        if workflow.pattern != "concurrent" or not run.succeeded or faulty(execution, run) or limited(execution.scenario, spec):
            continue
        if left_to_author(execution.scenario, spec.workflow):
            continue
        for at, output in completed(run):
            got = said(execution, output.messages)
            fitting = [order for order in orders(workflow) if got == [part for _, part in owned(execution, run, order)]]
            authors = [message.author for message in output.messages for _ in said(execution, [message])]
            right = any(_signed_alike(authors, [name for name, _ in owned(execution, run, order)]) for order in fitting)
            if workflow.aggregates is not None:
                right = got == answer_of(execution, run, workflow)
            yield finding(
                right or (bool(fitting) and nests(execution.scenario, workflow)),
                at,
                expected=f"the answer, in the order of the participants: {show(answer_of(execution, run, workflow))}",
                got=f"{show(got)}, by {', '.join(map(str, authors))}",
            )


@rule("ORC-15", needs=["workflows.handoff"], policies=SIGNAL)
def handoff_outputs_everything_as_intermediate(execution: ExecutionView) -> Iterator[Finding]:
    """Handoff: the run-completed output is empty, and every participant's response was output as intermediate, once, in order.

    Whatever `intermediate_outputs` says. Where streaming, intermediates may arrive as chunks: then every text must be in them, in
    order. Leaves alone: results of handoffs, which not every framework has.
    """
    for run, spec, workflow in direct(execution):
        if workflow.pattern != "handoff" or not run.succeeded:
            continue
        found = completed(run)
        shown = [part for _, output in run.of(Output) if not output.completed for part in said(execution, output.messages)]
        expected = response_of(execution, run, spec.workflow)
        everything = shown == expected and not any(misattributed(execution, run, output.messages) for _, output in run.of(Output))
        if spec.stream:
            streamed = "".join(chunk.text for _, chunk in run.of(Chunk) if not chunk.completed)
            everything = everything or _in_order([part[1] for part in expected if part[0] == "assistant"], streamed)
        full = [at for at, output in found if output.messages]
        yield finding(
            len(found) == 1 and not full and everything,
            [*full, *(at for at, _ in found), run.events[-1][0]][0],
            expected=f"one empty run-completed output, and as intermediate: {show(expected)}",
            got=f"{len(found)} run-completed outputs, {len(full)} of them not empty; as intermediate: {show(shown)}",
        )


@rule("ORC-16", needs=["workflows.group_chat"], policies=SIGNAL)
def group_chat_answers_with_the_managers_summary(execution: ExecutionView) -> Iterator[Finding]:
    """Group chat: the answer is the manager's summary or completion message; rounds are intermediate.

    Leaves alone whether the rounds are shown (ORC-20, ORC-21), and runs that a limit ends (ORC-18).
    """
    yield from _right_answers(execution, "group_chat")


@rule("ORC-17", needs=["workflows.magentic"], policies=SIGNAL)
def magentic_answers_with_the_synthesis(execution: ExecutionView) -> Iterator[Finding]:
    """Magentic: the answer is the manager's synthesized final answer; participants' work is intermediate.

    Leaves alone whether that work is shown (ORC-20, ORC-21), and runs that a limit ends (ORC-18).
    """
    yield from _right_answers(execution, "magentic")


@rule("ORC-18", needs=["workflows"], policies=("completion_signal", "limit_answer"))
def a_limit_ends_with_an_answer(execution: ExecutionView) -> Iterator[Finding]:
    """When a limit on rounds, stalls or resets ends a run, there is exactly one completion, and it says what is declared for that.

    The policy `limit_answer`: a notice, which is nobody's reply and speaks of the limit, or the manager's answer. Leaves alone:
    runs whose manager would end them after the last round that is allowed, later runs that raise (ORC-06), and streams of which
    only chunks complete (ORC-09).
    """
    for run, spec, workflow in direct(execution):
        managed = workflow.pattern in MANAGED and ended_by(spec.manager, workflow) == "limit"
        if (
            not managed
            or nests(execution.scenario, workflow)
            or (run.raised and again(execution, run))
            or faulty(execution, run)
            or run.ending == "waiting"
            or cut_off(run)
        ):
            continue
        found = completed(run)
        if not found and any(chunk.completed for _, chunk in run.of(Chunk)):
            continue
        if run.raised or len(found) != 1:
            yield finding(
                False,
                run.events[-1][0],
                expected="exactly one run-completed output",
                got=error(run.raised[1]) if run.raised else f"{len(found)} run-completed outputs",
            )
            continue
        at, output = found[0]
        got = said(execution, output.messages)
        wanted = answer_of(execution, run, workflow)
        others = texts(part for spell in spells(execution, run) for part in spell.said)
        notice = len(got) == 1 and got != wanted and got[0][-1] not in others and bool(_ABOUT_LIMITS.search(got[0][-1]))
        by_manager = execution.policies.limit_answer == "manager"
        rounds = len(spells(execution, run))
        kept = workflow.max_rounds is None or rounds <= workflow.max_rounds
        yield finding(
            (got == wanted if by_manager else notice) and kept,
            at,
            expected=f"{_LIMIT_ANSWERS[by_manager]}, after no more rounds than {workflow.max_rounds}",
            got=f"{show(got)} after {rounds} rounds",
        )


@rule("ORC-19", needs=["workflows"], policies=SIGNAL)
def edge_sizes_answer_alike(execution: ExecutionView) -> Iterator[Finding]:
    """Edge sizes: one participant, or one that answers with several messages, an empty text, or tool calls on its way.

    The answer then holds the response's messages, and a participant's own tool traffic is not lost. In a handoff the intermediate
    outputs hold them. Leaves alone: later runs that raise (ORC-06, ORC-30, ORC-38), and that there is a completion (ORC-01).
    """
    for run, spec, workflow in direct(execution):
        if (
            workflow.pattern == "custom"
            or faulty(execution, run)
            or limited(execution.scenario, spec)
            or left_to_author(execution.scenario, spec.workflow)
        ):
            continue
        if _no_edge(execution, run, workflow):
            continue
        if run.raised and len(workflow.participants) == 1 and not again(execution, run):
            yield finding(False, run.raised[0], expected="an answer", got=error(run.raised[1]))
        if not run.succeeded or (workflow.pattern == "handoff" and spec.stream):
            continue
        handoff = workflow.pattern == "handoff"
        expected = response_of(execution, run, spec.workflow)
        shown = [part for _, output in run.of(Output) for part in said(execution, output.messages)]
        got = [shown] if handoff else [said(execution, output.messages) for _, output in completed(run)]
        if not got:
            continue
        yield finding(
            any(each in ([expected] if handoff else answers(execution, run, workflow)) for each in got),
            completed(run)[0][0] if completed(run) else run.events[-1][0],
            expected=f"every message of the response: {show(expected)}",
            got=" and ".join(show(each) for each in got),
        )


def _right_answers(execution: ExecutionView, pattern: Pattern) -> Iterator[Finding]:
    for run, spec, workflow in direct(execution):
        if workflow.pattern != pattern or not run.succeeded or limited(execution.scenario, spec) or faulty(execution, run):
            continue
        if left_to_author(execution.scenario, spec.workflow):
            continue
        for at, output in completed(run):
            expected = answer_of(execution, run, workflow)
            yield finding(
                said(execution, output.messages) == expected,
                at,
                expected=f"the answer {show(expected)}",
                got=show(said(execution, output.messages)),
            )


def _signed_alike(authors: Sequence[str | None], owners: Sequence[str]) -> bool:
    """Whether every part is signed by who said it; what is unsigned is left to ORC-11."""
    return all(author in (None, owner) for author, owner in zip(authors, owners, strict=False))


def _in_order(texts: Sequence[str], whole: str) -> bool:
    place = 0
    for text in texts:
        found = whole.find(text, place)
        if found < 0:
            return False
        place = found + len(text)
    return True


def _no_edge(execution: ExecutionView, run: RunView, workflow: WorkflowSpec) -> bool:
    """Whether there are several participants, and each that answers does so with one message that says something."""
    if len(workflow.participants) == 1:
        return False
    if workflow.pattern == "handoff":
        responses = [[part for part in spell.said if part[:2] != ("call", spell.handoff)] for spell in spells(execution, run)]
    else:
        responses = [response_of(execution, run, name) for name in answering(workflow)]
    return all(len(said) < 2 and all(part[0] == "assistant" and part[1] for part in said) for said in responses)
