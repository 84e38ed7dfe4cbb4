"""Faults by which something of a successful run is not stored."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import Front, OrdinaryAgent, PerCallAgent, PerRunAgent
from conformance.scenario.specs import ToolSpec
from conformance.trace.messages import Message


class OnlyTheLastReplyStored(Mutant):
    """Per-run persistence stores the input and the last reply, and loses the tool traffic between them."""

    imitates = "https://github.com/CopilotKit/CopilotKit/issues/3884"
    expected = frozenset({"PER-01", "PER-10", "PER-18", "THR-05", "THR-09", "THR-10"})

    class agent_type(PerRunAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store of question and answer."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append what was said first and last."""
                await super().append([*(each for each in messages[:-1] if each.role == "user"), messages[-1]])


class ParallelResultsDropped(Mutant):
    """Per-service-call persistence stores the first result of parallel calls only."""

    imitates = "https://github.com/coze-dev/coze-studio/issues/2765"
    expected = frozenset({"PER-06", "PER-10", "PER-13", "PER-17", "PER-18", "THR-05", "THR-09", "THR-10"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store of one result a message."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Cut every tool message to its first result."""
                await super().append([msgspec.structs.replace(each, results=each.results[:1]) for each in messages])


class StoredValuesLost(Mutant):
    """The history provider stores results without their values."""

    imitates = "a serialization that keeps what it has a column for"
    expected = frozenset({"PER-01", "PER-03", "PER-06", "PER-08", "PER-10", "PER-17", "THR-05", "THR-09", "THR-10"})

    class agent_type(OrdinaryAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that strips."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append without values."""
                bare = [
                    msgspec.structs.replace(
                        each, results=tuple(msgspec.structs.replace(result, value="") for result in each.results)
                    )
                    for each in messages
                ]
                await super().append(bare)


class InputNotStored(Mutant):
    """Per-run persistence stores the response, and not the input that it answers."""

    imitates = "https://github.com/joslat/agent-memory-dotnet/issues/89"
    expected = frozenset({"PER-01", "PER-10", "PER-18", "THR-05", "THR-09", "THR-10"})

    class agent_type(PerRunAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store of what was said by the agent."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append without the user's messages."""
                await super().append([each for each in messages if each.role != "user"])


class OnlyTheLastInputStored(Mutant):
    """Of an input of several messages, per-service-call persistence stores the last."""

    imitates = "https://github.com/swisnl/agents-sdk/pull/34"
    expected = frozenset({"PER-06", "PER-10", "PER-17", "PER-18"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that takes an input for one message."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append a user's message only where none follows on it."""
                pairs = zip(messages, [*messages[1:], None], strict=True)
                cut = [each for each, after in pairs if after is None or (each.role, after.role) != ("user", "user")]
                await super().append(cut)


class ToolResultsNotStored(Mutant):
    """Per-service-call persistence stores calls without their results."""

    imitates = "https://github.com/HKUDS/nanobot/pull/3045"
    expected = frozenset({"PER-06", "PER-10", "PER-13", "PER-17", "PER-18", "THR-05", "THR-09", "THR-10"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store of what model and user say."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append without the tools' messages."""
                await super().append([each for each in messages if each.role != "tool"])


class ToolTrafficNotStored(Mutant):
    """Per-service-call persistence stores neither calls nor results."""

    imitates = "https://github.com/spring-projects/spring-ai/issues/2101"
    expected = frozenset({"PER-02", "PER-06", "PER-10", "PER-17", "PER-18", "THR-05", "THR-09", "THR-10"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store of what is said in words."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append texts."""
                await super().append([each for each in messages if not (each.calls or each.results)])


class CallsNotStored(Mutant):
    """Where a reply holds a text and calls, per-run persistence stores the text, and the results of calls that nobody made."""

    imitates = "https://github.com/Cloudgeni-ai/opengeni/pull/61"
    expected = frozenset({"PER-01", "PER-10", "PER-13", "PER-18", "THR-09"})

    class agent_type(PerRunAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that takes a message for its text."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append a message that has a text without its calls."""
                await super().append([msgspec.structs.replace(each, calls=()) if each.text else each for each in messages])


class TextBesideCallsLost(Mutant):
    """Where a reply holds a text and calls, per-run persistence stores the calls."""

    imitates = "https://github.com/pydantic/pydantic-ai/issues/2914"
    expected = frozenset({"PER-01", "PER-10", "PER-18", "THR-09"})

    class agent_type(PerRunAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that takes a message for its calls."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append a message that has calls without its text."""
                await super().append([msgspec.structs.replace(each, text="") if each.calls else each for each in messages])


class ErrorResultsNotStored(Mutant):
    """The result of a tool that raised is not stored."""

    imitates = "https://github.com/HKUDS/nanobot/pull/3045"
    expected = frozenset({"PER-01", "PER-03", "PER-10", "PER-13", "PER-17", "PER-23", "THR-05", "THR-09", "THR-10"})

    class agent_type(OrdinaryAgent):
        """The faulty agent."""

        def special(self, tool: ToolSpec) -> bool:
            """Raising is not."""
            return tool.terminates or tool.approval

        class front_type(Front):
            """The store of what went well."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append without errors."""
                cut = [
                    msgspec.structs.replace(each, results=tuple(result for result in each.results if not result.error))
                    for each in messages
                ]
                await super().append([each for each in cut if each.results or each.role != "tool"])
