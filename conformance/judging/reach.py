"""The reach of the frozen scenarios: which rules they can exercise on an implementation that declares this much and no more.

Derived, and not listed: the reference, for which every rule holds, performs what the implementation can be asked to perform, as if
it declared the same capabilities and policies. A rule that nothing exercises even there says nothing of such an implementation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from conformance.harness.execution import Performed, performed
from conformance.implementation.protocol import AnyImplementation
from conformance.implementation.subject import Subject
from conformance.judging.search import size
from conformance.judging.survey import Survey
from conformance.reference.implementation import Reference
from conformance.rules.rule import Rule
from conformance.scenario.identity import scenario_id
from conformance.scenario.scenario import Scenario
from conformance.vocabulary import Capability, Policies, lacking, plain


def as_declared(capabilities: frozenset[Capability], policies: Policies) -> Subject:
    """The reference, declaring these. Where a policy is not declared it does what it does by itself."""

    def create() -> AnyImplementation:
        made = Reference(history=_history(capabilities), **plain(policies))
        made.capabilities, made.policies = capabilities, policies
        return made

    return Subject(label=Reference.name, origin=create, capabilities=capabilities, policies=policies)


def _history(capabilities: frozenset[Capability]) -> str:
    return "incremental" if "history.incremental" in capabilities else "modes"


class Reach:
    """What the frozen scenarios of an area can exercise on the subject of a survey, of the rules that nothing exercised there."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._rules = [rule for rule in survey.rules if not survey.tallies[rule.id].exercised]
        self._beyond: dict[str, frozenset[str]] = {}

    def why_not(self, rule: Rule) -> str | None:
        """Why nothing frozen could have exercised a rule; None where something could."""
        exercising = self.exercising(rule)
        if exercising:
            return self._inexpressible(exercising)
        nearest = self._nearest(rule)
        if nearest is None:
            return "no scenario of the suite exercises it under the declared policies"
        needed = ", ".join(f"capability {need}" for need in nearest)
        return f"no scenario that can be performed as declared exercises it; the nearest needs {needed}"

    def exercising(self, rule: Rule) -> dict[str, int]:
        """The ids of the frozen scenarios that exercise a rule on the reference as declared, and in which step each does first."""
        return {id: steps[rule.id] for id, steps in self._within.items() if rule.id in steps}

    @cached_property
    def _within(self) -> dict[str, dict[str, int]]:
        """For each frozen scenario that the subject can be asked to perform, by id, what it exercises and in which step."""
        subject, material = self._survey.subject, self._survey.material
        reference = as_declared(subject.capabilities, subject.policies)
        every = material.everything(self._survey.area, subject.capabilities, subject.policies)
        return {scenario_id(each): self._exercised(each, reference, self._rules) for each in every if self._survey.can(each)}

    def _inexpressible(self, exercising: dict[str, int]) -> str | None:
        """Where the adapter could express none of these scenarios up to the step in question: that, in its own words."""
        refused = self._survey.refused
        told = [refused[id].text for id, step in exercising.items() if id in refused and refused[id].step <= step]
        if len(told) < len(exercising):
            return None
        return f"in each of the {len(told)} scenarios that exercise it the adapter could not express a step, such as: {told[0]!r}"

    def _nearest(self, rule: Rule) -> list[str] | None:
        """What the scenario lacks that lacks least of those that exercise a rule; None where none does."""
        for scenario, missing in self._candidates:
            id = scenario_id(scenario)
            if id not in self._beyond:
                self._beyond[id] = frozenset(self._exercised(scenario, self._whole(scenario), self._rules))
            if rule.id in self._beyond[id]:
                return missing
        return None

    @cached_property
    def _candidates(self) -> Sequence[tuple[Scenario, list[str]]]:
        """The frozen scenarios that the subject does not declare enough for, with what is lacking; what lacks least first."""
        subject, material = self._survey.subject, self._survey.material
        every = material.everything(self._survey.area, Reference.capabilities, subject.policies)
        found = [(each, lacking(material.needs(each), subject.capabilities)) for each in every]
        return sorted(((each, missing) for each, missing in found if missing), key=lambda one: (len(one[1]), size(one[0])))

    def _whole(self, scenario: Scenario) -> Subject:
        """The reference with all that it has, keeping its history as the subject does where the scenario allows that."""
        subject, needed = self._survey.subject, self._survey.material.needs(scenario)
        same = Reference(history=_history(subject.capabilities)).capabilities
        return as_declared(Reference.capabilities if lacking(needed, same) else same, subject.policies)

    def _exercised(self, scenario: Scenario, reference: Subject, rules: Sequence[Rule]) -> dict[str, int]:
        shown = Performed(scenario.title, scenario, performed(scenario, reference, self._survey.timeout))
        if shown.trace.broken is not None:
            return {}
        return {id: step for rule in rules for id, step in _first(rule, shown)}


def _first(rule: Rule, shown: Performed) -> Iterator[tuple[str, int]]:
    """The step of a rule's first finding. A rule that fails itself counts as exercised: that shall not pass unnoticed."""
    try:
        found = next(rule.findings(shown.view), None)
    except Exception:
        yield rule.id, 0
        return
    if found is not None:
        yield rule.id, shown.trace.events[found.at].step
