"""PER-32 to PER-37 on traces written by hand."""

from __future__ import annotations

import pytest
from talks import BY_DEFAULT, NEW_IDS, SURPRISING, run, talk
from written import Written, broken, calls, holds, left_alone, results, taken_away

from conformance.scenario.scenario import CreateThread, Restore, Run, Scenario, Serialize
from conformance.scenario.specs import AgentSpec, OnConflict
from conformance.trace.adapter_events import Restored, Serialized
from conformance.trace.harness_events import Abandoned, Cancelled
from conformance.trace.messages import Message, Result

BOTH_SIDES = "a conversation id came although a history provider is configured"
TWO, THREE = (run("one"), run("two")), (run("one"), run("two"), run("three"))


def provided(*runs, kind="local", throw=False, warn=False, clear=False, **a):
    """A thread of an agent with a history provider, on a service that keeps what nobody asked it to keep."""
    switches = OnConflict(throw=throw, warn=warn, clear=clear)
    return talk(kind, *runs, **{"history": "provider", "service": SURPRISING, "on_conflict": switches, **a})


def arrived(scenario, **policies) -> Written:
    """The first run on the thread, in whose first reply an id arrives."""
    written = Written(scenario, **policies).created("t", "local").run("t").loaded().called("one", store=False)
    return written.replied("1", conversation_id="a-1")


def later(written: Written, *said, id="a-1", **more) -> Written:
    """A run after the one of the conflict."""
    return written.run("t").called(*(said or ("two",)), conversation_id=id, **more)


# --- PER-32 ---

THROW = provided(*TWO, throw=True)


def plain_turn(scenario) -> Written:
    """A turn whose reply brings no id; then the run of the conflict."""
    written = (
        Written(scenario).created("t", "local").run("t").loaded().called("one").replied("1").appended("one", "=1").returned("1")
    )
    return written.run("t").loaded("one", "=1").called("one", "=1", "two").replied("2", conversation_id="a-1")


def test_per_32_holds():
    assert holds(arrived(THROW).raised("conflict", BOTH_SIDES).described("t", "local"), "PER-32")
    later_on = plain_turn(provided(*THREE, throw=True)).raised("conflict", BOTH_SIDES)
    assert holds(later_on.run("t").loaded("one", "=1").called("one", "=1", "three"), "PER-32")


@pytest.mark.parametrize(
    ("end", "aspect"),
    [
        (lambda written: written.returned("1"), "not raised"),
        (lambda written: written.raised("other", BOTH_SIDES), "wrong kind of error"),
        (lambda written: written.raised("conflict", "a conversation id came"), "a side not named"),
        (lambda written: written.raised("conflict", BOTH_SIDES).described("t", "hosted"), "thread changed"),
        (lambda written: written.raised("conflict", BOTH_SIDES).described("t", "local", conversation_id="a-1"), "thread changed"),
        (lambda written: written.appended("one", "=1").raised("conflict", BOTH_SIDES), "appended"),
    ],
)
def test_per_32_breaks(end, aspect):
    assert broken(end(arrived(THROW)), "PER-32") == {aspect}


def test_per_32_the_next_run_loads():
    refused = plain_turn(provided(*THREE, throw=True)).raised("conflict", BOTH_SIDES)
    assert broken(refused.run("t").called("one", "=1", "three"), "PER-32") == {"next run does not load"}


def test_per_32_per_call_keeps_the_calls_before():
    scenario = provided(run("one"), throw=True, per_service_call=True)
    written = Written(scenario).created("t", "local").run("t").called("one").replied(calls("c1", weather={}))
    written = written.appended("one", calls("c1", weather={})).tool("c1").called(results(c1="sunny"))
    written = written.replied("1", conversation_id="a-1").raised("conflict", BOTH_SIDES)
    assert holds(written, "PER-32")
    assert broken(written.appended(results(c1="sunny"), "=1"), "PER-32") == {"appended"}


@pytest.mark.parametrize("rule", ["PER-32", "PER-33"])
def test_per_32_and_33_leave_alone_runs_that_ended_otherwise(rule):
    asked = lambda: arrived(THROW).called("one")  # noqa: E731
    for ended in (asked().failed().raised("service"), asked().event(Abandoned, chunks=1), asked().event(Cancelled)):
        assert left_alone(ended, rule) == {"ended otherwise"}


# --- what a conflict is ---


def test_a_conversation_is_no_conflict_twice():
    kept = later(arrived(provided(*TWO)).returned("1")).replied("2", conversation_id="a-2").returned("2")
    assert len(kept.findings("PER-33")) == 1
    refused = arrived(provided(*TWO, throw=True)).raised("conflict", BOTH_SIDES)
    again = refused.run("t").called("two").replied("2", conversation_id="a-1").raised("conflict", BOTH_SIDES)
    assert len(again.findings("PER-32")) == 2


@pytest.mark.parametrize(
    "scenario",
    [
        provided(run("one"), kind="hosted"),
        provided(run("one", store=True)),
        provided(run("one"), service=NEW_IDS),
        provided(run("one"), client_as_is=True, per_service_call=True),
        provided(run("one"), history="default"),
    ],
)
def test_an_id_that_is_none_of_a_conflict(scenario):
    assert arrived(scenario).returned("1").findings("PER-33") == []


def test_a_conflict_on_an_adaptive_thread():
    scenario = provided(*TWO, kind="adaptive", service=BY_DEFAULT)
    once = later(arrived(scenario).returned("1")).replied("2", conversation_id="a-1").returned("2")
    assert len(once.findings("PER-33")) == 1


def test_a_contradiction_that_was_let_through_gives_a_conversation():
    scenario = provided(run("one", store=True), run("two"))
    written = Written(scenario, store_conflict="ignore").created("t", "local").run("t").called("one", store=True)
    written = written.replied("1").returned("1").run("t").called("one", "=1", "two").replied("2", conversation_id="a-1")
    assert written.returned("2").findings("PER-33") == []


# --- PER-33 ---

WARN = provided(*TWO, warn=True, clear=True)


def test_per_33_holds():
    assert holds(arrived(WARN).warned(BOTH_SIDES).returned("1"), "PER-33")
    assert holds(arrived(provided(run("one"))).warned("slow").returned("1"), "PER-33")
    assert holds(later(arrived(WARN).warned(BOTH_SIDES).returned("1")).replied("2").returned("2"), "PER-33")


def test_per_33_breaks():
    assert broken(arrived(WARN).returned("1"), "PER-33") == {"no warning"}
    twice = arrived(WARN).warned(BOTH_SIDES).warned("the service manages this conversation: a provider is detached")
    assert broken(twice.returned("1"), "PER-33") == {"repeated"}
    assert broken(arrived(provided(run("one"))).warned(BOTH_SIDES).returned("1"), "PER-33") == {"unasked"}
    again = later(arrived(WARN).warned(BOTH_SIDES).returned("1")).warned(BOTH_SIDES).replied("2").returned("2")
    assert broken(again, "PER-33") == {"warned once detached"}


ONE_SIDED = (
    "the conversation history is long",
    "a session is restored",
    "history is not persisted",
    "the provider of tools is slow",
)


@pytest.mark.parametrize("text", ONE_SIDED)
def test_other_warnings_are_none_of_a_conflict(text):
    assert broken(arrived(WARN).warned(text).returned("1"), "PER-33") == {"no warning"}
    assert holds(arrived(WARN).warned(BOTH_SIDES).warned(text).returned("1"), "PER-33")
    assert holds(arrived(provided(run("one"))).warned(text).returned("1"), "PER-33")
    assert holds(later(arrived(WARN).warned(BOTH_SIDES).returned("1")).warned(text).replied("2").returned("2"), "PER-33")
    assert holds(default().warned(text).returned("1"), "PER-36")
    assert holds(unnamed().warned(text).appended("one", "=1").returned("1"), "PER-37")


@pytest.mark.parametrize(
    "text",
    [
        BOTH_SIDES,
        "the client stores history server-side: HistoryProvider 'h' is not loaded",
        "only ConversationId or ChatHistoryProvider may be used, but not both",
        "the service keeps the conversation and the message store is bypassed",
    ],
)
def test_a_warning_of_a_conflict_names_both_sides(text):
    assert holds(arrived(WARN).warned(text).returned("1"), "PER-33")


def test_a_warning_of_an_agent_that_is_a_tool_is_not_the_runs():
    def asked(scenario) -> Written:
        written = Written(scenario).created("t", "local").run("t").loaded().called("one").replied(calls("c1", b={}))
        written = written.called("two", agent="b").replied("2", agent="b", conversation_id="b-1").warned(BOTH_SIDES)
        return written.called("one", calls("c1", b={}), results(c1="2"))

    switched = provided(run("one"), warn=True, b=AgentSpec(history="provider", service=SURPRISING))
    assert broken(asked(switched).replied("1", conversation_id="a-1").returned("1"), "PER-33") == {"no warning"}
    own = asked(switched).replied("1", conversation_id="a-1").warned(BOTH_SIDES).returned("1")
    assert holds(own, "PER-33")
    unswitched = talk("local", run("one"), history="provider", b=AgentSpec(history="provider", service=SURPRISING))
    unnamed = asked(unswitched).replied("1").appended("one", calls("c1", b={}), results(c1="2"), "=1").returned("1")
    assert holds(unnamed, "PER-37")


# --- PER-34 ---

CLEAR = provided(*THREE, clear=True)


def detached(*said, **more) -> Written:
    return later(arrived(CLEAR).returned("1"), *said, **more)


def test_per_34_holds():
    assert holds(detached().replied("2", conversation_id="a-2").returned("2"), "PER-34")
    both = detached().replied("2", conversation_id="a-2").returned("2").run("t").called("three", conversation_id="a-2")
    assert holds(both, "PER-34")


@pytest.mark.parametrize(
    ("said", "id", "aspect"),
    [
        (("two",), None, "no id"),
        (("two",), "a-0", "another id"),
        (("^be kind",), "a-1", "missing"),
        (("two", "two"), "a-1", "repeated"),
        (("one", "two"), "a-1", "foreign"),
    ],
)
def test_per_34_goes_on_by_the_id(said, id, aspect):
    assert broken(detached(*said, id=id), "PER-34") == {aspect}


def test_per_34_goes_on_in_order():
    scenario = provided(run("one"), run("two", "three"), clear=True)
    assert broken(later(arrived(scenario).returned("1"), "three", "two"), "PER-34") == {"order"}


def test_per_34_lets_a_call_be_closed_that_a_failure_left_open_in_the_conversation():
    asks, closing = calls("c1", weather={}), Message(role="tool", results=(Result(id="c1", value="interrupted", error=True),))
    failed = detached().replied(asks, conversation_id="a-2").tool("c1").called(results(c1="sunny"), conversation_id="a-2")
    after = failed.failed().raised("service").run("t").called(closing, "three", conversation_id="a-1", held=("two", asks))
    assert holds(after, "PER-34")


def test_per_34_uses_the_provider_no_more():
    assert broken(arrived(CLEAR).returned("1").run("t").loaded().called("two", conversation_id="a-1"), "PER-34") == {"loaded"}
    assert broken(detached().replied("2").appended("two", "=2").returned("2"), "PER-34") == {"appended"}


def test_per_34_asks_for_no_certain_request_after_a_stream_was_left():
    left = detached().replied("2").event(Abandoned, chunks=1).run("t").called("three", conversation_id="a-1")
    assert holds(left, "PER-34")
    scenario = provided(*THREE, clear=True, per_service_call=True)
    left = later(arrived(scenario).returned("1")).replied("2", conversation_id="a-2").event(Abandoned, chunks=1)
    assert holds(left.run("t").called("three", conversation_id="a-1"), "PER-34")


def forked(id: str | None) -> Written:
    """A thread with a conversation becomes data; it goes on, and so does the one that is restored, with this id."""
    made = provided(run("one"), run("two"), clear=True)
    create, one, two = made.steps
    parted = (Serialize(thread="t"), two, Restore(thread="u", data="t"), Run(thread="u", say=("three",)))
    written = arrived(Scenario(agents=made.agents, steps=(create, one, *parted))).returned("1")
    written.step(2).event(Serialized, thread="t").run("t").called("two", conversation_id="a-1")
    written.replied("2", conversation_id="a-2").returned("2").step(4).event(Restored, thread="u", source="t")
    return written.run("u").called("three", conversation_id=id)


def test_per_34_looks_for_the_id_where_a_thread_is_forked_too():
    assert holds(forked("a-1"), "PER-34")
    assert broken(forked(None), "PER-34") == {"no id"}
    assert broken(forked("a-2"), "PER-34") == {"another id"}


# --- PER-35 ---

KEEPS = provided(*TWO)
NOTHING, COPY = {"provider_copy": "nothing"}, {"provider_copy": "written"}


def on_hosted(**policies) -> Written:
    scenario = provided(*TWO, kind="hosted", service=NEW_IDS)
    return Written(scenario, **policies).created("t", "hosted", hidden=True).run("t")


@pytest.mark.parametrize(
    "begun",
    [
        lambda policies: arrived(KEEPS, **policies),
        lambda policies: on_hosted(**policies).called("one").replied("1", conversation_id="a-1"),
    ],
)
def test_per_35_in_the_run_in_which_an_id_arrives_and_on_hosted_threads(begun):
    assert holds(begun(NOTHING).returned("1"), "PER-35")
    assert holds(begun(COPY).appended("one", "=1").returned("1"), "PER-35")
    assert broken(begun(NOTHING).appended("one", "=1").returned("1"), "PER-35") == {"copied"}
    assert broken(begun(COPY).returned("1"), "PER-35") == {"no copy"}
    assert broken(begun(NOTHING).loaded().returned("1"), "PER-35") == {"loaded"}


def test_per_35_after_the_run_in_which_an_id_arrived():
    copied = lambda: arrived(KEEPS, **COPY).appended("one", "=1").returned("1")  # noqa: E731
    assert holds(later(copied()).replied("2").appended("two", "=2").returned("2"), "PER-35")
    assert broken(later(copied()).replied("2").returned("2"), "PER-35") == {"no copy"}
    assert holds(later(copied()).failed().raised("service"), "PER-35")
    loaded = copied().run("t").loaded("one", "=1").called("two", conversation_id="a-1").replied("2").appended("two", "=2")
    assert broken(loaded.returned("2"), "PER-35") == {"loaded"}


def test_per_35_leaves_contradictions_alone():
    scenario = provided(run("one"), run("two", store=False), run("three"), kind="hosted", service=NEW_IDS)
    written = Written(scenario, **NOTHING).created("t", "hosted").run("t").called("one").replied("1", conversation_id="a-1")
    written = written.returned("1").run("t").called("two").replied("2").returned("2").run("t").called("three")
    assert taken_away(written, "PER-35") == {"contradicting", "after a contradiction"}


# --- PER-36 ---


def default(*runs, **policies) -> Written:
    scenario = talk("local", *(runs or TWO), service=SURPRISING)
    return arrived(scenario, **policies)


def test_per_36():
    assert holds(default().returned("1").described("t", "hosted"), "PER-36")
    assert holds(later(default().returned("1")).returned("2"), "PER-36")
    assert broken(default().raised("conflict"), "PER-36") == {"conflict"}
    assert broken(default().warned(BOTH_SIDES).returned("1"), "PER-36") == {"warned"}
    assert broken(default().returned("1").described("t", "hosted", "one", "=1"), "PER-36") == {"kept on the thread"}


def test_per_36_looks_only_once_an_id_arrived():
    before = Written(talk("local", service=SURPRISING)).created("t", "local").run("t").called("one").warned(BOTH_SIDES).replied("1")
    assert before.returned("1").described("t", "local", "one", "=1").findings("PER-36") == []


def test_per_36_leaves_alone():
    left = default().event(Abandoned, chunks=1)
    assert left_alone(left, "PER-36") == {"abandoned"}
    contradicted = default(run("one"), run("two", store=False), run("three")).returned("1").run("t").called("two").replied("2")
    assert taken_away(contradicted.returned("2").run("t").called("three"), "PER-36") == {"contradicting", "after a contradiction"}


# --- PER-37 ---


def unnamed(*runs, kind="local", **a) -> Written:
    scenario = talk(kind, *runs, **{"history": "provider", **a})
    return Written(scenario).created("t", kind).run("t").loaded().called("one").replied("1")


def test_per_37():
    assert holds(unnamed().appended("one", "=1").returned("1"), "PER-37")
    assert holds(unnamed().warned("history is long").appended("one", "=1").returned("1"), "PER-37")
    assert broken(unnamed().raised("conflict"), "PER-37") == {"conflict"}
    assert broken(unnamed().warned(BOTH_SIDES).appended("one", "=1").returned("1"), "PER-37") == {"warned"}
    assert broken(unnamed().returned("1"), "PER-37") == {"no append"}


def test_per_37_leaves_alone():
    contradicted = Written(provided(run("one", store=True), run("two"), service=NEW_IDS), store_conflict="ignore")
    contradicted = contradicted.created("t", "local").run("t").called("one").warned(BOTH_SIDES).replied("1").returned("1")
    assert left_alone(contradicted.run("t").called("two"), "PER-37") == {"contradicting", "after a contradiction"}
    assert left_alone(arrived(provided(run("one"))).returned("1"), "PER-37") == {"under a conversation"}
    assert left_alone(unnamed(client_as_is=True, per_service_call=True).returned("1"), "PER-37") == {"callers history"}
    silent = talk("adaptive", history="provider", service=BY_DEFAULT)
    written = Written(silent).created("t", "adaptive").run("t").called("one").replied("1", kept=True).returned("1")
    written = written.run("t").called("one", "=1", "two").replied("2", kept=True).warned(BOTH_SIDES).returned("2")
    assert left_alone(written, "PER-37") == {"kept without a name"}


# --- threads of several agents ---


def test_the_next_runs_are_those_of_the_same_agent():
    scenario = provided(run("one"), run("two", agent="b"), throw=True, b=AgentSpec())
    assert isinstance(scenario.steps[0], CreateThread)
    refused = arrived(scenario).raised("conflict", BOTH_SIDES).described("t", "local")
    assert holds(refused.run("t").called("two", agent="b"), "PER-32")
