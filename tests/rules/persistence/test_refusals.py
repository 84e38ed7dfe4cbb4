"""PER-54 on traces written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from flows import flow
from kept import BARE, PER_CALL, SUNNY, TOOLS, begun, kept
from talks import run, talk
from written import Said, Written, broken, calls, holds, left_alone, results, taken_away

from conformance.scenario.scenario import Restore, Run, Scenario, Serialize
from conformance.scenario.specs import AgentSpec, ServiceSpec, ToolSpec
from conformance.trace.adapter_events import Restored, Serialized
from conformance.trace.harness_events import Abandoned, ConversationsForgotten

STRICT = ServiceSpec(strict=True)
ONE_ID = ServiceSpec(keeps="one_id", strict=True)
NEW_IDS = ServiceSpec(keeps="new_ids", strict=True)
ASKS, AGAIN, PAYS = calls("c1", weather={}), calls("c2", weather={}), calls("c3", pay={})
BOTH = calls("c1", "c2", weather={}, map={})


def asked(*sent: Said, held: tuple[Said, ...] = (), **options: Any) -> Written:
    """A run sends this to a strict service."""
    scenario = kept(run("one"), **{"service": STRICT, **options})
    return begun(scenario).run("t").called(*sent, held=held)


@pytest.mark.parametrize(
    "sent",
    [
        ("one",),
        ("one", "two"),
        ("one", ASKS, SUNNY),
        ("one", ASKS, SUNNY, "=1", "two", AGAIN, results(c2="rainy")),
        ("one", BOTH, results(c2="there", c1="sunny"), "=1", "two"),
        ("one", BOTH, SUNNY, results(c2="there")),
        ("one", ASKS, "^be kind", SUNNY),
        ("one", ASKS, SUNNY, ASKS, SUNNY),
    ],
)
def test_per_54_holds_where_each_call_has_its_result(sent: tuple[Said, ...]):
    assert holds(asked(*sent), "PER-54")
    assert holds(asked(*sent[1:], held=sent[:1]), "PER-54")


@pytest.mark.parametrize(
    ("sent", "aspect"),
    [
        (("one", ASKS), "call without a result"),
        (("one", ASKS, "two"), "call without a result"),
        (("one", BOTH, SUNNY, "two"), "call without a result"),
        (("one", ASKS, SUNNY, ASKS, "two"), "call without a result"),
        (("one", SUNNY), "result without a call"),
        (("one", ASKS, SUNNY, SUNNY), "result without a call"),
        (("one", SUNNY, ASKS), "result without a call"),
        (("one", ASKS, "two", SUNNY), "call and result apart"),
        (("one", ASKS, "=wait", SUNNY), "call and result apart"),
        (("one", BOTH, SUNNY, "two", results(c2="there")), "call and result apart"),
    ],
)
def test_per_54_breaks(sent: tuple[Said, ...], aspect: str):
    assert broken(asked(*sent), "PER-54") == {aspect}
    assert broken(asked(*sent[2:], held=sent[:2]), "PER-54") == {aspect}


def test_per_54_points_at_the_request_and_says_all_that_is_malformed_in_it():
    written = asked("one").replied("1").called("two", BOTH, "three", results(c2="there"))
    held, broke = written.findings("PER-54")
    assert held.holds
    assert written.events[broke.at].messages[0].text == "two"
    assert broke.got == "call and result apart: c2, call without a result: c1"


def test_per_54_says_nothing_of_an_error():
    assert holds(asked("one").failed("overloaded").raised("service"), "PER-54")


def test_per_54_asks_only_what_a_strict_service_refuses():
    assert not asked("one", ASKS, "two", service=ServiceSpec()).findings("PER-54")


# --- ids ---


def named(id: str | None, second: str | None = None, **options: Any) -> Written:
    """The second run of a hosted thread names these ids."""
    scenario = talk("hosted", run("one"), run("two"), service=NEW_IDS, **options)
    written = Written(scenario).created("t", "hosted").run("t").called("one", store=True)
    written = written.replied("1", conversation_id="a-1", kept=True).returned("1")
    return written.run("t").called("two", store=True, conversation_id=id, second_id=second)


def test_per_54_looks_at_the_id():
    assert holds(named("a-1"), "PER-54")
    assert broken(named("foreign-1"), "PER-54") == {"unknown id"}
    assert broken(named("b-1"), "PER-54") == {"unknown id"}
    assert broken(named("foreign-1", **PER_CALL), "PER-54") == {"unknown id"}


def test_per_54_two_ids():
    assert broken(named("a-1", "a-1"), "PER-54") == {"two ids"}
    assert broken(named("a-1", "foreign-1"), "PER-54") == {"two ids"}


def test_per_54_sentinel():
    def sent(id: str, **options: Any) -> Written:
        written = begun(kept(run("one"), service=NEW_IDS, **options)).run("t").called("one").replied(ASKS).tool("c1")
        return written.called("one", ASKS, SUNNY, conversation_id=id)

    assert broken(sent("foreign-1", **PER_CALL), "PER-54") == {"sentinel"}
    assert broken(sent("foreign-1"), "PER-54") == {"unknown id"}
    assert broken(sent("b-1", **PER_CALL), "PER-54") == {"unknown id"}


# --- whose requests ---


def test_per_54_looks_at_agents_that_are_tools():
    inner = AgentSpec(service=STRICT, tools=TOOLS)
    scenario = kept(run("one"), tools={"ask": ToolSpec(agent="b")}, b=inner)
    written = begun(scenario).run("t").called("one").replied(calls("c9", ask={}))
    assert holds(written.called("task", agent="b"), "PER-54")
    assert broken(written.called("task", ASKS, agent="b"), "PER-54") == {"call without a result"}


def test_per_54_looks_at_participants():
    scenario = flow("sequential", "a", "b", agents={"b": AgentSpec(service=STRICT)})
    written = Written(scenario).run().spoke("a", "A", "go")
    assert holds(written.called("go", "=A", agent="b"), "PER-54")
    assert broken(written.called("go", SUNNY, agent="b"), "PER-54") == {"result without a call"}


# --- what it leaves to others ---


def test_per_54_leaves_calls_alone_that_wait():
    def meanwhile(*sent: Said) -> Written:
        scenario = kept(run("one"), run("two"), service=STRICT)
        written = begun(scenario).run("t").called("one").replied(PAYS).pending(id="r", tool="pay").returned(PAYS)
        return written.run("t").called(*sent)

    assert holds(meanwhile("one", PAYS, "two"), "PER-54")
    assert holds(meanwhile("one", results(c3="paid"), "two"), "PER-54")
    assert broken(meanwhile("one", PAYS, "two", results(c3="paid")), "PER-54") == {"call and result apart"}
    assert broken(meanwhile("one", PAYS, ASKS, "two"), "PER-54") == {"call without a result"}


def test_per_54_asks_nobody_to_know_of_a_call_that_a_stream_that_was_left_need_not_have_told():
    def left(*sent: Said, held: tuple[Said, ...] = ()) -> Written:
        written = begun(kept(run("one"), run("two"), service=ONE_ID)).run("t").called("one").replied(ASKS)
        return written.event(Abandoned, chunks=1).run("t").called(*sent, held=held)

    assert holds(left("two", held=("one", ASKS)), "PER-54")
    assert broken(left("one", ASKS, "two"), "PER-54") == {"call without a result"}


def test_per_54_leaves_a_result_where_a_caller_put_it_that_supplied_it_late():
    def supplied(*runs: Run) -> Written:
        stops = calls("c1", stop={})
        scenario = kept(run("one"), *runs, run("three", supplies=True), run("four"), service=STRICT)
        written = begun(scenario).run("t").called("one").replied(stops).tool("c1", "stop", terminated=True).returned(stops)
        for each in runs:
            written = written.run("t").called(*each.say).replied("2").returned("2")
        said: tuple[Said, ...] = ("one", stops, "two", "=2", results(c1="stopped"), "three")
        written = written.run("t", supplied=results(c1="stopped").results).called(*said).replied("3").returned("3")
        return written.run("t").called(*said, "=3", "four")

    assert holds(supplied(run("two")), "PER-54")
    assert broken(supplied(), "PER-54") == {"call and result apart"}


def test_per_54_leaves_a_history_alone_that_nobody_keeps():
    assert left_alone(asked("one", SUNNY, **BARE), "PER-54") == {"nobody keeps it"}
    hosted = Written(kept(run("one"), kind="hosted", service=NEW_IDS, **BARE)).created("t", "hosted").run("t")
    assert broken(hosted.called("one", SUNNY, store=True), "PER-54") == {"result without a call"}


def test_per_54_leaves_a_conversation_alone_of_which_a_reply_was_kept_untold():
    scenario = talk("hosted", run("one"), run("two"), service=ONE_ID, tools=TOOLS)
    written = Written(scenario).created("t", "hosted").run("t").called("one", store=True).replied(ASKS, kept=True).raised()
    assert taken_away(written.run("t").called("two", held=("one", ASKS), conversation_id="a-1"), "PER-54") == {"kept untold"}
    assert not broken(written, "PER-54")


def test_per_54_leaves_what_two_threads_go_on_with_alone():
    alone = talk("hosted", run("one"), service=ONE_ID, tools=TOOLS)
    steps = (Serialize(thread="t"), Restore(thread="u", data="t"), Run(thread="u", say=("two",)), run("three"))
    scenario = Scenario(agents=alone.agents, steps=(*alone.steps, *steps))
    written = Written(scenario).created("t", "hosted").run("t").called("one", store=True)
    written = written.replied("1", conversation_id="a-1", kept=True).returned("1").described("t", "hosted", conversation_id="a-1")
    written = written.step(2).event(Serialized, thread="t", outside=True).step(3)
    written = written.event(Restored, thread="u", source="t", outside=True).run("u")
    written = written.called("two", held=("one", "=1"), conversation_id="a-1").replied(ASKS, conversation_id="a-1", kept=True)
    written = written.raised().run("t").called("three", held=("one", "=1", "two", ASKS), conversation_id="a-1")
    assert taken_away(written, "PER-54") == {"forked"}
    assert not broken(written, "PER-54")


def test_per_54_leaves_no_request_of_an_inner_agent_alone():
    asking = kept(run("one"), **BARE, tools={"ask": ToolSpec(agent="b")}, b=AgentSpec(service=STRICT))
    written = begun(asking).run("t").called("one").replied(calls("c9", ask={}))
    assert broken(written.called("task", SUNNY, agent="b"), "PER-54") == {"result without a call"}


def test_per_54_leaves_alone_what_goes_to_a_forgotten_conversation():
    scenario = talk("hosted", run("one"), run("two", supplies=True, forgotten=True), service=ONE_ID, tools=TOOLS)
    written = (
        begun(scenario, "hosted").run("t").called("one", store=True).replied(ASKS, conversation_id="a-1", kept=True).tool("c1")
    )
    written.returned(ASKS).run("t", supplied=SUNNY.results).event(ConversationsForgotten, agent="a")
    again = written.called(SUNNY, "two", conversation_id="a-1").failed().raised("service")
    assert taken_away(again, "PER-54") == {"forgotten"}
    assert taken_away(again, "PER-46") == {"goes on in vain"}
