"""A survey: the fixtures, the matrix, the corpus and what is drawn of one area, each scenario judged by every rule.

Only tallies are kept, and the traces of the smallest violations, so that a thorough survey needs little more memory than a quick
one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
from hypothesis.strategies import SearchStrategy

from conformance.harness.execution import Performed, performed, violation
from conformance.harness.runner import STEP_TIMEOUT
from conformance.implementation.subject import Subject
from conformance.judging.cell_outcomes import Outcomes
from conformance.judging.material import Material
from conformance.judging.search import Enough, Profile, draw, key, size
from conformance.judging.tally import FROZEN, Proof, Sort, Tally
from conformance.judging.unexpected import Unexpected
from conformance.judging.verdicts import BothWays, Difference
from conformance.rules.rule import Judgement, Rule
from conformance.scenario.identity import scenario_id
from conformance.scenario.scenario import Respond, Run, RunWorkflow, Scenario, Step, Together, runs_of, workflow_runs_of
from conformance.trace.harness_events import Broke, Refused
from conformance.trace.trace import Trace
from conformance.vocabulary import Area, lacking

GIVE_UP = 3
"""Broken performances after which a survey ends: an implementation that always hangs must not cost hours."""


@dataclass
class Survey:
    """One area on one subject.

    fixtures: every fixture that was performed, out of `known_fixtures`. judged: the ids of the frozen scenarios that were.
    scenarios: how many of each sort were. outcomes: what came of the configuration matrix, in the persistence area. both_ways:
    where the effort asks for it. broken: what no rule can judge. unexpected: errors of no neutral kind, and steps that the adapter
    refused. refused: of the frozen scenarios, by id, the first such step.
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
    judged: set[str] = field(default_factory=set[str])
    scenarios: Counter[Sort] = field(default_factory=Counter[Sort])
    outcomes: Outcomes = field(default_factory=Outcomes)
    both_ways: BothWays | None = None
    broken: list[Performed] = field(default_factory=list[Performed])
    performed: int = 0
    unexpected: Unexpected = field(default_factory=Unexpected)
    refused: dict[str, Refused] = field(default_factory=dict[str, Refused])
    _free: list[Scenario] = field(default_factory=list[Scenario])
    _violated: dict[bytes, frozenset[str]] = field(default_factory=dict[bytes, frozenset[str]])
    _tried: dict[tuple[bytes, str], bool] = field(default_factory=dict[tuple[bytes, str], bool])
    _cut_off: set[bytes] = field(default_factory=set[bytes])
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
        for scenario in self.material.corpus(self.area)[: self.effort.corpus]:
            self._visit("a scenario of the corpus", scenario, "corpus")
        if self.effort.explore:
            draw(self.strategy, self.effort.explore, self._explore, seed=self.effort.seed)
        if self.effort.both_ways and "runs.streaming" in self.subject.capabilities and not self.gave_up:
            self._compare_both_ways()

    @property
    def gave_up(self) -> bool:
        """Whether the survey ended early."""
        return len(self.broken) >= GIVE_UP

    @property
    def strategy(self) -> SearchStrategy[Scenario]:
        """The scenarios of the area that can be drawn for the subject."""
        return self.material.scenarios(self.area, self.subject.capabilities)

    @property
    def frozen(self) -> frozenset[str]:
        """The ids of all frozen scenarios of the area, whatever they demand and whatever was performed of them."""
        return self.material.frozen(self.area, self.subject.capabilities, self.subject.policies)

    def can(self, scenario: Scenario) -> bool:
        """Whether the subject declares what a scenario demands."""
        return not lacking(self.material.needs(scenario), self.subject.capabilities)

    def perform(self, scenario: Scenario) -> Trace:
        """The trace of a scenario, checked to be what a trace must be."""
        self.performed += 1
        return performed(scenario, self.subject, self.timeout)

    def proof(self, scenario: Scenario, rule: Rule, aspect: str) -> Proof | None:
        """A scenario performed once more, and what in it violates a rule in an aspect; None where nothing does."""
        performed = self.performance("performed again", scenario)
        wrong = violation(rule, performed, aspect) if performed else None
        return (performed, wrong) if performed and wrong else None

    def violates(self, scenario: Scenario, rule: Rule, aspect: str) -> bool:
        """The same in a search, where no scenario is performed twice. Raises Enough where too much breaks.

        It changes no tally: what one rule's search happens to meet must not change the verdict of another.
        """
        place = key(scenario), f"{rule.id}/{aspect}"
        if place not in self._tried:
            performed = self.performance("found in a search", scenario)
            self._tried[place] = performed is not None and violation(rule, performed, aspect) is not None
            self._broken_in_search += performed is not None and performed.trace.broken is not None and not self._tried[place]
        if self._broken_in_search >= GIVE_UP:
            raise Enough
        return self._tried[place]

    def performance(self, name: str, scenario: Scenario) -> Performed | None:
        """Perform a scenario; None where the subject does not declare what it demands."""
        return Performed(name, scenario, self.perform(scenario)) if self.can(scenario) else None

    def _explore(self, scenario: Scenario) -> None:
        self._visit("a drawn scenario", scenario, "explored")

    def _visit(self, name: str, scenario: Scenario, sort: Sort) -> None:
        if key(scenario) not in self._violated and self._judge(name, scenario, sort):
            self._free.append(scenario)

    def _compare_both_ways(self) -> None:
        """Perform each scenario of corpus and exploration also with streaming flipped, where it can be, and compare."""
        compared = 0
        differing: list[Difference] = []
        for drawn in self._free:
            other = flipped(drawn)
            if other is None or not self.can(other):
                continue
            if key(other) not in self._violated:
                self._judge("a scenario with streaming flipped", other, "flipped")
            violated, instead = self._violated[key(drawn)], self._violated[key(other)]
            if not {key(drawn), key(other)} & self._cut_off:
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
            self._judge_broken(performed, scenario, sort)
            return performed
        id = scenario_id(scenario) if sort in FROZEN else None
        if id is not None:
            self.judged.add(id)
            self.refused.update({id: performed.trace.inexpressible} if performed.trace.inexpressible else {})
        judgements = self._judgements(performed, sort, id)
        if self.area == "persistence":
            self.outcomes.add(performed.view, judgements)
        self._violated[key(scenario)] = _violated(judgements)
        return performed

    def _judge_broken(self, performed: Performed, scenario: Scenario, sort: Sort) -> None:
        """Judge what came to no end: where that violates a rule, it is no more than that. Raises Enough where too much breaks.

        Such a scenario is none of those that are judged: what the other rules would have said of it is unknown.
        """
        id = scenario_id(scenario) if sort in FROZEN else None
        self._cut_off.add(key(scenario))
        violated = self._violated[key(scenario)] = _violated(self._judgements(performed, sort, id))
        if not violated:
            self.broken.append(performed)
            if self.gave_up:
                raise Enough

    def _judgements(self, performed: Performed, sort: Sort, id: str | None) -> list[Judgement]:
        """What the rules say that can say anything."""
        rules = [rule for rule in self.rules if rule.judges(performed.trace)]
        judged = [self.tallies[rule.id].add(rule, performed, sort, id) for rule in rules]
        return [judgement for judgement in judged if judgement is not None]


def _violated(judgements: Sequence[Judgement]) -> frozenset[str]:
    return frozenset(judgement.rule for judgement in judgements if judgement.violations)


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
