"""Observers: what looks at a thread before and after a run, such as middleware or a callback."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from conformance.evidence import Moment
from conformance.trace import Observed, Observing

if TYPE_CHECKING:
    from conformance.implementation import ThreadState
    from conformance.world import World


class Observer:
    """Looks at the threads of one agent's runs."""

    def __init__(self, world: World, agent: str) -> None:
        self._world = world
        self._agent = agent

    async def look(self, moment: Moment, state: Callable[[], Awaitable[ThreadState]]) -> None:
        """Look at the thread as the observer sees it. What the look itself leads to stands between two events."""
        self._world.record(Observing, agent=self._agent, moment=moment)
        seen = await state()
        self._world.record(
            Observed,
            agent=self._agent,
            moment=moment,
            kind=seen.kind,
            conversation_id=self._world.name_of(seen.conversation_id, "foreign"),
            messages=seen.messages,
        )
