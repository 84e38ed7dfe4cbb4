"""Changing a baseline by what was found: new deviations and known failures put in, those that are none any more taken out.

Two files change together: the deviations, with all comments, and the known failures beside them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import tomlkit
from tomlkit.items import AoT, Table
from tomlkit.toml_document import TOMLDocument

from conformance.errors import UsageError
from conformance.implementation.subject import own_name
from conformance.judging.baseline import Baseline, Declared, Deviation, read
from conformance.judging.known_failures import KnownFailures, encode, file_beside
from conformance.judging.results import ImplementationResults
from conformance.judging.verdicts import Counterexample, RuleVerdict
from conformance.rules.rule import Rule
from conformance.scenario.files import encode as scenario_text
from conformance.scenario.identity import scenario_id

HEAD = "Deviations that are known and accepted: each with its reason and the smallest scenario that shows it."


@dataclass
class Change:
    """What changed, to be told.

    accepted, dropped: deviations, by `RULE/aspect`. failing, holding: how many frozen scenarios are newly known to fail in each
    way, or are not any more.
    """

    file: Path
    accepted: list[str] = field(default_factory=list[str])
    dropped: list[str] = field(default_factory=list[str])
    failing: dict[str, int] = field(default_factory=dict[str, int])
    holding: dict[str, int] = field(default_factory=dict[str, int])

    def lines(self) -> Iterator[str]:
        """What to tell, a line each."""
        for way in self.accepted:
            yield f"accepted: {way}; write its reason into {self.file}"
        for way, count in self.failing.items():
            yield f"known to fail from now on: {way} in {count} frozen scenario{'' if count == 1 else 's'}"
        for way in self.dropped:
            yield f"taken out: {way}, which its own scenario does not show any more"
        for way, count in self.holding.items():
            yield f"not known to fail any more: {way} in {count} frozen scenario{'' if count == 1 else 's'}"
        if not (self.accepted or self.failing or self.dropped or self.holding):
            yield f"{self.file}: nothing to change"


def change(
    file: Path, found: ImplementationResults, rules: Mapping[str, Rule], *, update: bool, prune: bool, shared: bool = False
) -> Change:
    """Write what was found of an implementation into a baseline, which may not exist yet, and into the known failures beside it.

    update: new violations are accepted, with an empty reason. prune: what is not so any more is taken out. What is declared of a
    rule that could not be judged stays as it is. shared: the file serves several implementations. Raises UsageError.
    """
    known = read(file, rules) if file.exists() else Baseline(str(file))
    document = tomlkit.parse(file.read_text(encoding="utf-8")) if file.exists() else _empty()
    told = Change(file)
    shared = shared or any(each.table.implementation for each in known.deviations)
    judged = [verdict for verdict in found.rules if verdict.verdict != "error"]
    name = own_name(found.name)
    if prune:
        gone = [each for each in known.deviations if each.table.implementation in ("", name) and _gone(each, judged)]
        told.dropped = [each.way for each in gone]
        _take_out(document, [place for place, each in enumerate(known.deviations) if each in gone])
    if update:
        for verdict in judged:
            for violation in verdict.violations:
                if not violation.declared and not _explained(known, name, verdict, violation.counterexample):
                    _put_in(document, verdict, violation.counterexample, name if shared else None)
                    told.accepted.append(f"{verdict.rule}/{violation.aspect}")
    failures = _failures(known.failures, name, judged, told, update=update, prune=prune)
    _write(file, _tidy(tomlkit.dumps(document)))
    _write(file_beside(file), encode(failures))
    return told


def _empty() -> TOMLDocument:
    document = tomlkit.document()
    document.add(tomlkit.comment(HEAD))
    return document


def _gone(deviation: Deviation, judged: Collection[RuleVerdict]) -> bool:
    """Whether a deviation's rule was judged, and its own scenario does not show it."""
    verdict = next((each for each in judged if each.rule == deviation.table.rule), None)
    if verdict is None:
        return False
    own = scenario_id(deviation.scenario)
    return not any(
        each.declared and (each.aspect, each.counterexample.id) == (deviation.table.aspect, own) for each in verdict.violations
    )


def _explained(known: Baseline, name: str, verdict: RuleVerdict, shown: Counterexample) -> bool:
    """Whether a declared deviation explains this one, as far as scenarios tell: then only the list lacks something."""
    mine = [each for each in known.deviations if each.table.rule == verdict.rule and each.table.implementation in ("", name)]
    return Declared(known.name, mine).explains(shown.scenario, shown.aspect)


def _tables(document: TOMLDocument) -> AoT:
    if "deviation" not in document:
        document.add("deviation", tomlkit.aot())
    return cast("AoT", document["deviation"])


def _take_out(document: TOMLDocument, places: Collection[int]) -> None:
    tables = _tables(document)
    for place in sorted(places, reverse=True):
        del tables[place]


def _put_in(document: TOMLDocument, verdict: RuleVerdict, shown: Counterexample, implementation: str | None) -> None:
    table: Table = tomlkit.table()
    table.add("rule", verdict.rule)
    table.add("aspect", shown.aspect)
    if implementation is not None:
        table.add("implementation", implementation)
    table.add("kind", "bug")
    table.add("reason", "")
    text = scenario_text(shown.scenario)
    table.add("scenario", tomlkit.string(text, multiline=True, literal="'''" not in text))
    cast("list[Any]", _tables(document)).append(table)  # which tomlkit leaves untyped


def _failures(
    known: KnownFailures, name: str, judged: Collection[RuleVerdict], told: Change, *, update: bool, prune: bool
) -> KnownFailures:
    """The known failures of the implementation, of the rules that were judged, with more or fewer of them."""
    ways = {way: set(ids) for way, ids in (known.of(name) or {}).items()}
    for verdict in judged:
        failing = {f"{verdict.rule}/{aspect}": set(ids) for aspect, ids in verdict.failing.items()}
        for way in sorted({*failing, *(way for way in ways if way.startswith(f"{verdict.rule}/"))}):
            before, now = ways.get(way, set()), failing.get(way, set())
            after = (before | now if update else set(before)) & (now if prune else before | now)
            if after - before:
                told.failing[way] = len(after - before)
            if before - after:
                told.holding[way] = len(before - after)
            ways[way] = after
    return known.changed(name, {way: frozenset(ids) for way, ids in ways.items() if ids})


def _tidy(text: str) -> str:
    """The text with a line before each table, and scenarios on lines of their own: that break is none of the value's."""
    return re.sub(r"(?<!\n)\n\[\[", "\n\n[[", text.replace("= '''{", "= '''\n{"))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"baseline {file}: cannot be written: {error.strerror}") from None
