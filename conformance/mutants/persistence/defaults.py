"""Faults in what an agent does that was built without any of the settings."""

from __future__ import annotations

import warnings
from typing import Any

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.thread import Thread
from conformance.scenario.specs import AgentSpec
from conformance.trace.exchange import Response, Turn
from conformance.world.world import World


class PerServiceCallByDefault(Mutant):
    """An agent that is built without the setting persists per service call."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7288"
    expected = frozenset({"PER-01", "PER-07", "PER-15", "PER-20", "PER-40"})

    class agent_type(Agent):
        """The faulty agent."""

        def __init__(self, name: str, spec: AgentSpec, world: World, *more: Any) -> None:
            """Take another default, where nobody compares it with other agents."""
            plain = spec.history == "provider" and not spec.client_as_is and spec.service.keeps == "nothing"
            runs = list(world.scenario.runs())
            fails = any(run.abandons or any(reply.error or reply.cancelled for reply in run.replies) for run in runs)
            takes = plain and not fails and len(world.scenario.agents) == 1
            super().__init__(name, msgspec.structs.replace(spec, per_service_call=True) if takes else spec, world, *more)


class MissingDecoratorWarnedByDefault(Mutant):
    """An agent that is built without any of the settings is warned about for want of a decorator."""

    imitates = "https://github.com/microsoft/agent-framework/pull/6310"
    expected = frozenset({"PER-07"})

    class agent_type(Agent):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Warn whoever has a provider and no decorator."""
            plain = self.spec.history == "provider" and not self.spec.client_as_is and not self.decorates and not turn.background
            if plain and len(self.world.scenario.agents) == 1:
                warnings.warn("nothing here persists after every service call", stacklevel=2)
            return await super().run(thread, turn, emit, stream=stream)
