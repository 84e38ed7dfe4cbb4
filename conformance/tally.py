"""A tally: what one rule said of everything performed in a survey so far."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from conformance.performance import Performed
from conformance.rules.rule import Finding, Judgement, Rule
from conformance.search import size

Sort = Literal["fixture", "matrix", "generated", "flipped"]
"""Where a scenario comes from. matrix: a cell of the configuration matrix or a conflict switch. flipped: a generated one with
streaming flipped in every run."""


@dataclass
class Tally:
    """exercised: how often the rule's precondition was met. scenarios: in how many of each sort.

    smallest: the smallest violation. raised: where the rule itself failed.
    """

    exercised: int = 0
    scenarios: Counter[Sort] = field(default_factory=Counter[Sort])
    smallest: tuple[Performed, Finding] | None = None
    raised: tuple[Performed, Exception] | None = None

    def add(self, rule: Rule, performed: Performed, sort: Sort) -> Judgement | None:
        """Let the rule judge one more performance; None where it failed itself."""
        try:
            judgement = rule.examine(performed.case)
        except Exception as error:
            self.raised = self.raised or (performed, error)
            return None
        self.exercised += judgement.exercised
        self.scenarios[sort] += bool(judgement.exercised)
        if judgement.violations and (self.smallest is None or size(performed.scenario) < size(self.smallest[0].scenario)):
            self.smallest = performed, judgement.violations[0]
        return judgement
