"""How workflows are put together: what is in them, who manages them, and whether their authors have them complete once."""

from __future__ import annotations

from conformance.rules.orchestration.expected import completing
from conformance.scenario.scenario import Scenario, workflows_in
from conformance.scenario.specs import WorkflowSpec

MANAGED = ("group_chat", "magentic")
"""The patterns in which a manager says who speaks, and answers."""


def inside(scenario: Scenario, name: str) -> list[WorkflowSpec]:
    """A workflow and those in it."""
    return [scenario.workflows[each] for each in workflows_in(scenario, name)]


def children(scenario: Scenario, workflow: WorkflowSpec) -> list[str]:
    """The workflows that take part in a workflow."""
    return [name for name in workflow.participants if name in scenario.workflows]


def completes_once(scenario: Scenario, name: str) -> bool:
    """Whether exactly one executor completes each author-written workflow among a workflow and those in it."""
    return all(len(completing(each)) == 1 for each in inside(scenario, name) if each.pattern == "custom")
