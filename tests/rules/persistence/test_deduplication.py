"""PER-09 to PER-13 on traces written by hand."""

from __future__ import annotations

import pytest
from kept import ASKS, BARE, PER_CALL, STOPPED, STOPS, SUNNY, begun, kept, stopped, turn
from talks import NEW_IDS, SURPRISING, run
from written import Said, Written, broken, holds, left_alone, message, results, taken_away

from conformance.scenario.scenario import Respond, Restore, Run, Scenario, Serialize
from conformance.scenario.specs import ServiceSpec
from conformance.trace.adapter_events import Restored, Serialized
from conformance.trace.harness_events import Cancelled, ContextInvoked


def first(scenario: Scenario | None = None) -> Written:
    """The thread after one plain run."""
    return turn(begun(scenario), "one", "1")


def asked(*appended: Said) -> Written:
    """A run with a tool, which appends this at its end."""
    written = begun().run("t").called("one").replied(ASKS).tool("c1").called("one", ASKS, SUNNY).replied("1")
    return written.appended(*appended).returned("1")


def copied(*appended: Said, asks: bool = False, **policies: str) -> Written:
    """A run on a hosted thread whose history provider gets a copy."""
    written = begun(kept(kind="hosted", service=NEW_IDS), "hosted", **{"provider_copy": "written", **policies})
    written.run("t").called("one", store=True).replied(ASKS if asks else "1", conversation_id="a-1", kept=True)
    if asks:
        written.tool("c1").called(SUNNY, store=True, conversation_id="a-1").replied("1", conversation_id="a-2", kept=True)
    return (written.appended(*appended) if appended else written).returned("1")


def loaded(*said: Said) -> Written:
    """A load after one plain run, in a run that fails."""
    return first().run("t").loaded(*said).called("one", "=1", "two").failed().raised("service")


def let_through(**agent: object) -> Written:
    """Two runs with results, the first of which contradicts the thread and was let through all the same."""
    written = begun(kept(run("one", store=True), run("two"), **agent))
    return turn(turn(written, "one", "1", "one", "=1"), "two", "2", "two", "=2")


def let_through_with_copies() -> Written:
    """The same on a hosted thread."""
    scenario = kept(run("one", store=False), run("two"), kind="hosted", service=NEW_IDS)
    written = begun(scenario, "hosted", provider_copy="written")
    return turn(turn(written, "one", "1", conversation_id="a-1"), "two", "2", conversation_id="a-2")


def surprised() -> Written:
    """A service names a conversation on a local thread, whose provider is detached and appended to all the same."""
    written = begun(kept(service=SURPRISING), provider_copy="written")
    return turn(turn(written, "one", "1", conversation_id="a-1", kept=True), "two", "2", conversation_id="a-2", kept=True)


def at_the_limit(**agent: object) -> Written:
    """A run that its limit ends after the first reply with calls."""
    return begun(kept(limit=1, **agent)).run("t").called("one").replied(ASKS).tool("c1").appended("one", ASKS, SUNNY).returned(ASKS)


def copied_at_the_limit() -> Written:
    written = begun(kept(kind="hosted", service=NEW_IDS, limit=1), "hosted", provider_copy="written")
    written.run("t").called("one", store=True).replied(ASKS, conversation_id="a-1", kept=True).tool("c1")
    return written.appended("one", ASKS, SUNNY).returned(ASKS)


def copied_stop() -> Written:
    written = begun(kept(kind="hosted", service=NEW_IDS), "hosted", provider_copy="written")
    return stopped(written, "one", STOPS, conversation_id="a-1", kept=True)


# --- PER-09 ---


def test_per_09_holds_where_equal_texts_are_said_and_stored_twice():
    written = turn(begun(kept(run("one"), run("one"))), "one", "1")
    assert holds(turn(written, "one", "2", before=("one", "=1")), "PER-09")
    assert holds(loaded("one", "=1"), "PER-09")


def test_per_09_breaks():
    within = begun().run("t").called("one").appended("one").replied("1").appended("one", "=1").returned("1")
    assert broken(within, "PER-09") == {"within a run"}
    assert broken(turn(first(), "two", "2", "one", "=1", "two", "=2"), "PER-09") == {"across runs"}
    assert broken(loaded("one", "=1", "=1"), "PER-09") == {"loaded again"}


def test_per_09_takes_no_early_repeat_for_what_is_said_again_later():
    early = turn(begun(kept(run("one"), run("one"))), "one", "1", "one", "one", "=1")
    assert broken(turn(early, "one", "2", "=2"), "PER-09") == set()
    assert broken(
        turn(turn(begun(kept(run("one"), run("two"), run("one"))), "one", "1"), "two", "2", "one", "two", "=2"), "PER-09"
    ) == {"across runs"}
    split = begun(kept(run("one"), run("one"))).run("t").called("one").replied("1").appended("one", "=1").appended("one")
    assert broken(turn(split.returned("1"), "one", "2", "=2"), "PER-09") == {"within a run"}


def closed(*appended: Said) -> Written:
    """A call waits, something else is said, and the service gives out the call's id again."""
    again = kept(run("one"), run("two"), service=ServiceSpec(repeats_call_ids=True))
    written = begun(again).run("t").called("one").replied(ASKS).appended("one", ASKS).pending(id="c1")
    written = written.run("t").called("one", ASKS, results(c1="not approved"), "two").replied(ASKS).tool_raised("c1")
    return written.called("two", ASKS, results(c1="no weather")).replied("2").appended(*appended).returned("2")


def test_per_09_lets_a_call_that_nobody_decided_on_have_a_result():
    made_up, raised = results(c1="not approved"), results(c1="no weather")
    assert holds(closed(made_up, "two", ASKS, raised, "=2"), "PER-09")
    assert broken(closed(made_up, "two", ASKS, raised, raised, "=2"), "PER-09") == {"within a run"}


def test_per_09_counts_in_the_order_in_which_things_happened():
    scenario = kept(run("one"), run("two"))
    answered = Scenario(agents=scenario.agents, steps=(*scenario.steps, Respond()))
    waits = begun(answered).run("t").called("one").replied(ASKS).appended("one", ASKS).pending(id="c1")
    other = waits.run("t").called("two").replied("1").appended("two", "=1").returned("1")
    resumed = other.answered(0).tool("c1").called("one", ASKS, SUNNY).replied("1").appended(SUNNY, "=1").returned("1")
    assert holds(resumed, "PER-09")


def test_per_09_counts_what_a_thread_has_from_before_it_was_restored():
    scenario = kept(run("one"))
    more = (Serialize(thread="t"), Restore(thread="u", data="t"), Run(thread="u", say=("two",)))
    written = first(Scenario(agents=scenario.agents, steps=(*scenario.steps, *more)))
    written.step(2).event(Serialized, thread="t").step(3).event(Restored, thread="u", source="t")
    again = written.run("u").called("two").replied("2").appended("one", "two", "=2").returned("2")
    assert broken(again, "PER-09") == {"across runs"}


# --- PER-10 ---


def test_per_10_holds_where_everything_is_appended_and_loaded():
    assert holds(asked("one", ASKS, SUNNY, "=1"), "PER-10")
    assert holds(loaded("one", "=1"), "PER-10")
    assert holds(copied("one", "=1"), "PER-10")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (begun().run("t").called("one").replied("1").returned("1"), "no append"),
        (asked(ASKS, SUNNY, "=1"), "missing input"),
        (asked("one", "=1"), "missing reply"),
        (asked("one", ASKS, "=1"), "missing result"),
        (loaded("one"), "not loaded"),
        (copied("=1"), "missing input"),
    ],
)
def test_per_10_breaks(written, aspect):
    assert broken(written, "PER-10") == {aspect}


def test_per_10_leaves_alone():
    assert left_alone(let_through(), "PER-10") == {"contradicting", "after a contradiction"}
    assert left_alone(turn(begun(kept(**BARE)), "one", "1"), "PER-10") == {"callers history"}
    assert left_alone(at_the_limit(), "PER-10") == {"cut short"}
    assert left_alone(copied(provider_copy="none"), "PER-10") == {"under a conversation"}


def test_per_10_leaves_alone_where_no_copy_is_due():
    assert {"contradicting", "after a contradiction"} <= taken_away(let_through_with_copies(), "PER-10")
    assert "detached" in taken_away(surprised(), "PER-10")
    bare = begun(kept(kind="hosted", service=NEW_IDS, **BARE), "hosted", provider_copy="written")
    assert "callers history" in taken_away(turn(bare, "one", "1", conversation_id="a-1"), "PER-10")
    assert "cut short" in taken_away(copied_at_the_limit(), "PER-10")


# --- PER-11 ---


def test_per_11_holds_in_the_order_of_the_conversation():
    assert holds(asked("one", ASKS, SUNNY, "=1"), "PER-11")
    assert holds(loaded("one", "=1"), "PER-11")
    assert holds(copied("one", "=1"), "PER-11")


def test_per_11_leaves_repeated_parts_to_per_09():
    twice = begun(kept(run("one", "one"))).run("t").called("one", "one").replied("1")
    assert not twice.appended("=1", "one", "one", "one").returned("1").findings("PER-11")
    assert holds(asked("one", ASKS, SUNNY, "=1", "one"), "PER-11")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (asked("=1", "one", ASKS, SUNNY), "order"),
        (asked("one", SUNNY, ASKS, "=1"), "result before its call"),
        (loaded("=1", "one"), "loaded in another order"),
        (copied("=1", "one"), "order"),
    ],
)
def test_per_11_breaks(written, aspect):
    assert broken(written, "PER-11") == {aspect}


def test_per_11_leaves_alone():
    assert left_alone(let_through(), "PER-11") == {"contradicting", "after a contradiction"}
    assert "under a conversation" in taken_away(surprised(), "PER-11")
    assert "detached" in taken_away(surprised(), "PER-11")
    assert {"contradicting", "after a contradiction"} <= taken_away(let_through_with_copies(), "PER-11")


# --- PER-12 ---


def told(*tellings: Said) -> Written:
    """A run in which a context provider is told of a message at a time."""
    written = begun().run("t").called("one").replied("1")
    for said in tellings:
        written.event(ContextInvoked, agent="a", provider="memory", state={}, messages=(message(said),))
    return written.returned("1")


def test_per_12_holds_where_each_response_is_delivered_once():
    assert holds(told("one", "=1"), "PER-12")
    assert holds(begun().run("t").called("one").appended("one").replied("1").appended("=1").returned("1"), "PER-12")


def test_per_12_breaks():
    assert broken(told("=1", "=1"), "PER-12") == {"told again"}
    again = begun().run("t").called("one").replied(ASKS).appended("one", ASKS).tool("c1").called("one", ASKS, SUNNY)
    assert broken(again.replied("1").appended(ASKS, SUNNY, "=1").returned("1"), "PER-12") == {"appended again"}


# --- PER-13 ---


def test_per_13_holds_where_every_call_has_its_result():
    assert holds(asked("one", ASKS, SUNNY, "=1"), "PER-13")
    assert holds(copied("one", ASKS, SUNNY, "=1", asks=True), "PER-13")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (asked("one", ASKS, "=1"), "call without a result"),
        (asked("one", SUNNY, "=1"), "result without a call"),
        (asked("one", ASKS, SUNNY, SUNNY, "=1"), "result without a call"),
        (copied("one", ASKS, "=1", asks=True), "call without a result"),
    ],
)
def test_per_13_breaks(written, aspect):
    assert broken(written, "PER-13") == {aspect}


def test_per_13_judges_what_is_stored_where_nothing_should_be():
    assert holds(turn(begun(kept(**BARE)), "one", "1"), "PER-13")


def test_per_13_judges_what_a_run_added_where_an_earlier_one_left_a_call_open():
    assert holds(turn(stopped(begun(), "one", STOPS), "two", "2"), "PER-13")


def repaired(*appended: Said) -> Written:
    """A run fails between a call and its result; the next one appends this."""
    written = begun(kept(run("one"), run("two"), **PER_CALL)).run("t").called("one").replied(ASKS).appended("one", ASKS)
    return turn(written.event(Cancelled), "two", "2", *appended)


def test_per_13_lets_a_call_that_was_left_open_be_closed():
    assert holds(repaired(SUNNY, "two", "=2"), "PER-13")
    assert holds(repaired("two", "=2"), "PER-13")
    assert broken(repaired(SUNNY, SUNNY, "two", "=2"), "PER-13") == {"result without a call"}
    assert broken(repaired(results(c2="sunny"), "two", "=2"), "PER-13") == {"result without a call"}


def test_per_13_leaves_alone():
    assert left_alone(let_through(), "PER-13") == {"contradicting", "after a contradiction"}
    assert left_alone(at_the_limit(), "PER-13") == {"cut short"}
    assert left_alone(stopped(begun(), "one", STOPS, STOPPED), "PER-13") == {"terminated"}
    assert left_alone(surprised(), "PER-13") == {"under a conversation", "detached"}


def test_per_13_leaves_alone_where_no_copy_is_due():
    assert {"contradicting", "after a contradiction"} <= taken_away(let_through_with_copies(), "PER-13")
    assert "terminated" in taken_away(copied_stop(), "PER-13")
    assert "cut short" in taken_away(copied_at_the_limit(), "PER-13")
