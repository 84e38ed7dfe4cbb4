"""Faults of workflows that are run as they are: wrapped as an agent they would break rules on agents too."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from conformance.reference.agent import Agent
from conformance.reference.workflow import Workflow
from conformance.trace.exchange import Turn, WorkflowSeen


class Direct(Workflow):
    """A workflow that knows how it is run. direct: not wrapped as an agent, and nobody was asked so far."""

    direct = False

    async def start(self, turn: Turn, *, stream: bool) -> AsyncGenerator[WorkflowSeen]:
        """Note it for the time of the run."""
        self.direct = True
        try:
            async with aclosing(super().start(turn, stream=stream)) as events:
                async for event in events:
                    yield event
        finally:
            self.direct = False

    @property
    def flat(self) -> bool:
        """Whether no other workflow takes part in it."""
        return all(isinstance(each, Agent) for each in self.participants.values())
