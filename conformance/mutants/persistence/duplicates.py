"""Faults by which messages are stored twice, and in what is done against it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import Front, PerCallAgent, PerRunAgent
from conformance.trace.messages import Message


class HistoryAppendedAgain(Mutant):
    """Per-service-call persistence appends a loaded message once more with every call."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7211"
    expected = frozenset({"PER-06", "PER-09", "PER-11", "PER-12", "PER-13", "PER-17", "PER-18", "THR-05", "THR-10"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that takes what was sent for new."""

            loaded: tuple[Message, ...] = ()

            async def load(self) -> tuple[Message, ...]:
                """Keep what is loaded."""
                self.loaded = await super().load()
                return self.loaded

            async def append(self, messages: Sequence[Message]) -> None:
                """Append a part of it with the rest."""
                await super().append([*self.loaded[-1:], *messages])


class EarlierTurnsAppendedAgain(Mutant):
    """Per-run persistence appends what was sent, the loaded history among it, on every later turn."""

    imitates = "https://github.com/openai/openai-agents-python/issues/1699"
    expected = frozenset({"PER-01", "PER-09", "PER-11", "PER-18", "THR-05", "THR-10"})

    class agent_type(PerRunAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that takes the past for new."""

            loaded: tuple[Message, ...] = ()

            async def load(self) -> tuple[Message, ...]:
                """Keep what is loaded."""
                self.loaded = await super().load()
                return self.loaded

            async def append(self, messages: Sequence[Message]) -> None:
                """Append it with the rest."""
                await super().append([*self.loaded, *messages])


class AnswerAppendedAsRequestAgain(Mutant):
    """Per-service-call persistence appends a reply once more, in front of the results that answer it."""

    imitates = "https://github.com/camunda/connectors/pull/8319"
    expected = frozenset({"PER-06", "PER-09", "PER-12", "PER-13", "PER-17", "PER-18", "THR-05", "THR-10"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that is told of everything that stands in front of a reply."""

            latest: tuple[Message, ...] = ()

            async def append(self, messages: Sequence[Message]) -> None:
                """Append the latest reply as part of the next request."""
                await super().append([*self.latest, *messages])
                self.latest = (msgspec.structs.replace(messages[-1], text=""),)


class DeduplicatedByText(Mutant):
    """A user's message is not stored where one with the same text is stored already."""

    imitates = "https://github.com/microsoft/agent-framework/pull/4716"
    expected = frozenset({"PER-01", "PER-10", "PER-18"})

    class agent_type(PerRunAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that knows texts."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append what was never said."""
                known = {each.text for each in await self.inner.load() if each.role == "user"}
                await super().append([each for each in messages if each.role != "user" or each.text not in known])


class DeduplicatedByCallId(Mutant):
    """A result is not stored per service call where one with its call id is stored already, although some services count anew."""

    imitates = "https://github.com/sipeed/picoclaw/pull/2528"
    expected = frozenset({"PER-10", "PER-13", "PER-17"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that knows call ids."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append results of calls that were never answered."""
                known = {result.id for each in await self.inner.load() for result in each.results}
                cut = [
                    msgspec.structs.replace(each, results=tuple(result for result in each.results if result.id not in known))
                    for each in messages
                ]
                await super().append([each for each in cut if each.results or each.role != "tool"])


class RepeatedRequestAppendedAgain(Mutant):
    """A run that says what the last user message of the history says stores its input twice."""

    imitates = "https://github.com/openai/openai-agents-python/issues/4069"
    expected = frozenset({"PER-01", "PER-09", "PER-18"})

    class agent_type(PerRunAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that is confused by equal texts."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append a repeated text once for each occurrence."""
                known = [each.text for each in await self.inner.load() if each.role == "user"]
                again = [each for each in messages if each.role == "user" and each.text in known]
                await super().append([*again, *messages])
