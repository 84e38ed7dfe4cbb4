"""What the answer of an orchestration is, from the scenario and what the world saw its participants say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal

from conformance.rules.execution_view import ExecutionView
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import RunWorkflow, Scenario
from conformance.scenario.specs import ExecutorSpec, ManagerSpec, WorkflowSpec
from conformance.trace.harness_events import ServiceReplied, ToolRaised, ToolReturned
from conformance.trace.messages import Message, Part, parts


@dataclass
class Spell:
    """A participant speaks: every reply up to one that asks for nothing more, each with the results of its calls.

    at: where in the trace it ended. handoff: the id of the call by which it handed over.
    """

    agent: str
    said: list[Part] = field(default_factory=list[Part])
    at: int = 0
    handoff: str | None = None


def spells(execution: ExecutionView, run: RunView) -> list[Spell]:
    """Who spoke in a run, and what, in the order in which they began."""
    ran = {event.id for _, event in (*run.of(ToolReturned), *run.of(ToolRaised))}
    replies = [reply for _, reply in run.of(ServiceReplied)]
    found: list[Spell] = []
    speaking: dict[str, Spell] = {}
    for at, reply in run.of(ServiceReplied):
        if reply.agent not in speaking:
            speaking[reply.agent] = Spell(reply.agent)
            found.append(speaking[reply.agent])
        spell = speaking[reply.agent]
        spell.at = at
        spell.said += [*parts([reply.message]), *_results(execution, reply, replies, ran)]
        spell.handoff = next((call.id for call in reply.message.calls if is_handoff(execution.scenario, call.tool)), None)
        if not reply.message.calls or spell.handoff:
            del speaking[reply.agent]
    return found


def _results(
    execution: ExecutionView, reply: ServiceReplied, replies: Sequence[ServiceReplied], ran: Set[str | None]
) -> list[Part]:
    """The results of a reply's calls, handoffs apart: all where its agent went on, else those of the tools that ran."""
    went_on = any(other.agent == reply.agent and other.call > reply.call for other in replies)
    tools = [call.id for call in reply.message.calls if not is_handoff(execution.scenario, call.tool)]
    return [("result", id) for id in tools if went_on or id in ran]


def produced(execution: ExecutionView, run: RunView) -> list[Spell]:
    """The same in the order in which they were done."""
    return sorted(spells(execution, run), key=lambda spell: spell.at)


def conversation(spells: Iterable[Spell]) -> list[Part]:
    """What was said in some spells, one after another; an empty text right before a call of the same agent says nothing."""
    found: list[Part] = []
    latest = None
    for spell in spells:
        for part in spell.said:
            if part[0] == "call" and latest == spell.agent and found[-1] == ("assistant", ""):
                found.pop()
            found.append(part)
            latest = spell.agent
    return found


def response_of(execution: ExecutionView, run: RunView, participant: str) -> list[Part]:
    """A participant's response in this run: everything that an agent said, or the answer of a child.

    A handoff answers with nothing; what its participants said is its response all the same (ORC-26).
    """
    workflows = run.scenario.workflows
    if participant not in workflows:
        return conversation(spell for spell in spells(execution, run) if spell.agent == participant)
    child = workflows[participant]
    if child.pattern == "handoff":
        return conversation(spell for spell in spells(execution, run) if spell.agent in child.participants)
    return answer_of(execution, run, child)


def answer_of(execution: ExecutionView, run: RunView, workflow: WorkflowSpec) -> list[Part]:
    """The answer that a workflow must give, where no limit ends it."""
    assert isinstance(run.spec, RunWorkflow)
    match workflow.pattern:
        case "sequential":
            return response_of(execution, run, workflow.participants[-1])
        case "concurrent" if workflow.aggregates is not None:
            return [("assistant", workflow.aggregates)]
        case "concurrent":
            return [part for _, part in owned(execution, run, workflow.participants)]
        case "group_chat" | "magentic":
            return [("assistant", run.spec.manager.answer)]
        case "handoff":
            return []
        case "custom":
            return [("assistant", text) for text in completions(workflow)]


def answers(execution: ExecutionView, run: RunView, workflow: WorkflowSpec) -> list[list[Part]]:
    """Every form that the answer may have: combined ones come in one of the stable orders."""
    if workflow.pattern != "concurrent" or workflow.aggregates is not None:
        return [answer_of(execution, run, workflow)]
    return [[part for _, part in owned(execution, run, order)] for order in orders(workflow)]


def answering(workflow: WorkflowSpec) -> tuple[str, ...]:
    """The participants whose responses are the answer."""
    if workflow.pattern == "sequential":
        return workflow.participants[-1:]
    return workflow.participants if workflow.pattern == "concurrent" and workflow.aggregates is None else ()


def completing(workflow: WorkflowSpec) -> list[str]:
    """The executors of a custom workflow that complete the run, in the order in which they do, each as often as it does."""
    return [name for name, spec in staged(workflow).items() for text in (spec.completes, spec.again) if text is not None]


def completions(workflow: WorkflowSpec) -> list[str]:
    """What the executors of a custom workflow complete the run with, in the order in which they do."""
    return [text for spec in staged(workflow).values() for text in (spec.completes, spec.again) if text is not None]


def staged(workflow: WorkflowSpec) -> dict[str, ExecutorSpec]:
    """The executors of a custom workflow that have a part in it, by name, in the order in which they run."""
    return {name: workflow.executors[name] for stage in workflow.stages for name in stage if name in workflow.executors}


def orders(workflow: WorkflowSpec) -> list[tuple[str, ...]]:
    """The orders of participants that do not depend on who finished first: as configured, or by name."""
    return [workflow.participants, tuple(sorted(workflow.participants))]


def said(execution: ExecutionView, messages: Sequence[Message]) -> list[Part]:
    """What is heard in an answer: without the results of handoffs, which not every framework has."""
    handoffs = {
        ("result", call.id)
        for _, reply in execution.of(ServiceReplied)
        for call in reply.message.calls
        if is_handoff(execution.scenario, call.tool)
    }
    return [part for part in execution.heard(messages) if part not in handoffs]


def owned(execution: ExecutionView, run: RunView, participants: Sequence[str]) -> list[tuple[str, Part]]:
    """The responses of participants, one after another, each part with the participant that said it."""
    return [(name, part) for name in participants for part in response_of(execution, run, name)]


def is_handoff(scenario: Scenario, tool: str) -> bool:
    """Whether a call hands over to another agent: no agent has a tool of that name."""
    return not any(tool in agent.tools for agent in scenario.agents.values())


End = Literal["answer", "limit", "either"]


def ended_by(manager: ManagerSpec, workflow: WorkflowSpec) -> End:
    """What ends a group chat or a Magentic run: the manager's answer, or a limit; `either` after as many as it allows."""
    return course_of(manager, workflow)[1]


def course_of(manager: ManagerSpec, workflow: WorkflowSpec) -> tuple[list[str], End]:
    """Who speaks in a group chat or a Magentic run, round after round, and what ends it."""
    stalls = resets = 0
    spoken: list[str] = []
    for place, name in enumerate(manager.picks):
        if len(spoken) == workflow.max_rounds:
            return spoken, "limit"
        if workflow.max_stalls is not None:
            stalls = stalls + 1 if place in manager.stalls else max(0, stalls - 1)
            if stalls > workflow.max_stalls:
                stalls, resets = 0, resets + 1
                if workflow.max_resets is not None and resets > workflow.max_resets:
                    return spoken, "limit"
                continue
        spoken.append(name)
    return spoken, "either" if workflow.max_rounds == len(spoken) or workflow.max_resets == resets else "answer"
