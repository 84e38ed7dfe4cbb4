"""The matrix of mutants and rules: which rules kill which mutant, and whether these are the ones that should."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from conformance.implementation.subject import subject
from conformance.judging.search import Profile
from conformance.judging.survey import Material
from conformance.mutants.mutant import Mutant
from conformance.mutants.trial import Trial
from conformance.mutants.workers import tried
from conformance.rules.rule import Rule
from conformance.vocabulary import AREAS, Data

EFFORT = Profile("quick", pool=20, shrink=0)
"""Fixtures and the configuration matrix should kill a mutant; the pool shows what else it trips."""


class Kill(Data, frozen=True, kw_only=True, omit_defaults=False):
    """One row of the matrix: a mutant, the rules that should kill it, and those that did. broke: why it could not be judged."""

    mutant: str
    fault: str
    imitates: str
    expected: tuple[str, ...]
    killed_by: tuple[str, ...]
    broke: str | None = None

    @property
    def equal(self) -> bool:
        """Whether exactly the expected rules killed it, and nothing broke."""
        return self.expected == self.killed_by and self.broke is None


@dataclass(frozen=True)
class Matrix:
    """All rows. unkilled: the rules that no mutant shows to be able to fail."""

    rows: tuple[Kill, ...]
    unkilled: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every row is as expected and every rule kills something."""
        return all(row.equal for row in self.rows) and not self.unkilled


def rows(
    mutants: Mapping[str, type[Mutant]],
    rules: Sequence[Rule],
    *,
    effort: Profile = EFFORT,
    material: Material | None = None,
) -> Iterator[Kill]:
    """Judge one mutant after the other by every rule. Raises ValueError for a mutant that does not say what it has to say."""
    return tried(partial(_row, effort=effort), mutants, rules, material)


def matrix(found: Sequence[Kill], rules: Sequence[Rule]) -> Matrix:
    """The matrix of these rows over these rules."""
    killing = {rule for row in found for rule in row.killed_by}
    return Matrix(tuple(found), tuple(rule.id for rule in rules if rule.id not in killing))


def _row(mutant: type[Mutant], trial: Trial, effort: Profile) -> Kill:
    under_test = subject(mutant)
    killed: set[str] = set()
    broke: str | None = None
    meant = {mutant.area(), *(rule.area for rule in trial.rules if rule.id in mutant.expected)}
    for area in AREAS:
        sorts = [trial.fixtures(area, under_test)]
        if area in meant:  # elsewhere the fixtures show well enough that it breaks nothing
            sorts += [trial.matrix(area, under_test), trial.pool(area, under_test, effort.pool)]
        scenarios = chain.from_iterable(sorts)
        for violated, broken in trial.violated(area, under_test, scenarios):
            killed |= violated
            broke = broke or (str(broken) if broken else None)
    return Kill(
        mutant=mutant.name,
        fault=mutant.fault(),
        imitates=mutant.imitates,
        expected=tuple(sorted(mutant.expected)),
        killed_by=tuple(sorted(killed)),
        broke=broke,
    )
