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

from conformance.scenario.files import ScenarioError, check, encode
from conformance.scenario.scenario import Scenario

Path = tuple[str | int, ...]


def reduced(scenario: Scenario, proves: Callable[[Scenario], bool], *, tries: int) -> Scenario:
    """The smallest scenario on the way from this one that still proves it; `proves` is asked at most `tries` times.

    Every candidate is a whole scenario whose references hold.
    """
    best = _plain(msgspec.structs.replace(scenario, title="", shows=()))
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
    names += [step["thread"] for step in data.get("steps", ()) if step["do"] in ("create_thread", "restore")]
    names += [name for workflow in data.get("workflows", {}).values() for name in workflow.get("executors", {})]
    return [
        *(partial(_without_name, name=name) for name in names),
        *(partial(_apart, place=place) for place in reversed(_places_of(data, "together"))),
        *(partial(_afresh, place=place) for place in reversed(_places_of(data, "restore"))),
        *(partial(_without, path=path) for path in _parts(data)),
    ]


def _without_name(data: Any, name: str) -> Any:
    """A copy without what is called so, and without what there would not be without it: threads, tools that are agents."""
    gone = [name]
    for lost in gone:  # it grows meanwhile
        tools = [tools for agent in data.get("agents", {}).values() for tools in agent.get("tools", {}).items()]
        gone += [tool for tool, spec in tools if spec.get("agent") == lost and tool not in gone]
        made = [step for step in data.get("steps", ()) if step["do"] in ("create_thread", "restore") and step["thread"] not in gone]
        gone += [step["thread"] for step in made if lost in (step.get("agent"), step.get("data"))]
    for lost in gone:
        data = _purged(data, lost)
    return data


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


def _places_of(data: Any, do: str) -> list[int]:
    """Where the steps of one sort stand."""
    return [place for place, step in enumerate(data.get("steps", ())) if step["do"] == do]


def _apart(data: Any, place: int) -> Any:
    """A copy in which the runs of a `together` step are steps of their own."""
    if place not in _places_of(data, "together"):  # an earlier cut moved it
        return None
    copy = deepcopy(data)
    copy["steps"][place : place + 1] = copy["steps"][place]["runs"]
    return copy


def _afresh(data: Any, place: int) -> Any:
    """A copy in which a thread is not restored but created, as the one was from which the data came."""
    if place not in _places_of(data, "restore"):
        return None
    copy = deepcopy(data)
    restored = copy["steps"][place]
    begun = restored
    while begun is not None and begun["do"] == "restore":
        known = [step for step in copy["steps"][:place] if step["do"] in ("create_thread", "restore")]
        begun = next((step for step in known if step["thread"] == begun["data"]), None)
    if begun is None or "damage" in restored:
        return None
    on = {"agent": restored["agent"]} if "agent" in restored else {}
    copy["steps"][place] = {**begun, "thread": restored["thread"], **on}
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
