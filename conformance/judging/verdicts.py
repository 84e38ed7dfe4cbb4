"""What a rule says of an implementation, and what that means for the gate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from conformance.matrix.cells import Cell
from conformance.scenario.identity import scenario_id
from conformance.scenario.scenario import Scenario
from conformance.trace.trace import Trace
from conformance.vocabulary import Area, Data, Level, Verdict

Trouble = Literal["error", "violation", "stale deviation", "not exercised", "not reached"]
"""Why a verdict, or what came of a cell, breaks the gate."""

CellOutcome = Literal["held", "violated", "refused", "not supported", "not reached"]


class Counterexample(Data, frozen=True, kw_only=True, omit_defaults=False):
    """What proves a verdict: the scenario, the trace, and the index of the wrong event.

    aspect: the way in which the rule broke; empty where nothing could be judged. also: indexes of further events that belong to the
    proof. expected, got: a sentence each. id: of the scenario, made of its content, by which it is found again in other results.
    """

    scenario: Scenario
    trace: Trace
    at: int
    aspect: str = ""
    also: tuple[int, ...] = ()
    expected: str = ""
    got: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        """Make the id, which nobody else shall choose."""
        msgspec.structs.force_setattr(self, "id", scenario_id(self.scenario))


class Coverage(Data, frozen=True, kw_only=True, omit_defaults=False):
    """What met a rule's precondition.

    fixtures, matrix, generated: how many of each did at least once; of_fixtures, of_matrix, of_generated: how many were performed.
    matrix: scenarios of the configuration matrix and the conflict switches, which the persistence area has. left_alone: for each
    exclusion of the rule, how many subjects (mostly runs) it took away.
    """

    fixtures: int = 0
    of_fixtures: int = 0
    matrix: int = 0
    of_matrix: int = 0
    generated: int = 0
    of_generated: int = 0
    left_alone: dict[str, int] = {}


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


class CellResult(Data, frozen=True, kw_only=True, omit_defaults=False):
    """What came of one cell of the configuration matrix, over everything that was performed in the persistence area.

    `violated`: by these rules. `refused`: a run or a thread there was, as it should be. `held`: a rule held there and none was
    violated. `not reached`: no rule said anything of a run there. reason: what is not declared, or what came of runs there instead.
    broke: something in the area did, so that nothing more can be said.
    """

    cell: Cell
    outcome: CellOutcome
    rules: tuple[str, ...] = ()
    reason: str = ""
    broke: bool = False

    @property
    def trouble(self) -> Trouble | None:
        """Why this breaks the gate, if it does. Where rules are violated their verdicts decide."""
        if self.outcome != "not reached":
            return None
        return "error" if self.broke else "not reached"


class Difference(Data, frozen=True, kw_only=True, omit_defaults=False):
    """A generated scenario that violates other rules when streaming is flipped in every run."""

    area: Area
    scenario: Scenario
    violated: tuple[str, ...] = ()
    violated_flipped: tuple[str, ...] = ()


class BothWays(Data, frozen=True, kw_only=True, omit_defaults=False):
    """How many generated scenarios were judged as drawn and with streaming flipped, and those that differ.

    Left out: scenarios without a run, those in which a consumer leaves a stream early, and those that broke either way.
    """

    compared: int = 0
    differing: tuple[Difference, ...] = ()


def exit_code(troubles: Iterable[Trouble | None]) -> int:
    """0: the gate holds; 3: something could not be judged; 1: any other trouble."""
    found = set(troubles)
    return 3 if "error" in found else 1 if found - {None} else 0
