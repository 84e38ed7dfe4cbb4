"""Comparing what was found of a rule with what is declared of it: violations declared and new, and what is declared wrongly.

A declared deviation is one fault, not one rule. It explains a violation in its own aspect: of a frozen scenario that is known to
fail, and of any other scenario that contains what the deviation needs: the circumstances that its own scenario shares
with all others that are declared with the same reason. Everything else is new.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from conformance.judging.baseline import Declared, Deviation
from conformance.judging.search import Enough, size
from conformance.judging.survey import Survey
from conformance.judging.tally import Broken, Proof
from conformance.judging.verdicts import Counterexample, Fault, Violation
from conformance.rules.rule import Rule
from conformance.scenario.features import circumstances
from conformance.scenario.minimize import reduced
from conformance.scenario.scenario import Scenario
from conformance.vocabulary import lacking

AGAIN = 2
"""How often a scenario is performed again before anybody is told that it violates a rule, or that it no longer does."""

TOLD = 3
"""So many violations are told in one aspect of a rule, each in circumstances that those before it do not need."""

NAMED = 3
"""So many ids are named in a sentence; the results have all."""


@dataclass(frozen=True)
class Comparison:
    """One rule on one survey, and what is declared of it."""

    survey: Survey
    rule: Rule
    declared: Declared

    def shown(self) -> tuple[list[Violation], list[Fault]]:
        """The declared deviations that their own scenarios show, and those that these do not show any more."""
        violations: list[Violation] = []
        faults: list[Fault] = []
        for deviation in self.declared.deviations:
            proofs = list(self._again(deviation.scenario, deviation.table.aspect, 1))
            if proofs == [None]:  # it may not be the same every time
                proofs += self._again(deviation.scenario, deviation.table.aspect, AGAIN)
            found = next((proof for proof in proofs if proof is not None), None)
            if found is not None:
                violations.append(_violation(found, flaky=None in proofs, deviation=deviation))
            else:
                faults.append(self._stale(f"a deviation is declared in {deviation.way}, but {self._why_not_shown(deviation)}"))
        return violations, faults

    def new(self) -> list[Violation]:
        """What nothing that is declared explains: for each aspect the smallest scenario, and the smallest of what is left then."""
        broken = self.survey.tallies[self.rule.id].broken
        return [each for aspect in self.rule.aspects if aspect in broken for each in self._new(aspect, broken[aspect])]

    def progress(self) -> Iterator[Fault]:
        """Frozen scenarios that are known to fail and hold, or that are none any more."""
        broken = self.survey.tallies[self.rule.id].broken
        for aspect, known in sorted((self.declared.known or {}).items()):
            failing = broken[aspect].frozen if aspect in broken else {}
            held = (known & self.survey.judged) - set(failing)
            if held:
                yield self._stale(
                    f"in {self.rule.id}/{aspect} {_listed(held)} known to fail, but hold{'s' if len(held) == 1 else ''}"
                )
            gone = known - self.survey.frozen
            if gone:
                yield self._stale(
                    f"in {self.rule.id}/{aspect} {_listed(gone)} known to fail, but no frozen scenario has such an id"
                )

    def _new(self, aspect: str, broken: Broken) -> Iterator[Violation]:
        known = self.declared.known_in(aspect)
        unlisted = [scenario for id, scenario in broken.frozen.items() if id not in known]
        unexplained: list[Scenario] = [each for each in (*unlisted, *broken.explored) if not self.declared.explains(each, aspect)]
        told: list[frozenset[str]] = []
        while unexplained and len(told) < TOLD:
            found = self._smaller(min(unexplained, key=size), aspect, told)
            yield self._proven(found, aspect, broken)
            told.append(circumstances(found))
            unexplained = [each for each in unexplained if not told[-1] <= circumstances(each)]
        # a frozen scenario is known one by one; what contains all that a declared deviation needs would only shrink to that one
        if unlisted and not told and self.declared.known is not None:
            yield self._proven(min(unlisted, key=size), aspect, broken)

    def _proven(self, found: Scenario, aspect: str, broken: Broken) -> Violation:
        proofs = list(self._again(found, aspect, 1 + AGAIN))
        proof = next((proof for proof in proofs if proof is not None), broken.smallest)
        return _violation(proof, flaky=None in proofs)

    def _smaller(self, scenario: Scenario, aspect: str, told: Sequence[frozenset[str]]) -> Scenario:
        """The smallest scenario on the way that still shows it, and that neither a deviation explains nor what was told.

        told: the circumstances of each.
        """

        def proves(smaller: Scenario) -> bool:
            own = circumstances(smaller)
            if any(needed <= own for needed in told) or self.declared.explains(smaller, aspect):
                return False
            return self.survey.can(smaller) and self.survey.violates(smaller, self.rule, aspect)

        found = scenario
        with suppress(Enough):
            found = reduced(scenario, proves, tries=self.survey.effort.shrink)
        return found

    def _again(self, scenario: Scenario, aspect: str, times: int) -> Iterator[Proof | None]:
        return (self.survey.proof(scenario, self.rule, aspect) for _ in range(times))

    def _why_not_shown(self, deviation: Deviation) -> str:
        undeclared = lacking(self.survey.material.needs(deviation.scenario), self.survey.subject.capabilities)
        return (
            f"its own scenario needs {', '.join(undeclared)}, which is not declared"
            if undeclared
            else "its own scenario does not show it"
        )

    def _stale(self, text: str) -> Fault:
        return Fault(trouble="stale deviation", text=f"{text}; take it out of {self.declared.file}, or run with --baseline-prune")


def _violation(proof: Proof, *, flaky: bool, deviation: Deviation | None = None) -> Violation:
    performed, wrong = proof
    table = deviation.table if deviation else None
    return Violation(
        aspect=wrong.aspect,
        declared=table is not None,
        reason=table.reason if table else f"expected {wrong.expected}; got {wrong.got}",
        kind=table.kind if table else None,
        link=table.link if table else "",
        follows=table.follows if table else "",
        counterexample=Counterexample(
            scenario=performed.scenario,
            trace=performed.trace,
            at=wrong.at,
            aspect=wrong.aspect,
            also=wrong.also,
            expected=wrong.expected,
            got=wrong.got,
        ),
        flaky=flaky,
    )


def _listed(ids: frozenset[str] | set[str]) -> str:
    """`the scenarios 0ada9bd80078, 607e891b74fb and 5 more are`."""
    named = ", ".join(sorted(ids)[:NAMED])
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return f"the scenario {named} is" if len(ids) == 1 else f"the scenarios {named}{more} are"
