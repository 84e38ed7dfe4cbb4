"""Who is told of a run: context providers, and observers of its thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from conformance.reference.loop import Outcome
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread, copied
from conformance.trace.exchange import ThreadState
from conformance.trace.messages import Message


class Telling(Setting):
    """Tells them, each once before and once after a run."""

    def context_state(self, thread: Thread, provider: str) -> dict[str, Any]:
        """A context provider's state: on the thread, under the provider's id."""
        return thread.context.setdefault(provider, {})

    async def invoke(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
        """Ask the context providers, in their order, for what they add."""
        adds: list[Message] = []
        for provider in self.contexts:
            adds.extend(copied(await provider.invoking(self.context_state(thread, provider.id), copied(new))))
        return adds

    async def settle(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
        """The run succeeded, or waits: note what waits, tell the context providers."""
        thread.waiting = outcome.waiting
        await self._tell(thread, [*new, *outcome.produced], None)

    async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
        """Context providers learn of a failure; nothing is stored."""
        await self._tell(thread, new, error)

    async def tell_cancelled(self, thread: Thread, new: Sequence[Message], error: asyncio.CancelledError) -> None:
        """Context providers learn that the caller cancelled the run; nothing is stored."""
        await self._tell(thread, new, error)

    async def _tell(self, thread: Thread, messages: Sequence[Message], error: BaseException | None) -> None:
        for provider in self.contexts:
            await provider.invoked(self.context_state(thread, provider.id), copied(messages), error)

    async def look(self, moment: Literal["before", "after"], thread: Thread) -> None:
        """Let the observer look at the thread of a run."""
        if self.spec.observed:
            await self.world.observer(self.name).look(moment, lambda: self.shown(thread))

    async def shown(self, thread: Thread) -> ThreadState:
        """What an observer sees: what the thread holds, and nothing for which anybody would have to be asked."""
        return self.describe(thread)
