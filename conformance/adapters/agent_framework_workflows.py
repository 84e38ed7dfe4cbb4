"""How `agent-framework` builds each workflow of a scenario.

Outputs are designated by executor. The default of every orchestration is its answer as `output` and nothing else; intermediate
outputs on means `intermediate_output_from="all_other"`. For a sequence the default has to be said along with it, else it is gone.
"""

# ruff: noqa: ARG001 (every builder takes the same arguments)

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from agent_framework import Agent, SupportsAgentRun, Workflow, WorkflowBuilder
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

from conformance.adapters.agent_framework_client import ManagerClient
from conformance.adapters.agent_framework_executors import Scripted, Stages
from conformance.implementation import NotSupported
from conformance.scenario import WorkflowSpec
from conformance.vocabulary import Pattern
from conformance.world import World
from conformance.world.manager import Manager

Participants = Mapping[str, SupportsAgentRun]
"""The participants under their names, in the order of the spec: agents, or workflows as agents."""


def sequential(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """One after another."""
    return SequentialBuilder(
        name=name,
        participants=list(participants.values()),
        output_from=[spec.participants[-1]],
        intermediate_output_from="all_other" if spec.intermediate_outputs else None,
    ).build()


def concurrent(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """Side by side."""
    return ConcurrentBuilder(
        name=name,
        participants=list(participants.values()),
        intermediate_output_from="all_other" if spec.intermediate_outputs else None,
    ).build()


def handoff(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """Handing over. It "has no separate intermediate outputs channel": every participant is `output`, whatever the option says."""
    agents = [cast("Agent[Any]", participant) for participant in participants.values() if isinstance(participant, Agent)]
    if len(agents) < len(participants):
        raise NotSupported("only an Agent can take part in a handoff, not a workflow as an agent")
    builder = HandoffBuilder(name=name, participants=agents).with_start_agent(agents[0])
    # Evaluated before and after each participant's run: false until one of them, in this run, replies and asks for nothing more.
    return builder.with_termination_condition(lambda _: world.answered(spec.participants)).build()


def group_chat(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """A manager picks, here an agent that answers with the framework's structured decisions."""
    return GroupChatBuilder(
        name=name,
        participants=list(participants.values()),
        orchestrator_agent=Agent(ManagerClient(world.manager), id="manager", name="manager"),
        intermediate_output_from="all_other" if spec.intermediate_outputs else None,
    ).build()


def magentic(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """A manager plans, picks and synthesizes."""
    return MagenticBuilder(
        name=name,
        participants=list(participants.values()),
        manager=ScriptedManager(world.manager),
        intermediate_output_from="all_other" if spec.intermediate_outputs else None,
    ).build()


def custom(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """An author's own executors, stage after stage. Each of them is an output, an intermediate output, or hidden."""
    for id, executor in spec.executors.items():
        if executor.emits and executor.completes is not None:
            raise NotSupported(f"outputs are designated by executor: {id!r} cannot both emit intermediate outputs and complete")
    stages = Stages(spec.stages)
    executors = {id: Scripted(id, executor) for id, executor in spec.executors.items()}
    used = dict.fromkeys(id for stage in spec.stages for id in stage)
    completing = [executors[id] for id in used if spec.executors[id].completes is not None]
    emitting = [executors[id] for id in used if spec.executors[id].emits]
    builder = WorkflowBuilder(
        name=name,
        start_executor=stages,
        # Where nobody completes, the author designated someone who outputs nothing: without a designation everybody is `output`.
        output_from=[*completing] or [stages],
        intermediate_output_from=[*emitting] if spec.intermediate_outputs else None,
    )
    for id in used:
        builder.add_edge(stages, executors[id]).add_edge(executors[id], stages)
    return builder.build()


BUILDERS: Mapping[Pattern, Callable[[str, WorkflowSpec, Participants, World], Workflow]] = {
    "sequential": sequential,
    "concurrent": concurrent,
    "handoff": handoff,
    "group_chat": group_chat,
    "magentic": magentic,
    "custom": custom,
}


class ScriptedManager(MagenticManagerBase):
    """The scripted manager of a Magentic workflow: a fixed plan, progress until nobody is picked any more, then the answer."""

    def __init__(self, manager: Manager) -> None:
        super().__init__()
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

        def item(answer: Any) -> MagenticProgressLedgerItem:
            return MagenticProgressLedgerItem(reason="as scripted", answer=answer)

        return MagenticProgressLedger(
            is_request_satisfied=item(speaker is None),
            is_in_loop=item(False),
            is_progress_being_made=item(True),
            next_speaker=item(speaker or ""),
            instruction_or_question=item(magentic_context.task),
        )

    async def prepare_final_answer(self, magentic_context: MagenticContext) -> NativeMessage:
        """The synthesized answer."""
        return NativeMessage("assistant", [self._manager.answer()], author_name="manager")
