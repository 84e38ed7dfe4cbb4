"""What a rule is.

A rule is a pure function of scenario and trace. It looks for every place at which its precondition is met and yields a finding for
each: that it held there, or that it was violated, and what was expected instead. A rule without findings was not exercised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from conformance.rules.execution_view import ExecutionView
from conformance.scenario.scenario import Scenario
from conformance.trace.trace import Trace
from conformance.vocabulary import Area, Capability, Data, Level, Policies


class Finding(Data, frozen=True, kw_only=True):
    """One place at which a rule's precondition was met.

    at: index of the trace event that proves it. also: further events that belong to the proof. expected, got: one sentence each,
    given where the rule does not hold.
    """

    at: int
    holds: bool
    expected: str = ""
    got: str = ""
    also: tuple[int, ...] = ()


class Judgement(Data, frozen=True, kw_only=True):
    """What a rule says of one performed scenario.

    exercised: how often its precondition was met. held: the trace events at which it held.
    """

    rule: str
    exercised: int = 0
    held: tuple[int, ...] = ()
    violations: tuple[Finding, ...] = ()


Check = Callable[[ExecutionView], Iterable[Finding]]


_AREAS: Mapping[str, Area] = {"THR": "threads", "PER": "persistence", "ORC": "orchestration"}


@dataclass(frozen=True)
class Rule:
    """A rule of the specification. needs: capabilities, all of them. policies: those it is written against."""

    id: str
    level: Level
    needs: frozenset[Capability]
    policies: tuple[str, ...]
    check: Check

    @property
    def area(self) -> Area:
        """The area that the id belongs to."""
        return _AREAS[self.id[:3]]

    @property
    def title(self) -> str:
        """The rule itself: the first sentence of its docstring."""
        return self._told[0]

    @property
    def notes(self) -> str:
        """What the rule adds to its sentence, and what it leaves alone: the rest of its docstring."""
        return self._told[1]

    @property
    def _told(self) -> tuple[str, str]:
        title, _, rest = " ".join((self.check.__doc__ or "").split()).partition(". ")
        return (f"{title}." if rest else title), rest

    @property
    def source(self) -> str:
        """Where the specification states it."""
        return f"spec/{self.area}.md, {self.id}"

    def judge(self, scenario: Scenario, trace: Trace) -> Judgement:
        """Apply the rule to one performed scenario. Never raises on a trace that the stage made."""
        return self.examine(ExecutionView(scenario, trace))

    def examine(self, execution: ExecutionView) -> Judgement:
        """Apply the rule to a case, which several rules may share."""
        findings = list(self.check(execution))
        violations = tuple(finding for finding in findings if not finding.holds)
        held = tuple({finding.at: None for finding in findings if finding.holds})
        return Judgement(rule=self.id, exercised=len(findings), held=held, violations=violations)

    def missing(self, capabilities: Iterable[Capability], policies: Policies) -> list[str]:
        """What an implementation would have to declare for this rule to apply."""
        lacking = [f"capability {name}" for name in sorted(self.needs - set(capabilities))]
        lacking += [f"policy {name}" for name in self.policies if getattr(policies, name) is None]
        if "completion_signal" in self.policies and policies.completion_signal == "none":
            lacking.append("a way to tell the run-completed output (completion_signal is none)")
        return lacking


def rule(
    id: str, *, level: Level = "MUST", needs: Iterable[Capability] = (), policies: tuple[str, ...] = ()
) -> Callable[[Check], Rule]:
    """Make a rule of a check. Its place in `conformance.rules.catalogue` makes it one of the specification's."""

    def made(check: Check) -> Rule:
        return Rule(id=id, level=level, needs=frozenset(needs), policies=policies, check=check)

    return made


def finding(holds: bool, at: int, *, expected: str, got: str, also: Iterable[int] = ()) -> Finding:
    """The rule held here, or did not: then what was expected, what we got, and where to look."""
    return Finding(at=at, holds=True) if holds else Finding(at=at, holds=False, expected=expected, got=got, also=tuple(also))
