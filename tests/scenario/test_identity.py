"""Ids of scenarios: made of what a scenario does, the same everywhere and for ever."""

import msgspec
import pytest

from conformance.scenario.files import decode, load
from conformance.scenario.identity import scenario_id
from conformance.vocabulary import AREAS, Area

PINNED = {
    '{"agents": {"a": {}}, "steps": [{"do": "create_thread", "thread": "t", "agent": "a"}]}': "b6b5ad66c4d4",
}

FIXTURES = {
    ("threads", "adaptive-thread-becomes-hosted"): "607e891b74fb",
    ("persistence", "abandoned-after-the-last-chunk"): "0ada9bd80078",
    ("orchestration", "abandoned-as-an-agent"): "d9dfb09706b5",
}


def test_no_two_fixtures_do_the_same() -> None:
    every = [scenario_id(scenario) for area in AREAS for _, scenario in load(area)]
    assert len(every) == len(set(every))


def test_what_only_describes_a_scenario_is_not_in_its_id() -> None:
    _, scenario = load("threads")[0]
    assert scenario_id(msgspec.structs.replace(scenario, title="another", shows=("ORC-01",))) == scenario_id(scenario)


def test_the_order_of_agents_is_in_the_id() -> None:
    ab, ba = ('{"agents": {"a": {}, "b": {}}, "steps": []}', '{"agents": {"b": {}, "a": {}}, "steps": []}')
    assert scenario_id(decode(ab)) != scenario_id(decode(ba))


@pytest.mark.parametrize(("text", "id"), PINNED.items())
def test_ids_stay_what_they_are(text: str, id: str) -> None:
    assert scenario_id(decode(text)) == id


@pytest.mark.parametrize(("area", "name"), FIXTURES)
def test_ids_of_fixtures_stay_what_they_are(area: Area, name: str) -> None:
    assert scenario_id(dict(load(area))[name]) == FIXTURES[area, name]
