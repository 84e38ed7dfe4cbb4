"""Damage to the data of a thread: at a place that certainly holds the thread's own state, whatever the format is.

Only the implementation knows its format. But some values in it the harness knows: the thread's kind, its conversation id, what was
said on it. What holds one of them is state that cannot be missing or of another type; everything else is left alone, and so is
what may be anything: the state of context providers and the arguments of calls.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

from conformance.scenario.scenario import Damage
from conformance.trace.adapter_events import Serialized
from conformance.trace.exchange import ThreadState
from conformance.trace.harness_events import DataChanged
from conformance.world.event_log import stable
from conformance.world.world import World

Path = tuple[str | int, ...]

EXTRA = "surprise"
_UNKNOWN = "unheard-of"
_ANYTHING = ("arguments",)


@dataclass(frozen=True)
class DamagedData:
    """The damaged copy. path: the place as a person writes it. fields: the names by which an error may call it."""

    data: Any
    path: str
    fields: tuple[str, ...]


def damaged(data: Any, damage: Damage, state: ThreadState, providers: Collection[str]) -> DamagedData | None:
    """A copy of the data of a thread with one place damaged; None where the data has no such place.

    state: the thread as it was described when it became data. providers: the ids under which context state may stand.
    """
    words = _words(state)
    known = words | _said(state)
    places = [path for path, node in _places(data, known, (*providers, *_ANYTHING)) if _suits(path, node, damage, words)]
    if not places:
        return None
    path = places[damage.at % len(places)]
    copy = deepcopy(data)
    names = [key for key in path if isinstance(key, str)]
    fields = tuple(names[-1:])
    match damage.how:
        case "drop":
            del _at(copy, path[:-1])[path[-1]]
        case "cut":
            holder = _at(copy, path[:-1])
            fields = tuple(list(holder)[list(holder).index(path[-1]) :])
            for key in fields:
                del holder[key]
        case "extra":
            _at(copy, path)[EXTRA] = 1
            fields = (EXTRA,)
        case "retype":
            copy = _with(copy, path, "text" if isinstance(_at(copy, path), (dict, list)) else {})
        case "unknown":
            copy = _with(copy, path, _UNKNOWN)
    return DamagedData(copy, _written(path), fields)


def _words(state: ThreadState) -> set[str]:
    """Values that are one of a few legal words."""
    roles = {message.role for message in state.messages or ()}
    return {*roles, *([state.kind] if state.kind else [])}


def _said(state: ThreadState) -> set[str]:
    said = {state.conversation_id or ""}
    for message in state.messages or ():
        said |= {message.text, *(call.id for call in message.calls), *(call.tool for call in message.calls)}
        said |= {result.id for result in message.results}
    return said - {""}


def _places(node: Any, known: Collection[str], aside: Collection[str], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every place that holds something known, with what is there, outer places first."""
    inside: list[tuple[Path, Any]] = []
    if isinstance(node, dict):
        for key, value in cast("dict[str, Any]", node).items():
            if key not in aside:
                inside += _places(value, known, aside, (*path, key))
    elif isinstance(node, list):
        for place, value in enumerate(cast("list[Any]", node)):
            inside += _places(value, known, aside, (*path, place))
    if inside or (isinstance(node, str) and node in known):
        yield path, node
        yield from inside


def _suits(path: Path, node: Any, damage: Damage, words: Collection[str]) -> bool:
    match damage.how:
        case "drop" | "cut":
            return bool(path) and isinstance(path[-1], str)
        case "extra":
            return isinstance(node, dict)
        case "unknown":
            return isinstance(node, str) and node in words
        case "retype":
            return True


def _at(data: Any, path: Path) -> Any:
    for key in path:
        data = data[key]
    return data


def _with(data: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    _at(data, path[:-1])[path[-1]] = value
    return data


def _written(path: Path) -> str:
    return "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


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
