"""THR-21 to THR-28 on traces written by hand."""

from __future__ import annotations

import pytest
from talks import NEW_IDS, ONE_ID, SURPRISING, local_turn, run, talk
from written import Written, broken, calls, holds, left_alone, results, taken_away

from conformance.scenario.scenario import CreateThread, Damage, Respond, Restore, Run, Scenario, Serialize, Step, Together
from conformance.scenario.specs import AgentSpec, CallSpec, ReplySpec, ServiceSpec, ToolSpec
from conformance.trace.adapter_events import RequestPending, Restored, Serialized
from conformance.trace.exchange import Turn
from conformance.trace.harness_events import Cancelled, ContextInvoked, ContextInvoking, Damaged, DataChanged, Refused
from conformance.trace.messages import Message, Result

# --- THR-21 ---


def as_data(**fields) -> Written:
    return Written(talk()).created("t", "local").event(Serialized, outside=True, thread="t", **fields)


def test_thr_21():
    assert holds(as_data(data={"kind": "local", "said": ["a <b> at c"]}), "THR-21")
    assert broken(as_data(flaw="TypeError: Object of type Thread is not JSON serializable"), "THR-21") == {"not JSON"}
    assert broken(as_data(flaw="another value after a round trip through JSON"), "THR-21") == {"changed by JSON"}
    assert broken(as_data(data={"store": "<class 'my.Store'>"}), "THR-21") == {"live object"}
    assert broken(as_data(data={"store": "<my.Store object at id-1>"}), "THR-21") == {"live object"}
    assert broken(as_data(data={"<bound method Store.load of <my.Store object at 0x7f>>": 1}), "THR-21") == {"live object"}


# --- THR-22 ---


def copying(*after: Step, kind="local", first=(), agent=None, b=None, **a) -> Scenario:
    """A thread t, a run on it, its data, and a thread u out of this; then both go on with the same words, u first."""
    begun = talk(kind, *(first or (run("one"),)), b=b, **a)
    copy = (Serialize(thread="t"), Restore(thread="u", data="t", agent=agent))
    return Scenario(agents=begun.agents, steps=(*begun.steps, *copy, *(after or (on_u("two"), run("two")))))


def on_u(*say: str, **options) -> Run:
    return Run(thread="u", say=say, **options)


def restored(scenario: Scenario, kind="local", *said: str, **state) -> Written:
    """All goes well until u is restored; how it is described then is to be said."""
    return restored_from(local_turn(scenario), kind, *said, **state)


def restored_from(written: Written, kind="local", *said: str, **state) -> Written:
    written.step(2).event(Serialized, thread="t", data={}).described("t", "local", "one", "=1")
    return written.step(3).event(Restored, thread="u", source="t").described("u", kind, *said, **state)


def went_on(scenario: Scenario | None = None, *, copy=(), original=("one", "=1", "two"), **asked) -> Written:
    """Both threads go on; copy, original: what they send."""
    written = restored(scenario or copying(), "local", "one", "=1")
    written.run("u").called(*copy, **{"store": False, **asked}).replied("2").returned("2")
    return written.run("t").called(*original, store=False).replied("2").returned("2")


def test_thr_22_holds_where_both_are_the_same_and_go_on_in_the_same_way():
    assert holds(restored(copying(), "local", "one", "=1"), "THR-22")
    assert holds(went_on(copy=("one", "=1", "two")), "THR-22")


@pytest.mark.parametrize(
    ("said", "state", "aspect"),
    [
        (("hosted", "one", "=1"), {}, "wrong kind"),
        (("local", "one", "=1"), {"conversation_id": "a-1"}, "another id"),
        (("local", "one"), {}, "other messages"),
        (("local", "one", "=1"), {"context": {"memory": {"runs": 1}}}, "other context"),
    ],
)
def test_thr_22_breaks_where_the_restored_thread_is_another(said, state, aspect):
    assert broken(restored(copying(), *said, **state), "THR-22") == {aspect}


@pytest.mark.parametrize(
    ("said", "asked", "aspect"),
    [
        (("two",), {}, "other messages"),
        (("one", "=1", "two"), {"conversation_id": "a-1"}, "another id"),
        (("one", "=1", "two"), {"store": None}, "other store"),
    ],
)
def test_thr_22_breaks_where_its_next_request_is_another(said, asked, aspect):
    assert broken(went_on(copy=said, **asked), "THR-22") == {aspect}


def test_thr_22_breaks_where_only_one_of_both_sends_a_request():
    copy_fails = restored(copying(), "local", "one", "=1").run("u").raised().run("t").called("one", "=1", "two")
    assert broken(copy_fails, "THR-22") == {"refused"}
    original_fails = restored(copying(), "local", "one", "=1").run("u").called("one", "=1", "two").returned("2").run("t").raised()
    assert broken(original_fails, "THR-22") == {"not refused"}
    neither_calls = restored(copying(), "local", "one", "=1").run("u").raised().run("t").returned()
    assert broken(neither_calls, "THR-22") == {"refused"}
    assert holds(restored(copying(), "local", "one", "=1").run("u").raised().run("t").raised(), "THR-22")


def test_thr_22_asks_nothing_of_runs_that_differ_and_of_what_another_agent_shows():
    assert holds(went_on(copying(on_u("three"), run("two")), copy=("three",)), "THR-22")
    assert holds(restored(copying(agent="b", b=AgentSpec()), "local", "one"), "THR-22")
    inexpressible = restored(copying(), "local", "one", "=1").run("u").event(Refused, text="no").run("t").called("one", "=1", "two")
    assert holds(inexpressible, "THR-22")
    nothing_shown = local_turn(copying()).step(2).event(Serialized, thread="t").step(3).event(Restored, thread="u", source="t")
    assert nothing_shown.findings("THR-22") == []


NAN = {"memory": {"weight": float("nan")}}


def test_thr_22_and_23_take_no_number_that_is_none_for_a_change():
    scenario = copying()
    written = local_turn(scenario).described("t", "local", "one", "=1", context=NAN).step(2).event(Serialized, thread="t", data={})
    written.step(3).event(Restored, thread="u", source="t").described(
        "u", "local", "one", "=1", context={"memory": {"weight": float("nan")}}
    )
    assert holds(written, "THR-22")
    written.run("u").called("one", "=1", "two").described("t", "local", "one", "=1", context={"memory": {"weight": float("nan")}})
    assert holds(written, "THR-23")
    assert broken(written.described("t", "local", "one", "=1", context={"memory": {"weight": None}}), "THR-23") == {
        "another thread changed"
    }


def test_thr_22_leaves_alone_what_was_answered_on_one_of_both():
    scenario = copying(Respond(), on_u("two"), run("two"))
    written = Written(scenario).created("t", "local").run("t").called("one").replied(calls("c1", pay={})).pending(id="c1")
    written = restored_from(written, "local", "one", "=1").answered(0).called("one").replied("1").returned("1")
    assert "answered meanwhile" in taken_away(written.run("u").raised("invalid").run("t").called("two"), "THR-22")


def test_thr_22_leaves_alone():
    assert taken_away(went_on(copying(history="provider"), copy=("two",)), "THR-22") == {"with provider"}


def test_thr_22_is_asked_after_a_contradiction_too():
    asks = copying(first=(run("one", store=True),), service=ONE_ID)
    assert broken(went_on(asks, copy=("two",)), "THR-22") == {"other messages"}


# --- THR-23 ---


def test_thr_23():
    alone = restored(copying(), "local", "one", "=1").run("u").called("two").replied("2").returned("2")
    alone.described("u", "local", "one", "=1", "two", "=2")
    assert holds(alone, "THR-23")
    assert broken(alone.described("t", "local", "one", "=1", "two", "=2"), "THR-23") == {"another thread changed"}
    serialized = local_turn(talk("local", run("one"), run("two"), before=())).step(1).event(Serialized, outside=True, thread="t")
    assert holds(serialized.run("t").called("one", "=1", "two"), "THR-23")
    changed = restored(copying(), "local", "one", "=1").event(DataChanged, source="t")
    assert broken(changed, "THR-23") == {"data changed"}


def test_thr_23_is_asked_beside_strangers_too():
    scenario = copying(Together(runs=(on_u("two"), Run(thread="v", say=("three",)))))
    scenario = Scenario(agents=scenario.agents, steps=(*scenario.steps, CreateThread(thread="v", agent="a")))
    written = restored(scenario, "local", "one", "=1").run("u").called("one", "=1", "two").run("v", step=4).called("three")
    assert broken(written.described("t", "local", "three"), "THR-23") == {"another thread changed"}


# --- THR-24 ---


def malformed(how="drop", *fields: str, **came_out) -> Written:
    made = talk().steps[0]
    scenario = Scenario(
        agents=talk().agents,
        steps=(made, Serialize(thread="t"), Restore(thread="u", data="t", damage=Damage(how=how))),
    )
    written = Written(scenario).created("t", "local").step(1).event(Serialized, thread="t", data={}).described("t", "local", "one")
    written.step(2).event(Damaged, source="t", how=how, path="$.kind", fields=fields)
    return written.event(Restored, thread="u", source="t", **came_out) if came_out else written


def test_thr_24_wants_an_error_that_names_the_field():
    assert holds(malformed("drop", "kind").raised("invalid", "the field 'kind' is missing"), "THR-24")
    assert holds(malformed().raised("invalid", "this is not a thread"), "THR-24")
    assert broken(malformed("drop", "kind").raised("other", "the field 'kind' is missing"), "THR-24") == {"wrong kind of error"}
    assert broken(malformed("drop", "kind").raised("invalid", "a mankind is missing"), "THR-24") == {"not named"}


def test_thr_24_wants_no_thread_that_is_half_built():
    said = (Message(role="user", text="one"),)
    assert broken(malformed(kind="local"), "THR-24") == {"not refused"}
    assert broken(malformed(flaw="no kind"), "THR-24") == {"half-built"}
    assert holds(malformed("extra", kind="local", messages=said), "THR-24")
    assert broken(malformed("extra", kind="local"), "THR-24") == {"changed"}
    assert malformed().findings("THR-24") == []


# --- THR-25 ---


def interleaved(*to_v: str, agent=None, held=(), **asked) -> Written:
    """After a turn on t there is one on v, of the same agent; what it sends is to be said."""
    scenario = talk("local", run("one"), Run(thread="v", say=("eins",)), **(agent or {}))
    made = CreateThread(thread="v", agent="a")
    written = local_turn(Scenario(agents=scenario.agents, steps=(*scenario.steps, made)))
    return written.run("v").called(*(to_v or ("eins",)), held=held, **asked)


def told(runs: int) -> Written:
    """A context provider was told of the turn on t; what the one of the turn on v is handed is to be said."""
    scenario = talk("local", run("one"), Run(thread="v", say=("eins",)), Respond())
    made = CreateThread(thread="v", agent="a")
    written = Written(Scenario(agents=scenario.agents, steps=(*scenario.steps, made))).created("t", "local").run("t").called("one")
    written.replied("1").event(ContextInvoked, agent="a", provider="memory", state={"runs": 1}).returned("1")
    return written.run("v").event(ContextInvoking, agent="a", provider="memory", state={"runs": runs})


def test_thr_25_holds_where_threads_are_apart():
    assert holds(interleaved(), "THR-25")
    assert holds(told(0), "THR-25")


def test_thr_25_counts_each_time_that_a_provider_was_told_also_of_a_run_that_waits():
    waits = (
        told(0).called("eins").replied(calls("c1", pay={})).event(ContextInvoked, agent="a", provider="memory", state={"runs": 1})
    )
    waits.pending(id="c1").answered(1)
    again = {"agent": "a", "provider": "memory"}
    assert holds(waits.event(ContextInvoking, **again, state={"runs": 1}), "THR-25")
    assert broken(waits.event(ContextInvoking, **again, state={"runs": 2}), "THR-25") == {"foreign context"}


def test_thr_25_asks_nothing_before_another_thread_said_anything():
    scenario = talk("local", run("one"), Run(thread="v", say=("one",)))
    first = Written(Scenario(agents=scenario.agents, steps=(*scenario.steps, CreateThread(thread="v", agent="a"))))
    first.created("t", "local").run("t").called("one")
    assert first.run("v").called("one").findings("THR-25") == []
    assert interleaved().findings("THR-25") != []


def test_thr_25_breaks():
    assert broken(interleaved("one", "=1", "eins"), "THR-25") == {"foreign"}
    assert broken(interleaved("eins", held=("one",)), "THR-25") == {"foreign"}
    assert broken(told(1), "THR-25") == {"foreign context"}


def test_thr_25_takes_a_result_without_a_value_for_that_of_the_thread_s_own_call():
    ids = ServiceSpec(repeats_call_ids=True)
    scenario = talk("local", run("one"), Run(thread="v", say=("eins",)), Respond(approve=False), service=ids)
    steps = (*scenario.steps, CreateThread(thread="v", agent="a"))
    failing, asking = calls("c1", weather={}), calls("c1", pay={})
    failed, rejected = (Message(role="tool", results=(Result(id="c1", value=text, error=True),)) for text in ("no", "rejected"))
    written = Written(Scenario(agents=scenario.agents, steps=steps)).created("t", "local").run("t").called("one")
    written.replied(failing).tool_raised("c1").called("one", failing, failed).replied("1").returned(failing, failed, "1")
    written.run("v").called("eins").replied(asking).pending(id="c1").answered(1)
    assert holds(written.called("eins", asking, rejected), "THR-25")


def test_thr_25_breaks_where_a_thread_takes_the_conversation_of_another():
    scenario = talk("hosted", run("one"), Run(thread="v", say=("eins",)), service=NEW_IDS)
    steps = (*scenario.steps, CreateThread(thread="v", agent="a", kind="hosted"))
    written = Written(Scenario(agents=scenario.agents, steps=steps)).created("t", "hosted").run("t").called("one", store=True)
    written.replied("1", conversation_id="a-1", kept=True).returned("1").run("v")
    assert broken(written.called("eins", store=True, conversation_id="a-1"), "THR-25") == {"another id"}


def test_thr_25_asks_nothing_of_other_agents_and_of_several_providers():
    waited = told(0).event(ContextInvoked, agent="a", provider="memory", state={"runs": 1})
    shared = waited.event(ContextInvoking, agent="a", provider="notes", state={"runs": 1})
    assert holds(shared, "THR-25")
    assert local_turn(talk()).findings("THR-25") == []


# --- THR-26 ---


def given(*said: str, scenario: Scenario | None = None, **options) -> Written:
    turn = Turn(messages=tuple(Message(role="user", text=text) for text in said), **options)
    return Written(scenario or talk()).created("t", "local").run("t").called("one").replied("1").returned("1", given=turn)


def test_thr_26():
    assert holds(given("one"), "THR-26")
    assert broken(given("one", "1"), "THR-26") == {"messages changed"}
    assert broken(given("one", conversation_id="a-1"), "THR-26") == {"id changed"}
    told_not_to = talk("local", run("one", store=False))
    assert broken(given("one", store=True, scenario=told_not_to), "THR-26") == {"store changed"}
    assert holds(given("one", store=False), "THR-26")


def test_thr_26_asks_nothing_where_nobody_can_say():
    assert local_turn(talk()).findings("THR-26") == []
    assert Written(talk()).created("t", "local").run("t").raised().findings("THR-26") == []


# --- THR-27 ---

ANSWERED = (ReplySpec(text="1"),)


def pair(*replies: ReplySpec, thread="v", **created) -> Scenario:
    """Two threads of one agent, which say the same; the runs of the second one stream."""
    plain = Run(thread="t", say=("one",), replies=replies or ANSWERED)
    streamed = Run(thread=thread, say=("one",), replies=replies or ANSWERED, stream=True)
    made = tuple(CreateThread(thread=name, agent="a", **(created if name == "v" else {})) for name in ("t", "v"))
    return Scenario(agents={"a": AgentSpec()}, steps=(*made, plain, streamed))


def both(
    *to_v: str, scenario: Scenario | None = None, answer="1", left: tuple[str, ...] = ("one", "=1"), fails=False, **asked
) -> Written:
    """The run that does not stream goes well; what the other one does is to be said."""
    written = Written(scenario or pair()).created("t", "local").created("v", "local", step=1)
    written.run("t").called("one").replied("1").returned("1").described("t", "local", "one", "=1")
    written.run("v").called(*(to_v or ("one",)), **asked).replied("1")
    written = written.raised("service") if fails else written.returned(answer)
    return written.described("v", "local", *left)


def test_thr_27():
    assert holds(both(), "THR-27")
    assert broken(both("one", "one"), "THR-27") == {"other requests"}
    assert broken(both(store=False), "THR-27") == {"other requests"}
    assert broken(both(fails=True), "THR-27") == {"other ending"}
    assert broken(both(answer=""), "THR-27") == {"other response"}
    assert broken(both(left=("one",)), "THR-27") == {"other thread"}


def test_thr_27_compares_ids_by_their_order():
    asking = (ReplySpec(calls=(CallSpec(tool="weather"),)), ReplySpec(text="1"))
    written = Written(pair(*asking)).created("t", "hosted").created("v", "hosted", step=1)
    for thread, id, call in (("t", "a-1", "call-1"), ("v", "a-2", "call-2")):
        asked = calls(call, weather={})
        written.run(thread).called("one", store=True).replied(asked, conversation_id=id).tool(call)
        written.called(results(**{call: "sunny"}), store=True, conversation_id=id).replied("1", conversation_id=id)
        written.returned(asked, results(**{call: "sunny"}), "1").described(thread, "hosted", hidden=True, conversation_id=id)
    assert holds(written, "THR-27")


def test_thr_27_asks_nothing_of_threads_that_are_no_pair():
    assert both("one", "one", scenario=pair(kind="hosted")).findings("THR-27") == []
    steps = (CreateThread(thread="t", agent="a"), Run(thread="t", say=("one",), replies=ANSWERED), Serialize(thread="t"))
    copy = (Restore(thread="v", data="t"), Run(thread="v", say=("one",), replies=ANSWERED, stream=True))
    restored_copy = local_turn(Scenario(agents={"a": AgentSpec()}, steps=(*steps, *copy))).step(2).event(Serialized, thread="t")
    restored_copy.step(3).event(Restored, thread="v", source="t").described("v", "local", "one", "=1")
    assert restored_copy.run("v").called("one", "=1", "one").replied("1").returned("1").findings("THR-27") == []


def test_thr_27_leaves_alone_where_a_script_ran_out():
    written = both()
    written.events.pop()
    again = written.called("one", "=1").replied("made up").described("v", "local", "one")
    assert left_alone(again, "THR-27") == {"script ran out"}
    inner = both().within(1).called("task", agent="b").replied("made up", agent="b")
    assert left_alone(inner, "THR-27") == {"script ran out"}


# --- THR-28 ---


def failed(*said: str, scenario: Scenario | None = None, kind="local", **left) -> Written:
    """The second run fails; what it leaves is to be said."""
    written = local_turn(scenario or talk()).run("t").called("one", "=1", "two").failed().raised("service")
    return written.described("t", kind, *said, **left)


def test_thr_28():
    assert holds(failed("one", "=1"), "THR-28")
    cancelled = local_turn(talk()).run("t").called("one", "=1", "two").event(Cancelled).described("t", "local", "one", "=1")
    assert holds(cancelled, "THR-28")
    assert broken(failed("one", "=1", "two"), "THR-28") == {"turn kept"}
    assert broken(failed("one", "=1", kind="hosted"), "THR-28") == {"wrong kind"}
    assert broken(failed("one", "=1", conversation_id="a-1"), "THR-28") == {"another id"}


def test_thr_28_breaks_where_a_history_provider_keeps_the_turn():
    scenario = talk(history="provider")
    written = Written(scenario).created("t", "local", hidden=True).run("t").called("one").failed().appended("one").raised("service")
    assert broken(written.described("t", "local", hidden=True), "THR-28") == {"turn kept"}


def test_thr_28_asks_nothing_of_runs_that_succeed_and_of_per_service_call_persistence():
    assert local_turn(talk()).findings("THR-28") == []
    assert failed("one", scenario=talk(per_service_call=True)).findings("THR-28") == []


@pytest.mark.parametrize(
    "scenario",
    [
        talk(client_as_is=True),
        talk(service=SURPRISING),
        talk("local", run("one"), run("two", store=True), service=ONE_ID),
        talk("local", run("one", store=True), run("two"), service=ONE_ID),
    ],
)
def test_thr_28_is_asked_whatever_client_service_and_options(scenario):
    assert broken(failed("one", scenario=scenario), "THR-28") == {"turn kept"}


def test_thr_28_leaves_alone():
    undeclared = taken_away(failed("one"), "THR-28", capabilities=frozenset())
    assert undeclared == {"failed at an undeclared time"}
    waited = Written(talk(tools={"pay": ToolSpec(approval=True)})).created("t", "local").run("t").called("one")
    waited.replied(calls("c1", pay={})).event(RequestPending, id="c1").described("t", "local", "one")
    assert left_alone(waited.within(0, step=2).called("one").failed().raised("service"), "THR-28") == {"resumed"}
