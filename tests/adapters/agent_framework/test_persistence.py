"""What the adapter for agent-framework translates of persistence: limits, faults of the store, abandoned streams, own stacks."""

import pytest

pytest.importorskip("agent_framework", reason="the extra 'agent-framework' is not installed")

from agent_framework_samples import NEW_IDS, PAY, TOOLS, TWICE, WEATHER, happened, of, run, turns

from conformance.adapters.agent_framework.adapter import AgentFramework
from conformance.adapters.agent_framework.openai import AgentFrameworkOpenAI
from conformance.reference.implementation import Reference
from conformance.scenario.scenario import Respond
from conformance.scenario.specs import CallSpec, ReplySpec, ServiceSpec, ToolSpec
from conformance.trace.adapter_events import Raised
from conformance.trace.harness_events import Abandoned, HistoryAppended, HistoryLoaded, RunStarted, ServiceCalled, Warned
from conformance.trace.messages import parts

SEAMS = pytest.mark.parametrize("by", [AgentFramework, AgentFrameworkOpenAI], ids=lambda by: by.name)
TIMINGS = pytest.mark.parametrize("per_service_call", [False, True], ids=["per run", "per service call"])
WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
CALLS = ReplySpec(calls=(WEATHER,))
LONG = ReplySpec(calls=(WEATHER, CallSpec(tool="weather", cancelled=True)))
END = ReplySpec(calls=(CallSpec(tool="end"),))
ENDING = {**TOOLS, "end": ToolSpec(returns="over", terminates=True)}

AGREED = {
    "a limit": ({"limit": 2}, lambda way: [run("one", CALLS, TWICE, CALLS, CALLS, **way), run("two")]),
    "a limit on a hosted thread": (
        {"limit": 1, "kind": "hosted", "service": NEW_IDS, "history": "default"},
        lambda way: [run("one", CALLS, CALLS, CALLS, **way), run("two")],
    ),
    "cancelled in a tool": ({}, lambda way: [run("one", CALLS, LONG, **way), run("two")]),
    "loads fail": ({}, lambda way: [run("one", load_fails=0, **way), run("two", CALLS, load_fails=1, **way), run("three")]),
    "appends fail": ({}, lambda way: [run("one", append_fails=0, **way), run("two", CALLS, append_fails=1, **way), run("three")]),
    "results supplied": (
        {"tools": ENDING},
        lambda way: [run("one", CALLS, END, **way), run("two", supplies=True, **way), run("three")],
    ),
    "call ids that come back": (
        {"service": ServiceSpec(repeats_call_ids=True)},
        lambda way: [run("one", TWICE, **way), run("two", CALLS, **way), run("three")],
    ),
    "rejected, then approved": (
        {},
        lambda way: [run("one", PAY, **way), Respond(approve=False, **way), run("two", PAY, **way), Respond(**way), run("three")],
    ),
    "empty texts": ({}, lambda way: [run("", ReplySpec(), **way), run("", **way), run("three")]),
}


@SEAMS
@TIMINGS
@WAYS
@pytest.mark.parametrize(("agent", "steps"), AGREED.values(), ids=AGREED)
def test_where_framework_and_specification_agree_both_seams_show_it(agent, steps, stream, per_service_call, by):
    scenario = turns(*steps({"stream": stream}), **{"history": "provider", "per_service_call": per_service_call, **agent})
    # As in the tests of the adapter: an approval alone is an append without any message.
    assert [each for each in happened(scenario, by) if each != ("appended", [])] == happened(scenario, Reference)


@SEAMS
@TIMINGS
def test_an_agent_that_is_rebuilt_goes_on_with_the_history_provider_that_it_had(per_service_call, by):
    steps = run("one", PAY), Respond(), run("two", CALLS, per_service_call=not per_service_call), run("three")
    scenario = turns(*steps, history="provider", per_service_call=per_service_call)
    assert [each for each in happened(scenario, by) if each != ("appended", [])] == happened(scenario, Reference)


@SEAMS
@WAYS
def test_the_framework_s_own_bound_on_failing_tools_ends_in_a_request_that_forbids_them(stream, by):
    fails = [ReplySpec(calls=(CallSpec(tool="map"),))] * 5
    called = of(turns(run("one", *fails, stream=stream), tools={"map": ToolSpec(raises="no map")}), ServiceCalled, by=by)
    assert [call.forbids_tools for call in called] == [False, False, False, True]


@SEAMS
@WAYS
def test_a_fault_of_the_store_comes_out_as_the_provider_s(stream, by):
    for fault in ({"load_fails": 0}, {"append_fails": 0}):
        raised = of(turns(run("one", stream=stream, **fault), history="provider"), Raised, by=by)
        assert [error.kind for error in raised] == ["provider"]


@SEAMS
def test_in_the_caller_s_own_stack_a_run_is_the_same(by):
    steps = run("one", CALLS), run("two", stream=True)
    for history in ("default", "provider"):
        assert happened(turns(*steps, history=history, client_as_is=True), by) == happened(turns(*steps, history=history), by)


@SEAMS
@pytest.mark.parametrize("history", ["default", "provider"])
def test_nothing_can_be_injected_into_the_caller_s_own_stack_and_the_framework_is_silent_about_it(history, by):
    scenario = turns(run("one", CALLS), run("two"), history=history, client_as_is=True, per_service_call=True)
    events = of(scenario, HistoryLoaded, HistoryAppended, Warned, ServiceCalled, by=by)
    assert {type(event) for event in events} == {ServiceCalled}
    assert parts(events[-1].messages) == [("user", "two")]


@SEAMS
@TIMINGS
@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_a_stream_that_its_consumer_leaves_is_closed_before_the_run_is_over(chunks, per_service_call, by):
    steps = run("one", CALLS, stream=True, abandons=chunks), run("two")
    scenario = turns(*steps, history="provider", per_service_call=per_service_call)
    events = of(scenario, Abandoned, HistoryAppended, ServiceCalled, by=by)
    left = next(place for place, event in enumerate(events) if isinstance(event, Abandoned))
    assert events[left].chunks == chunks
    assert {event.run for event in events[:left]} == {0}
    assert {event.run for event in events[left + 1 :]} == {1}


def test_what_came_of_an_abandoned_stream_is_stored_per_run_although_the_run_never_ended():
    # The telemetry of an agent asks for the final response when the stream is closed, and with that come the providers.
    for chunks, kept in ((1, ["assistant"]), (3, ["assistant", "call"])):
        told = ReplySpec(text="one moment", calls=(WEATHER,))
        appended = of(turns(run("one", told, stream=True, abandons=chunks), history="provider"), HistoryAppended)
        assert [part[0] for part in parts(appended[0].messages)] == ["user", *kept]


def test_a_call_that_was_left_with_half_of_its_arguments_is_sent_as_it_was_stored():
    scenario = turns(run("one", CALLS, stream=True, abandons=4), run("two"), history="provider")
    appended, called = (of(scenario, kind, by=AgentFrameworkOpenAI) for kind in (HistoryAppended, ServiceCalled))
    stored = [call.arguments for message in appended[0].messages for call in message.calls]
    assert [call.arguments for message in called[1].messages for call in message.calls] == stored == [{"": '{"city":'}]


def test_no_result_is_supplied_for_a_call_that_never_ran_although_its_id_had_one():
    told = ReplySpec(text="one moment", calls=(WEATHER,))
    steps = run("one", CALLS), run("two", told, stream=True, abandons=3), run("three", supplies=True)
    scenario = turns(*steps, history="provider", service=ServiceSpec(repeats_call_ids=True))
    assert [begun.supplied for begun in of(scenario, RunStarted)] == [(), (), ()]
