"""What the reference does with workflows: limits, threads, children, requests, failures, and consumers that leave."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, TypeVar

import pytest

from conformance.harness.runner import perform
from conformance.reference.implementation import Reference
from conformance.scenario.scenario import Respond, RunWorkflow, Scenario, Step, Together
from conformance.scenario.specs import (
    AgentSpec,
    CallSpec,
    ExecutorSpec,
    ManagerSpec,
    ReplySpec,
    ServiceSpec,
    ToolSpec,
    WorkflowSpec,
)
from conformance.trace.adapter_events import Chunk, Idle, Output, Raised, RequestPending, RunReturned
from conformance.trace.exchange import Pending, Turn
from conformance.trace.harness_events import Abandoned, Event, ServiceCalled, Warned
from conformance.trace.messages import Message, parts
from conformance.trace.trace import Trace
from conformance.world.script import Script
from conformance.world.world import World

E = TypeVar("E", bound=Event)
PAY = ReplySpec(calls=(CallSpec(tool="pay"),))
FAILS = ReplySpec(error="overloaded")
STORING = ServiceSpec(keeps="new_ids", stores_by_default=True)


def said(*texts: str) -> tuple[ReplySpec, ...]:
    return tuple(ReplySpec(text=text) for text in texts)


def go(workflow: str = "w", say: str = "go", **fields: Any) -> RunWorkflow:
    return RunWorkflow(workflow=workflow, say=(say,), **fields)


def played(workflows: dict[str, WorkflowSpec], *steps: Step, service: ServiceSpec | None = None, **policies: str) -> Trace:
    """The trace of workflows whose agents are called by one letter each, and may pay where somebody approves."""
    names = {name for spec in workflows.values() for name in spec.participants if len(name) == 1}
    agent = AgentSpec(tools={"pay": ToolSpec(approval=True)}, service=service or ServiceSpec())
    agents = dict.fromkeys(sorted(names - workflows.keys()), agent)
    trace = perform(Scenario(agents=agents, workflows=workflows, steps=steps), partial(Reference, **policies))
    assert trace.broken is None
    return trace


def of(trace: Trace, kind: type[E]) -> list[E]:
    return [event for event in trace.events if isinstance(event, kind)]


def outputs(trace: Trace) -> list[tuple[str | None, bool, list[str]]]:
    return [(event.executor, event.completed, [each.text for each in event.messages]) for event in of(trace, Output)]


def sent(trace: Trace, agent: str) -> list[list[str]]:
    return [[each.text for each in event.messages] for event in of(trace, ServiceCalled) if event.agent == agent]


def returned(trace: Trace) -> list[list[str]]:
    return [[each.text for each in event.messages] for event in of(trace, RunReturned)]


CHAT = WorkflowSpec(pattern="group_chat", participants=("a", "b"))
CHAIN = WorkflowSpec(pattern="sequential", participants=("a", "b"))
BESIDE = WorkflowSpec(pattern="concurrent", participants=("a", "b"))


# what ends a run


def test_an_aggregator_answers_whatever_was_said() -> None:
    workflow = WorkflowSpec(pattern="concurrent", participants=("a", "b"), aggregates="both agree")
    trace = played({"w": workflow}, go(stream=True))
    assert outputs(trace) == [("w", True, ["both agree"])]
    assert of(trace, Output)[0].messages[0].author == "w"
    assert not of(trace, Chunk)


@pytest.mark.parametrize(
    ("policy", "answer"), [("notice", "the limit of 1 rounds is reached, and the workflow ends here"), ("manager", "yes")]
)
def test_a_limit_on_rounds_ends_a_chat_as_declared(policy: str, answer: str) -> None:
    workflow = WorkflowSpec(pattern="group_chat", participants=("a", "b"), max_rounds=1)
    manager = ManagerSpec(picks=("a", "b"), answer="yes")
    trace = played({"w": workflow}, go(manager=manager), limit_answer=policy)
    assert outputs(trace) == [("w", True, [answer])]
    assert not sent(trace, "b")


def test_magentic_begins_anew_after_stalls_and_ends_after_too_many_resets() -> None:
    workflow = WorkflowSpec(pattern="magentic", participants=("a", "b"), max_stalls=1, max_resets=1)
    stalling = ManagerSpec(picks=("a", "a", "b", "a", "b"), stalls=(1, 2))
    trace = played({"w": workflow}, go(manager=stalling, replies={"a": said("one", "two", "three")}))
    assert sent(trace, "a") == [["go"], ["go", "one"], ["go"]]
    assert outputs(trace)[-1] == ("w", True, ["the manager's answer"])
    never = ManagerSpec(picks=("a",) * 9, stalls=tuple(range(9)))
    trace = played({"w": workflow}, go(manager=never))
    assert len(sent(trace, "a")) == 2
    assert outputs(trace) == [("w", True, ["the limit of 1 resets is reached, and the workflow ends here"])]


def test_a_manager_that_names_a_stranger_fails_the_run() -> None:
    trace = played({"w": CHAT}, go(manager=ManagerSpec(picks=("a",), errs=True)))
    assert [event.native for event in of(trace, Raised)] == ["UnknownParticipant"]
    assert "'stranger'; its participants are a, b" in of(trace, Raised)[0].text
    assert not outputs(trace)


# custom workflows


def test_participants_and_executors_work_stage_by_stage() -> None:
    workflow = WorkflowSpec(
        pattern="custom",
        participants=("a", "b", "c"),
        stages=(("a", "b", "planner"), ("c",), ("writer",)),
        executors={"planner": ExecutorSpec(emits=("a plan",)), "writer": ExecutorSpec(completes="the text")},
        intermediate_outputs=True,
    )
    replies = {"a": said("A"), "b": said("B"), "c": said("C")}
    trace = played({"w": workflow}, go(replies=replies, finish=("b", "a")))
    assert sent(trace, "a") == sent(trace, "b") == [["go"]]
    assert sent(trace, "c") == [["go", "A", "B"]]
    assert sorted(text for _, completed, texts in outputs(trace) if not completed for text in texts) == ["A", "B", "C", "a plan"]
    assert outputs(trace)[-1] == ("w", True, ["the text"])


def test_an_executor_may_ask_fail_and_complete_twice() -> None:
    executors = {
        "planner": ExecutorSpec(asks=True, completes="one", again="two"),
        "writer": ExecutorSpec(emits=("a draft",), raises="no paper"),
    }
    asking = WorkflowSpec(pattern="custom", stages=(("planner",),), executors=executors)
    trace = played({"w": asking}, go(), Respond(approve=False))
    assert [(event.executor, event.tool) for event in of(trace, RequestPending)] == [("planner", None)]
    assert outputs(trace) == [("planner", False, ["one"]), ("w", True, ["two"])]
    assert "planner, planner" in of(trace, Warned)[0].text
    failing = WorkflowSpec(pattern="custom", stages=(("writer",),), executors=executors, intermediate_outputs=True)
    trace = played({"w": failing}, go())
    assert outputs(trace) == [("writer", False, ["a draft"])]
    assert [event.text for event in of(trace, Raised)] == ["no paper"]


# threads


def test_a_thread_keeps_inputs_and_answers_and_no_other_thread_hears_of_them() -> None:
    run = partial(go, as_agent=True, replies={"a": said("A"), "b": said("B")})
    on = partial(run, thread="t")
    trace = played({"w": CHAIN}, on(say="1"), on(say="2", stream=True), run(say="3", thread="u"), run(say="4"))
    assert sent(trace, "a") == [["1"], ["1", "B", "2"], ["3"], ["4"]]
    assert sent(trace, "b") == [["1", "A"], ["1", "B", "2", "A"], ["3", "A"], ["4", "A"]]


def test_a_thread_keeps_every_completion_that_the_caller_was_told() -> None:
    executors = {"writer": ExecutorSpec(completes="text"), "critic": ExecutorSpec(completes="review")}
    twice = WorkflowSpec(pattern="custom", participants=("a",), stages=(("a",), ("writer", "critic")), executors=executors)
    on = partial(go, as_agent=True, thread="t", replies={"a": said("A")})
    trace = played({"w": twice}, on(say="1"), on(say="2"))
    assert returned(trace) == [["text", "review"]] * 2
    assert sent(trace, "a") == [["1"], ["1", "text", "review", "2"]]


def test_a_thread_gains_nothing_from_a_run_that_fails_or_still_waits() -> None:
    on = partial(go, as_agent=True, thread="t")
    trace = played(
        {"w": CHAIN},
        on(say="1", replies={"b": (FAILS,)}),
        on(say="2", replies={"a": (PAY, *said("paid"))}),
        on(say="3", replies={"a": (PAY, *said("paid")), "b": said("B")}),
        Respond(request=1),
        on(say="4"),
    )
    assert [texts for texts in sent(trace, "a") if texts[-1] in ("1", "2", "3", "4")] == [["1"], ["2"], ["3"], ["3", "B", "4"]]


# what participants get


def test_who_gets_control_back_sees_its_own_handoff_with_one_result() -> None:
    workflow = WorkflowSpec(pattern="handoff", participants=("a", "b"))
    replies = {"a": (PAY, ReplySpec(handoff="b"), *said("done")), "b": (ReplySpec(text="back", handoff="a"),)}
    trace = played({"w": workflow}, go(replies=replies), Respond(), service=ServiceSpec(strict=True))
    last = [event for event in of(trace, ServiceCalled) if event.agent == "a"][-1]
    assert [part for part in parts(last.messages) if part[0] in ("call", "result")] == [
        ("call", "call-1", "pay", "{}"),
        ("result", "call-1"),
        ("call", "call-2", "handoff_to_b", "{}"),
        ("result", "call-2"),
        ("call", "call-3", "handoff_to_a", "{}"),
        ("result", "call-3"),
    ]


def test_a_participant_that_is_picked_again_is_sent_everything_and_no_id() -> None:
    trace = played({"w": CHAT}, go(manager=ManagerSpec(picks=("a", "b", "a"))), service=STORING)
    assert [(len(call.messages), call.conversation_id) for call in of(trace, ServiceCalled)] == [(1, None), (2, None), (3, None)]


# streaming as an agent


def test_what_nobody_streamed_comes_as_one_update_and_nothing_twice() -> None:
    workflow = WorkflowSpec(pattern="group_chat", participants=("a", "b"), intermediate_outputs=True)
    manager = ManagerSpec(picks=("a", "b"), answer="same")
    replies = {"a": said("same"), "b": said("same")}
    trace = played({"w": workflow}, go(as_agent=True, stream=True, manager=manager, replies=replies))
    assert [(chunk.executor, chunk.text) for chunk in of(trace, Chunk)] == [
        ("a", "sa"),
        ("a", "me"),
        ("b", "sa"),
        ("b", "me"),
        ("manager", "same"),
    ]
    assert returned(trace) == [["same", "same", "same"]]


def test_an_intermediate_that_was_returned_with_a_request_is_not_returned_again() -> None:
    workflow = WorkflowSpec(pattern="concurrent", participants=("a", "b"), intermediate_outputs=True)
    trace = played({"w": workflow}, go(as_agent=True, replies={"a": said("A"), "b": (PAY, *said("B"))}), Respond())
    assert returned(trace) == [["A"], ["", "", "B"]]


def test_a_sequence_may_share_the_last_response_alone_unless_that_says_nothing() -> None:
    three = WorkflowSpec(pattern="sequential", participants=("a", "b", "c"))
    trace = played({"w": three}, go(replies={"a": said("A"), "b": said("B")}), sequential_shares="last")
    assert [sent(trace, name) for name in "abc"] == [[["go"]], [["A"]], [["B"]]]
    silent = played({"w": three}, go(replies={"a": said("A"), "b": said("")}), sequential_shares="last")
    assert sent(silent, "c") == [["A"]]


# children


def test_what_the_participants_of_a_handoff_said_is_its_response_to_its_parent() -> None:
    child = WorkflowSpec(pattern="handoff", participants=("a", "b"))
    parent = WorkflowSpec(pattern="sequential", participants=("x", "c"))
    replies = {"a": (ReplySpec(text="over to b", handoff="b"),), "b": said("B"), "c": said("C")}
    trace = played({"x": child, "w": parent}, go(replies=replies))
    assert sent(trace, "c") == [["go", "over to b", "", "B"]]
    assert outputs(trace) == [("w", True, ["C"])]


def test_children_side_by_side_wait_together_and_rest_once() -> None:
    one = WorkflowSpec(pattern="concurrent", participants=("a", "b"))
    two = WorkflowSpec(pattern="sequential", participants=("c", "d"))
    parent = WorkflowSpec(pattern="concurrent", participants=("x", "y"), intermediate_outputs=True)
    replies = {"a": said("A"), "b": said("B"), "c": (PAY, *said("C")), "d": (PAY, *said("D"))}
    finish = ("c", "a", "b")
    trace = played({"x": one, "y": two, "w": parent}, go(replies=replies, finish=finish), Respond(), Respond())
    assert [event.pending for event in of(trace, Idle)] == [1, 1, 0]
    assert outputs(trace) == [("x", False, ["A", "B"]), ("y", False, ["", "", "D"]), ("w", True, ["A", "B", "", "", "D"])]
    first_rest = next(place for place, event in enumerate(trace.events) if isinstance(event, Idle))
    assert any(isinstance(event, Output) for event in trace.events[:first_rest])


# failures, and consumers that leave


def test_a_concurrent_workflow_may_answer_without_who_fails_unless_all_do() -> None:
    alone = played({"w": BESIDE}, go(replies={"a": (FAILS,), "b": said("B")}))
    assert [event.text for event in of(alone, Raised)] == ["overloaded"]
    without = played({"w": BESIDE}, go(replies={"a": (FAILS,), "b": said("B")}), failing_participant="left_out")
    assert outputs(without) == [("w", True, ["B"])]
    assert "'a'" in of(without, Warned)[0].text
    nobody = played({"w": BESIDE}, go(replies={"a": (FAILS,), "b": (FAILS,)}), failing_participant="left_out")
    assert not outputs(nobody)
    assert of(nobody, Raised)


@pytest.mark.parametrize("as_agent", [False, True])
def test_a_request_goes_with_its_child_when_that_fails(as_agent: bool) -> None:
    executors = {"writer": ExecutorSpec(completes="text")}
    child = WorkflowSpec(pattern="custom", participants=("c", "d"), stages=(("c", "d"), ("writer",)), executors=executors)
    parent = WorkflowSpec(pattern="concurrent", participants=("a", "x"))
    run = go(as_agent=as_agent, finish=("c", "d", "a"), replies={"a": said("A"), "c": (PAY,), "d": (FAILS,)})
    trace = played({"x": child, "w": parent}, run, failing_participant="left_out")
    assert not of(trace, RequestPending)
    assert (returned(trace) if as_agent else [texts for _, _, texts in outputs(trace)]) == [["A"]]


@pytest.mark.parametrize("as_agent", [False, True])
def test_a_run_whose_consumer_leaves_goes_no_further_and_the_next_one_is_whole(as_agent: bool) -> None:
    left = go(say="1", as_agent=as_agent, stream=True, abandons=1, replies={"a": said("a long answer")})
    shown = WorkflowSpec(pattern="sequential", participants=("a", "b"), intermediate_outputs=True)
    trace = played({"w": shown}, left, go(say="2", as_agent=as_agent, replies={"a": said("A"), "b": said("B")}))
    assert [type(event) for event in trace.events if event.step == 0][-1] is Abandoned
    assert sent(trace, "b") == [["2", "A"]]
    assert (returned(trace) if as_agent else [texts for _, done, texts in outputs(trace) if done])[-1][-1] == "B"


def test_a_dropped_run_is_over_and_its_requests_are_gone() -> None:
    replies = {"a": (PAY, *said("paid"))}
    trace = played({"w": BESIDE}, go(say="1", replies=replies), go(say="2", replies=replies), Respond(), Respond())
    assert [event.text for event in of(trace, Raised)] == ["nothing waits for an answer to 'a asks 2'"]
    assert [completed for _, completed, _ in outputs(trace)] == [True]
    assert all("1" not in texts for texts in sent(trace, "a")[1:])


def test_two_workflows_in_flight_do_not_mix() -> None:
    runs = (go("w", "1"), go("x", "2", as_agent=True, stream=True))
    trace = played({"w": CHAIN, "x": CHAIN}, Together(runs=runs, order=(1, 0, 0, 1)))
    assert sorted(sent(trace, "b")) == [["1", "a answers 1.1"], ["2", "a answers 2.1"]]
    assert [texts for _, _, texts in outputs(trace)] == [["b answers 1.1"]]
    assert returned(trace) == [["b answers 2.1"]]


def test_closing_leaves_no_run_behind_that_waits() -> None:
    async def left_behind() -> int:
        agent = AgentSpec(tools={"pay": ToolSpec(approval=True)})
        reference, world = Reference(), World(Scenario(agents={"a": agent}))
        world.scripts.append(Script(0, {"a": (PAY,)}))
        await reference.open(world)
        spec = WorkflowSpec(pattern="sequential", participants=("a",))
        workflow = await reference.create_workflow("w", spec, {"a": await reference.create_agent("a", agent, {})})
        turn = Turn(messages=(Message(role="user", text="go"),))
        seen = [item async for item in reference.run_workflow(workflow, turn, stream=False)]
        assert [item.tool for item in seen if isinstance(item, Pending)] == ["pay"]
        await reference.close()
        return len(asyncio.all_tasks()) - 1

    assert asyncio.run(left_behind()) == 0
