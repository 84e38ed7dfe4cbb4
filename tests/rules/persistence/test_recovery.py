"""PER-46 on traces written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from kept import BARE, PER_CALL, SUNNY, TOOLS, begun, kept
from talks import NEW_IDS, ONE_ID, hosted_turn, run, talk
from written import Said, Written, broken, calls, holds, left_alone, results, taken_away

from conformance.scenario.scenario import Respond, Restore, Run, Scenario, Serialize
from conformance.scenario.specs import AgentSpec, ToolSpec
from conformance.trace.adapter_events import Restored, Serialized
from conformance.trace.harness_events import Abandoned, Broke, Cancelled, HistoryFailed
from conformance.trace.messages import Message, Result

BOTH = calls("c1", "c2", weather={}, map={})
RAN = results(c1="sunny")


def told(id: str, value: str, *, error: bool = False) -> Message:
    """One result."""
    return Message(role="tool", results=(Result(id=id, value=value, error=error),))


LOST = told("c2", "interrupted", error=True)


def interrupted(*runs: Run, asks: Message = BOTH, **agent: Any) -> Written:
    """A run asks for two tools, of which the first one returned."""
    scenario = kept(run("one"), *(runs or (run("two"),)), **{**PER_CALL, **agent})
    return begun(scenario).run("t").called("one").replied(asks).appended("one", asks).tool("c1")


def failed(*runs: Run, **agent: Any) -> Written:
    """The second one is not run, since the run fails."""
    return interrupted(*runs, **agent).raised("other")


def after(*sent: Said, written: Written | None = None, **asked: Any) -> Written:
    """The next run sends this."""
    return (written or failed()).run("t").called(*sent, **asked).replied("2").returned("2")


@pytest.mark.parametrize(
    "sent",
    [
        ("one", BOTH, RAN, LOST, "two"),
        ("one", BOTH, LOST, RAN, "two"),
        ("one", BOTH, results(c1="cut off", c2="cut off"), "two"),
        ("one", calls("c1", weather={}), RAN, "two"),
        ("one", "two"),
        ("two",),
    ],
)
def test_per_46_holds_by_whatever_repair(sent: tuple[Said, ...]):
    assert holds(after(*sent), "PER-46")


@pytest.mark.parametrize(
    ("sent", "aspect"),
    [
        (("one", BOTH, "two"), "call without a result"),
        (("one", BOTH, RAN, "two"), "call without a result"),
        (("one", RAN, LOST, "two"), "result without a call"),
        (("one", RAN, LOST, BOTH, "two"), "result without a call"),
        (("one", BOTH, RAN, LOST, LOST, "two"), "result without a call"),
        (("one", BOTH, RAN, told("c2", ""), "two"), "made up as a success"),
        (("one", BOTH, RAN, told("c2", " done "), "two"), "made up as a success"),
    ],
)
def test_per_46_breaks(sent: tuple[Said, ...], aspect: str):
    assert broken(after(*sent, written=failed(tools={**TOOLS, "map": ToolSpec()})), "PER-46") == {aspect}


def test_per_46_counts_calls_of_one_id():
    twice = calls("c1", "c1", weather={}, map={})
    assert broken(after("one", twice, RAN, "two", written=failed(asks=twice)), "PER-46") == {"call without a result"}
    assert holds(after("one", twice, RAN, RAN, "two", written=failed(asks=twice)), "PER-46")


def test_per_46_does_not_ask_what_nobody_can_know():
    asked = ToolSpec(agent="b")
    assert holds(after("one", BOTH, RAN, told("c2", ""), "two", written=failed(tools={"map": asked}, b=AgentSpec())), "PER-46")
    assert holds(after("one", BOTH, RAN, told("c2", ""), "two", written=failed(tools={})), "PER-46")
    supplied = told("c2", "done")
    written = failed(run("two", supplies=True), tools={"map": ToolSpec()}).run("t", supplied=supplied.results)
    assert holds(written.called("one", BOTH, RAN, supplied, "two"), "PER-46")


@pytest.mark.parametrize(
    "ended",
    [
        interrupted().raised("service"),
        interrupted().event(Cancelled),
        interrupted().event(Abandoned, chunks=1),
        interrupted().returned(BOTH),
        interrupted().called("one", BOTH, RAN, LOST).failed().raised("service"),
        interrupted().called("one", BOTH, RAN, LOST).replied("1").event(Abandoned, chunks=1),
    ],
    ids=["failed", "cancelled", "abandoned", "returned", "not sent", "not answered"],
)
def test_per_46_however_the_run_ended(ended: Written):
    assert broken(after("one", BOTH, "two", written=ended), "PER-46") == {"call without a result"}


def test_per_46_asks_nobody_to_close_a_call_of_which_a_stream_that_was_left_need_not_have_told():
    def left() -> Written:
        return interrupted(service=ONE_ID).event(Abandoned, chunks=1)

    assert holds(after("two", held=("one", BOTH), written=left()), "PER-46")
    assert broken(after("one", BOTH, "two", written=left()), "PER-46") == {"call without a result"}


@pytest.mark.parametrize(
    "ended",
    [
        interrupted().called("one", BOTH, RAN, LOST).replied("1").returned(BOTH, RAN, LOST, "1"),
        interrupted().event(Broke, cause="crash", text="it hung"),
        begun(kept()).run("t").called("one").failed().raised("service"),
        begun(kept()).run("t").raised("service"),
    ],
    ids=["answered", "unknown", "no reply", "no request"],
)
def test_per_46_asks_nothing_where_no_run_ended_so(ended: Written):
    assert not after("one", BOTH, "two", written=ended).findings("PER-46")


def test_per_46_looks_at_every_later_request():
    third = after("one", BOTH, RAN, LOST, "two", written=failed(run("two"), run("three")))
    third = third.run("t").called("one", BOTH, RAN, LOST, LOST, "two", "=2", "three").replied("3").returned("3")
    assert broken(third, "PER-46") == {"result without a call"}


def test_per_46_looks_at_a_restored_thread():
    scenario = Scenario(
        agents=kept(**PER_CALL).agents,
        steps=(*kept(run("one")).steps, Serialize(thread="t"), Restore(thread="u", data="t"), Run(thread="u", say=("two",))),
    )
    written = begun(scenario).run("t").called("one").replied(BOTH).appended("one", BOTH).raised("other")
    written = written.step(2).event(Serialized, thread="t", outside=True).step(3)
    written = written.event(Restored, thread="u", source="t", outside=True).run("u")
    assert broken(written.called("one", BOTH, "two"), "PER-46") == {"call without a result"}


# --- what the service has ---


def on_a_service(*sent: Said, **options: Any) -> Written:
    """A hosted thread, whose service ends with a call."""
    runs = [run(each) for each in ("one", "two", "three", "four")]
    scenario = talk("hosted", *runs, **{"service": NEW_IDS, "tools": TOOLS, **options})
    asks = calls("c1", weather={})
    written = hosted_turn(scenario).run("t").called("two", store=True, conversation_id="a-1")
    written = written.replied(asks, conversation_id="a-2", kept=True).raised()
    held: tuple[Said, ...] = ("one", "=1", "two", asks)
    return written.run("t").called(*sent, store=True, conversation_id="a-2", held=held).replied("3").returned("3")


def test_per_46_reads_what_the_service_has():
    assert holds(on_a_service(told("c1", "interrupted", error=True), "three"), "PER-46")
    assert broken(on_a_service("three"), "PER-46") == {"call without a result"}
    assert broken(on_a_service(told("c2", "cut off"), "three"), "PER-46") == {"call without a result"}


# --- refusals ---


@pytest.mark.parametrize("text", ["no result for c2", "the tool map was cut off", "c1: supply it"])
def test_per_46_lets_a_refusal_name_the_call(text: str):
    assert holds(failed().run("t").raised("invalid", text), "PER-46")


def test_per_46_refused_without_a_name():
    assert broken(failed().run("t").raised("invalid", "this thread is broken"), "PER-46") == {"refused without a name"}
    assert broken(failed().run("t").raised("other", "c3"), "PER-46") == {"refused without a name"}


def test_per_46_takes_who_supplies_the_results():
    def supplying(text: str, **supplied: str) -> Written:
        given = results(**supplied).results
        return failed(run("two", supplies=True)).run("t", supplied=given).raised("invalid", text)

    assert broken(supplying("c1 and c2 are open", c1="sunny", c2="map"), "PER-46") == {"refused without a name"}
    assert broken(supplying("c1 is open", c1="sunny"), "PER-46") == {"refused without a name"}
    assert holds(supplying("c2 is open", c1="sunny"), "PER-46")


def test_per_46_takes_a_conflict_for_another_matter():
    assert not failed().run("t").raised("conflict", "no").findings("PER-46")


# --- what it leaves alone ---


def test_per_46_leaves_refusals_alone_that_have_another_reason():
    contradicting = failed(run("two", agent="b"), kind="hosted", service=NEW_IDS, b=kept().agents["a"])
    assert left_alone(contradicting.run("t").raised("unsupported", "not mine"), "PER-46") == {"contradicting"}
    lost = failed().run("t").event(HistoryFailed, agent="a", key="k", operation="load", text="no").raised("provider")
    assert left_alone(lost, "PER-46") == {"history failed"}


def test_per_46_leaves_calls_alone_that_wait():
    scenario = kept(run("one"), run("two"), run("three"), Respond(), **PER_CALL)
    pays = calls("c3", pay={})
    written = begun(scenario).run("t").called("one").replied(BOTH).appended("one", BOTH).raised("other")
    written = written.run("t").called("one", BOTH, results(c1="cut off", c2="cut off"), "two").replied(pays)
    written = written.pending(id="r", tool="pay").returned(pays).run("t")
    so_far: tuple[Said, ...] = ("one", BOTH, results(c1="cut off", c2="cut off"), "two", pays, "three")
    assert holds(written.called(*so_far), "PER-46")
    assert broken(written.called("one", BOTH, "two", pays, "three"), "PER-46") == {"call without a result"}


def test_per_46_leaves_alone():
    callers = failed(**BARE)
    assert left_alone(callers.run("t").called(SUNNY), "PER-46") == {"callers history"}
    untold = on_a_service("three")
    assert taken_away(untold.run("t").called("four").replied("4", kept=True), "PER-46") == {"kept untold"}


def test_per_46_leaves_what_two_threads_go_on_with_alone():
    steps = (run("one"), Serialize(thread="t"), Restore(thread="u", data="t"), Run(thread="u", say=("two",)), run("three"))
    scenario = talk("hosted", *steps, service=ONE_ID, tools=TOOLS)
    asks, again = calls("c1", weather={}), calls("c2", weather={})
    written = Written(scenario).created("t", "hosted").run("t").called("one", store=True)
    written = written.replied(asks, conversation_id="a-1", kept=True).raised().described("t", "hosted", conversation_id="a-1")
    written = written.step(2).event(Serialized, thread="t", outside=True).step(3)
    written = written.event(Restored, thread="u", source="t", outside=True).run("u")
    written = written.called(told("c1", "cut off"), "two", held=("one", asks), conversation_id="a-1", store=True)
    written = written.replied(again, conversation_id="a-1", kept=True).raised().run("t")
    held = ("one", asks, told("c1", "cut off"), "two", again)
    written = written.called(told("c1", "cut off"), "three", held=held, conversation_id="a-1", store=True)
    assert taken_away(written, "PER-46") == {"forked"}
    assert not broken(written, "PER-46")
