"""What the adapter for agent-framework does with workflows: one to one, with what the framework makes of them."""

import pytest

pytest.importorskip("agent_framework", reason="the extra 'agent-framework' is not installed")

from agent_framework_samples import PAY, TOOLS, of

from conformance.scenario.scenario import Respond, RunWorkflow, Scenario, Together
from conformance.scenario.specs import AgentSpec, ExecutorSpec, ManagerSpec, ReplySpec, WorkflowSpec
from conformance.trace.adapter_events import Chunk, Failed, Idle, Output, Raised, RequestPending, RunReturned
from conformance.trace.harness_events import Abandoned, ServiceCalled
from conformance.trace.messages import parts

DONE = {"z": ExecutorSpec(completes="done")}
ASKS = {"x": ExecutorSpec(emits=("1",), asks=True), **DONE}
PAID = {"b": (PAY, ReplySpec(text="paid"))}


def workflow(pattern, *steps, participants=("a", "b"), children=None, **spec) -> Scenario:
    workflows = {"w": WorkflowSpec(pattern=pattern, participants=participants, **spec), **(children or {})}
    return Scenario(agents={name: AgentSpec(tools=TOOLS) for name in "abc"}, workflows=workflows, steps=steps)


def author_written(*steps, stages, executors=DONE, participants=(), **more) -> Scenario:
    return workflow("custom", *steps, stages=stages, executors=executors, participants=participants, **more)


def go(text="go", *, picks=None, stalls=(), errs=False, **options) -> RunWorkflow:
    manager = ManagerSpec(picks=picks, answer="the end", stalls=stalls, errs=errs) if picks is not None else ManagerSpec()
    return RunWorkflow(**{"workflow": "w", "say": (text,), "manager": manager, **options})


def texts(scenario, *kinds) -> list[str]:
    return [" ".join(message.text for message in event.messages) for event in of(scenario, *(kinds or (Output,)))]


def sent(scenario) -> list[tuple[str, list[str]]]:
    return [(call.agent, [text for role, text in parts(call.messages) if role != "call"]) for call in of(scenario, ServiceCalled)]


@pytest.mark.parametrize("stream", [False, True])
def test_what_an_authors_aggregator_answers_is_the_answer(stream):
    (output,) = of(workflow("concurrent", go(stream=stream), aggregates="in short"), Output)
    assert (output.completed, output.payload) == (True, "text")
    assert [(message.text, message.author) for message in output.messages] == [("in short", None)]


def test_a_limit_on_rounds_ends_a_run_with_the_frameworks_own_words():
    for pattern, words in (("group_chat", "the maximum number of rounds"), ("magentic", "maximum round count")):
        scenario = workflow(pattern, go(picks=("a", "b", "a")), max_rounds=2)
        assert [agent for agent, _ in sent(scenario)] == ["a", "b"]
        (answer,) = texts(scenario)
        assert words in answer


def test_stalls_make_magentic_begin_anew_and_resets_make_it_end():
    stalled = go(picks=("a", "b", "a"), stalls=(1,))
    scenario = workflow("magentic", stalled, max_stalls=0)
    assert sent(scenario) == [("a", ["go"]), ("a", ["go"])]
    assert texts(scenario) == ["the end"]
    assert "maximum reset count" in texts(workflow("magentic", stalled, max_stalls=0, max_resets=1))[0]


def test_a_manager_that_names_a_stranger_fails_a_group_chat_and_ends_magentic():
    (raised,) = of(workflow("group_chat", go(picks=(), errs=True)), Raised)
    assert "unknown participant 'stranger'" in raised.text
    assert texts(workflow("magentic", go(picks=(), errs=True))) == ["the end"]


def test_participants_of_an_author_written_workflow_get_the_conversation_so_far():
    scenario = author_written(go(), participants=("a", "b"), stages=(("a",), ("b",), ("z",)), intermediate_outputs=True)
    assert sent(scenario) == [("a", ["go"]), ("b", ["go", "a answers 1.1"])]
    assert [(output.executor, output.completed) for output in of(scenario, Output)] == [("a", False), ("b", False), ("z", True)]


@pytest.mark.parametrize("pattern", ["sequential", "concurrent", "group_chat", "magentic", "handoff"])
def test_a_child_answers_to_its_parent_alone(pattern):
    children = {"child": WorkflowSpec(pattern=pattern, participants=("a",) if pattern != "concurrent" else ("a", "b"))}
    picks = ("a",) if pattern in ("group_chat", "magentic") else None
    stages = (("child",), ("c",), ("z",))
    scenario = author_written(go(picks=picks), participants=("child", "c"), stages=stages, children=children)
    answers = {"concurrent": ["a answers 1.1", "b answers 1.1"]}.get(pattern, ["the end"] if picks else ["a answers 1.1"])
    assert sent(scenario)[-1] == ("c", ["go", *answers])
    assert texts(scenario) == ["done"]


def test_by_default_nobody_is_told_of_the_request_of_a_child():
    children = {"child": WorkflowSpec(pattern="sequential", participants=("a", "b"))}
    scenario = author_written(go(replies=PAID), Respond(), participants=("child",), stages=(("child",), ("z",)), children=children)
    assert of(scenario, RequestPending, Idle, Output) == [Idle(step=0, run=0, pending=0)]


def test_whoever_comes_after_a_child_is_called_with_each_of_its_outputs():
    children = {"child": WorkflowSpec(pattern="handoff", participants=("a", "b"))}
    hands_over = {"a": (ReplySpec(text="ask b", handoff="b"),)}
    stages = (("child",), ("c",), ("z",))
    scenario = author_written(go(replies=hands_over), participants=("child", "c"), stages=stages, children=children)
    assert [call.agent for call in of(scenario, ServiceCalled)] == ["a", "b", "c", "c"]
    assert texts(scenario) == ["done", "done"]


def test_those_side_by_side_are_waited_for_also_while_one_of_them_asks():
    stages = (("x", "a"), ("b",), ("z",))
    scenario = author_written(go(), Respond(), participants=("a", "b"), stages=stages, executors=ASKS)
    assert [(call.step, call.agent) for call in of(scenario, ServiceCalled)] == [(0, "a"), (1, "b")]
    assert texts(scenario) == ["done"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("approve", [False, True])
def test_an_executor_that_asks_goes_on_when_it_is_answered(stream, approve):
    steps = (go(stream=stream), Respond(stream=stream, approve=approve))
    scenario = author_written(*steps, stages=(("x",), ("z",)), executors=ASKS, intermediate_outputs=True)
    events = of(scenario, RequestPending, Idle, Output)
    assert events[0] == RequestPending(step=0, run=0, executor="x", id="request-1")
    assert [(event.step, event.pending) for event in events if isinstance(event, Idle)] == [(0, None), (1, 0)]
    assert [event.messages[0].text for event in events if isinstance(event, Output)] == ["1", "done"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_executor_that_asks_is_answered_through_the_agent(stream):
    steps = (go(as_agent=True, stream=stream), Respond(stream=stream))
    events = of(author_written(*steps, stages=(("x",), ("z",)), executors=ASKS), RequestPending, RunReturned, Raised)
    assert events[0].messages == ()
    assert events[1] == RequestPending(step=0, run=0, executor="x", id="request-1")
    assert [message.text for message in events[2].messages] == ["done"]


def test_an_executor_may_fail_or_complete_twice():
    twice = {"z": ExecutorSpec(completes="1", again="2")}
    assert texts(author_written(go(), stages=(("z",),), executors=twice)) == ["1", "2"]
    fails = {"x": ExecutorSpec(emits=("1",), raises="no ink")}
    events = of(author_written(go(stream=True), stages=(("x",),), executors=fails, intermediate_outputs=True), Output, Raised)
    assert events[0].messages[0].text == "1"
    assert (events[1].text, events[1].native) == ("no ink", "ExecutorFailed")


def test_a_thread_of_a_workflow_as_an_agent_is_a_session():
    steps = (go("one", as_agent=True, thread="t"), go("two", as_agent=True, thread="t"), go("three", as_agent=True, thread="u"))
    called = [heard for agent, heard in sent(workflow("sequential", *steps, participants=("a",)))]
    # A participant has a session of its own, whatever the thread: what the thread adds stands between that and the new input.
    assert called[1] == ["one", "a answers 1.1", "one", "a answers 1.1", "two"]
    assert called[2] == ["one", "a answers 1.1", "two", "a answers 2.1", "three"]


def test_a_run_rests_as_the_framework_says_although_what_waits_was_asked_as_an_agent():
    steps = (go(as_agent=True, replies={"b": (PAY,)}), go("again"))
    assert [idle.pending for idle in of(workflow("sequential", *steps), Idle)] == [None]


@pytest.mark.parametrize("stream", [False, True])
def test_a_run_that_fails_says_so_streaming_or_not(stream):
    replies = {"b": (ReplySpec(error="overloaded"),)}
    events = of(workflow("sequential", go(stream=stream, replies=replies)), Failed, Idle, Raised)
    assert [type(event) for event in events] == [Failed, Raised]


@pytest.mark.parametrize("stream", [False, True])
def test_a_run_that_is_refused_says_nothing_of_itself(stream):
    left = go(stream=True, abandons=1)
    events = of(workflow("sequential", left, go(stream=stream), intermediate_outputs=True), Failed, Idle, Raised)
    assert [(event.run, type(event)) for event in events] == [(1, Raised)]


def test_updates_of_a_workflow_as_an_agent_say_whose_they_are():
    chunks = of(workflow("sequential", go(as_agent=True, stream=True), intermediate_outputs=True), Chunk)
    assert [chunk.executor for chunk in chunks] == ["a", "a", "b", "b"]


@pytest.mark.parametrize(("as_agent", "says"), [(False, "Cannot start a new run"), (True, "invalid state to restart")])
def test_a_run_that_its_consumer_left_is_closed_and_the_framework_says_that_the_workflow_is_of_no_more_use(as_agent, says):
    steps = (go(as_agent=as_agent, stream=True, abandons=1), go(as_agent=as_agent))
    events = of(workflow("sequential", *steps, intermediate_outputs=True), Chunk, Abandoned, Raised)
    assert [type(event) for event in events] == [Chunk, Abandoned, Raised]
    assert says in events[-1].text


def test_two_workflows_in_flight_have_their_own_scripts():
    both = {"v": WorkflowSpec(pattern="magentic", participants=("a", "b"))}
    runs = (go(picks=("a", "b")), RunWorkflow(workflow="v", say=("go",), manager=ManagerSpec(picks=("b",), answer="V")))
    scenario = workflow("group_chat", Together(runs=runs, order=(1, 0, 0)), children=both)
    assert [(call.run, call.agent) for call in of(scenario, ServiceCalled)] == [(1, "b"), (0, "a"), (0, "b")]
    assert {(output.run, output.messages[0].text) for output in of(scenario, Output)} == {(0, "the end"), (1, "V")}


def test_a_setup_that_a_builder_refuses_is_an_error_of_the_run():
    (raised,) = of(workflow("concurrent", go(), participants=("a",)), Raised)
    assert "at least two targets" in raised.text
