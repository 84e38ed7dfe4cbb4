"""Runs of workflows, and what the script makes of them: whether they fail, wait, are limited, or are run again."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import completing, ended_by, staged
from conformance.rules.rule import Finding, finding
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import Respond, RunWorkflow, Scenario, workflows_in
from conformance.scenario.specs import WorkflowSpec
from conformance.trace.adapter_events import RequestPending
from conformance.trace.harness_events import Abandoned, ServiceFailed, ServiceReplied, ToolCalled
from conformance.trace.messages import Call

Played = tuple[RunView, RunWorkflow, WorkflowSpec]
"""A run of a workflow: what happened, what was asked for, and how the workflow is built."""


MANAGED = ("group_chat", "magentic")


def played(execution: ExecutionView) -> Iterator[Played]:
    """Every run of a workflow, but for those that somebody answers when a later run of the workflow has begun, or has left."""
    runs = list(execution.workflow_runs())
    for place, (run, spec) in enumerate(runs):
        after = [other.at for other, its in runs[place + 1 :] if its.workflow == spec.workflow]
        left = [at for at, _ in run.of(Abandoned)]
        if not any(at < run.events[-1][0] for at in (*after, *left)):
            yield run, spec, execution.scenario.workflows[spec.workflow]


def direct(execution: ExecutionView) -> Iterator[Played]:
    """Runs of workflows that were not wrapped as an agent: their outputs can be seen."""
    return (each for each in played(execution) if not each[1].as_agent)


def wrapped(execution: ExecutionView) -> Iterator[Played]:
    """Runs of workflows as agents."""
    return (each for each in played(execution) if each[1].as_agent)


def again(execution: ExecutionView, run: RunView) -> bool:
    """Whether the workflow of a run was run before."""
    runs = [(other, its) for other, its in execution.workflow_runs() if other.at < run.at]
    return any(isinstance(run.spec, RunWorkflow) and its.workflow == run.spec.workflow for _, its in runs)


def left_to_author(scenario: Scenario, name: str) -> bool:
    """Whether it is the author of a workflow, or of one in it, who has it complete never, or more than once."""
    return any(each.pattern == "custom" and len(completing(each)) != 1 for each in inside(scenario, name))


def limited(scenario: Scenario, spec: RunWorkflow) -> bool:
    """Whether a limit ends the workflow of a run or one in it, or may: then the answer need not be the manager's."""
    managed = (each for each in inside(scenario, spec.workflow) if each.pattern in MANAGED)
    return any(ended_by(spec.manager, each) != "answer" for each in managed)


def children(scenario: Scenario, workflow: WorkflowSpec) -> list[str]:
    """The workflows that take part in a workflow."""
    return [name for name in workflow.participants if name in scenario.workflows]


def nests(scenario: Scenario, workflow: WorkflowSpec) -> bool:
    """Whether a workflow has others as participants."""
    return bool(children(scenario, workflow))


def faulty(execution: ExecutionView, run: RunView) -> bool:
    """Whether the run fails by its script, or may: a participant's service, an executor, or a manager that errs."""
    assert isinstance(run.spec, RunWorkflow)
    involved = inside(execution.scenario, run.spec.workflow)
    raising = any(spec.raises is not None for each in involved for spec in staged(each).values())
    managed = any(each.pattern in MANAGED for each in involved)
    return bool(run.of(ServiceFailed)) or raising or (managed and run.spec.manager.errs)


def fails(execution: ExecutionView, run: RunView) -> bool:
    """Whether the run surely fails: a participant's service did, or an executor or the manager of the workflow itself does."""
    assert isinstance(run.spec, RunWorkflow)
    involved = inside(execution.scenario, run.spec.workflow)
    if run.of(ServiceFailed):
        return not (run.policies.failing_participant == "left_out" and any(each.pattern == "concurrent" for each in involved))
    if len(involved) > 1:
        return False
    raising = any(spec.raises is not None for spec in staged(involved[0]).values())
    errs = involved[0].pattern in MANAGED and run.spec.manager.errs and not limited(execution.scenario, run.spec)
    return raising or errs


def waited(run: RunView) -> bool:
    """Whether the run waited for someone's answer at some point."""
    return bool(run.of(RequestPending))


def cut_off(run: RunView) -> bool:
    """Whether nobody can say what the run would have come to: its consumer left, it broke, or it cannot be expressed."""
    return run.ending in ("abandoned", "unknown", "refused")


def approvals(run: RunView) -> list[tuple[int, str, Call]]:
    """The calls of a run that need approval: where in the trace each was made, by which agent, and the call."""
    agents = run.scenario.agents
    return [
        (at, reply.agent, call)
        for at, reply in run.of(ServiceReplied)
        for call in reply.message.calls
        if call.tool in agents[reply.agent].tools and agents[reply.agent].tools[call.tool].approval
    ]


def as_answered(execution: ExecutionView, run: RunView) -> Finding:
    """Whether as many calls that need approval were done in a run as were approved."""
    asked = approvals(run)
    done = [(at, event.id) for at, event in run.of(ToolCalled) if event.id in {call.id for _, _, call in asked}]
    mine = [step for request, step in answered(execution) if request.run == run.number and request.tool]
    approved = sum(step.approve for step in mine)
    return finding(
        len(done) == approved,
        done[-1][0] if done else run.events[-1][0],
        expected=f"{approved} of {len(asked)} calls done, as approved",
        got=f"{len(done)} calls done",
        also=[at for at, _, _ in asked],
    )


def unasked(execution: ExecutionView, run: RunView, workflow: str) -> list[str]:
    """The executors of a workflow, and of those in it, that ask and whose question nobody got, in a run that came to its end.

    Left out are workflows that a manager or a handoff may pass by.
    """
    spec = run.scenario.workflows[workflow]
    if not run.succeeded or spec.pattern in ("handoff", *MANAGED):
        return []
    own = [name for name, executor in staged(spec).items() if executor.asks]
    got = [event.executor for _, event in run.of(RequestPending) if event.tool is None]
    missing = own[len(got) :]
    return [*missing, *(name for child in children(execution.scenario, spec) for name in unasked(execution, run, child))]


def answered(execution: ExecutionView) -> Iterator[tuple[RequestPending, Respond]]:
    """Every request that a step answered, with that step."""
    known: set[tuple[int | None, str | None]] = set()
    waiting: list[RequestPending] = []
    events = iter(event for _, event in execution.of(RequestPending))
    ahead = next(events, None)
    for number, step in enumerate(execution.scenario.steps):
        if isinstance(step, Respond) and step.request < len(waiting):
            yield waiting.pop(step.request), step
        while ahead is not None and ahead.step == number:
            if (ahead.run, ahead.id) not in known:
                waiting.append(ahead)
                known.add((ahead.run, ahead.id))
            ahead = next(events, None)


def inside(scenario: Scenario, name: str) -> list[WorkflowSpec]:
    """A workflow and those in it."""
    return [scenario.workflows[each] for each in workflows_in(scenario, name)]
