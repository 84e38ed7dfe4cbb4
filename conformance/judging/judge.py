"""Judges one implementation, rule by rule: from surveys, and from the counterexamples that its baseline records.

In this order, the first that applies:

- `not supported`: the implementation does not declare what the rule needs; the reason names it.
- `fail`, or `deviates` where the baseline declares it: something performed violates the rule, whatever else broke.
- `error`: the rule itself raised, or a performance of its area broke (crash, hang, exit, a connection to the outside, malformed
  trace). What would have happened after that is unknown, so no other rule of the area can claim that it holds.
- `not exercised`: no performance met the rule's precondition.
- `pass`.

A declared deviation is stale where the verdict is none of `deviates` and `error`.

Where all rules of the persistence area are asked for, it also says what came of each cell of the configuration matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import msgspec

from conformance.harness.execution import Performed, violation
from conformance.harness.runner import STEP_TIMEOUT
from conformance.implementation.subject import Subject
from conformance.judging.baseline import Baseline, Deviation
from conformance.judging.cell_outcomes import Outcomes
from conformance.judging.search import Enough, Profile, profile, smallest
from conformance.judging.survey import Material, Survey, Tally, breakage, shipped
from conformance.judging.verdicts import CellResult, Counterexample, Coverage, RuleVerdict
from conformance.matrix.cells import CELLS
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.rule import Finding, Rule
from conformance.scenario.minimize import reduced
from conformance.scenario.scenario import Scenario
from conformance.vocabulary import Area

Proof = tuple[Performed, Finding]


class Judge:
    """Judges one subject by rules. Surveys are made when a rule first asks for them, one an area."""

    def __init__(
        self,
        subject: Subject,
        rules: Sequence[Rule],
        *,
        effort: Profile | None = None,
        baseline: Baseline | None = None,
        material: Material | None = None,
        timeout: float = STEP_TIMEOUT,
    ) -> None:
        self.subject = subject
        self.rules = rules
        self.baseline = baseline or Baseline()
        self._effort = effort or profile("default")
        self._material = material
        self._timeout = timeout
        self._surveys: dict[Area, Survey] = {}

    @property
    def performed(self) -> int:
        """How many scenarios were performed so far."""
        return sum(survey.performed for survey in self._surveys.values())

    def surveyed(self, area: Area) -> Survey | None:
        """The survey of an area, if one was made."""
        return self._surveys.get(area)

    def survey(self, area: Area) -> Survey:
        """The survey of an area."""
        if area not in self._surveys:
            rules = [rule for rule in self.rules if rule.area == area and not self._missing(rule)]
            self._material = self._material or shipped()
            self._surveys[area] = Survey(self.subject, area, rules, self._effort, self._material, self._timeout)
        return self._surveys[area]

    def verdict(self, rule: Rule) -> RuleVerdict:
        """What a rule says. Never raises for what an implementation or a rule does."""
        verdict = self._unbaselined(rule)
        deviation = self.baseline.get(rule.id)
        if deviation is None or verdict.verdict == "error":
            return verdict
        if verdict.verdict == "fail":
            return msgspec.structs.replace(verdict, verdict="deviates", reason=deviation.reason)
        found = f"the rule {'holds' if verdict.verdict == 'pass' else verdict.reason}"
        reason = f"a deviation is declared, but {found}; take it out of {self.baseline.name or 'the baseline'}"
        return msgspec.structs.replace(verdict, reason=reason, stale=True)

    @property
    def knows_cells(self) -> bool:
        """Whether the whole persistence area is asked for, so that a cell of which nobody said anything is a gap."""
        whole = {id for id, rule in CATALOGUE.items() if rule.area == "persistence"}
        return whole <= {rule.id for rule in self.rules}

    def cells(self) -> tuple[CellResult, ...]:
        """What came of each cell of the configuration matrix."""
        capabilities, policies = self.subject.capabilities, self.subject.policies
        asked = [rule for rule in self.rules if rule.area == "persistence" and not self._missing(rule)]
        if not asked and all(cell.missing(capabilities, policies) for cell in CELLS):
            return Outcomes().results(capabilities, policies)
        survey = self.survey("persistence")
        broke = breakage(survey)
        return survey.outcomes.results(capabilities, policies, broke.reason if broke else None)

    def _unbaselined(self, rule: Rule) -> RuleVerdict:
        missing = self._missing(rule)
        if missing:
            return RuleVerdict(rule=rule.id, level=rule.level, verdict="not supported", reason=f"needs {', '.join(missing)}")
        survey = self.survey(rule.area)
        tally = survey.tallies[rule.id]
        return msgspec.structs.replace(self._judged(rule, survey, tally), coverage=_coverage(survey, tally))

    def _judged(self, rule: Rule, survey: Survey, tally: Tally) -> RuleVerdict:
        proof = self._replay(rule, survey, self.baseline.get(rule.id)) or self._smallest(rule, survey, tally)
        if proof is not None:
            return _failed(rule, tally, proof)
        error = _error(survey, tally)
        if error is not None:
            reason, counterexample = error
            return RuleVerdict(
                rule=rule.id,
                level=rule.level,
                verdict="error",
                exercised=tally.exercised,
                reason=reason,
                counterexample=counterexample,
            )
        if not tally.exercised:
            matrix = f", none of {survey.scenarios['matrix']} of the matrix" if survey.scenarios["matrix"] else ""
            reason = f"was exercised by none of {survey.scenarios['fixture']} fixtures{matrix} and by no generated scenario"
            reason = "; ".join([reason, *_why_not(rule, survey, tally)])
            return RuleVerdict(rule=rule.id, level=rule.level, verdict="not exercised", reason=reason)
        return RuleVerdict(rule=rule.id, level=rule.level, verdict="pass", exercised=tally.exercised)

    def _missing(self, rule: Rule) -> list[str]:
        return rule.missing(self.subject.capabilities, self.subject.policies)

    def _replay(self, rule: Rule, survey: Survey, deviation: Deviation | None) -> Proof | None:
        """The recorded counterexample, where it still is one: a known failure is not searched for again."""
        if deviation is None or deviation.scenario is None:
            return None
        performed = survey.performance("baseline", deviation.scenario)
        wrong = violation(rule, performed) if performed else None
        return (performed, wrong) if performed and wrong else None

    def _smallest(self, rule: Rule, survey: Survey, tally: Tally) -> Proof | None:
        if tally.smallest is None:
            return None
        known = tally.smallest[0].scenario

        def proves(scenario: Scenario) -> bool:
            return survey.can(scenario) and survey.violates(scenario, rule)

        found = smallest(survey.strategy, self._effort, proves, known) or known
        with suppress(Enough):
            found = reduced(found, proves, tries=self._effort.shrink)
        performed = survey.performance("shrunk", found)
        wrong = violation(rule, performed) if performed else None
        return (performed, wrong) if performed and wrong else tally.smallest


def _why_not(rule: Rule, survey: Survey, tally: Tally) -> Iterator[str]:
    """Why nothing exercised a rule: what its own fixtures need or came to, what was nearest, and the commonest error."""
    for scenario in (each for _, each in survey.material.fixtures(survey.area) if rule.id in each.shows):
        lacking = sorted(survey.material.needs(scenario) - survey.subject.capabilities)
        if lacking:
            yield f"its fixture {scenario.title!r} needs {', '.join(lacking)}, which is not declared"
            break
    if tally.nearest is None:
        yield f"no scenario had {rule.clauses[0].each.text}"
    else:
        yield f"nearest was {tally.nearest.subject}, which lacks: {', and '.join(tally.nearest.unmet)}"
    for text, count in survey.unexpected.refused.most_common(1):
        yield f"in {count} scenarios the adapter could not express a step: {text!r}"
    for error in survey.unexpected.errors[:1]:
        yield error.sentence


def _coverage(survey: Survey, tally: Tally) -> Coverage:
    return Coverage(
        fixtures=tally.scenarios["fixture"],
        of_fixtures=survey.scenarios["fixture"],
        matrix=tally.scenarios["matrix"],
        of_matrix=survey.scenarios["matrix"],
        generated=tally.scenarios["generated"],
        of_generated=survey.scenarios["generated"],
        left_alone=dict(sorted(tally.left_alone.items())),
    )


def _failed(rule: Rule, tally: Tally, proof: Proof) -> RuleVerdict:
    performed, wrong = proof
    return RuleVerdict(
        rule=rule.id,
        level=rule.level,
        verdict="fail",
        exercised=max(tally.exercised, 1),
        reason=f"expected {wrong.expected}; got {wrong.got}",
        counterexample=Counterexample(
            scenario=performed.scenario,
            trace=performed.trace,
            at=wrong.at,
            aspect=wrong.aspect,
            also=wrong.also,
            expected=wrong.expected,
            got=wrong.got,
        ),
    )


def _error(survey: Survey, tally: Tally) -> tuple[str, Counterexample] | None:
    """Why the rule cannot be judged, with the performance that shows it."""
    if tally.raised is not None:
        performed, error = tally.raised
        text = f"the rule itself raised {type(error).__name__}: {error}"
        return f"{text} (on {performed.name})", _broken_at(performed, len(performed.trace.events) - 1, "a judgement", text)
    found = breakage(survey)
    return (found.reason, _broken_at(found.performed, found.at, "an end that can be judged", found.text)) if found else None


def _broken_at(performed: Performed, at: int, expected: str, got: str) -> Counterexample:
    scenario, trace = performed.scenario, performed.trace
    return Counterexample(scenario=scenario, trace=trace, at=max(at, 0), expected=expected, got=got)
