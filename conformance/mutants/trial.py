"""What mutants are tried with: fixtures, the configuration matrix, generated scenarios, and what the reference makes of them.

Most mutants do on most scenarios just what the reference does. Such a trace is not judged again: the same events, scenario,
capabilities and policies give the same judgement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from conformance.harness.execution import Performed, performed
from conformance.harness.runner import STEP_TIMEOUT
from conformance.implementation.subject import Subject, subject
from conformance.judging.material import Material, shipped
from conformance.judging.search import draw, key
from conformance.judging.survey import GIVE_UP
from conformance.mutants.mutant import Mutant, check
from conformance.reference.implementation import Reference
from conformance.rules.rule import Rule
from conformance.scenario.scenario import Scenario
from conformance.trace.trace import AnyEvent
from conformance.vocabulary import Area, Capability, Policies, lacking, plain

SEED = 20_251

Events = tuple[AnyEvent, ...]
Sort = tuple[frozenset[Capability], Policies]
"""What an implementation declares: all that a judgement takes from it beside the events."""


class Broken(Exception):
    """Something cannot be judged; the message says what."""


def trial(mutants: Iterable[type[Mutant]], rules: Sequence[Rule], material: Material | None) -> Trial:
    """What these mutants are tried with. Raises ValueError for a mutant that does not say what it has to say."""
    for mutant in mutants:
        check(mutant, rules)
    return Trial(rules, material or shipped())


@dataclass
class Trial:
    """Tries subjects by the rules of one area at a time."""

    rules: Sequence[Rule]
    material: Material
    _pools: dict[tuple[Area, frozenset[Capability], int], list[Scenario]] = field(
        default_factory=dict[tuple[Area, frozenset[Capability], int], list[Scenario]]
    )
    _references: dict[Policies, Subject] = field(default_factory=dict[Policies, Subject])
    _known: dict[tuple[Sort, bytes, Area], tuple[Events, frozenset[str]]] = field(
        default_factory=dict[tuple[Sort, bytes, Area], tuple[Events, frozenset[str]]]
    )

    def fixtures(self, area: Area, under_test: Subject) -> Iterator[tuple[str, Scenario]]:
        """The fixtures of an area that the subject can be asked to perform, by name."""
        for name, scenario in self.material.fixtures(area):
            if not lacking(self.material.needs(scenario), under_test.capabilities):
                yield f"fixture {name}", scenario

    def matrix(self, area: Area, under_test: Subject) -> Iterator[tuple[str, Scenario]]:
        """The scenarios of the configuration matrix, where an area has one."""
        for scenario in self.material.matrix(area, under_test.capabilities, under_test.policies):
            if not lacking(self.material.needs(scenario), under_test.capabilities):
                yield f"the scenario {scenario.title!r}", scenario

    def pool(self, area: Area, under_test: Subject, count: int) -> Iterator[tuple[str, Scenario]]:
        """The generated scenarios, in the order in which they are drawn."""
        known = area, under_test.capabilities, count
        if known not in self._pools:
            drawn = self._pools[known] = []
            draw(self.material.scenarios(area, under_test.capabilities), count, drawn.append, seed=SEED)
        for number, scenario in enumerate(self._pools[known], start=1):
            yield f"generated scenario {number}", scenario

    def violated(
        self, area: Area, under_test: Subject, scenarios: Iterator[tuple[str, Scenario]]
    ) -> Iterator[tuple[frozenset[str], Broken | None]]:
        """For one scenario after another in which ways rules are broken, and what broke else. Ends early where too much does."""
        judging = [
            rule for rule in self.rules if rule.area == area and not rule.missing(under_test.capabilities, under_test.policies)
        ]
        broken = 0
        for name, scenario in scenarios if judging else ():
            shown = Performed(name, scenario, performed(scenario, under_test, STEP_TIMEOUT))
            try:
                violated = self._judged(area, under_test, shown, judging)
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

    def _judged(self, area: Area, under_test: Subject, shown: Performed, judging: Sequence[Rule]) -> frozenset[str]:
        sort = under_test.capabilities, under_test.policies
        place = sort, key(shown.scenario), area
        if place not in self._known:
            reference = self._reference(under_test)
            trace = performed(shown.scenario, reference, STEP_TIMEOUT)
            same = trace.capabilities == shown.trace.capabilities and trace.policies == shown.trace.policies
            if same and trace.broken is None:
                self._known[place] = trace.events, _violated(Performed("the reference", shown.scenario, trace), judging)
            else:
                self._known[place] = (), frozenset()
        events, violated = self._known[place]
        return violated if events and events == shown.trace.events else _violated(shown, judging)

    def _reference(self, under_test: Subject) -> Subject:
        if under_test.policies not in self._references:
            self._references[under_test.policies] = subject(Reference, plain(under_test.policies))
        return self._references[under_test.policies]


def _violated(shown: Performed, judging: Sequence[Rule]) -> frozenset[str]:
    found: set[str] = set()
    for rule in (each for each in judging if each.judges(shown.trace)):
        try:
            found |= {f"{rule.id}/{violation.aspect}" for violation in rule.examine(shown.view).violations}
        except Exception as error:
            raise Broken(f"{shown.name}: {rule.id} raised {error!r}") from error
    return frozenset(found)
