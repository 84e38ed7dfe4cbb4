"""What should have happened, by the model, on traces written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from flows import flow
from kept import AS_IS, ASKS, BARE, DECORATED, PER_CALL, STOPPED, STOPS, SUNNY, TOOLS
from talks import NEW_IDS, ONE_ID, SURPRISING, run, talk
from written import Written

from conformance.rules import model
from conformance.rules.execution_view import ExecutionView
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import Respond, Restore, Run, Scenario, Serialize
from conformance.scenario.specs import AgentSpec, ContextSpec
from conformance.trace.adapter_events import RequestPending, Restored, Serialized
from conformance.trace.harness_events import ServiceReplied
from conformance.trace.messages import parts


def last(written: Written) -> tuple[ExecutionView, RunView]:
    """The execution, and its last run."""
    view = written.view
    return view, view.runs[-1]


def went(written: Written, id: str | None = None, *, agent: str = "a") -> Written:
    """A run on t succeeds, with an id or without one."""
    return written.run("t").called("x", agent=agent).replied("y", agent=agent, conversation_id=id).returned("y")


def failed(written: Written, kind: str = "service", *, id: str | None = None) -> Written:
    """A run on t raises after a reply, with an id or without one."""
    return written.run("t").called("x").replied("y", conversation_id=id).raised(kind)


# --- when history is appended ---


@pytest.mark.parametrize(
    ("agent", "timing"), [({}, "per run"), (AS_IS, "per run"), (PER_CALL, "per call"), (BARE, "not"), (DECORATED, "per call")]
)
def test_the_agent_says_when_its_history_is_appended(agent, timing):
    assert model.persistence_of(AgentSpec(**agent)) == timing
    _, plain = last(went(Written(talk(**agent))))
    assert model.timing_of(plain) == timing


@pytest.mark.parametrize(
    ("options", "agent", "timing"),
    [
        ({"background": True}, {}, "per run"),
        ({"background": True}, PER_CALL, "per run"),
        ({"background": True}, BARE, "not"),
        ({"per_service_call": True}, {}, "per call"),
        ({"per_service_call": True, "background": True}, {}, "per run"),
        ({"per_service_call": False}, PER_CALL, "per run"),
    ],
)
def test_a_run_may_be_persisted_at_other_times_than_its_agent(options, agent, timing):
    _, one = last(went(Written(talk("local", run("one", **options), **agent))))
    assert model.timing_of(one) == timing


@pytest.mark.parametrize(
    ("agent", "policies", "stored"),
    [
        ({}, {}, [("user", "one"), ("assistant", "1")]),
        (PER_CALL, {}, [("user", "one"), ("assistant", "1")]),
        (BARE, {}, []),
    ],
)
def test_a_plain_run_is_stored(agent, policies, stored):
    _, plain = last(Written(talk(**agent), **policies).run("t").called("one").replied("1").returned("1"))
    assert model.stored_after(plain) == stored


ASKED = [("user", "one"), ("call", "c1", "weather", "{}")]
TOLD = [*ASKED, ("result", "c1"), ("assistant", "1")]


@pytest.mark.parametrize(("agent", "failing", "done"), [({}, [], TOLD), (PER_CALL, TOLD[:2], TOLD), (BARE, [], [])])
def test_a_run_with_a_tool_is_stored(agent, failing, done):
    begun = Written(talk(tools=TOOLS, **agent)).run("t").called("one").replied(ASKS).tool("c1")
    begun.called("one", ASKS, SUNNY)
    _, wrong = last(begun.failed().raised("service"))
    assert model.stored_after(wrong) == failing
    again = Written(talk(tools=TOOLS, **agent)).run("t").called("one").replied(ASKS).tool("c1")
    _, right = last(again.called("one", ASKS, SUNNY).replied("1").returned("1"))
    assert model.stored_after(right) == done


@pytest.mark.parametrize("agent", [{}, PER_CALL, BARE])
def test_nothing_is_stored_of_a_run_that_got_no_reply(agent):
    _, wrong = last(Written(talk(**agent)).run("t").called("one").failed().raised("service"))
    assert model.stored_after(wrong) == []


ENDED = [("user", "one"), ("call", "c1", "stop", "{}")]


@pytest.mark.parametrize(
    ("agent", "policy", "stored"),
    [
        ({}, None, [*ENDED, ("result", "c1")]),
        ({}, "stored", [*ENDED, ("result", "c1")]),
        ({}, "trimmed", ENDED),
        (PER_CALL, "stored", ENDED),
    ],
)
def test_a_run_that_a_tool_ends_is_stored(agent, policy, stored):
    written = Written(talk(tools=TOOLS, **agent), trailing_result=policy).run("t").called("one").replied(STOPS)
    _, ended = last(written.tool("c1", "stop", "stopped", terminated=True).returned(STOPS, STOPPED))
    assert model.stored_after(ended) == stored


@pytest.mark.parametrize("agent", [{}, PER_CALL])
def test_a_run_that_waits_is_stored(agent):
    _, waits = last(Written(talk(**agent)).run("t").called("one").replied(ASKS).event(RequestPending, id="c1"))
    assert model.stored_after(waits) == ASKED


def test_a_history_in_steps_of_its_own_is_no_matter_of_the_matrix():
    for agent in ({}, PER_CALL, BARE):
        view, plain = last(went(Written(talk(**agent), incremental=True)))
        assert model.timing_of(plain) == "incremental"
        assert model.stored_after(plain) == plain.happened()
        assert model.local_history(view, plain) == []
    _, wrong = last(failed(Written(talk(), incremental=True)))
    assert model.stored_after(wrong) == []


def test_what_may_be_stored_by_then_is_the_conversation_as_far_as_it_had_come():
    written = Written(talk(tools=TOOLS), incremental=True).run("t").called("one").replied(ASKS).tool("c1")
    written = written.called("one", ASKS, SUNNY).replied("1").returned(ASKS, SUNNY, "1")
    asked, whole = [("user", "one"), *parts([ASKS]), *parts([SUNNY])], [("assistant", "1")]
    view, plain = last(written)
    replied = [at for at, _ in view.of(ServiceReplied)]
    assert model.stored_by(plain, replied[0]) == asked[:1]
    assert model.stored_by(plain, replied[0] + 1) == asked  # a result of which nothing else may show
    assert model.stored_by(plain, replied[1]) == asked
    assert model.stored_by(plain, replied[1] + 1) == asked + whole


def test_local_history_is_what_earlier_runs_left():
    written = Written(talk("local", run("one"), run("two"), run("three")))
    written.run("t").called("one").replied("1").returned("1").run("t").called("one", "=1", "two").failed().raised("service")
    view, third = last(written.run("t").called("one", "=1", "three"))
    assert model.local_history(view, third) == [("user", "one"), ("assistant", "1")]
    assert model.local_history(view, view.runs[0]) == []


# --- the kind of a thread ---


def two(kind: str, first: Run | None = None, *, b: AgentSpec | None = None, **agent: Any) -> Scenario:
    """A thread of a kind, with two runs."""
    return talk(kind, first or run("one"), run("two"), b=b, **agent)


STORE, ENTER = run("one", store=True), run("one", conversation_id="other")


@pytest.mark.parametrize(
    ("kind", "first", "after"),
    [
        ("local", {"id": None}, "local"),
        ("local", {"id": "a-1"}, "local"),
        ("hosted", {"id": "a-1"}, "hosted"),
        ("hosted", {"id": None}, "hosted"),
        ("adaptive", {"id": None}, "local"),
        ("adaptive", {"id": "a-1"}, "hosted"),
    ],
)
def test_the_first_successful_run_settles_a_kind(kind, first, after):
    view, one = last(went(Written(two(kind)), **first))
    assert (model.kind_before(view, one), model.kind_after(view, one)) == (kind, after)
    view, another = last(went(went(Written(two(kind)), **first), "a-9"))
    assert (model.kind_before(view, another), model.kind_after(view, another)) == (after, after)


@pytest.mark.parametrize("id", [None, "a-1"])
def test_a_run_that_does_not_succeed_settles_no_kind(id):
    view, wrong = last(failed(Written(two("adaptive")), id=id))
    assert model.kind_after(view, wrong) == "adaptive"
    view, waits = last(Written(two("adaptive")).run("t").called("one").replied(ASKS, conversation_id=id).pending(id="c1"))
    assert model.kind_after(view, waits) == "adaptive"


@pytest.mark.parametrize(
    ("policy", "first", "after"),
    [
        ("transform", STORE, "hosted"),
        ("transform", ENTER, "hosted"),
        ("transform", run("one", conversation_id="own"), "local"),
        ("transform", run("one", store=False), "local"),
        ("transform", run("one"), "local"),
        ("ignore", STORE, "local"),
        (None, STORE, "local"),
    ],
)
def test_a_transition_makes_a_local_thread_hosted(policy, first, after):
    view, one = last(went(Written(two("local", first, service=ONE_ID), store_conflict=policy), "a-1"))
    assert model.transforms(one) == (after == "hosted")
    assert model.kind_after(view, one) == after


def test_a_transition_that_fails_is_none():
    view, one = last(failed(Written(two("local", STORE, service=ONE_ID), store_conflict="transform"), id="a-1"))
    assert not model.transforms(one)
    assert model.kind_after(view, one) == "local"


@pytest.mark.parametrize(
    ("agent", "end", "after"),
    [
        ({}, None, "hosted"),
        ({}, "service", "local"),
        ({}, "conflict", "local"),
        (PER_CALL, None, "hosted"),
        (PER_CALL, "service", "hosted"),
        (PER_CALL, "conflict", "local"),
    ],
)
def test_a_surprising_service_makes_a_local_thread_hosted(agent, end, after):
    begun = Written(two("local", service=SURPRISING, **agent))
    view, one = last(failed(begun, end, id="a-1") if end else went(begun, "a-1"))
    assert model.kind_after(view, one) == after


def test_a_surprising_service_changes_nothing_without_an_id_or_on_a_thread_that_was_adaptive():
    view, one = last(went(Written(two("local", service=SURPRISING))))
    assert model.kind_after(view, one) == "local"
    view, another = last(went(went(Written(two("adaptive", service=SURPRISING))), "a-1"))
    assert model.kind_after(view, another) == "local"


def copied(kind: str = "adaptive", *, fails: bool = False, ran: bool = True) -> Written:
    """A thread t, perhaps with a run, becomes data, from which u is made; then u runs."""
    scenario = talk(
        kind, *([run("one")] if ran else []), Serialize(thread="t"), Restore(thread="u", data="t"), Run(thread="u", say=("x",))
    )
    written = Written(scenario)
    if ran:
        (failed if fails else went)(written)
    step = 2 if ran else 1
    written.step(step).event(Serialized, thread="t").step(step + 1).event(Restored, thread="u", source="t")
    return written.run("u").called("x").replied("y").returned("y")


def test_a_restored_thread_goes_on_with_what_its_original_said_before_it_became_data():
    view, copy = last(copied("local"))
    assert model.local_history(view, copy) == [("user", "one"), ("assistant", "y")]


@pytest.mark.parametrize(
    ("written", "kind", "unsettled"),
    [
        (copied(), "local", False),
        (copied(ran=False), "adaptive", True),
        (copied(fails=True), "adaptive", False),
        (copied("local", ran=False), "local", False),
    ],
)
def test_a_restored_thread_has_the_kind_of_its_original(written, kind, unsettled):
    view, copy = last(written)
    assert model.kind_before(view, copy) == kind
    assert model.restored_adaptive(view, "u") == unsettled


def test_whether_a_thread_was_made_local():
    view, one = last(went(Written(two("local", STORE, service=ONE_ID), store_conflict="transform"), "a-1"))
    assert model.made_local(view, one)
    view, one = last(went(Written(two("adaptive"))))
    assert not model.made_local(view, one)
    view, one = last(Written(flow()).run())
    assert not model.made_local(view, one)


# --- where the conversation is ---

ON_B = run("two", agent="b")


def test_the_home_of_a_conversation_is_where_the_last_id_came_from():
    scenario = talk("hosted", run("one"), ON_B, run("three"), b=AgentSpec(service=ONE_ID), service=ONE_ID)
    view, moved = last(went(went(Written(scenario), "a-1"), "b-1", agent="b"))
    assert model.home_before(view, view.runs[0]) == "a"
    assert model.home_before(view, moved) == "a"
    view, third = last(went(went(went(Written(scenario), "a-1"), "b-1", agent="b"), "a-2"))
    assert model.home_before(view, third) == "b"
    written = went(Written(scenario), "a-1").run("t").called("two", agent="b").replied("2", agent="b", conversation_id="b-1")
    view, third = last(written.raised("service").run("t").called("three"))
    assert model.home_before(view, third) == "a"


# --- what cannot be ---

HOSTED = {"service": NEW_IDS}


@pytest.mark.parametrize(
    ("kind", "options", "wrong"),
    [
        ("local", {}, False),
        ("local", {"store": False}, False),
        ("local", {"store": True}, True),
        ("local", {"conversation_id": "other"}, True),
        ("local", {"conversation_id": "own"}, False),
        ("hosted", {}, False),
        ("hosted", {"store": True}, False),
        ("hosted", {"store": False}, True),
        ("hosted", {"conversation_id": "own"}, False),
        ("hosted", {"conversation_id": "other"}, True),
        ("adaptive", {"store": True}, False),
        ("adaptive", {"store": False}, False),
        ("adaptive", {"conversation_id": "other"}, False),
    ],
)
def test_options_contradict_a_thread(kind, options, wrong):
    view, one = last(went(Written(talk(kind, run("one", **options), **HOSTED)), "a-1"))
    assert model.contradicting_options(view, one) == wrong
    assert model.contradicts(view, one) == wrong


@pytest.mark.parametrize(
    ("kind", "b", "misplaced", "unsupported"),
    [
        ("hosted", AgentSpec(service=NEW_IDS), True, False),
        ("hosted", AgentSpec(), True, True),
        ("local", AgentSpec(), False, False),
        ("adaptive", AgentSpec(), False, False),
    ],
)
def test_another_agent_cannot_serve_a_hosted_thread(kind, b, misplaced, unsupported):
    view, one = last(went(Written(talk(kind, run("one", agent="b"), b=b, **HOSTED)), agent="b"))
    assert (model.misplaced(view, one), model.unsupported(view, one)) == (misplaced, unsupported)
    assert model.contradicts(view, one) == (misplaced or unsupported)


def test_a_hosted_thread_needs_a_service_that_keeps_something():
    view, one = last(went(Written(talk("hosted"))))
    assert model.unsupported(view, one)
    assert not model.misplaced(view, one)
    assert model.contradicts(view, one)


@pytest.mark.parametrize(
    ("kind", "agent", "end", "called", "may"),
    [
        ("hosted", {"reduces_to": 2}, "unsupported", False, True),
        ("hosted", {"reduces_to": 2}, "invalid", False, True),
        ("hosted", {"reduces_to": 2}, "conflict", False, False),
        ("hosted", {"reduces_to": 2}, "unsupported", True, False),
        ("hosted", {}, "unsupported", False, False),
        ("local", {"reduces_to": 2}, "unsupported", False, False),
    ],
)
def test_a_reducer_may_be_refused_on_a_hosted_thread(kind, agent, end, called, may):
    begun = Written(talk(kind, **agent, **HOSTED)).run("t")
    view, one = last((begun.called("one") if called else begun).raised(end))
    assert model.refuses_reducer(view, one) == may
    assert model.contradicts(view, one) == may


@pytest.mark.parametrize(
    ("context", "can_be_built"),
    [
        ({}, True),
        ({"p": ContextSpec(), "q": ContextSpec()}, True),
        ({"p": ContextSpec(), "q": ContextSpec(id="p")}, False),
        ({"p": ContextSpec(id="x"), "q": ContextSpec(id="x")}, False),
    ],
)
def test_an_agent_with_two_providers_of_one_id_cannot_be_built(context, can_be_built):
    scenario = talk(context=context)
    assert model.buildable(scenario, "a") == can_be_built
    view, one = last(went(Written(scenario)))
    assert model.contradicts(view, one) == (not can_be_built)


def waiting_run() -> Written:
    """The first run of t waits; a second one begins."""
    scenario = talk("local", run("one"), run("two"), Respond(), run("three"), tools=TOOLS)
    return Written(scenario).run("t").called("one").replied(ASKS).pending(id="c1")


def test_a_run_interrupts_one_that_waits():
    view, second = last(waiting_run().run("t").called("two"))
    assert model.interrupts(view, second)
    assert model.contradicts(view, second)
    assert not model.interrupts(view, view.runs[0])
    answered = waiting_run().run("t").called("two").replied("2").returned("2").answered(0).called("one").replied("1").returned("1")
    view, third = last(answered.run("t").called("three"))
    assert not model.interrupts(view, third)
    assert not model.interrupts(*last(Written(flow()).run()))


def test_a_run_that_waited_is_overtaken_by_one_that_calls_the_service():
    overtaken = waiting_run().run("t").called("two").replied("2").returned("2").answered(0).called("one").replied("1")
    view, second = last(overtaken)
    assert model.overtaken(view, view.runs[0])
    assert not model.overtaken(view, second)
    refused = waiting_run().run("t").raised("conflict").answered(0).called("one").replied("1")
    view, _ = last(refused)
    assert not model.overtaken(view, view.runs[0])
    view, _ = last(waiting_run().run("t").called("two"))
    assert not model.overtaken(view, view.runs[0])


def test_a_contradiction_is_let_through_where_it_calls_the_service():
    scenario = two("local", STORE, service=ONE_ID)
    view, second = last(went(Written(scenario)).run("t").called("two"))
    assert [other.number for other in model.accepted(view, second)] == [0]
    view, second = last(Written(scenario).run("t").raised("conflict").run("t").called("two"))
    assert model.accepted(view, second) == []
    view, second = last(went(Written(talk())).run("t").called("two"))
    assert model.accepted(view, second) == []


@pytest.mark.parametrize(
    ("agent", "history", "other", "same"),
    [
        ("a", "provider", "provider", True),
        ("b", "default", "default", True),
        ("b", "default", "provider", False),
        ("b", "provider", "default", False),
        ("b", "provider", "provider", False),
    ],
)
def test_two_runs_find_one_history_on_one_agent_or_where_the_thread_keeps_it(agent, history, other, same):
    scenario = talk("local", run("one"), run("two", agent=agent), b=AgentSpec(history=other), history=history)
    view, second = last(went(Written(scenario)).run("t").called("two", agent=agent))
    assert model.one_history(view.runs[0], second) == same
