"""The baseline: deviations that are known and declared, each with its reason and, better, the smallest scenario that shows it.

A TOML file with one table a deviation:

    [[deviation]]
    rule = "PER-09"
    reason = "why this is known and accepted"
    scenario = '''{"agents": {"a": {}}, "steps": [...]}'''
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from conformance.errors import UsageError
from conformance.scenario.files import ScenarioError, decode, encode
from conformance.scenario.scenario import Scenario
from conformance.vocabulary import nearest

_FIELDS = ("rule", "reason", "scenario")


@dataclass(frozen=True)
class Deviation:
    """One declared deviation."""

    rule: str
    reason: str
    scenario: Scenario | None = None


@dataclass(frozen=True)
class Baseline:
    """All declared deviations of one implementation, by rule. name: the file that they stand in."""

    name: str = ""
    deviations: Mapping[str, Deviation] = field(default_factory=dict[str, Deviation])

    def get(self, rule: str) -> Deviation | None:
        """The declared deviation from a rule."""
        return self.deviations.get(rule)


def read(path: Path, rules: Iterable[str]) -> Baseline:
    """Read a baseline strictly. Raises UsageError that names file and field."""
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"baseline {path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"baseline {path}: not TOML: {error}") from None
    for key in data:
        if key != "deviation":
            raise UsageError(f"baseline {path}: there is no field {key!r}{nearest(key, ['deviation'])}")
    tables: Any = data.get("deviation", [])
    if not isinstance(tables, list):
        raise UsageError(f"baseline {path}: 'deviation' must be a list of tables: write [[deviation]] above each")
    legal = set(rules)
    found: dict[str, Deviation] = {}
    for place, table in enumerate(cast("list[Any]", tables)):
        deviation = _deviation(table, f"baseline {path}: deviation[{place}]", legal)
        if deviation.rule in found:
            raise UsageError(f"baseline {path}: deviation[{place}].rule: {deviation.rule} is declared twice")
        found[deviation.rule] = deviation
    return Baseline(str(path), found)


def _deviation(table: Any, where: str, rules: set[str]) -> Deviation:
    if not isinstance(table, dict):
        raise UsageError(f"{where}: got {table!r}, expected a table with the fields {', '.join(_FIELDS)}")
    fields = cast("dict[str, Any]", table)
    for key, value in fields.items():
        if key not in _FIELDS:
            raise UsageError(f"{where}.{key}: there is no such field{nearest(key, _FIELDS)}")
        if not isinstance(value, str):
            raise UsageError(f"{where}.{key}: got {value!r}, expected a text")
    for key in ("rule", "reason"):
        if not fields.get(key, "").strip():
            raise UsageError(f"{where}.{key}: missing; every deviation names its rule and gives a reason")
    if fields["rule"] not in rules:
        raise UsageError(f"{where}.rule: there is no rule {fields['rule']!r}{nearest(fields['rule'], rules)}")
    return Deviation(fields["rule"], " ".join(fields["reason"].split()), _scenario(fields.get("scenario"), f"{where}.scenario"))


def _scenario(text: str | None, where: str) -> Scenario | None:
    if text is None:
        return None
    try:
        return decode(text, name=where)
    except ScenarioError as error:
        raise UsageError(str(error)) from None


def declaration(rule: str, scenario: Scenario, reason: str = "…") -> str:
    """The table that declares a deviation, ready to be pasted into a baseline file."""
    quote = "'''" if "'''" not in encode(scenario) else '"""'
    text = encode(scenario) if quote == "'''" else encode(scenario).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'[[deviation]]\nrule = "{rule}"\nreason = "{reason}"\nscenario = {quote}\n{text}{quote}\n'
