"""Faults in what is kept of a stream that its consumer leaves."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import FailingAgent, Front
from conformance.reference.agent import Agent
from conformance.reference.client import PersistingClient
from conformance.trace.messages import Message


class AbandonedInputLost(Mutant):
    """Where a consumer leaves a stream, per-service-call persistence loses the input of the call in flight."""

    imitates = "https://github.com/run-llama/llama_index/issues/20895"
    expected = frozenset({"PER-25"})

    class agent_type(Agent):
        """The faulty agent."""

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            async def keep_input(self, new: Sequence[Message]) -> None:
                """Append nothing."""


class AbandonedResultsLost(Mutant):
    """Where a consumer leaves a stream, per-service-call persistence keeps what a user said, and loses results of earlier calls."""

    imitates = "https://github.com/charmbracelet/crush/issues/529"
    expected = frozenset({"PER-25"})

    class agent_type(Agent):
        """The faulty agent."""

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            async def keep_input(self, new: Sequence[Message]) -> None:
                """Append what a user said."""
                if said := [each for each in new if each.role == "user"]:
                    await super().keep_input(said)


class AbandonedInputStoredTwice(Mutant):
    """Where a consumer leaves a stream, the input of the call in flight is appended at once, and with the next call once more."""

    imitates = "https://github.com/aipoch/open-science/pull/936"
    expected = frozenset({"PER-09", "PER-25"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        cells = ("M2",)

        class front_type(Front):
            """The store that makes sure."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append what was abandoned again."""
                again: tuple[Message, ...] = vars(self.thread).pop("again", ())
                await super().append([*again, *messages])

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            async def keep_input(self, new: Sequence[Message]) -> None:
                """Remember what is kept."""
                await super().keep_input(new)
                if isinstance(self._store, Front):
                    vars(self._store.thread)["again"] = tuple(each for each in new if each.role == "user")
