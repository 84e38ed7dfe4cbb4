"""The features of a scenario: what it contains that a deviation may need, by which a drawn scenario is told to show a known one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from conformance.scenario.files import sparse
from conformance.scenario.scenario import Scenario, agents_used, workflows_used

CHOICES = frozenset({"do", "keeps", "kind", "history", "pattern", "how", "conversation_id", "id_in"})
"""Fields whose text is one of a few: which one it is, is a feature. Of any other text only that there is one."""

NAMED = frozenset({"agents", "workflows", "tools", "context", "executors", "arguments", "inner", "replies"})
"""Fields that may hold a mapping from names which the author of a scenario makes up."""

SAME: Mapping[str, str] = {
    "keeps=one_id": "keeps",
    "keeps=new_ids": "keeps",
    "kind=hosted": "kept by the service",
    "with_id=True": "kept by the service",
    "store=True": "kept by the service",
    "stores_by_default=True": "kept by the service",
    "surprising=True": "kept by the service",
    "conversation_id=own": "kept by the service",
    "conversation_id=other": "kept by the service",
    "error": "fails",
    "load_fails": "fails",
    "append_fails": "fails",
    "cancelled=True": "fails",
    "forgotten=True": "fails",
    "per_service_call=True": "per service call",
    "stream=True": "streams",
}
"""Choices that are one circumstance, wherever they stand: each leads to the same."""

NONE = frozenset({"service", "kind=adaptive", "text", "how=drop", "how=cut", "how=retype", "how=unknown", "how=extra"})
"""What is no circumstance: an object that only holds others, a kind that is still open, what is said, how data is malformed."""

MOST = 2
"""How many of a sort are told apart: a second run is a feature, a third one is none."""


def features(scenario: Scenario) -> frozenset[str]:
    """Paths into the JSON form with what is chosen there, such as `agents.service.keeps=one_id`, without names and texts.

    Of agents and workflows only those that a step uses. What stands there more than once is one feature more: `steps.run (2)`.
    """
    return frozenset(_numbered(_paths(scenario)))


def circumstances(scenario: Scenario) -> frozenset[str]:
    """The features, as coarse as the causes of deviations are.

    In which of several ways a service came to keep a conversation, or a run to fail, makes no difference, and runs side by side are
    runs like any other, besides being so.
    """
    alone = Counter(path.replace("together.runs.", "") for path in _paths(scenario).elements())
    plain = {path: many for path, many in alone.items() if _chosen(path) not in (SAME.keys() | NONE)}
    return frozenset((*_numbered(plain), *(SAME[_chosen(path)] for path in alone if _chosen(path) in SAME)))


def _chosen(path: str) -> str:
    return path.rpartition(".")[2]


def _numbered(paths: Mapping[str, int]) -> Iterator[str]:
    for path, many in paths.items():
        yield from (path if number == 1 else f"{path} ({number})" for number in range(1, min(many, MOST) + 1))


def _paths(scenario: Scenario) -> Counter[str]:
    """How often each path is there."""
    used, running = set(agents_used(scenario)), set(workflows_used(scenario))
    bare = msgspec.structs.replace(
        scenario,
        title="",
        shows=(),
        agents={name: spec for name, spec in scenario.agents.items() if name in used},
        workflows={name: spec for name, spec in scenario.workflows.items() if name in running},
    )
    return Counter(_of_fields(sparse(bare), ()))


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
