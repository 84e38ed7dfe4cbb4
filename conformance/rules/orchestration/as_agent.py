"""Orchestration, workflows as agents: their responses, streaming or not, with requests, on threads (ORC-23 to ORC-28)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from conformance.rules.condition import condition
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
from conformance.rules.orchestration.failures import faulty
from conformance.rules.orchestration.later_run import LaterRun, later_run_on_thread, of_the_later
from conformance.rules.orchestration.limits import limited
from conformance.rules.orchestration.outputs import heard_texts, how_texts_differ, misattributed, returned, texts, told
from conformance.rules.orchestration.pairs import BOTH_ENDED, INCOMPARABLE, Pair, pair_by, responses_alike
from conformance.rules.orchestration.questions import APPROVED, approvals, as_approved, unasked
from conformance.rules.orchestration.turns import in_turns
from conformance.rules.orchestration.workflow_run import (
    WorkflowRun,
    called_the_service,
    cut_off,
    handoff,
    left_to_author,
    nests,
    others_output_beside,
    raised,
    run_as_agent,
    shows_intermediates,
    streams,
    succeeded,
    waited,
)
from conformance.rules.parts import how_they_differ
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.wording import outcome, quoted, show
from conformance.scenario.specs import WorkflowSpec
from conformance.trace.adapter_events import Chunk, RequestPending, RunReturned
from conformance.trace.messages import Part

AS_AGENT = ("workflows", "workflows.as_agent")
"""What an implementation must be able to do for most rules of this section."""

# --- what the rules of this section look at, and leave alone ---

UNCERTAIN = (waited, faulty, limited, left_to_author)
"""Where nobody can say what the response of a workflow as an agent is, or other rules do."""


@condition
def nests_and_shows_intermediates(execution: ExecutionView, each: WorkflowRun) -> bool:
    """The workflow has others as participants, and `intermediate_outputs` on: what is shown of children is left open."""
    return each.workflow.intermediate_outputs and nests(execution, each)


@condition
def asks_for_approval(_: ExecutionView, each: WorkflowRun) -> bool:
    """A participant makes a call that needs approval."""
    return bool(approvals(each.run))


@condition
def after_an_answer(execution: ExecutionView, each: LaterRun) -> bool:
    """An earlier run on the thread came to an answer that neither a fault of its script nor a limit decided."""
    return bool(_answered(execution, each))


def _answered(execution: ExecutionView, each: LaterRun) -> list[WorkflowRun]:
    untroubled = (other for other in each.earlier if not faulty(execution, other) and not limited(execution, other))
    return [other for other in untroubled if other.run.succeeded]


# --- the rules ---


@rule(
    "ORC-23",
    needs=AS_AGENT,
    each=run_as_agent,
    when=[~streams, ~shows_intermediates],
    leaves_alone=[handoff, *UNCERTAIN],
    aspects=["missing", "repeated", "foreign", "order", "response author", "message author"],
)
def as_an_agent_the_answer_is_the_response(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """As an agent, not streaming, intermediates off: the response is the run-completed response, named after the workflow.

    Messages keep their own authors.
    """
    name, forms = each.spec.workflow, answers(execution, each.run, each.workflow)
    for at, response in each.run.of(RunReturned):
        got, kept = said(execution, response.messages), {message.author for message in response.messages}
        own_word = each.workflow.aggregates is not None  # an author's aggregator is no participant: the workflow may sign it
        others = bool(misattributed(execution, each.run, response.messages)) or (name in kept and not own_word)
        named = response.author == name
        yield finding(
            got in forms and named and not others,
            at,
            how_they_differ(got, forms[0]) if got not in forms else "message author" if others else "response author",
            expected=f"{show(forms[0])} as a response by {name!r}, messages by their own authors",
            got=f"{show(got)} as a response by {response.author!r}, messages by {', '.join(sorted(map(str, kept)))}",
        )


@rule(
    "ORC-24",
    needs=[*AS_AGENT, "workflows.intermediate_outputs"],
    each=run_as_agent,
    when=[~streams, shows_intermediates],
    leaves_alone=[nests, *UNCERTAIN],
    aspects=["missing", "repeated", "foreign", "order"],
)
def as_an_agent_intermediates_come_before_the_answer(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """As an agent, not streaming, intermediates on: intermediates first, then the answer, each message once.

    Where the answer is what participants said, their messages are both, and stand there once. An author may let others output
    beside the executor that completes, or after it: then each one's messages are in its own order.
    """
    first, answer = _shown(execution, each)
    forms = answers(execution, each.run, each.workflow)
    together = [[*first, *form] for form in (forms if each.workflow.pattern == "concurrent" else [answer])]
    # side by side, nobody can say whose response was there first
    beside = each.workflow.pattern in ("concurrent", "custom")
    for at, response in each.run.of(RunReturned):
        got = said(execution, response.messages)
        any_order = beside and got[len(got) - len(answer) :] in (answer, *forms)
        in_place = others_output_beside(execution, each) and in_turns([[part] for part in got], _in_place(execution, each))
        yield finding(
            got in together or in_place or (any_order and Counter(got) == Counter(together[0])),
            at,
            how_they_differ(got, together[0]),
            expected=f"intermediates, then the answer, each once: {show(together[0])}",
            got=show(got),
        )


@clause(each=pair_by("stream", as_agent=True), when=BOTH_ENDED, leaves_alone=INCOMPARABLE)
def streaming_changes_no_response(execution: ExecutionView, pair: Pair) -> Iterator[Finding]:
    """The updates of a streaming run as an agent, joined, equal the response of a run with the same script that does not stream."""
    yield responses_alike(execution, pair)


@rule(
    "ORC-25",
    needs=[*AS_AGENT, "runs.streaming"],
    each=run_as_agent,
    when=[streams, succeeded],
    leaves_alone=[nests_and_shows_intermediates, *UNCERTAIN],
    also=[streaming_changes_no_response],
    aspects=["missing", "repeated", "foreign", "order"],
)
def as_an_agent_updates_join_to_the_response(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """Streaming as an agent: intermediates arrive as updates, and the updates joined equal the non-streaming response.

    The answer is not repeated after its chunks. What several say side by side may arrive in turns, each one's in its own order.
    """
    first, answer = _shown(execution, each)
    expected = [part[1] for part in (*first, *answer) if part[0] == "assistant"]
    updates, wanted = each.run.of(Chunk), "".join(expected)
    got = "".join(chunk.text for _, chunk in updates)
    pieces = [chunk.text for _, chunk in updates]
    yield finding(
        got == wanted or any(in_turns(pieces, stages) for stages in _in_stages(execution, each)),
        updates[-1][0] if updates else each.end,
        how_texts_differ(got, expected),
        expected=f"updates that join to {wanted!r}",
        got=repr(got),
    )


@rule(
    "ORC-26",
    needs=[*AS_AGENT, "workflows.handoff"],
    each=run_as_agent,
    when=[handoff],
    leaves_alone=[waited],
    aspects=["missing", "repeated", "foreign", "order", "empty message"],
)
def a_handoff_as_an_agent_returns_what_was_said(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """Handoff as an agent: the empty completion adds no empty message; the response holds the participants' messages.

    An empty text that a participant said itself belongs to it.
    """
    expected = response_of(execution, each.run, each.spec.workflow)
    for at, response in each.run.of(RunReturned):
        got = said(execution, response.messages)
        added = Counter(got) - Counter(expected) == Counter({("assistant", ""): 1})
        yield finding(
            got == expected,
            at,
            "empty message" if added else how_they_differ(got, expected),
            expected=f"what the participants said, and no empty message: {show(expected)}",
            got=show(got),
        )


@clause(each=run_as_agent, leaves_alone=[faulty])
def a_question_is_put(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A run as an agent does not come to its end without the question of an executor."""
    silent = unasked(each.run, each.spec.workflow)
    if silent:
        expected = f"a request of {', '.join(silent)}"
        yield finding(False, each.end, "not asked", expected=expected, got="an end of the run without it")


@clause(each=run_as_agent, when=[raised, waited], leaves_alone=[faulty])
def a_run_that_waited_goes_on(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A run as an agent that waited does not fail, where nothing goes wrong in its script."""
    expected = "a run that goes on when its request is answered"
    yield finding(False, each.end, "raised", expected=expected, got=outcome(each.run))


@clause(each=run_as_agent, when=[asks_for_approval, succeeded, waited])
def what_was_approved_is_done(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """When all requests are answered the calls that were approved are done, and no others."""
    yield as_approved(execution, each.run)


@clause(each=run_as_agent, when=[asks_for_approval, succeeded, waited], leaves_alone=[faulty, left_to_author, limited])
def the_run_ends_with_its_answer(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """When all requests are answered the run ends with its answer."""
    response = response_of(execution, each.run, each.spec.workflow)
    last = [part for part in response if part[0] == "assistant"][-1:]
    got = returned(execution, each.run)
    yield finding(
        all(part in got for part in last),
        each.end,
        "no answer",
        expected=f"the answer, after the last request was answered: {show(last)}",
        got=show(got),
        also=[each.run.of(RequestPending)[0][0]],
    )


@rule(
    "ORC-27",
    needs=[*AS_AGENT, "workflows.requests"],
    each=run_as_agent,
    when=[asks_for_approval, ~raised],
    leaves_alone=[cut_off, faulty],
    also=[a_question_is_put, a_run_that_waited_goes_on, what_was_approved_is_done, the_run_ends_with_its_answer],
    aspects=["not asked", "raised", *APPROVED, "no answer"],
)
def as_an_agent_a_request_can_be_answered(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A pending request inside a workflow as an agent surfaces in the agent's response, and answering it resumes the same run.

    When all are answered the calls that were approved are done, no others, and the run ends with its answer.
    """
    asked, pending = approvals(each.run), each.run.of(RequestPending)
    tools, surfaced = {call.tool for _, _, call in asked}, [event.tool for _, event in pending]
    yield finding(
        tools <= set(surfaced),
        pending[0][0] if pending else each.end,
        "not asked",
        expected=f"requests for {', '.join(sorted(tools))} in the response",
        got=f"requests for {', '.join(map(str, surfaced)) or 'nothing'}",
        also=[asked[0][0]],
    )


@clause(
    each=later_run_on_thread,
    when=[of_the_later(succeeded), of_the_later(~shows_intermediates)],
    leaves_alone=[*map(of_the_later, (handoff, waited))],
)
def the_response_is_no_more_than_the_answer(execution: ExecutionView, each: LaterRun) -> Iterator[Finding]:
    """A later run on a thread, intermediates off, responds with nothing of earlier runs and nothing that was said on the way."""
    run, answer = each.itself.run, answer_of(execution, each.itself.run, each.itself.workflow)
    now, before = set(told(execution, run)), {text for other in each.earlier for text in told(execution, other.run)}
    more = sorted(((now | before) - set(texts(answer))) & set(texts(returned(execution, run))))
    yield finding(
        not more,
        each.itself.end,
        "work as answer" if now & set(more) else "earlier turn as answer",
        expected=f"no more than the answer of this run: {show(answer)}",
        got=f"also {quoted(more)}",
    )


@rule(
    "ORC-28",
    needs=[*AS_AGENT, "workflows.threads"],
    each=later_run_on_thread,
    when=[of_the_later(called_the_service), after_an_answer],
    also=[the_response_is_no_more_than_the_answer],
    aspects=["missing", "work as answer", "earlier turn as answer"],
)
def a_thread_keeps_the_conversation_of_a_workflow(execution: ExecutionView, each: LaterRun) -> Iterator[Finding]:
    """A thread given to a workflow as an agent keeps the conversation over two runs, without intermediate messages as answers.

    Kept: whoever is asked first in a later run hears the inputs and answers of the earlier ones, and of a sequence without
    intermediate outputs nothing that others said on the way.
    """
    done, call = _answered(execution, each), each.itself.run.calls[0]
    heard = heard_texts(execution, [*call.request.held, *call.request.messages])
    kept = [text for other in done for text in _kept(execution, other)]
    work = _work_of_others(execution, done, call.request.agent)
    missing = [text for text in kept if text not in heard]
    exposed = sorted(work.intersection(heard).difference(kept, each.itself.spec.say))
    yield finding(
        not missing and not exposed,
        call.at,
        "missing" if missing else "work as answer",
        expected=f"the conversation so far, and no work on it: {_listed(kept)}",
        got=f"a request without {_listed(missing)}, and with {_listed(exposed)} of that work",
        also=[done[-1].end],
    )


# --- what they compare ---


def _shown(execution: ExecutionView, each: WorkflowRun) -> tuple[list[Part], list[Part]]:
    """What the response of a workflow as an agent begins with, and the answer that it ends with."""
    if each.workflow.pattern == "handoff":
        return conversation(spells(execution, each.run)), []
    answer = answer_of(execution, each.run, each.workflow)
    return (_intermediates(execution, each, answer) if each.workflow.intermediate_outputs else []), answer


def _intermediates(execution: ExecutionView, each: WorkflowRun, answer: list[Part]) -> list[Part]:
    """What is shown of a workflow before its answer, but for the responses that the answer is made of."""
    if each.workflow.pattern == "custom":
        return [part for stage in each.workflow.stages for name in stage for part in _of_stage(execution, each, name)]
    if each.workflow.pattern == "concurrent" and each.workflow.aggregates is None:
        return []
    others = conversation(produced(execution, each.run))
    return others[: len(others) - len(answer)] if each.workflow.pattern == "sequential" else others


def _stages(execution: ExecutionView, each: WorkflowRun) -> list[list[str]]:
    """The texts of what is shown, one stage after another: of each, what everybody who works side by side says; then the answer."""
    first, answer = _shown(execution, each)
    shown = [[first]]
    if first and each.workflow.pattern in ("custom", "concurrent"):
        places = each.workflow.stages or (each.workflow.participants,)
        shown = [[_of_stage(execution, each, name) for name in stage] for stage in places]
    last = [answer] if each.workflow.pattern == "handoff" else _strands(execution, each, each.workflow)
    return [list(map(_text, stage)) for stage in (*shown, last)]


def _in_stages(execution: ExecutionView, each: WorkflowRun) -> Iterator[list[list[str]]]:
    """The texts in the orders in which updates may bring them."""
    yield _stages(execution, each)
    if each.workflow.pattern == "custom" and each.workflow.intermediate_outputs:
        yield [list(map(_text, stage)) for stage in _in_place(execution, each)]


def _in_place(execution: ExecutionView, each: WorkflowRun) -> list[list[list[Part]]]:
    """What is shown of an author's stages, where others still speak beside the executor that completes the run, or after it."""
    executors = {name: list(filter(None, (spec.completes, spec.again))) for name, spec in each.workflow.executors.items()}
    return [
        [[*_of_stage(execution, each, name), *(("assistant", text) for text in executors.get(name, ()))] for name in stage]
        for stage in each.workflow.stages
    ]


def _strands(execution: ExecutionView, each: WorkflowRun, workflow: WorkflowSpec) -> list[list[Part]]:
    """The answer of a workflow: what each participant says of whose responses it is made, or all of it."""
    if not answering(workflow):
        return [answer_of(execution, each.run, workflow)]
    children = execution.scenario.workflows
    made = (
        _strands(execution, each, children[name])
        if name in children and children[name].pattern != "handoff"
        else [response_of(execution, each.run, name)]
        for name in answering(workflow)
    )
    return [strand for strands in made for strand in strands]


def _text(said: Iterable[Part]) -> str:
    return "".join(part[1] for part in said if part[0] == "assistant")


def _of_stage(execution: ExecutionView, each: WorkflowRun, name: str) -> list[Part]:
    """What an executor or a participant of an author-written workflow outputs as intermediate."""
    if name in each.workflow.executors:
        return [("assistant", text) for text in each.workflow.executors[name].emits]
    return response_of(execution, each.run, name)


def _listed(found: Iterable[str]) -> str:
    return quoted(dict.fromkeys(found))


def _kept(execution: ExecutionView, each: WorkflowRun) -> list[str]:
    """What a thread keeps of a run: its input and its answer, as far as the response held it (ORC-23)."""
    response = response_of(execution, each.run, each.spec.workflow)
    return [*each.spec.say, *(texts(response) & texts(returned(execution, each.run)))]


def _work_of_others(execution: ExecutionView, runs: Sequence[WorkflowRun], agent: str) -> set[str]:
    """What others said on the way to the answers of runs, and a participant never did, which may remember its own words."""
    work = {text for each in runs for text in _work_before(execution, each, agent)}
    return work - {text for each in runs for text in _said_by(execution, each, agent)}


def _said_by(execution: ExecutionView, each: WorkflowRun, agent: str) -> list[str]:
    """What a participant said itself."""
    return [*texts(conversation([spell for spell in spells(execution, each.run) if spell.agent == agent]))]


def _work_before(execution: ExecutionView, each: WorkflowRun, agent: str) -> list[str]:
    """What others than a participant said in a sequence on the way to its answer."""
    last = answering(each.workflow)
    if each.workflow.pattern != "sequential" or each.workflow.intermediate_outputs or last[0] not in execution.scenario.agents:
        return []
    others = [spell for spell in spells(execution, each.run) if spell.agent not in (agent, *last)]
    return [*texts(conversation(others))]
