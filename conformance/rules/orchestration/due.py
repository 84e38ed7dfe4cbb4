"""What a participant is due to hear when it is asked: the input, and the earlier responses that its workflow shares (ORC-41).

Who takes part where, and what is shared with whom, is the scenario's; what was said until then is what the world saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from operator import itemgetter

from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import completions, is_handoff, orders
from conformance.rules.orchestration.structure import children
from conformance.rules.orchestration.workflow_run import WorkflowRun
from conformance.rules.run_view import CallView
from conformance.scenario.scenario import Scenario, agents_beneath, agents_in
from conformance.scenario.specs import WorkflowSpec
from conformance.trace.harness_events import ToolReturned
from conformance.vocabulary import Policies

Texts = Sequence[str]


@dataclass(frozen=True)
class Turn:
    """A participant's turn: from its first request to the reply in which it asks for nothing more, or hands over."""

    agent: str
    calls: tuple[CallView, ...]

    @property
    def at(self) -> int:
        """Where in the trace it begins."""
        return self.calls[0].at

    def said(self, *, before: int | None = None) -> Texts:
        """What the participant says in it; `before`: until a position in the trace."""
        replies = [view.reply for view in self.calls if view.reply is not None and (before is None or view.at < before)]
        return [reply.message.text for reply in replies if reply.message.text]


def turns(execution: ExecutionView, each: WorkflowRun) -> list[Turn]:
    """The turns of a run in the order in which they began; those who are tools of others have none."""
    speaking: dict[str, list[CallView]] = {}
    found: list[tuple[str, list[CallView]]] = []
    for view in each.run.calls:
        agent = view.request.agent
        if agent in _members(execution.scenario, each.spec.workflow):
            if agent not in speaking or _ends(execution, each, speaking[agent][-1]):
                speaking[agent] = []
                found.append((agent, speaking[agent]))
            speaking[agent].append(view)
    return [Turn(agent, tuple(calls)) for agent, calls in found]


def _members(scenario: Scenario, workflow: str) -> list[str]:
    members = agents_in(scenario, workflow)
    tools = {name for member in members for name in agents_beneath(scenario, member)}
    return [name for name in members if name not in tools]


def _ends(execution: ExecutionView, each: WorkflowRun, view: CallView) -> bool:
    """Whether a participant's turn ends with this reply."""
    if view.reply is None:
        return False
    ended = {event.id for _, event in each.run.of(ToolReturned) if event.terminated}
    calls = view.reply.message.calls
    return not calls or any(call.id in ended or is_handoff(execution.scenario, call.tool) for call in calls)


def place_of(scenario: Scenario, workflow: str, agent: str) -> list[tuple[WorkflowSpec, str]]:
    """Where an agent takes part: the workflow, and each child down to its own, with the participant that it is or belongs to."""
    spec = scenario.workflows[workflow]
    for member in spec.participants:
        if member == agent:
            return [(spec, member)]
        if member in scenario.workflows and agent in agents_in(scenario, member):
            return [(spec, member), *place_of(scenario, member, agent)]
    return []


def says_what_is_due(policies: Policies, workflow: WorkflowSpec) -> bool:
    """Whether it is said of a workflow what its participants are due: by its pattern, or by what is declared."""
    if workflow.pattern == "sequential":
        return policies.sequential_shares is not None
    return workflow.pattern in ("concurrent", "group_chat")


def due(execution: ExecutionView, each: WorkflowRun, turn: Turn) -> list[Texts]:
    """The texts that a turn is due when it begins, in every form that they may have."""
    forms: list[Texts] = [[text for text in each.spec.say if text]]
    for workflow, member in place_of(execution.scenario, each.spec.workflow, turn.agent):
        earlier = _earlier(execution, each, workflow, member, turn)
        forms = _shared(execution.policies, workflow, forms, earlier)
    return forms


def _shared(policies: Policies, workflow: WorkflowSpec, given: list[Texts], earlier: Sequence[list[Texts]]) -> list[Texts]:
    """What a workflow that was given this shares of the earlier responses with the participant that is next."""
    if workflow.pattern == "concurrent" or not earlier:
        return given
    if workflow.pattern == "sequential" and policies.sequential_shares == "last":
        return [*earlier[-1], *_joined([given, earlier[-1]])]
    return _joined([given, *earlier])


def _earlier(execution: ExecutionView, each: WorkflowRun, workflow: WorkflowSpec, member: str, turn: Turn) -> list[list[Texts]]:
    """The responses in a workflow that began before a turn of a participant, each in every form that it may have."""
    before = [other for other in turns(execution, each) if other.at < turn.at]
    found = [(other.at, [other.said()]) for other in before if other.agent in workflow.participants]
    for child in set(children(execution.scenario, workflow)) - {member}:
        begun = [other.at for other in before if other.agent in agents_in(execution.scenario, child)]
        found += [(at, _answers(execution, each, child)) for at in begun[:1]]
    return [forms for _, forms in sorted(found, key=itemgetter(0))]


def silent_before(execution: ExecutionView, each: WorkflowRun, turn: Turn) -> bool:
    """Whether a child in which nobody is asked may have answered before a turn."""
    spoke = {other.agent for other in turns(execution, each)}
    return any(
        name in execution.scenario.workflows and not spoke & set(agents_in(execution.scenario, name))
        for workflow, member in place_of(execution.scenario, each.spec.workflow, turn.agent)
        for name in _perhaps_before(workflow, member)
    )


def _perhaps_before(workflow: WorkflowSpec, member: str) -> Sequence[str]:
    if workflow.pattern == "sequential":
        return workflow.participants[: workflow.participants.index(member)]
    return () if workflow.pattern == "concurrent" else workflow.participants


def _answers(execution: ExecutionView, each: WorkflowRun, name: str) -> list[Texts]:
    """The response of a participant in a run, in every form that it may have: combined ones come in one of the stable orders."""
    workflow = execution.scenario.workflows.get(name)
    if workflow is None:
        return [_said_by(execution, each, [name])]
    match workflow.pattern:
        case "sequential":
            return _answers(execution, each, workflow.participants[-1])
        case "handoff":
            return [_said_by(execution, each, workflow.participants)]
        case "group_chat" | "magentic":
            return [[each.spec.manager.answer]]
        case "custom":
            return [completions(workflow)]
        case "concurrent":
            return _combined(execution, each, workflow)


def _combined(execution: ExecutionView, each: WorkflowRun, workflow: WorkflowSpec) -> list[Texts]:
    """The answer of a concurrent workflow: its aggregator's, or everybody's."""
    if workflow.aggregates is not None:
        return [[workflow.aggregates]]
    return [form for order in orders(workflow) for form in _joined([_answers(execution, each, name) for name in order])]


def _said_by(execution: ExecutionView, each: WorkflowRun, names: Sequence[str]) -> Texts:
    return [text for turn in turns(execution, each) if turn.agent in names for text in turn.said()]


def _joined(stretches: Sequence[list[Texts]]) -> list[Texts]:
    """Stretches one after another, in every form that they may have."""
    return [[text for said in forms for text in said] for forms in product(*stretches)]


def calls_before(execution: ExecutionView, each: WorkflowRun, turn: Turn) -> Iterator[str]:
    """The ids of the calls that a participant made in its earlier turns."""
    for other in turns(execution, each):
        if other.agent == turn.agent and other.at < turn.at:
            yield from calls_in(other.calls)


def calls_in(views: Iterable[CallView]) -> Iterator[str]:
    """The ids of the calls that some replies ask for."""
    for view in views:
        yield from (call.id for call in (view.reply.message.calls if view.reply is not None else ()))
