"""How soon generated scenarios alone kill a mutant: without fixtures, in the order in which they are drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from conformance.mutants.mutant import Mutant, check
from conformance.performance import Performed, performed
from conformance.rules.rule import Rule
from conformance.scenario import Scenario
from conformance.search import draw
from conformance.stage import STEP_TIMEOUT
from conformance.subject import Subject, subject
from conformance.survey import Material, shipped
from conformance.vocabulary import AREAS, Area, Capability, Data

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


@dataclass
class Pools:
    """The generated scenarios of each area, drawn once for all mutants that declare the same."""

    material: Material
    within: int
    _drawn: dict[tuple[Area, frozenset[Capability]], list[Scenario]] = field(
        default_factory=dict[tuple[Area, frozenset[Capability]], list[Scenario]]
    )

    def pool(self, area: Area, under_test: Subject) -> Sequence[Scenario]:
        """The scenarios, in the order in which they are drawn."""
        known = area, under_test.capabilities
        if known not in self._drawn:
            self._drawn[known] = []
            draw(self.material.scenarios(*known), self.within, self._drawn[known].append)
        return self._drawn[known]


def hunts(
    mutants: Mapping[str, type[Mutant]], rules: Sequence[Rule], *, within: int = WITHIN, material: Material | None = None
) -> Iterator[Hunt]:
    """Hunt one mutant after the other. Raises ValueError for a mutant that does not say what it has to say."""
    pools = Pools(material or shipped(), within)
    for mutant in mutants.values():
        check(mutant, [rule.id for rule in rules])
    for mutant in mutants.values():
        yield _hunt(mutant, rules, pools)


def medians(found: Sequence[Hunt]) -> dict[Area, float]:
    """For each area the number of scenarios within which half of its mutants are killed; infinite where fewer are."""
    concerned: list[Area] = [area for area in AREAS if any(hunt.area == area for hunt in found)]
    return {area: median(hunt.after or math.inf for hunt in found if hunt.area == area) for area in concerned}


def hold(found: Sequence[Hunt]) -> bool:
    """Whether only expected rules kill, and soon enough."""
    return not any(hunt.wrong for hunt in found) and all(number <= BOUND for number in medians(found).values())


def _hunt(mutant: type[Mutant], rules: Sequence[Rule], pools: Pools) -> Hunt:
    under_test, area = subject(mutant), mutant.area()
    judging = [rule for rule in rules if rule.area == area and not rule.missing(under_test.capabilities, under_test.policies)]
    after, broke = None, None
    kills: list[str] = []
    unexpected: dict[str, int] = {}
    for number, scenario in enumerate(pools.pool(area, under_test), start=1):
        shown = Performed("a generated scenario", scenario, performed(scenario, under_test, STEP_TIMEOUT))
        if shown.trace.broken:
            broke = f"generated scenario {number}: {shown.trace.broken.text}"
            break
        try:
            violated = [rule.id for rule in judging if rule.examine(shown.case).violations]
        except Exception as error:
            broke = f"a rule raised {error!r} on generated scenario {number}"
            break
        for rule in violated:
            if rule not in mutant.expected:
                unexpected.setdefault(rule, number)
        kills = [rule for rule in violated if rule in mutant.expected]
        if kills:
            after = number
            break
    return Hunt(
        mutant=mutant.name,
        area=area,
        expected=tuple(sorted(mutant.expected)),
        after=after,
        killed_by=tuple(kills),
        unexpected=unexpected,
        broke=broke,
    )
