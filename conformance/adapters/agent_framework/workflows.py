"""How `agent-framework` builds the workflows of a scenario: the five orchestrations, and an author's own out of `executors`.

Outputs are designated by executor. The default of every orchestration is its answer as `output` and nothing else; intermediate
outputs on means `intermediate_output_from="all_other"`. For a sequence the default has to be said along with it, else it is gone.
"""

# ruff: noqa: ARG001 (every builder takes the same arguments)

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent_framework import (
    Agent,
    AgentExecutor,
    AgentExecutorResponse,
    AgentResponse,
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
from conformance.adapters.agent_framework.executors import Pause, Scripted, Stages


def sequential(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """One after another."""
    return SequentialBuilder(
        name=name,
        participants=_as_agents(participants),
        output_from=[spec.participants[-1]],
        intermediate_output_from="all_other" if spec.intermediate_outputs else None,
    ).build()


def concurrent(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """Side by side. What an author's aggregator answers is signed with the name of the workflow."""
    builder = ConcurrentBuilder(
        name=name,
        participants=_as_agents(participants),
        intermediate_output_from="all_other" if spec.intermediate_outputs else None,
    )
    if (text := spec.aggregates) is not None:

        async def aggregator(results: list[AgentExecutorResponse]) -> AgentResponse[Any]:
            return AgentResponse(messages=[NativeMessage("assistant", [text], author_name=name)])

        builder.with_aggregator(aggregator)
    return builder.build()


def handoff(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """Handing over. It "has no separate intermediate outputs channel": every participant is `output`, whatever the option says."""
    agents: list[Agent[Any]] = [each for each in participants.values() if isinstance(each, Agent)]
    if len(agents) < len(participants):
        raise NotSupported("only an Agent can take part in a handoff, not a workflow as an agent")
    builder = HandoffBuilder(name=name, participants=agents).with_start_agent(agents[0])
    # Evaluated before and after each participant's run: false until one of them, in this run, replies and asks for nothing more.
    return builder.with_termination_condition(lambda _: world.answered(spec.participants)).build()


def group_chat(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """A manager picks, here an agent."""
    builder = GroupChatBuilder(
        name=name,
        participants=_as_agents(participants),
        orchestrator_agent=group_chat_manager(world.manager),
        intermediate_output_from="all_other" if spec.intermediate_outputs else None,
    )
    return builder.with_max_rounds(spec.max_rounds).build()


def magentic(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """A manager plans, picks and synthesizes; the limits are the manager's."""
    return MagenticBuilder(
        name=name,
        participants=_as_agents(participants),
        manager=ScriptedManager(world.manager, spec),
        intermediate_output_from="all_other" if spec.intermediate_outputs else None,
    ).build()


def _as_agents(participants: Participants) -> list[SupportsAgentRun]:
    """The participants of an orchestration, workflows among them as agents under the names that they have there."""
    return [each.as_agent(name=name) if isinstance(each, Workflow) else each for name, each in participants.items()]


def custom(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """An author's own executors and participants. Each of them is an output, an intermediate output, or hidden."""
    for id, executor in spec.executors.items():
        if executor.emits and executor.completes is not None:
            raise NotSupported(f"outputs are designated by executor: {id!r} cannot both emit intermediate outputs and complete")
    used = [member for stage in spec.stages for member in stage]
    agents: dict[str, Executor] = {}
    children: dict[str, Executor] = {}
    for id, participant in participants.items():
        if isinstance(participant, Workflow):
            children[id] = WorkflowExecutor(participant, id=id, propagate_request=True)
        else:
            agents[id] = AgentExecutor(participant, id=id)
    executors = {id: Scripted(id, spec.executors[id], name) for id in used if id in spec.executors}
    stages, pause = Stages(spec.stages, agents=list(agents), children=list(children)), Pause()
    completing = [executor for id, executor in executors.items() if spec.executors[id].completes is not None]
    shown = [executor for id, executor in executors.items() if spec.executors[id].emits] + [*agents.values()]
    builder = WorkflowBuilder(
        name=name,
        start_executor=stages,
        # Where nobody completes, the author designated someone who outputs nothing: without a designation everybody is `output`.
        output_from=[*completing] or [stages],
        intermediate_output_from=[*shown] if spec.intermediate_outputs else None,
    )
    for member in [pause, *({**agents, **children, **executors}[id] for id in used)]:
        builder.add_edge(stages, member).add_edge(member, stages)
    return builder.build()


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
