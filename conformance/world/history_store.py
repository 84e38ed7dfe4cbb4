"""The history store of an agent: what a history provider loads from and appends to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

from conformance.trace.harness_events import Broke, HistoryAppended, HistoryFailed, HistoryLoaded
from conformance.trace.messages import Message
from conformance.world.errors import ProviderError
from conformance.world.event_log import EventLog, stable

Operation = Literal["load", "append"]


class HistoryStore:
    """Conversations under keys that the implementation chooses (a thread's or a session's name for itself).

    Where somebody else's history provider is under test, that one keeps the messages, and what it does is told here: `may_fail`
    before it loads or appends, then `loaded`, `appended` or `broke`.
    """

    def __init__(self, log: EventLog, agent: str) -> None:
        self._log = log
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
        if self._log.scripts and self._log.script.history_fails(operation):
            text = f"the history store fails to {operation}"
            self._log.record(
                HistoryFailed, agent=self._agent, key=self._name(key), operation=operation, text=text, messages=tuple(messages)
            )
            raise ProviderError(text)

    def loaded(self, key: str, messages: Sequence[Message]) -> None:
        """This was loaded."""
        self._log.record(HistoryLoaded, agent=self._agent, key=self._name(key), messages=tuple(messages))

    def appended(self, key: str, messages: Sequence[Message]) -> None:
        """This was appended."""
        self._log.record(HistoryAppended, agent=self._agent, key=self._name(key), messages=tuple(messages))

    def broke(self, operation: Operation, error: Exception) -> None:
        """A provider under test failed although no script says so: nothing of the scenario can be judged."""
        text = f"the history provider of agent {self._agent!r} failed to {operation}: {error!r}"
        self._log.record(Broke, cause="crash", text=stable(text))

    def _name(self, key: str) -> str:
        return self._log.name_of(key, "history") or ""
