"""Orchestration, answer: the run-completed output holds the answer of each pattern, as a response, no more (ORC-11 to ORC-19)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from conformance.rules.condition import Condition, condition
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import (
    answer_of,
    answering,
    answers,
    orders,
    owned,
    response_of,
    said,
    spells,
)
from conformance.rules.orchestration.failures import faulty
from conformance.rules.orchestration.limits import answered_as_declared, ends_by_limit, limited
from conformance.rules.orchestration.outputs import (
    COMPLETIONS,
    SIGNAL,
    completed,
    heard_texts,
    how_many,
    how_texts_differ,
    intermediate_outputs,
    misattributed,
    texts,
    told,
)
from conformance.rules.orchestration.workflow_run import (
    WorkflowRun,
    concurrent,
    custom,
    cut_off,
    direct_run,
    handoff,
    left_to_author,
    nests,
    of_pattern,
    raised,
    succeeded,
    waiting,
)
from conformance.rules.parts import how_they_differ
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.wording import error, quoted, show
from conformance.trace.adapter_events import Chunk, Output
from conformance.trace.messages import Message, Part

# --- what the rules of this section look at, and leave alone ---

DECIDED_OTHERWISE: tuple[Condition[WorkflowRun], ...] = (faulty, limited, left_to_author)
"""Where a fault of the script, a limit or an author decides what the answer is, and whether there is one."""


@condition
def later_run_that_raised(execution: ExecutionView, each: WorkflowRun) -> bool:
    """The workflow was run before, and the run ended in an error (ORC-06)."""
    before = (spec.workflow for run, spec in execution.workflow_runs() if run.at < each.run.at)
    return each.run.raised is not None and each.spec.workflow in before


@condition
def on_edge(execution: ExecutionView, each: WorkflowRun) -> bool:
    """There is one participant, or one that answers does so with several messages, an empty text, or calls on its way."""
    return len(each.workflow.participants) == 1 or any(_is_edge(response) for response in _responses(execution, each))


def _is_edge(response: Sequence[Part]) -> bool:
    return len(response) > 1 or any(part[0] != "assistant" or not part[1] for part in response)


def _responses(execution: ExecutionView, each: WorkflowRun) -> list[list[Part]]:
    """The responses that are the answer; of a handoff, what each participant said whenever it spoke."""
    if each.workflow.pattern == "handoff":
        spoken = spells(execution, each.run)
        return [[part for part in spell.said if part[:2] != ("call", spell.handoff)] for spell in spoken]
    return [response_of(execution, each.run, name) for name in answering(each.workflow)]


@condition
def alone(_: ExecutionView, each: WorkflowRun) -> bool:
    """The workflow has one participant."""
    return len(each.workflow.participants) == 1


@condition
def answers_visibly(_: ExecutionView, each: WorkflowRun) -> bool:
    """The run has a run-completed output; a handoff answers with its intermediate outputs."""
    return each.workflow.pattern == "handoff" or bool(completed(each.run))


@condition
def streamed_handoff(_: ExecutionView, each: WorkflowRun) -> bool:
    """The workflow is a handoff, and the run streams: what was said may be seen in chunks alone (ORC-15)."""
    return each.workflow.pattern == "handoff" and each.spec.stream


# --- the rules ---


@rule(
    "ORC-11",
    needs=["workflows"],
    policies=SIGNAL,
    each=direct_run,
    leaves_alone=[custom],
    aspects=["no response", "not empty", "no author", "another author"],
)
def the_answer_is_a_response(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """The payload of a run-completed output is an agent response, never a bare list of messages; for handoff it is empty.

    A response has messages with authors, and nobody signs what somebody else said. The payload of an author-written workflow is
    its author's.
    """
    empty = each.workflow.pattern == "handoff"
    for at, output in completed(each.run):
        authors = [message.author for message in output.messages if message.role == "assistant"]
        aspect = _how_it_is_no_response(execution, each, output)
        yield finding(
            not aspect,
            at,
            aspect,
            expected="an empty response" if empty else "an agent response, its messages with authors",
            got=f"a payload of kind {output.payload}: {show(execution.heard(output.messages))}, by {', '.join(map(str, authors))}",
        )


@rule(
    "ORC-12",
    needs=["workflows"],
    policies=SIGNAL,
    each=direct_run,
    aspects=["prompt", "work as answer"],
)
def the_answer_is_no_dump(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """No dump: the answer does not hold the user's prompt, nor messages of participants that are not part of it.

    A text that is said in the answer too is part of it. Messages: calls and their results too. What a participant said as well is
    the prompt only where the user says it.
    """
    answer = answer_of(execution, each.run, each.workflow)
    everything, prompt = told(execution, each.run), Counter(each.spec.say)
    strange = everything.keys() - texts(answer).keys()
    unmistakable = {text for text in prompt if prompt[text] == everything[text]}
    for at, output in completed(each.run):
        asked = {message.text for message in output.messages if message.role == "user"}
        dumped = sorted(asked | (strange & heard_texts(execution, output.messages).keys()))
        traffic = _traffic_beside(answer, said(execution, output.messages))
        yield finding(
            not dumped and not traffic,
            at,
            "prompt" if prompt.keys() & (asked | unmistakable & set(dumped)) else "work as answer",
            expected="the answer alone",
            got=f"also what is no part of it: {quoted(dumped)}, {show(traffic)}",
            also=[each.run.at],
        )


@rule(
    "ORC-13",
    needs=["workflows.sequential"],
    policies=SIGNAL,
    each=direct_run,
    when=[of_pattern("sequential"), succeeded],
    leaves_alone=DECIDED_OTHERWISE,
    aspects=["missing", "repeated", "foreign", "order"],
)
def sequential_answers_with_the_last_response(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """Sequential: the answer is the last participant's response, all of its messages and nothing else."""
    yield from _right_answers(execution, each)


@rule(
    "ORC-14",
    needs=["workflows.concurrent"],
    policies=SIGNAL,
    each=direct_run,
    when=[concurrent, succeeded],
    leaves_alone=DECIDED_OTHERWISE,
    aspects=["missing", "repeated", "foreign", "order", "another author"],
)
def concurrent_answers_with_every_response(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """Concurrent: the answer is every participant's response messages, each once, unchanged, in a stable order.

    With the default aggregation; with a custom aggregator it is what the aggregator returned. Stable: the order of the
    participants, or that of their names, but not that of their finishing. Unchanged: text and author.
    """
    forms = _forms(execution, each)
    plain = [[part for _, part in form] for form in forms]
    for at, output in completed(each.run):
        got, authors = said(execution, output.messages), _authors(execution, output.messages)
        fitting = [form for form, parts in zip(forms, plain, strict=True) if parts == got]
        yield finding(
            any(_signed_alike(authors, form) for form in fitting),
            at,
            "another author" if fitting else how_they_differ(got, plain[0]),
            expected=f"the answer, in the order of the participants: {show(plain[0])}",
            got=f"{show(got)}, by {', '.join(map(str, authors))}",
        )


@rule(
    "ORC-15",
    needs=["workflows.handoff"],
    policies=SIGNAL,
    each=direct_run,
    when=[handoff, succeeded],
    aspects=[*COMPLETIONS, "not empty", "missing", "repeated", "foreign", "order", "another author"],
)
def handoff_outputs_everything_as_intermediate(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """Handoff: the run-completed output is empty, and every participant's response was output as intermediate, once, in order.

    Whatever `intermediate_outputs` says. Where streaming, intermediates may arrive as chunks: then these join to every text, in
    order, and to nothing else. Results of handoffs need not be there: not every framework has them.
    """
    found, wanted = completed(each.run), response_of(execution, each.run, each.spec.workflow)
    full = [at for at, output in found if output.messages]
    aspect = how_many(found) or ("not empty" if full else _how_shown(execution, each))
    yield finding(
        not aspect,
        [*full, *(at for at, _ in found), each.end][0],
        aspect,
        expected=f"one empty run-completed output, and as intermediate: {show(wanted)}",
        got=f"{len(found)} run-completed outputs, {len(full)} of them not empty; as intermediate: "
        f"{show(_intermediate(execution, each))}",
    )


@rule(
    "ORC-16",
    needs=["workflows.group_chat"],
    policies=SIGNAL,
    each=direct_run,
    when=[of_pattern("group_chat"), succeeded],
    leaves_alone=[faulty, limited],
    aspects=["missing", "repeated", "foreign"],
)
def group_chat_answers_with_the_managers_summary(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """Group chat: the answer is the manager's summary or completion message; rounds are intermediate.

    Whether the rounds are shown is said elsewhere (ORC-20, ORC-21).
    """
    yield from _right_answers(execution, each)


@rule(
    "ORC-17",
    needs=["workflows.magentic"],
    policies=SIGNAL,
    each=direct_run,
    when=[of_pattern("magentic"), succeeded],
    leaves_alone=[faulty, limited],
    aspects=["missing", "repeated", "foreign"],
)
def magentic_answers_with_the_synthesis(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """Magentic: the answer is the manager's synthesized final answer; participants' work is intermediate.

    Whether that work is shown is said elsewhere (ORC-20, ORC-21).
    """
    yield from _right_answers(execution, each)


@rule(
    "ORC-18",
    needs=["workflows"],
    policies=("completion_signal", "limit_answer"),
    each=direct_run,
    when=[ends_by_limit],
    leaves_alone=[nests, later_run_that_raised, faulty, waiting, cut_off],
    aspects=["raised", *COMPLETIONS, "another answer", "more rounds"],
)
def a_limit_ends_with_an_answer(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """When a limit on rounds, stalls or resets ends a run, there is exactly one completion, and it says what is declared for that.

    The policy `limit_answer`: a notice, which is nobody's reply and speaks of the limit, or the manager's answer.
    """
    found, failure = completed(each.run), each.run.raised
    aspect = "raised" if failure else how_many(found)
    if aspect:
        got = error(failure[1]) if failure else f"{len(found)} run-completed outputs"
        yield finding(False, each.end, aspect, expected="exactly one run-completed output", got=got)
    else:
        yield answered_as_declared(execution, each, *found[0])


@clause(
    each=direct_run,
    when=[alone, raised],
    leaves_alone=[*DECIDED_OTHERWISE, later_run_that_raised],
)
def one_participant_is_enough(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A run of a workflow with one participant does not end in an error."""
    assert each.run.raised is not None
    yield finding(False, each.run.raised[0], "raised", expected="an answer", got=error(each.run.raised[1]))


@rule(
    "ORC-19",
    needs=["workflows"],
    policies=SIGNAL,
    each=direct_run,
    when=[on_edge, succeeded, answers_visibly],
    leaves_alone=[*DECIDED_OTHERWISE, streamed_handoff],
    also=[one_participant_is_enough],
    aspects=["raised", "missing", "repeated", "foreign", "order"],
)
def edge_sizes_answer_alike(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """Edge sizes: one participant, or one that answers with several messages, an empty text, or tool calls on its way.

    The answer then holds the response's messages, and a participant's own tool traffic is not lost. In a handoff the outputs
    together hold them.
    """
    found = completed(each.run)
    if each.workflow.pattern == "handoff":
        forms = [response_of(execution, each.run, each.spec.workflow)]
        got = [[part for _, output in each.run.of(Output) for part in said(execution, output.messages)]]
    else:
        forms = answers(execution, each.run, each.workflow)
        got = [said(execution, output.messages) for _, output in found]
    wrong = [parts for parts in got if parts not in forms]
    yield finding(
        not wrong,
        found[0][0] if found else each.end,
        how_they_differ(wrong[0], forms[0]) if wrong else "",
        expected=f"every message of the response: {show(forms[0])}",
        got=" and ".join(show(parts) for parts in got),
    )


# --- what they compare ---


def _traffic_beside(answer: Sequence[Part], got: Sequence[Part]) -> list[Part]:
    """The calls and results that are no part of the answer."""
    own = {part[:2] for part in answer}
    return [part for part in got if part[0] in ("call", "result") and part[:2] not in own]


def _how_it_is_no_response(execution: ExecutionView, each: WorkflowRun, output: Output) -> str:
    """The aspect in which a run-completed output is not the response that it should be; "" where it is."""
    if output.payload != "response":
        return "no response"
    if each.workflow.pattern == "handoff":
        return "not empty" if output.messages else ""
    if not all(message.author for message in output.messages if message.role == "assistant"):
        return "no author"
    return "another author" if misattributed(execution, each.run, output.messages) else ""


def _right_answers(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """Whether every run-completed output says what the workflow must answer."""
    expected = answer_of(execution, each.run, each.workflow)
    for at, output in completed(each.run):
        got = said(execution, output.messages)
        yield finding(got == expected, at, how_they_differ(got, expected), expected=f"the answer {show(expected)}", got=show(got))


Form = list[tuple[str | None, Part]]
"""What an answer may be: its parts, each with who must sign it; None: anybody."""


def _forms(execution: ExecutionView, each: WorkflowRun) -> list[Form]:
    """Every form that the answer of a concurrent workflow may have. What a child answers may be signed by whoever."""
    if each.workflow.aggregates is not None:
        return [[(None, part) for part in answer_of(execution, each.run, each.workflow)]]
    anybody = nests(execution, each)
    return [
        [(None if anybody else name, part) for name, part in owned(execution, each.run, order)] for order in orders(each.workflow)
    ]


def _authors(execution: ExecutionView, messages: Sequence[Message]) -> list[str | None]:
    """Who signs each part of messages."""
    return [message.author for message in messages for _ in said(execution, [message])]


def _signed_alike(authors: Sequence[str | None], form: Form) -> bool:
    """Whether every part is signed by who said it; what is unsigned is left to ORC-11."""
    return all(None in (author, name) or author == name for author, (name, _) in zip(authors, form, strict=False))


def _intermediate(execution: ExecutionView, each: WorkflowRun) -> list[Part]:
    """What a run's intermediate outputs say."""
    return [part for _, output in intermediate_outputs(each.run) for part in said(execution, output.messages)]


def _how_shown(execution: ExecutionView, each: WorkflowRun) -> str:
    """The aspect in which what is shown of a handoff is wrong; "" where intermediate outputs or chunks are right."""
    shown, expected = _intermediate(execution, each), response_of(execution, each.run, each.spec.workflow)
    how = how_they_differ(shown, expected) if shown != expected else _how_signed(execution, each)
    if not each.spec.stream:
        return how
    return _how_streamed(each, [part[1] for part in expected if part[0] == "assistant"], how, alone=not shown)


def _how_streamed(each: WorkflowRun, wanted: Sequence[str], how: str, *, alone: bool) -> str:
    """The same of a stream. how: the aspect in which its outputs are wrong. alone: there are chunks only."""
    streamed = "".join(chunk.text for _, chunk in each.run.of(Chunk) if not chunk.completed)
    if how not in ("", "another author"):
        if streamed == "".join(wanted):
            return ""
        return how_texts_differ(streamed, wanted) if alone else how
    return how if _made_of(streamed, wanted) else how_texts_differ(streamed, wanted)


def _how_signed(execution: ExecutionView, each: WorkflowRun) -> str:
    """The aspect in which outputs are signed wrongly; "" where they are not."""
    signed_by_others = any(misattributed(execution, each.run, output.messages) for _, output in each.run.of(Output))
    return "another author" if signed_by_others else ""


def _made_of(whole: str, texts: Sequence[str]) -> bool:
    """Whether a whole is nothing but some of these texts, in order."""
    ends = {0}
    for text in texts:
        ends |= {end + len(text) for end in ends if whole.startswith(text, end)}
    return len(whole) in ends
