"""Which runs of workflows a limit ends, on workflows written by hand."""

from __future__ import annotations

import pytest
from flows import flow, run
from written import Written

from conformance.rules.orchestration.limits import ends_by_limit, limited
from conformance.rules.orchestration.workflow_run import workflow_run
from conformance.scenario.specs import ManagerSpec, WorkflowSpec

CHAT = WorkflowSpec(pattern="group_chat", participants=("a", "b"), max_rounds=1)


@pytest.mark.parametrize(
    ("pattern", "picks", "surely", "may"),
    [
        ("group_chat", "", False, False),
        ("group_chat", "a", False, True),  # whether the limit is reached when nobody else is picked is left open
        ("group_chat", "ab", True, True),
        ("magentic", "ab", True, True),
        ("sequential", "ab", False, False),
    ],
)
def test_a_limit_ends_a_run_with_a_manager(pattern, picks, surely, may):
    written = Written(flow(pattern, runs=(run(manager=ManagerSpec(picks=tuple(picks))),), max_rounds=1)).run()
    (each,) = workflow_run(written.view)
    assert (ends_by_limit(written.view, each), limited(written.view, each)) == (surely, may)


def test_the_limit_of_a_child_ends_the_child():
    scenario = flow("sequential", "child", "c", others={"child": CHAT}, runs=(run(manager=ManagerSpec(picks=("a", "b"))),))
    written = Written(scenario).run()
    (each,) = workflow_run(written.view)
    assert limited(written.view, each)
    assert not ends_by_limit(written.view, each)
