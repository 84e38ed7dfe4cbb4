"""The matrix of mutants and rules: which rules kill which mutant, and whether these are the ones that should."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain

from conformance.implementation.subject import subject
from conformance.judging.kills import Kill
from conformance.judging.material import Material
from conformance.mutants.mutant import Mutant, rules_of
from conformance.mutants.trial import Trial
from conformance.mutants.workers import tried
from conformance.rules.rule import Rule
from conformance.vocabulary import AREAS

POOL = 20
"""Fixtures and the configuration matrix should kill a mutant; the pool shows what else it trips."""


def rows(
    chosen: Mapping[str, type[Mutant]],
    rules: Sequence[Rule],
    *,
    pool: int = POOL,
    material: Material | None = None,
) -> Iterator[Kill]:
    """Judge one mutant after the other by every rule. Raises ValueError for a mutant that does not say what it has to say."""
    return tried(partial(_row, pool=pool), chosen, rules, material)


def _row(mutant: type[Mutant], trial: Trial, pool: int) -> Kill:
    under_test = subject(mutant)
    ways: set[str] = set()
    broke: str | None = None
    meant = {mutant.area(), *(rule.area for rule in trial.rules if rule.id in mutant.expected)}
    for area in AREAS:
        sorts = [trial.fixtures(area, under_test)]
        if area in meant:  # elsewhere the fixtures show well enough that it breaks nothing
            sorts += [trial.matrix(area, under_test), trial.pool(area, under_test, pool)]
        scenarios = chain.from_iterable(sorts)
        for violated, broken in trial.violated(area, under_test, scenarios):
            ways |= violated
            broke = broke or (str(broken) if broken else None)
    return Kill(
        mutant=mutant.name,
        fault=mutant.fault(),
        imitates=mutant.imitates,
        breaks=mutant.breaks,
        expected=tuple(sorted(mutant.expected)),
        killed_by=tuple(sorted(rules_of(ways))),
        ways=tuple(sorted(ways)),
        broke=broke,
    )
