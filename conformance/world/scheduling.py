"""Who may go on next, where several are in flight: concurrency is chosen, not awaited."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable, Sequence

PATIENCE = 1.0
"""Seconds after which someone goes on out of turn: an implementation may never start the one that the order names next."""


class Order:
    """Lets labelled callers pass in a given order; labels that the order does not hold (any more) pass at once."""

    def __init__(self, labels: Sequence[Hashable] = ()) -> None:
        self._ahead: deque[Hashable] = deque(labels)
        self._moved = asyncio.Condition()

    async def wait(self, label: Hashable) -> None:
        """Return when it is this label's turn."""
        if not self._ahead:
            return
        await asyncio.sleep(0)  # so that whoever is to be in flight at once has begun before the first one passes
        async with self._moved:
            try:
                async with asyncio.timeout(PATIENCE):  # `asyncio.wait_for` may swallow a cancellation
                    await self._moved.wait_for(lambda: self._free(label))
            except TimeoutError:
                self._ahead.clear()
                self._moved.notify_all()

    async def passed(self, label: Hashable) -> None:
        """The label used its turn: the next one may go."""
        async with self._moved:
            if self._ahead and self._ahead[0] == label:
                self._ahead.popleft()
            self._moved.notify_all()

    async def left(self, label: Hashable) -> None:
        """The label will not come again: its turns that are left fall out of the order."""
        async with self._moved:
            self._ahead = deque(other for other in self._ahead if other != label)
            self._moved.notify_all()

    def _free(self, label: Hashable) -> bool:
        return label not in self._ahead or self._ahead[0] == label
