"""How soon generated scenarios alone kill a mutant: without fixtures, in the order in which they are drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from statistics import median

from conformance.judging.material import Material
from conformance.mutants.mutant import Mutant, rules_of
from conformance.mutants.trial import Suspect, Trial
from conformance.mutants.workers import tried
from conformance.rules.rule import Rule
from conformance.vocabulary import AREAS, Area, Data

WITHIN = 300
"""Scenarios that are tried before a mutant counts as not killed."""

BOUND = 30
"""Within so many scenarios the median mutant of an area has to be killed."""


class Hunt(Data, frozen=True, kw_only=True, omit_defaults=False):
    """What generated scenarios make of one mutant.

    after: the number, from 1, of the first scenario with which an expected rule kills it; None: none does. killed_by: the expected
    rules that do so with it. unexpected: rules that kill it up to there although it does not name them, each with the number of the
    first scenario. broke: why it could not be judged.
    """

    mutant: str
    area: Area
    expected: tuple[str, ...]
    after: int | None = None
    killed_by: tuple[str, ...] = ()
    unexpected: dict[str, int] = {}
    broke: str | None = None

    @property
    def wrong(self) -> bool:
        """Whether something else than an expected rule killed it."""
        return bool(self.unexpected) or self.broke is not None


def hunts(
    mutants: Mapping[str, type[Mutant]], rules: Sequence[Rule], *, within: int = WITHIN, material: Material | None = None
) -> Iterator[Hunt]:
    """Hunt one mutant after the other. Raises ValueError for a mutant that does not say what it has to say."""
    return tried(partial(_hunt, within=within), mutants, rules, material)


def medians(found: Sequence[Hunt]) -> dict[Area, float]:
    """For each area the number of scenarios within which half of its mutants are killed; infinite where fewer are."""
    concerned: list[Area] = [area for area in AREAS if any(hunt.area == area for hunt in found)]
    return {area: median(hunt.after or math.inf for hunt in found if hunt.area == area) for area in concerned}


def hold(found: Sequence[Hunt]) -> bool:
    """Whether only expected rules kill, and soon enough."""
    return not any(hunt.wrong for hunt in found) and all(number <= BOUND for number in medians(found).values())


def _hunt(mutant: type[Mutant], trial: Trial, within: int) -> Hunt:
    suspect, area = Suspect(mutant), mutant.area()
    after, broke = None, None
    kills: frozenset[str] = frozenset()
    unexpected: dict[str, int] = {}
    judged = trial.violated(area, suspect, trial.pool(area, suspect.subject, within))
    for number, (violated, broken) in enumerate(judged, start=1):
        if broken is not None:
            broke = str(broken)
            break
        rules = rules_of(violated)
        for rule in sorted(rules - mutant.expected):
            unexpected.setdefault(rule, number)
        kills = rules & mutant.expected
        if kills:
            after = number
            break
    return Hunt(
        mutant=mutant.name,
        area=area,
        expected=tuple(sorted(mutant.expected)),
        after=after,
        killed_by=tuple(sorted(kills)),
        unexpected=unexpected,
        broke=broke,
    )
