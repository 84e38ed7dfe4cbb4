"""Faults in what per-service-call persistence loads and prepends."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import Front, PerCallAgent
from conformance.trace.messages import Message


class AccumulatedAndLoaded(Mutant):
    """With per-service-call persistence, what the run has exchanged so far is sent as the loop has it, and as it is loaded."""

    imitates = "https://github.com/vercel/ai/pull/15492"
    expected = frozenset({"PER-08", "THR-05"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that is read by two."""

            began: int | None = None

            async def load(self) -> tuple[Message, ...]:
                """Load what the run has appended twice."""
                loaded = await super().load()
                self.began = len(loaded) if self.began is None else self.began
                return (*loaded, *loaded[self.began :])


class LoadedOnce(Mutant):
    """Per-service-call persistence loads history before the first service call of a run only, and remembers what it appends."""

    imitates = "a cache for the length of a run"
    expected = frozenset({"PER-08"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The remembering store."""

            known: tuple[Message, ...] | None = None

            async def load(self) -> tuple[Message, ...]:
                """Load what is not known."""
                if self.known is None:
                    self.known = await super().load()
                return self.known

            async def append(self, messages: Sequence[Message]) -> None:
                """Remember what is new."""
                await super().append(messages)
                self.known = (*(self.known or ()), *messages)


class LoadedAsTheRunBegan(Mutant):
    """With per-service-call persistence, the requests of a run lack what its earlier calls appended."""

    imitates = "a store that is read through a snapshot"
    expected = frozenset({"PER-06", "PER-08", "THR-05"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store as it was."""

            known: tuple[Message, ...] | None = None

            async def load(self) -> tuple[Message, ...]:
                """Load, and take what was there before."""
                loaded = await super().load()
                self.known = loaded if self.known is None else self.known
                return self.known


class EarlierTurnsNotLoaded(Mutant):
    """Per-service-call persistence sends what the run has exchanged so far, and nothing of earlier runs."""

    imitates = "https://github.com/microsoft/agent-framework/issues/3897"
    expected = frozenset({"PER-08", "THR-05", "THR-10"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store of a run."""

            began: int | None = None

            async def load(self) -> tuple[Message, ...]:
                """Load what the run has appended."""
                loaded = await super().load()
                self.began = len(loaded) if self.began is None else self.began
                return loaded[self.began :]
