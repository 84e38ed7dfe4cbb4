"""Who takes part: the workflows and agents that a scenario, or a run of a workflow, really uses."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.scenario import AgentSpec, CreateThread, ReplySpec, Run, RunWorkflow, Scenario, Step, Together


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


def workflows_used(scenario: Scenario) -> list[str]:
    """Every workflow that some step runs, with those that are nested in them."""
    run = dict.fromkeys(step.workflow for step in scenario.steps if isinstance(step, RunWorkflow))
    return list(dict.fromkeys(inner for name in run for inner in workflows_in(scenario, name)))


def agents_used(scenario: Scenario) -> list[str]:
    """Every agent that has a thread or takes part in a workflow that some step runs."""
    threads = [step.agent for step in scenario.steps if isinstance(step, CreateThread) and step.agent in scenario.agents]
    members = [agent for step in scenario.steps if isinstance(step, RunWorkflow) for agent in agents_in(scenario, step.workflow)]
    return list(dict.fromkeys([*threads, *members]))


def runs_of(step: Step) -> tuple[Run, ...]:
    """The runs on threads that a step holds: none, itself, or several together."""
    if isinstance(step, Together):
        return step.runs
    return (step,) if isinstance(step, Run) else ()


def approvals_in(scenario: Scenario, step: Step) -> int:
    """How many approvals the script of a step asks for."""
    if isinstance(step, RunWorkflow):
        return sum(_asks(scenario.agents.get(agent), replies) for agent, replies in step.replies.items())
    threads = {made.thread: made.agent for made in scenario.steps if isinstance(made, CreateThread)}
    return sum(_asks(scenario.agents.get(threads.get(run.thread, "")), run.replies) for run in runs_of(step))


def _asks(agent: AgentSpec | None, replies: Iterable[ReplySpec]) -> int:
    tools = agent.tools if agent else {}
    return sum(1 for reply in replies for call in reply.calls if call.tool in tools and tools[call.tool].approval)
