"""The references within a scenario that must hold: who or what is named exists, and stands where it can be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from conformance.json_errors import path_to
from conformance.scenario.scenario import (
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
    agents_beneath,
    agents_in,
    requests_in,
    workflows_in,
)
from conformance.scenario.specs import AgentSpec, ReplySpec, ToolSpec, WorkflowSpec
from conformance.vocabulary import nearest


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


def known(name: str, legal: Iterable[str], what: str, path: str) -> Iterator[str]:
    """What is wrong with a name, where it is none of the legal ones; the nearest of them is named."""
    words = sorted(set(legal))
    if name not in words:
        hint = nearest(name, words) if words else "; there is none"
        yield f"{path}: got {name!r}, expected {what}{hint}"


def in_replies(agent: AgentSpec, replies: Iterable[ReplySpec], targets: Iterable[str], path: str) -> Iterator[str]:
    """What is wrong with scripted replies: tools and arguments of their calls, and whom they hand off to."""
    for place, reply in enumerate(replies):
        for number, call in enumerate(reply.calls):
            here = f"{path}[{place}].calls[{number}]"
            yield from known(call.tool, agent.tools, "a tool of the agent", f"{here}.tool")
            if call.tool in agent.tools and agent.tools[call.tool].agent is not None and set(call.arguments) != {"task"}:
                yield f"{here}.arguments: got {sorted(call.arguments)}, expected 'task' alone: the tool {call.tool!r} is an agent"
        if reply.handoff is not None:
            yield from known(reply.handoff, targets, "another participant of a handoff", f"{path}[{place}].handoff")


def in_leaving(run: Run | RunWorkflow, path: str) -> Iterator[str]:
    """What is wrong with where a consumer leaves a stream."""
    if run.abandons is not None and run.abandons < 1:
        yield f"{path}.abandons: got {run.abandons}, expected at least 1: a consumer leaves after a chunk"
    if run.abandons is not None and not run.stream:
        yield f"{path}.abandons: only a stream can be left; expected 'stream': true"


def in_workflow(scenario: Scenario, name: str, workflow: WorkflowSpec, path: str) -> Iterator[str]:
    """What does not hold in a workflow: the path of the field, what it names, and what was expected."""
    if name in scenario.agents:
        yield f"{path}: got the name of an agent, expected a name of its own"
    custom = workflow.pattern == "custom"
    if custom != bool(workflow.stages):
        yield f"{path}.stages: " + ("missing, expected the executors of a custom workflow" if custom else _ONLY_CUSTOM)
    if not custom and not workflow.participants:
        yield f"{path}.participants: missing, expected at least one"
    yield from _in_settings(workflow, path)
    yield from _in_executors(scenario, workflow, path)
    yield from _in_participants(scenario, name, workflow, path)
    yield from _in_stages(workflow, path)


def _in_participants(scenario: Scenario, name: str, workflow: WorkflowSpec, path: str) -> Iterator[str]:
    members = [*scenario.agents, *(other for other in scenario.workflows if other != name)]
    for place, member in enumerate(workflow.participants):
        here = f"{path}.participants[{place}]"
        yield from known(member, members, "an agent or another workflow", here)
        if member in workflow.participants[:place]:
            yield f"{here}: got {member!r} twice, expected each participant once"
        if workflow.pattern == "handoff" and member in scenario.workflows:
            yield f"{here}: got {member!r}, a workflow; only agents take part in a handoff"
        if member != name and name in workflows_in(scenario, member):
            yield f"{here}: got {member!r}, which contains {name!r} itself"
        inside = {agent for other in workflow.participants[:place] for agent in _members(scenario, [other])}
        for agent in _members(scenario, [member]):
            if agent in inside and member not in workflow.participants[:place]:
                yield f"{here}: got {member!r}, but agent {agent!r} takes part already; expected everybody once in a workflow"


def _in_stages(workflow: WorkflowSpec, path: str) -> Iterator[str]:
    staged: list[str] = []
    for stage, members in enumerate(workflow.stages):
        if not members:
            yield f"{path}.stages[{stage}]: empty, expected somebody in every stage"
        for place, member in enumerate(members):
            here = f"{path}.stages[{stage}][{place}]"
            yield from known(member, [*workflow.executors, *workflow.participants], "an executor or a participant", here)
            if member in staged:
                yield f"{here}: got {member!r} twice, expected everybody once"
            staged.append(member)
    for place, member in enumerate(workflow.participants):
        if workflow.pattern == "custom" and member not in staged:
            yield f"{path}.participants[{place}]: got {member!r}, which stands in no stage"


def _in_settings(workflow: WorkflowSpec, path: str) -> Iterator[str]:
    """What only some patterns have, and what numbers may be."""
    for field, patterns in _ONLY_FOR.items():
        value = getattr(workflow, field)
        if value is not None and workflow.pattern not in patterns:
            yield f"{path}.{field}: a workflow of the pattern {workflow.pattern!r} has none; expected {' or '.join(patterns)}"
    for field, least in (("max_rounds", 1), ("max_stalls", 0), ("max_resets", 0)):
        value = getattr(workflow, field)
        if value is not None and value < least:
            yield f"{path}.{field}: got {value}, expected at least {least}"


def _in_executors(scenario: Scenario, workflow: WorkflowSpec, path: str) -> Iterator[str]:
    for name, executor in workflow.executors.items():
        here = path_to(f"{path}.executors", name)
        for taken, whose in ((scenario.agents, "an agent"), (scenario.workflows, "a workflow")):
            if name in taken:
                yield f"{here}: got the name of {whose}, expected a name of its own"
        if executor.again is not None and executor.completes is None:
            yield f"{here}.again: nothing was completed before; expected 'completes'"


_ONLY_FOR = {
    "aggregates": ("concurrent",),
    "max_rounds": ("group_chat", "magentic"),
    "max_stalls": ("magentic",),
    "max_resets": ("magentic",),
}
_ONLY_CUSTOM = "only custom workflows have stages; expected participants"


def in_workflow_run(scenario: Scenario, step: RunWorkflow, path: str) -> Iterator[str]:
    """What does not hold in a run of a workflow."""
    yield from known(step.workflow, scenario.workflows, "a workflow", f"{path}.workflow")
    yield from in_leaving(step, path)
    if step.thread is not None and not step.as_agent:
        yield f"{path}.thread: only an agent has threads; expected 'as_agent': true"
    if step.workflow not in scenario.workflows:
        return
    agents = agents_in(scenario, step.workflow)
    inside = [scenario.workflows[name] for name in workflows_in(scenario, step.workflow)]
    for agent, replies in step.replies.items():
        here = path_to(f"{path}.replies", agent)
        yield from known(agent, agents, "an agent that takes part in the workflow", here)
        targets = {
            member
            for workflow in inside
            if workflow.pattern == "handoff" and agent in workflow.participants
            for member in workflow.participants
        } - {agent}
        if agent in scenario.agents:
            yield from in_replies(scenario.agents[agent], replies, targets, here)
    beside = [member for workflow in inside for members in _side_by_side(workflow) for member in _members(scenario, members)]
    for place, agent in enumerate(step.finish):
        yield from known(agent, beside, "an agent that runs beside others", f"{path}.finish[{place}]")
    managed = [name for workflow in inside if workflow.pattern in ("group_chat", "magentic") for name in workflow.participants]
    for place, pick in enumerate(step.manager.picks):
        yield from known(pick, managed, "a participant that a manager can pick", f"{path}.manager.picks[{place}]")


def _side_by_side(workflow: WorkflowSpec) -> list[tuple[str, ...]]:
    """The participants that work side by side."""
    if workflow.pattern == "custom":
        return [stage for stage in workflow.stages if len(stage) > 1]
    return [workflow.participants] if workflow.pattern == "concurrent" else []


def _members(scenario: Scenario, names: Iterable[str]) -> Iterator[str]:
    """The agents among these participants, with those inside of nested ones."""
    for member in names:
        yield from [member] if member in scenario.agents else agents_in(scenario, member)
