"""The archive: threads that were turned into data, and whether that data stays what it was."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from conformance.implementation import ThreadState
from conformance.trace import DataChanged, Serialized
from conformance.world import World, stable


@dataclass
class Filed:
    """A thread's data, the very object that the implementation handed over; as text; and how the thread was described."""

    data: Any
    text: str
    state: ThreadState


class Archive:
    """The latest data of each thread that was serialized."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._filed: dict[str, Filed] = {}
        self._changed: set[str] = set()

    def file(self, thread: str, data: Any, state: ThreadState) -> None:
        """Keep a thread's data, and record it."""
        text, flaw = _plain(data)
        self._filed[thread] = Filed(data, text, state)
        self._changed.discard(thread)
        shown = self._world.renamed(json.loads(text)) if flaw is None else None
        self._world.record(Serialized, thread=thread, data=shown, flaw=flaw)

    def get(self, thread: str) -> Filed | None:
        """The latest data of a thread."""
        return self._filed.get(thread)

    def check(self) -> None:
        """Record, once for each, which data is no longer what it was."""
        for thread, filed in self._filed.items():
            if thread not in self._changed and _plain(filed.data)[0] != filed.text:
                self._changed.add(thread)
                self._world.record(DataChanged, source=thread, run=None)


def _plain(data: Any) -> tuple[str, str | None]:
    """The data as JSON text, and what is not plain JSON in it."""
    try:
        text = json.dumps(data)
    except (TypeError, ValueError, RecursionError) as error:
        return "", stable(f"{type(error).__name__}: {error}")
    if json.loads(text) != data:
        return text, "another value after a round trip through JSON"
    return text, None
