"""Judges one implementation, rule by rule: from surveys, and from the counterexamples that its baseline records.

In this order, the first that applies:

- `not supported`: the implementation does not declare what the rule needs; the reason names it. Nothing is performed for it.
- `fail`: something performed violates the rule in a way that the baseline does not declare, whatever else broke.
- `deviates`: something performed violates it, and all of that is declared.
- `error`: the rule itself raised, or a performance of its area broke (crash, hang, exit, a connection to the outside, malformed
  trace), and that violates no rule by itself. What would have happened after that is unknown, so no other rule of the area can
  claim that it holds.
- `not supported`: no performance met the rule's precondition, and no frozen scenario could have: the reference, declaring the
  same, meets it in none that the implementation can be asked to perform and its adapter can express; the reason says what it takes.
- `not exercised`: no performance met the rule's precondition.
- `pass`.

Whatever the verdict is, but for `error`: what the baseline declares and what is not so any more is a fault of it.

Where all rules of the persistence area are asked for, it also says what came of each cell of the configuration matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import msgspec

from conformance.harness.execution import Performed
from conformance.harness.runner import STEP_TIMEOUT
from conformance.implementation.subject import Subject
from conformance.judging.baseline import Baseline, Declared, Deviation
from conformance.judging.cell_outcomes import Outcomes
from conformance.judging.comparison import Comparison
from conformance.judging.material import Material, shipped
from conformance.judging.reach import Reach
from conformance.judging.search import Profile, profile
from conformance.judging.survey import Survey, breakage
from conformance.judging.tally import Tally
from conformance.judging.verdicts import CellResult, Counterexample, Coverage, Fault, RuleVerdict
from conformance.matrix.cells import CELLS
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.rule import Rule
from conformance.vocabulary import Area


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
        self._reaches: dict[Area, Reach] = {}

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
        declared = self.baseline.of(self.subject, rule.id)
        missing = self._missing(rule)
        if missing:
            reason = f"needs {', '.join(missing)}"
            stale = tuple(_not_so(each, declared, f"the rule {reason}") for each in declared.deviations)
            return RuleVerdict(
                rule=rule.id, level=rule.level, record=rule.record, verdict="not supported", reason=reason, faults=stale
            )
        survey = self.survey(rule.area)
        tally = survey.tallies[rule.id]
        found = self._judged(rule, survey, tally, Comparison(survey, rule, declared))
        today = date.today()
        faults = (*found.faults, *(fault for each in declared.deviations for fault in each.faults(today)))
        failing = {aspect: tuple(sorted(tally.broken[aspect].frozen)) for aspect in rule.aspects if aspect in tally.broken}
        coverage = None if found.verdict == "not supported" else _coverage(survey, tally)
        return msgspec.structs.replace(found, coverage=coverage, failing=failing, faults=faults)

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

    def _judged(self, rule: Rule, survey: Survey, tally: Tally, comparison: Comparison) -> RuleVerdict:
        """The verdict, without what every verdict carries."""
        shown, stale = comparison.shown()
        new = comparison.new()
        verdict = RuleVerdict(
            rule=rule.id,
            level=rule.level,
            record=rule.record,
            verdict="pass",
            exercised=max(tally.exercised, len(new) + len(shown)),
            violations=(*new, *shown),
            faults=(*stale, *comparison.progress()),
        )
        if new or shown:
            reason = " ".join(dict.fromkeys(each.reason for each in new or shown))
            return msgspec.structs.replace(verdict, verdict="fail" if new else "deviates", reason=reason)
        error = _error(survey, tally)
        if error is not None:
            return msgspec.structs.replace(verdict, verdict="error", reason=error[0], broke=error[1], faults=())
        return verdict if tally.exercised else self._unexercised(verdict, rule, survey, tally)

    def _unexercised(self, verdict: RuleVerdict, rule: Rule, survey: Survey, tally: Tally) -> RuleVerdict:
        """The verdict where nothing exercised a rule."""
        if survey.area not in self._reaches:
            self._reaches[survey.area] = Reach(survey)
        reach = self._reaches[survey.area]
        why_not = reach.why_not(rule)
        if why_not is not None:
            return msgspec.structs.replace(verdict, verdict="not supported", reason=why_not)
        reason = _not_exercised(rule, survey, tally, list(reach.exercising(rule)))
        return msgspec.structs.replace(verdict, verdict="not exercised", reason=reason)

    def _missing(self, rule: Rule) -> list[str]:
        return rule.missing(self.subject.capabilities, self.subject.policies)


def _not_so(deviation: Deviation, declared: Declared, why: str) -> Fault:
    text = f"a deviation is declared in {deviation.way}, but {why}; take it out of {declared.file}, or run with --baseline-prune"
    return Fault(trouble="stale deviation", text=text)


def _not_exercised(rule: Rule, survey: Survey, tally: Tally, exercising: Sequence[str]) -> str:
    counts = [f"{survey.scenarios['fixture']} fixtures"]
    counts += [f"{survey.scenarios['matrix']} of the matrix"] if survey.scenarios["matrix"] else []
    counts += [f"{survey.scenarios['corpus']} of the corpus"] if survey.scenarios["corpus"] else []
    counts += [f"{survey.scenarios['explored']} drawn scenarios"] if survey.scenarios["explored"] else []
    reason = f"was exercised by none of {', none of '.join(counts)}"
    return "; ".join([reason, *_why_not(rule, survey, tally, exercising)])


def _why_not(rule: Rule, survey: Survey, tally: Tally, exercising: Sequence[str]) -> Iterator[str]:
    """Why nothing exercised a rule: what does on the reference, what was nearest, and the commonest error."""
    tried = [id for id in exercising if id in survey.judged]
    if tried:
        yield f"on the reference {tried[0]} exercises it, one of {len(exercising)} frozen scenarios"
    else:
        yield f"on the reference {exercising[0]} exercises it, which the profile {survey.effort.name} leaves out"
    if tally.nearest is None:
        yield f"no scenario had {rule.clauses[0].each.text}"
    else:
        yield f"nearest was {tally.nearest.subject}, which lacks: {', and '.join(tally.nearest.unmet)}"
    for text, count in survey.unexpected.refused.most_common(1):
        yield f"in {count} scenarios the adapter could not express a step: {text!r}"
    for error in survey.unexpected.errors[:1]:
        yield error.sentence


def _coverage(survey: Survey, tally: Tally) -> Coverage:
    exercised, performed = tally.scenarios, survey.scenarios
    return Coverage(
        fixtures=exercised["fixture"],
        of_fixtures=performed["fixture"],
        matrix=exercised["matrix"],
        of_matrix=performed["matrix"],
        corpus=exercised["corpus"],
        of_corpus=performed["corpus"],
        explored=exercised["explored"],
        of_explored=performed["explored"],
        left_alone=dict(sorted(tally.left_alone.items())),
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
