"""Observers: what looks at a thread before and after a run, such as middleware or a callback."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from conformance.trace.adapter_events import Observed
from conformance.trace.harness_events import Moment, Observing
from conformance.world.event_log import EventLog

if TYPE_CHECKING:
    from conformance.trace.exchange import ThreadState


class Observer:
    """Looks at the threads of one agent's runs."""

    def __init__(self, log: EventLog, agent: str) -> None:
        self._log = log
        self._agent = agent

    async def look(self, moment: Moment, state: Callable[[], Awaitable[ThreadState]]) -> None:
        """Look at the thread as the observer sees it. What the look itself leads to stands between two events."""
        self._log.record(Observing, agent=self._agent, moment=moment)
        seen = await state()
        self._log.record(
            Observed,
            agent=self._agent,
            moment=moment,
            kind=seen.kind,
            conversation_id=self._log.name_of(seen.conversation_id, "foreign"),
            messages=seen.messages,
        )
