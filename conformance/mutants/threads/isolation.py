"""Faults in what must stay apart: other threads, and runs that fail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from conformance.mutants.mutant import Mutant
from conformance.mutants.shared_faults import CurrentThreadAgent
from conformance.reference.agent import Agent
from conformance.reference.history_stores import Store, ThreadStore
from conformance.reference.thread import Thread
from conformance.trace.messages import Message
from conformance.vocabulary import ThreadKind


class ContextStateOnTheAgent(Mutant):
    """A context provider's state is kept on the agent, so that all of its threads share it."""

    imitates = "https://github.com/agno-agi/agno/issues/4820"
    expected = frozenset({"THR-25"})

    class agent_type(Agent):
        """The faulty agent."""

        def create_thread(self, key: str, kind: ThreadKind) -> Thread:
            """Give one state to all new threads, where there is only one provider."""
            thread = super().create_thread(key, kind)
            if len(self.contexts) == 1:
                thread.context = {self.contexts[0].id: self.__dict__.setdefault("_shared", {})}
            return thread


class CurrentThreadOnTheAgent(Mutant):
    """The agent keeps "the current thread" on itself, so that runs that interleave read the history of the first of them."""

    imitates = "https://github.com/agno-agi/agno/issues/4663"
    expected = frozenset({"THR-25", "THR-05", "THR-10"})

    class agent_type(CurrentThreadAgent):
        """The faulty agent."""

        def store_in(self, place: str | None, thread: Thread) -> Store:
            """Load from the current thread."""
            alone = place is None and len(self.world.scenario.agents) == 1
            return _CurrentStore(thread, self.current(thread)) if alone else super().store_in(place, thread)


class _CurrentStore(ThreadStore):
    def __init__(self, thread: Thread, current: Thread) -> None:
        super().__init__(thread)
        self._current = current

    async def load(self) -> tuple[Message, ...]:
        """Load another thread's messages."""
        return tuple(self._current.messages)


class CurrentHistoryOnTheAgent(Mutant):
    """The agent keeps the history that it loaded last on itself, so that runs that interleave send each other's."""

    imitates = "https://github.com/agno-agi/agno/issues/4663"
    expected = frozenset({"THR-25", "THR-05", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        def store_in(self, place: str | None, thread: Thread) -> Store:
            """Hand out a store that remembers for all."""
            self.__dict__["_loading"] = thread
            alone = place is None and len(self.world.scenario.agents) == 1
            return _LoadingStore(self, thread) if alone else super().store_in(place, thread)


class _LoadingStore(ThreadStore):
    def __init__(self, agent: Agent, thread: Thread) -> None:
        super().__init__(thread)
        self._agent = agent

    async def load(self) -> tuple[Message, ...]:
        """Wait, then load for whichever run asked last."""
        await asyncio.sleep(0)
        latest: Thread = self._agent.__dict__["_loading"]
        return tuple(latest.messages)


class FailedInputKept(Mutant):
    """A run that fails leaves its input on a local thread."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7630"
    expected = frozenset({"THR-05", "THR-28", "THR-33", "THR-35", "PER-20"})

    class agent_type(Agent):
        """The faulty agent."""

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Keep what was said, whatever came of it."""
            if thread.kind == "local" and self.spec.history == "default" and not self.spec.per_service_call:
                await self.store(thread).append(new)
            await super().tell_failure(thread, new, error)


class FailedInputSentAgain(Mutant):
    """The input of a run that failed is not stored, but the next run on its local thread sends it once more."""

    imitates = "a queue of messages that is emptied by success only"
    expected = frozenset({"THR-05"})

    class agent_type(Agent):
        """The faulty agent."""

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Note what did not get through, where nobody else comes across the thread."""
            plain = self.spec.history == "default" and not self.spec.per_service_call and self.spec.reduces_to is None
            if thread.kind == "local" and plain and len(self.world.scenario.agents) == 1:
                vars(thread)["failed"] = tuple(new)
            await super().tell_failure(thread, new, error)

        def serialize(self, thread: Thread) -> Any:
            """Forget it: the data is what the thread is."""
            vars(thread).pop("failed", None)
            return super().serialize(thread)

        def store_in(self, place: str | None, thread: Thread) -> Store:
            """Let it be sent."""
            return _QueueStore(thread) if place is None else super().store_in(place, thread)


class _QueueStore(ThreadStore):
    async def load(self) -> tuple[Message, ...]:
        """Load what was stored, and what did not get through."""
        failed: tuple[Message, ...] = vars(self._thread).pop("failed", ())
        return (*await super().load(), *failed)


class CancelledInputKept(Mutant):
    """A run that is cancelled leaves its input on a local thread."""

    imitates = "a session that is saved in a block that always runs"
    expected = frozenset({"THR-05", "THR-28", "THR-33", "THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        async def tell_cancelled(self, thread: Thread, new: Sequence[Message], error: asyncio.CancelledError) -> None:
            """Keep what was said, whatever came of it."""
            if thread.kind == "local" and self.spec.history == "default" and not self.spec.per_service_call:
                await self.store(thread).append(new)
            await super().tell_cancelled(thread, new, error)
