"""How `agent-framework` builds the workflows of a scenario: the five orchestrations, and an author's own out of `executors`.

Outputs are designated by executor. The default of an orchestration is its answer as `output` and nothing else (of a handoff, what
every participant says); intermediate outputs on means `intermediate_output_from="all_other"`, and nothing else is said.
"""

# ruff: noqa: ARG001 (every builder takes the same arguments)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent_framework import (
    Agent,
    AgentExecutor,
    AgentExecutorResponse,
    Executor,
    SupportsAgentRun,
    Workflow,
    WorkflowBuilder,
    WorkflowExecutor,
)
from agent_framework import Message as NativeMessage
from agent_framework.orchestrations import (
    ConcurrentBuilder,
    GroupChatBuilder,
    HandoffBuilder,
    MagenticBuilder,
    MagenticContext,
    MagenticManagerBase,
    MagenticProgressLedger,
    MagenticProgressLedgerItem,
    SequentialBuilder,
)

from conformance.adapter import Manager, NotSupported, Pattern, WorkflowSpec, World
from conformance.adapters.agent_framework.clients import ManagerClient
from conformance.adapters.agent_framework.executors import Next, Scripted, Start
from conformance.adapters.agent_framework.versions import named


def sequential(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """One after another."""
    return SequentialBuilder(participants=_as_agents(participants), **_said(SequentialBuilder, name, spec)).build()


def concurrent(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """Side by side. An author's aggregator returns a text, as those of the framework's guide do."""
    builder = ConcurrentBuilder(participants=_as_agents(participants), **_said(ConcurrentBuilder, name, spec))
    if (text := spec.aggregates) is not None:

        async def aggregator(results: list[AgentExecutorResponse]) -> str:
            return text

        builder.with_aggregator(aggregator)
    return builder.build()


def handoff(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """Handing over. By default every participant is `output`."""
    agents: list[Agent[Any]] = [each for each in participants.values() if isinstance(each, Agent)]
    if len(agents) < len(participants):
        raise NotSupported("only an Agent can take part in a handoff, not a workflow as an agent")
    builder = HandoffBuilder(participants=agents, **_said(HandoffBuilder, name, spec)).with_start_agent(agents[0])
    # Evaluated before and after each participant's run: false until one of them, in this run, replies and asks for nothing more.
    return builder.with_termination_condition(lambda _: world.answered(spec.participants)).build()


def group_chat(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """A manager picks, here an agent."""
    manager, members = group_chat_manager(world.manager), _as_agents(participants)
    builder = GroupChatBuilder(participants=members, orchestrator_agent=manager, **_said(GroupChatBuilder, name, spec))
    return builder.build() if spec.max_rounds is None else builder.with_max_rounds(spec.max_rounds).build()


def magentic(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """A manager plans, picks and synthesizes; the limits are the manager's."""
    manager, members = ScriptedManager(world.manager, spec), _as_agents(participants)
    return MagenticBuilder(participants=members, manager=manager, **_said(MagenticBuilder, name, spec)).build()


def _said(builder: Callable[..., Any], name: str, spec: WorkflowSpec) -> dict[str, Any]:
    """The name, and of outputs nothing, unless the scenario asks for intermediate ones."""
    return {**named(builder, name), **({"intermediate_output_from": "all_other"} if spec.intermediate_outputs else {})}


def _as_agents(participants: Participants) -> list[SupportsAgentRun]:
    """The participants of an orchestration, workflows among them as agents under the names that they have there."""
    return [each.as_agent(name=name) if isinstance(each, Workflow) else each for name, each in participants.items()]


def custom(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """An author's own executors and participants. Each of them is an output, an intermediate output, or hidden."""
    for id, executor in spec.executors.items():
        if executor.emits and executor.completes is not None:
            raise NotSupported(f"outputs are designated by executor: {id!r} cannot both emit intermediate outputs and complete")
    members: dict[str, Executor] = {id: Scripted(id, each, name) for id, each in spec.executors.items()}
    for id, participant in participants.items():
        child = isinstance(participant, Workflow)
        members[id] = WorkflowExecutor(participant, id=id) if child else AgentExecutor(participant, id=id)
    completing = [members[id] for id, each in spec.executors.items() if each.completes is not None]
    emitting = [members[id] for id, each in spec.executors.items() if each.emits]
    agents = [each for each in members.values() if isinstance(each, AgentExecutor)]
    said: list[NativeMessage] = []
    start = Start(said)
    # Where nobody completes, the author designated someone who outputs nothing: without a designation everybody is `output`.
    builder = WorkflowBuilder(
        name=name,
        start_executor=start,
        output_from=[*completing] or [start],
        intermediate_output_from=[*emitting, *agents] if spec.intermediate_outputs else None,
    )
    before: Executor = start
    for number, stage in enumerate(spec.stages, start=1):
        here = [members[id] for id in stage]
        _out(builder, before, here)
        if number < len(spec.stages):
            before = Next(number, said)
            _in(builder, here, before)
    return builder.build()


def _out(builder: WorkflowBuilder, source: Executor, targets: Sequence[Executor]) -> None:
    if len(targets) > 1:
        builder.add_fan_out_edges(source, targets)
    else:
        builder.add_edge(source, targets[0])


def _in(builder: WorkflowBuilder, sources: Sequence[Executor], target: Executor) -> None:
    if len(sources) > 1:
        builder.add_fan_in_edges(sources, target)
    else:
        builder.add_edge(sources[0], target)


BUILDERS: Mapping[Pattern, Build] = {
    "sequential": sequential,
    "concurrent": concurrent,
    "handoff": handoff,
    "group_chat": group_chat,
    "magentic": magentic,
    "custom": custom,
}

Participants = Mapping[str, SupportsAgentRun | Workflow]
"""The participants under their names, in the order of the spec: agents, and workflows."""

Build = Callable[[str, WorkflowSpec, Participants, World], Workflow]
"""Builds the workflow of this name and spec."""


def group_chat_manager(manager: Manager) -> Agent[Any]:
    """An agent that answers with the framework's structured decisions."""
    return Agent(ManagerClient(manager), id="manager", name="manager")


class ScriptedManager(MagenticManagerBase):
    """The scripted manager of a Magentic workflow: a fixed plan, then progress or a stall with each pick, then the answer.

    The limits are its own; one that the spec leaves out is the framework's default (three stalls, any number of resets and rounds).
    They are passed on as they are, though the framework ends a run with the last reset that `max_reset_count` allows, not the next.
    """

    def __init__(self, manager: Manager, spec: WorkflowSpec) -> None:
        limits = {"max_stall_count": spec.max_stalls, "max_reset_count": spec.max_resets, "max_round_count": spec.max_rounds}
        super().__init__(**{name: limit for name, limit in limits.items() if limit is not None})
        self._manager = manager

    async def plan(self, magentic_context: MagenticContext) -> NativeMessage:
        """The same plan for everything."""
        return NativeMessage("assistant", ["ask those who know"], author_name="manager")

    async def replan(self, magentic_context: MagenticContext) -> NativeMessage:
        """The same plan again."""
        return await self.plan(magentic_context)

    async def create_progress_ledger(self, magentic_context: MagenticContext) -> MagenticProgressLedger:
        """Who speaks next, on the task itself; satisfied when nobody does."""
        speaker = self._manager.pick()
        stalled = self._manager.stalled

        def item(answer: Any) -> MagenticProgressLedgerItem:
            return MagenticProgressLedgerItem(reason="as scripted", answer=answer)

        return MagenticProgressLedger(
            is_request_satisfied=item(speaker is None),
            is_in_loop=item(False),
            is_progress_being_made=item(not stalled),
            next_speaker=item(speaker or ""),
            instruction_or_question=item(magentic_context.task),
        )

    async def prepare_final_answer(self, magentic_context: MagenticContext) -> NativeMessage:
        """The synthesized answer."""
        return NativeMessage("assistant", [self._manager.answer()], author_name="manager")
