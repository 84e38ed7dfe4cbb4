"""Orchestration, participation: everyone who is due is asked, and hears what there is to hear (ORC-39, ORC-41)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration import failures, workflow_run
from conformance.rules.orchestration.due import Texts, calls_before, calls_in, due, place_of, says_what_is_due, silent_before
from conformance.rules.orchestration.expected import course_of, ended_by, spells
from conformance.rules.orchestration.hearing import Hearing, heard, hearing, in_its_own_mouth, said_elsewhere
from conformance.rules.orchestration.limits import limited
from conformance.rules.orchestration.structure import MANAGED, children, inside
from conformance.rules.orchestration.workflow_run import WorkflowRun
from conformance.rules.parts import within
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.wording import quoted
from conformance.scenario.scenario import agents_in
from conformance.scenario.specs import ManagerSpec, WorkflowSpec
from conformance.vocabulary import Pattern

# --- what the rules of this section look at ---


@dataclass(frozen=True)
class Casting:
    """A workflow that is due in a run so many times: the one that was run, or a child."""

    each: WorkflowRun
    workflow: WorkflowSpec
    times: int


@selection
def casting(execution: ExecutionView) -> Iterator[Casting]:
    """A workflow that is run, or a child that is due in its run."""
    for each in workflow_run.workflow_run(execution):
        times = Counter(_workflows_due(execution, each, each.spec.workflow))
        yield from (Casting(each, execution.scenario.workflows[name], many) for name, many in times.items())


def _workflows_due(execution: ExecutionView, each: WorkflowRun, name: str) -> Iterator[str]:
    """A workflow and the children that are due in it, each as often as it is due."""
    yield name
    for inner in _due(each.spec.manager, execution.scenario.workflows[name]):
        if inner in execution.scenario.workflows:
            yield from _workflows_due(execution, each, inner)


def _due(manager: ManagerSpec, workflow: WorkflowSpec) -> Sequence[str]:
    """The participants that are surely asked in a run of a workflow; in the order in which they are, where there is one."""
    match workflow.pattern:
        case "sequential" | "concurrent":
            return workflow.participants
        case "handoff":
            return workflow.participants[:1]
        case "group_chat" | "magentic":
            return course_of(manager, workflow)[0]
        case "custom":
            return [name for stage in workflow.stages for name in stage if name in workflow.participants]


def of_the_run(asked: Condition[WorkflowRun]) -> Condition[Casting]:
    """The same condition, asked of the run."""
    return asked.of(lambda casting: casting.each)


def of_pattern(*patterns: Pattern) -> Condition[Casting]:
    """The condition that the workflow is of one of these patterns."""
    told = " or ".join(pattern.replace("_", " ") for pattern in patterns)
    return Condition(told, f"the workflow's pattern is {told}", lambda _, casting: casting.workflow.pattern in patterns)


succeeded, faulty = of_the_run(workflow_run.succeeded), of_the_run(failures.faulty)


@condition
def shares_agents(execution: ExecutionView, each: WorkflowRun) -> bool:
    """An agent takes part in the run in two places: nobody can tell in which it was asked."""
    held = inside(execution.scenario, each.spec.workflow)
    members = Counter(name for workflow in held for name in dict.fromkeys(workflow.participants))
    return max(members.values(), default=0) > 1


@condition
def managers_share_a_script(execution: ExecutionView, casting: Casting) -> bool:
    """Several workflows of the run have a manager, or one is due several times: who picks what of the one script is open."""
    held = inside(execution.scenario, casting.each.spec.workflow)
    return sum(workflow.pattern in MANAGED for workflow in held) > 1 or (casting.workflow.pattern in MANAGED and casting.times > 1)


@condition
def out_of_resets(_: ExecutionView, casting: Casting) -> bool:
    """As many resets happened as are allowed: whether the next one or this one ends the run is open (ORC-18)."""
    return casting.workflow.max_resets is not None and ended_by(casting.each.spec.manager, casting.workflow) == "either"


@condition
def child_that_may_fail(execution: ExecutionView, casting: Casting) -> bool:
    """The workflow is a child, something in the run fails, and a concurrent parent may answer without it."""
    child = casting.workflow != casting.each.workflow
    return child and execution.policies.failing_participant != "fails" and failures.faulty(execution, casting.each)


def of_its_run(asked: Condition[WorkflowRun]) -> Condition[Hearing]:
    """The same condition, asked of a request's run."""
    return asked.of(lambda it: it.each)


@condition
def due_is_declared(execution: ExecutionView, it: Hearing) -> bool:
    """It is said what the participant is due: by the pattern of its workflow, or by what is declared of it."""
    where = place_of(execution.scenario, it.each.spec.workflow, it.agent)
    return all(says_what_is_due(execution.policies, workflow) for workflow, _ in where)


@condition
def child_left_out(execution: ExecutionView, it: Hearing) -> bool:
    """Something in the run fails, and a concurrent child may answer without it."""
    nested = workflow_run.nests(execution, it.each)
    return nested and execution.policies.failing_participant != "fails" and failures.faulty(execution, it.each)


@condition
def child_with_a_limit(execution: ExecutionView, it: Hearing) -> bool:
    """A limit ends a child, or may: what it answers then is not said."""
    return workflow_run.nests(execution, it.each) and limited(execution, it.each)


@condition
def child_picked_again(execution: ExecutionView, it: Hearing) -> bool:
    """A manager picks a child several times: nobody can tell which of its answers is which."""
    picks = Counter(it.each.spec.manager.picks)
    return any(picks[name] > 1 for name in execution.scenario.workflows)


@condition
def silent_child(execution: ExecutionView, it: Hearing) -> bool:
    """Nobody is asked in a child that may have answered before: nobody can tell when."""
    return silent_before(execution, it.each, it.turn)


UNSURE = (of_the_run(shares_agents), managers_share_a_script)
"""Where nobody can tell who was asked for whom."""


# --- who was asked ---


def _asked(execution: ExecutionView, casting: Casting) -> list[str]:
    """The participants that were asked, in the order in which they began; a child once for all that its agents said in a row."""
    inner = children(execution.scenario, casting.workflow)
    known = {agent: name for name in inner for agent in agents_in(execution.scenario, name)}
    known |= {name: name for name in casting.workflow.participants if name not in inner}
    names = [known[spell.agent] for spell in spells(execution, casting.each.run) if spell.agent in known]
    return [name for name, turns in groupby(names) for _ in ([name] if name in inner else turns)]


def _seen(execution: ExecutionView, casting: Casting) -> list[str]:
    """Of those who are due who can be seen; a child once where it is due several times in a row."""
    inner = children(execution.scenario, casting.workflow)
    due = [*_due(casting.each.spec.manager, casting.workflow)] * casting.times
    speaking = [name for name in due if _speaks(execution, casting, name)]
    return [name for name, turns in groupby(speaking) for _ in ([name] if name in inner else turns)]


def _speaks(execution: ExecutionView, casting: Casting, name: str) -> bool:
    """Whether it can be seen that a participant is asked: it is an agent, or a child in which one is asked."""
    child = execution.scenario.workflows.get(name)
    return child is None or any(_speaks(execution, casting, inner) for inner in _due(casting.each.spec.manager, child))


def _in_order(execution: ExecutionView, casting: Casting) -> Finding:
    asked, wanted = _asked(execution, casting), _seen(execution, casting)
    missing, undue = Counter(wanted) - Counter(asked), Counter(asked) - Counter(wanted)
    return finding(
        asked == wanted,
        casting.each.run.at,
        "not asked" if missing else "not due" if undue else "order",
        expected=f"asked, one after another: {quoted(wanted)}",
        got=f"asked: {quoted(asked) or 'nobody'}",
        also=[casting.each.end],
    )


# --- the rules ---


@clause(each=casting, when=[of_pattern("concurrent"), succeeded], leaves_alone=[faulty, *UNSURE])
def _everyone_at_once(execution: ExecutionView, casting: Casting) -> Iterator[Finding]:
    """Concurrent: everyone is asked."""
    asked, wanted = set(_asked(execution, casting)), _seen(execution, casting)
    missing = [name for name in wanted if name not in asked]
    yield finding(
        not missing,
        casting.each.run.at,
        "not asked",
        expected=f"asked, in whatever order: {quoted(wanted)}",
        got=f"not asked: {quoted(missing)}",
        also=[casting.each.end],
    )


@clause(
    each=casting, when=[of_pattern("group_chat", "magentic"), succeeded], leaves_alone=[*UNSURE, out_of_resets, child_that_may_fail]
)
def _whoever_is_picked(execution: ExecutionView, casting: Casting) -> Iterator[Finding]:
    """Group chat and Magentic: whoever is picked is asked."""
    yield _in_order(execution, casting)


@rule(
    "ORC-39",
    needs=["workflows"],
    each=casting,
    when=[of_pattern("sequential"), succeeded],
    leaves_alone=[faulty, *UNSURE],
    also=[_everyone_at_once, _whoever_is_picked],
    aspects=["not asked", "not due", "order"],
    edition=2,
)
def everyone_who_is_due_is_asked(execution: ExecutionView, casting: Casting) -> Iterator[Finding]:
    """In a run that completes everyone who is due is asked: all of a sequence or a concurrent run, and whoever the manager picks.

    Those of a sequence in its order; those who are picked in the order of the picks, within the limits. A participant that is a
    workflow is asked where its agents are.
    """
    yield _in_order(execution, casting)


# --- what they hear ---


@clause(
    each=hearing,
    when=[due_is_declared],
    leaves_alone=[
        of_its_run(shares_agents),
        of_its_run(workflow_run.left_to_author),
        child_left_out,
        child_with_a_limit,
        child_picked_again,
        silent_child,
    ],
)
def _all_that_is_due(execution: ExecutionView, it: Hearing) -> Iterator[Finding]:
    """What is due is heard, all of it, once and in order; and the participant's own earlier calls."""
    got, said = heard(execution, it), it.turn.said(before=it.call.at)
    forms = [[*form, *said] for form in due(execution, it.each, it.turn)]
    known = said_elsewhere(execution, it)
    how = min((_how_heard_otherwise(got, form, known) for form in forms), key=bool)
    lost = [id for id in calls_before(execution, it.each, it.turn) if not _calls(it)[id]]
    yield finding(
        not how and not lost,
        it.call.at,
        how or "calls",
        expected=f"a request to {it.agent} with {quoted(forms[0])}, and with its earlier calls",
        got=f"{quoted(got)}, without the calls {quoted(lost)}",
        also=[it.turn.at],
    )


@rule(
    "ORC-41",
    needs=["workflows"],
    each=hearing,
    also=[_all_that_is_due],
    aspects=["nothing", "own words", "calls", "missing", "not due", "twice", "order"],
    edition=2,
)
def participants_hear_what_is_due(execution: ExecutionView, it: Hearing) -> Iterator[Finding]:
    """What a participant is sent is the input and every earlier response that it is due, each once and in order.

    Whatever role, name or frame they are given. Due is, in a group chat, every earlier response of the run; in a sequence these or
    the last one alone, as declared; in a concurrent run none. A request is never empty, what others said never stands there as the
    participant's own words, and each call that stands there has one result: its own ones of this turn all do.
    """
    nothing = not execution.spoken(it.call.request.messages, execution.scenario.agents[it.agent])
    mistaken, wrong = in_its_own_mouth(execution, it), _unpaired(execution, it)
    yield finding(
        not nothing and not mistaken and not wrong,
        it.call.at,
        "nothing" if nothing else "own words" if mistaken else "calls",
        expected="a request that holds something, what others said as theirs, and each call with one result",
        got=f"to {it.agent}: {len(it.call.request.messages)} messages; as its own {quoted(mistaken)}; not in pairs {quoted(wrong)}",
        also=[it.turn.at],
    )


def _how_heard_otherwise(got: Texts, form: Texts, known: Collection[str]) -> str:
    """The aspect in which what is heard is not what is due; "" where it is. known: of other runs, which may be remembered."""
    if Counter(form) - Counter(got):
        return "missing"
    if extra := [text for text in Counter(got) - Counter(form) if text not in known]:
        return "twice" if set(extra) <= set(form) else "not due"
    return "" if within([(text,) for text in form], [(text,) for text in got]) else "order"


def _calls(it: Hearing) -> Counter[str]:
    return Counter(call.id for message in it.messages for call in message.calls)


def _unpaired(execution: ExecutionView, it: Hearing) -> list[str]:
    """The calls of the run that do not stand once in a request, with one result: of the turn's own every one does."""
    calls, results = _calls(it), Counter(result.id for message in it.messages for result in message.results)
    own = Counter(calls_in(view for view in it.turn.calls if view.at < it.call.at))
    # ids may come back in another run, which a participant may remember
    once = [call.id for _, _, call in it.each.run.asked_for if execution.asked_for[call.id] == 1]
    return [id for id in once if calls[id] != results[id] or not own[id] <= calls[id] <= 1]
