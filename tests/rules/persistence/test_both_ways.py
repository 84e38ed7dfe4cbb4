"""PER-38 to PER-45 on traces written by hand."""

from __future__ import annotations

import pytest
from talks import BY_DEFAULT, NEW_IDS, SURPRISING, run, talk
from written import Written, broken, calls, holds, left_alone, message, results, taken_away

from conformance.scenario.scenario import CreateThread, Respond, Restore, Run, Scenario, Serialize, Together
from conformance.scenario.specs import AgentSpec, ContextSpec, OnConflict, ReplySpec, ToolSpec
from conformance.trace.adapter_events import Restored, Serialized
from conformance.trace.harness_events import ContextInvoking

ASKS, SUNNY = calls("c1", weather={}), results(c1="sunny")
STOP = {"stop": ToolSpec(terminates=True)}
BARE = {"client_as_is": True, "per_service_call": True}


def provided(*runs, kind="local", **a) -> Scenario:
    """A thread of an agent with a history provider."""
    return talk(kind, *runs, **{"history": "provider", **a})


def begun(scenario: Scenario, **policies) -> Written:
    return Written(scenario, **policies).created("t", scenario.kind_of("t")).run("t")


def turn(written: Written, said, answer, *before, **asked) -> Written:
    """A run that goes as it should, with one append at its end."""
    return written.called(*before, said, **asked).replied(answer).appended(said, f"={answer}").returned(answer)


# --- PER-38 ---


def both_ways(*appends, name="a", kind="local", **a) -> Written:
    """A run on t that is not streamed, with two appends; and the same on u, streamed, with these."""
    made = (CreateThread(thread="t", agent="a"), CreateThread(thread="u", agent=name, kind=kind))
    said = {"say": ("one",), "replies": (ReplySpec(text="1"),)}
    both = (Run(thread="t", **said), Run(thread="u", stream=True, **said))
    agent = AgentSpec(**{"history": "provider", **a})
    scenario = Scenario(agents={"a": agent, "b": agent}, steps=(*made, *both))
    written = Written(scenario).run("t").called("one").replied("1").appended("one").appended("=1", "=2").returned("1")
    written = written.run("u").called("one", agent=name).replied("1", agent=name)
    for said in appends:
        written = written.appended(*said, agent=name, key="history-2")
    return written.returned("1")


def test_per_38():
    assert holds(both_ways(["one"], ["=1", "=2"]), "PER-38")
    assert broken(both_ways(["one", "=1"], ["=2"]), "PER-38") == {"split"}
    assert broken(both_ways(["one"]), "PER-38") == {"missing"}
    assert broken(both_ways(["one"], ["=1", "=2", "=2"]), "PER-38") == {"repeated"}
    assert broken(both_ways(["one"], ["=1", "=2", "=3"]), "PER-38") == {"foreign"}
    assert broken(both_ways(["one"], ["=2", "=1"]), "PER-38") == {"order"}


def test_per_38_compares_threads_of_one_agent_and_kind_with_a_provider():
    assert both_ways([], name="b").findings("PER-38") == []
    assert both_ways([], kind="hosted").findings("PER-38") == []
    assert both_ways([], history="default").findings("PER-38") == []


# --- PER-39 ---


def interleaved(*stored, key="history-2", before=(), first: Run | None = None) -> Written:
    """Runs on t and u in flight at once; the one on u stores what it should, that on t this."""
    made = (CreateThread(thread="t", agent="a"), CreateThread(thread="u", agent="a"))
    together = Together(runs=(first or Run(thread="t", say=("one",)), Run(thread="u", say=("two",))))
    agent = AgentSpec(history="provider", service=NEW_IDS)
    written = Written(Scenario(agents={"a": agent}, steps=(*made, *before, together)))
    for step in before:
        written = written.run("t", step=len(made) + before.index(step)).called("zero").replied("0").returned("0")
    at, number = len(made) + len(before), len(before)
    written = written.run("t", step=at).called("one").run("u", step=at).called("two")
    written = written.within(number).replied("1", call=number).appended(*stored)
    return written.within(number + 1).replied("2", call=number + 1).appended("two", "=2", key=key)


def test_per_39():
    assert holds(interleaved("one", "=1"), "PER-39")
    assert broken(interleaved("one", "=1", key="history-1"), "PER-39") == {"one history"}
    assert broken(interleaved("one", "=2"), "PER-39") == {"foreign"}
    assert broken(interleaved("one", "=1", "=1"), "PER-39") == {"repeated"}


def test_per_39_leaves_contradictions_alone():
    store = Run(thread="t", say=("one",), store=True)
    assert taken_away(interleaved("one", "=2", first=store), "PER-39") == {"contradicting"}
    after = interleaved("one", "=2", before=(Run(thread="t", say=("zero",), store=True),))
    assert taken_away(after, "PER-39") == {"after a contradiction"}


# --- PER-40 ---

IN_BACKGROUND = run("one", background=True)
ABOUT_IT = "in the background, history is persisted at the end"


def test_per_40_holds():
    assert holds(turn(begun(provided(IN_BACKGROUND)), "one", "1"), "PER-40")
    assert holds(turn(begun(provided(IN_BACKGROUND, per_service_call=True)).warned(ABOUT_IT), "one", "1"), "PER-40")


@pytest.mark.parametrize(
    ("end", "aspect"),
    [
        (lambda written: written.replied("1"), "no append"),
        (lambda written: written.replied("1").appended("one").appended("=1"), "several appends"),
        (lambda written: written.appended("one", "=1").replied("1"), "before the end"),
        (lambda written: written.replied("1").appended("one"), "other content"),
        (lambda written: written.replied("1").appended("one", "=1").warned(ABOUT_IT), "unasked warning"),
    ],
)
def test_per_40_breaks(end, aspect):
    assert broken(end(begun(provided(IN_BACKGROUND)).called("one")).returned("1"), "PER-40") == {aspect}


def test_per_40_no_warning():
    assert broken(turn(begun(provided(IN_BACKGROUND, per_service_call=True)), "one", "1"), "PER-40") == {"no warning"}


def test_per_40_asks_for_several_ends_of_a_run_that_waited():
    steps = (IN_BACKGROUND, Respond())
    waited = begun(provided(*steps)).called("one").replied(ASKS).pending(id="c1").appended("one", ASKS).answered(0).tool("c1")
    assert holds(waited.called("one", ASKS, SUNNY).replied("1").appended(SUNNY, "=1").returned("1"), "PER-40")


def test_per_40_leaves_alone():
    store = run("two", background=True, store=True)
    contradicted = begun(provided(run("one", store=True, background=True), run("two", background=True), service=NEW_IDS))
    contradicted = turn(turn(contradicted, "one", "1").run("t"), "two", "2", "one", "=1")
    assert left_alone(contradicted, "PER-40") == {"contradicting", "after a contradiction"}
    assert left_alone(turn(begun(provided(store, service=NEW_IDS)), "two", "2"), "PER-40") == {"contradicting"}
    named = begun(provided(IN_BACKGROUND, service=SURPRISING)).called("one").replied("1", conversation_id="a-1").returned("1")
    assert left_alone(named, "PER-40") == {"under a conversation"}
    assert left_alone(turn(begun(provided(IN_BACKGROUND, **BARE)), "one", "1"), "PER-40") == {"callers history"}
    ended = (
        begun(provided(IN_BACKGROUND, tools=STOP)).called("one").replied(calls("c1", stop={})).tool("c1", "stop", terminated=True)
    )
    assert left_alone(ended.returned(), "PER-40") == {"terminated"}
    limited = begun(provided(IN_BACKGROUND, limit=1)).called("one").replied(ASKS).tool("c1").returned()
    assert left_alone(limited, "PER-40") == {"cut short"}


# --- PER-41 ---

CLEARS = AgentSpec(history="provider", service=SURPRISING, on_conflict=OnConflict(throw=False))


def elsewhere(kind="local", runs=2) -> Written:
    """A turn on u; then an id arrives on t, and the provider is detached there; then another run on u begins."""
    made = (CreateThread(thread="t", agent="a"), CreateThread(thread="u", agent="a", kind=kind))
    on_u = tuple(Run(thread="u", say=(f"u{number}",)) for number in range(runs))
    steps = (*made, *on_u[:1], Run(thread="t", say=("one",)), *on_u[1:])
    written = Written(Scenario(agents={"a": CLEARS}, steps=steps)).run("u").called("u0").replied("0").appended("u0", "=0")
    written = written.returned("0").run("t").called("one").replied("1", conversation_id="a-1").returned("1")
    return written.run("u")


def test_per_41():
    loaded = lambda: elsewhere().loaded("u0", "=0").called("u0", "=0", "u1").replied("2")  # noqa: E731
    assert holds(loaded().appended("u1", "=2").returned("2"), "PER-41")
    assert broken(loaded().returned("2"), "PER-41") == {"not appended"}
    assert broken(elsewhere().called("u1").replied("2").appended("u1", "=2").returned("2"), "PER-41") == {"not loaded"}


def test_per_41_asks_nothing_of_hosted_threads_and_of_runs_that_sent_nothing():
    assert elsewhere("hosted").called("u1").replied("2").returned("2").findings("PER-41") == []
    assert elsewhere().raised("provider").findings("PER-41") == []


def test_per_41_leaves_threads_with_a_conversation_alone():
    own = elsewhere(runs=3).loaded("u0", "=0").called("u0", "=0", "u1").replied("2", conversation_id="a-2").returned("2")
    assert taken_away(own.run("u").called("u2", conversation_id="a-2").replied("3"), "PER-41") == {"after brought an id"}


# --- PER-42 ---


def waits(scenario=None, **a) -> Written:
    written = begun(scenario or talk("local", **a)).called("one").replied(ASKS).pending(id="c1", tool="weather")
    return written.run("t")


def test_per_42():
    assert holds(waits().raised("invalid"), "PER-42")
    assert holds(waits().called("one", ASKS, SUNNY, "two"), "PER-42")
    assert broken(waits().called("one", ASKS, "two"), "PER-42") == {"call without a result"}
    assert broken(waits().called("two", held=("one", ASKS)), "PER-42") == {"call without a result"}
    assert broken(waits().called("one", SUNNY, "two"), "PER-42") == {"result without a call"}


def test_per_42_leaves_alone_what_nobody_keeps():
    assert left_alone(waits(**BARE).called("one", ASKS, "two"), "PER-42") == {"nobody keeps it"}


# --- PER-43 ---

SWITCHED = (run("one"), run("two", per_service_call=True))


def switched(*sent, stored=("two", "=2"), scenario=None) -> Written:
    written = turn(begun(scenario or provided(*SWITCHED)), "one", "1").run("t")
    return written.called(*(sent or ("one", "=1", "two"))).replied("2").appended(*stored).returned("2")


def test_per_43_holds():
    assert holds(switched(), "PER-43")
    assert holds(switched("^be kind", "one", "=1", "two"), "PER-43")


@pytest.mark.parametrize(
    ("sent", "amount"),
    [
        (("two",), "too little"),
        (("one", "=1", "one", "=1", "two"), "too much"),
        (("one", "=1", "two", "three"), "too much"),
        (("=1", "one", "two"), "another order"),
    ],
)
def test_per_43_sends(sent, amount):
    assert broken(switched(*sent), "PER-43") == {f"sends {amount}"}


@pytest.mark.parametrize(
    ("stored", "amount"),
    [(("two",), "too little"), (("one", "=1", "two", "=2"), "too much"), (("=2", "two"), "another order")],
)
def test_per_43_stores(stored, amount):
    assert broken(switched(stored=stored), "PER-43") == {f"stores {amount}"}


def test_per_43_needs_a_request():
    nothing = turn(begun(provided(*SWITCHED)), "one", "1").run("t").appended("two").returned("2")
    assert broken(nothing, "PER-43") == {"sends too little"}


def test_per_43_is_not_asked_where_a_run_did_not_come_to_its_own_end():
    failed = begun(provided(*SWITCHED)).called("one").failed().raised("service").run("t").called("two").replied("2")
    assert failed.returned("2").findings("PER-43") == []


def test_per_43_leaves_alone():
    assert left_alone(switched(scenario=provided(*SWITCHED, client_as_is=True)), "PER-43") == {"partly the callers"}
    assert left_alone(switched(scenario=provided(*SWITCHED, reduces_to=2)), "PER-43") == {"bounded history"}
    other = provided(run("one"), run("two", agent="b"), b=AgentSpec(history="provider", per_service_call=True))
    named = turn(begun(provided(*SWITCHED, service=NEW_IDS)), "one", "1").run("t").called("one", "=1", "two")
    assert left_alone(named.replied("2", conversation_id="a-1").returned("2"), "PER-43") == {"under a conversation"}
    handed = turn(begun(other), "one", "1").run("t").called("one", "=1", "two", agent="b").replied("2", agent="b").returned("2")
    assert left_alone(handed, "PER-43") == {"after another agent"}


def test_per_43_leaves_two_lines_of_one_thread_alone():
    lines = (Serialize(thread="t"), Restore(thread="u", data="t"), Run(thread="u", say=("two",)))
    written = turn(begun(provided(run("one"), *lines, run("three", per_service_call=True))), "one", "1")
    written = written.step(2).event(Serialized, thread="t").step(3).event(Restored, thread="u", source="t")
    written = turn(written.run("u"), "two", "2", "one", "=1")
    assert left_alone(turn(written.run("t"), "three", "3", "one", "=1"), "PER-43") == {"forked"}


# --- PER-44 ---


def limited(*stored, given=(ASKS, SUNNY), scenario=None, **a) -> Written:
    """The only reply that may ask for tools does so, and the run ends with what its tool returned."""
    written = begun(scenario or provided(run("one"), limit=1, **a)).called("one").replied(ASKS).tool("c1")
    return written.appended(*stored).returned(*given)


def test_per_44_holds():
    assert holds(limited("one", ASKS, SUNNY), "PER-44")
    assert holds(limited("one", ASKS, per_service_call=True), "PER-44")


@pytest.mark.parametrize(
    ("stored", "given", "aspect"),
    [
        (("one", ASKS), (SUNNY, "I stop"), "dangling call"),
        (("one",), (ASKS, SUNNY), "missing"),
        (("one", ASKS, SUNNY, "one"), (ASKS, SUNNY), "repeated"),
        (("one", ASKS, SUNNY, "=x"), (ASKS, SUNNY), "foreign"),
        ((ASKS, SUNNY, "one"), (ASKS, SUNNY), "order"),
    ],
)
def test_per_44_breaks(stored, given, aspect):
    assert broken(limited(*stored, given=given), "PER-44") == {aspect}


def test_per_44_counts_the_replies():
    again = calls("c2", weather={"city": "Rome"})
    passed = begun(provided(run("one"), limit=1)).called("one").replied(ASKS).tool("c1").called("one", ASKS, SUNNY).replied(again)
    passed = passed.tool("c2").appended("one", ASKS, SUNNY, again, results(c2="sunny"))
    assert broken(passed.returned(ASKS, SUNNY, again, results(c2="sunny")), "PER-44") == {"limit passed"}


def test_per_44_leaves_alone():
    assert left_alone(limited("one", scenario=provided(run("one", store=True), limit=1, service=BY_DEFAULT)), "PER-44") == {
        "contradicting"
    }
    named = begun(provided(run("one"), limit=1, service=SURPRISING)).called("one").replied(ASKS, conversation_id="a-1").tool("c1")
    assert left_alone(named.returned(ASKS, SUNNY), "PER-44") == {"under a conversation"}
    assert left_alone(limited("one", **BARE), "PER-44") == {"callers history"}
    ended = begun(provided(run("one"), limit=1, tools=STOP)).called("one").replied(calls("c1", stop={}))
    assert left_alone(ended.tool("c1", "stop", terminated=True).returned(), "PER-44") == {"terminated"}


# --- PER-45 ---

MEMORY = {"memory": ContextSpec(adds=("remember",))}


def injected(scenario=None, **a) -> Written:
    written = begun(scenario or talk("local", context=MEMORY, **a))
    return written.event(ContextInvoking, agent="a", provider="memory", state={}, adds=(message("remember"),))


def test_per_45():
    assert holds(injected().called("remember", "one"), "PER-45")
    assert holds(injected().called("one", held=("remember",)), "PER-45")
    assert broken(injected().called("one"), "PER-45") == {"missing at first"}
    asked = injected().called("remember", "one").replied(ASKS).tool("c1")
    assert broken(asked.called("one", ASKS, SUNNY), "PER-45") == {"missing later"}


def test_per_45_is_asked_once_something_was_injected():
    assert begun(talk("local", context=MEMORY)).called("one").findings("PER-45") == []


def test_per_45_leaves_alone():
    store = talk("local", run("one", store=True), context=MEMORY, service=NEW_IDS)
    assert left_alone(injected(store).called("one"), "PER-45") == {"contradicting"}
    assert left_alone(injected(reduces_to=1).called("one"), "PER-45") == {"bounded history"}
