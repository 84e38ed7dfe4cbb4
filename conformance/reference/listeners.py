"""Who listens to a run: context providers, and the observer of its thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from conformance.reference.errors import Invalid
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread, copied
from conformance.reference.threads import Threads
from conformance.trace.exchange import ThreadState
from conformance.trace.messages import Message


class Listeners:
    """Tells them, each once before and once after a run. Raises Invalid where it is made for an agent whose providers clash."""

    def __init__(self, setting: Setting, threads: Threads) -> None:
        self.setting = setting
        self.threads = threads
        self.contexts = setting.contexts
        self.check_contexts()

    def check_contexts(self) -> None:
        """Raise Invalid where two context providers have one id: they would share their state."""
        seen: set[str] = set()
        for provider in self.contexts:
            if provider.id in seen:
                raise Invalid(
                    f"agent {self.setting.name!r} has two context providers with the id {provider.id!r}; give each its own"
                )
            seen.add(provider.id)

    def context_state(self, thread: Thread, provider: str) -> dict[str, Any]:
        """A context provider's state: on the thread, under the provider's id."""
        return thread.context.setdefault(provider, {})

    async def invoking(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
        """Ask the context providers, in their order, for what they add."""
        adds: list[Message] = []
        for provider in self.contexts:
            adds.extend(copied(await provider.invoking(self.context_state(thread, provider.id), copied(new))))
        return adds

    async def invoked(self, thread: Thread, messages: Sequence[Message], error: BaseException | None) -> None:
        """Tell the context providers what a run came to."""
        for provider in self.contexts:
            await provider.invoked(self.context_state(thread, provider.id), copied(messages), error)

    async def look(self, moment: Literal["before", "after"], thread: Thread) -> None:
        """Let the observer look at the thread of a run."""
        if self.setting.spec.observed:
            await self.setting.world.observer(self.setting.name).look(moment, lambda: self.shown(thread))

    async def shown(self, thread: Thread) -> ThreadState:
        """What an observer sees: what the thread holds, and nothing for which anybody would have to be asked."""
        return self.threads.describe(thread)
