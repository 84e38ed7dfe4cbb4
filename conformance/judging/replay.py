"""A replay: one scenario performed once more, with what every rule says of it now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from conformance.errors import UsageError
from conformance.harness.execution import Performed, performed
from conformance.harness.output import kept_output
from conformance.harness.runner import STEP_TIMEOUT
from conformance.implementation.subject import Performer, Subject
from conformance.judging.recorded import Record, Recorded
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.rule import Finding, Judgement
from conformance.scenario.identity import scenario_id
from conformance.scenario.requirements import needs
from conformance.scenario.scenario import Scenario
from conformance.trace.trace import Trace
from conformance.vocabulary import Data, lacking

State = Literal["violated", "held", "left alone", "not exercised", "not supported", "error"]
"""What a rule says of one scenario. left alone: its exclusions took away all that it looks at."""


class Replay(Data, frozen=True, kw_only=True, omit_defaults=False):
    """A scenario with its trace, and what each rule says that the implementation supports.

    raised: rules that failed themselves, with the error. not_supported: rules with what they need. records: what was found on the
    scenario before. output: what the implementation printed and logged.
    """

    id: str
    scenario: Scenario
    trace: Trace
    judgements: dict[str, Judgement] = {}
    raised: dict[str, str] = {}
    not_supported: dict[str, str] = {}
    records: tuple[Record, ...] = ()
    output: str = ""

    def state(self, rule: str) -> State:
        """What a rule says."""
        if rule in self.not_supported:
            return "not supported"
        found = self.judgements.get(rule)
        if found is None:
            return "error"
        if found.violations:
            return "violated"
        return "held" if found.exercised else "left alone" if found.left_alone else "not exercised"

    def violations(self, way: str | None = None) -> dict[str, tuple[Finding, ...]]:
        """What is violated, by rule: everything, or only a rule or `RULE/aspect`."""
        rule, _, aspect = (way or "").partition("/")
        found = {id: _in(each.violations, aspect) for id, each in self.judgements.items() if rule in ("", id)}
        return {id: violations for id, violations in found.items() if violations}

    def changed(self, record: Record) -> bool:
        """Whether a rule no longer says what is recorded of it."""
        if not record.aspect:
            return self.state(record.rule) != "error"
        return not self.violations(f"{record.rule}/{record.aspect}")

    def exit_code(self, way: str | None = None) -> int:
        """0: no rule is violated, or not the one that is asked about; 1: it is; 3: something could not be judged."""
        if way.partition("/")[0] in self.raised if way else self.raised:
            return 3
        if self.trace.broken and not self.violations(way):
            return 3
        return int(bool(self.violations(way)))


def _in(violations: Sequence[Finding], aspect: str) -> tuple[Finding, ...]:
    return tuple(each for each in violations if aspect in ("", each.aspect))


def replay(recorded: Recorded, subject: Subject, timeout: float = STEP_TIMEOUT) -> Replay:
    """Perform a scenario and let every rule judge. Raises UsageError where the subject cannot be asked for it."""
    scenario = recorded.scenario
    undeclared = lacking(needs(scenario), subject.capabilities)
    if undeclared:
        words = ", ".join(map(str, undeclared))
        raise UsageError(f"{subject.label} cannot be asked to perform this scenario: it does not declare {words}")
    trace, output = _performed(scenario, subject, timeout)
    missing = {id: rule.missing(subject.capabilities, subject.policies) for id, rule in CATALOGUE.items()}
    judgements, raised = _judged(Performed("replay", scenario, trace), missing)
    return Replay(
        id=scenario_id(scenario),
        scenario=scenario,
        trace=trace,
        judgements=judgements,
        raised=raised,
        not_supported={id: f"needs {', '.join(words)}" for id, words in missing.items() if words},
        records=recorded.records,
        output=output,
    )


def output_of(scenario: Scenario, subject: Subject, timeout: float = STEP_TIMEOUT) -> str:
    """What is printed and logged while a scenario is performed, bounded."""
    return _performed(scenario, subject, timeout)[1]


def _performed(scenario: Scenario, subject: Subject, timeout: float) -> tuple[Trace, str]:
    with kept_output() as output:
        trace = performed(scenario, subject, timeout)
    return trace, subject.origin.output if isinstance(subject.origin, Performer) else output.text


def _judged(performed: Performed, missing: Mapping[str, list[str]]) -> tuple[dict[str, Judgement], dict[str, str]]:
    """What each supported rule says, and the errors of rules that failed; of a trace that broke hardly any says anything."""
    judgements: dict[str, Judgement] = {}
    raised: dict[str, str] = {}
    for id, rule in CATALOGUE.items():
        if missing[id] or not rule.judges(performed.trace):
            continue
        try:
            judgements[id] = rule.examine(performed.view)
        except Exception as error:
            raised[id] = f"{type(error).__name__}: {error}"
    return judgements, raised
