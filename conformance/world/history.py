"""The history store of an agent: what a history provider loads from and appends to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from conformance.trace import Broke, HistoryAppended, HistoryFailed, HistoryLoaded, Message
from conformance.world.errors import ProviderError

if TYPE_CHECKING:
    from conformance.world import World

Operation = Literal["load", "append"]


class HistoryStore:
    """Conversations under keys that the implementation chooses (a thread's or a session's name for itself).

    Where somebody else's history provider is under test, that one keeps the messages, and what it does is told here: `may_fail`
    before it loads or appends, then `loaded`, `appended` or `broke`.
    """

    def __init__(self, world: World, agent: str) -> None:
        self._world = world
        self._agent = agent
        self._kept: dict[str, list[Message]] = {}

    async def load(self, key: str) -> tuple[Message, ...]:
        """The messages under a key, oldest first. Raises ProviderError where the script of the run says so."""
        await asyncio.sleep(0)  # a real store would wait here, and let another run go on
        self.may_fail("load", key)
        messages = tuple(self._kept.get(key, ()))
        self.loaded(key, messages)
        return messages

    async def append(self, key: str, messages: Sequence[Message]) -> None:
        """Append messages under a key. Raises ProviderError where the script of the run says so; nothing is appended then."""
        await asyncio.sleep(0)
        self.may_fail("append", key, messages)
        self._kept.setdefault(key, []).extend(messages)
        self.appended(key, messages)

    def may_fail(self, operation: Operation, key: str, messages: Sequence[Message] = ()) -> None:
        """Raise ProviderError where the script of the run says that this load or append fails. messages: what is to be appended."""
        if self._world.scripts and self._world.script.history_fails(operation):
            text = f"the history store fails to {operation}"
            self._world.record(
                HistoryFailed, agent=self._agent, key=self._name(key), operation=operation, text=text, messages=tuple(messages)
            )
            raise ProviderError(text)

    def loaded(self, key: str, messages: Sequence[Message]) -> None:
        """This was loaded."""
        self._world.record(HistoryLoaded, agent=self._agent, key=self._name(key), messages=tuple(messages))

    def appended(self, key: str, messages: Sequence[Message]) -> None:
        """This was appended."""
        self._world.record(HistoryAppended, agent=self._agent, key=self._name(key), messages=tuple(messages))

    def broke(self, operation: Operation, error: Exception) -> None:
        """A provider under test failed although no script says so: nothing of the scenario can be judged."""
        from conformance.world import stable

        text = f"the history provider of agent {self._agent!r} failed to {operation}: {error!r}"
        self._world.record(Broke, cause="crash", text=stable(text))

    def _name(self, key: str) -> str:
        return self._world.name_of(key, "history") or ""
