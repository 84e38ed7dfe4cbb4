"""What a rule is.

A rule says what it looks at, which of these subjects it speaks of, which it leaves alone, and in which ways it can break. Its check
is a pure function of an execution and one subject. It yields a finding for every place at which the rule held or broke, and what
was expected there. A rule without findings was not exercised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from conformance.rules.condition import Condition, Selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.records import status
from conformance.scenario.scenario import Scenario
from conformance.trace.trace import Trace
from conformance.vocabulary import Area, Capability, Data, Level, Need, Policies, lacking

S = TypeVar("S")


class Finding(Data, frozen=True, kw_only=True):
    """One place at which a rule's precondition was met.

    at: index of the trace event that proves it. also: further events that belong to the proof. Where the rule does not hold:
    aspect, the way in which it broke, one of the rule's; expected and got, a sentence each.
    """

    at: int
    holds: bool
    aspect: str = ""
    expected: str = ""
    got: str = ""
    also: tuple[int, ...] = ()


class Judgement(Data, frozen=True, kw_only=True):
    """What a rule says of one performed scenario.

    exercised: how often its precondition was met. held: the trace events at which it held. left_alone: for each exclusion, how many
    subjects it took away; of several that apply to one subject the first counts.
    """

    rule: str
    exercised: int = 0
    held: tuple[int, ...] = ()
    violations: tuple[Finding, ...] = ()
    left_alone: dict[str, int] = {}


Check = Callable[[ExecutionView, S], Iterable[Finding]]

_AREAS: Mapping[str, Area] = {"THR": "threads", "PER": "persistence", "ORC": "orchestration"}


@dataclass(frozen=True)
class Clause:
    """One loop of a rule. each: what it looks at. when: what must be so of a subject, all of it.

    leaves_alone: its exclusions, any of which takes a subject away.
    """

    each: Selection[Any]
    when: tuple[Condition[Any], ...]
    leaves_alone: tuple[Condition[Any], ...]
    check: Check[Any]

    def subjects(self, execution: ExecutionView, left_alone: Counter[str]) -> Iterator[Any]:
        """What the clause speaks of in an execution; counts what its exclusions took away."""
        for subject in self.each(execution):
            if not all(condition(execution, subject) for condition in self.when):
                continue
            excluding = next((condition for condition in self.leaves_alone if condition(execution, subject)), None)
            if excluding is None:
                yield subject
            else:
                left_alone[excluding.name] += 1

    def lacking(self, execution: ExecutionView) -> Iterator[Nearest]:
        """What each candidate lacks to be a subject of the clause."""
        for candidate in self.each(execution):
            unmet = [condition.text for condition in self.when if not condition(execution, candidate)]
            unmet += [f"not so that {each.text}" for each in self.leaves_alone if not unmet and each(execution, candidate)]
            yield Nearest(self.each.text, tuple(unmet))


@dataclass(frozen=True)
class Nearest:
    """What came nearest to exercising a rule. subject: what it is; unmet: the conditions that it did not meet, as clauses."""

    subject: str
    unmet: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """A rule of the specification.

    needs: all of them; for some, one of several capabilities is enough. policies: those it is written against. aspects: the ways in
    which it can break, short phrases. clauses: what it looks at and what it asks there; most rules have one. The first one's
    docstring is the rule's text. edition: of the specification, the one that brought it. of_deadlocks: it also says something of a
    performance that came to no end, where the harness saw that nothing could end it.
    """

    id: str
    level: Level
    needs: frozenset[Need]
    policies: tuple[str, ...]
    aspects: tuple[str, ...]
    clauses: tuple[Clause, ...]
    edition: int = 1
    of_deadlocks: bool = False

    @property
    def area(self) -> Area:
        """The area that the id belongs to."""
        return _AREAS[self.id[:3]]

    @property
    def record(self) -> str:
        """What became of the decision record that it comes from."""
        return status(self.area)

    @property
    def title(self) -> str:
        """The rule itself: the first sentence of its docstring."""
        return self._told[0]

    @property
    def notes(self) -> str:
        """What the rule adds to its sentence: the rest of its docstring."""
        return self._told[1]

    @property
    def _told(self) -> tuple[str, str]:
        title, _, rest = " ".join((self.clauses[0].check.__doc__ or "").split()).partition(". ")
        return (f"{title}." if rest else title), rest

    @property
    def source(self) -> str:
        """Where the specification states it: a file of the package, and the id there."""
        return f"conformance/spec/{self.area}.md, {self.id}"

    def judges(self, trace: Trace) -> bool:
        """Whether it can say anything of a trace: of one that broke hardly any rule can."""
        broke = trace.broken
        return broke is None or (self.of_deadlocks and broke.cause == "deadlock")

    def judge(self, scenario: Scenario, trace: Trace) -> Judgement:
        """Apply the rule to one performed scenario. Never raises on a trace that the harness made."""
        return self.examine(ExecutionView(scenario, trace))

    def examine(self, execution: ExecutionView) -> Judgement:
        """Apply the rule to an execution, which several rules may share."""
        left_alone: Counter[str] = Counter()
        findings = list(self.findings(execution, left_alone))
        violations = tuple(finding for finding in findings if not finding.holds)
        held = tuple({finding.at: None for finding in findings if finding.holds})
        return Judgement(rule=self.id, exercised=len(findings), held=held, violations=violations, left_alone=dict(left_alone))

    def findings(self, execution: ExecutionView, left_alone: Counter[str] | None = None) -> Iterator[Finding]:
        """Every finding in an execution; `left_alone` counts what the exclusions took away.

        Raises ValueError where a finding that does not hold names no aspect of the rule.
        """
        counted: Counter[str] = Counter() if left_alone is None else left_alone
        for clause in self.clauses:
            for subject in clause.subjects(execution, counted):
                for finding in clause.check(execution, subject):
                    self._check_aspect(finding)
                    yield finding

    def nearest(self, execution: ExecutionView) -> Nearest | None:
        """The candidate that lacks the fewest conditions, where nothing exercises the rule; None where there is none at all."""
        found = [near for each in self.clauses for near in each.lacking(execution)]
        return min(found, key=lambda near: len(near.unmet), default=None)

    def _check_aspect(self, finding: Finding) -> None:
        if not finding.holds and finding.aspect not in self.aspects:
            raise ValueError(f"{self.id} broke in the aspect {finding.aspect!r}, which is none of {', '.join(self.aspects)}")

    def missing(self, capabilities: Collection[Capability], policies: Policies) -> list[str]:
        """What an implementation would have to declare for this rule to apply."""
        found = [f"capability {need}" for need in lacking(self.needs, capabilities)]
        found += [f"policy {name}" for name in self.policies if getattr(policies, name) is None]
        if "completion_signal" in self.policies and policies.completion_signal == "none":
            found.append("a way to tell the run-completed output (completion_signal is none)")
        return found


def rule(
    id: str,
    *,
    each: Selection[S],
    aspects: Sequence[str],
    when: Sequence[Condition[S]] = (),
    leaves_alone: Sequence[Condition[S]] = (),
    also: Sequence[Clause] = (),
    level: Level = "MUST",
    needs: Iterable[Need] = (),
    policies: tuple[str, ...] = (),
    edition: int = 1,
    of_deadlocks: bool = False,
) -> Callable[[Check[S]], Rule]:
    """Make a rule of a check. Its place in `conformance.rules.catalogue` makes it one of the specification's.

    also: further clauses of it, which look at something else or leave other things alone.
    """

    def made(check: Check[S]) -> Rule:
        first = Clause(each, tuple(when), tuple(leaves_alone), check)
        return Rule(id, level, frozenset(needs), policies, tuple(aspects), (first, *also), edition, of_deadlocks)

    return made


def clause(
    *, each: Selection[S], when: Sequence[Condition[S]] = (), leaves_alone: Sequence[Condition[S]] = ()
) -> Callable[[Check[S]], Clause]:
    """Make a further clause of a check, for `also` of a rule."""
    return lambda check: Clause(each, tuple(when), tuple(leaves_alone), check)


def finding(holds: bool, at: int, aspect: str, *, expected: str, got: str, also: Iterable[int] = ()) -> Finding:
    """The rule held here, or broke in an aspect: then what was expected, what we got, and where to look."""
    if holds:
        return Finding(at=at, holds=True)
    return Finding(at=at, holds=False, aspect=aspect, expected=expected, got=got, also=tuple(also))
