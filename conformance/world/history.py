"""The history store of an agent: what a history provider loads from and appends to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from conformance.trace import HistoryAppended, HistoryLoaded, Message

if TYPE_CHECKING:
    from conformance.world import World


class HistoryStore:
    """Conversations under keys that the implementation chooses (a thread's or a session's name for itself)."""

    def __init__(self, world: World, agent: str) -> None:
        self._world = world
        self._agent = agent
        self._kept: dict[str, list[Message]] = {}

    async def load(self, key: str) -> tuple[Message, ...]:
        """The messages under a key, oldest first."""
        await asyncio.sleep(0)  # a real store would wait here, and let another run go on
        messages = tuple(self._kept.get(key, ()))
        self._world.record(HistoryLoaded, agent=self._agent, key=self._name(key), messages=messages)
        return messages

    async def append(self, key: str, messages: Sequence[Message]) -> None:
        """Append messages under a key."""
        await asyncio.sleep(0)
        self._kept.setdefault(key, []).extend(messages)
        self._world.record(HistoryAppended, agent=self._agent, key=self._name(key), messages=tuple(messages))

    def _name(self, key: str) -> str:
        return self._world.name_of(key, "history") or ""
