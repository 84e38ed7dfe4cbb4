"""What mutants are tried with: what is frozen, what is generated, and what the reference makes of it.

Mutants do on most scenarios just what the reference does. Where one cannot differ it does not perform; where it performs and does
not differ, its trace is not judged again: the same events, scenario, capabilities and policies give the same judgement.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from conformance.harness.execution import Performed, performed
from conformance.harness.runner import STEP_TIMEOUT
from conformance.implementation.subject import Subject, subject
from conformance.judging.material import Material, shipped
from conformance.judging.search import draw
from conformance.judging.survey import GIVE_UP
from conformance.mutants.difference import Doubt, Point, points, stand_in
from conformance.mutants.mutant import Mutant, check
from conformance.mutants.watching import Seen, Watched
from conformance.rules.rule import Rule
from conformance.scenario.identity import scenario_id
from conformance.scenario.scenario import Scenario
from conformance.trace.trace import AnyEvent, Trace
from conformance.vocabulary import Area, Capability, Policies, lacking

SEED = 20_251

Events = tuple[AnyEvent, ...]
Named = tuple[str, Scenario]
Sort = tuple[frozenset[Capability], Policies]
"""What an implementation declares: all that a judgement takes from it beside the events."""


class Broken(Exception):
    """Something cannot be judged; the message says what."""


def trial(mutants: Iterable[type[Mutant]], rules: Sequence[Rule], material: Material | None) -> Trial:
    """What these mutants are tried with. Raises ValueError for a mutant that does not say what it has to say."""
    chosen = tuple(mutants)
    for mutant in chosen:
        check(mutant, rules)
    return Trial(rules, material or shipped(), frozenset(point for mutant in chosen for point in Suspect(mutant).points or ()))


class Suspect:
    """A mutant made ready. reference: what stands in for it where it cannot differ, which is where none of its points is called.

    reference is None, and so is points, where that cannot be told.
    """

    def __init__(self, mutant: type[Mutant]) -> None:
        self.mutant = mutant
        self.subject = subject(mutant)
        self.reference: Subject | None = None
        self.points: frozenset[Point] | None = None
        with suppress(Doubt):
            self.reference, self.points = stand_in(mutant), points(mutant)


@dataclass
class Known:
    """What the reference did in a scenario.

    called: of the points that were `asked` for. judged: the ways in which rules are broken by events that were seen, in each area:
    several mutants may come to the same.
    """

    scenario: Scenario
    trace: Trace
    asked: frozenset[Point]
    called: frozenset[Point]
    judged: dict[tuple[Area, bytes], frozenset[str]] = field(default_factory=dict[tuple[Area, bytes], frozenset[str]])


@dataclass
class Trial:
    """Tries mutants by the rules of one area at a time. points: all that the mutants replace which will be tried.

    done: how many executions there were: those that were performed, and those that were the reference's.
    """

    rules: Sequence[Rule]
    material: Material
    points: frozenset[Point] = frozenset()
    done: Counter[Literal["performed", "taken over"]] = field(default_factory=Counter[Literal["performed", "taken over"]])
    _pools: dict[tuple[Area, frozenset[Capability], int], list[Scenario]] = field(
        default_factory=dict[tuple[Area, frozenset[Capability], int], list[Scenario]]
    )
    _frozen: dict[tuple[Area, Sort, bool], list[Named]] = field(default_factory=dict[tuple[Area, Sort, bool], list[Named]])
    _known: dict[tuple[Sort, int], Known] = field(default_factory=dict[tuple[Sort, int], Known])
    _read: dict[Area, tuple[list[Named], list[Named]]] = field(default_factory=dict[Area, tuple[list[Named], list[Named]]])
    _scenarios: dict[bytes, Scenario] = field(default_factory=dict[bytes, Scenario])
    _seen: dict[int, list[Seen]] = field(default_factory=dict[int, list[Seen]])
    _watched: Watched | None = None

    def frozen(self, area: Area, under_test: Subject, *, all: bool) -> Sequence[Named]:
        """What is frozen of an area, as far as the subject can be asked to perform it, by name. all: not only the fixtures."""
        place = area, (under_test.capabilities, under_test.policies), all
        if place not in self._frozen:
            self._frozen[place] = list(self._find_frozen(area, under_test, all=all))
        return self._frozen[place]

    def _find_frozen(self, area: Area, under_test: Subject, *, all: bool) -> Iterator[Named]:
        fixtures, corpus = self._stored(area)
        found = list(fixtures)
        if all:
            matrix = self.material.matrix(area, under_test.capabilities, under_test.policies)
            found += [(f"the scenario {scenario.title!r}", self._one(scenario)) for scenario in matrix]
            found += corpus
        return ((name, each) for name, each in found if not lacking(self.material.needs(each), under_test.capabilities))

    def _stored(self, area: Area) -> tuple[list[Named], list[Named]]:
        """The fixtures and the corpus of an area, read once."""
        if area not in self._read:
            fixtures = [(f"fixture {name}", scenario) for name, scenario in self.material.fixtures(area)]
            corpus = [(f"the scenario {scenario_id(scenario)} of the corpus", scenario) for scenario in self.material.corpus(area)]
            self._read[area] = fixtures, corpus
        return self._read[area]

    def _one(self, scenario: Scenario) -> Scenario:
        """Of equal scenarios always the same one."""
        return self._scenarios.setdefault(msgspec.json.encode(scenario), scenario)

    def pool(self, area: Area, under_test: Subject, count: int) -> Iterator[Named]:
        """The generated scenarios, in the order in which they are drawn."""
        known = area, under_test.capabilities, count
        if known not in self._pools:
            drawn = self._pools[known] = []
            draw(self.material.scenarios(area, under_test.capabilities), count, drawn.append, seed=SEED)
        for number, scenario in enumerate(self._pools[known], start=1):
            yield f"generated scenario {number}", scenario

    def violated(self, area: Area, suspect: Suspect, scenarios: Iterable[Named]) -> Iterator[tuple[frozenset[str], Broken | None]]:
        """For one scenario after another in which ways rules are broken, and what broke else. Ends early where too much does."""
        declares = suspect.subject
        judging = [rule for rule in self.rules if rule.area == area and not rule.missing(declares.capabilities, declares.policies)]
        broken = 0
        for name, scenario in scenarios if judging else ():
            shown = self.shown(suspect, name, scenario)
            try:
                violated = self._judged(area, suspect, shown, judging)
            except Broken as error:
                yield frozenset(), error
                continue
            broke = shown.trace.broken
            if broke is None or violated:  # a deadlock that violates a rule is no more than that
                yield violated, None
                continue
            broken += 1
            yield frozenset(), Broken(f"{name}: {broke.text}")
            if broken == GIVE_UP:
                return

    def shown(self, suspect: Suspect, name: str, scenario: Scenario) -> Performed:
        """What a mutant does in a scenario: where it cannot differ, what the reference does."""
        known = self.reference(suspect, scenario)
        if known is not None and self.takes_over(suspect, scenario):
            self.done["taken over"] += 1
            return Performed(name, scenario, known.trace)
        self.done["performed"] += 1
        return Performed(name, scenario, performed(scenario, suspect.subject, STEP_TIMEOUT))

    def takes_over(self, suspect: Suspect, scenario: Scenario) -> bool:
        """Whether a mutant cannot differ in a scenario."""
        known = self.reference(suspect, scenario)
        return known is not None and known.called.isdisjoint(suspect.points or ())

    def differs(self, suspect: Suspect, shown: Performed) -> bool:
        """Whether that is not what the reference does; so it is taken to be where there is none to compare it with."""
        known = self.reference(suspect, shown.scenario)
        return known is None or known.trace.events != shown.trace.events

    def _judged(self, area: Area, suspect: Suspect, shown: Performed, judging: Sequence[Rule]) -> frozenset[str]:
        known = self.reference(suspect, shown.scenario)
        if known is None:
            return broken_ways(shown, judging)
        place = area, b"" if known.trace.events == shown.trace.events else _digest(shown.trace.events)
        if place not in known.judged:
            known.judged[place] = broken_ways(shown, judging)
        return known.judged[place]

    def reference(self, suspect: Suspect, scenario: Scenario) -> Known | None:
        """What the reference does in a scenario, found out once; None where it does not stand in for the mutant."""
        if suspect.reference is None or suspect.points is None:
            return None
        # what is known keeps its scenario, so that no other gets the same id
        place = (suspect.reference.capabilities, suspect.reference.policies), id(scenario)
        known = self._known.get(place)
        if known is None or not suspect.points <= known.asked:
            known = self._known[place] = self._found(suspect.reference, suspect.points, scenario)
        return known if known.trace.broken is None else None

    def _found(self, reference: Subject, points: frozenset[Point], scenario: Scenario) -> Known:
        """Find that out: where a reference of another sort did not ask for what makes the sort, it did the same."""
        if self._watched is None or not points <= self._watched.points:
            self._watched = Watched(self.points | points)
            self._seen.clear()
        of_all = self._seen.setdefault(id(scenario), [])
        seen = next((each for each in of_all if _same(each, reference)), None)
        if seen is None:
            seen = self._watched.performed(scenario, reference)
            of_all.append(seen)
        trace = msgspec.structs.replace(seen.trace, policies=reference.policies)
        return Known(scenario, trace, self._watched.points, seen.called)


def _same(seen: Seen, reference: Subject) -> bool:
    alike = all(getattr(seen.trace.policies, name) == getattr(reference.policies, name) for name in seen.asked)
    return alike and frozenset(seen.trace.capabilities) == reference.capabilities


def _digest(events: Events) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(events), digest_size=16).digest()


def broken_ways(shown: Performed, judging: Sequence[Rule]) -> frozenset[str]:
    """The ways in which rules are broken, each as `RULE/aspect`. Raises Broken where a rule fails."""
    found: set[str] = set()
    for rule in (each for each in judging if each.judges(shown.trace)):
        try:
            found |= {f"{rule.id}/{violation.aspect}" for violation in rule.examine(shown.view).violations}
        except Exception as error:
            raise Broken(f"{shown.name}: {rule.id} raised {error!r}") from error
    return frozenset(found)
