"""Scenarios of workflows and beginnings of their runs that the unit tests on orchestration share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from written import Written

from conformance.scenario.scenario import Respond, RunWorkflow, Scenario, Step, agents_in
from conformance.scenario.specs import AgentSpec, ExecutorSpec, ManagerSpec, ReplySpec, ToolSpec, WorkflowSpec
from conformance.trace.messages import Message

PAYS = {"pay": ToolSpec(approval=True)}
DRAFTS = {"x": ExecutorSpec(emits=("draft",))}


def run(*say: str, workflow: str = "w", **options: Any) -> RunWorkflow:
    """A run of the workflow w; each participant has one scripted reply, its name as a capital."""
    replies = {name: (ReplySpec(text=name.upper()),) for name in "abcd"}
    return RunWorkflow(workflow=workflow, say=say or ("go",), **{"replies": replies, **options})


def flow(
    pattern: Any = "sequential",
    *participants: str,
    runs: tuple[Step, ...] = (),
    agents: Mapping[str, AgentSpec] | None = None,
    others: Mapping[str, WorkflowSpec] | None = None,
    **workflow: Any,
) -> Scenario:
    """A workflow w, of the agents a and b where nobody else is named, and its runs: one where none are given.

    agents: those that are special. others: further workflows, such as children.
    """
    members = participants or (() if workflow.get("executors") else ("a", "b"))
    workflows = {"w": WorkflowSpec(pattern=pattern, participants=members, **workflow), **(others or {})}
    bare = Scenario(workflows=workflows, agents={name: AgentSpec() for name in "abcd"})
    used = {name: AgentSpec() for each in workflows for name in agents_in(bare, each)}
    return Scenario(agents={**used, **(agents or {})}, workflows=workflows, steps=runs or (run(),))


def in_turn(scenario: Scenario, **policies: Any) -> Written:
    """The run begins, and a and b are asked and answer, one after the other."""
    return spoken(Written(scenario, **policies))


def spoken(written: Written, said: str = "go", **begun: Any) -> Written:
    """The next run begins, and a and b are asked and answer, one after the other."""
    return written.run(**begun).spoke("a", "A", said).spoke("b", "B", said, "=A")


def by(author: str, text: str) -> Message:
    """A message that is signed."""
    return Message(role="assistant", text=text, author=author)


# runs of which most rules say nothing; shows: with intermediate outputs on


def waited(shows: bool = False, **options: Any) -> Written:
    """A request has been answered."""
    scenario = flow(runs=(run(**options), Respond()), intermediate_outputs=shows)
    return Written(scenario).run().called("go").pending(tool="pay", id="r").answered(0)


def faulty(shows: bool = False, **options: Any) -> Written:
    """A participant's service failed, and yet the run comes to an end."""
    return Written(flow(runs=(run(**options),), intermediate_outputs=shows)).run().called("go").failed()


def limited(shows: bool = False, **options: Any) -> Written:
    """A limit ends a group chat before its manager does."""
    manager = ManagerSpec(picks=("a", "b"))
    scenario = flow("group_chat", runs=(run(manager=manager, **options),), max_rounds=1, intermediate_outputs=shows)
    return Written(scenario).run().spoke("a", "A", "go")


def left_to_author(shows: bool = False, **options: Any) -> Written:
    """No executor of an author-written workflow completes."""
    scenario = flow("custom", runs=(run(**options),), stages=(("x",),), executors=DRAFTS, intermediate_outputs=shows)
    return Written(scenario).run()
