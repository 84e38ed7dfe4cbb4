"""Faults of runs that interleave."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import Front, FrontedAgent
from conformance.mutants.shared_faults import CurrentThreadAgent
from conformance.reference.history_stores import ProviderStore
from conformance.reference.thread import Thread
from conformance.trace.messages import Message


class _Agent(CurrentThreadAgent, FrontedAgent):
    """An agent that keeps the current thread, with fronts before its stores."""


class _Front(Front):
    """A front that knows the current thread."""

    @property
    def current(self) -> Thread:
        """The current thread of its agent."""
        assert isinstance(self.agent, CurrentThreadAgent)
        return self.agent.current(self.thread)


class InterleavedRunsLoadEachOthers(Mutant):
    """The agent keeps the key of "the current thread" on itself, so that runs that interleave load one history."""

    imitates = "https://github.com/veryfront/veryfront-code/issues/2336"
    expected = frozenset({"PER-39"})

    class agent_type(_Agent):
        """The faulty agent."""

        cells = ("M1",)

        class front_type(_Front):
            """The store of the current thread."""

            async def load(self) -> tuple[Message, ...]:
                """Load it."""
                return await self.agent.world.history(self.agent.name).load(self.current.key)


class InterleavedRunsStoredTogether(Mutant):
    """The agent keeps the key of "the current thread" on itself, so that runs that interleave are appended to one history."""

    imitates = "https://github.com/MervinPraison/PraisonAI/issues/3105"
    expected = frozenset({"PER-39", "THR-05"})

    class agent_type(_Agent):
        """The faulty agent."""

        def fronts(self, thread: Thread) -> bool:
            """Only where nobody switches the way of persisting."""
            return not any(run.per_service_call is not None or run.background for run in self.world.scenario.runs())

        class front_type(_Front):
            """The store of the current thread."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append to it."""
                history = self.agent.world.history(self.agent.name)
                await ProviderStore(history, self.current, self.agent.name).append(messages)
