"""Which runs of workflows fail by their script, on workflows and traces written by hand."""

from __future__ import annotations

import pytest
from flows import flow, in_turn, run
from written import Written

from conformance.rules.condition import Condition
from conformance.rules.orchestration.failures import faulty, surely_fails
from conformance.rules.orchestration.workflow_run import WorkflowRun, workflow_run
from conformance.scenario.specs import ExecutorSpec, ManagerSpec, WorkflowSpec

RAISING = {"x": ExecutorSpec(raises="no"), "y": ExecutorSpec()}
ERRS = ManagerSpec(picks=("a",), errs=True)
CHILD = {"child": WorkflowSpec(pattern="custom", stages=(("x",),), executors=RAISING)}


def met(asked: Condition[WorkflowRun], written: Written) -> bool:
    """Whether the only run meets a condition."""
    (each,) = workflow_run(written.view)
    return asked(written.view, each)


@pytest.mark.parametrize(
    ("written", "may", "surely"),
    [
        (in_turn(flow()), False, False),
        (Written(flow()).run().called("go").failed(), True, True),
        (Written(flow("concurrent"), failing_participant="left_out").run().called("go").failed(), True, False),
        (Written(flow("sequential"), failing_participant="left_out").run().called("go").failed(), True, True),
        (Written(flow("custom", stages=(("x",),), executors=RAISING)).run(), True, True),
        (Written(flow("custom", stages=(("y",),), executors=RAISING)).run(), False, False),
        (in_turn(flow("sequential", "child", "a", others=CHILD)), True, False),
        (in_turn(flow("group_chat", runs=(run(manager=ERRS),))), True, True),
        (in_turn(flow("group_chat", runs=(run(manager=ERRS),), max_rounds=1)), True, False),
        (in_turn(flow("sequential", runs=(run(manager=ERRS),))), False, False),
    ],
)
def test_a_run_fails_by_its_script(written, may, surely):
    assert (met(faulty, written), met(surely_fails, written)) == (may, surely)
