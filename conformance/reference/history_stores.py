"""Where a local thread's history is: with an explicit provider, on the thread itself, or partly here and partly there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Protocol

from conformance.reference.thread import Thread, copied
from conformance.trace.messages import Message
from conformance.world.history_store import HistoryStore


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
        self._thread.grew(None, len(messages))


class ProviderStore:
    """An explicitly configured history provider; `place`: whose it is. Like a database it keeps and hands out copies."""

    def __init__(self, history: HistoryStore, thread: Thread, place: str) -> None:
        self._history = history
        self._thread = thread
        self._place = place

    async def load(self) -> tuple[Message, ...]:
        """Everything so far, oldest first."""
        return copied(await self._history.load(self._thread.key))

    async def append(self, messages: Sequence[Message]) -> None:
        """Append what is new."""
        await self._history.append(self._thread.key, copied(messages))
        self._thread.grew(self._place, len(messages))


class ScatteredStore:
    """The history of a thread on which agents with different stores took turns: each turn lies where its agent appended it."""

    def __init__(self, thread: Thread, own: Store, places: Mapping[str | None, Store]) -> None:
        self._thread = thread
        self._own = own
        self._places = places

    async def load(self) -> tuple[Message, ...]:
        """Everything so far, oldest first."""
        kept = {place: iter(await store.load()) for place, store in self._places.items()}
        return tuple(message for each in self._thread.trail for message in islice(kept[each.place], each.count))

    async def append(self, messages: Sequence[Message]) -> None:
        """Append what is new where this agent's history belongs."""
        await self._own.append(messages)


def reduced(history: Sequence[Message], new: Sequence[Message], most: int) -> tuple[Message, ...]:
    """The end of a history that makes at most so many messages together with the new input, all of which is sent.

    A call and its results stay together: they are sent all or none. A call that the new input answers is always sent.
    """
    answered = {result.id for message in new for result in message.results}
    kept: list[Message] = []
    for unit in reversed(_units(history)):
        awaited = any(call.id in answered for message in unit for call in message.calls)
        if len(kept) + len(unit) + len(new) > most and not awaited:
            break
        kept[:0] = unit
    return tuple(kept)


def _units(history: Sequence[Message]) -> list[list[Message]]:
    """Messages that belong together: one with calls and those with their results, every other one alone."""
    units: list[list[Message]] = []
    for message in history:
        called = {call.id for earlier in (units[-1] if units else ()) for call in earlier.calls}
        if any(result.id in called for result in message.results):
            units[-1].append(message)
        else:
            units.append([message])
    return units
