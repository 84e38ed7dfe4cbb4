"""THR-05 to THR-11 on traces written by hand."""

from __future__ import annotations

import pytest
from written import Written, broken, holds

from conformance.scenario.scenario import CreateThread, Run, Scenario
from conformance.scenario.specs import AgentSpec, ServiceSpec

NEW_IDS = ServiceSpec(keeps="new_ids")


def talk(kind="local", *, with_id=False, **agent) -> Scenario:
    """Two runs on one thread."""
    steps = (
        CreateThread(thread="t", agent="a", kind=kind, with_id=with_id),
        Run(thread="t", say=("one",)),
        Run(thread="t", say=("two",)),
    )
    return Scenario(agents={"a": AgentSpec(**agent)}, steps=steps)


def first_turn(scenario: Scenario, **policies) -> Written:
    """The first run went as it should on a local thread."""
    written = Written(scenario, **policies).created("t", "local")
    return written.run("t").called("one").replied("1").returned("1").described("t", "local", "one", "=1")


def test_thr_05_holds_where_the_whole_conversation_is_sent():
    assert holds(first_turn(talk()).run("t").called("one", "=1", "two").replied("2").returned("2"), "THR-05")


@pytest.mark.parametrize(
    ("said", "options", "aspect"),
    [
        (("one", "=1", "two"), {"store": True}, "stores"),
        (("one", "=1", "two"), {"conversation_id": "a-1"}, "names a conversation"),
        (("two",), {}, "missing"),
        (("one", "=1", "one", "two"), {}, "repeated"),
        (("one", "=1", "three", "two"), {}, "foreign"),
        (("=1", "one", "two"), {}, "order"),
    ],
)
def test_thr_05_breaks(said, options, aspect):
    assert broken(first_turn(talk()).run("t").called(*said, **options).replied("2").returned("2"), "THR-05") == {aspect}


def test_thr_05_breaks_where_a_run_with_nothing_wrong_is_refused():
    assert broken(first_turn(talk()).run("t").raised("invalid"), "THR-05") == {"refused"}
