"""Where a scenario is recorded, and what was found on it then: a file, results, a baseline, or the frozen material."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from conformance.errors import UsageError, known
from conformance.implementation.loading import own_baseline
from conformance.implementation.subject import Subject, own_name
from conformance.judging import baseline, known_failures, results
from conformance.judging.material import shipped
from conformance.judging.verdicts import RuleVerdict
from conformance.rules.catalogue import CATALOGUE
from conformance.scenario.files import ScenarioError, decode
from conformance.scenario.identity import LENGTH, scenario_id
from conformance.scenario.scenario import Scenario
from conformance.vocabulary import AREAS, Data

_ID = re.compile(f"[0-9a-f]{{{LENGTH}}}")
_EXPECTED = (
    "expected a file with a scenario, results or a baseline, the JSON of a scenario, a rule that the implementation's own baseline "
    "has, or the id of a frozen scenario"
)


class Record(Data, frozen=True, kw_only=True, omit_defaults=False):
    """What is recorded of a rule on a scenario: that it is violated in an aspect, or, without one, that nothing could be judged.

    where: the file, and of results the implementation.
    """

    rule: str
    aspect: str = ""
    where: str

    def is_of(self, way: str) -> bool:
        """Whether it is of a rule, or of `RULE/aspect`."""
        return way in (self.rule, f"{self.rule}/{self.aspect}")


@dataclass(frozen=True)
class Recorded:
    """A scenario, with all that is recorded of it."""

    scenario: Scenario
    records: tuple[Record, ...] = ()

    @property
    def id(self) -> str:
        """The scenario's id."""
        return scenario_id(self.scenario)


def checked_way(way: str) -> str:
    """A rule or `RULE/aspect`. Raises UsageError where there is none of the name."""
    rule, _, aspect = way.partition("/")
    known([rule], CATALOGUE, "rule")
    known([aspect] if aspect else [], CATALOGUE[rule].aspects, f"aspect of {rule}")
    return way


def names_rule(words: str) -> bool:
    """Whether words name a rule or `RULE/aspect`, even if wrongly, and no file."""
    return re.match(r"[A-Za-z]{3}-\d+(/|$)", words) is not None and not Path(words).is_file()


def recorded(words: str, subject: Subject, *, way: str | None = None, id: str | None = None) -> Recorded:
    """The scenario that somebody means. way: a rule or `RULE/aspect`; with an id, which of several.

    Raises UsageError where none or several are meant.
    """
    if words.lstrip().startswith("{"):
        return _of_text(words, "scenario", subject, way, id)
    if names_rule(words):
        return _of_own_baseline(checked_way(words), subject, id)
    path = Path(words)
    if path.is_file():
        return _of_file(path, subject, way, id)
    if _ID.fullmatch(words):
        return _of_id(words, subject)
    raise UsageError(f"there is no file {words!r}; {_EXPECTED}")


def _of_file(path: Path, subject: Subject, way: str | None, id: str | None) -> Recorded:
    if path.suffix == ".toml":
        return _chosen(_deviations(path, subject), str(path), way, id)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from None
    return _of_text(text, str(path), subject, way, id)


def _of_text(text: str, name: str, subject: Subject, way: str | None, id: str | None) -> Recorded:
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        data = None  # `decode` says where
    if isinstance(data, dict) and str(cast("dict[str, object]", data).get("format")).startswith("conformance-results/"):
        return _chosen(_counterexamples(results.read(Path(name)), name, subject), name, way, id)
    try:
        return Recorded(decode(text, name=name))
    except ScenarioError as error:
        raise UsageError(str(error)) from None


def _of_own_baseline(way: str, subject: Subject, id: str | None) -> Recorded:
    file = own_baseline(subject.asked)
    if file is None:
        raise UsageError(f"{subject.asked} has no baseline of its own: name the file and the rule: baseline.toml --rule {way}")
    return _chosen(_deviations(file, subject), file.name, way, id)


def _of_id(id: str, subject: Subject) -> Recorded:
    """Out of the frozen material, or out of what the implementation's own baseline declares, with all that is known of it there."""
    file = own_baseline(subject.asked)
    declared = [each for each in _deviations(file, subject) if each.id == id] if file else []
    frozen = next((Recorded(scenario) for scenario in _frozen(subject) if scenario_id(scenario) == id), None)
    found = next((each for each in (frozen, *declared) if each is not None), None)
    if found is None:
        raise UsageError(f"no frozen scenario has the id {id}; of a counterexample in results name the file: FILE --id {id}")
    records = [record for each in declared for record in each.records]
    if file is not None:
        ways = known_failures.read(file, CATALOGUE).of(subject.name) or {}
        where = known_failures.file_beside(file).name
        listed = [way.partition("/") for way, ids in sorted(ways.items()) if id in ids]
        records += [Record(rule=rule, aspect=aspect, where=where) for rule, _, aspect in listed]
    return Recorded(found.scenario, tuple(records))


def _frozen(subject: Subject) -> Iterator[Scenario]:
    material = shipped()
    for area in AREAS:
        yield from (scenario for _, scenario in material.fixtures(area))
        yield from material.matrix(area, subject.capabilities, subject.policies)
        yield from material.corpus(area)


def _deviations(file: Path, subject: Subject) -> list[Recorded]:
    """Those that concern the subject; where none does, all."""
    every = baseline.read(file, CATALOGUE).deviations
    mine = [each for each in every if each.concerns(subject)] or every
    return [Recorded(each.scenario, (Record(rule=each.table.rule, aspect=each.table.aspect, where=file.name),)) for each in mine]


def _counterexamples(found: results.Results, name: str, subject: Subject) -> list[Recorded]:
    """Those of the subject; where the results have none of it, of another version or of other arguments; else all."""
    labels = {each.name for each in found.implementations}
    of_name = {label for label in labels if own_name(label) == subject.name}
    for meant in ({subject.label} & labels, of_name, labels):
        every = [
            recorded
            for each in found.implementations
            if each.name in meant
            for verdict in each.rules
            for recorded in _of_verdict(verdict, f"{name}, {each.name} {each.version}".rstrip())
        ]
        if every:
            return every
    return []


def _of_verdict(verdict: RuleVerdict, where: str) -> Iterator[Recorded]:
    for violation in verdict.violations:
        record = Record(rule=verdict.rule, aspect=violation.aspect, where=where)
        yield Recorded(violation.counterexample.scenario, (record,))
    if verdict.broke is not None:
        yield Recorded(verdict.broke.scenario, (Record(rule=verdict.rule, where=where),))


def _chosen(every: Sequence[Recorded], name: str, way: str | None, id: str | None) -> Recorded:
    fitting = [
        each for each in every if id in (None, each.id) and (way is None or any(record.is_of(way) for record in each.records))
    ]
    if len({each.id for each in fitting}) == 1:
        return Recorded(fitting[0].scenario, tuple(record for each in fitting for record in each.records))
    if not every:
        raise UsageError(f"{name} records no scenario")
    if not fitting:
        wanted = " and ".join(word for word in (way, id) if word)
        raise UsageError(f"{name} records no scenario of {wanted}; it has {_listed(every)}")
    raise UsageError(f"{name} records several scenarios: choose one with --rule or --id: {_listed(fitting)}")


_NAMED = 10
"""So many are listed in an error."""


def _listed(found: Iterable[Recorded]) -> str:
    """`THR-05/stores (23d0a5940c10), …`."""
    ways = [f"{_way(record)} ({each.id})" for each in found for record in each.records]
    return ", ".join(ways[:_NAMED]) + (f" and {len(ways) - _NAMED} more" if len(ways) > _NAMED else "")


def _way(record: Record) -> str:
    return f"{record.rule}/{record.aspect}" if record.aspect else record.rule
