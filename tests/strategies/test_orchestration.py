"""Random scenarios of workflows: pairs of one script, and what comes up in them, small once it is shrunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from drawing import comes_up, drawn, smallest
from msgspec import structs

from conformance.scenario.requirements import needs
from conformance.scenario.scenario import RunWorkflow, Scenario, workflow_runs_of
from conformance.scenario.specs import AgentSpec, ExecutorSpec, ManagerSpec, WorkflowSpec
from conformance.strategies.choices import Pen
from conformance.strategies.orchestration.draft import Play


def pair_scripts(scenario: Scenario) -> list[str]:
    """The scripts of the runs of a scenario, without workflow, streaming and order."""
    runs = [run for step in scenario.steps for run in workflow_runs_of(step)]
    return [repr(structs.replace(run, workflow="", stream=False, finish=())) for run in runs]


def other_stream(one: RunWorkflow, other: RunWorkflow, scenario: Scenario) -> bool:
    return not one.stream and other.stream and one.finish == other.finish


def other_outputs(one: RunWorkflow, other: RunWorkflow, scenario: Scenario) -> bool:
    shown = [scenario.workflows[run.workflow].intermediate_outputs for run in (one, other)]
    return shown == [False, True] and (one.stream, one.finish) == (other.stream, other.finish)


def other_order(one: RunWorkflow, other: RunWorkflow, scenario: Scenario) -> bool:
    return one.finish != other.finish and one.stream == other.stream


@pytest.mark.parametrize("differ", [other_stream, other_outputs, other_order])
def test_pairs_of_workflows_have_one_script_in_which_every_reply_stands(
    differ: Callable[[RunWorkflow, RunWorkflow, Scenario], bool],
) -> None:
    def pairs(scenario: Scenario) -> bool:
        runs = [step for step in scenario.steps if isinstance(step, RunWorkflow)]
        if [run.workflow for run in runs] != ["w", "x"] or len(set(pair_scripts(scenario))) > 1:
            return False
        one, other = (scenario.workflows[name] for name in ("w", "x"))
        alike = structs.replace(one, intermediate_outputs=False) == structs.replace(other, intermediate_outputs=False)
        return alike and bool(runs[0].replies) and differ(runs[0], runs[1], scenario)

    assert sum(map(pairs, drawn("orchestration", 300))) >= 10


def some_workflow(proves: Callable[[WorkflowSpec], object]) -> Callable[[Scenario], bool]:
    return lambda scenario: any(proves(workflow) for workflow in scenario.workflows.values())


def some_executor(proves: Callable[[ExecutorSpec], object]) -> Callable[[Scenario], bool]:
    return some_workflow(lambda workflow: any(map(proves, workflow.executors.values())))


def some_workflow_run(proves: Callable[[RunWorkflow], object]) -> Callable[[Scenario], bool]:
    return lambda scenario: any(proves(run) for step in scenario.steps for run in workflow_runs_of(step))


def control_comes_back(run: RunWorkflow) -> bool:
    return any(sum(bool(reply.handoff) for reply in replies) > 1 for replies in run.replies.values())


def has_two_children(scenario: Scenario) -> bool:
    return any(sum(name in scenario.workflows for name in workflow.participants) > 1 for workflow in scenario.workflows.values())


def left_and_used_again(scenario: Scenario) -> bool:
    runs = [step for step in scenario.steps if isinstance(step, RunWorkflow)]
    left = [place for place, run in enumerate(runs) if run.abandons]
    return bool(left) and any(run.workflow == runs[left[0]].workflow for run in runs[left[0] + 1 :])


@pytest.mark.parametrize(
    "proves",
    [
        pytest.param(some_workflow_run(control_comes_back), id="comes back"),
        pytest.param(has_two_children, id="two children"),
        pytest.param(some_workflow(lambda workflow: workflow.max_rounds), id="rounds"),
        pytest.param(some_workflow(lambda workflow: workflow.aggregates), id="aggregates"),
        pytest.param(some_executor(lambda executor: executor.again), id="again"),
        pytest.param(some_workflow_run(lambda run: run.manager.errs), id="errs"),
        pytest.param(left_and_used_again, id="left"),
        pytest.param(some_workflow_run(lambda run: list(run.finish) != sorted(run.finish)), id="finishes out of order"),
        pytest.param(lambda scenario: "workflows.requests" in needs(scenario), id="waits"),
    ],
)
def test_comes_up(proves: Callable[[Scenario], bool]) -> None:
    assert comes_up("orchestration", proves)


def test_a_workflow_shrinks_to_plain_participants() -> None:
    def chats_as_an_agent(scenario: Scenario) -> bool:
        workflows = scenario.workflows.items()
        chats = [name for name, workflow in workflows if workflow.pattern == "group_chat" and workflow.max_rounds is None]
        return any(isinstance(step, RunWorkflow) and step.as_agent and step.workflow in chats for step in scenario.steps)

    expected = Scenario(
        agents={"a": AgentSpec()},
        workflows={"w": WorkflowSpec(pattern="group_chat", participants=("a",))},
        steps=(RunWorkflow(workflow="w", say=("one",), as_agent=True, manager=ManagerSpec(picks=("a",))),),
    )
    assert smallest("orchestration", chats_as_an_agent) == expected


def test_an_agent_is_never_called_like_a_workflow() -> None:
    play = Play(cast("Pen", None), frozenset())
    names = [play.add_agent(AgentSpec()) for _ in range(60)]
    assert len(set(names)) == 60
    assert not {"w", "x", "y"}.intersection(names)
