"""The adapter for agent-framework translates one to one: what it shows is the framework's, its faults included."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings

pytest.importorskip("agent_framework", reason="the extra 'agent-framework' is not installed")

from agent_framework import Agent, AgentSession, Content
from agent_framework import Message as NativeMessage
from agent_framework_samples import (
    BY_DEFAULT,
    CANCELLED,
    FAILS,
    NEW_IDS,
    ONCE,
    PAY,
    TOOLS,
    TWICE,
    WEATHER,
    happened,
    of,
    restored,
    run,
    turns,
)

from conformance.adapters.agent_framework.adapter import AgentFramework
from conformance.adapters.agent_framework.clients import ScriptedClient, StoringClient
from conformance.adapters.agent_framework.history import Kept
from conformance.adapters.agent_framework.messages import said, to_native, to_neutral
from conformance.adapters.agent_framework.openai import AgentFrameworkOpenAI
from conformance.adapters.agent_framework.sessions import Handed, Thread
from conformance.harness.runner import perform
from conformance.reference.implementation import Reference
from conformance.scenario.scenario import CreateThread, Damage, Respond, Run, RunWorkflow, Scenario, Serialize, Tamper, Together
from conformance.scenario.specs import (
    AgentSpec,
    CallSpec,
    ContextSpec,
    ExecutorSpec,
    ManagerSpec,
    OnConflict,
    ReplySpec,
    ServiceSpec,
    ToolSpec,
    WorkflowSpec,
)
from conformance.strategies import scenarios
from conformance.trace.adapter_events import (
    Chunk,
    Idle,
    Observed,
    Output,
    Raised,
    RequestPending,
    Restored,
    RunReturned,
    Serialized,
    ThreadDescribed,
)
from conformance.trace.exchange import Turn
from conformance.trace.harness_events import Broke, ContextInvoked, HistoryLoaded, Refused, ServiceCalled, ToolReturned
from conformance.trace.messages import Call, Message, Result, parts
from conformance.world.world import World

AGREED = {
    "local": turns(run("one"), run("two", stream=True), run("three")),
    "local on a service that stores by default": turns(
        run("one"), run("two"), service=ServiceSpec(keeps="new_ids", stores_by_default=True)
    ),
    "hosted with tools": turns(run("one", TWICE, ONCE), run("two", ONCE, stream=True), kind="hosted", service=NEW_IDS),
    "local with tools": turns(run("one", TWICE, ONCE), run("two", TWICE, stream=True), run("three")),
    "an empty reply": turns(run("one", ReplySpec()), run("two", ReplySpec(), stream=True), run("three")),
    "per run": turns(run("one", TWICE), run("two", ONCE, FAILS), run("three", stream=True), history="provider"),
    "per service call": turns(
        run("one", TWICE, ONCE), run("two", ONCE, FAILS), run("three", stream=True), history="provider", per_service_call=True
    ),
    "terminated per service call": turns(
        run("one", TWICE),
        run("two"),
        history="provider",
        per_service_call=True,
        tools={"weather": ToolSpec(terminates=True)},
    ),
    "approved": turns(run("one", PAY), Respond(), run("two")),
    "approved in a stream": turns(run("one", PAY, stream=True), Respond(stream=True), run("two", stream=True)),
    "approved one after the other": turns(
        run("one", ReplySpec(calls=(CallSpec(tool="pay"), CallSpec(tool="pay")))), Respond(), Respond(), run("two")
    ),
    "approved one after the other, per run": turns(
        run("one", ReplySpec(calls=(CallSpec(tool="pay"), CallSpec(tool="pay")))), Respond(), Respond(), history="provider"
    ),
    "approved per service call": turns(run("one", PAY), Respond(), run("two"), history="provider", per_service_call=True),
    "approved on a hosted thread": turns(run("one", PAY), Respond(), run("two"), kind="hosted", service=NEW_IDS),
    "in flight together": Scenario(
        agents={"a": AgentSpec()},
        steps=(
            CreateThread(thread="t", agent="a"),
            CreateThread(thread="u", agent="a"),
            Together(runs=(Run(thread="t", say=("1",)), Run(thread="u", say=("2",), stream=True)), order=(1, 0)),
            Run(thread="t", say=("3",)),
        ),
    ),
    "with an id": turns(run("one"), run("two", stream=True), kind="hosted", with_id=True, service=NEW_IDS),
    "adaptive, becoming hosted": turns(run("one", FAILS), run("one", ONCE, stream=True), kind="adaptive", service=BY_DEFAULT),
    "adaptive, becoming local": turns(run("one", FAILS, stream=True), run("one", ONCE), kind="adaptive"),
    "restored": turns(run("one", TWICE), *restored(), run("two", on="u"), run("three")),
    "restored as hosted": turns(run("one"), *restored(), run("two", on="u"), run("three"), kind="hosted", service=NEW_IDS),
    "restored before its first run": turns(*restored(), run("one", on="u"), run("two"), kind="hosted", service=NEW_IDS),
    "restored on another agent": turns(
        run("one"), *restored(agent="b"), run("two", on="u"), others={"b": AgentSpec(service=BY_DEFAULT)}
    ),
    "shared": turns(run("one"), run("two", agent="b", stream=True), run("three"), others={"b": AgentSpec()}),
    "cancelled": turns(run("one"), run("two", ONCE, CANCELLED), run("three", CANCELLED, stream=True), run("four")),
    "reduced": turns(run("one", TWICE), run("two"), run("three", stream=True), reduces_to=3),
}


@pytest.mark.parametrize("scenario", AGREED.values(), ids=AGREED)
def test_where_framework_and_specification_agree_the_world_sees_what_it_sees_of_the_reference(scenario):
    # The framework appends an approval that leaves others open: an append without any message, which the reference does not make.
    seen = [each for each in happened(scenario, AgentFramework) if each != ("appended", [])]
    assert seen == happened(scenario, Reference)


def test_a_message_is_translated_there_and_back():
    calls = (Call(id="1", tool="w", arguments={"city": "Oslo"}), Call(id="2", tool="w"))
    results = (Result(id="1", value="sunny"), Result(id="2", value="no map", error=True))
    for message in (
        Message(role="user", text="hi"),
        Message(role="assistant", text="wait", calls=calls, author="a"),
        Message(role="tool", results=results),
        Message(role="assistant"),
    ):
        assert to_neutral(to_native(message)) == message


def test_a_message_that_carries_approvals_says_of_which_calls():
    call = Content.from_function_call("1", "pay", arguments='{"to": "Ann"}', id="x")
    request = Content.from_function_approval_request("x", call)
    asked = Message(role="assistant", approvals=("1",))
    assert to_neutral(NativeMessage("assistant", [request])) == asked
    assert parts([asked]) == []
    calls = (Call(id="1", tool="pay", arguments={"to": "Ann"}),)
    both = Message(role="assistant", calls=calls, approvals=("1",))
    assert said([NativeMessage("assistant", [call, request])]) == (both,)
    assert said([NativeMessage("user", [request.to_function_approval_response(True)])]) == (Message(role="user", approvals=("1",)),)


def test_what_the_history_store_answers_is_what_is_loaded():
    world = World(Scenario(agents={"a": AgentSpec()}))
    store = world.history("a")
    provider = Kept(store)
    call = Content.from_function_call("1", "pay", id="x")
    asked = NativeMessage("assistant", [call, Content.from_function_approval_request("x", call)], message_id="m")

    async def loaded():
        await provider.save_messages("s", [NativeMessage("user", ["hi"]), asked])
        whole = await provider.get_messages("s")
        store._kept["s"].pop(0)
        return whole, await provider.get_messages("s")

    whole, shortened = asyncio.run(loaded())
    assert [message.message_id for message in whole] == [None, "m"]
    assert [content.type for content in shortened[0].contents] == ["function_call", "function_approval_request"]
    assert len(shortened) == 1


def test_options_are_passed_on_and_contradictions_are_not_repaired():
    other = turns(run("one"), run("two", conversation_id="other"), kind="hosted", service=NEW_IDS)
    assert [call.conversation_id for call in of(other, ServiceCalled)] == [None, "a-2"]
    contradicts = turns(run("one"), run("two", store=False), kind="hosted", service=NEW_IDS)
    assert [(call.store, call.conversation_id) for call in of(contradicts, ServiceCalled)] == [(True, None), (False, "a-1")]


def test_a_thread_shows_a_service_id_and_local_messages_side_by_side():
    twice = turns(run("one"), run("two", store=True), service=NEW_IDS)
    last = of(twice, ThreadDescribed)[-1]
    assert (last.kind, last.conversation_id, parts(last.messages)[-1]) == ("hosted", "a-1", ("assistant", "a answers 2.1"))
    fresh = of(turns(kind="hosted", service=NEW_IDS), ThreadDescribed)[0]
    assert (fresh.kind, fresh.conversation_id) == (None, None)


def test_a_conversation_id_where_per_service_call_persistence_keeps_the_history_is_a_conflict():
    surprised = turns(run("one"), per_service_call=True, history="provider", service=ServiceSpec(keeps="one_id", surprising=True))
    assert [event.kind for event in of(surprised, Raised)] == ["conflict"]


def test_the_state_of_context_providers_is_shown_under_their_ids():
    contexts = {"c": ContextSpec(adds=("hint",)), "d": ContextSpec()}
    last = of(turns(run("one"), run("two"), context=contexts), ThreadDescribed)[-1]
    assert last.context == {"c": {"runs": 2}, "d": {"runs": 2}}


@pytest.mark.parametrize(
    "agent",
    [{"client_as_is": True, "decorated": True}, {"on_conflict": OnConflict(throw=False)}],
    ids=["decorated", "conflict switches"],
)
def test_what_the_framework_cannot_express_is_refused(agent):
    assert not of(turns(run("one"), **agent), ServiceCalled)
    assert of(turns(run("one"), **agent), Refused)


def test_another_seam_replaces_the_chat_client_alone():
    made = []

    class Other(AgentFramework):
        def make_client(self, name, spec):
            made.append(name)
            return ScriptedClient(service=self.world.service(name))

    assert perform(turns(run("one")), Other).broken is None
    assert made == ["a"]


def test_a_thread_as_data_is_what_the_session_gives():
    hosted = turns(run("one"), Serialize(thread="t"), kind="hosted", service=NEW_IDS, context={"c": ContextSpec()})
    data = {"type": "session", "session_id": "id-1", "service_session_id": "a-1", "state": {"c": {"runs": 1}}}
    assert [event.data for event in of(hosted, Serialized)] == [data]


def test_what_the_session_says_of_malformed_data_passes_through():
    def end(how, at):
        return of(turns(run("one"), *restored(damage=Damage(how=how, at=at))), Raised, Restored)[0]

    refused = end("drop", 3)
    assert (refused.kind, refused.native) == ("invalid", "ValueError")
    assert refused.text == "Failed to deserialize registered state type 'message' at state.in_memory.messages[0]."
    assert end("drop", 1).messages == ()
    assert "has no attribute" in end("retype", 2).flaw


def with_client(*, stores_by_default: bool = False, **options) -> Agent:
    client = StoringClient if stores_by_default else ScriptedClient
    return Agent(client(service=World(Scenario(agents={"a": AgentSpec()})).service("a")), default_options=options)


def test_of_a_session_that_nobody_asked_for_nothing_is_said():
    adapter = AgentFramework()
    agent = with_client(stores_by_default=True)
    thread = asyncio.run(adapter.restore_thread(agent, AgentSession(session_id="s").to_dict()))
    assert Handed(agent, thread, [], Turn()).arguments()["options"] == {}


@pytest.mark.parametrize(
    ("kind", "agent", "said"),
    [
        ("local", with_client(), {}),
        ("local", with_client(stores_by_default=True), {"store": False}),
        ("local", with_client(stores_by_default=True, store=False), {}),
        ("hosted", with_client(), {"store": True}),
        ("hosted", with_client(stores_by_default=True), {}),
        ("hosted", with_client(stores_by_default=True, store=False), {"store": True}),
    ],
)
def test_of_storing_is_said_what_the_kind_of_a_thread_needs_and_no_more(kind, agent, said):
    assert Handed(agent, Thread(AgentSession(), kind), []).arguments()["options"] == said


def test_of_a_local_session_that_got_an_id_of_the_service_nothing_is_said():
    session = AgentSession(service_session_id="s")
    assert Handed(with_client(stores_by_default=True), Thread(session, "local"), []).arguments()["options"] == {}


def test_options_are_passed_on_without_a_thread_too():
    assert Handed(with_client(), None, [], Turn(store=True)).arguments() == {"session": None, "options": {"store": True}}


def test_a_conversation_id_alone_is_said_on_a_local_thread():
    called = of(turns(run("one", conversation_id="other")), ServiceCalled)
    assert [(call.store, call.conversation_id) for call in called] == [(None, "a-1")]


def test_what_the_caller_handed_over_is_read_again():
    message, thread = NativeMessage("user", ["hi"]), Thread(AgentSession(), "local")
    given = Turn(messages=(Message(role="user", text="hi"),))
    handed = Handed(with_client(stores_by_default=True), thread, [message], given)
    options = handed.arguments()["options"]
    assert options == {"store": False}
    assert handed.given() == Turn(messages=(Message(role="user", text="hi"),))
    message.contents[0].text = "changed"
    handed.messages.append(NativeMessage("user", ["more"]))
    options.update(store=True, conversation_id="x")
    changed = tuple(Message(role="user", text=text) for text in ("changed", "more"))
    assert handed.given() == Turn(messages=changed, store=True, conversation_id="x")


def test_only_what_the_framework_says_to_refuse_is_invalid():
    def raised(error: Exception, module: str) -> Exception:
        scope = {"__name__": module, "error": error}
        with pytest.raises(type(error)) as caught:
            exec("raise error", scope)
        return caught.value

    adapter, says = AgentFramework(), "FanOutEdgeGroup must contain at least two targets."
    edges = "agent_framework._workflows._edge"
    assert adapter.error_kind(raised(ValueError(says), edges)) == "invalid"
    for error, module in ((ValueError(says), "elsewhere"), (ValueError("no"), edges), (TypeError(says), edges)):
        assert adapter.error_kind(raised(error, module)) == "other"


def test_what_is_chosen_is_listed():
    for kind in (AgentFramework, AgentFrameworkOpenAI):
        assert len({choice.of for choice in kind.choices}) == len(kind.choices) > 5
        assert all(text for choice in kind.choices for text in (choice.of, choice.chosen, choice.why, choice.default))


def test_whoever_tampers_reaches_what_a_session_keeps_but_not_what_a_store_keeps():
    kept = of(turns(run("one", ONCE), Tamper(thread="t")), ThreadDescribed)[-1]
    texts = [message.text for message in kept.messages]
    assert texts == ["what the caller wrote over it"] * 2 + ["", "what the caller wrote over it"]
    loaded = of(turns(run("one"), Tamper(thread="t"), run("two"), history="provider"), HistoryLoaded)[-1]
    assert parts(loaded.messages) == [("user", "one"), ("assistant", "a answers 1.1")]


def test_an_observer_looks_before_a_run_and_when_its_stream_has_ended_but_not_after_a_failure():
    scenario = turns(run("one", stream=True), run("two", FAILS, stream=True), run("three", FAILS), observed=True)
    looks = [(look.run, look.moment, len(look.messages)) for look in of(scenario, Observed)]
    assert looks == [(0, "before", 0), (0, "after", 2), (1, "before", 2), (2, "before", 2)]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_an_agent_as_a_tool_runs_on_a_session_of_its_own(stream):
    ask = ReplySpec(calls=(CallSpec(tool="ask", arguments={"task": "look"}),))
    others = {"b": AgentSpec(service=BY_DEFAULT, tools=TOOLS)}
    first = run("one", ask, inner={"b": (ReplySpec(calls=(WEATHER,)), ReplySpec(text="fine"))}, stream=stream)
    scenario = turns(first, run("two"), kind="hosted", service=NEW_IDS, tools={"ask": ToolSpec(agent="b")}, others=others)
    called = [(call.agent, call.store, call.conversation_id) for call in of(scenario, ServiceCalled)]
    outer = [("a", True, "a-1"), ("a", True, "a-2")]
    assert called == [("a", True, None), ("b", None, None), ("b", None, "b-1"), *outer]
    asked = of(scenario, ServiceCalled)[1].messages
    assert parts(asked) == [("user", "look")]
    assert of(scenario, RunReturned)[0].messages[1].results[0].value == "fine"


def test_context_providers_are_passed_on_as_they_are_and_hear_what_the_framework_tells():
    twice = {"c": ContextSpec(id="same"), "d": ContextSpec(id="same")}
    told = of(turns(run("one"), run("two", FAILS), run("three", CANCELLED), context=twice), ContextInvoked)
    assert [(event.run, event.provider, event.state) for event in told] == [(0, "same", {"runs": 1}), (0, "same", {"runs": 2})]


def test_on_the_wire_conversations_have_the_names_of_the_wire():
    for keeps in ("one_id", "new_ids"):
        scenario = turns(
            run("one", conversation_id="other"), kind="hosted", with_id=True, service=ServiceSpec(keeps=keeps, strict=True)
        )
        named = of(scenario, ThreadDescribed, ServiceCalled, by=AgentFrameworkOpenAI)
        assert [event.conversation_id for event in named] == ["a-1", "a-2", {"one_id": "a-2", "new_ids": "a-3"}[keeps]]


def test_on_the_wire_an_agent_says_that_its_service_does_not_store_by_default():
    for service, says in ((ServiceSpec(), False), (NEW_IDS, False), (BY_DEFAULT, None)):
        called = of(turns(run("one"), run("two"), kind="adaptive", service=service), ServiceCalled, by=AgentFrameworkOpenAI)
        assert [call.store for call in called] == [says, says]


def workflow(pattern, *steps, participants=("a", "b"), nested=None, **spec) -> Scenario:
    workflows = {"w": WorkflowSpec(pattern=pattern, participants=participants, **spec), **(nested or {})}
    return Scenario(agents={name: AgentSpec(tools=TOOLS) for name in "abc"}, workflows=workflows, steps=steps)


def go(**options) -> RunWorkflow:
    manager = ManagerSpec(picks=("a", "b"), answer="done")
    return RunWorkflow(workflow="w", say=("go",), manager=manager, **options)


ANSWERS = {
    "sequential": [("b", "b answers 1.1")],
    "concurrent": [("aggregator", "a answers 1.1 b answers 1.1")],
    "group_chat": [("manager", "done")],
    "magentic": [("magentic_orchestrator", "done")],
    "handoff": [("a", "a answers 1.1")],
}


@pytest.mark.parametrize("pattern", ANSWERS)
def test_every_orchestration_shows_its_outputs_by_the_type_of_their_events(pattern):
    outputs = of(workflow(pattern, go()), Output)
    assert [(output.executor, " ".join(m.text for m in output.messages)) for output in outputs] == ANSWERS[pattern]
    assert all(output.completed and output.payload == "response" for output in outputs)
    shown = of(workflow(pattern, go(), intermediate_outputs=True), Output)
    assert [output.executor for output in shown if not output.completed] == (["a"] if pattern == "handoff" else ["a", "b"])


@pytest.mark.parametrize("pattern", ["sequential", "handoff"])
def test_where_the_answer_is_a_participants_asking_for_intermediate_outputs_takes_it_away(pattern):
    assert not any(output.completed for output in of(workflow(pattern, go(), intermediate_outputs=True), Output))


@pytest.mark.parametrize("pattern", ANSWERS)
def test_a_streamed_orchestration_shows_every_update_as_a_chunk(pattern):
    events = of(workflow(pattern, go(stream=True)), Chunk, Output, Idle)
    marked = [(event.executor, event.completed) for event in events[:-1]]
    assert all(completed for _, completed in marked)
    assert marked[-1][0] == ANSWERS[pattern][-1][0]
    assert events[-1] == Idle(step=0, run=0)


@pytest.mark.parametrize("pattern", ANSWERS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("as_agent", [False, True], ids=["direct", "as agent"])
def test_a_pending_request_is_reported_and_answered_in_every_orchestration(pattern, stream, as_agent):
    replies = {"b": (PAY, ReplySpec(text="B"))} | ({"a": (ReplySpec(handoff="b"),)} if pattern == "handoff" else {})
    scenario = workflow(pattern, go(replies=replies, stream=stream, as_agent=as_agent), Respond(stream=stream))
    events = of(scenario, RequestPending, ToolReturned, Idle, Raised)
    call = "call-2" if pattern == "handoff" else "call-1"
    pending = RequestPending(step=0, run=0, executor=None if as_agent else "b", tool="pay", call=call, id="request-1")
    assert events[0] == pending
    assert [event.value for event in events if isinstance(event, ToolReturned)] == ["paid"]
    assert [event.pending for event in events if isinstance(event, Idle)] == ([] if as_agent else [None, 0])
    assert not any(isinstance(event, Raised) for event in events)


def test_a_participant_that_hands_over_goes_on_until_one_answers():
    replies = {"a": (ReplySpec(text="to b", handoff="b"),), "b": (ReplySpec(text="back", handoff="a"),)}
    called = of(workflow("handoff", go(replies=replies), go()), ServiceCalled)
    assert [call.agent for call in called] == ["a", "b", "a", "a"]


def test_a_handoff_beside_others_is_not_over_because_one_of_them_answered():
    nested = {"child": WorkflowSpec(pattern="handoff", participants=("a", "b"))}
    for pattern in ("sequential", "concurrent"):
        replies = {"a": (ReplySpec(text="to b", handoff="b"),)}
        called = of(workflow(pattern, go(replies=replies), participants=("c", "child"), nested=nested), ServiceCalled)
        assert sorted(call.agent for call in called) == ["a", "b", "c"]


def test_an_author_written_workflow_runs_stage_after_stage():
    executors = {"x": ExecutorSpec(emits=("1", "2")), "y": ExecutorSpec(emits=("3",)), "z": ExecutorSpec(completes="4")}
    spec = {"stages": (("x", "y"), ("z",)), "executors": executors, "participants": ()}
    shown = of(workflow("custom", go(), go(), intermediate_outputs=True, **spec), Output)
    first = [(output.executor, output.messages[0].text, output.completed) for output in shown if output.run == 0]
    assert sorted(first[:3]) == [("x", "1", False), ("x", "2", False), ("y", "3", False)]
    assert first[3:] == [("z", "4", True)]
    assert len(shown) == 8
    hidden = of(workflow("custom", go(), **spec), Output)
    assert [output.executor for output in hidden] == ["z"]
    both = {"stages": (("x",),), "executors": {"x": ExecutorSpec(emits=("1",), completes="2")}, "participants": ()}
    assert of(workflow("custom", go(), **both), Refused)


def test_a_request_that_waits_elsewhere_does_not_hide_that_a_workflow_waits():
    base = workflow("sequential")
    steps = (CreateThread(thread="t", agent="b"), run("one", PAY), go(replies={"b": (PAY,)}))
    scenario = Scenario(agents=base.agents, workflows=base.workflows, steps=steps)
    assert [event.pending for event in of(scenario, Idle)] == [None]


@pytest.mark.parametrize("area", ["threads", "persistence", "orchestration"])
def test_no_generated_scenario_breaks_the_adapter(area):
    @settings(max_examples=40, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(scenarios(area, AgentFramework.capabilities))
    def check(scenario):
        broken = [event for event in perform(scenario, AgentFramework).events if isinstance(event, Broke)]
        assert not broken

    check()
