"""Orchestration, threads: what participants hear of other runs and of each other, and a stream that was left (ORC-35 to ORC-38)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import Spell, spells
from conformance.rules.orchestration.failures import faulty
from conformance.rules.orchestration.later_run import LaterRun, later_run_as_agent, leaked_at, of_the_later, run_again
from conformance.rules.orchestration.outputs import SIGNAL, final_events, heard_texts, told
from conformance.rules.orchestration.workflow_run import (
    WorkflowRun,
    called_the_service,
    cut_off,
    left_to_author,
    workflow_run,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import CallView
from conformance.rules.wording import quoted, show
from conformance.scenario.scenario import workflows_in
from conformance.trace.adapter_events import Chunk
from conformance.trace.messages import Part

_ABOUT_RUNS = re.compile(r"\brun|progress|abandon|busy|restart|state|cancel", re.I)

# --- what the rules of this section look at, and leave alone ---


@condition
def after_an_abandoned_one(_: ExecutionView, each: LaterRun) -> bool:
    """The consumer of an earlier run of the workflow left its stream."""
    return any(other.run.ending == "abandoned" for other in each.earlier)


@dataclass(frozen=True)
class TakeOver:
    """A participant of a handoff begins to speak after others. before: what was said until then. call: its first request."""

    each: WorkflowRun
    before: tuple[Spell, ...]
    call: CallView

    @property
    def own_handoffs(self) -> list[str]:
        """The calls by which it handed over before."""
        return [spell.handoff for spell in self.before if spell.agent == self.call.request.agent and spell.handoff]


@selection
def take_over(execution: ExecutionView) -> Iterator[TakeOver]:
    """The request with which a participant of a handoff takes over, or gets control back."""
    for each in workflow_run(execution):
        spoken = spells(execution, each.run) if each.workflow.pattern == "handoff" else []
        for place, spell in enumerate(spoken[1:], 1):
            since = max(other.at for other in spoken[:place])
            asked = [view for view in each.run.calls if view.request.agent == spell.agent and view.at > since]
            yield from (TakeOver(each, tuple(spoken[:place]), view) for view in asked[:1])


@dataclass(frozen=True)
class ParticipantRequest:
    """A request to an agent on a storing service in a run of a workflow, and the one before it, where there is one."""

    each: WorkflowRun
    call: CallView
    previous: CallView | None


@selection
def request_to_storing_service(execution: ExecutionView) -> Iterator[ParticipantRequest]:
    """A request to an agent on a storing service in a run of a workflow."""
    for each in workflow_run(execution):
        latest: dict[str, CallView] = {}
        for view in each.run.calls:
            agent = view.request.agent
            if execution.scenario.agents[agent].service.keeps != "nothing":
                yield ParticipantRequest(each, view, latest.get(agent))
                latest[agent] = view


def of_its_run(asked: Condition[WorkflowRun]) -> Condition[ParticipantRequest]:
    """The same condition, asked of a request's run."""
    return asked.of(lambda request: request.each)


@condition
def names_an_id(_: ExecutionView, request: ParticipantRequest) -> bool:
    """The request names a conversation."""
    return request.call.request.conversation_id is not None


@condition
def first_of_its_participant(_: ExecutionView, request: ParticipantRequest) -> bool:
    """The request is the first one to its agent in the run."""
    return request.previous is None


@condition
def of_a_child(_: ExecutionView, request: ParticipantRequest) -> bool:
    """The agent takes part in a child of the workflow, which may begin anew."""
    return request.call.request.agent not in request.each.workflow.participants


@condition
def may_begin_anew(_: ExecutionView, each: WorkflowRun) -> bool:
    """The workflow forgets what was said when it sees no progress."""
    return each.workflow.max_stalls is not None


# --- the rules ---


@rule(
    "ORC-35",
    needs=["workflows", "workflows.as_agent"],
    each=later_run_as_agent,
    when=[of_the_later(called_the_service)],
    aspects=["another thread", "repeated"],
)
def participants_hear_one_thread(execution: ExecutionView, each: LaterRun) -> Iterator[Finding]:
    """A workflow as an agent isolates threads: participants never see messages of another thread, also without threads across runs.

    On one thread each earlier turn reaches a participant once.
    """
    others, again = _of_other_threads(execution, each), _too_often(execution, each)
    wrong = [*others, *again]
    yield finding(
        not wrong,
        min((view.at for view, _ in wrong), default=each.itself.run.calls[0].at),
        "another thread" if others else "repeated",
        expected="a request with each turn of its own thread once, and none of another",
        got="; ".join(f"{view.request.agent} hears {what}" for view, what in wrong[:4]),
        also=[each.earlier[-1].run.at],
    )


@rule(
    "ORC-36",
    needs=["workflows.handoff"],
    each=take_over,
    aspects=["empty", "missing", "own handoff"],
)
def who_takes_over_knows_the_conversation(execution: ExecutionView, taken: TakeOver) -> Iterator[Finding]:
    """Handoff: the agent that takes over gets the conversation and never an empty input.

    An agent that gets control back sees its own handoff call with exactly one result. The conversation: the run's input and what
    the others said before.
    """
    request = taken.call.request
    heard = execution.heard([*request.held, *request.messages])
    words = heard_texts(execution, [*request.held, *request.messages])
    missing = [text for text in dict.fromkeys((*taken.each.spec.say, *_words(taken.before))) if text not in words]
    wrong = [id for id in taken.own_handoffs if not _once(heard, id)]
    yield finding(
        bool(request.messages) and not missing and not wrong,
        taken.call.at,
        "empty" if not request.messages else "missing" if missing else "own handoff",
        expected=f"the conversation, with each of its own {len(taken.own_handoffs)} handoffs and one result",
        got=f"a request without {quoted(missing)}: {show(heard)}",
    )


@clause(
    each=request_to_storing_service,
    when=[~names_an_id, ~first_of_its_participant],
    leaves_alone=[of_a_child, of_its_run(may_begin_anew)],
)
def without_an_id_everything_is_sent(execution: ExecutionView, request: ParticipantRequest) -> Iterator[Finding]:
    """A participant on a storing service is sent everything where no conversation is named: what it heard and said before."""
    assert request.previous is not None
    before, now = request.previous.request, request.call.request
    sent = Counter(execution.heard(now.messages))
    known = Counter(execution.heard([*before.messages, *before.held]))
    lost = [part for part in known if part not in sent and part[0] != "system" and part != ("assistant", "")]
    yield finding(
        not lost,
        request.call.at,
        "missing",
        expected="everything, as no conversation id is named",
        got=f"a request without {show(lost)}",
        also=[request.previous.at],
    )


@rule(
    "ORC-37",
    needs=["workflows"],
    each=request_to_storing_service,
    when=[names_an_id],
    also=[without_an_id_everything_is_sent],
    aspects=["repeated", "missing"],
)
def participants_are_sent_new_messages_or_all(execution: ExecutionView, request: ParticipantRequest) -> Iterator[Finding]:
    """A participant on a storing service is sent new messages plus its id, or everything without an id; never both.

    Everything: what the participant itself was sent and said before in the run. The manager of Magentic may set
    the task again.
    """
    sent = Counter(execution.heard(request.call.request.messages))
    held = Counter(execution.heard(request.call.request.held))
    known = (part for part in sent if part in held and not _set_again(execution, request.each, part))
    twice = [part for part in known if sent[part] + held[part] > _occurrences(execution, request.each, part)]
    yield finding(
        not twice,
        request.call.at,
        "repeated",
        expected="new messages beside the conversation id",
        got=f"also what the service has: {show(twice)}",
    )


@rule(
    "ORC-38",
    needs=["workflows", "runs.streaming"],
    policies=SIGNAL,
    each=run_again,
    when=[after_an_abandoned_one],
    leaves_alone=[of_the_later(faulty), of_the_later(left_to_author), of_the_later(cut_off)],
    aspects=["leaked", "unclear error", "no completion"],
)
def an_abandoned_workflow_can_be_used_again(execution: ExecutionView, each: LaterRun) -> Iterator[Finding]:
    """A consumer that abandons a workflow's stream can use the workflow again, or is told clearly that it cannot.

    Told: an error that speaks of runs or of the workflow's state.
    """
    run, found = each.itself.run, final_events(each.itself.run, each.itself.spec)
    leaked = leaked_at(execution, each)
    yield finding(
        _told_clearly(each.itself) if run.raised else not leaked and (run.ending == "waiting" or _is_shown(each.itself)),
        [*leaked, run.raised[0] if run.raised else each.itself.end][0],
        "leaked" if leaked else "unclear error" if run.raised else "no completion",
        expected="a run with a completion of its own, or an error that tells of the earlier one",
        got=f"{len(run.calls)} service calls, {len(found)} completions, {len(leaked)} with texts of the abandoned run",
        also=[each.earlier[-1].end],
    )


# --- what they compare ---


def _of_other_threads(execution: ExecutionView, each: LaterRun) -> list[tuple[CallView, str]]:
    """What participants hear that was said on other threads only."""
    here = set(told(execution, each.itself.run)) | set(_turns(execution, each))
    foreign = {text for other in each.earlier for text in told(execution, other.run)} - here
    heard = _heard_by_each(execution, each.itself)
    return [(view, f"{text!r} of another thread") for view, texts in heard for text in texts if text in foreign]


def _too_often(execution: ExecutionView, each: LaterRun) -> list[tuple[CallView, str]]:
    """Earlier turns of the thread that participants hear more often than they were said; the run itself may say them again."""
    turns, now = _turns(execution, each), told(execution, each.itself.run)
    heard = [(view, text, count) for view, texts in _heard_by_each(execution, each.itself) for text, count in texts.items()]
    return [(view, f"{text!r} {count} times") for view, text, count in heard if text not in now and count > turns[text] > 0]


def _turns(execution: ExecutionView, each: LaterRun) -> Counter[str]:
    """How often each text was said in the earlier runs on the thread."""
    thread = each.itself.spec.thread
    own = [other.run for other in each.earlier if thread is not None and other.spec.thread == thread]
    return Counter(text for run in own for text in told(execution, run).elements())


def _heard_by_each(execution: ExecutionView, each: WorkflowRun) -> list[tuple[CallView, Counter[str]]]:
    """The texts of every request of a run, with what the service has."""
    return [(view, heard_texts(execution, [*view.request.held, *view.request.messages])) for view in each.run.calls]


def _words(spoken: Iterable[Spell]) -> list[str]:
    """The texts that were said, but empty ones."""
    return [part[1] for spell in spoken for part in spell.said if part[0] == "assistant" and part[1]]


def _once(heard: list[Part], id: str) -> bool:
    """Whether a call and its result stand there once each."""
    calls = [part for part in heard if part[0] == "call" and part[1] == id]
    results = [part for part in heard if part[0] == "result" and part[1] == id]
    return len(calls) == 1 and len(results) == 1


def _occurrences(execution: ExecutionView, each: WorkflowRun, part: Part) -> int:
    """How often a part occurred in a run and in those before it that it may go on from."""
    if part[0] not in ("user", "assistant"):
        return 1
    runs = [other for other in workflow_run(execution) if other.run is each.run or _may_go_on(each, other)]
    return sum(told(execution, other.run)[part[1]] for other in runs if other.run.at <= each.run.at)


def _may_go_on(each: WorkflowRun, other: WorkflowRun) -> bool:
    """Whether a run may go on from an earlier one: as an agent on one thread; by itself a workflow may remember every run."""
    one, its = each.spec, other.spec
    return (
        one.workflow == its.workflow and one.as_agent == its.as_agent and (not one.as_agent or one.thread == its.thread is not None)
    )


def _set_again(execution: ExecutionView, each: WorkflowRun, part: Part) -> bool:
    """Whether a part is the task of a Magentic run."""
    workflows = (execution.scenario.workflows[name] for name in workflows_in(execution.scenario, each.spec.workflow))
    return part[1] in each.spec.say and any(workflow.pattern == "magentic" for workflow in workflows)


def _told_clearly(each: WorkflowRun) -> bool:
    """Whether an error, and nothing beside it, tells of an earlier run."""
    run = each.run
    return run.raised is not None and bool(_ABOUT_RUNS.search(run.raised[1].text)) and not final_events(run, each.spec)


def _is_shown(each: WorkflowRun) -> bool:
    """Whether a run came to its own end and its consumer saw an answer."""
    return each.run.succeeded and bool(final_events(each.run, each.spec) or each.run.of(Chunk))
