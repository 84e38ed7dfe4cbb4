"""What the answer of an orchestration is, from the scenario and what the world saw its participants say."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.rules.case import Case
from conformance.rules.run import RunView
from conformance.scenario import RunWorkflow, WorkflowSpec
from conformance.trace import Message, Part, ServiceReplied, ToolRaised, ToolReturned, parts


def response_of(run: RunView, participant: str) -> list[Part]:
    """A participant's response in this run: its replies, each with the results of its calls, in order."""
    workflows = run.case.scenario.workflows
    if participant in workflows:
        return answer_of(run, workflows[participant])
    return [part for turn in turns_of(run) if turn[0] == participant for part in turn[1]]


def turns_of(run: RunView) -> list[tuple[str, list[Part]]]:
    """Who spoke in a row, and what: every stretch of replies of one agent up to one that asks for nothing more."""
    ran = {event.id for _, event in run.events if isinstance(event, (ToolReturned, ToolRaised))}
    turns: list[tuple[str, list[Part]]] = []
    open_turn: dict[str, list[Part]] = {}
    for _, reply in run.of(ServiceReplied):
        if reply.agent not in open_turn:
            open_turn[reply.agent] = []
            turns.append((reply.agent, open_turn[reply.agent]))
        said = open_turn[reply.agent]
        said += parts([reply.message])
        later = [other for _, other in run.of(ServiceReplied) if other.agent == reply.agent and other.call > reply.call]
        tools = [call for call in reply.message.calls if not is_handoff(run.case, call.tool)]
        said += [("result", call.id) for call in tools if call.id in ran or later]
        handed_over = len(tools) < len(reply.message.calls)
        if not reply.message.calls or handed_over:
            del open_turn[reply.agent]
    return turns


def answer_of(run: RunView, spec: WorkflowSpec) -> list[Part]:
    """The answer that a workflow of this pattern must give."""
    assert isinstance(run.spec, RunWorkflow)
    match spec.pattern:
        case "sequential":
            return response_of(run, spec.participants[-1])
        case "concurrent":
            return [part for _, part in owned(run, spec.participants)]
        case "group_chat" | "magentic":
            return [("assistant", run.spec.manager.answer)]
        case "handoff":
            return []
        case "custom":
            completed = [spec.executors[name].completes for stage in spec.stages for name in stage]
            return [("assistant", text) for text in completed if text is not None]


def completing(spec: WorkflowSpec) -> list[str]:
    """The executors of a custom workflow that complete the run, in the order in which they run."""
    return [name for stage in spec.stages for name in stage if spec.executors[name].completes is not None]


def orders(spec: WorkflowSpec) -> list[tuple[str, ...]]:
    """The orders of participants that do not depend on who finished first: as configured, or by name."""
    return [spec.participants, tuple(sorted(spec.participants))]


def said(case: Case, messages: Sequence[Message]) -> list[Part]:
    """What is heard in an answer: without the results of handoffs, which not every framework has."""
    handoffs = {
        ("result", call.id) for _, reply in case.of(ServiceReplied) for call in reply.message.calls if is_handoff(case, call.tool)
    }
    return [part for part in case.heard(messages) if part not in handoffs]


def owned(run: RunView, participants: Sequence[str]) -> list[tuple[str, Part]]:
    """The responses of participants, one after another, each part with the participant that said it."""
    return [(name, part) for name in participants for part in response_of(run, name)]


def is_handoff(case: Case, tool: str) -> bool:
    """Whether a call hands over to another agent: no agent has a tool of that name."""
    return not any(tool in agent.tools for agent in case.scenario.agents.values())
