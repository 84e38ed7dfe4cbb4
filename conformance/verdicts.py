"""What a rule says of an implementation, and what that means for the gate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from conformance.scenario import Scenario
from conformance.trace import Trace
from conformance.vocabulary import Data, Level, Verdict

Trouble = Literal["error", "violation", "stale deviation", "not exercised"]
"""Why a verdict breaks the gate."""


class Counterexample(Data, frozen=True, kw_only=True, omit_defaults=False):
    """What proves a verdict: the scenario, the trace, and the index of the wrong event.

    also: indexes of further events that belong to the proof. expected, got: a sentence each.
    """

    scenario: Scenario
    trace: Trace
    at: int
    also: tuple[int, ...] = ()
    expected: str = ""
    got: str = ""


class Coverage(Data, frozen=True, kw_only=True, omit_defaults=False):
    """What met a rule's precondition.

    fixtures, generated: how many of each did at least once; of_fixtures, of_generated: how many were performed.
    """

    fixtures: int = 0
    of_fixtures: int = 0
    generated: int = 0
    of_generated: int = 0


class RuleVerdict(Data, frozen=True, kw_only=True, omit_defaults=False):
    """What one rule says of one implementation.

    exercised: how often the rule's precondition was met. coverage: in how many scenarios; None where the rule does not apply.
    reason: why the verdict is not a plain pass; of a deviation, the declared one. stale: a deviation is declared, but the rule
    holds or cannot be judged.
    """

    rule: str
    level: Level
    verdict: Verdict
    exercised: int = 0
    coverage: Coverage | None = None
    reason: str = ""
    counterexample: Counterexample | None = None
    stale: bool = False

    @property
    def trouble(self) -> Trouble | None:
        """Why this verdict breaks the gate, if it does."""
        if self.verdict == "error":
            return "error"
        if self.verdict == "fail":
            return "violation"
        if self.stale:
            return "stale deviation"
        return "not exercised" if self.verdict == "not exercised" and self.level == "MUST" else None


def exit_code(verdicts: Iterable[RuleVerdict]) -> int:
    """0: the gate holds; 3: something could not be judged; 1: any other trouble."""
    troubles = {verdict.trouble for verdict in verdicts}
    return 3 if "error" in troubles else 1 if troubles - {None} else 0
