"""A run as rules read it, on traces written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from flows import flow
from kept import ASKS, PER_CALL, STOPS, SUNNY, TOOLS
from talks import run, talk
from written import Written, calls, message, results

from conformance.rules.run_view import RunView, latest_id
from conformance.scenario.scenario import Respond, Run
from conformance.scenario.specs import AgentSpec, ToolSpec
from conformance.trace.harness_events import (
    Abandoned,
    Broke,
    Cancelled,
    HistoryAppended,
    Refused,
    ServiceCalled,
    ToolReturned,
)
from conformance.trace.messages import Result

INNER = {"helper": ToolSpec(agent="b"), **TOOLS}


def last(written: Written) -> RunView:
    return written.view.runs[-1]


def begun(*runs: Run, **agent: Any) -> Written:
    """The first run on t begins: event 0."""
    return Written(talk("local", *runs, **agent)).run("t")


def waits(*ids: str | None) -> Written:
    """The run waits for so many answers, of which the scenario gives two."""
    written = begun(run("one"), Respond(), Respond(), run("two"), tools=TOOLS).called("one").replied(ASKS)
    for id in ids:
        written.pending(id=id)
    return written


# --- what was asked for ---


def test_a_run_on_a_thread_has_an_agent():
    assert (last(begun()).thread, last(begun()).agent_name) == ("t", "a")
    on_b = last(begun(run("one", agent="b"), b=AgentSpec(limit=3)))
    assert (on_b.agent_name, on_b.agent.limit) == ("b", 3)


def test_a_run_of_a_workflow_has_no_thread_and_no_options():
    whole = last(Written(flow()).run())
    assert (whole.thread, whole.in_background, whole.store, whole.named_id) == (None, False, None, None)


@pytest.mark.parametrize(
    ("options", "agent", "per_service_call"),
    [
        ({}, {}, False),
        ({}, PER_CALL, True),
        ({"per_service_call": True}, {}, True),
        ({"per_service_call": False}, PER_CALL, False),
    ],
)
def test_an_agent_may_be_rebuilt_for_a_run(options, agent, per_service_call):
    assert last(begun(run("one", **options), **agent)).agent.per_service_call is per_service_call


@pytest.mark.parametrize(
    ("options", "background", "store"),
    [({}, False, None), ({"background": True}, True, None), ({"store": True}, False, True), ({"store": False}, False, False)],
)
def test_the_options_of_a_run(options, background, store):
    one = last(begun(run("one", **options)))
    assert (one.in_background, one.store) == (background, store)


def test_the_conversation_that_a_run_names_is_the_one_that_was_there():
    assert last(Written(talk()).run("t", conversation_id="a-7")).named_id == "a-7"
    assert last(begun()).named_id is None


def test_the_input_begins_with_the_results_that_the_caller_supplies():
    scenario = talk("local", run("one", "two", supplies=True))
    one = last(Written(scenario).run("t", supplied=(Result(id="c10"), Result(id="c9"))))
    assert one.inputs == [("result", "c9"), ("result", "c10"), ("user", "one"), ("user", "two")]
    assert one.supplied == (Result(id="c10"), Result(id="c9"))


# --- its events and service calls ---


def both() -> Written:
    """Agent a has b as a tool; each calls its service."""
    written = begun(tools=INNER, b=AgentSpec()).called("one").replied(calls("c1", helper={"task": "x"}))
    written.spoke("b", "done", "x").called("one", calls("c1", helper={"task": "x"}), results(c1="done"))
    return written


def test_the_calls_of_an_inner_agent_are_not_the_runs_own():
    one = last(both())
    assert [(view.at, view.replied_at) for view in one.calls] == [(1, 2), (5, None)]
    assert [(view.at, view.replied_at, view.request.agent) for view in one.inner_calls] == [(3, 4, "b")]
    assert [at for at, _ in one.of(ServiceCalled)] == [1, 3, 5]
    assert [at for at, _ in one.own(ServiceCalled)] == [1, 5]


def test_all_events_of_a_workflow_are_its_own():
    whole = last(Written(flow()).run().spoke("a", "A", "go").spoke("b", "B", "go"))
    assert [at for at, _ in whole.own(ServiceCalled)] == [1, 3]


def test_replies_find_their_requests():
    written = begun().called("one").called("one").replied("second", call=1).replied("first", call=0)
    one = last(written)
    assert [view.reply.message.text for view in one.calls if view.reply] == ["first", "second"]
    assert [view.replied_at for view in one.calls] == [4, 3]


def test_what_happened_outside_of_a_run_is_not_the_runs():
    one = last(begun().called("one").described("t", "local").replied("1"))
    assert [at for at, _ in one.events] == [0, 1, 3]


# --- how it ended ---


@pytest.mark.parametrize(
    ("written", "ending"),
    [
        (begun().called("one").replied("1").returned("1"), "returned"),
        (begun().called("one").failed().raised("service"), "raised"),
        (begun().event(Cancelled), "cancelled"),
        (begun().event(Abandoned, chunks=2), "abandoned"),
        (begun().event(Refused, text="no word for it"), "refused"),
        (begun().event(Broke, cause="timeout", text="late"), "unknown"),
        (begun().raised().event(Broke, cause="crash", text="gone"), "unknown"),
        (begun().event(Cancelled).raised(), "raised"),
        (waits("c1"), "waiting"),
        (waits("c1").answered(0).called("x"), "returned"),
        (waits("c1", "c1").answered(0).called("x"), "returned"),
        (waits("c1", "c2").answered(0).called("x"), "waiting"),
        (waits(None, None).answered(0).called("x"), "waiting"),
        (waits("c1", "c2").answered(0).called("x").answered(0).called("x"), "returned"),
    ],
)
def test_the_ending_of_a_run(written, ending):
    one = last(written)
    assert one.ending == ending
    assert one.succeeded == (ending == "returned")


@pytest.mark.parametrize(
    ("written", "answered"),
    [
        (waits("c1"), 0),
        (waits("c1").answered(0).called("x").replied("1"), 1),
        (waits("c1", "c2").answered(0).called("x").answered(0).called("x"), 2),
    ],
)
def test_how_many_requests_were_answered(written, answered):
    assert last(written).answered_requests == answered


@pytest.mark.parametrize(("at", "waiting"), [(3, False), (4, True), (5, True), (6, False), (99, False)])
def test_a_run_waits_from_its_request_until_the_answer(at, waiting):
    one = last(waits("c1").described("t").answered(0).called("x").replied("1"))
    assert [event.step for _, event in one.events] == [1, 1, 1, 1, 2, 2]
    assert one.waits_at(at) == waiting


def test_an_error_is_the_first_one_that_the_caller_got():
    one = last(begun().called("one").raised("service").raised("other"))
    assert one.raised is not None
    assert (one.raised[0], one.raised[1].kind) == (2, "service")
    assert last(begun()).raised is None


@pytest.mark.parametrize(
    ("written", "sign"),
    [(begun().called("one").raised(), 1), (begun().loaded().raised(), 2), (begun().loaded().event(Cancelled), 0)],
)
def test_the_sign_of_a_run_is_its_first_request_its_error_or_its_beginning(written, sign):
    assert last(written).sign == sign


@pytest.mark.parametrize(("ended", "agent", "terminated"), [(True, "a", True), (False, "a", False), (True, "b", False)])
def test_a_tool_ends_the_loop(ended, agent, terminated):
    one = last(begun(tools=TOOLS).called("one").replied(STOPS).tool("c1", "stop", terminated=ended, agent=agent))
    assert one.terminated == terminated


@pytest.mark.parametrize(("limit", "cut"), [(None, False), (1, True), (2, False)])
def test_a_limit_cuts_a_run_short(limit, cut):
    asked = begun(tools=TOOLS, limit=limit).called("one").replied(ASKS).tool("c1").called("one", ASKS, SUNNY).replied("1")
    assert last(asked).cut_short == cut


# --- conversation ids ---


def with_ids(*ids: str | None, fails: bool = False) -> Written:
    """A run with a reply for each of these ids, and perhaps a last request that gets none."""
    written = begun()
    for id in ids:
        written.called("one").replied("1", conversation_id=id)
    return written.called("one").failed() if fails else written


@pytest.mark.parametrize(
    ("written", "brought", "all_with_ids", "latest"),
    [
        (with_ids(), False, True, None),
        (with_ids(None), False, False, None),
        (with_ids("a-1"), True, True, "a-1"),
        (with_ids("a-1", "a-2"), True, True, "a-2"),
        (with_ids("a-1", None), True, False, "a-1"),
        (with_ids("a-1", fails=True), True, False, "a-1"),
        (with_ids(fails=True), False, False, None),
    ],
)
def test_replies_bring_ids(written, brought, all_with_ids, latest):
    one = last(written)
    assert (one.brought_id, one.answered_with_ids, latest_id([one])) == (brought, all_with_ids, latest)


@pytest.mark.parametrize(("before", "latest"), [(0, None), (1, "a-1"), (2, "a-2"), (None, "a-3")])
def test_the_latest_id_before_a_call(before, latest):
    first = with_ids("a-1", "a-2").run("t").called("two").replied("2", conversation_id="a-3")
    assert latest_id(first.view.runs, before=before) == latest


# --- what was said ---

ASKED = [("user", "one"), ("call", "c1", "weather", "{}")]
TOLD = [*ASKED, ("result", "c1"), ("assistant", "1")]


def looped() -> Written:
    return begun(tools=TOOLS).called("one").replied(ASKS).tool("c1").called("one", ASKS, SUNNY).replied("1").returned("1")


def test_what_is_new_in_a_request_is_the_input_or_the_results():
    one = last(looped())
    assert one.new_in(0) == [("user", "one")]
    assert one.new_in(1) == [("result", "c1")]
    assert last(begun().called("one").failed().called("one")).new_in(1) == []


def test_what_happened_in_a_run():
    one = last(looped())
    assert one.happened() == TOLD
    assert one.happened(trailing=False) == TOLD
    assert one.happened(before=1) == TOLD[:3]
    assert one.happened(before=0) == TOLD[:1]


@pytest.mark.parametrize(
    ("written", "results"),
    [
        (begun(tools=TOOLS).called("one").replied(ASKS), []),
        (begun(tools=TOOLS).called("one").replied(ASKS).tool("c1"), [("result", "c1")]),
        (begun(tools=TOOLS).called("one").replied(ASKS).tool_raised("c1"), [("result", "c1")]),
        (begun(tools=TOOLS).called("one").replied(ASKS).tool("c1", agent="b"), []),
    ],
)
def test_trailing_results_are_those_of_calls_whose_tools_ran(written, results):
    assert last(written).happened() == [*ASKED, *results]
    assert last(written).happened(trailing=False) == ASKED


def test_a_text_beside_calls_is_said_before_them():
    one = last(begun(tools=TOOLS).called("one").replied(calls("c1", text="let me see", weather={"city": "Oslo"})))
    assert one.happened() == [("user", "one"), ("assistant", "let me see"), ("call", "c1", "weather", '{"city": "Oslo"}')]


def test_what_a_run_appends():
    written = begun(history="provider", b=AgentSpec()).appended().appended("one", "=1").appended("x", agent="b").appended("=2")
    one = last(written)
    assert [at for at, _ in one.stored] == [2, 4]
    assert one.stored_messages == [message("one"), message("=1"), message("=2")]
    assert [at for at, _ in one.own(HistoryAppended)] == [1, 2, 4]


def test_what_an_implementation_declared_is_at_hand():
    assert last(Written(talk(), store_conflict="raise").run("t")).policies.store_conflict == "raise"
    assert last(begun().tool("c1")).of(ToolReturned)[0][1].value == "sunny"


# --- what a run leaves open ---


def test_a_run_may_have_left_its_last_calls_open_and_any_where_it_failed():
    asks = begun(tools=TOOLS).called("one").replied(ASKS)
    assert not last(begun().called("one")).perhaps_open
    assert [call.id for call in last(asks).perhaps_open] == ["c1"]
    answered = asks.tool("c1").called("one", ASKS, SUNNY).replied("1")
    assert not last(answered).perhaps_open
    assert [call.id for call in last(answered.raised()).perhaps_open] == ["c1"]


def test_what_is_sent_is_read_without_what_closes_an_open_call():
    asks, lost = calls("c0", weather={}), results(c0="interrupted")
    run_view = last(begun(tools=TOOLS).called(lost, "one", held=("zero", asks)).replied(ASKS).called(SUNNY, held=(ASKS,)))
    assert run_view.own_calls == {"c1"}
    assert [run_view.sent_in(view) for view in run_view.calls] == [[message("one")], [SUNNY]]


def test_a_run_is_refused_at_once_or_as_a_conflict():
    assert last(begun().raised("invalid")).refused_at_once
    assert not last(begun().raised("conflict")).refused_at_once
    assert not last(begun().called("one").raised("invalid")).refused_at_once
