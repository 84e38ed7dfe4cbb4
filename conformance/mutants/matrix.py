"""The matrix of mutants and rules: which rules kill which mutant, and whether these are the ones that should."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.mutants.mutant import Mutant, check
from conformance.rules.rule import Rule
from conformance.search import Profile
from conformance.subject import subject
from conformance.survey import Material, Survey, shipped
from conformance.vocabulary import AREAS, Data

EFFORT = Profile("quick", pool=20, shrink=0)
"""Fixtures should kill a mutant; the pool shows what else it trips."""


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
    used = material or shipped()
    for mutant in mutants.values():
        check(mutant, [rule.id for rule in rules])
    for mutant in mutants.values():
        yield _row(mutant, rules, effort, used)


def matrix(found: Sequence[Kill], rules: Sequence[Rule]) -> Matrix:
    """The matrix of these rows over these rules."""
    killing = {rule for row in found for rule in row.killed_by}
    return Matrix(tuple(found), tuple(rule.id for rule in rules if rule.id not in killing))


def _row(mutant: type[Mutant], rules: Sequence[Rule], effort: Profile, material: Material) -> Kill:
    under_test = subject(mutant)
    killed: list[str] = []
    broke: str | None = None
    for area in AREAS:
        judging = [rule for rule in rules if rule.area == area and not rule.missing(under_test.capabilities, under_test.policies)]
        if not judging:
            continue
        survey = Survey(under_test, area, judging, effort, material)
        killed += [rule for rule, tally in survey.tallies.items() if tally.smallest is not None]
        raised = next((f"{rule} raised {tally.raised[1]!r}" for rule, tally in survey.tallies.items() if tally.raised), None)
        if survey.broken and survey.broken[0].trace.broken:
            broke = broke or f"{survey.broken[0].name}: {survey.broken[0].trace.broken.text}"
        broke = broke or raised
    return Kill(
        mutant=mutant.name,
        fault=mutant.fault(),
        imitates=mutant.imitates,
        expected=tuple(sorted(mutant.expected)),
        killed_by=tuple(sorted(killed)),
        broke=broke,
    )
