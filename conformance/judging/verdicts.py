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

Trouble = Literal[
    "error",
    "violation",
    "stale deviation",
    "expired deviation",
    "deviation without a reason",
    "not exercised",
    "not reached",
    "nothing exercised",
    "not declared",
]
"""Why a verdict, what came of a cell, or a run as a whole breaks the gate.

nothing exercised: no rule at all was, or none of an area that was asked for. not declared: a capability that the gate requires.
"""

FaultTrouble = Literal["stale deviation", "expired deviation", "deviation without a reason"]

DeviationKind = Literal["bug", "by design", "disputed"]
"""bug: the implementation contradicts what it means to do. by design: it decided otherwise. disputed: which of the two is open."""

_WORST_FIRST: tuple[DeviationKind, ...] = ("bug", "disputed", "by design")

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

    fixtures, matrix, corpus, explored: how many of each did at least once; of_fixtures and so on: how many were performed. matrix:
    scenarios of the configuration matrix and the conflict switches, or orders of finishing. explored: those that were drawn anew.
    left_alone: for each exclusion of the rule, how many subjects (mostly runs) it took away.
    """

    fixtures: int = 0
    of_fixtures: int = 0
    matrix: int = 0
    of_matrix: int = 0
    corpus: int = 0
    of_corpus: int = 0
    explored: int = 0
    of_explored: int = 0
    left_alone: dict[str, int] = {}


class Violation(Data, frozen=True, kw_only=True, omit_defaults=False):
    """One way in which a rule is violated, with the smallest scenario that shows it.

    declared: by a deviation of the baseline, whose reason, kind, link and `follows` (the `RULE/aspect` that it is a consequence of)
    these are; of a new violation they are empty. counterexample: of a declared one, its own scenario. flaky: the same scenario,
    performed again, did not violate the rule each time.
    """

    aspect: str
    declared: bool = False
    reason: str = ""
    kind: DeviationKind | None = None
    link: str = ""
    follows: str = ""
    counterexample: Counterexample
    flaky: bool = False


class Fault(Data, frozen=True, kw_only=True, omit_defaults=False):
    """What is wrong with what the baseline declares of a rule, in a sentence, and why that breaks the gate."""

    trouble: FaultTrouble
    text: str


class RuleVerdict(Data, frozen=True, kw_only=True, omit_defaults=False):
    """What one rule says of one implementation. record: what became of the decision record that the rule comes from.

    exercised: how often the rule's precondition was met. coverage: in how many scenarios; None where the rule does not apply.
    reason: why the verdict is not a plain pass; of deviations, the declared ones. violations: new ones first. failing: for each
    aspect the ids of the frozen scenarios that violate it. broke: what shows an error. faults: of the baseline.
    """

    rule: str
    level: Level
    record: str = ""
    verdict: Verdict
    exercised: int = 0
    coverage: Coverage | None = None
    reason: str = ""
    violations: tuple[Violation, ...] = ()
    failing: dict[str, tuple[str, ...]] = {}
    broke: Counterexample | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def counterexample(self) -> Counterexample | None:
        """What proves the verdict: the first of its violations, or what broke."""
        return self.violations[0].counterexample if self.violations else self.broke

    @property
    def kind(self) -> DeviationKind | None:
        """What kind of deviation it is, where all of it is declared: a bug if any is one, by design if all are."""
        if self.verdict != "deviates":
            return None
        kinds = {violation.kind or "bug" for violation in self.violations}
        return next(kind for kind in _WORST_FIRST if kind in kinds)

    @property
    def stale(self) -> bool:
        """Whether something is declared that is no longer so."""
        return any(fault.trouble == "stale deviation" for fault in self.faults)

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """Everything in it that breaks the gate, the worst first."""
        found: list[Trouble] = [fault.trouble for fault in self.faults]
        if self.verdict == "error":
            return ("error", *found)
        if self.verdict == "fail":
            new: list[Trouble] = ["violation" for violation in self.violations if not violation.declared]
            return (*new, *found)
        if self.verdict == "not exercised" and self.level == "MUST":
            return (*found, "not exercised")
        return tuple(found)

    @property
    def trouble(self) -> Trouble | None:
        """The worst of these, if there is any."""
        return next(iter(self.troubles), None)


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
    """A scenario that violates other rules when streaming is flipped in every run."""

    area: Area
    scenario: Scenario
    violated: tuple[str, ...] = ()
    violated_flipped: tuple[str, ...] = ()


class BothWays(Data, frozen=True, kw_only=True, omit_defaults=False):
    """How many scenarios of corpus and exploration were judged as drawn and with streaming flipped, and those that differ.

    Left out: scenarios without a run, those in which a consumer leaves a stream early, and those that broke either way.
    """

    compared: int = 0
    differing: tuple[Difference, ...] = ()


def exit_code(troubles: Iterable[Trouble | None]) -> int:
    """0: the gate holds; 3: something could not be judged; 1: any other trouble."""
    found = set(troubles)
    return 3 if "error" in found else 1 if found - {None} else 0
