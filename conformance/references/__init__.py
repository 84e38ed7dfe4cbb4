"""The references within a scenario that must hold: who or what is named exists, and stands where it can be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from conformance.cast import agents_beneath, requests_in
from conformance.misfit import path_to
from conformance.references.names import in_leaving, in_replies, known
from conformance.references.workflows import in_workflow, in_workflow_run
from conformance.scenario import (
    AgentSpec,
    CreateThread,
    Respond,
    Restore,
    Run,
    RunWorkflow,
    Scenario,
    Serialize,
    Step,
    Tamper,
    Together,
    ToolSpec,
)


@dataclass
class _Threads:
    """The threads that exist at some point. agents: on which agent each was made; None where it cannot be used. filed: as data."""

    agents: dict[str, str | None]
    filed: set[str]

    def usable(self) -> list[str]:
        return [name for name, agent in self.agents.items() if agent is not None]


def dangling(scenario: Scenario) -> Iterator[str]:
    """What does not hold: the path of the field, what it names, and what was expected."""
    for name, agent in scenario.agents.items():
        yield from _in_agent(scenario, name, agent, path_to("$.agents", name))
    for name, workflow in scenario.workflows.items():
        yield from in_workflow(scenario, name, workflow, path_to("$.workflows", name))
    threads = _Threads({}, set())
    asked = 0
    for place, step in enumerate(scenario.steps):
        path = f"$.steps[{place}]"
        yield from _in_step(scenario, step, threads, path)
        match step:
            case CreateThread():
                threads.agents[step.thread] = step.agent
            case Restore():
                threads.agents[step.thread] = None if step.damage else step.agent or threads.agents.get(step.data)
            case Serialize():
                threads.filed.add(step.thread)
            case Respond():
                if not 0 <= step.request < asked:
                    waiting = f"no more than {asked} requests" if asked else "no request"
                    yield f"{path}.request: got {step.request}, but {waiting} can be pending here (counted from 0)"
                asked -= 1
            case _:
                pass
        asked += requests_in(scenario, step)


def _in_agent(scenario: Scenario, name: str, agent: AgentSpec, path: str) -> Iterator[str]:
    if agent.reduces_to is not None and agent.reduces_to < 1:
        yield f"{path}.reduces_to: got {agent.reduces_to}, expected at least 1: a request carries at least the new input"
    if agent.limit is not None and agent.limit < 1:
        yield f"{path}.limit: got {agent.limit}, expected at least 1: the first reply of a run may ask for tools"
    for key, tool in agent.tools.items():
        if tool.agent is None:
            continue
        here = path_to(f"{path}.tools", key)
        yield from known(tool.agent, scenario.agents, "an agent", f"{here}.agent")
        if tool.agent == name or name in agents_beneath(scenario, tool.agent):
            yield f"{here}.agent: got {tool.agent!r}, which is {name!r} itself or has it among its tools"
        for field in ("returns", "raises", "terminates", "approval"):
            if getattr(tool, field) != getattr(_PLAIN_TOOL, field):
                yield f"{here}.{field}: a tool that is an agent answers what the agent answers; expected no {field!r}"


_PLAIN_TOOL = ToolSpec()


def _in_step(scenario: Scenario, step: Step, threads: _Threads, path: str) -> Iterator[str]:
    match step:
        case CreateThread():
            yield from known(step.agent, scenario.agents, "an agent", f"{path}.agent")
            yield from _new(step.thread, threads, path)
            if step.with_id and step.kind != "hosted":
                yield f"{path}.with_id: only a hosted thread continues a conversation; expected the kind 'hosted'"
        case Restore():
            yield from known(step.data, threads.filed, "a thread that an earlier step serialized", f"{path}.data")
            if step.agent is not None:
                yield from known(step.agent, scenario.agents, "an agent", f"{path}.agent")
            yield from _new(step.thread, threads, path)
        case Serialize() | Tamper():
            yield from known(step.thread, threads.usable(), _A_THREAD, f"{path}.thread")
        case Run():
            yield from _in_run(scenario, step, threads, path)
        case Together():
            yield from _in_together(scenario, step, threads, path)
        case RunWorkflow():
            yield from in_workflow_run(scenario, step, path)
        case Respond():
            pass


_A_THREAD = "a thread that an earlier step created or restored whole"


def _new(thread: str, threads: _Threads, path: str) -> Iterator[str]:
    if thread in threads.agents:
        yield f"{path}.thread: got {thread!r}, which an earlier step created or restored; expected a new name"


def _in_run(scenario: Scenario, run: Run, threads: _Threads, path: str) -> Iterator[str]:
    yield from known(run.thread, threads.usable(), _A_THREAD, f"{path}.thread")
    added = {text for agent in scenario.agents.values() for provider in agent.context.values() for text in provider.adds}
    for place, text in enumerate(run.say):
        if text in added:
            yield f"{path}.say[{place}]: got {text!r}, which a context provider adds; expected words of its own, to tell them apart"
    yield from in_leaving(run, path)
    for field in ("load_fails", "append_fails"):
        place = getattr(run, field)
        if place is not None and place < 0:
            yield f"{path}.{field}: got {place}, expected a position, from 0"
    if run.agent is not None:
        yield from known(run.agent, scenario.agents, "an agent", f"{path}.agent")
    name = run.agent or threads.agents.get(run.thread) or ""
    if name not in scenario.agents:
        return
    yield from in_replies(scenario.agents[name], run.replies, (), f"{path}.replies")
    beneath = agents_beneath(scenario, name)
    for inner, replies in run.inner.items():
        here = path_to(f"{path}.inner", inner)
        yield from known(inner, beneath, f"an agent that {name!r} has as a tool", here)
        if inner in scenario.agents:
            yield from in_replies(scenario.agents[inner], replies, (), here)


def _in_together(scenario: Scenario, step: Together, threads: _Threads, path: str) -> Iterator[str]:
    for place, run in enumerate(step.runs):
        here = f"{path}.runs[{place}]"
        before = step.runs[:place]
        if isinstance(run, RunWorkflow):
            yield from in_workflow_run(scenario, run, here)
            if run.workflow in [other.workflow for other in before if isinstance(other, RunWorkflow)]:
                yield f"{here}.workflow: got {run.workflow!r} twice, expected a workflow for each run"
            if run.finish:
                yield f"{here}.finish: the order of the step says whose turn it is; expected no 'finish'"
            continue
        yield from _in_run(scenario, run, threads, here)
        if run.thread in [other.thread for other in before if isinstance(other, Run)]:
            yield f"{here}.thread: got {run.thread!r} twice, expected a thread for each run"
    for place, position in enumerate(step.order):
        if not 0 <= position < len(step.runs):
            yield f"{path}.order[{place}]: got {position}, expected the position of one of the {len(step.runs)} runs, from 0"
