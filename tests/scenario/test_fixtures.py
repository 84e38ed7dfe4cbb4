"""The hand-written scenarios: they are sound, and what they show can be performed."""

from __future__ import annotations

import re

import pytest

from conformance.harness.runner import perform
from conformance.reference.implementation import Reference
from conformance.rules.catalogue import CATALOGUE, section_of
from conformance.scenario.files import encode, files, load
from conformance.scenario.requirements import needs
from conformance.scenario.scenario import CreateThread, Restore, Scenario, agents_used, workflows_used
from conformance.trace.adapter_events import Raised
from conformance.trace.harness_events import Refused
from conformance.trace.trace import Trace
from conformance.vocabulary import AREAS, CAPABILITIES, Area

EACH = [pytest.param(scenario, id=f"{area}/{name}") for area in AREAS for name, scenario in load(area)]


POLICIES: tuple[dict[str, str], ...] = (
    {},
    {"store_conflict": "ignore"},
    {"store_conflict": "transform", "unsupported_thread": "at_run"},
    {"store_conflict_hosted": "ignore", "injected_messages": "stored", "provider_copy": "written", "trailing_result": "trimmed"},
)


@pytest.mark.parametrize("scenario", EACH)
def test_a_fixture_can_be_performed_to_its_end(scenario: Scenario) -> None:
    for policies in POLICIES:
        trace = perform(scenario, lambda policies=policies: Reference(**policies))
        assert trace.broken is None
        assert [
            at for at, event in enumerate(trace.events) if isinstance(event, Refused) and not _without_thread(scenario, trace, at)
        ] == []
        kinds = {event.kind for event in trace.events if isinstance(event, Raised) and event.native != "ExecutorFailed"}
        assert kinds <= {"conflict", "service", "unsupported", "invalid", "provider"}


def _without_thread(scenario: Scenario, trace: Trace, at: int) -> bool:
    """Whether a step was refused only because its thread could not be made."""
    step = scenario.steps[trace.events[at].step]
    made = [
        number
        for number, each in enumerate(scenario.steps)
        if isinstance(each, (CreateThread, Restore)) and each.thread == getattr(step, "thread", None)
    ]
    return any(isinstance(event, Raised) and event.step in made for event in trace.events)


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


@pytest.mark.parametrize("area", AREAS)
def test_a_fixture_stands_in_the_section_of_the_first_rule_that_it_shows(area: Area) -> None:
    for path, (_, scenario) in zip(files("fixtures", area), load(area), strict=True):
        assert scenario.shows, path
        assert [id for id in scenario.shows if id not in CATALOGUE] == [], path
        assert section_of(scenario.shows[0]) == path.parent.name, path


@pytest.mark.parametrize("area", AREAS)
def test_what_a_fixture_shows_is_exercised_on_the_reference(area: Area) -> None:
    for name, scenario in load(area):
        trace = perform(scenario, Reference)
        assert [id for id in scenario.shows if not CATALOGUE[id].judge(scenario, trace).exercised] == [], name


def test_every_rule_is_shown_by_a_fixture_in_its_own_section() -> None:
    shown = {id for area in AREAS for _, scenario in load(area) for id in scenario.shows}
    assert set(CATALOGUE) - shown == set()


def test_names_and_titles_are_unique() -> None:
    fixtures = [fixture for area in AREAS for fixture in load(area)]
    assert len({name for name, _ in fixtures}) == len(fixtures)
    assert len({scenario.title for _, scenario in fixtures} - {""}) == len(fixtures)


@pytest.mark.parametrize("area", AREAS)
def test_every_rule_of_an_area_has_a_fixture_that_exercises_it(area: Area) -> None:
    performed = [(scenario, perform(scenario, Reference)) for _, scenario in load(area)]
    rules = [rule for rule in CATALOGUE.values() if rule.area == area]
    assert rules
    shown = {rule.id for rule in rules for scenario, trace in performed if rule.judge(scenario, trace).exercised}
    assert [rule.id for rule in rules if rule.id not in shown] == []
