"""THR-05 to THR-11 on traces written by hand."""

from __future__ import annotations

import pytest
from talks import NEW_IDS, ONE_ID, SURPRISING, hosted_run, hosted_turn, local_run, local_turn, run, talk
from written import Written, broken, calls, holds, left_alone, results, taken_away

from conformance.scenario.scenario import Respond, Restore, Run, Serialize, Tamper
from conformance.scenario.specs import AgentSpec, ToolSpec
from conformance.trace.adapter_events import RequestPending, Restored, Serialized
from conformance.trace.harness_events import Abandoned, ConversationExists, HistoryFailed, Tampered
from conformance.trace.messages import Message, Result

# --- THR-05 ---


def second(*said: str, scenario=None, **options) -> Written:
    return local_turn(scenario or talk()).run("t").called(*said, **options).replied("2").returned("2")


def test_thr_05_holds_where_the_whole_conversation_is_sent():
    assert holds(second("one", "=1", "two"), "THR-05")


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
    assert broken(second(*said, **options), "THR-05") == {aspect}


def test_thr_05_breaks_where_a_run_with_nothing_wrong_is_refused():
    assert broken(local_turn(talk()).run("t").raised("invalid"), "THR-05") == {"refused"}


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ({"client_as_is": True, "per_service_call": True}, "callers history"),
        ({"reduces_to": 2}, "bounded history"),
        ({"service": SURPRISING}, "surprising service"),
    ],
)
def test_thr_05_leaves_agents_alone(agent, name):
    assert left_alone(Written(talk(**agent)).created("t", "local").run("t").called("one").replied("1"), "THR-05") == {name}


def test_thr_05_leaves_contradictions_alone():
    asks = talk("local", run("one", store=True), run("two"), service=ONE_ID)
    let_through = Written(asks).created("t", "local").run("t").called("one", store=True).replied("1").returned("1")
    assert left_alone(let_through.run("t").called("two"), "THR-05") == {"contradicting", "after a contradiction"}


def after_first(first: Written, *, rule="THR-05") -> set[str]:
    """What a rule leaves alone in the second run, after a first one in which nothing of its own can be found."""
    counted = first.run("t").called("two").replied("2")
    return {name for name in taken_away(counted, rule) if name.startswith("after")}


def begun(scenario=None) -> Written:
    return Written(scenario or talk()).created("t", "local").run("t").called("one")


def test_thr_05_leaves_alone_what_follows_on_a_history_that_nobody_knows():
    assert after_first(begun().event(Abandoned, chunks=1)) == {"after abandoned"}
    stop = calls("c1", stop={})
    assert after_first(begun().replied(stop).tool("c1", "stop", terminated=True).returned()) == {"after terminated"}
    failed = begun().event(HistoryFailed, agent="a", key="k", operation="load", text="no").raised("provider")
    assert "after history failed" in after_first(failed)
    waited = begun().replied(calls("c1", pay={})).event(RequestPending, id="c1").step(2).within(0, step=2)
    assert after_first(waited.called("one").failed().raised("service")) == {"after failed after an answer"}


def test_thr_05_leaves_alone_failures_on_threads_that_had_no_kind():
    scenario = talk("adaptive", run("one"), run("two"), run("three"), per_service_call=True)
    failed = Written(scenario).created("t", "adaptive").run("t").called("one").failed().raised("service")
    settled = failed.run("t").called("two").replied("2").returned("2")
    assert "after failed before it had a kind" in taken_away(settled.run("t").called("two", "=2", "three"), "THR-05")


def test_thr_05_leaves_other_histories_alone():
    on_b = talk("local", run("one"), run("two", agent="b"), b=AgentSpec(history="provider"))
    assert after_first(local_turn(on_b)) == {"after another history"}
    rebuilt = talk("local", run("one"), run("two", per_service_call=True))
    assert broken(local_turn(rebuilt).run("t").called("two"), "THR-05") == {"missing"}


def test_thr_05_leaves_alone_where_the_time_of_persisting_is_not_declared():
    written = begun().failed().raised("service").run("t").called("two")
    assert taken_away(written, "THR-05", capabilities=frozenset()) == {"after failed at an undeclared time"}


def test_thr_05_leaves_alone_a_history_that_fails_in_the_run():
    failing = Written(talk(history="provider")).created("t", "local").run("t")
    failing.event(HistoryFailed, agent="a", key="k", operation="load", text="no").raised("provider")
    assert left_alone(failing, "THR-05") == {"history failed"}


def test_thr_05_takes_what_a_careless_caller_wrote_over_for_foreign():
    scenario = talk("local", run("one"), run("two"))
    steps = (*scenario.steps[:2], Tamper(thread="t"), scenario.steps[2])
    written = local_turn(type(scenario)(agents=scenario.agents, steps=steps)).step(2).event(Tampered, thread="t", text="x")
    assert broken(written.run("t").called("x", "=1", "two"), "THR-05") == {"missing"}


def test_thr_05_leaves_forks_alone():
    scenario = talk("local", run("one"), history="provider")
    more = (Serialize(thread="t"), Restore(thread="u", data="t"), run("two"), type(run("x"))(thread="u", say=("three",)))
    written = local_turn(type(scenario)(agents=scenario.agents, steps=(*scenario.steps, *more)))
    written.step(2).event(Serialized, thread="t").step(3).event(Restored, thread="u", source="t")
    written.run("t", step=4).called("one", "=1", "two").replied("2").returned("2")
    assert "forked" in taken_away(written.run("u", step=5).called("one", "=1", "two", "=2", "three"), "THR-05")


# --- THR-06 and THR-07 ---

HOSTED = talk("hosted", service=NEW_IDS)


def on_hosted(*said: str, scenario=HOSTED, **options) -> Written:
    return hosted_turn(scenario).run("t").called(*said, **{"store": True, **options}).replied("2", conversation_id="a-2", kept=True)


def test_thr_06_and_thr_07_hold_where_only_what_is_new_goes_into_the_latest_conversation():
    good = on_hosted("two", conversation_id="a-1").returned("2").described("t", "hosted", hidden=True, conversation_id="a-2")
    assert holds(good, "THR-06")
    assert holds(good, "THR-07")


@pytest.mark.parametrize(
    ("said", "options", "aspect"),
    [
        (("two",), {"store": False, "conversation_id": "a-1"}, "does not store"),
        (("two",), {}, "no id"),
        ((), {"conversation_id": "a-1"}, "missing"),
        (("two", "two"), {"conversation_id": "a-1"}, "repeated"),
        (("one", "=1", "two"), {"conversation_id": "a-1"}, "foreign"),
    ],
)
def test_thr_06_breaks(said, options, aspect):
    assert broken(on_hosted(*said, **options), "THR-06") == {aspect}


def test_thr_06_breaks_where_two_inputs_change_places():
    scenario = talk("hosted", run("one"), run("two", "three"), service=NEW_IDS)
    assert broken(on_hosted("three", "two", scenario=scenario, conversation_id="a-1"), "THR-06") == {"order"}


def test_thr_06_breaks_where_a_run_with_nothing_wrong_is_refused():
    assert broken(hosted_turn(HOSTED).run("t").raised("invalid"), "THR-06") == {"refused"}


def test_thr_06_leaves_alone():
    wrong = talk("hosted", run("one", store=False), run("two"), service=NEW_IDS)
    let_through = Written(wrong).created("t", "hosted").run("t").called("one", store=False).replied("1").returned("1")
    assert taken_away(let_through.run("t").called("two"), "THR-06") >= {"contradicting", "after a contradiction"}
    failed = Written(HOSTED).created("t", "hosted").run("t").called("one", store=True).failed().raised("service")
    assert "first after a run gone wrong" in taken_away(failed.run("t").called("one", "two", store=True), "THR-06")
    surprised = local_turn_of_a_surprising_service()
    assert taken_away(surprised, "THR-06") == {"surprised local thread"}
    assert holds(surprised, "THR-07")


def local_turn_of_a_surprising_service() -> Written:
    written = Written(talk(service=SURPRISING)).created("t", "local")
    written.run("t").called("one").replied("1", conversation_id="a-1", kept=True).returned("1")
    written.run("t").called("two", conversation_id="a-1").replied("2", conversation_id="a-2", kept=True).returned("2")
    return written.described("t", "hosted", conversation_id="a-2")


def test_thr_07_breaks_where_an_older_id_is_sent_or_kept():
    assert broken(on_hosted("two", conversation_id="a-0"), "THR-07") == {"not sent"}
    kept = on_hosted("two", conversation_id="a-1").returned("2").described("t", "hosted", hidden=True, conversation_id="a-1")
    assert broken(kept, "THR-07") == {"not taken"}


def test_thr_07_takes_an_id_within_a_run():
    scenario = talk("hosted", run("one"), service=NEW_IDS, tools={"weather": ToolSpec()})
    written = Written(scenario).created("t", "hosted").run("t").called("one", store=True)
    written.replied(calls("c1", weather={}), conversation_id="a-1", kept=True).tool("c1")
    assert holds(written.called(results(c1="sunny"), store=True, conversation_id="a-1"), "THR-07")
    assert broken(written.called(results(c1="sunny"), store=True), "THR-07") == {"not sent"}


def test_thr_07_is_asked_whatever_options_say():
    wrong = talk("hosted", run("one", store=False), run("two"), service=NEW_IDS)
    through = Written(wrong).created("t", "hosted").run("t").called("one").replied("1", conversation_id="a-1").returned("1")
    through.described("t", "hosted", conversation_id="a-1")
    again = through.run("t").called("two").replied("2", conversation_id="a-2").returned("2").described("t", "hosted")
    assert broken(again, "THR-07") == {"not sent", "not taken"}


def test_thr_07_leaves_resumed_runs_alone():
    waited = Written(talk("hosted", run("one"), service=NEW_IDS)).created("t", "hosted").run("t").called("one", store=True)
    waited.replied(calls("c1", pay={}), conversation_id="a-1", kept=True).event(RequestPending, id="c1").described("t", "hosted")
    waited.within(0, step=2).called(results(c1="paid"), store=True, conversation_id="a-1").replied("1", conversation_id="a-2")
    assert "resumed" in taken_away(waited.returned("1"), "THR-07")


# --- THR-08 ---

GIVEN = talk("hosted", with_id=True, service=ONE_ID)


def given() -> Written:
    known = Written(GIVEN).event(ConversationExists, outside=True, thread="t", agent="a", conversation_id="a-7")
    return known.created("t", "hosted", conversation_id="a-7")


def test_thr_08():
    assert holds(given().run("t").called("one", store=True, conversation_id="a-7"), "THR-08")
    assert broken(given().run("t").called("one", store=True), "THR-08") == {"no id"}
    assert broken(given().run("t").called("one", store=True, conversation_id="a-1"), "THR-08") == {"another id"}
    assert broken(given().run("t").raised("invalid"), "THR-08") == {"refused"}


def test_thr_08_leaves_contradictions_alone():
    scenario = talk("hosted", run("one", store=False), with_id=True, service=ONE_ID)
    known = Written(scenario).event(ConversationExists, outside=True, thread="t", agent="a", conversation_id="a-7")
    assert left_alone(known.created("t", "hosted").run("t").raised("conflict"), "THR-08") == {"contradicting"}


# --- THR-09 ---


def test_thr_09_holds_with_one_home():
    assert holds(local_turn(talk()), "THR-09")
    assert holds(hosted_turn(HOSTED), "THR-09")


def test_thr_09_breaks_with_two_homes_or_none():
    both = Written(HOSTED).created("t", "hosted").run("t").called("one", store=True)
    both.replied("1", conversation_id="a-1", kept=True).returned("1").described("t", "hosted", "one", "=1", conversation_id="a-1")
    assert broken(both, "THR-09") == {"twice"}
    none = Written(talk()).created("t", "local").run("t").called("one").replied("1").returned("1").described("t", "local")
    assert broken(none, "THR-09") == {"nowhere"}


def test_thr_09_takes_a_declared_copy_for_no_home():
    scenario = talk("hosted", service=ONE_ID, history="provider")
    written = Written(scenario, provider_copy="written").created("t", "hosted", hidden=True)
    written.run("t").called("one", store=True).replied("1", conversation_id="a-1", kept=True).appended("one", "=1")
    assert holds(written.returned("1").described("t", "hosted", hidden=True, conversation_id="a-1"), "THR-09")


@pytest.mark.parametrize(
    ("agent", "name"),
    [({"service": SURPRISING}, "surprising service"), ({"client_as_is": True, "per_service_call": True}, "callers history")],
)
def test_thr_09_leaves_agents_alone(agent, name):
    assert taken_away(local_turn(talk(**agent)), "THR-09") == {name}


def test_thr_09_leaves_alone_threads_that_hide_their_messages_and_resumed_runs():
    hidden = Written(talk()).created("t", "local", hidden=True).run("t").called("one").replied("1").returned("1")
    assert left_alone(hidden.described("t", "local", hidden=True), "THR-09") == {"hides its messages"}
    waited = begun().replied(calls("c1", pay={})).event(RequestPending, id="c1").described("t", "local")
    waited.within(0, step=2).called("one", calls("c1", pay={}), results(c1="paid")).replied("1").returned("1")
    assert left_alone(waited, "THR-09") == {"resumed"}


# --- THR-10 ---


def test_thr_10_holds_where_the_model_sees_everything():
    assert holds(second("one", "=1", "two"), "THR-10")
    held = hosted_turn(HOSTED).run("t").called("two", held=("one", "=1"), conversation_id="a-1").replied("2")
    assert holds(held, "THR-10")


@pytest.mark.parametrize(
    ("said", "aspect"),
    [
        (("two",), "missing"),
        (("one", "=1", "one", "two"), "repeated"),
        (("one", "=1", "three", "two"), "foreign"),
        (("=1", "one", "two"), "order"),
    ],
)
def test_thr_10_breaks(said, aspect):
    assert broken(second(*said), "THR-10") == {aspect}


def test_thr_10_leaves_alone():
    elsewhere = talk("local", run("one"), run("two", conversation_id="other"), service=ONE_ID)
    named = local_turn(elsewhere).run("t", conversation_id="a-9").called("two", conversation_id="a-9").replied("2")
    assert left_alone(named, "THR-10") == {"entered another conversation"}
    others = talk("local", run("one"), run("two", agent="b"), b=AgentSpec())
    assert left_alone(local_turn(others).run("t").called("two", agent="b").replied("2", agent="b"), "THR-10") == {
        "after another agent"
    }
    assert left_alone(second("two", scenario=talk(reduces_to=1)), "THR-10") == {"bounded history"}
    own = talk(client_as_is=True, per_service_call=True)
    assert left_alone(second("two", scenario=own), "THR-10") == {"callers history"}


def test_thr_10_leaves_forks_alone():
    scenario = talk(history="provider")
    more = (
        Tamper(thread="t"),
        Serialize(thread="t"),
        Restore(thread="u", data="t"),
        run("two"),
        type(run("x"))(thread="u", say=("three",)),
    )
    steps = (scenario.steps[0], scenario.steps[1], *more)
    written = local_turn(type(scenario)(agents=scenario.agents, steps=steps))
    tampered = written.step(2).event(Tampered, thread="t", text="x")
    tampered.step(3).event(Serialized, thread="t").step(4).event(Restored, thread="u", source="t")
    tampered.run("t", step=5).called("x", "two").replied("2").returned("2")
    tampered.run("u", step=6).called("x", "two", "=2", "three").replied("3")
    assert taken_away(tampered, "THR-10") == {"forked"}
    assert broken(tampered, "THR-10") == {"missing"}


# --- THR-11 ---


def without_id(*, ending="conflict", id="a-1") -> Written:
    written = hosted_turn(HOSTED).run("t").called("two", store=True, conversation_id="a-1").replied("2", kept=True)
    written = written.returned("2") if ending is None else written.raised(ending)
    return written.described("t", "hosted", hidden=True, conversation_id=id)


def test_thr_11():
    assert holds(without_id(), "THR-11")
    assert broken(without_id(ending=None), "THR-11") == {"ignored"}
    assert broken(without_id(id="a-9"), "THR-11") == {"another id"}
    failed = hosted_turn(HOSTED).run("t").called("two", store=True, conversation_id="a-1").failed().raised("service")
    assert failed.findings("THR-11") == []


def test_thr_11_leaves_alone():
    asks = talk("hosted", run("one"), run("two", store=False), run("three"), service=NEW_IDS)
    through = hosted_turn(asks).run("t").called("two", conversation_id="a-1").replied("2").returned("2")
    through.described("t", "hosted", hidden=True, conversation_id="a-1")
    assert left_alone(through, "THR-11") == {"contradicting"}
    assert broken(through.run("t").called("three").replied("3"), "THR-11") == {"ignored"}


def test_runs_that_follow_each_other_are_fine():
    assert holds(local_run(local_turn(talk()), "two", "2", "one", "=1"), "THR-09")
    assert holds(hosted_run(hosted_turn(HOSTED), "two", "2", conversation_id="a-1"), "THR-06")


# --- repaired history, and threads that were restored while a run waited ---

ASKED = calls("c1", weather={})


def left_open(**agent) -> Written:
    """A call of a turn is left open: the service fails when it is sent the result, and the call is stored."""
    scenario = talk("local", run("zero"), run("one"), run("two"), per_service_call=True, **agent)
    failed = local_run(Written(scenario).created("t", "local"), "zero", "0").run("t").called("zero", "=0", "one").replied(ASKED)
    return failed.tool("c1").called("zero", "=0", "one", ASKED, results(c1="sunny")).failed().raised("service").run("t")


def closing(value: str, *, error: bool = True) -> Message:
    return Message(role="tool", results=(Result(id="c1", value=value, error=error),))


@pytest.mark.parametrize("rule", ["THR-05", "THR-10"])
@pytest.mark.parametrize("lost", [closing("interrupted"), closing("interrupted", error=False), closing("sunny", error=False)])
def test_an_open_call_may_be_closed_by_one_result_or_left_out(rule, lost):
    so_far = ("zero", "=0", "one", ASKED)
    assert holds(left_open().called(*so_far, "two").replied("2"), rule)
    assert holds(left_open().called(*so_far, lost, "two").replied("2"), rule)
    assert holds(left_open().called("zero", "=0", "one", "two").replied("2"), rule)


@pytest.mark.parametrize("rule", ["THR-05", "THR-10"])
def test_an_open_call_may_not_be_closed_twice(rule):
    twice = left_open().called("zero", "=0", "one", ASKED, closing("interrupted"), closing("again"), "two").replied("2")
    assert broken(twice, rule) == {"foreign"}


def test_thr_05_reads_where_a_call_is_closed():
    assert broken(left_open().called("zero", "=0", "one", closing("no"), ASKED, "two").replied("2"), "THR-05") == {"order"}
    assert broken(left_open().called("zero", "=0", "one", closing("no"), "two").replied("2"), "THR-05") == {"missing"}


def test_thr_10_lets_a_call_be_closed_whose_result_a_failing_history_lost():
    failed = local_run(Written(talk("local", run("zero"), run("one"), run("two"))).created("t", "local"), "zero", "0").run("t")
    failed.called("zero", "=0", "one").replied(ASKED).tool("c1").called("zero", "=0", "one", ASKED, results(c1="sunny"))
    failed.replied("1").event(HistoryFailed, agent="a", key="k", operation="append", text="no").raised("provider").run("t")
    assert holds(failed.called("zero", "=0", "one", ASKED, closing("interrupted"), "two").replied("2"), "THR-10")


@pytest.mark.parametrize("rule", ["THR-05", "THR-10"])
def test_whether_an_empty_reply_is_kept_is_left_open(rule):
    scenario = talk("local", run("one"), run("two"))
    said_nothing = local_run(Written(scenario).created("t", "local"), "one", "")
    assert holds(said_nothing.run("t").called("one", "=", "two").replied("2"), rule)
    assert holds(local_run(Written(scenario).created("t", "local"), "one", "").run("t").called("one", "two").replied("2"), rule)


def copied_while_it_waits(kind="local") -> Written:
    """The thread becomes data while a run waits, and the original gets the answer; then u, made from the data, has a run."""
    asks = run("one")
    steps = (asks, Serialize(thread="t"), Restore(thread="u", data="t"), Respond(), Run(thread="u", say=("two",)))
    scenario = talk(kind, *steps, service=NEW_IDS)
    id = "a-1" if kind == "hosted" else None
    written = Written(scenario).created("t", kind).run("t").called("one", store=kind == "hosted")
    written.replied(ASKED, conversation_id=id, kept=True).pending(id="c1").step(2).event(Serialized, thread="t")
    written.step(3).event(Restored, thread="u", source="t").answered(0).tool("c1")
    sent = [results(c1="sunny")] if id else ["one", ASKED, results(c1="sunny")]
    written.called(*sent, store=kind == "hosted", conversation_id=id)
    return written.replied("1", conversation_id=id).returned("1").run("u")


@pytest.mark.parametrize(("rule", "kind"), [("THR-05", "local"), ("THR-06", "hosted")])
def test_a_thread_that_was_restored_while_a_run_waited_waits_too(rule, kind):
    refused = copied_while_it_waits(kind).raised("invalid")
    assert broken(refused, rule) == set()
    assert "contradicting" in taken_away(refused, rule)


def test_thr_10_leaves_alone_what_follows_on_a_history_of_the_callers():
    scenario = talk("local", run("one"), run("two", per_service_call=False), client_as_is=True, per_service_call=True)
    assert left_alone(local_turn(scenario).run("t").called("two").replied("2"), "THR-10") == {"after callers history"}
