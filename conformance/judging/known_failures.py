"""Known failures: for each rule and aspect the frozen scenarios in which an implementation violates it, beside its baseline.

`known.toml` has `known.failures.json` beside it:

    {"format": "agent-tck-failures/1", "implementations": {"my-agents": {"PER-09/within a run": ["0ada9bd80078", …]}}}

`--baseline-update` writes it. A frozen scenario that fails and is not in it is a new violation, also of a declared deviation; one
in it that holds is progress, and stale.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from conformance.errors import UsageError
from conformance.json_errors import misfit
from conformance.rules.rule import Rule
from conformance.vocabulary import Data, nearest

FORMAT = "agent-tck-failures/1"

Ways = Mapping[str, frozenset[str]]
"""Ids of frozen scenarios, by `RULE/aspect`."""


class _File(Data, frozen=True, kw_only=True):
    format: Literal["agent-tck-failures/1"]
    implementations: dict[str, dict[str, tuple[str, ...]]] = {}


@dataclass(frozen=True)
class KnownFailures:
    """implementations: by name. One that is not in it has no list: what fails is told by what its deviations need."""

    implementations: Mapping[str, Ways] = field(default_factory=dict[str, Ways])

    def of(self, implementation: str) -> Ways | None:
        """What is known of an implementation, by its name."""
        return self.implementations.get(implementation)

    def changed(self, implementation: str, ways: Ways) -> KnownFailures:
        """The same with other failures of one implementation."""
        return KnownFailures({**self.implementations, implementation: ways})


def file_beside(baseline: Path) -> Path:
    """Where the known failures of a baseline stand."""
    return baseline.with_suffix(".failures.json")


def read(baseline: Path, rules: Mapping[str, Rule]) -> KnownFailures:
    """Read the file beside a baseline strictly; nothing is known where there is none. Raises UsageError with file and field."""
    path = file_beside(baseline)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return KnownFailures()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"known failures {path}: cannot be read: {error}") from None
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"known failures {path}: not JSON: {error}; write it anew with --baseline-update") from None
    try:
        file = msgspec.convert(data, _File)
    except msgspec.ValidationError as error:
        raise UsageError(f"known failures {path}: {misfit(data, _File) or error}") from None
    legal = [f"{rule.id}/{aspect}" for rule in rules.values() for aspect in rule.aspects]
    for implementation, ways in file.implementations.items():
        for way in ways:
            if way not in legal:
                raise UsageError(
                    f"known failures {path}: {implementation}: there is no rule and aspect {way!r}{nearest(way, legal)}"
                )
    return KnownFailures({name: {way: frozenset(ids) for way, ids in ways.items()} for name, ways in file.implementations.items()})


def encode(failures: KnownFailures) -> str:
    """The text of the file: everything sorted, an aspect a line, so that a change is a line in a difference."""
    return "".join(_lines(failures))


def _lines(failures: KnownFailures) -> Iterator[str]:
    yield f'{{\n"format": "{FORMAT}",\n"implementations": {{'
    for number, (name, ways) in enumerate(sorted(failures.implementations.items())):
        yield f"{',' if number else ''}\n{json.dumps(name)}: {{"
        for place, (way, ids) in enumerate(sorted(ways.items())):
            yield f"{',' if place else ''}\n{json.dumps(way)}: {json.dumps(sorted(ids))}"
        yield "\n}"
    yield "\n}\n}\n"
