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
from conformance.implementation.subject import Subject
from conformance.judging import baseline, results
from conformance.judging.material import shipped
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
    """What is recorded of a rule on a scenario. where: the file. aspect: how it broke; empty where that was not noted.

    error: nothing could be judged then.
    """

    rule: str
    where: str
    aspect: str = ""
    error: bool = False


@dataclass(frozen=True)
class Recorded:
    """A scenario, with all that is recorded of it."""

    scenario: Scenario
    records: tuple[Record, ...] = ()


def recorded(words: str, subject: Subject, *, rule: str | None = None, id: str | None = None) -> Recorded:
    """The scenario that somebody means. rule, id: which of several. Raises UsageError where none or several are meant."""
    if words.lstrip().startswith("{"):
        return _of_text(words, "scenario", subject, rule, id)
    if words in CATALOGUE:
        return _of_own_baseline(words, subject)
    path = Path(words)
    if path.is_file():
        return _of_file(path, subject, rule, id)
    if _ID.fullmatch(words):
        return _of_id(words, subject)
    if re.fullmatch(r"[A-Za-z]{3}-\d+", words):
        known([words], CATALOGUE, "rule")
    raise UsageError(f"there is no file {words!r}; {_EXPECTED}")


def _of_file(path: Path, subject: Subject, rule: str | None, id: str | None) -> Recorded:
    if path.suffix == ".toml":
        return _chosen(_deviations(path), str(path), rule, id)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from None
    return _of_text(text, str(path), subject, rule, id)


def _of_text(text: str, name: str, subject: Subject, rule: str | None, id: str | None) -> Recorded:
    try:
        data: Any = json.loads(text)
    except ValueError:
        data = None  # `decode` says where
    if isinstance(data, dict) and "format" in cast("dict[str, object]", data):
        return _chosen(_counterexamples(results.read(Path(name)), name, subject), name, rule, id)
    try:
        return Recorded(decode(text, name=name))
    except ScenarioError as error:
        raise UsageError(str(error)) from None


def _of_own_baseline(rule: str, subject: Subject) -> Recorded:
    file = own_baseline(subject.asked)
    if file is None:
        raise UsageError(f"{subject.asked} has no baseline of its own: name the file and the rule: baseline.toml --rule {rule}")
    return _chosen(_deviations(file), file.name, rule, None)


def _of_id(id: str, subject: Subject) -> Recorded:
    """Out of the frozen material, or out of what the implementation's own baseline records."""
    file = own_baseline(subject.asked)
    own = [found for found in _deviations(file) if scenario_id(found.scenario) == id] if file else []
    scenario = next((found for found in _frozen(subject) if scenario_id(found) == id), own[0].scenario if own else None)
    if scenario is None:
        raise UsageError(f"no frozen scenario has the id {id}; of a counterexample in results name the file: FILE --id {id}")
    return Recorded(scenario, tuple(record for found in own for record in found.records))


def _frozen(subject: Subject) -> Iterator[Scenario]:
    material = shipped()
    for area in AREAS:
        yield from (scenario for _, scenario in material.fixtures(area))
        yield from material.matrix(area, subject.capabilities, subject.policies)
        yield from material.corpus(area)


def _deviations(file: Path) -> list[Recorded]:
    found = baseline.read(file, CATALOGUE).deviations
    return [Recorded(each.scenario, (Record(rule=each.table.rule, where=file.name, aspect=each.table.aspect),)) for each in found]


def _counterexamples(found: results.Results, name: str, subject: Subject) -> list[Recorded]:
    """Those of the subject; where the results have none of it, those of all implementations."""
    by_name: dict[str, list[Recorded]] = {}
    for each in found.implementations:
        for verdict in each.rules:
            for shown in (
                *(violation.counterexample for violation in verdict.violations),
                *([verdict.broke] if verdict.broke else []),
            ):
                where = f"{name}, {each.name} {each.version}".rstrip()
                record = Record(rule=verdict.rule, where=where, aspect=shown.aspect, error=verdict.verdict == "error")
                by_name.setdefault(each.name, []).append(Recorded(shown.scenario, (record,)))
    return by_name.get(subject.label) or [each for all_of_one in by_name.values() for each in all_of_one]


def _chosen(every: Sequence[Recorded], name: str, rule: str | None, id: str | None) -> Recorded:
    fitting = [each for each in every if rule in (None, *_rules([each])) and id in (None, scenario_id(each.scenario))]
    ids = {scenario_id(each.scenario) for each in fitting}
    if len(ids) == 1:
        return Recorded(fitting[0].scenario, tuple(record for each in fitting for record in each.records))
    if not every:
        raise UsageError(f"{name} records no scenario")
    if not fitting:
        wanted = " and ".join(word for word in (rule, id) if word)
        raise UsageError(f"{name} records no scenario of {wanted}; it has some of {', '.join(_rules(every))}")
    if rule is not None:
        raise UsageError(f"{name} records several scenarios of {rule}: choose one with --id: {', '.join(sorted(ids))}")
    raise UsageError(f"{name} records several scenarios: choose one with --rule: {', '.join(_rules(fitting))}")


def _rules(found: Iterable[Recorded]) -> list[str]:
    return list(dict.fromkeys(record.rule for each in found for record in each.records))
