"""Who takes part: the workflows and agents that a scenario, or one of its steps, really uses."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.scenario import (
    AgentSpec,
    CreateThread,
    ReplySpec,
    Restore,
    Run,
    RunWorkflow,
    Scenario,
    Step,
    Together,
    WorkflowSpec,
)


def workflows_in(scenario: Scenario, name: str) -> list[str]:
    """A workflow and all that are nested in it, each once, parents first. Names that do not exist are left out."""
    found: dict[str, None] = {}
    ahead = [name]
    while ahead:
        here = ahead.pop(0)
        if here in scenario.workflows and here not in found:
            found[here] = None
            ahead.extend(scenario.workflows[here].participants)
    return list(found)


def agents_in(scenario: Scenario, workflow: str) -> list[str]:
    """The agents that take part in a workflow or in one that is nested in it, each once, in order."""
    members = (member for name in workflows_in(scenario, workflow) for member in scenario.workflows[name].participants)
    return [name for name in dict.fromkeys(members) if name in scenario.agents]


def agents_beneath(scenario: Scenario, name: str) -> list[str]:
    """The agents that an agent has as tools, and that these have in turn, each once; itself only where that is circular."""
    found: dict[str, None] = {}
    ahead = [name]
    while ahead:
        tools = scenario.agents[here].tools if (here := ahead.pop(0)) in scenario.agents else {}
        new = [tool.agent for tool in tools.values() if tool.agent in scenario.agents and tool.agent not in found]
        found.update(dict.fromkeys(new))
        ahead.extend(new)
    return list(found)


def workflows_used(scenario: Scenario) -> list[str]:
    """Every workflow that some step runs, with those that are nested in them."""
    run = dict.fromkeys(run.workflow for step in scenario.steps for run in workflow_runs_of(step))
    return list(dict.fromkeys(inner for name in run for inner in workflows_in(scenario, name)))


def agents_used(scenario: Scenario) -> list[str]:
    """Every agent that some step has to do with: by name, through a thread or a workflow, or as a tool of such an agent."""
    named = [agent for step in scenario.steps for agent in _named_in(scenario, step) if agent in scenario.agents]
    return list(dict.fromkeys(used for name in named for used in (name, *agents_beneath(scenario, name))))


def agent_of_threads(scenario: Scenario) -> dict[str, str]:
    """The agent on which each thread that later steps can use was created or restored."""
    found: dict[str, str] = {}
    for step in scenario.steps:
        if isinstance(step, CreateThread):
            found[step.thread] = step.agent
        elif isinstance(step, Restore) and step.damage is None:
            found[step.thread] = step.agent or found.get(step.data, "")
    return found


def runs_of(step: Step) -> tuple[Run, ...]:
    """The runs on threads that a step holds: none, itself, or several together."""
    if isinstance(step, Together):
        return tuple(run for run in step.runs if isinstance(run, Run))
    return (step,) if isinstance(step, Run) else ()


def workflow_runs_of(step: Step) -> tuple[RunWorkflow, ...]:
    """The runs of workflows that a step holds."""
    if isinstance(step, Together):
        return tuple(run for run in step.runs if isinstance(run, RunWorkflow))
    return (step,) if isinstance(step, RunWorkflow) else ()


def requests_in(scenario: Scenario, step: Step) -> int:
    """How many answers the script of a step asks for: approvals, but of no agent that is a tool, and what executors ask."""
    threads = agent_of_threads(scenario)
    asked = sum(_asks(scenario.agents.get(run.agent or threads.get(run.thread, "")), run.replies) for run in runs_of(step))
    for run in workflow_runs_of(step):
        asked += sum(_asks(scenario.agents.get(agent), replies) for agent, replies in run.replies.items())
        asked += sum(_asking_executors(scenario.workflows[name]) for name in workflows_in(scenario, run.workflow))
    return asked


def _asking_executors(workflow: WorkflowSpec) -> int:
    return sum(workflow.executors[name].asks for stage in workflow.stages for name in stage if name in workflow.executors)


def _named_in(scenario: Scenario, step: Step) -> list[str]:
    on = step.agent if isinstance(step, (CreateThread, Restore)) else None
    named = [name for name in (on, *(run.agent for run in runs_of(step))) if name is not None]
    return [*named, *(agent for run in workflow_runs_of(step) for agent in agents_in(scenario, run.workflow))]


def _asks(agent: AgentSpec | None, replies: Iterable[ReplySpec]) -> int:
    tools = agent.tools if agent else {}
    return sum(1 for reply in replies for call in reply.calls if call.tool in tools and tools[call.tool].approval)
