"""Orchestration, workflows as agents whether they stream or not: messages, their order and their authors (ORC-44)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import answer_of, said, spells, staged
from conformance.rules.orchestration.limits import limited
from conformance.rules.orchestration.outputs import returned
from conformance.rules.orchestration.pairs import BOTH_ENDED, Pair, either, pair_by
from conformance.rules.orchestration.structure import MANAGED, inside
from conformance.rules.orchestration.workflow_run import (
    WorkflowRun,
    handoff,
    others_output_beside,
    run_as_agent,
    succeeded,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import show
from conformance.scenario.scenario import RunWorkflow
from conformance.trace.adapter_events import RunReturned
from conformance.trace.harness_events import ServiceReplied
from conformance.trace.messages import Message, Part, parts

# --- what the rule leaves alone ---


@condition
def side_by_side(execution: ExecutionView, each: WorkflowRun) -> bool:
    """Participants work side by side: in what turns they are heard is left open (ORC-24, ORC-32)."""
    held = inside(execution.scenario, each.spec.workflow)
    return any(each.pattern == "concurrent" or any(len(stage) > 1 for stage in each.stages) for each in held)


# --- the clauses ---


@clause(each=pair_by("stream", as_agent=True), when=BOTH_ENDED, leaves_alone=[either(side_by_side)])
def _in_the_same_order(execution: ExecutionView, pair: Pair) -> Iterator[Finding]:
    """The messages of two runs with the same script, one streaming and one not, stand in the same order."""
    first, second = ([part for _, part in _signed(execution, run)] for run in pair.runs)
    if Counter(first) == Counter(second):  # what else they say is compared by ORC-25
        yield finding(
            first == second,
            pair.second.end,
            "order",
            expected=f"the same order: {show(first)}",
            got=show(second),
            also=[pair.first.end],
        )


@clause(each=run_as_agent, when=[succeeded])
def _results_after_calls(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """In the responses of a run no result stands before the call that it belongs to."""
    said = parts(message for _, event in each.run.of(RunReturned) for message in event.messages)
    if any(part[0] == "result" for part in said):
        early = list(_early(said))
        expected = "each result after its call"
        yield finding(not early, each.end, "result before its call", expected=expected, got=f"before it: {', '.join(early)}")


@clause(
    each=run_as_agent,
    when=[succeeded, ~handoff],
    leaves_alone=[limited, others_output_beside],
)
def _the_answer_last(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """What the answer holds stands last in the response."""
    got, form = returned(execution, each.run), answer_of(execution, each.run, each.workflow)
    found = Counter(part for part in got if part in form)
    if found == Counter(form):  # whether it is there, once and in its order, is ORC-23's and ORC-24's
        yield finding(
            Counter(got[len(got) - len(form) :]) == found,
            each.end,
            "answer not last",
            expected=f"last: {show(form)}",
            got=show(got),
        )


@clause(each=run_as_agent)
def _nothing_empty(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A response holds no message without content that no participant said."""
    for at, response in each.run.of(RunReturned):
        empty = sum(map(_is_empty, response.messages))
        if not _said_nothing(execution, each):
            expected = "no message without content, since nobody said nothing"
            yield finding(not empty, at, "empty message", expected=expected, got=f"{empty} of them")


@rule(
    "ORC-44",
    needs=["workflows", "workflows.as_agent", "runs.streaming"],
    each=pair_by("stream", as_agent=True),
    when=BOTH_ENDED,
    also=[_in_the_same_order, _results_after_calls, _the_answer_last, _nothing_empty],
    aspects=["another author", "order", "result before its call", "answer not last", "empty message"],
    edition=2,
)
def streaming_changes_no_message(execution: ExecutionView, pair: Pair) -> Iterator[Finding]:
    """As an agent, streamed and joined or not: the same messages, in the same order, with the same authors.

    Judged on runs with the same script, one streaming and one not. Results come after their calls, what the answer holds last,
    and no message without content is there that no participant said. What the messages say is compared by ORC-25; of results nobody
    need say who their author is.
    """
    first, second = (Counter(_signed(execution, run)) for run in pair.runs)
    told, wanted = (Counter(part for _, part in found.elements()) for found in (second, first))
    if told == wanted:
        others = [f"{part[1]!r} by {author!r}" for author, part in second - first]
        yield finding(
            not others,
            pair.second.end,
            "another author",
            expected="the same authors: " + (", ".join(f"{part[1]!r} by {author!r}" for author, part in first - second)),
            got=", ".join(others),
            also=[pair.first.end],
        )


# --- what they compare ---

Signed = tuple[str | None, Part]
"""A part with the author of the message that it is in; a result is anybody's."""


def _signed(execution: ExecutionView, run: RunView) -> list[Signed]:
    """What the responses of a run say, and who signs it; of a call, what it asks for: its id is another one in each run."""
    asked = {call.id: call.tool for _, reply in run.of(ServiceReplied) for call in reply.message.calls}
    messages = [message for _, event in run.of(RunReturned) for message in event.messages]
    left = Counter(said(execution, messages))
    found: list[Signed] = []
    for message in messages:
        for part in parts([message]):
            if left[part] > 0:
                left[part] -= 1
                found.append(_without_id(_author(run, message), part, asked))
    return found


def _author(run: RunView, message: Message) -> str | None:
    """Who signs a message; the runs of a pair may be of two workflows, whose own names are the same author."""
    itself = isinstance(run.spec, RunWorkflow) and message.author == run.spec.workflow
    return "the workflow" if itself else message.author


def _without_id(author: str | None, part: Part, asked: dict[str, str]) -> Signed:
    if part[0] == "result":
        return None, ("result", asked.get(part[1], part[1]))
    return author, (part[0], *part[2:]) if part[0] == "call" else part


def _early(said: Sequence[Part]) -> Iterator[str]:
    """The ids of the results that stand before the first call of that id; where the call is missing nothing is said."""
    ahead = {part[1] for part in said if part[0] == "call"}
    for part in said:
        if part[0] == "call":
            ahead.discard(part[1])
        elif part[0] == "result" and part[1] in ahead:
            yield part[1]


def _is_empty(message: Message) -> bool:
    return not (message.text or message.calls or message.results or message.approvals)


def _said_nothing(execution: ExecutionView, each: WorkflowRun) -> bool:
    """Whether somebody in a run said an empty text: a participant, or by its script a manager, an executor, an aggregator."""
    texts = [part[1] for spell in spells(execution, each.run) for part in spell.said if part[0] == "assistant"]
    for workflow in inside(execution.scenario, each.spec.workflow):
        made: Sequence[str | None] = [each.spec.manager.answer if workflow.pattern in MANAGED else None, workflow.aggregates]
        executors = [text for one in staged(workflow).values() for text in (*one.emits, one.completes, one.again)]
        texts += [text for text in (*made, *executors) if text is not None]
    return "" in texts
