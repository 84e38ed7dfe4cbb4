"""Who may go on next, where several are in flight: concurrency is chosen, not awaited."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable, Sequence


class Order:
    """Lets labelled callers pass in a given order; labels that the order does not hold (any more) pass at once.

    one_at_a_time: from its beginning or its turn until it waits again a label is alone, and the others wait. In one event loop
    nothing is left to chance without that; over sockets it is chance which of two at work is heard first.
    """

    def __init__(self, labels: Sequence[Hashable] = (), *, one_at_a_time: bool = False) -> None:
        self._ahead: deque[Hashable] = deque(labels)
        self._waiting: list[asyncio.Future[None]] = []
        self._one_at_a_time = one_at_a_time
        self._at_work: Hashable | None = None

    async def begin(self, label: Hashable) -> None:
        """Return when the label may begin; it needs no turn for that."""
        while not self._alone(label):
            await self._any_move()
        self._at_work = label

    async def wait(self, label: Hashable) -> None:
        """Return when it is this label's turn."""
        if not (self._ahead or self._one_at_a_time):
            return
        self._rest(label)
        await asyncio.sleep(0)  # so that whoever is to be in flight at once has begun before the first one passes
        while not (self._alone(label) and self._is_next(label)):
            await self._any_move()
        self._at_work = label

    def passed(self, label: Hashable) -> None:
        """The label used its turn: the next one may go."""
        if self._ahead and self._ahead[0] == label:
            self._ahead.popleft()
        self._move()

    def left(self, label: Hashable) -> None:
        """The label will not come again: its turns that are left fall out of the order."""
        self._ahead = deque(other for other in self._ahead if other != label)
        self._rest(label)
        self._move()

    def give_up(self) -> bool:
        """Let everyone go on out of turn, in the order in which they came to wait; False where nobody waits.

        An implementation may never start the one that the order names next.
        """
        if not self._waiting:
            return False
        self._ahead.clear()
        self._one_at_a_time = False
        self._move()
        return True

    def _rest(self, label: Hashable) -> None:
        if self._at_work == label:
            self._at_work = None
            if self._one_at_a_time:
                self._move()

    async def _any_move(self) -> None:
        moved = asyncio.get_running_loop().create_future()
        self._waiting.append(moved)
        try:
            await moved
        finally:
            self._waiting.remove(moved)

    def _move(self) -> None:
        for moved in self._waiting:
            if not moved.done():
                moved.set_result(None)

    def _alone(self, label: Hashable) -> bool:
        return not self._one_at_a_time or self._at_work in (None, label)

    def _is_next(self, label: Hashable) -> bool:
        return label not in self._ahead or self._ahead[0] == label
