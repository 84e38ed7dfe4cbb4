"""THR-12 to THR-17 on traces written by hand."""

from __future__ import annotations

import pytest
from talks import BY_DEFAULT, NEW_IDS, ONE_ID, SURPRISING, hosted_turn, local_turn, run, talk
from written import Written, broken, calls, holds, left_alone, results, taken_away

from conformance.scenario.specs import AgentSpec, ToolSpec
from conformance.trace.harness_events import Abandoned, Cancelled, ContextInvoking, HistoryAppended
from conformance.trace.messages import Message, Result

RAISE, IGNORE, TRANSFORM = ({"store_conflict": policy} for policy in ("raise", "ignore", "transform"))
STORE = talk("local", run("one"), run("two", store=True), run("three"), service=NEW_IDS)
NAMED = talk("local", run("one"), run("two", conversation_id="other"), run("three"), service=NEW_IDS)


def asked(scenario, **policies) -> Written:
    """A plain turn on a local thread; then the run whose option contradicts it begins."""
    other = any(getattr(step, "conversation_id", None) for step in scenario.steps)
    return local_turn(scenario, **policies).run("t", conversation_id="a-9" if other else None)


@pytest.mark.parametrize(("rule", "scenario"), [("THR-12", STORE), ("THR-15", NAMED)])
class TestOptionsOnALocalThread:
    def test_refused(self, rule, scenario):
        assert holds(asked(scenario, **RAISE).raised("conflict"), rule)
        assert broken(asked(scenario, **RAISE).returned("2"), rule) == {"not refused"}
        assert broken(asked(scenario, **RAISE).raised("other"), rule) == {"wrong kind of error"}
        assert broken(asked(scenario, **RAISE).called("two").raised("conflict"), rule) == {"after a request"}

    @pytest.mark.parametrize(
        ("said", "options", "aspect"),
        [
            (("one", "=1", "two"), {"store": True}, "stores"),
            (("one", "=1", "two"), {"conversation_id": "a-9"}, "names a conversation"),
            (("two",), {}, "missing"),
            (("one", "=1", "two", "two"), {}, "repeated"),
            (("one", "=1", "two", "x"), {}, "foreign"),
            (("=1", "one", "two"), {}, "order"),
        ],
    )
    def test_overruled(self, rule, scenario, said, options, aspect):
        warned = asked(scenario, **IGNORE).warned("the thread is local: store is ignored")
        assert holds(warned.called("one", "=1", "two", store=False).replied("2"), rule)
        wrong = asked(scenario, **IGNORE).warned("the thread is local: store is ignored").called(*said, **options)
        assert broken(wrong.replied("2"), rule) == {aspect}

    def test_overruled_in_silence_or_refused(self, rule, scenario):
        assert broken(asked(scenario, **IGNORE).called("one", "=1", "two").replied("2"), rule) == {"no warning"}
        assert broken(asked(scenario, **IGNORE).raised("conflict"), rule) == {"refused"}

    def test_made_hosted(self, rule, scenario):
        id = "a-9" if rule == "THR-15" else None

        def transition(*said, store=True, **state):
            written = asked(scenario, **TRANSFORM).called(*said, store=store, conversation_id=id)
            written = written.replied("2", conversation_id="a-2", kept=True).returned("2")
            return written.described("t", **{"kind": "hosted", "conversation_id": "a-2", **state})

        whole = ("one", "=1", "two")
        assert holds(transition(*whole), rule)
        assert broken(transition("two"), rule) == {"wrong transition"}
        assert broken(transition(*whole, store=None), rule) == {"wrong transition"}
        assert broken(transition(*whole, kind="local"), rule) == {"not hosted"}
        grown = asked(scenario, **TRANSFORM).called(*whole, store=True, conversation_id=id)
        grown = grown.replied("2", conversation_id="a-2", kept=True).returned("2")
        assert broken(grown.described("t", "hosted", *whole, "=2", conversation_id="a-2"), rule) == {"still stored locally"}
        assert broken(asked(scenario, **TRANSFORM).raised("conflict"), rule) == {"no transition"}
        copied = asked(scenario, **TRANSFORM).called(*whole, store=True, conversation_id=id)
        copied = copied.replied("2", conversation_id="a-2", kept=True).event(HistoryAppended, agent="a", key="k", messages=())
        assert holds(copied.returned("2"), rule)
        assert broken(copied.appended("two", "=2"), rule) == {"still copied"}
        declared = asked(scenario, **TRANSFORM, provider_copy="written").called(*whole, store=True, conversation_id=id)
        assert holds(declared.replied("2", conversation_id="a-2").appended("two", "=2").returned("2"), rule)

    def test_nothing_is_asked_of_a_transition_that_nobody_waited_for(self, rule, scenario):
        left = asked(scenario, **TRANSFORM).called("two", store=True).event(Cancelled)
        assert left.findings(rule) == []

    @pytest.mark.parametrize("policies", [IGNORE, TRANSFORM])
    def test_nothing_is_asked_of_requests_on_a_history_that_nobody_knows(self, rule, scenario, policies):
        begun = Written(scenario, **policies).created("t", "local").run("t").called("one").event(Abandoned, chunks=1)
        asking = begun.run("t", conversation_id="x-1").warned("no store").called("two").replied("2", conversation_id="a-2")
        assert all(finding.holds for finding in asking.returned("2").findings(rule))


def test_a_client_that_stores_by_default_need_not_be_told_to():
    scenario = talk("local", run("one", store=False), run("two", conversation_id="other"), service=BY_DEFAULT)
    written = local_turn(scenario, **TRANSFORM).run("t", conversation_id="a-9")
    hosted = written.called("one", "=1", "two", conversation_id="a-9").replied("2", conversation_id="a-9", kept=True).returned("2")
    assert holds(hosted.described("t", "hosted", conversation_id="a-9"), "THR-15")


def test_thr_12_and_15_ask_the_same_where_both_options_contradict():
    both = talk("local", run("one"), run("two", store=True, conversation_id="other"), service=NEW_IDS)
    for rule in ("THR-12", "THR-15"):
        assert holds(asked(both, **RAISE).raised("conflict"), rule)
        assert broken(asked(both, **RAISE).called("two").replied("2").returned("2"), rule) == {"not refused"}


def test_thr_15_leaves_alone():
    without = talk("local", run("one"), run("two", store=False, conversation_id="other"), service=NEW_IDS)
    assert left_alone(asked(without, **TRANSFORM).raised("conflict"), "THR-15") == {"transforms without store"}


def test_a_transition_may_close_a_call_that_stayed_open():
    asks, error = calls("c1", weather={}), Message(role="tool", results=(Result(id="c1", value="interrupted", error=True),))
    scenario = talk("local", run("one"), run("one"), run("two", store=True), per_service_call=True, service=NEW_IDS)

    def transition(*said):
        begun = local_turn(scenario, **TRANSFORM).run("t").called("one", "=1", "one").replied(asks).tool("c1")
        failed = begun.called("one", "=1", "one", asks, results(c1="sunny")).failed().raised("service").run("t")
        asked = failed.called(*said, store=True).replied("2", conversation_id="a-2", kept=True).returned("2")
        return asked.described("t", "hosted", conversation_id="a-2")

    assert holds(transition("one", "=1", "one", asks, "two"), "THR-12")
    assert holds(transition("one", "=1", "one", asks, error, "two"), "THR-12")
    assert broken(transition("one", "=1", "one", asks, error, error, "two"), "THR-12") == {"wrong transition"}


# --- THR-13 ---

NO_STORE = talk("hosted", run("one"), run("two", store=False), service=NEW_IDS)


def no_store(scenario=NO_STORE, **policies) -> Written:
    return hosted_turn(scenario, **policies).run("t")


def test_thr_13_refused():
    assert holds(no_store(**RAISE).raised("conflict"), "THR-13")
    assert holds(no_store(**TRANSFORM).raised("conflict"), "THR-13")
    assert broken(no_store(**RAISE).returned("2"), "THR-13") == {"not refused"}
    assert broken(no_store(**RAISE).raised("other"), "THR-13") == {"wrong kind of error"}
    assert broken(no_store(**RAISE).called("two").raised("conflict"), "THR-13") == {"after a request"}


@pytest.mark.parametrize(
    ("said", "options", "aspect"),
    [
        (("two",), {"store": False, "conversation_id": "a-1"}, "does not store"),
        (("two",), {}, "no id"),
        ((), {"conversation_id": "a-1"}, "missing"),
        (("two", "two"), {"conversation_id": "a-1"}, "repeated"),
        (("one", "two"), {"conversation_id": "a-1"}, "foreign"),
    ],
)
def test_thr_13_overruled(said, options, aspect):
    def go_on(*said, **options):
        return no_store(**IGNORE).warned("this thread is hosted").called(*said, **{"store": True, **options}).replied("2")

    assert holds(go_on("two", conversation_id="a-1"), "THR-13")
    assert broken(go_on(*said, **options), "THR-13") == {aspect}


def test_thr_13_overruled_with_two_inputs_in_another_order():
    scenario = talk("hosted", run("one"), run("two", "three", store=False), service=NEW_IDS)
    written = no_store(scenario, **IGNORE).warned("this thread is hosted").called("three", "two", store=True, conversation_id="a-1")
    assert broken(written.replied("2"), "THR-13") == {"order"}


def test_thr_13_asks_nothing_of_requests_after_a_failure_but_for_the_warning():
    failed = Written(NO_STORE, **IGNORE).created("t", "hosted").run("t").called("one", store=True).failed().raised("service")
    assert holds(failed.run("t").warned("this thread is hosted").called("one", "two", store=True).replied("2"), "THR-13")


def test_thr_13_overruled_in_silence_or_refused():
    assert broken(no_store(**IGNORE).called("two", store=True, conversation_id="a-1").replied("2"), "THR-13") == {"no warning"}
    assert broken(no_store(**IGNORE).raised("conflict"), "THR-13") == {"refused"}


def test_thr_13_leaves_alone():
    named = talk("hosted", run("one"), run("two", store=False, conversation_id="other"), service=NEW_IDS)
    assert left_alone(no_store(named, **IGNORE).raised("conflict"), "THR-13") == {"names a conversation"}
    moved = talk("hosted", run("one"), run("two", agent="b", store=False), service=NEW_IDS, b=AgentSpec(service=ONE_ID))
    assert left_alone(no_store(moved, **IGNORE).raised("conflict"), "THR-13") == {"impossible agent"}
    first = talk("hosted", run("one", store=False), service=NEW_IDS)
    begun = Written(first, **TRANSFORM).created("t", "hosted").run("t").called("one")
    assert left_alone(begun, "THR-13") == {"nothing to transform yet"}


def test_thr_13_is_asked_of_threads_that_became_hosted():
    surprised = talk("local", run("one"), run("two", store=False), service=SURPRISING)
    became = Written(surprised, **RAISE).created("t", "local").run("t").called("one").replied("1", conversation_id="a-1")
    assert broken(became.returned("1").run("t").called("two"), "THR-13") == {"not refused"}


# --- THR-14 ---


def named(which="other", *, id="a-9", **more) -> Written:
    scenario = talk("hosted", run("one"), run("two", conversation_id=which, **more), service=NEW_IDS)
    return hosted_turn(scenario).run("t", conversation_id=id)


def test_thr_14():
    assert holds(named().raised("conflict"), "THR-14")
    assert broken(named().returned("2"), "THR-14") == {"not refused"}
    assert broken(named().raised("invalid"), "THR-14") == {"wrong kind of error"}
    assert broken(named().called("two", conversation_id="a-9").raised("conflict"), "THR-14") == {"after a request"}
    assert holds(named("own", id="a-1").called("two", conversation_id="a-1"), "THR-14")
    assert broken(named("own", id="a-1").called("two", conversation_id="a-2"), "THR-14") == {"another id"}
    assert broken(named("own", id="a-1").raised("conflict"), "THR-14") == {"refused"}
    assert broken(named("own", id="a-1"), "THR-14") == {"refused"}


def test_thr_14_leaves_alone():
    assert left_alone(named(store=False).raised("conflict"), "THR-14") == {"without store"}
    scenario = talk(
        "hosted", run("one"), run("two", agent="b", conversation_id="own"), service=NEW_IDS, b=AgentSpec(service=ONE_ID)
    )
    moved = hosted_turn(scenario).run("t", conversation_id="a-1").raised("unsupported")
    assert left_alone(moved, "THR-14") == {"impossible agent"}


# --- THR-16 ---


def refused_run(scenario=STORE) -> Written:
    return asked(scenario, **RAISE).raised("conflict").described("t", "local", "one", "=1")


def test_thr_16():
    assert holds(refused_run().run("t").called("one", "=1", "three"), "THR-16")
    marked = asked(STORE, **RAISE).event(ContextInvoking, agent="a", provider="p", state={}).raised("conflict")
    assert broken(marked, "THR-16") == {"left a mark"}
    changed = asked(STORE, **RAISE).raised("conflict").described("t", "local", "one", "=1", "two")
    assert broken(changed, "THR-16") == {"thread changed"}
    assert broken(refused_run().run("t").raised("conflict"), "THR-16") == {"next run refused"}


def test_thr_16_asks_nothing_of_the_next_run_where_something_else_went_wrong():
    scenario = talk("local", run("one"), run("two", store=True), run("three"), service=NEW_IDS)
    failed = Written(scenario, **RAISE).created("t", "local").run("t").called("one").failed().raised("service")
    refused = failed.described("t", "local").run("t").raised("conflict").described("t", "local")
    assert holds(refused.run("t").raised("other"), "THR-16")


def test_thr_16_is_asked_on_surprising_services_too():
    scenario = talk("local", run("one", store=True), service=SURPRISING)
    written = Written(scenario, **RAISE).created("t", "local").run("t").called("one").raised("conflict")
    assert broken(written, "THR-16") == {"left a mark"}


# --- THR-17 ---


def test_thr_17_on_local_threads():
    assert holds(asked(STORE, **RAISE).raised("conflict"), "THR-17")
    assert holds(asked(STORE, **IGNORE).called("two", store=False).replied("2").returned("2"), "THR-17")
    became = asked(STORE, **TRANSFORM).called("two", store=True).replied("2", conversation_id="a-1", kept=True).returned("2")
    assert holds(became.described("t", "hosted", conversation_id="a-1"), "THR-17")
    assert broken(asked(STORE, **RAISE).called("two", store=False).replied("2"), "THR-17") == {"another policy"}
    assert broken(asked(STORE, **RAISE).raised("other"), "THR-17") == {"neither side"}
    stays = asked(STORE, **RAISE).called("two", store=True).replied("2", conversation_id="a-1", kept=True).returned("2")
    assert broken(stays.described("t", "local"), "THR-17") == {"neither side"}


def test_thr_17_on_hosted_threads():
    assert holds(no_store(**RAISE).raised("conflict"), "THR-17")
    assert holds(no_store(**TRANSFORM).raised("conflict"), "THR-17")
    assert holds(no_store(**IGNORE).called("two", store=True), "THR-17")
    assert holds(no_store(store_conflict="raise", store_conflict_hosted="ignore").called("two", store=True), "THR-17")
    assert broken(no_store(**IGNORE).raised("conflict"), "THR-17") == {"another policy"}
    assert broken(no_store(**RAISE).called("two", store=False), "THR-17") == {"neither side"}
    assert no_store(**RAISE).raised("other").findings("THR-17") == []


def test_thr_17_asks_nothing_of_a_transition_that_failed_in_the_service():
    assert asked(STORE, **TRANSFORM).called("two", store=True).failed().raised("service").findings("THR-17") == []


def test_thr_17_leaves_alone():
    moved = talk("hosted", run("one"), run("two", agent="b", store=False), service=NEW_IDS, b=AgentSpec(service=ONE_ID))
    assert left_alone(no_store(moved, **IGNORE).raised("conflict"), "THR-17") == {"on another agents conversation"}
    nothing = talk("local", run("one"), run("two", store=True))
    assert left_alone(asked(nothing, **TRANSFORM).raised("conflict"), "THR-17") == {"service keeps nothing"}
    beside = talk("local", run("one"), run("two", store=False, conversation_id="other"), service=NEW_IDS)
    assert left_alone(asked(beside, **TRANSFORM).raised("conflict"), "THR-17") == {"named beside store false"}
    assert left_alone(named().raised("conflict"), "THR-17") == {"named on a hosted thread"}
    first = Written(talk("hosted", run("one", store=False), service=NEW_IDS), **TRANSFORM).created("t", "hosted").run("t")
    assert left_alone(first.raised("conflict"), "THR-17") == {"nothing to transform yet"}


def test_hosted_requests_after_a_tool_are_what_is_new():
    scenario = talk("hosted", run("one", store=False), service=NEW_IDS, tools={"weather": ToolSpec()})
    written = Written(scenario, **IGNORE).created("t", "hosted").run("t").warned("this thread is hosted").called("one", store=True)
    written.replied(calls("c1", weather={}), conversation_id="a-1", kept=True).tool("c1")
    assert holds(written.called(results(c1="sunny"), store=True, conversation_id="a-1"), "THR-13")
    assert taken_away(written, "THR-13") == set()


def interrupting(kind="local", *, id=None, **asks) -> Written:
    """A run waits for an answer; then one begins whose options contradict the thread."""
    scenario = talk(kind, run("one"), run("two"), run("three", **asks), service=NEW_IDS)
    first = hosted_turn(scenario, **RAISE) if kind == "hosted" else local_turn(scenario, **RAISE)
    waits = first.run("t").called("two").replied(calls("c1", pay={}), conversation_id=id).pending(id="c1")
    return waits.run("t", conversation_id="a-9" if "conversation_id" in asks else None)


@pytest.mark.parametrize(
    ("rules", "kind", "asks"),
    [
        (("THR-12", "THR-17"), "local", {"store": True}),
        (("THR-13", "THR-17"), "hosted", {"store": False}),
        (("THR-14",), "hosted", {"conversation_id": "other"}),
        (("THR-15", "THR-17"), "local", {"conversation_id": "other"}),
    ],
)
def test_who_is_refused_while_one_waits_is_left_alone(rules, kind, asks):
    for rule in rules:
        assert left_alone(interrupting(kind, **asks).raised("invalid"), rule) == {"refused while one waits"}
        assert holds(interrupting(kind, **asks).raised("conflict"), rule)
        assert broken(interrupting(kind, **asks).called("three", store=kind == "local").returned("3"), rule)
