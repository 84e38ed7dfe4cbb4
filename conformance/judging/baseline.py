"""The baseline: deviations that are known and declared, each one fault: a rule, its aspect that is broken, a reason, a scenario.

A TOML file with one table a deviation:

    [[deviation]]
    rule = "PER-09"
    aspect = "within a run"
    kind = "bug"                    # or "by design", or "disputed"; "bug" where it is left out
    reason = "why it is known and accepted"
    scenario = '''{"agents": {"a": {}}, "steps": [...]}'''
    link = "https://…"              # from here on all may be left out
    follows = "PER-10/missing input"    # the deviation that this one is a consequence of
    implementation = "my-agents"    # where one file serves several
    versions = ">=1.15,<2"          # of the implementation: elsewhere the entry says nothing
    expires = 2027-06-30            # after that day it breaks the gate

Beside it stands a file of the frozen scenarios that fail: see `known_failures`. Of other scenarios a deviation explains those that
contain what it needs: what all scenarios with its rule, aspect and reason have in common.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from conformance.errors import UsageError
from conformance.implementation.subject import Subject
from conformance.json_errors import misfit
from conformance.judging.known_failures import KnownFailures
from conformance.judging.known_failures import read as read_failures
from conformance.judging.verdicts import DeviationKind, Fault
from conformance.rules.rule import Rule
from conformance.scenario.features import circumstances
from conformance.scenario.files import ScenarioError, decode
from conformance.scenario.scenario import Scenario
from conformance.vocabulary import Data, nearest


class Table(Data, frozen=True, kw_only=True):
    """One table of the file, as it is written."""

    rule: str
    aspect: str
    scenario: str
    reason: str = ""
    kind: DeviationKind = "bug"
    link: str = ""
    follows: str = ""
    implementation: str = ""
    versions: str = ""
    expires: date | None = None


@dataclass(frozen=True)
class Deviation:
    """One declared deviation. scenario: it is performed first, and violates the rule in this aspect, or the entry is stale."""

    table: Table
    scenario: Scenario

    @property
    def way(self) -> str:
        """What it declares: `RULE/aspect`."""
        return f"{self.table.rule}/{self.table.aspect}"

    def concerns(self, subject: Subject) -> bool:
        """Whether it speaks of this implementation, in this version."""
        if self.table.implementation not in ("", subject.name):
            return False
        try:
            version = Version(subject.version)
        except InvalidVersion:
            return not self.table.versions
        return SpecifierSet(self.table.versions).contains(version, prereleases=True)

    def faults(self, today: date) -> list[Fault]:
        """Why the gate cannot take it as it stands."""
        found: list[Fault] = []
        if not self.table.reason:
            text = f"the declared deviation {self.way} gives no reason; say why it is known and accepted"
            found.append(Fault(trouble="deviation without a reason", text=text))
        if self.table.expires is not None and self.table.expires < today:
            text = f"the declared deviation {self.way} expired on {self.table.expires}"
            found.append(Fault(trouble="expired deviation", text=text))
        return found


@dataclass(frozen=True)
class Declared:
    """What is declared and known of one rule for one implementation.

    file: the baseline. known: the ids of the frozen scenarios that fail, by aspect; None where there is no list.
    """

    file: str
    deviations: Sequence[Deviation] = ()
    known: Mapping[str, frozenset[str]] | None = None

    def known_in(self, aspect: str) -> frozenset[str]:
        """The ids of the frozen scenarios that are known to fail in an aspect; none where no deviation is declared in it."""
        declared = any(each.table.aspect == aspect for each in self.deviations)
        return (self.known or {}).get(aspect, frozenset()) if declared else frozenset()

    def explains(self, scenario: Scenario, aspect: str) -> bool:
        """Whether a scenario that breaks the rule in this aspect contains what one of the deviations in it needs."""
        own = circumstances(scenario)
        return any(needed <= own for needed in self._needed.get(aspect, ()))

    @cached_property
    def _needed(self) -> Mapping[str, Sequence[frozenset[str]]]:
        """By aspect what each deviation needs: the circumstances that all scenarios share which are declared with its reason.

        What one of them lacks is not needed. Without a reason, each stands for itself.
        """
        found: defaultdict[tuple[str, str], list[frozenset[str]]] = defaultdict(list)
        for place, each in enumerate(self.deviations):
            found[each.table.aspect, each.table.reason or str(place)].append(circumstances(each.scenario))
        needed: defaultdict[str, list[frozenset[str]]] = defaultdict(list)
        for (aspect, _), shown in found.items():
            needed[aspect].append(shown[0].intersection(*shown))
        return needed


@dataclass(frozen=True)
class Baseline:
    """All declared deviations of one file, and the frozen scenarios that are known to fail. name: the file."""

    name: str = ""
    deviations: Sequence[Deviation] = ()
    failures: KnownFailures = field(default_factory=KnownFailures)

    def of(self, subject: Subject, rule: str) -> Declared:
        """What is declared and known of a rule for an implementation."""
        ways = self.failures.of(subject.name)
        mine = {way.partition("/")[2]: ids for way, ids in (ways or {}).items() if way.partition("/")[0] == rule}
        deviations = [each for each in self.deviations if each.table.rule == rule and each.concerns(subject)]
        return Declared(self.name or "the baseline", deviations, None if ways is None else mine)


def read(path: Path, rules: Mapping[str, Rule]) -> Baseline:
    """Read a baseline strictly, with the file of known failures beside it. Raises UsageError that names file and field."""
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
    found: list[Deviation] = []
    for place, table in enumerate(cast("list[Any]", tables)):
        where = f"baseline {path}: deviation[{place}]"
        deviation = _deviation(table, where, rules)
        if any(other == deviation for other in found):
            raise UsageError(f"{where}: {deviation.way} is declared twice with the same scenario")
        found.append(deviation)
    return Baseline(str(path), tuple(found), read_failures(path, rules))


def _deviation(fields: Any, where: str, rules: Mapping[str, Rule]) -> Deviation:
    if not isinstance(fields, dict):
        raise UsageError(f"{where}: got {fields!r}, expected a table with the fields {', '.join(Table.__struct_fields__)}")
    try:
        table = msgspec.convert(fields, Table)
    except msgspec.ValidationError as error:
        wrong = misfit(cast("object", fields), Table, path="")
        raise UsageError(f"{where}{wrong or f': {error}'}") from None
    _check_way(table, where, rules)
    try:
        SpecifierSet(table.versions)
    except InvalidSpecifier:
        raise UsageError(f"{where}.versions: got {table.versions!r}, expected a range such as '>=1.15,<2'") from None
    try:
        scenario = decode(table.scenario, name=f"{where}.scenario")
    except ScenarioError as error:
        raise UsageError(str(error)) from None
    return Deviation(msgspec.structs.replace(table, reason=" ".join(table.reason.split())), scenario)


def _check_way(table: Table, where: str, rules: Mapping[str, Rule]) -> None:
    rule = rules.get(table.rule)
    if rule is None:
        raise UsageError(f"{where}.rule: there is no rule {table.rule!r}{nearest(table.rule, rules)}")
    if table.aspect not in rule.aspects:
        raise UsageError(f"{where}.aspect: {table.rule} has no aspect {table.aspect!r}{nearest(table.aspect, rule.aspects)}")
    cause, _, aspect = table.follows.partition("/")
    if table.follows and (cause not in rules or aspect not in rules[cause].aspects):
        raise UsageError(
            f"{where}.follows: got {table.follows!r}, expected another deviation as RULE/aspect, such as 'PER-09/twice'"
        )
