"""Makes a scenario that proves something smaller: whatever the proof does not need is taken out of it.

Hypothesis shrinks what it drew, by its choices; this works on the scenario itself, so that it also serves fixtures and leaves no
agent, option or reply in a counterexample that has nothing to do with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from typing import Any, cast

import msgspec

from conformance.scenario import Scenario
from conformance.scenario_file import ScenarioError, check, encode

Path = tuple[str | int, ...]


def reduced(scenario: Scenario, proves: Callable[[Scenario], bool], *, tries: int) -> Scenario:
    """The smallest scenario on the way from this one that still proves it; `proves` is asked at most `tries` times.

    Every candidate is a whole scenario whose references hold.
    """
    best = _plain(msgspec.structs.replace(scenario, title=""))
    left = tries
    again = True
    while again:
        again = False
        for cut in _cuts(best):
            candidate = _whole(cut(best))
            if candidate is None:
                continue
            if not left:
                return _scenario(best)
            left -= 1
            if proves(candidate):
                best, again = _plain(candidate), True
    return _scenario(best)


def _cuts(data: Any) -> list[Callable[[Any], Any]]:
    """What could be made simpler: first everything that has to do with one name, then what runs at once, then single parts."""
    names = [name for sort in ("workflows", "agents") for name in data.get(sort, {})]
    names += [step["thread"] for step in data.get("steps", ()) if step["do"] == "create_thread"]
    names += [name for workflow in data.get("workflows", {}).values() for name in workflow.get("executors", {})]
    together = [place for place, step in enumerate(data.get("steps", ())) if step["do"] == "together"]
    return [
        *(partial(_purged, name=name) for name in names),
        *(partial(_apart, place=place) for place in reversed(together)),
        *(partial(_without, path=path) for path in _parts(data)),
    ]


def _purged(data: Any, name: str) -> Any:
    """A copy without whatever is called so or refers to it."""
    if isinstance(data, dict):
        fields = cast("dict[str, Any]", data)
        return {key: _purged(value, name) for key, value in fields.items() if key != name}
    if isinstance(data, list):
        items = cast("list[Any]", data)
        return [_purged(item, name) for item in items if item != name and not _refers(item, name)]
    return data


def _refers(item: Any, name: str) -> bool:
    return isinstance(item, dict) and name in cast("dict[str, Any]", item).values()


def _parts(data: Any, at: Path = ()) -> Iterator[Path]:
    """Every part that could be taken out, large ones first, later ones before earlier ones."""
    entries: list[tuple[str | int, Any]] = []
    if isinstance(data, dict):
        entries = list(cast("dict[str | int, Any]", data).items())
    elif isinstance(data, list):
        entries = list(enumerate(cast("list[Any]", data)))
    for key, value in reversed(entries):
        if not _stays(key, value):
            yield (*at, key)
    for key, value in reversed(entries):
        if key != "say":
            yield from _parts(value, (*at, key))


def _stays(key: str | int, value: Any) -> bool:
    """What makes a scenario one that anybody could mean: input for a run, and a service that keeps what it is asked to keep."""
    return key in ("say", "keeps") or (isinstance(value, dict) and "keeps" in value)


def _apart(data: Any, place: int) -> Any:
    """A copy in which the runs of a `together` step are steps of their own."""
    if place >= len(data["steps"]) or data["steps"][place]["do"] != "together":  # an earlier cut moved it
        return None
    copy = deepcopy(data)
    copy["steps"][place : place + 1] = copy["steps"][place]["runs"]
    return copy


def _without(data: Any, path: Path) -> Any:
    """A copy with one part taken out; None where an earlier cut took that part already."""
    copy = deepcopy(data)
    inner = copy
    try:
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]
    except (KeyError, IndexError, TypeError):
        return None
    return copy


def _whole(data: Any) -> Scenario | None:
    try:
        scenario = _scenario(data)
        check(scenario)
    except (msgspec.ValidationError, ScenarioError):
        return None
    return scenario


def _scenario(data: Any) -> Scenario:
    return msgspec.convert(data, Scenario)


def _plain(scenario: Scenario) -> Any:
    return json.loads(encode(scenario))
