"""The ledger: verdicts as they come, from one process or from several, put in order; the results file is current after each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from conformance import __version__
from conformance.judge import Judge
from conformance.results import ImplementationResults, Results, Suite, write
from conformance.rules.rule import Rule
from conformance.search import ProfileName
from conformance.snapshots import Snapshots, compare
from conformance.verdicts import RuleVerdict
from conformance.vocabulary import Area, Data


class Entry(Data, frozen=True, kw_only=True):
    """One verdict, with what it cost and what came to light with it; it travels between processes as JSON."""

    implementation: str
    verdict: RuleVerdict
    scenarios: int = 0
    seconds: float = 0.0
    snapshots: dict[Area, Snapshots] = {}


def judged(judge: Judge, rule: Rule) -> Entry:
    """Ask a judge, and note what it cost."""
    began, before, known = perf_counter(), judge.performed, judge.surveyed(rule.area)
    verdict = judge.verdict(rule)
    survey = judge.surveyed(rule.area)
    snapshots: dict[Area, Snapshots] = {}
    if survey is not None and known is None:
        performed = {name: (each.scenario, each.trace) for name, each in survey.fixtures.items()}
        snapshots[rule.area] = compare(rule.area, survey.known_fixtures, performed)
    return Entry(
        implementation=judge.subject.label,
        verdict=verdict,
        scenarios=judge.performed - before,
        seconds=perf_counter() - began,
        snapshots=snapshots,
    )


@dataclass
class Ledger:
    """Everything that is known so far. file: where the results are written after each entry."""

    judges: Sequence[Judge]
    profile: ProfileName
    file: Path | None = None
    complete: bool = False
    _entries: dict[tuple[str, str], Entry] = field(default_factory=dict[tuple[str, str], Entry])

    def add(self, entry: Entry) -> None:
        """Take in a verdict."""
        self._entries[entry.implementation, entry.verdict.rule] = entry
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
            suite=Suite(version=__version__, profile=self.profile),
            implementations=tuple(self._of(judge) for judge in self.judges),
        )

    def _of(self, judge: Judge) -> ImplementationResults:
        subject = judge.subject
        found = [self._entries.get((subject.label, rule.id)) for rule in judge.rules]
        entries = [entry for entry in found if entry is not None]
        areas: dict[Area, Snapshots] = {}
        for entry in entries:
            areas.update(entry.snapshots)
        return ImplementationResults(
            name=subject.label,
            version=subject.version,
            capabilities=tuple(sorted(subject.capabilities)),
            policies=subject.policies,
            rules=tuple(entry.verdict for entry in entries),
            snapshots=_together(list(areas.values())),
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
