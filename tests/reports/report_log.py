"""The log of the reports, and how each is tried."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
import reported_histories
import reported_inner_agents
import reported_interruptions
import reported_threads
import reported_workflows
from imitation import Imitation

from conformance.harness.execution import Performed, performed
from conformance.implementation.subject import Subject, subject
from conformance.judging.material import shipped
from conformance.mutants.mutant import rules_of
from conformance.mutants.persistence.faulty_homes import Incremental
from conformance.mutants.variation import variations
from conformance.reference.implementation import Reference
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.rule import Rule
from conformance.scenario.files import read
from conformance.scenario.identity import scenario_id
from conformance.scenario.requirements import can_perform
from conformance.scenario.scenario import Scenario
from conformance.trace.trace import Trace
from conformance.vocabulary import AREAS, Area, Capability, Data, Policies

HERE = Path(__file__).parent
TIMEOUT = 20.0
FAULTS = (reported_histories, reported_interruptions, reported_inner_agents, reported_threads, reported_workflows)

Outcome = Literal["the right rule", "another rule", "an error", "no rule", "cannot be said", "allowed"]


class Report(Data, frozen=True, kw_only=True):
    """One report. first: how rules were broken when it was first tried, each as `RULE/aspect`.

    own: how they are now on the scenario that was written for it; frozen: and on the frozen material of its area, one way for each
    rule, with a scenario that shows it. For the other fields see the head of the file.
    """

    url: str
    term: int
    date: str
    kind: str
    what: str
    about: tuple[str, ...] = ()
    second: tuple[str, ...] = ()
    cannot: str | None = None
    allowed: str | None = None
    note: str | None = None
    first: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    frozen: dict[str, str] = {}

    @property
    def project(self) -> str:
        """Owner and name."""
        return "/".join(self.url.split("/")[3:5])

    @property
    def name(self) -> str:
        """As its scenario is called."""
        *_, repository, _, number = self.url.split("/")
        return f"{repository}-{number}".lower()

    @property
    def area(self) -> Area:
        """The area that it is about."""
        return next(area for area in AREAS if self.kind.startswith(f"{area}/"))

    @property
    def now(self) -> tuple[str, ...]:
        """How rules are broken now."""
        return tuple(sorted({*self.own, *self.frozen}))

    def right(self, ways: Iterable[str]) -> frozenset[str]:
        """Those of the rules broken that are about it, in a way that is: of the next edition as well, once they are there."""
        meant = {*self.about, *self.second}
        return rules_of(way for way in ways if way in meant or way.partition("/")[0] in meant)

    @property
    def imitation(self) -> type[Reference]:
        """What it is tried with; the reference itself where that does what is reported."""
        return next((kind for kind in imitations().values() if self.url in kind.reports), Reference)

    @property
    def scenario(self) -> Scenario:
        """What its user did."""
        return read(HERE / "scenarios" / f"{self.name}.json")

    def outcome(self, ways: Iterable[str]) -> Outcome:
        """What it came to, given how rules were broken."""
        if self.cannot:
            return "cannot be said"
        if self.allowed:
            return "allowed"
        found = rules_of(ways := frozenset(ways))
        if self.right(ways):
            return "the right rule"
        if found:
            return "an error" if found == {BROKE} else "another rule"
        return "no rule"


BROKE = "broke"
"""Stands for the rule where the harness itself saw that an implementation does not come back."""


@cache
def imitations() -> dict[str, type[Imitation]]:
    """Every imitation by its name."""
    return variations(Imitation, FAULTS)


@cache
def reports() -> tuple[Report, ...]:
    """The reports, in the order in which they were found."""
    return msgspec.convert(tomllib.loads((HERE / "reports.toml").read_text("utf-8"))["report"], tuple[Report, ...])


def performance(scenario: Scenario, kind: type[Reference]) -> Trace:
    """The trace that an imitation leaves."""
    return performed(scenario, subject(kind), TIMEOUT)


def sound(kind: type[Reference]) -> type[Reference]:
    """What an imitation would be without its fault."""
    return InSteps if issubclass(kind, Incremental) else Reference


class InSteps(Incremental):
    """The reference with histories in steps of its own."""


def ways(scenario: Scenario, trace: Trace, rules: Iterable[Rule] | None = None) -> set[str]:
    """How these rules, or all, are broken; where no rule can judge, what broke."""
    shown = Performed("a scenario", scenario, trace)
    judging = [rule for rule in (CATALOGUE.values() if rules is None else rules) if rule.judges(trace)]
    applying = [rule for rule in judging if not rule.missing(trace.capabilities, trace.policies)]
    found = {f"{rule.id}/{violation.aspect}" for rule in applying for violation in rule.examine(shown.view).violations}
    return found or ({f"{BROKE}/{trace.broken.cause}"} if trace.broken else set())


def of_area(area: Area) -> list[Rule]:
    """The rules of an area."""
    return [rule for rule in CATALOGUE.values() if rule.area == area]


def frozen(area: Area, under_test: Subject) -> Mapping[str, Scenario]:
    """The frozen material of an area that a subject can perform, by name."""
    return _frozen(area, under_test.capabilities, under_test.policies)


@cache
def _frozen(area: Area, capabilities: frozenset[Capability], policies: Policies) -> Mapping[str, Scenario]:
    material = shipped()
    found = {
        **{f"fixture {name}": scenario for name, scenario in material.fixtures(area)},
        **{f"matrix {scenario_id(scenario)}": scenario for scenario in material.matrix(area, capabilities, policies)},
        **{f"corpus {scenario_id(scenario)}": scenario for scenario in material.corpus(area)},
    }
    return {name: scenario for name, scenario in found.items() if can_perform(scenario, capabilities)}
