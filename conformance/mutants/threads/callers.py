"""Faults with the objects of the caller: its input, its options, the response that it gets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.thread import Thread
from conformance.trace.exchange import Response, Turn
from conformance.trace.messages import Message


class AnswerPutIntoTheInput(Mutant):
    """A run appends its answer to the caller's own list of messages."""

    imitates = "https://github.com/NousResearch/hermes-agent/pull/229"
    expected = frozenset({"THR-26"})

    class agent_type(Agent):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Take the list for the conversation."""
            response = await super().run(thread, turn, emit, stream=stream)
            messages = cast("object", turn.messages)
            if isinstance(messages, list):
                cast("list[Message]", messages).extend(response.messages)
            return response


class IdPutIntoTheOptions(Mutant):
    """A run writes its thread's conversation id into the caller's own options."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4864"
    expected = frozenset({"THR-26"})

    class agent_type(Agent):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Complete the options in place."""
            response = await super().run(thread, turn, emit, stream=stream)
            msgspec.structs.force_setattr(turn, "conversation_id", thread.conversation_id)
            return response


class InputKeptByReference(Mutant):
    """A thread keeps the caller's own message objects."""

    imitates = "https://github.com/google/adk-python/pull/7213"
    expected = frozenset({"THR-36"})

    class agent_type(Agent):
        """The faulty agent."""

        def taken(self, messages: Iterable[Message]) -> tuple[Message, ...]:
            """Take them as they are."""
            return tuple(messages)


class ResponseHandedOutByReference(Mutant):
    """The messages of a response are the very objects that the thread keeps."""

    imitates = "https://github.com/google/adk-python/pull/7105"
    expected = frozenset({"THR-36"})

    class agent_type(Agent):
        """The faulty agent."""

        def handed(self, messages: Iterable[Message]) -> tuple[Message, ...]:
            """Hand out what is kept."""
            return tuple(messages)
