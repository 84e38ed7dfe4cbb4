"""The ledger: what judges say, from one process or from several, put in order; the results file is current after each entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import msgspec

from conformance.judging.floor import Floor
from conformance.judging.judge import Judge
from conformance.judging.results import ImplementationResults, Results, Suite, write
from conformance.judging.snapshots import Snapshots, compare
from conformance.judging.survey import Survey
from conformance.judging.unexpected import UnexpectedError, together
from conformance.judging.verdicts import BothWays, CellResult, RuleVerdict
from conformance.rules.rule import Rule
from conformance.vocabulary import Area, Data

MATRIX = "matrix"
"""What the configuration matrix is called where rules go by their ids."""


class Entry(Data, frozen=True, kw_only=True):
    """One verdict, or what came of the configuration matrix; with what it cost and what came to light with it.

    It travels between processes as JSON.
    """

    implementation: str
    verdict: RuleVerdict | None = None
    cells: tuple[CellResult, ...] = ()
    scenarios: int = 0
    seconds: float = 0.0
    snapshots: dict[Area, Snapshots] = {}
    both_ways: dict[Area, BothWays] = {}
    unexpected: dict[Area, tuple[UnexpectedError, ...]] = {}

    @property
    def about(self) -> str:
        """What it is about: a rule, or the matrix."""
        return self.verdict.rule if self.verdict else MATRIX


def judged(judge: Judge, rule: Rule) -> Entry:
    """Ask a judge about a rule, and note what it cost."""
    return _noted(judge, rule.area, lambda: Entry(implementation=judge.subject.label, verdict=judge.verdict(rule)))


def charted(judge: Judge) -> Entry:
    """Ask a judge about the configuration matrix, and note what it cost."""
    return _noted(judge, "persistence", lambda: Entry(implementation=judge.subject.label, cells=judge.cells()))


def _noted(judge: Judge, area: Area, ask: Callable[[], Entry]) -> Entry:
    began, before, known = perf_counter(), judge.performed, judge.surveyed(area)
    entry, survey = ask(), judge.surveyed(area)
    new = survey if known is None else None
    return msgspec.structs.replace(
        entry,
        scenarios=judge.performed - before,
        seconds=perf_counter() - began,
        snapshots={area: _snapshots(new)} if new else {},
        both_ways={area: new.both_ways} if new and new.both_ways else {},
        unexpected={area: new.unexpected.errors} if new else {},
    )


def _snapshots(survey: Survey) -> Snapshots:
    performed = {name: (each.scenario, each.trace) for name, each in survey.fixtures.items()}
    return compare(survey.area, survey.known_fixtures, performed)


@dataclass
class Ledger:
    """Everything that is known so far. suite: what judges, and how. file: where the results are written after each entry.

    floor: what has to be exercised at least, once everything was judged.
    """

    judges: Sequence[Judge]
    suite: Suite
    floor: Floor = field(default_factory=Floor)
    file: Path | None = None
    complete: bool = False
    _entries: dict[tuple[str, str], Entry] = field(default_factory=dict[tuple[str, str], Entry])

    def add(self, entry: Entry) -> None:
        """Take in an entry."""
        self._entries[entry.implementation, entry.about] = entry
        self.save()

    def finish(self, *, complete: bool) -> None:
        """Nothing more will come. complete: everything that was asked for was judged."""
        self.complete = complete
        self.save()

    def save(self) -> None:
        """Write the results file, if there shall be one."""
        if self.file is not None:
            write(self.results, self.file)

    @property
    def results(self) -> Results:
        """The results so far: implementations as they were named, rules as in the specification."""
        return Results(
            complete=self.complete,
            suite=self.suite,
            implementations=tuple(self._of(judge) for judge in self.judges),
        )

    def _of(self, judge: Judge) -> ImplementationResults:
        subject = judge.subject
        found = [self._entries.get((subject.label, about)) for about in (*(rule.id for rule in judge.rules), MATRIX)]
        entries = [entry for entry in found if entry is not None]
        areas: dict[Area, Snapshots] = {}
        both_ways: dict[Area, BothWays] = {}
        unexpected: dict[Area, tuple[UnexpectedError, ...]] = {}
        for entry in entries:
            areas.update(entry.snapshots)
            both_ways.update(entry.both_ways)
            unexpected.update(entry.unexpected)
        verdicts = tuple(entry.verdict for entry in entries if entry.verdict is not None)
        return ImplementationResults(
            name=subject.label,
            asked=subject.asked,
            version=subject.version,
            capabilities=tuple(sorted(subject.capabilities)),
            policies=subject.policies,
            choices=subject.choices,
            rules=verdicts,
            cells=tuple(cell for entry in entries for cell in entry.cells),
            both_ways=_all_ways(list(both_ways.values())),
            snapshots=_together(list(areas.values())),
            unexpected=together(list(unexpected.values())),
            shortfalls=tuple(self.floor.shortfalls(verdicts, subject.capabilities)) if self.complete else (),
            scenarios=sum(entry.scenarios for entry in entries),
            seconds=round(sum(entry.seconds for entry in entries), 3),
        )


def _together(areas: Sequence[Snapshots]) -> Snapshots | None:
    if not areas:
        return None
    return Snapshots(
        equal=sum(area.equal for area in areas),
        differing=tuple(name for area in areas for name in area.differing),
        not_comparable=sum(area.not_comparable for area in areas),
    )


def _all_ways(areas: Sequence[BothWays]) -> BothWays | None:
    if not areas:
        return None
    return BothWays(
        compared=sum(area.compared for area in areas),
        differing=tuple(difference for area in areas for difference in area.differing),
    )
