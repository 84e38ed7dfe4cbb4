"""Rules on workflows inside of workflows: a child completes itself only, and its requests are its parent's to wait for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import answers, response_of, said
from conformance.rules.orchestration.outputs import SIGNAL, completed, exactly_one, heard_texts, said_inside, texts, told
from conformance.rules.orchestration.runs import (
    approvals,
    as_answered,
    children,
    cut_off,
    direct,
    faulty,
    left_to_author,
    limited,
    nests,
    played,
    unasked,
)
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import show
from conformance.scenario.scenario import agents_in
from conformance.scenario.specs import WorkflowSpec
from conformance.trace.adapter_events import RequestPending


@rule("ORC-29", needs=["workflows", "workflows.nested"], policies=SIGNAL)
def a_child_completes_itself_only(execution: ExecutionView) -> Iterator[Finding]:
    """A child's run-completed output completes the child only: the parent has one completion of its own.

    And who comes after the child gets the child's answer once, and nothing else that was said in it. Leaves alone: that there is a
    completion (ORC-01), texts that were also said elsewhere, and author-written workflows in which not exactly one executor
    completes.
    """
    for run, spec, workflow in direct(execution):
        if (
            not nests(execution.scenario, workflow)
            or not run.succeeded
            or faulty(execution, run)
            or left_to_author(execution.scenario, spec.workflow)
            or limited(execution.scenario, spec)
        ):
            continue
        if completed(run):
            yield exactly_one(run, [at for at, _ in completed(run)])
        for child, after in _followed(execution, workflow):
            calls = [view for view in run.calls if view.request.agent in after]
            if not calls:
                continue
            heard = heard_texts(execution, [*calls[0].request.held, *calls[0].request.messages])
            answer = texts(response_of(execution, run, child))
            inside = said_inside(execution, run, child)
            elsewhere = told(execution, run) - (inside | answer)
            elsewhere += Counter(text for other, _, _ in played(execution) if other is not run for text in told(execution, other))
            lost = [text for text, count in answer.items() if heard[text] != count and text not in elsewhere]
            more = [text for text in inside if text not in answer and text not in elsewhere and text in heard]
            yield finding(
                not lost and not more,
                calls[0].at,
                expected=f"a request with the answer of {child!r} once: {', '.join(answer.elements())}",
                got=f"{', '.join(f'{text} {heard[text]} times' for text in (*lost, *more))}",
            )


@rule("ORC-30", needs=["workflows", "workflows.nested", "workflows.requests"], policies=SIGNAL)
def a_childs_request_suspends_its_parent(execution: ExecutionView) -> Iterator[Finding]:
    """A child's pending request suspends the parent, and the answer is routed to the child.

    What was approved is done, what was rejected is not, and the parent goes on. Leaves alone: who reports the request.
    """
    for run, spec, workflow in played(execution):
        inside = [agent for child in children(execution.scenario, workflow) for agent in agents_in(execution.scenario, child)]
        asked = [at for at, agent, _ in approvals(run) if agent in inside]
        own = workflow.executors
        silent = [name for name in unasked(execution, run, spec.workflow) if name not in own]
        if faulty(execution, run) or cut_off(run) or left_to_author(execution.scenario, spec.workflow):
            continue
        if silent:
            yield finding(
                False,
                run.events[-1][0],
                expected=f"a parent that waits for the answer to {', '.join(silent)}",
                got="an end of the run without that request",
            )
        if not asked:
            continue
        pending = run.of(RequestPending)
        early = [at for at, _ in completed(run)] if run.ending == "waiting" else []
        yield finding(
            bool(pending) and not early and run.raised is None,
            early[0] if early else run.raised[0] if run.raised else asked[0],
            expected="a parent that waits for an answer",
            got=f"{len(pending)} requests, {len(early)} completions, the run {run.ending}",
        )
        if not run.succeeded or not pending:
            continue
        yield as_answered(execution, run)


@rule("ORC-31", needs=["workflows", "workflows.nested"], policies=SIGNAL)
def two_children_do_not_mix(execution: ExecutionView) -> Iterator[Finding]:
    """Two children in one parent, one after another or side by side: each completes once, no mixing.

    The parent's answer is made of what each of them answered, and nobody in one child hears what was said in the other beyond its
    answer; side by side not even that. Leaves alone: texts that were also said elsewhere.
    """
    for run, spec, workflow in played(execution):
        found = children(execution.scenario, workflow)
        if (
            len(found) < 2
            or not run.succeeded
            or faulty(execution, run)
            or left_to_author(execution.scenario, spec.workflow)
            or limited(execution.scenario, spec)
        ):
            continue
        leaks = [
            leak
            for child in found
            for other in found
            if child != other
            for leak in _overheard(execution, run, workflow, child, other)
        ]
        yield finding(
            not leaks,
            leaks[0][0] if leaks else run.at,
            expected="children that hear of each other no more than an answer",
            got=", ".join(f"{agent} hears {text!r}" for _, agent, text in leaks),
        )
        if spec.as_agent or workflow.pattern == "handoff":
            continue
        for at, output in completed(run):
            yield finding(
                said(execution, output.messages) in answers(execution, run, workflow),
                at,
                expected=f"the answer that the children lead to: {show(answers(execution, run, workflow)[0])}",
                got=show(said(execution, output.messages)),
            )


def _followed(execution: ExecutionView, workflow: WorkflowSpec) -> Iterator[tuple[str, list[str]]]:
    """Each child with the agents of whoever comes right after it, where that is surely somebody."""
    places: Sequence[Sequence[str]] = ()
    if workflow.pattern == "sequential":
        places = [(name,) for name in workflow.participants]
    elif workflow.pattern == "custom":
        places = workflow.stages
    for here, after in pairwise(places):
        for child in here:
            if child in execution.scenario.workflows and not left_to_author(execution.scenario, child):
                for name in after:
                    yield child, [name] if name in execution.scenario.agents else agents_in(execution.scenario, name)


def _overheard(
    execution: ExecutionView, run: RunView, workflow: WorkflowSpec, child: str, other: str
) -> Iterator[tuple[int, str, str]]:
    """What participants of a child hear from inside of another one: where in the trace, who, and which text."""
    scenario = run.scenario
    members = agents_in(scenario, child)
    if set(members) & set(agents_in(scenario, other)):
        return
    inside = said_inside(execution, run, other)
    beside = workflow.pattern == "concurrent" or any(child in stage and other in stage for stage in workflow.stages)
    known = told(execution, run) - inside
    known += Counter(text for other, _, _ in played(execution) if other is not run for text in told(execution, other))
    if not beside:
        known += texts(response_of(execution, run, other))
    for view in run.calls:
        if view.request.agent in members:
            for text in heard_texts(execution, view.request.messages):
                if text in inside and text not in known:
                    yield view.at, view.request.agent, text
