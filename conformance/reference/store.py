"""Where a local thread's history is: with an explicit provider, or on the thread itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from conformance.reference.thread import Thread
from conformance.trace import Message
from conformance.world.history import HistoryStore


class Store(Protocol):
    """Loads and appends one thread's history."""

    async def load(self) -> tuple[Message, ...]:
        """Everything so far, oldest first."""
        ...

    async def append(self, messages: Sequence[Message]) -> None:
        """Append what is new."""
        ...


class ThreadStore:
    """The default: the thread keeps its messages."""

    def __init__(self, thread: Thread) -> None:
        self._thread = thread

    async def load(self) -> tuple[Message, ...]:
        """Everything so far, oldest first."""
        return tuple(self._thread.messages)

    async def append(self, messages: Sequence[Message]) -> None:
        """Append what is new."""
        self._thread.messages.extend(messages)


class ProviderStore:
    """An explicitly configured history provider."""

    def __init__(self, history: HistoryStore, thread: Thread) -> None:
        self._history = history
        self._thread = thread

    async def load(self) -> tuple[Message, ...]:
        """Everything so far, oldest first."""
        return await self._history.load(self._thread.key)

    async def append(self, messages: Sequence[Message]) -> None:
        """Append what is new."""
        await self._history.append(self._thread.key, messages)
