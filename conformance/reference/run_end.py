"""How a run ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from conformance.reference.history_home import HistoryHome
from conformance.reference.listeners import Listeners
from conformance.reference.loop import Outcome
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread
from conformance.trace.messages import Message


class RunEnd:
    """Says what becomes of a run's thread, and to whom it is told."""

    def __init__(self, setting: Setting, home: HistoryHome, listeners: Listeners) -> None:
        self.setting = setting
        self.home = home
        self.listeners = listeners

    async def succeeded(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
        """The run succeeded, or waits: note what waits, tell the context providers."""
        thread.waiting = outcome.waiting
        await self.listeners.invoked(thread, [*new, *outcome.produced], None)

    async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
        """Context providers learn of a failure; nothing is stored."""
        await self.listeners.invoked(thread, new, error)

    async def cancelled(self, thread: Thread, new: Sequence[Message], error: asyncio.CancelledError) -> None:
        """Context providers learn that the caller cancelled the run; nothing is stored."""
        await self.listeners.invoked(thread, new, error)
