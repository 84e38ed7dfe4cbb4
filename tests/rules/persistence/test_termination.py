"""PER-14 to PER-16 on traces written by hand."""

from __future__ import annotations

import pytest
from kept import ASKS, BARE, PER_CALL, STOPPED, STOPS, begun, kept, stopped, turn
from talks import NEW_IDS, ONE_ID, SURPRISING, run, talk
from written import Said, Written, broken, calls, holds, left_alone, results, taken_away

from conformance.scenario.scenario import Scenario
from conformance.scenario.specs import ServiceSpec
from conformance.trace.harness_events import Abandoned, Cancelled, HistoryFailed
from conformance.trace.messages import Result

# --- PER-14 and PER-15 ---

CALL_BY_CALL = kept(**PER_CALL)
COPIES = kept(kind="hosted", service=NEW_IDS, **PER_CALL)


def copied(*appended: Said) -> Written:
    """A terminated run on a hosted thread whose history provider gets a copy."""
    return stopped(begun(COPIES, "hosted", provider_copy="written"), *appended, conversation_id="a-1", kept=True)


def let_through(**agent: object) -> Written:
    """A terminated run after one that contradicts the thread and was let through all the same."""
    scenario = kept(run("one", store=True), run("two"), **agent)
    return stopped(turn(begun(scenario, trailing_result="stored"), "one", "1"), "two", STOPS, said="two")


def test_per_14():
    assert holds(stopped(begun(CALL_BY_CALL), "one", STOPS), "PER-14")
    assert holds(copied("one", STOPS), "PER-14")


@pytest.mark.parametrize(
    ("appended", "aspect"),
    [((), "no append"), (("one", STOPS, STOPPED), "trailing result"), (("one",), "missing"), ((STOPS, "one"), "missing")],
)
def test_per_14_breaks(appended, aspect):
    assert broken(stopped(begun(CALL_BY_CALL), *appended), "PER-14") == {aspect}
    assert broken(copied(*appended), "PER-14") == {aspect}


def test_per_14_leaves_alone():
    assert left_alone(let_through(**PER_CALL), "PER-14") == {"after a contradiction"}
    hosted = stopped(begun(COPIES, "hosted", provider_copy="none"), conversation_id="a-1")
    assert left_alone(hosted, "PER-14") == {"under a conversation"}
    surprising = begun(kept(service=SURPRISING, **PER_CALL), provider_copy="written")
    once = turn(surprising, "one", "1", conversation_id="a-1", kept=True)
    assert left_alone(stopped(once, said="two", conversation_id="a-2"), "PER-14") == {"under a conversation", "detached"}


@pytest.mark.parametrize(
    ("declared", "appended", "aspect"),
    [
        ("stored", ("one", STOPS, STOPPED), None),
        ("stored", ("one", STOPS), "not stored"),
        ("trimmed", ("one", STOPS), None),
        ("trimmed", ("one", STOPS, STOPPED), "stored"),
        ("stored", (), "not stored"),
    ],
)
def test_per_15(declared, appended, aspect):
    written = stopped(begun(trailing_result=declared), *appended)
    assert broken(written, "PER-15") == {aspect} if aspect else holds(written, "PER-15")


def test_per_15_leaves_alone():
    assert left_alone(let_through(), "PER-15") == {"after a contradiction"}
    hosted = stopped(begun(kept(kind="hosted", service=ONE_ID), "hosted", trailing_result="stored"), conversation_id="a-1")
    assert left_alone(hosted, "PER-15") == {"under a conversation"}
    behind = stopped(begun(kept(run("one", background=True), **PER_CALL), trailing_result="stored"), "one", STOPS)
    assert left_alone(behind, "PER-15") == {"per call but in the background"}


# --- PER-16 ---

SUPPLYING = run("two", supplies=True)
HANDED_OVER = (Result(id="c1", value="stopped"),)


def supplied(written: Written, *, stop: bool = True) -> Written:
    """The run that is handed the missing result begins, after the terminated one."""
    return (stopped(written, "one", STOPS) if stop else written).run("t", supplied=HANDED_OVER)


def after_it(*sent: Said, appended: tuple[Said, ...] = (STOPPED, "two", "=2"), scenario: Scenario | None = None) -> Written:
    """That run sends and appends this."""
    written = supplied(begun(scenario or kept(run("one"), SUPPLYING, **PER_CALL)))
    return written.called(*sent).replied("2").appended(*appended).returned("2")


WHOLE: tuple[Said, ...] = ("one", STOPS, STOPPED, "two")


def test_per_16_holds_where_each_call_and_result_is_there_once():
    assert holds(after_it(*WHOLE), "PER-16")


def test_per_16_tolerates_the_made_up_result_of_a_call_that_did_not_run():
    two = calls("c1", "c2", stop={}, weather={})
    written = supplied(stopped(begun(kept(run("one"), SUPPLYING, **PER_CALL)), "one", two, asks=two), stop=False)
    both = results(c1="stopped", c2="not run")
    written.called("one", two, both, "two").replied("2")
    assert holds(written.appended(both, "two", "=2").returned("2"), "PER-16")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (supplied(begun(kept(run("one"), SUPPLYING))).raised("invalid"), "refused"),
        (after_it("one", STOPS, "two"), "not sent"),
        (after_it("one", STOPS, STOPPED, STOPPED, "two"), "sent again"),
        (after_it(*WHOLE, appended=("two", "=2")), "not stored"),
        (after_it(*WHOLE, appended=(STOPS, STOPPED, "two", "=2")), "stored again"),
    ],
)
def test_per_16_breaks(written, aspect):
    assert broken(written, "PER-16") == {aspect}


@pytest.mark.parametrize(
    ("scenario", "name"),
    [
        (kept(run("one"), SUPPLYING, service=ServiceSpec(repeats_call_ids=True)), "recurring call ids"),
        (kept(run("one"), SUPPLYING, **BARE), "next after callers history"),
    ],
)
def test_per_16_leaves_agents_alone(scenario, name):
    assert left_alone(after_it(*WHOLE, scenario=scenario), "PER-16") == {name}


def test_per_16_leaves_alone_where_more_went_wrong():
    scenario = kept(run("zero"), run("one"), SUPPLYING)
    failed = begun(scenario).run("t").called("zero").failed().raised("service")
    written = supplied(failed).called(*WHOLE).replied("2").appended(STOPPED, "two", "=2").returned("2")
    assert left_alone(written, "PER-16") == {"more than one gone wrong"}


def test_per_16_leaves_alone_runs_that_their_limit_ends():
    written = supplied(begun(kept(run("one"), SUPPLYING, limit=1))).called(*WHOLE).replied(ASKS).tool("c1")
    assert left_alone(written.appended(STOPPED, "two", ASKS).returned(ASKS), "PER-16") == {"cut short"}


def ending(scenario: Scenario | None = None) -> Written:
    """The run that is handed the result, before it comes to anything."""
    return supplied(begun(scenario or kept(run("one"), SUPPLYING)))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (ending(kept(run("one"), run("two", supplies=True, store=True))).raised("invalid"), "contradicting"),
        (ending().called(*WHOLE).failed().raised("service"), "service failed"),
        (ending().event(HistoryFailed, agent="a", key="k", operation="load", text="no").raised("provider"), "history failed"),
        (ending().event(Cancelled), "cancelled"),
        (ending().event(Abandoned, chunks=1), "abandoned"),
        (ending().raised("tool"), "ended by a tool or a conflict"),
        (ending().raised("conflict"), "ended by a tool or a conflict"),
    ],
)
def test_per_16_leaves_alone_what_ends_for_another_reason(written, name):
    assert left_alone(written, "PER-16") == {name}


def test_per_16_leaves_what_a_hosted_threads_provider_has_alone():
    scenario = kept(run("one"), SUPPLYING, kind="hosted", service=ONE_ID)
    written = supplied(stopped(begun(scenario, "hosted"), conversation_id="a-1"), stop=False)
    written.called(STOPPED, "two", held=("one", STOPS), store=True, conversation_id="a-1").replied("2", conversation_id="a-1")
    assert taken_away(written.returned("2"), "PER-16") == {"under a conversation"}
    assert holds(written, "PER-16")


def test_per_16_judges_no_store_where_there_is_no_provider():
    scenario = talk("local", run("one"), SUPPLYING)
    assert holds(supplied(stopped(begun(scenario)), stop=False).called(*WHOLE).replied("2").returned("2"), "PER-16")
