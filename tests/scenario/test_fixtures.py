"""The hand-written scenarios: they are sound, and what they show can be performed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from conformance.harness.runner import perform
from conformance.reference.implementation import Reference
from conformance.rules.catalogue import CATALOGUE, section_of
from conformance.scenario.files import encode, files, folder, load
from conformance.scenario.requirements import can_perform
from conformance.scenario.scenario import CreateThread, Restore, Scenario, agents_used, workflows_used
from conformance.trace.adapter_events import Raised
from conformance.trace.harness_events import Refused
from conformance.trace.trace import Trace
from conformance.vocabulary import AREAS, Area

EACH = [pytest.param(scenario, id=f"{area}/{name}") for area in AREAS for name, scenario in load(area)]


FORMAT = "python -c \"from conformance.scenario.files import *; p = Path('{}'); p.write_text(encode(read(p)), 'utf-8')\""
"""The command that writes a fixture as the suite writes scenarios."""

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


def home_of(rule: str) -> str:
    """Where the fixtures of a rule stand: `area/section`."""
    return f"{CATALOGUE[rule].area}/{section_of(rule)}"


def homes() -> Iterator[tuple[str, Scenario]]:
    """Every fixture, with its `area/section`."""
    for area in AREAS:
        for path, (_, scenario) in zip(files("fixtures", area), load(area), strict=True):
            yield f"{area}/{path.parent.name}", scenario


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
    assert can_perform(scenario, Reference.capabilities)


@pytest.mark.parametrize("area", AREAS)
def test_fixtures_are_written_as_the_suite_writes_scenarios(area: Area) -> None:
    for path, (name, scenario) in zip(files("fixtures", area), load(area), strict=True):
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name), f"{path}: name it in small letters, words joined by a hyphen"
        assert path.read_text(encoding="utf-8") == encode(scenario), f"{path}: write it again with: {FORMAT.format(path)}"


@pytest.mark.parametrize("area", AREAS)
def test_a_fixture_stands_in_the_section_of_the_first_rule_that_it_shows(area: Area) -> None:
    for path, (_, scenario) in zip(files("fixtures", area), load(area), strict=True):
        assert scenario.shows, f"{path}: add `shows`, the ids of the rules that it is there for"
        unknown = [id for id in scenario.shows if id not in CATALOGUE]
        assert unknown == [], f"{path} shows {', '.join(unknown)}, which is no rule"
        home = home_of(scenario.shows[0])
        there = folder("fixtures") / home / path.name
        assert f"{area}/{path.parent.name}" == home, f"{path} shows {scenario.shows[0]} first: move it to {there}"


@pytest.mark.parametrize("area", AREAS)
def test_what_a_fixture_shows_is_exercised_on_the_reference(area: Area) -> None:
    for name, scenario in load(area):
        trace = perform(scenario, Reference)
        idle = [id for id in scenario.shows if not CATALOGUE[id].judge(scenario, trace).exercised]
        assert idle == [], f"{name} does not exercise {', '.join(idle)} on the reference: mend it, or take them out of `shows`"


def test_every_rule_is_shown_by_a_fixture_in_its_own_section() -> None:
    shown = {(id, home) for home, scenario in homes() for id in scenario.shows}
    lacking = [id for id in CATALOGUE if (id, home_of(id)) not in shown]
    assert lacking == [], "; ".join(
        f"{id} has no fixture in fixtures/{home_of(id)}: write one, or add it to `shows` of one" for id in lacking
    )


def test_names_and_titles_are_unique() -> None:
    fixtures = [fixture for area in AREAS for fixture in load(area)]
    untitled = [name for name, scenario in fixtures if not scenario.title]
    assert untitled == [], f"give a title to {', '.join(untitled)}"
    for what, found in {"name": [name for name, _ in fixtures], "title": [scenario.title for _, scenario in fixtures]}.items():
        twice = [each for each, count in Counter(found).items() if count > 1]
        assert twice == [], f"two fixtures have the {what} {', '.join(map(repr, twice))}: rename one"
