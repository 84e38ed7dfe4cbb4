"""Faults of streaming runs alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.history_stores import Store
from conformance.reference.loop import Outcome
from conformance.reference.thread import Thread
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.trace.exchange import ChunkSeen, Response, Turn
from conformance.trace.messages import Message


class StreamedResponseIsItsEnd(Mutant):
    """The response of a streaming run holds its last message only."""

    imitates = "a response that is joined from the chunks of the last service call"
    expected = frozenset({"PER-44", "THR-27"})

    async def stream(self, agent: Agent | WorkflowAgent, thread: Any, turn: Turn) -> AsyncIterator[ChunkSeen | Response]:
        """Forget what came before the answer."""
        seen = super().stream(agent, thread, turn)
        try:
            async for each in seen:
                if isinstance(each, Response) and isinstance(agent, Agent):
                    yield msgspec.structs.replace(each, messages=each.messages[-1:])
                else:
                    yield each
        finally:
            if isinstance(seen, AsyncGenerator):
                await seen.aclose()


class StreamedToolMessagesForgotten(Mutant):
    """A streaming run on a local thread does not keep its tool messages."""

    imitates = "https://github.com/openai/openai-agents-python/pull/2433"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "THR-27", "THR-33", "THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Note how the run is made."""
            vars(thread)["streams"] = stream
            return await super().run(thread, turn, emit, stream=stream)

        async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            """Keep texts."""
            if thread.kind == "local" and self.spec.history == "default" and vars(thread).get("streams"):
                texts = [each for each in outcome.produced if not (each.calls or each.results)]
                outcome = replace(outcome, produced=texts)
            await super().keep(thread, store, new, outcome, local=local)


class StreamIgnoresTheThread(Mutant):
    """A streaming run on a local thread does not send what was said before."""

    imitates = "https://github.com/microsoft/agent-framework/issues/3848"
    expected = frozenset({"THR-05", "THR-10", "THR-27", "THR-33", "THR-34", "THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Run as if the thread were new, and put the turn behind the rest."""
            if not stream or thread.kind != "local":
                return await super().run(thread, turn, emit, stream=stream)
            earlier = thread.messages[:]
            thread.messages.clear()
            try:
                return await super().run(thread, turn, emit, stream=stream)
            finally:
                thread.messages[:0] = earlier
