"""THR-33 to THR-37 on traces written by hand."""

from __future__ import annotations

import pytest
from talks import NEW_IDS, ONE_ID, SURPRISING, hosted_turn, local_turn, run, talk
from written import Written, broken, calls, holds, left_alone, message, results, taken_away

from conformance.scenario.scenario import Respond, Restore, Run, Scenario, Serialize, Tamper
from conformance.scenario.specs import AgentSpec, ContextSpec, ToolSpec
from conformance.trace.adapter_events import Observed, RequestPending, Restored, Serialized
from conformance.trace.harness_events import Abandoned, ContextInvoking, Observing, Tampered
from conformance.trace.messages import Message, Result
from conformance.vocabulary import Policies

# --- THR-33 ---

MOVED = talk("local", run("one"), run("two", agent="b"), b=AgentSpec())


def moved(*said: str, scenario: Scenario = MOVED) -> Written:
    """After a turn of a, b has one; what it sends is to be said."""
    return on_b(local_turn(scenario), *said)


def on_b(written: Written, *said: str) -> Written:
    return written.run("t").called(*(said or ("one", "=1", "two")), agent="b").replied("2", agent="b").returned("2")


def begun(scenario: Scenario = MOVED, kind="local") -> Written:
    return Written(scenario).created("t", kind).run("t").called("one")


def test_thr_33():
    assert holds(moved(), "THR-33")
    assert broken(local_turn(MOVED).run("t").raised("invalid"), "THR-33") == {"refused"}
    assert broken(moved("two"), "THR-33") == {"missing"}
    assert broken(moved("one", "=1", "one", "=1", "two"), "THR-33") == {"repeated"}
    assert broken(moved("one", "=1", "three", "two"), "THR-33") == {"foreign"}
    assert broken(moved("=1", "one", "two"), "THR-33") == {"order"}


def test_thr_33_asks_nothing_of_one_agent_and_of_other_threads():
    assert local_turn(talk()).run("t").called("two").findings("THR-33") == []
    hosted = hosted_turn(talk("hosted", run("one"), run("two", agent="b"), service=ONE_ID, b=AgentSpec()))
    assert hosted.run("t").raised("conflict").findings("THR-33") == []


@pytest.mark.parametrize(
    ("b", "name"),
    [
        (AgentSpec(client_as_is=True, per_service_call=True), "callers history"),
        (AgentSpec(reduces_to=1), "bounded history"),
        (AgentSpec(history="provider"), "after another history"),
    ],
)
def test_thr_33_leaves_agents_alone(b, name):
    assert left_alone(moved("two", scenario=talk("local", run("one"), run("two", agent="b"), b=b)), "THR-33") == {name}


@pytest.mark.parametrize("b", [AgentSpec(service=SURPRISING), AgentSpec(per_service_call=True)])
def test_thr_33_is_asked_whenever_the_other_agent_persists_and_whatever_its_service_keeps(b):
    scenario = talk("local", run("one"), run("two", agent="b"), b=b)
    assert holds(moved(scenario=scenario), "THR-33")
    assert broken(moved("two", scenario=scenario), "THR-33") == {"missing"}


def test_thr_33_is_asked_of_what_follows_on_a_history_of_the_callers():
    scenario = talk("local", run("one"), run("two", agent="b"), b=AgentSpec(), client_as_is=True, per_service_call=True)
    assert holds(moved("two", scenario=scenario), "THR-33")


def test_thr_33_knows_what_a_tool_left_that_ended_the_loop():
    stop = calls("c1", stop={})
    scenario = talk("local", run("one"), run("two", agent="b"), b=AgentSpec(), tools={"stop": ToolSpec(terminates=True)})
    ended = lambda **policy: (  # noqa: E731
        Written(scenario, **policy).created("t", "local").run("t").called("one").replied(stop).tool("c1", "stop", terminated=True)
    ).returned(stop)
    result = results(c1="sunny")
    assert holds(on_b(ended(trailing_result="stored"), "one", stop, result, "two"), "THR-33")
    assert broken(on_b(ended(trailing_result="stored"), "one", stop, "two"), "THR-33") == {"missing"}
    assert holds(on_b(ended(trailing_result="trimmed"), "one", stop, "two"), "THR-33")
    closed = Message(role="tool", results=(Result(id="c1", value="interrupted", error=True),))
    assert holds(on_b(ended(trailing_result="trimmed"), "one", stop, closed, "two"), "THR-33")


def test_thr_33_leaves_contradictions_alone():
    asks = talk("local", run("one"), run("two", agent="b", store=True), b=AgentSpec(service=ONE_ID))
    assert left_alone(moved("two", scenario=asks), "THR-33") == {"contradicting"}
    asked = talk("local", run("one", store=True), run("two", agent="b"), service=ONE_ID, b=AgentSpec())
    assert left_alone(moved("two", scenario=asked), "THR-33") == {"after a contradiction"}


def test_thr_33_is_asked_where_another_thread_goes_on_too_for_a_local_thread_is_its_own():
    scenario = talk("local", run("one"), b=AgentSpec(service=ONE_ID))
    more = (Serialize(thread="t"), Restore(thread="u", data="t"), Run(thread="u", say=("zwei",)), run("two", agent="b"))
    written = local_turn(Scenario(agents=scenario.agents, steps=(*scenario.steps, *more))).step(2).event(Serialized, thread="t")
    written.step(3).event(Restored, thread="u", source="t").run("u").called("one", "=1", "zwei").replied("2").returned("2")
    assert holds(on_b(written), "THR-33")


def unknown(rule: str, scenario: Scenario, then) -> None:
    """What a rule leaves alone where nobody knows what a thread holds; then: how it goes on after what went wrong."""
    first = lambda: begun(scenario)  # noqa: E731
    assert taken_away(then(first().event(Abandoned, chunks=1)), rule) == {"after abandoned"}
    stop = calls("c1", stop={})
    ended = then(first().replied(stop).tool("c1", "stop", terminated=True).returned())
    assert taken_away(ended, rule) == {"after terminated as nobody declared"}
    ended.policies = Policies(trailing_result="stored")
    assert taken_away(ended, rule) == set()
    assert taken_away(then(first().failed().raised("service")), rule, capabilities=frozenset()) == {
        "after failed at an undeclared time"
    }
    waited = first().replied(calls("c1", pay={})).event(RequestPending, id="c1").step(2).within(0, step=2)
    assert "after failed after an answer" in taken_away(then(waited.called("one").failed().raised("service")), rule)


def test_thr_33_leaves_alone_what_follows_on_a_history_that_nobody_knows():
    unknown("THR-33", MOVED, lambda written: on_b(written, "two"))
    per_call = AgentSpec(per_service_call=True)
    scenario = talk("adaptive", run("one"), run("two"), run("three", agent="b"), per_service_call=True, b=per_call)
    failed = begun(scenario, "adaptive").failed().raised("service").run("t").called("two").replied("2").returned("2")
    assert left_alone(on_b(failed, "two", "=2", "three"), "THR-33") == {"after failed before it had a kind"}


# --- THR-34 ---

REDUCED = {"reduces_to": 3, "tools": {"weather": ToolSpec()}}


def reduced(*said, scenario: Scenario | None = None) -> Written:
    """After a turn with a tool, which is more than the reducer lets through with what is new; what is sent is to be said."""
    written = Written(scenario or talk(**REDUCED)).created("t", "local").run("t").called("one")
    written.replied(calls("c1", weather={})).tool("c1").called("one", calls("c1", weather={}), results(c1="sunny"))
    return written.replied("1").returned("1").run("t").called(*said)


def test_thr_34_holds():
    assert holds(reduced("two"), "THR-34")
    assert holds(reduced("=1", "two"), "THR-34")


def test_thr_34_breaks():
    assert broken(reduced(calls("c1", weather={}), results(c1="sunny"), "=1", "two"), "THR-34") == {"too many"}
    assert broken(reduced("one", "=1"), "THR-34") == {"input lost"}
    assert broken(reduced(results(c1="sunny"), "=1", "two"), "THR-34") == {"call split"}
    assert broken(reduced(calls("c1", weather={}), "two"), "THR-34") == {"call split"}
    assert broken(reduced("=1", "one", "two"), "THR-34") == {"order"}
    fits = local_turn(talk(reduces_to=3)).run("t")
    assert broken(fits.called("=1", "two"), "THR-34") == {"cut though it fits"}


def adding(*sent, size: int, earlier: int = 0, **policies) -> Written:
    """A turn, and another in which a context provider adds a message; what is sent is to be said."""
    scenario = talk(reduces_to=size, context={"memory": ContextSpec(adds=("hint",))})
    written = Written(scenario, **policies).created("t", "local").run("t")
    for _ in range(earlier):
        written.event(ContextInvoking, agent="a", provider="memory", state={}, adds=(message("hint"),))
    written.called("one").replied("1").returned("1").run("t")
    return written.event(ContextInvoking, agent="a", provider="memory", state={}, adds=(message("hint"),)).called(*sent)


def test_thr_34_lets_a_reducer_count_what_context_providers_add():
    assert holds(adding("hint", "=1", "two", size=3), "THR-34")
    assert holds(adding("hint", "one", "=1", "two", size=3), "THR-34")
    assert broken(adding("hint", "=1", "two", size=4), "THR-34") == {"cut though it fits"}
    assert broken(adding("hint", "=1", "one", "two", size=3), "THR-34") == {"order"}
    assert holds(adding("hint", "=1", "hint", "two", size=4, earlier=1, injected_messages="stored"), "THR-34")
    assert broken(adding("hint", "=1", "two", size=4, earlier=1), "THR-34") == {"cut though it fits"}


def test_thr_34_lets_a_reducer_count_instructions():
    assert holds(adding("^be kind", "hint", "=1", "two", size=4), "THR-34")
    assert broken(adding("^be kind", "hint", "=1", "two", size=5), "THR-34") == {"cut though it fits"}


def test_thr_34_asks_only_for_the_bound_where_nobody_knows_the_whole():
    scenario = talk("local", run("one", agent="b"), run("two"), b=AgentSpec(), **REDUCED)
    written = Written(scenario).created("t", "local").run("t").called("one", agent="b").replied("1", agent="b").returned("1")
    assert holds(written.run("t").called("two"), "THR-34")
    asked = talk("local", run("one", store=True), run("two"), service=ONE_ID, reduces_to=3)
    assert holds(local_turn(asked).run("t").called("two"), "THR-34")


def test_thr_34_asks_for_no_less_than_must_be_sent():
    two = talk("local", run("one", "two"), reduces_to=1)
    assert holds(Written(two).created("t", "local").run("t").called("one", "two"), "THR-34")
    brings = Written(talk(reduces_to=1)).created("t", "local").run("t", supplied=results(c1="sunny").results)
    asked = calls("c1", weather={})
    assert holds(brings.called(asked, results(c1="sunny"), "one"), "THR-34")
    more = Written(two).created("t", "local").run("t").called("zero", "one", "two")
    assert [each.expected for each in more.findings("THR-34")] == [
        "at most 2 messages in order, [user 'one', user 'two'] last, every call with its result"
    ]


def bounded_hosted(*said: str, id: str | None = "a-1") -> Written:
    written = Written(talk("hosted", service=NEW_IDS, reduces_to=1)).created("t", "hosted", hidden=True)
    written.run("t").called("one", store=True).replied("1", conversation_id="a-1", kept=True).returned("1")
    return written.described("t", "hosted", hidden=True, conversation_id=id).run("t").called(*said, store=True)


def test_thr_34_on_hosted_threads():
    assert holds(bounded_hosted("two"), "THR-34")
    assert broken(bounded_hosted("one", "=1", "two"), "THR-34") == {"effect on a hosted thread"}
    assert bounded_hosted("one", "=1", "two", id=None).findings("THR-34") == []


def test_thr_34_asks_nothing_of_agents_without_a_reducer_and_of_runs_without_a_request():
    assert local_turn(talk()).findings("THR-34") == []
    assert Written(talk(reduces_to=3)).created("t", "local").run("t").raised().findings("THR-34") == []


def test_thr_34_leaves_alone():
    asks = talk("local", run("one", store=True), service=ONE_ID, reduces_to=3)
    assert left_alone(local_turn(asks), "THR-34") == {"contradicting"}
    callers = talk(client_as_is=True, per_service_call=True, reduces_to=3)
    assert left_alone(local_turn(callers), "THR-34") == {"callers history"}


def test_thr_34_is_asked_on_hosted_threads_whatever_options_say():
    asks_not = talk("hosted", run("one", store=False), service=ONE_ID, reduces_to=3)
    let_through = (
        Written(asks_not)
        .created("t", "hosted", conversation_id="a-1")
        .run("t")
        .called("one", store=False)
        .replied("1")
        .returned("1")
    )
    assert holds(let_through, "THR-34")


# --- THR-35 ---


def look(written: Written, moment, *said: str, kind="local", id=None, hidden=False) -> Written:
    seen = None if hidden else tuple(map(message, said))
    written.event(Observing, agent="a", moment=moment)
    return written.event(Observed, agent="a", moment=moment, kind=kind, conversation_id=id, messages=seen)


def watched(*after: str, kind="local", id=None, scenario: Scenario | None = None, first=None, **before) -> Written:
    """A turn that somebody looks at before and after; how it looks afterwards is to be said. first: a turn before it."""
    asked = scenario or talk(observed=True)
    written = look((first or Written(asked).created("t", "local")).run("t"), "before", **before)
    written.called("one").replied("1")
    return look(written, "after", *after, kind=kind, id=id).returned("1")


def test_thr_35_holds_on_a_local_thread():
    assert holds(watched("one", "=1"), "THR-35")
    failed = look(Written(talk(observed=True)).created("t", "local").run("t"), "before").called("one").failed().raised("service")
    assert holds(failed, "THR-35")


def seen_hosted(*said: str, id="a-1") -> Written:
    scenario = talk("hosted", observed=True, service=NEW_IDS)
    written = look(Written(scenario).created("t", "hosted", hidden=True).run("t"), "before", kind="hosted", hidden=True)
    written.called("one", store=True).replied("1", conversation_id="a-1", kept=True)
    return look(written, "after", *said, kind="hosted", id=id, hidden=not said).returned("1")


def test_thr_35_holds_on_a_hosted_thread():
    assert holds(seen_hosted(), "THR-35")


def test_thr_35_breaks():
    nobody = Written(talk(observed=True)).created("t", "local").run("t").called("one").replied("1").returned("1")
    assert broken(nobody, "THR-35") == {"no look"}
    assert broken(look(watched("one", "=1"), "after", "one", "=1"), "THR-35") == {"several looks"}
    assert broken(watched("one", "=1", kind="hosted"), "THR-35") == {"wrong kind"}
    assert broken(watched("one", "=1", id="a-1"), "THR-35") == {"another id"}
    assert broken(seen_hosted(id="a-0"), "THR-35") == {"another id"}
    assert broken(seen_hosted("one", "=1"), "THR-35") == {"messages of a hosted thread"}
    assert broken(watched("one"), "THR-35") == {"other messages"}
    assert broken(watched(), "THR-35") == {"other messages"}


def test_thr_35_breaks_where_looking_calls_a_service():
    written = Written(talk(observed=True)).created("t", "local").run("t").event(Observing, agent="a", moment="before")
    written.called("sum up", agent="summary").replied("a sum", agent="summary")
    written.event(Observed, agent="a", moment="before", kind="local", messages=()).called("one").replied("1")
    assert broken(look(written, "after", "one", "=1").returned("1"), "THR-35") == {"service call"}


def test_thr_35_asks_nothing_where_nobody_looks():
    assert local_turn(talk()).findings("THR-35") == []
    within = look(local_turn(talk()).run("t"), "within").called("two").replied("2").returned("2")
    assert within.findings("THR-35") == []


def test_thr_35_leaves_contradictions_and_resumed_runs_alone():
    asks = talk("local", run("one", store=True), run("one"), service=ONE_ID, observed=True)
    asked = watched("one", "=1", scenario=asks)
    assert taken_away(asked, "THR-35") == {"contradicting"}
    assert holds(asked, "THR-35")
    assert taken_away(watched(scenario=asks, first=asked), "THR-35") == {"contradicting", "after a contradiction"}
    pays = talk("local", run("one"), observed=True, tools={"pay": ToolSpec(approval=True)})
    waited = look(Written(pays).created("t", "local").run("t"), "before").called("one").replied(calls("c1", pay={}))
    again = look(waited.event(RequestPending, id="c1").within(0, step=2), "before", "one").called("one").replied("1")
    assert taken_away(again.returned("1"), "THR-35") == {"resumed"}


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ({"reduces_to": 2}, "bounded history"),
    ],
)
def test_thr_35_leaves_the_messages_of_agents_alone(agent, name):
    assert name in taken_away(watched(scenario=talk(observed=True, **agent)), "THR-35")


def test_thr_35_asks_for_messages_also_where_they_are_kept_at_other_times_now():
    per_call = talk("local", run("one"), run("one", per_service_call=True), observed=True)
    assert "other messages" in broken(watched(scenario=per_call, first=local_turn(per_call)), "THR-35")


def test_thr_35_leaves_messages_alone_that_nobody_knows():
    elsewhere = talk("local", run("one", agent="b"), run("one"), observed=True, b=AgentSpec(history="provider"))
    first = Written(elsewhere).created("t", "local").run("t").called("one", agent="b").replied("1", agent="b").returned("1")
    assert taken_away(watched(scenario=elsewhere, first=first), "THR-35") == {"after another history"}
    tampered = Scenario(agents={"a": AgentSpec(observed=True)}, steps=(*talk().steps[:2], Tamper(thread="t"), run("one")))
    written = local_turn(tampered).step(2).event(Tampered, thread="t", text="x")
    assert "other messages" in broken(watched("x", "=1", scenario=tampered, first=written), "THR-35")
    unknown("THR-35", talk("local", run("one"), run("one"), observed=True), lambda written: watched(first=written))


def test_thr_35_leaves_early_failures_alone():
    adaptive = talk("adaptive", run("one"), run("one"), run("one"), per_service_call=True, observed=True)
    failed = begun(adaptive, "adaptive").failed().raised("service").run("t").called("one").replied("1").returned("1")
    assert "after failed before it had a kind" in taken_away(watched(first=failed), "THR-35")


def test_thr_35_leaves_kinds_alone_that_a_run_may_have_fixed_before_it_failed():
    scenario = talk("adaptive", run("one"), Respond(), run("one"), observed=True)
    waited = begun(scenario, "adaptive").replied(calls("c1", pay={})).pending(id="c1").answered(0)
    assert "of no certain kind" in taken_away(watched(first=waited.called("one").failed().raised("service")), "THR-35")


def test_thr_35_leaves_messages_alone_that_nobody_is_shown():
    hidden = Written(talk(observed=True)).created("t", "local", hidden=True).run("t")
    written = look(look(hidden, "before", hidden=True).called("one").replied("1"), "after", hidden=True).returned("1")
    assert taken_away(written, "THR-35") == {"shows no messages"}
    assert holds(written, "THR-35")
    shown = look(Written(talk(observed=True)).created("t", "local").run("t"), "before").called("one").replied("1")
    assert broken(look(shown, "after", hidden=True).returned("1"), "THR-35") == {"other messages"}


# --- THR-36 ---


def tampered(scenario: Scenario | None = None, *, text: str = "overwritten") -> Written:
    """The caller writes over its messages after the first turn."""
    begin = scenario or talk("local", run("one"))
    steps = (*begin.steps, Tamper(thread="t"), Serialize(thread="t"), run("two"))
    return local_turn(Scenario(agents=begin.agents, steps=steps)).step(2).event(Tampered, thread="t", text=text)


def test_thr_36_holds():
    after = tampered().described("t", "local", "one", "=1").step(3).event(Serialized, thread="t", data=["one", "1"])
    assert holds(after.run("t").called("one", "=1", "two"), "THR-36")


def test_thr_36_breaks():
    assert broken(tampered().described("t", "local", "overwritten", "=1"), "THR-36") == {"input changed"}
    assert broken(tampered().described("t", "local", "one", "=overwritten"), "THR-36") == {"response changed"}
    assert broken(tampered().run("t").called("overwritten", "=1", "two"), "THR-36") == {"input changed"}
    assert broken(tampered().run("t").called("two", held=("one", "=overwritten")), "THR-36") == {"response changed"}
    assert broken(tampered().run("t").loaded("one", "=overwritten"), "THR-36") == {"response changed"}
    data = tampered().step(3).event(Serialized, thread="t", data=["overwritten"])
    assert broken(data, "THR-36") == {"data changed"}


@pytest.mark.parametrize("text", ["größer", "改写", 'say "no"', "two\nlines", "a\\b"])
def test_thr_36_finds_any_text(text):
    written = tampered(text=text)
    assert broken(written.described("t", "local", text, "=1"), "THR-36") == {"input changed"}
    assert broken(tampered(text=text).step(3).event(Serialized, thread="t", data=[text]), "THR-36") == {"data changed"}


def test_thr_36_asks_nothing_of_other_threads_and_of_what_came_before():
    assert tampered().described("v", "local", "overwritten").findings("THR-36") == []
    assert tampered().step(4).event(Tampered, thread="t", text="x").findings("THR-36") == []


# --- THR-37 ---

ASKING = {"tools": {"ask": ToolSpec(agent="b")}}
ASK = calls("c1", ask={"task": "look it up"})
FOUND = results(c1="found")


def inner(*sent, told=(), answer="found", left=("one", ASK, FOUND, "=1"), id=None, scenario=None, context=None, **named) -> Written:
    """A turn in which b is asked as a tool. sent: to b. told: to a afterwards, beside the result. left: on a's thread."""
    written = Written(scenario or talk(b=AgentSpec(context={"notes": ContextSpec()}), **ASKING)).created("t", "local")
    written.run("t").called("one").replied(ASK, **({"conversation_id": id} if id else {}))
    written.called(*(sent or ("look it up",)), agent="b", **named).replied(answer, agent="b", conversation_id="b-1")
    written.called("one", ASK, FOUND, *told).replied("1").returned("1")
    return written.described("t", "local", *left, context=context or {})


def test_thr_37_holds():
    assert holds(inner(), "THR-37")
    assert holds(inner(context={"notes": {}}), "THR-37")


def test_thr_37_breaks_where_an_inner_agent_gets_more_than_its_task():
    assert broken(inner("one", "look it up"), "THR-37") == {"inherited messages"}
    assert broken(inner(id="a-1", conversation_id="a-1"), "THR-37") == {"inherited id"}


def test_thr_37_breaks_where_the_outer_thread_has_what_is_the_inner_agents():
    assert broken(inner(told=("=found",)), "THR-37") == {"sent outside"}
    assert broken(inner(left=("one", "=found", "=1")), "THR-37") == {"stored outside"}
    assert broken(inner(context={"notes": {"runs": 1}}), "THR-37") == {"foreign context"}
    named = inner().run("t").called("two", conversation_id="b-1")
    assert holds(named, "THR-37")  # the second run asks nobody
    taken = inner().described("t", "local", conversation_id="b-1")
    assert broken(taken, "THR-37") == {"id taken over"}


def test_thr_37_breaks_where_an_outer_request_names_the_inner_conversation():
    written = Written(talk(b=AgentSpec(), **ASKING)).created("t", "local").run("t").called("one").replied(ASK)
    written.called("look it up", agent="b").replied("found", agent="b", conversation_id="b-1")
    assert broken(written.called("one", ASK, FOUND, conversation_id="b-1"), "THR-37") == {"id taken over"}


def test_thr_37_breaks_where_a_history_provider_stores_it():
    written = inner(scenario=talk(b=AgentSpec(), history="provider", **ASKING))
    assert broken(written.within(0).appended("one", "=found", "=1"), "THR-37") == {"stored outside"}


def test_thr_37_lets_be_what_is_equal_on_both_sides():
    assert holds(inner(answer="1"), "THR-37")
    assert local_turn(talk()).findings("THR-37") == []
