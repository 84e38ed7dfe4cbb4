"""Faults of runs that persist otherwise than their agent does: in the background, or after its setting was switched."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Self

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import Front, OrdinaryAgent
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.thread import Thread
from conformance.scenario.scenario import Run
from conformance.trace.exchange import Response, Turn
from conformance.trace.messages import Message


class BackgroundRunNotStored(Mutant):
    """With per-service-call persistence, a run in the background is stored by nobody."""

    imitates = "https://github.com/microsoft/agent-framework/pull/1501"
    expected = frozenset({"PER-01", "PER-10", "PER-37", "PER-40", "PER-43"})

    class agent_type(Agent):
        """The faulty agent."""

        def in_background(self) -> Self:
            """Leave persisting to a decorator that is not there."""
            other = super().in_background()
            special = self.spec.limit is not None or any(tool.raises or tool.terminates for tool in self.spec.tools.values())
            other.spec = other.spec if special else self.spec
            return other


class BackgroundRunUnwarned(Mutant):
    """That a run in the background is persisted at its end, although per-service-call persistence is on, goes without a warning."""

    imitates = "a mode that is switched where nobody looks"
    expected = frozenset({"PER-40"})

    class agent_type(Agent):
        """The faulty agent."""

        def in_background(self) -> Self:
            """Hush."""
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return super().in_background()


class BackgroundRunStoredPerServiceCall(Mutant):
    """With per-service-call persistence, a run in the background is persisted like any other, after a warning that it is not."""

    imitates = "https://github.com/microsoft/agent-framework/pull/3808"
    expected = frozenset({"PER-01", "PER-40"})

    class agent_type(Agent):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Warn, and run as ever."""
            if turn.background and self.spec.per_service_call:
                self.in_background()
                turn = msgspec.structs.replace(turn, background=False)
            return await super().run(thread, turn, emit, stream=stream)


class HistoryAppendedAfterASwitch(Mutant):
    """The first run after the setting was switched appends what users said before once more."""

    imitates = "https://github.com/kagent-dev/kagent/pull/1500"
    expected = frozenset({"PER-01", "PER-09", "PER-40", "PER-43"})

    class agent_type(OrdinaryAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that migrates."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Bring what users said along."""
                mode = self.agent.persists_at_the_end
                before = vars(self.thread).get("mode", mode)
                vars(self.thread)["mode"] = mode
                there = await self.inner.load() if before != mode else ()
                await super().append([*(each for each in there if each.role == "user"), *messages])

        def steady(self, runs: Sequence[Run]) -> bool:
            """Switching is what it is about."""
            return True


class HistoryLostAfterASwitch(Mutant):
    """After the setting was switched, a thread's history begins anew: each way of persisting has a key of its own."""

    imitates = "a key that is made of the settings"
    expected = frozenset({"PER-08", "PER-43", "THR-05", "THR-10"})

    class agent_type(OrdinaryAgent):
        """The faulty agent."""

        def steady(self, runs: Sequence[Run]) -> bool:
            """Switching is what it is about."""
            return True

        class front_type(Front):
            """The store that knows its own."""

            async def load(self) -> tuple[Message, ...]:
                """Load what this way of persisting appended."""
                mode = self.agent.persists_at_the_end
                loaded = await super().load()
                whose: list[bool] = vars(self.thread).get("whose", [])
                return tuple(each for each, way in zip(loaded, whose, strict=False) if way == mode)

            async def append(self, messages: Sequence[Message]) -> None:
                """Note which way it is."""
                vars(self.thread).setdefault("whose", []).extend([self.agent.persists_at_the_end] * len(messages))
                await super().append(messages)
