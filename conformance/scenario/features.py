"""The features of a scenario: what it contains that a deviation may need, by which a drawn scenario is told to show a known one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from conformance.scenario.files import sparse
from conformance.scenario.scenario import Scenario, agents_used, workflows_used

CHOICES = frozenset({"do", "keeps", "kind", "history", "pattern", "how", "conversation_id"})
"""Fields whose text is one of a few: which one it is, is a feature. Of any other text only that there is one."""

NAMED = frozenset({"agents", "workflows", "tools", "context", "executors", "arguments", "inner", "replies"})
"""Fields that may hold a mapping from names which the author of a scenario makes up."""

MOST = 2
"""How many of a sort are told apart: a second run is a feature, a third one is none."""


def features(scenario: Scenario) -> frozenset[str]:
    """Paths into the JSON form with what is chosen there, such as `agents.service.keeps=one_id`, without names and texts.

    Of agents and workflows only those that a step uses. What stands there more than once is one feature more: `steps.run (2)`.
    """
    used, running = set(agents_used(scenario)), set(workflows_used(scenario))
    bare = msgspec.structs.replace(
        scenario,
        title="",
        shows=(),
        agents={name: spec for name, spec in scenario.agents.items() if name in used},
        workflows={name: spec for name, spec in scenario.workflows.items() if name in running},
    )
    counted = Counter(_of_fields(sparse(bare), ()))
    return frozenset(
        path if number == 1 else f"{path} ({number})" for path, many in counted.items() for number in range(1, min(many, MOST) + 1)
    )


def _of_fields(fields: dict[str, Any], at: tuple[str, ...]) -> Iterator[str]:
    """The paths in an object."""
    for name, value in fields.items():
        yield from _of_value(name, value, (*at, name))


def _of_value(name: str, value: Any, at: tuple[str, ...]) -> Iterator[str]:
    """The paths of one field: each object in a list or a mapping is one, and so is a value that is chosen or given."""
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value)
        if name in NAMED:
            yield from _of_items(name, list(entries.values()), at)
        else:
            yield from _of_object(entries, at)
    elif isinstance(value, list):
        yield from _of_items(name, cast("list[Any]", value), at)
    elif isinstance(value, bool) or name in CHOICES:
        yield f"{'.'.join(at)}={value}"
    else:
        yield ".".join(at)


def _of_items(name: str, items: list[Any], at: tuple[str, ...]) -> Iterator[str]:
    for item in items:
        if isinstance(item, dict):
            yield from _of_object(cast("dict[str, Any]", item), at)
        else:
            yield from _of_value(name, item, at)


def _of_object(fields: dict[str, Any], at: tuple[str, ...]) -> Iterator[str]:
    """An object, which is a path itself, and what is in it. A step is called by what it does."""
    place = (*at, fields["do"]) if "do" in fields else at
    yield ".".join(place)
    yield from _of_fields({key: held for key, held in fields.items() if key != "do"}, place)
