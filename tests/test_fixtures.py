"""The hand-written scenarios: they are sound, and what they show can be performed."""

from __future__ import annotations

import re

import pytest

from conformance.cast import agents_used, workflows_used
from conformance.data import files
from conformance.fixtures import load
from conformance.needs import needs
from conformance.reference import Reference
from conformance.rules.rule import catalogue
from conformance.scenario import Scenario
from conformance.scenario_file import encode
from conformance.stage import perform
from conformance.trace import Broke, Raised, Refused
from conformance.vocabulary import AREAS, CAPABILITIES, Area

EACH = [pytest.param(scenario, id=f"{area}/{name}") for area in AREAS for name, scenario in load(area)]


@pytest.mark.parametrize("scenario", EACH)
def test_a_fixture_can_be_performed_to_its_end(scenario: Scenario) -> None:
    for policy in ("raise", "ignore", "transform"):
        events = perform(scenario, lambda policy=policy: Reference(store_conflict=policy)).events
        assert [event for event in events if isinstance(event, (Broke, Refused))] == []
        assert {event.kind for event in events if isinstance(event, Raised)} <= {"conflict", "service"}


@pytest.mark.parametrize("scenario", EACH)
def test_a_fixture_defines_nothing_that_it_does_not_use(scenario: Scenario) -> None:
    assert sorted(scenario.agents) == sorted(agents_used(scenario))
    assert sorted(scenario.workflows) == sorted(workflows_used(scenario))
    assert needs(scenario) <= set(CAPABILITIES)


@pytest.mark.parametrize("area", AREAS)
def test_fixtures_are_written_as_the_suite_writes_scenarios(area: Area) -> None:
    for path, (name, scenario) in zip(files("fixtures", area), load(area), strict=True):
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
        assert path.read_text(encoding="utf-8") == encode(scenario)


def test_names_and_titles_are_unique() -> None:
    fixtures = [fixture for area in AREAS for fixture in load(area)]
    assert len({name for name, _ in fixtures}) == len(fixtures)
    assert len({scenario.title for _, scenario in fixtures} - {""}) == len(fixtures)


@pytest.mark.parametrize("area", AREAS)
def test_every_rule_of_an_area_has_a_fixture_that_exercises_it(area: Area) -> None:
    performed = [(scenario, perform(scenario, Reference)) for _, scenario in load(area)]
    rules = [rule for rule in catalogue().values() if rule.area == area]
    assert rules
    shown = {rule.id for rule in rules for scenario, trace in performed if rule.judge(scenario, trace).exercised}
    assert [rule.id for rule in rules if rule.id not in shown] == []
