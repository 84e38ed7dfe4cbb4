"""The scripted managers of `agent-framework`: an agent for a group chat, a manager of its own sort for Magentic."""

from __future__ import annotations

from typing import Any

from agent_framework import Agent
from agent_framework import Message as NativeMessage
from agent_framework.orchestrations import (
    MagenticContext,
    MagenticManagerBase,
    MagenticProgressLedger,
    MagenticProgressLedgerItem,
)

from conformance.adapters.agent_framework_client import ManagerClient
from conformance.scenario import WorkflowSpec
from conformance.world.manager import Manager


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
