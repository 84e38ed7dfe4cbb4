"""A tally: what came of one rule over everything that was performed, aspect by aspect."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from conformance.harness.execution import Performed
from conformance.judging.search import size
from conformance.rules.rule import Finding, Judgement, Nearest, Rule
from conformance.scenario.scenario import Scenario

Sort = Literal["fixture", "matrix", "corpus", "explored", "flipped"]
"""Where a scenario comes from. matrix: a cell of the configuration matrix, a conflict switch, an order of finishing. explored:
drawn anew. flipped: one of corpus or exploration with streaming flipped in every run."""

FROZEN: frozenset[Sort] = frozenset({"fixture", "matrix", "corpus"})

Proof = tuple[Performed, Finding]
"""A scenario as it was performed, and what is wrong in it."""


@dataclass
class Broken:
    """One aspect of a rule that is violated: by which frozen scenarios, by their ids, and by which others.

    smallest: the smallest of them all, as it was performed.
    """

    smallest: Proof
    frozen: dict[str, Scenario] = field(default_factory=dict[str, Scenario])
    explored: list[Scenario] = field(default_factory=list[Scenario])

    def add(self, performed: Performed, finding: Finding, id: str | None) -> None:
        """Take in one more scenario. id: of a frozen one."""
        if id is None:
            self.explored.append(performed.scenario)
        else:
            self.frozen[id] = performed.scenario
        if size(performed.scenario) < size(self.smallest[0].scenario):
            self.smallest = performed, finding


@dataclass
class Tally:
    """exercised: how often the rule's precondition was met. scenarios: in how many of each sort.

    left_alone: how many subjects each exclusion took away. broken: what violates it, by aspect. raised: where the rule itself
    failed. nearest: what came nearest to exercising the rule, as long as nothing does.
    """

    exercised: int = 0
    scenarios: Counter[Sort] = field(default_factory=Counter[Sort])
    left_alone: Counter[str] = field(default_factory=Counter[str])
    broken: dict[str, Broken] = field(default_factory=dict[str, Broken])
    raised: tuple[Performed, Exception] | None = None
    nearest: Nearest | None = None

    def add(self, rule: Rule, performed: Performed, sort: Sort, id: str | None) -> Judgement | None:
        """Let the rule judge one more performance; None where it failed itself. id: of a frozen scenario."""
        try:
            judgement = rule.examine(performed.view)
        except Exception as error:
            self.raised = self.raised or (performed, error)
            return None
        self.exercised += judgement.exercised
        if not self.exercised:
            self._approach(rule.nearest(performed.view))
        self.scenarios[sort] += bool(judgement.exercised)
        self.left_alone.update(judgement.left_alone)
        for aspect, finding in by_aspect(judgement).items():
            self.broken.setdefault(aspect, Broken((performed, finding))).add(performed, finding, id)
        return judgement

    def _approach(self, near: Nearest | None) -> None:
        if near is not None and (self.nearest is None or len(near.unmet) < len(self.nearest.unmet)):
            self.nearest = near


def by_aspect(judgement: Judgement) -> dict[str, Finding]:
    """The first violation of each aspect."""
    found: dict[str, Finding] = {}
    for violation in judgement.violations:
        found.setdefault(violation.aspect, violation)
    return found
