"""Faults of streaming runs alone."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import Front, PerRunAgent
from conformance.reference.client import Emit
from conformance.reference.thread import Thread
from conformance.trace.exchange import Response, Turn
from conformance.trace.messages import Message


class _Streaming(PerRunAgent):
    """An agent that is faulty when it streams, where it persists at the end of a run."""

    async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
        """Note how the run is made."""
        vars(thread)["streams"] = stream
        return await super().run(thread, turn, emit, stream=stream)

    def fronts(self, thread: Thread) -> bool:
        """Only then."""
        return bool(vars(thread).get("streams")) and super().fronts(thread)


class StreamedAnswerNotStored(Mutant):
    """Per-run persistence of a streaming run does not store its last message."""

    imitates = "https://github.com/pydantic/pydantic-ai/issues/375"
    expected = frozenset({"PER-01", "PER-10", "PER-18", "PER-38", "THR-05", "THR-09", "THR-10", "THR-27"})

    class agent_type(_Streaming):
        """The faulty agent."""

        class front_type(Front):
            """The store that is written before the stream is at its end."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append what there was by then."""
                await super().append(messages[:-1])


class StreamedRunAppendedTwice(Mutant):
    """Per-run persistence of a streaming run appends it at the end of the stream, and when its response is put together."""

    imitates = "https://github.com/openai/openai-agents-python/pull/4312"
    expected = frozenset({"PER-01", "PER-09", "PER-12", "PER-18", "PER-38", "THR-05", "THR-10", "THR-27"})

    class agent_type(_Streaming):
        """The faulty agent."""

        class front_type(Front):
            """The store that hears of it twice."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append twice."""
                await super().append(messages)
                await super().append(messages)


class StreamedBufferStored(Mutant):
    """Streaming, a reply without a text is stored with that of the last one: they share a buffer that the loop reuses."""

    imitates = "https://github.com/NousResearch/hermes-agent/issues/56303"
    expected = frozenset({"PER-01", "PER-09", "PER-11", "PER-18", "PER-38", "THR-05", "THR-10", "THR-27"})

    class agent_type(_Streaming):
        """The faulty agent."""

        class front_type(Front):
            """The store of one buffer."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append what is in the buffer by now."""
                latest = messages[-1].text if messages[-1].role == "assistant" else ""
                await super().append(
                    [msgspec.structs.replace(each, text=each.text or latest) if each.calls else each for each in messages]
                )


class StreamedPerServiceCallUnasked(Mutant):
    """A streaming run is persisted in parts, although it is to be persisted at its end."""

    imitates = "https://github.com/run-llama/llama_index/pull/11675"
    expected = frozenset({"PER-01", "PER-38"})

    class agent_type(_Streaming):
        """The faulty agent."""

        class front_type(Front):
            """The store that is written message by message."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append each."""
                for each in messages:
                    await super().append([each])
