"""The fault behind several mutants: an agent keeps "the current thread" on itself, although runs may interleave."""

from __future__ import annotations

from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.thread import Thread
from conformance.trace.exchange import Response, Turn


class CurrentThreadAgent(Agent):
    """An agent that keeps the thread of the run that began first, while that run lasts."""

    def current(self, thread: Thread) -> Thread:
        """The current thread; this one where no run is under way."""
        return self.__dict__.get("_current", thread)

    async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
        """Keep the thread while nobody else keeps one."""
        mine = self.__dict__.setdefault("_current", thread) is thread
        try:
            return await super().run(thread, turn, emit, stream=stream)
        finally:
            if mine:
                self.__dict__.pop("_current", None)
