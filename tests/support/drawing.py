"""What tests of strategies share: scenarios that are drawn, and the smallest one that proves something."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis.errors import NoSuchExample

from conformance.reference.implementation import Reference
from conformance.scenario.scenario import Scenario, Step
from conformance.strategies import scenarios
from conformance.vocabulary import Area, Capability

ALL = Reference.capabilities
NO_SWITCHES = ALL - {"clients.hosted_flag", "history.conflict_switches", "history.decorated", "runs.background"}
ALWAYS_AN_ID = NO_SWITCHES - {"service.surprising", "service.without_id"}
IN_STEPS = Reference(history="incremental").capabilities
NO_LIMITS = settings(deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))


def drawn(area: Area, count: int = 100, capabilities: frozenset[Capability] = ALL) -> list[Scenario]:
    found: list[Scenario] = []

    @settings(NO_LIMITS, max_examples=count, phases=[Phase.generate])
    @given(scenarios(area, capabilities))
    def collect(scenario: Scenario) -> None:
        found.append(scenario)

    collect()
    return found


def smallest(area: Area, proves: Callable[[Scenario], bool]) -> Scenario:
    return find(scenarios(area, ALL), proves, settings=settings(NO_LIMITS, max_examples=2000), random=Random(1))


def comes_up(area: Area, proves: Callable[[Scenario], bool]) -> bool:
    once = settings(NO_LIMITS, max_examples=2000, phases=[Phase.generate])
    try:
        find(scenarios(area, ALL), proves, settings=once, random=Random(1))
    except NoSuchExample:
        return False
    return True


def has(kind: type[Step]) -> Callable[[Scenario], bool]:
    return lambda scenario: any(isinstance(step, kind) for step in scenario.steps)
