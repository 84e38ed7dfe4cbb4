"""The event loop of a performance: it sees when nothing is left to do, so that a hang is known at once, on any machine.

A loop is idle when no callback is ready, no timer is due within the time that a step may take, no file descriptor is watched but
the loop's own, no function runs in an executor, and no thread is alive that came up during a performance: each of these could still
bring what is waited for. Where one of them could, only a clock can tell.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar
from weakref import WeakSet

T = TypeVar("T")

PAUSE = 0.05
"""Seconds after which a loop that something else could wake looks again whether it still could: a thread may end in silence."""

_strangers: WeakSet[threading.Thread] = WeakSet()
"""Threads that came up during any performance: one that a framework keeps may wake the loop of a later one."""


class _Selector(selectors.DefaultSelector):
    """Tells of idleness instead of sleeping. seconds: a timer that is due later counts for nothing."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.could_wake: Callable[[], bool] = lambda: True
        self.idle: Callable[[], None] = lambda: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= self.seconds:
            return super().select(timeout)
        waits = self.could_wake()  # asked first: whoever is gone by now has left its signal, which is then found
        found = super().select(PAUSE if waits else 0)
        if not found and not waits:
            self.idle()
        return found


class WatchedLoop(asyncio.SelectorEventLoop):
    """Calls `idle` whenever nothing is left to do; that has to make something ready, or to raise what ends the loop.

    seconds: a timer that is due later counts for nothing. here: the threads that were there before the performance.
    """

    def __init__(self, idle: Callable[[], None], seconds: float, here: frozenset[threading.Thread]) -> None:
        selector = _Selector(seconds)
        super().__init__(selector)
        self._watching = selector
        self._own_descriptors = len(selector.get_map())
        self._here = here
        self._pool: ThreadPoolExecutor | None = None
        self._pooled: set[threading.Thread] = set()
        self._working: set[Future[Any]] = set()
        selector.could_wake, selector.idle = self._could_wake, idle

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """As every loop does it, and note what is at work."""
        if executor is None:
            executor = self._default_pool()
        work = executor.submit(func, *args)
        future = asyncio.wrap_future(work, loop=self)
        self._working.add(work)
        work.add_done_callback(self._working.discard)  # after `wrap_future` has its own: the loop is woken before
        return future

    def _default_pool(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(
                thread_name_prefix="asyncio", initializer=lambda: self._pooled.add(threading.current_thread())
            )
            self.set_default_executor(self._pool)
        return self._pool

    def _could_wake(self) -> bool:
        return bool(self._working) or len(self._watching.get_map()) > self._own_descriptors or bool(self._others())

    def _others(self) -> set[threading.Thread]:
        """The implementation's own threads."""
        alive = set(threading.enumerate())
        _strangers.update(alive - self._here - {threading.current_thread()})
        return alive.intersection(_strangers) - self._pooled
