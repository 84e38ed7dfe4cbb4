"""The event log of one performance: what happened, stamped with its step and run, with stable names for every id."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, cast

from conformance.trace.harness_events import Broke, Event
from conformance.trace.trace import AnyEvent
from conformance.world.errors import Endless
from conformance.world.script import Script

_UNSTABLE = re.compile(r"0x[0-9a-fA-F]{6,}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|(?<![0-9a-zA-Z])[0-9a-f]{32}")

MOST_EVENTS = 10_000
"""Events after which a performance ends: what never rests would fill the memory before any timeout could stop it."""


class EventLog:
    """What the fakes record in. step: the step that is being performed. scripts: one for each run that began."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self.step = 0
        self.scripts: list[Script] = []
        self._endless = False
        self._current: ContextVar[Script | None] = ContextVar("current", default=None)
        self._names: dict[tuple[str, str], str] = {}
        self._names_outside: dict[str, str] = {}
        self._issued: set[str] = set()
        self._counted: dict[str, int] = {}

    @property
    def script(self) -> Script:
        """The script of the run that the caller belongs to; of the latest run where nothing tells."""
        return self._current.get() or self.scripts[-1]

    @contextmanager
    def during(self, script: Script) -> Generator[None]:
        """Everything called in here, and every task started in here, belongs to the script's run."""
        token = self._current.set(script)
        try:
            yield
        finally:
            with suppress(ValueError):  # a coroutine that is thrown away with its event loop ends in another context
                self._current.reset(token)

    def record(self, event: type[Event], /, **fields: Any) -> None:
        """Append an event, stamped with the step and the run that the caller belongs to. Raises Endless after too many."""
        if len(self.events) >= MOST_EVENTS:
            if not self._endless:
                self._endless = True
                self.events.append(Broke(step=self.step, cause="timeout", text=f"no end after {MOST_EVENTS} events"))
            raise Endless
        script = self._current.get()
        if "run" not in fields and script is not None:
            fields["run"] = script.number
        self.events.append(event(step=self.step, **fields))  # type: ignore[arg-type]

    def give_up_orders(self) -> bool:
        """Let those who wait for their turn go on out of turn; False where nobody waits."""
        return any([script.order.give_up() for script in self.scripts])

    def next_call(self) -> int:
        """The number of the next service call, from 0."""
        return self._count("call") - 1

    def next_call_id(self) -> str:
        """A fresh id for a function call."""
        return f"call-{self._count('function call')}"

    def next_conversation_id(self, agent: str) -> str:
        """A fresh conversation id of an agent's service."""
        id = f"{agent}-{self._count('conversation ' + agent)}"
        self._issued.add(id)
        return id

    def also_called(self, id: str, outside: str) -> None:
        """The implementation knows an id of the world under another name."""
        self._names_outside[outside] = id

    def name_of(self, id: str | None, sort: str) -> str | None:
        """A stable name for an id: its own where the world issued it, else one by order of appearance."""
        id = self._names_outside.get(id or "", id)
        if id is None or id in self._issued:
            return id
        known = sum(1 for other, _ in self._names if other == sort)
        return self._names.setdefault((sort, id), f"{sort}-{known + 1}")

    def renamed(self, data: Any) -> Any:
        """JSON data with a stable name for every id in it."""
        if isinstance(data, dict):
            entries = cast("dict[str, Any]", data).items()
            return {self.renamed(key): self.renamed(value) for key, value in entries}
        if isinstance(data, list):
            return [self.renamed(value) for value in cast("list[Any]", data)]
        if not isinstance(data, str):
            return data
        if data in self._names_outside:
            return self._names_outside[data]
        return _UNSTABLE.sub(lambda found: self.name_of(found[0], "id") or "", data)

    def _count(self, what: str) -> int:
        self._counted[what] = self._counted.get(what, 0) + 1
        return self._counted[what]


def stable(text: str) -> str:
    """A text without memory addresses and random ids, cut to a readable length."""
    return _UNSTABLE.sub("…", text)[:500]
