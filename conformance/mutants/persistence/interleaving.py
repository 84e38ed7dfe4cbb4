"""Faults of runs that interleave."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.implementation import Response, Turn
from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import Front, FrontedAgent
from conformance.reference.client import Emit
from conformance.reference.store import ProviderStore
from conformance.reference.thread import Thread
from conformance.trace import Message


class InterleavedRunsLoadEachOthers(Mutant):
    """The agent keeps the key of "the current thread" on itself, so that runs that interleave load one history."""

    imitates = "https://github.com/veryfront/veryfront-code/issues/2336"
    expected = frozenset({"PER-39"})

    class agent_type(FrontedAgent):
        """The faulty agent."""

        cells = ("M1",)

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Keep the thread while nobody else keeps one."""
            mine = self.__dict__.setdefault("_current", thread) is thread
            try:
                return await super().run(thread, turn, emit, stream=stream)
            finally:
                if mine:
                    self.__dict__.pop("_current", None)

        class front_type(Front):
            """The store of the current thread."""

            async def load(self) -> tuple[Message, ...]:
                """Load it."""
                current: Thread = self.agent.__dict__.get("_current", self.thread)
                return await self.agent.world.history(self.agent.name).load(current.key)


class InterleavedRunsStoredTogether(Mutant):
    """The agent keeps the key of "the current thread" on itself, so that runs that interleave are appended to one history."""

    imitates = "https://github.com/MervinPraison/PraisonAI/issues/3105"
    expected = frozenset({"PER-39", "THR-05"})

    class agent_type(FrontedAgent):
        """The faulty agent."""

        def fronts(self, thread: Thread) -> bool:
            """Only where nobody switches the way of persisting."""
            return not any(run.per_service_call is not None or run.background for run in self.world.scenario.runs())

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Keep the thread while nobody else keeps one."""
            mine = self.__dict__.setdefault("_current", thread) is thread
            try:
                return await super().run(thread, turn, emit, stream=stream)
            finally:
                if mine:
                    self.__dict__.pop("_current", None)

        class front_type(Front):
            """The store of the current thread."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append to it."""
                current: Thread = self.agent.__dict__.get("_current", self.thread)
                history = self.agent.world.history(self.agent.name)
                await ProviderStore(history, current, self.agent.name).append(messages)
