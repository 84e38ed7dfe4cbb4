"""Orchestration, nested workflows: a child completes itself only, and its requests suspend its parent (ORC-29 to ORC-31)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import Spell, answers, response_of, said, spells
from conformance.rules.orchestration.failures import faulty
from conformance.rules.orchestration.limits import limited
from conformance.rules.orchestration.outputs import SIGNAL, completed, exactly_one, heard_texts, said_inside, texts, told
from conformance.rules.orchestration.questions import APPROVED, approvals, as_approved, unasked
from conformance.rules.orchestration.structure import MANAGED, children, completes_once
from conformance.rules.orchestration.workflow_run import (
    WorkflowRun,
    completes,
    cut_off,
    direct_run,
    left_to_author,
    nests,
    succeeded,
    waited,
    workflow_run,
)
from conformance.rules.parts import how_they_differ
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import CallView
from conformance.rules.wording import quoted, show
from conformance.scenario.scenario import agents_in
from conformance.scenario.specs import WorkflowSpec
from conformance.trace.adapter_events import RequestPending

# --- what the rules of this section look at, and leave alone ---


@dataclass(frozen=True)
class ChildFollowed:
    """A child of a workflow, and the agents of one that comes right after it."""

    parent: WorkflowRun
    child: str
    after: tuple[str, ...]

    @property
    def calls(self) -> list[CallView]:
        """What those who come after it are asked."""
        return [view for view in self.parent.run.calls if view.request.agent in self.after]


@selection
def child_followed(execution: ExecutionView) -> Iterator[ChildFollowed]:
    """A child and who comes right after it, where that is surely somebody."""
    for parent in direct_run(execution):
        for here, after in pairwise(_places(parent)):
            yield from (
                ChildFollowed(parent, child, _agents(execution, name))
                for child in here
                if child in execution.scenario.workflows
                for name in after
            )


def _places(parent: WorkflowRun) -> Sequence[Sequence[str]]:
    """Who works after whom in a workflow, and who side by side."""
    if parent.workflow.pattern == "sequential":
        return [(name,) for name in parent.workflow.participants]
    return parent.workflow.stages


def _agents(execution: ExecutionView, name: str) -> tuple[str, ...]:
    """The agents of a participant: itself, or those of a child."""
    return (name,) if name in execution.scenario.agents else tuple(agents_in(execution.scenario, name))


def of_the_parent(asked: Condition[WorkflowRun]) -> Condition[ChildFollowed]:
    """The same condition, asked of the run of the parent."""
    return asked.of(lambda each: each.parent)


@condition
def asked_afterwards(_: ExecutionView, each: ChildFollowed) -> bool:
    """Somebody who comes after the child is asked."""
    return bool(each.calls)


@condition
def author_completes_the_child(execution: ExecutionView, each: ChildFollowed) -> bool:
    """The child is author-written, or holds one that is, and not exactly one executor completes it."""
    return not completes_once(execution.scenario, each.child)


@condition
def a_child_needs_approval(execution: ExecutionView, each: WorkflowRun) -> bool:
    """A participant of a child makes a call that needs approval."""
    return bool(_asked_in_children(execution, each))


@condition
def speaks_once(execution: ExecutionView, each: WorkflowRun) -> bool:
    """Somebody in the workflow is asked once, as no manager and no handoff says who speaks."""
    return bool(_places_of(execution, each.workflow))


def _places_of(execution: ExecutionView, workflow: WorkflowSpec) -> Counter[str]:
    """In how many places of a workflow and of its children an agent takes part that is asked once in each."""
    if workflow.pattern in ("handoff", *MANAGED):
        return Counter()
    inner = (_places_of(execution, execution.scenario.workflows[name]) for name in children(execution.scenario, workflow))
    return sum(inner, Counter(name for name in workflow.participants if name in execution.scenario.agents))


@condition
def several_children(execution: ExecutionView, each: WorkflowRun) -> bool:
    """The workflow has several children."""
    return len(children(execution.scenario, each.workflow)) > 1


# --- the rules ---


@clause(
    each=child_followed,
    when=[of_the_parent(succeeded), asked_afterwards],
    leaves_alone=[of_the_parent(faulty), of_the_parent(limited), author_completes_the_child],
)
def who_follows_gets_the_childs_answer(execution: ExecutionView, each: ChildFollowed) -> Iterator[Finding]:
    """Who comes after a child gets the child's answer once, and nothing else that was said in it."""
    run, request = each.parent.run, each.calls[0].request
    heard = heard_texts(execution, [*request.held, *request.messages])
    answer, inside = texts(response_of(execution, run, each.child)), said_inside(execution, run, each.child)
    elsewhere = (told(execution, run) - (inside | answer)) + _told_in_others(execution, each.parent)
    wrong = [text for text in (inside | answer) if text not in elsewhere and heard[text] != answer[text]]
    yield finding(
        not wrong,
        each.calls[0].at,
        _how_it_came_through(heard, answer, wrong),
        expected=f"a request with the answer of {each.child!r} once: {quoted(answer.elements())}",
        got=", ".join(f"{text!r} {heard[text]} times" for text in wrong),
    )


@rule(
    "ORC-29",
    needs=["workflows", "workflows.nested"],
    policies=SIGNAL,
    each=direct_run,
    when=[nests, succeeded, completes],
    leaves_alone=[left_to_author],
    also=[who_follows_gets_the_childs_answer],
    aspects=["several completions", "missing", "repeated", "leaked"],
)
def a_child_completes_itself_only(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A child's run-completed output completes the child only: the parent has one completion of its own.

    And who comes after the child gets the child's answer once, and nothing else that was said in it.
    """
    yield exactly_one(each.run, [at for at, _ in completed(each.run)])


@clause(each=workflow_run, leaves_alone=[faulty])
def a_childs_question_is_put(_: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A run does not come to its end without the question of an executor in a child."""
    silent = [name for name in unasked(each.run, each.spec.workflow) if name not in each.workflow.executors]
    if silent:
        expected = f"a parent that waits for the answer to {', '.join(silent)}"
        yield finding(False, each.end, "not asked", expected=expected, got="an end of the run without that request")


@clause(each=workflow_run, when=[a_child_needs_approval, succeeded, waited])
def the_answer_reaches_the_child(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """What was approved is done, what was rejected is not, and the parent goes on."""
    yield as_approved(execution, each.run)


@rule(
    "ORC-30",
    needs=["workflows", "workflows.nested", "workflows.requests"],
    policies=SIGNAL,
    each=workflow_run,
    when=[a_child_needs_approval],
    leaves_alone=[faulty, cut_off],
    also=[a_childs_question_is_put, the_answer_reaches_the_child],
    aspects=["not asked", "completed early", "raised", *APPROVED],
)
def a_childs_request_suspends_its_parent(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A child's pending request suspends the parent, and the answer is routed to the child.

    What was approved is done, what was rejected is not, and the parent goes on.
    """
    run, pending = each.run, each.run.of(RequestPending)
    early = [at for at, _ in completed(run)] if run.ending == "waiting" else []
    raised = [run.raised[0]] if run.raised else []
    yield finding(
        bool(pending) and not early and not raised,
        [*early, *raised, _asked_in_children(execution, each)[0]][0],
        "completed early" if early else "raised" if raised else "not asked",
        expected="a parent that waits for an answer",
        got=f"{len(pending)} requests, {len(early)} completions, the run {run.ending}",
    )


@clause(each=workflow_run, when=[several_children, succeeded, speaks_once])
def each_child_works_once(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """A child that completes once starts whoever comes after it once: nobody speaks twice."""
    places, again = _places_of(execution, each.workflow), list[Spell]()
    for spell in spells(execution, each.run):
        if spell.agent in places:
            places[spell.agent] -= 1
            again += [spell] if places[spell.agent] < 0 else []
    yield finding(
        not again,
        again[0].at if again else each.end,
        "several completions",
        expected="everybody in the children at work once",
        got=f"again at work: {', '.join(spell.agent for spell in again)}",
    )


@clause(each=direct_run, when=[several_children, succeeded], leaves_alone=[faulty, left_to_author, limited])
def children_lead_to_the_answer(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """The answer of a parent is made of what each of its children answered."""
    forms = answers(execution, each.run, each.workflow)
    for at, output in completed(each.run):
        got = said(execution, output.messages)
        yield finding(
            got in forms,
            at,
            how_they_differ(got, forms[0]),
            expected=f"the answer that the children lead to: {show(forms[0])}",
            got=show(got),
        )


@rule(
    "ORC-31",
    needs=["workflows", "workflows.nested"],
    policies=SIGNAL,
    each=workflow_run,
    when=[several_children, succeeded],
    also=[each_child_works_once, children_lead_to_the_answer],
    aspects=["overheard", "several completions", "missing", "repeated", "foreign", "order"],
)
def two_children_do_not_mix(execution: ExecutionView, each: WorkflowRun) -> Iterator[Finding]:
    """Two children in one parent, one after another or side by side: each completes once, no mixing.

    So nobody in a child speaks twice, where no manager and no handoff says who speaks. The parent's answer is made of what each
    child answered, and nobody in one child hears what was said in the other beyond its answer; side by side not even that.
    """
    both_ways = permutations(children(execution.scenario, each.workflow), 2)
    leaks = [leak for child, other in both_ways for leak in _overheard(execution, each, child, other)]
    yield finding(
        not leaks,
        leaks[0].call.at if leaks else each.run.at,
        "overheard",
        expected="children that hear of each other no more than an answer",
        got=", ".join(f"{leak.call.request.agent} hears {leak.text!r}" for leak in leaks),
    )


# --- what they compare ---


def _how_it_came_through(heard: Counter[str], answer: Counter[str], wrong: Sequence[str]) -> str:
    """The aspect in which a child's answer reached who comes after it, where some texts are wrong."""
    if any(heard[text] < answer[text] for text in wrong):
        return "missing"
    return "repeated" if any(text in answer for text in wrong) else "leaked"


@dataclass(frozen=True)
class Leak:
    """A participant hears a text from inside of another child than its own."""

    call: CallView
    text: str


def _overheard(execution: ExecutionView, each: WorkflowRun, child: str, other: str) -> Iterator[Leak]:
    """What participants of a child hear from inside of another one."""
    members = agents_in(execution.scenario, child)
    if set(members) & set(agents_in(execution.scenario, other)):
        return
    inside = said_inside(execution, each.run, other)
    known = (told(execution, each.run) - inside) + _told_in_others(execution, each)
    if not _side_by_side(each, child, other):
        known += texts(response_of(execution, each.run, other))
    for view in each.run.calls:
        if view.request.agent in members:
            heard = heard_texts(execution, view.request.messages)
            yield from (Leak(view, text) for text in heard if text in inside and text not in known)


def _side_by_side(each: WorkflowRun, child: str, other: str) -> bool:
    return each.workflow.pattern == "concurrent" or any(child in stage and other in stage for stage in each.workflow.stages)


def _told_in_others(execution: ExecutionView, each: WorkflowRun) -> Counter[str]:
    """The texts of all other runs: who hears one of them may have it from there."""
    others = (other.run for other in workflow_run(execution) if other.run is not each.run)
    return Counter(text for other in others for text in told(execution, other))


def _asked_in_children(execution: ExecutionView, each: WorkflowRun) -> list[int]:
    """Where participants of children make calls that need approval."""
    inside = {agent for child in children(execution.scenario, each.workflow) for agent in agents_in(execution.scenario, child)}
    return [at for at, agent, _ in approvals(each.run) if agent in inside]
