"""Faults in the order in which messages are stored."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import Front, PerCallAgent, PerRunAgent
from conformance.trace.messages import Message


class ReplyStoredBeforeItsRequest(Mutant):
    """Per-service-call persistence stores the reply in front of the messages that it answers."""

    imitates = "history sorted by the time of arrival of its parts"
    expected = frozenset({"PER-06", "PER-11", "PER-17", "PER-18", "THR-05", "THR-10"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that is told of replies first."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append the reply, then what it answers."""
                await super().append([messages[-1], *messages[:-1]])


class ResultsStoredBeforeTheirCalls(Mutant):
    """Per-run persistence stores the results of tools in front of the reply that calls them."""

    imitates = "https://github.com/pydantic/pydantic-ai/issues/234"
    expected = frozenset({"PER-01", "PER-11", "PER-13", "PER-18", "THR-05", "THR-10", "THR-34"})

    class agent_type(PerRunAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that is told of results first."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Swap each call with its result."""
                swapped = list(messages)
                for place, each in enumerate(messages):
                    if each.results and place and messages[place - 1].calls:
                        swapped[place - 1 : place + 1] = [each, messages[place - 1]]
                await super().append(swapped)


class ToolTrafficStoredLast(Mutant):
    """Per-run persistence stores what was said in words, and behind it the calls and their results."""

    imitates = "https://github.com/NousResearch/hermes-agent/issues/70724"
    expected = frozenset({"PER-01", "PER-11", "PER-18", "THR-05", "THR-10"})

    class agent_type(PerRunAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store with two tables."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append one after the other."""
                await super().append(sorted(messages, key=lambda each: bool(each.calls or each.results)))


class ParallelCallsStoredInTurn(Mutant):
    """Per-run persistence stores parallel calls as if the model had made one after the other, each with its result behind it."""

    imitates = "https://github.com/n8n-io/n8n/pull/32481"
    expected = frozenset({"PER-01", "PER-11", "PER-18", "THR-05", "THR-10"})

    class agent_type(PerRunAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store of pairs."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append each call of a reply with its result."""
                results = {result.id: result for each in messages for result in each.results}
                stored: list[Message] = []
                for each in messages:
                    if not each.calls:
                        stored += [] if each.results else [each]
                        continue
                    for place, call in enumerate(each.calls):
                        stored.append(msgspec.structs.replace(each, text="" if place else each.text, calls=(call,)))
                        if call.id in results:
                            stored.append(Message(role="tool", results=(results[call.id],)))
                await super().append(stored)


class InputStoredLast(Mutant):
    """Per-service-call persistence stores what a run says behind the answer to it, where no tool is called."""

    imitates = "https://github.com/openai/openai-agents-python/issues/3852"
    expected = frozenset({"PER-11", "PER-17", "PER-18", "THR-05", "THR-10"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that is told of an input when all is done."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append the input of a run that called no tool last."""
                said = [each for each in messages if each.role == "user"]
                rest = [each for each in messages if each.role != "user"]
                await super().append([*rest, *said] if len(rest) == 1 and not rest[0].calls else messages)
