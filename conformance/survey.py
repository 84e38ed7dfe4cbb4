"""A survey: the fixtures and a pool of generated scenarios of one area, performed once, each judged by every rule.

Only tallies are kept, not the traces of the pool, so that a thorough survey needs no more memory than a quick one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis.strategies import SearchStrategy

from conformance.performance import Performed, performed, violation
from conformance.rules.rule import Finding, Rule
from conformance.scenario import Scenario
from conformance.search import Enough, Profile, draw, key, size
from conformance.stage import STEP_TIMEOUT
from conformance.subject import Subject
from conformance.trace import Trace
from conformance.vocabulary import Area, Capability

GIVE_UP = 3
"""Broken performances after which a survey ends: an implementation that always hangs must not cost hours."""

IMPATIENCE = 1.0
"""Seconds that a step may take once another one hung."""


@dataclass(frozen=True)
class Material:
    """What an area is judged with: fixtures, generated scenarios, and what a scenario demands."""

    fixtures: Callable[[Area], Sequence[tuple[str, Scenario]]]
    scenarios: Callable[[Area, frozenset[Capability]], SearchStrategy[Scenario]]
    needs: Callable[[Scenario], frozenset[Capability]]


def shipped() -> Material:
    """The suite's own material."""
    from conformance.fixtures import load
    from conformance.needs import needs
    from conformance.strategies import scenarios

    return Material(load, scenarios, needs)


@dataclass
class Tally:
    """What one rule said of everything performed so far.

    exercised: how often its precondition was met; fixtures, generated: in how many of each. smallest: the smallest violation.
    raised: where the rule itself failed.
    """

    exercised: int = 0
    fixtures: int = 0
    generated: int = 0
    smallest: tuple[Performed, Finding] | None = None
    raised: tuple[Performed, Exception] | None = None


@dataclass
class Survey:
    """One area on one subject.

    fixtures: every fixture that was performed, out of `known_fixtures`. generated: how many other scenarios were. broken: what
    cannot be judged.
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
    generated: int = 0
    broken: list[Performed] = field(default_factory=list[Performed])
    performed: int = 0
    _violated: dict[bytes, frozenset[str]] = field(default_factory=dict[bytes, frozenset[str]])
    _broken_in_search: int = 0

    def __post_init__(self) -> None:
        """Perform everything."""
        self.tallies = {rule.id: Tally() for rule in self.rules}
        fixtures = self.material.fixtures(self.area)
        self.known_fixtures = len(fixtures)
        try:
            for name, scenario in fixtures:
                performed = self.performance(f"fixture {name}", scenario)
                if performed is not None:
                    self.fixtures[name] = performed
                    for tally in self._count(performed):
                        tally.fixtures += 1
            draw(self.strategy, self.effort.pool, self._visit)
        except Enough:
            pass

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
        trace = performed(scenario, self.subject, self.timeout)
        if trace.broken and trace.broken.cause == "timeout":
            self.timeout = min(self.timeout, IMPATIENCE)
        return trace

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
        if key(scenario) not in self._violated:
            performed = self.performance("a generated scenario", scenario)
            if performed is not None:
                self.generated += 1
                for tally in self._count(performed):
                    tally.generated += 1

    def _count(self, performed: Performed) -> list[Tally]:
        """Let every rule judge; the tallies of those that were exercised."""
        if performed.trace.broken:
            self._violated[key(performed.scenario)] = frozenset()
            self.broken.append(performed)
            if self.gave_up:
                raise Enough
            return []
        violated: set[str] = set()
        exercised: list[Tally] = []
        for rule in self.rules:
            tally = self.tallies[rule.id]
            try:
                judgement = rule.examine(performed.case)
            except Exception as error:
                tally.raised = tally.raised or (performed, error)
                continue
            tally.exercised += judgement.exercised
            if judgement.exercised:
                exercised.append(tally)
            if judgement.violations:
                violated.add(rule.id)
                if tally.smallest is None or size(performed.scenario) < size(tally.smallest[0].scenario):
                    tally.smallest = performed, judgement.violations[0]
        self._violated[key(performed.scenario)] = frozenset(violated)
        return exercised
