"""A survey: the fixtures, the matrix and a pool of generated scenarios of one area, each judged by every rule.

Only tallies are kept, not the traces of the pool, so that a thorough survey needs little more memory than a quick one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import msgspec
from hypothesis.strategies import SearchStrategy

from conformance.harness.execution import Performed, performed, violation
from conformance.harness.runner import STEP_TIMEOUT
from conformance.implementation.subject import Subject
from conformance.judging.cell_outcomes import Outcomes
from conformance.judging.search import Enough, Profile, draw, key, size
from conformance.judging.unexpected import Unexpected
from conformance.judging.verdicts import BothWays, Difference
from conformance.rules.rule import Finding, Judgement, Nearest, Rule
from conformance.scenario.scenario import Respond, Run, RunWorkflow, Scenario, Step, Together, runs_of, workflow_runs_of
from conformance.trace.harness_events import Broke
from conformance.trace.trace import Trace
from conformance.vocabulary import Area, Capability, Policies

GIVE_UP = 3
"""Broken performances after which a survey ends: an implementation that always hangs must not cost hours."""


def _no_matrix(_area: Area, _capabilities: frozenset[Capability], _policies: Policies) -> Iterable[Scenario]:
    return ()


@dataclass(frozen=True)
class Material:
    """What an area is judged with: fixtures, generated scenarios, what a scenario demands, and a matrix that must be complete.

    matrix: the configuration matrix, or every order of finishing.
    """

    fixtures: Callable[[Area], Sequence[tuple[str, Scenario]]]
    scenarios: Callable[[Area, frozenset[Capability]], SearchStrategy[Scenario]]
    needs: Callable[[Scenario], frozenset[Capability]]
    matrix: Callable[[Area, frozenset[Capability], Policies], Iterable[Scenario]] = _no_matrix


def shipped() -> Material:
    """The suite's own material."""
    from conformance.matrix import cells, conflict_switches, finishing_orders
    from conformance.scenario.files import load
    from conformance.scenario.requirements import needs
    from conformance.strategies import scenarios

    def matrix(area: Area, capabilities: frozenset[Capability], policies: Policies) -> Iterable[Scenario]:
        match area:
            case "threads":
                return ()
            case "persistence":
                return (*cells.scenarios(capabilities, policies), *conflict_switches.scenarios())
            case "orchestration":
                return finishing_orders.scenarios(capabilities)

    return Material(load, scenarios, needs, matrix)


Sort = Literal["fixture", "matrix", "generated", "flipped"]
"""Where a scenario comes from. matrix: a cell of the configuration matrix or a conflict switch. flipped: a generated one with
streaming flipped in every run."""


@dataclass
class Tally:
    """exercised: how often the rule's precondition was met. scenarios: in how many of each sort.

    left_alone: how many subjects each exclusion took away. smallest: the smallest violation. raised: where the rule itself failed.
    nearest: what came nearest to exercising the rule, as long as nothing does.
    """

    exercised: int = 0
    scenarios: Counter[Sort] = field(default_factory=Counter[Sort])
    left_alone: Counter[str] = field(default_factory=Counter[str])
    smallest: tuple[Performed, Finding] | None = None
    raised: tuple[Performed, Exception] | None = None
    nearest: Nearest | None = None

    def add(self, rule: Rule, performed: Performed, sort: Sort) -> Judgement | None:
        """Let the rule judge one more performance; None where it failed itself."""
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
        if judgement.violations and (self.smallest is None or size(performed.scenario) < size(self.smallest[0].scenario)):
            self.smallest = performed, judgement.violations[0]
        return judgement

    def _approach(self, near: Nearest | None) -> None:
        if near is not None and (self.nearest is None or len(near.unmet) < len(self.nearest.unmet)):
            self.nearest = near


@dataclass
class Survey:
    """One area on one subject.

    fixtures: every fixture that was performed, out of `known_fixtures`. scenarios: how many of each sort were. outcomes: what came
    of the configuration matrix, in the persistence area. both_ways: where the effort asks for it. broken: what cannot be judged.
    unexpected: errors of no neutral kind, and steps that the adapter refused.
    """

    subject: Subject
    area: Area
    rules: Sequence[Rule]
    effort: Profile
    material: Material
    timeout: float = STEP_TIMEOUT
    tallies: dict[str, Tally] = field(default_factory=dict[str, Tally])
    fixtures: dict[str, Performed] = field(default_factory=dict[str, Performed])
    known_fixtures: int = 0
    scenarios: Counter[Sort] = field(default_factory=Counter[Sort])
    outcomes: Outcomes = field(default_factory=Outcomes)
    both_ways: BothWays | None = None
    broken: list[Performed] = field(default_factory=list[Performed])
    performed: int = 0
    unexpected: Unexpected = field(default_factory=Unexpected)
    _drawn: list[Scenario] = field(default_factory=list[Scenario])
    _violated: dict[bytes, frozenset[str]] = field(default_factory=dict[bytes, frozenset[str]])
    _broken_in_search: int = 0

    def __post_init__(self) -> None:
        """Perform everything."""
        self.tallies = {rule.id: Tally() for rule in self.rules}
        with suppress(Enough):
            self._perform_all()

    def _perform_all(self) -> None:
        fixtures = self.material.fixtures(self.area)
        self.known_fixtures = len(fixtures)
        for name, scenario in fixtures:
            performed = self._judge(f"fixture {name}", scenario, "fixture")
            if performed is not None:
                self.fixtures[name] = performed
        for scenario in self.material.matrix(self.area, self.subject.capabilities, self.subject.policies):
            self._judge(f"the scenario {scenario.title!r}", scenario, "matrix")
        draw(self.strategy, self.effort.pool, self._visit)
        if self.effort.both_ways and "runs.streaming" in self.subject.capabilities and not self.gave_up:
            self._compare_both_ways()

    @property
    def gave_up(self) -> bool:
        """Whether the survey ended early."""
        return len(self.broken) >= GIVE_UP

    @property
    def strategy(self) -> SearchStrategy[Scenario]:
        """The generated scenarios of the area that the subject can be asked to perform."""
        return self.material.scenarios(self.area, self.subject.capabilities)

    def can(self, scenario: Scenario) -> bool:
        """Whether the subject declares what a scenario demands."""
        return self.material.needs(scenario) <= self.subject.capabilities

    def perform(self, scenario: Scenario) -> Trace:
        """The trace of a scenario, checked to be what a trace must be."""
        self.performed += 1
        return performed(scenario, self.subject, self.timeout)

    def violates(self, scenario: Scenario, rule: Rule) -> bool:
        """Whether a rule is violated by a scenario; performed only where it was not before.

        It changes no tally: what one rule's search happens to meet must not change the verdict of another.
        """
        known = self._violated.get(key(scenario))
        if known is None:
            performed = self.performance("found in a search", scenario)
            if performed is None:
                return False
            violated = (each.id for each in self.rules if violation(each, performed) is not None)
            known = self._violated[key(scenario)] = frozenset(violated)
            self._broken_in_search += performed.trace.broken is not None
        if self._broken_in_search >= GIVE_UP:
            raise Enough
        return rule.id in known

    def performance(self, name: str, scenario: Scenario) -> Performed | None:
        """Perform a scenario; None where the subject does not declare what it demands."""
        return Performed(name, scenario, self.perform(scenario)) if self.can(scenario) else None

    def _visit(self, scenario: Scenario) -> None:
        if key(scenario) not in self._violated and self._judge("a generated scenario", scenario, "generated"):
            self._drawn.append(scenario)

    def _compare_both_ways(self) -> None:
        """Perform every generated scenario also with streaming flipped, where it can be, and compare what is violated."""
        compared = 0
        differing: list[Difference] = []
        for drawn in self._drawn:
            other = flipped(drawn)
            if other is None or not self.can(other):
                continue
            if key(other) not in self._violated:
                self._judge("a generated scenario with streaming flipped", other, "flipped")
            violated, instead = self._violated[key(drawn)], self._violated[key(other)]
            broken = {key(each.scenario) for each in self.broken}
            if not {key(drawn), key(other)} & broken:
                compared += 1
                if violated != instead:
                    found = tuple(sorted(violated)), tuple(sorted(instead))
                    differing.append(Difference(area=self.area, scenario=drawn, violated=found[0], violated_flipped=found[1]))
        smallest_first = sorted(differing, key=lambda each: size(each.scenario))
        self.both_ways = BothWays(compared=compared, differing=tuple(smallest_first))

    def _judge(self, name: str, scenario: Scenario, sort: Sort) -> Performed | None:
        """Perform a scenario and let every rule judge; None where the subject does not declare what it demands."""
        performed = self.performance(name, scenario)
        if performed is None:
            return None
        self.scenarios[sort] += 1
        self.unexpected.add(performed.trace)
        if performed.trace.broken:
            self._violated[key(scenario)] = frozenset()
            self.broken.append(performed)
            if self.gave_up:
                raise Enough
            return performed
        judged = [self.tallies[rule.id].add(rule, performed, sort) for rule in self.rules]
        judgements = [judgement for judgement in judged if judgement is not None]
        if self.area == "persistence":
            self.outcomes.add(performed.view, judgements)
        self._violated[key(scenario)] = frozenset(judgement.rule for judgement in judgements if judgement.violations)
        return performed


def flipped(scenario: Scenario) -> Scenario | None:
    """The scenario with streaming flipped in every run and every answer.

    None where there is nothing to flip, and where a consumer leaves a stream early: without streaming there is nothing to leave.
    """
    if any(run.abandons is not None for step in scenario.steps for run in (*runs_of(step), *workflow_runs_of(step))):
        return None
    steps = tuple(_step(step) for step in scenario.steps)
    return msgspec.structs.replace(scenario, steps=steps) if steps != scenario.steps else None


def _step(step: Step) -> Step:
    match step:
        case Run() | RunWorkflow() | Respond():
            return msgspec.structs.replace(step, stream=not step.stream)
        case Together():
            return msgspec.structs.replace(
                step, runs=tuple(msgspec.structs.replace(run, stream=not run.stream) for run in step.runs)
            )
        case _:
            return step


@dataclass(frozen=True)
class Breakage:
    """The smallest performance that broke, where in its trace, and what happened, in a sentence."""

    performed: Performed
    at: int
    text: str
    reason: str


def breakage(survey: Survey) -> Breakage | None:
    """What broke in a survey; None where everything came to an end that can be judged."""
    if not survey.broken:
        return None
    performed = min(survey.broken, key=lambda each: size(each.scenario))
    broke = performed.trace.broken
    assert broke is not None
    more = f"; {len(survey.broken)} performances broke" if len(survey.broken) > 1 else ""
    gave_up = ", so the rest of the area was not tried" if survey.gave_up else ""
    return Breakage(
        performed=performed,
        at=performed.trace.events.index(broke),
        text=broke.text,
        reason=f"{_fault(broke)} in step {broke.step + 1} of {performed.name}: {broke.text}{more}{gave_up}",
    )


def _fault(broke: Broke) -> str:
    """Whose fault it is, and where: `a mistake of the adapter (crash) at my_adapter.py:12`."""
    whose = {
        "adapter": f"a mistake of the adapter ({broke.cause})",
        "harness": f"a fault of the harness ({broke.cause})",
        "implementation": broke.cause,
        "network": broke.cause,
    }[broke.blame]
    return f"{whose} at {broke.where}" if broke.where else whose
