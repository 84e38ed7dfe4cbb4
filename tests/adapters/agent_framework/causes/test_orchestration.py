"""Why agent-framework deviates from the rules on orchestrations: each cause, shown with the framework alone."""

import asyncio
import inspect
import json

import pytest

pytest.importorskip("agent_framework", reason="the extra 'agent-framework' is not installed")

from agent_framework import (
    AgentExecutor,
    AgentExecutorResponse,
    AgentResponse,
    AgentResponseUpdate,
    Executor,
    Message,
    SubWorkflowRequestMessage,
    Workflow,
    WorkflowBuilder,
    WorkflowContext,
    WorkflowExecutor,
    WorkflowRunState,
    handler,
    response_handler,
)
from agent_framework.exceptions import AgentException, AgentInvalidResponseException
from agent_framework.orchestrations import (
    ConcurrentBuilder,
    GroupChatBuilder,
    HandoffBuilder,
    MagenticBuilder,
    MagenticManagerBase,
    MagenticProgressLedger,
    MagenticProgressLedgerItem,
    SequentialBuilder,
)
from agent_framework_alone import Service, agent, approvals, pay, per_call, reply, said, warned, weather

WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
SHOWN = {"intermediate_output_from": "all_other"}


def talks(name: str, *replies, **options):
    return agent(Service(*replies), name, **options)


async def outputs(workflow: Workflow, message="go", *, stream: bool = False, **options) -> list[tuple[str, str, str]]:
    """The type, the executor and the text of each output event; of a chunk, the text with dots."""
    given = {**options, **({} if "responses" in options else {"message": message})}
    events = [event async for event in workflow.run(stream=True, **given)] if stream else await workflow.run(**given)
    return [(event.type, event.executor_id, _text(event.data)) for event in events if event.type in ("output", "intermediate")]


def _text(data) -> str:
    if isinstance(data, AgentResponseUpdate):
        return f"{data.text}…"
    return " / ".join(text.partition(": ")[2] for text in said(data.messages)) if isinstance(data, AgentResponse) else repr(data)


def picks(*names: str | None, answer: str = "summary"):
    """A group chat's manager, and whom it picks; None: the chat is over."""
    decisions = [{"terminate": name is None, "reason": "r", "next_speaker": name, "final_message": answer} for name in names]
    return talks("manager", *map(json.dumps, decisions))


class Manager(MagenticManagerBase):
    """A Magentic manager that picks these, one after the other."""

    def __init__(self, *names: str, resets: int | None = None) -> None:
        super().__init__(max_reset_count=resets)
        self.names = list(names)

    async def plan(self, magentic_context):
        return Message("assistant", ["plan"])

    replan = plan

    async def create_progress_ledger(self, magentic_context):
        name = self.names.pop(0) if self.names else None
        answers = {
            "is_request_satisfied": name is None,
            "is_in_loop": False,
            "is_progress_being_made": True,
            "next_speaker": name or "",
            "instruction_or_question": "work",
        }
        return MagenticProgressLedger(
            **{key: MagenticProgressLedgerItem(reason="r", answer=value) for key, value in answers.items()}
        )

    async def prepare_final_answer(self, magentic_context):
        return Message("assistant", ["in the end"])


def handoff(*agents, ends_after: int, **options) -> Workflow:
    """A handoff that is over when so many assistant messages with a text are there."""
    spoken = lambda conversation: sum(bool(each.role == "assistant" and each.text) for each in conversation)  # noqa: E731
    builder = HandoffBuilder(participants=list(agents), **options).with_start_agent(agents[0])
    return builder.with_termination_condition(lambda conversation: spoken(conversation) >= ends_after).build()


# --- completion ---


async def test_a_streamed_run_emits_updates_and_no_event_with_the_whole_answer():
    streamed = {
        "sequential": SequentialBuilder(participants=[talks("a", "1"), talks("b", "2x")]).build(),
        "group chat": GroupChatBuilder(participants=[talks("a", "1")], orchestrator_agent=picks("a", None, answer="2x")).build(),
    }
    assert await outputs(streamed["sequential"], stream=True) == [("output", "b", "2…"), ("output", "b", "x…")]
    assert await outputs(streamed["group chat"], stream=True) == [("output", "manager", "2x…")]


async def test_a_streamed_magentic_run_emits_its_answer_as_an_update():
    workflow = MagenticBuilder(participants=[talks("a", "1")], manager=Manager("a")).build()
    assert await outputs(workflow, stream=True) == [("output", "magentic_orchestrator", "in the end…")]


async def test_every_response_of_a_handoff_is_an_output_and_none_is_empty():
    a, b = per_call(Service(reply("", "handoff_to_b 1")), "a"), per_call(Service("2"), "b")
    assert await outputs(handoff(a, b, ends_after=1)) == [
        ("output", "a", 'handoff_to_b() / = {"handoff_to": "b"}'),
        ("output", "b", "2"),
    ]


async def test_what_a_handoff_says_before_it_waits_is_an_output_too():
    a, b = per_call(Service(reply("", "handoff_to_b 1")), "a"), per_call(Service(reply("", "pay")), "b", tools=[pay])
    result = await handoff(a, b, ends_after=1).run("go")
    assert result.get_final_state() is WorkflowRunState.IDLE_WITH_PENDING_REQUESTS
    assert [event.executor_id for event in result if event.type == "output"] == ["a"]


async def test_without_a_termination_condition_a_handoff_asks_for_words_after_every_answer():
    a, b = per_call(Service("1"), "a"), per_call(Service(), "b")
    result = await HandoffBuilder(participants=[a, b]).with_start_agent(a).build().run("go")
    assert [type(event.data).__name__ for event in result.get_request_info_events()] == ["HandoffAgentUserRequest"]


def test_a_handoff_refuses_agents_without_per_service_call_persistence():
    builder = HandoffBuilder(participants=[talks("a"), talks("b")]).with_start_agent("a")
    with pytest.raises(ValueError, match="require_per_service_call_history_persistence=True"):
        builder.build()


@WAYS
async def test_intermediate_outputs_alone_take_the_answer_away_where_it_is_a_participants(stream):
    sequence = SequentialBuilder(participants=[talks("a", "1"), talks("b", "2")], **SHOWN).build()
    assert {(kind, executor) for kind, executor, _ in await outputs(sequence, stream=stream)} == {
        ("intermediate", "a"),
        ("intermediate", "b"),
    }
    a, b = per_call(Service("1"), "a"), per_call(Service(), "b")
    assert {kind for kind, _, _ in await outputs(handoff(a, b, ends_after=1, **SHOWN), stream=stream)} == {"intermediate"}


async def test_of_a_concurrent_workflow_a_dropped_run_leaves_responses_that_the_next_answer_holds():
    a, b = talks("a", "1", "2"), talks("b", reply("", "pay"), "2b", tools=[pay])
    workflow = ConcurrentBuilder(participants=[a, b]).build()
    assert (await workflow.run("go")).get_final_state() is WorkflowRunState.IDLE_WITH_PENDING_REQUESTS
    assert await outputs(workflow, "again") == [("output", "aggregator", "1 / 2 / 2b")]


async def test_the_rest_of_a_stream_that_was_left_is_emitted_by_the_next_run():
    a = talks("a", reply("three", "weather"), reply("", "weather"), "four", tools=[weather])
    workflow = SequentialBuilder(participants=[a], **SHOWN).build()
    async with workflow.run("go", stream=True) as events:
        async for event in events:
            if event.type == "intermediate":
                break
    (_, _, rest), *_, (_, _, own) = await outputs(workflow, "again")
    assert (rest, own) == ("ree…", "four")


async def test_a_dropped_request_stays_pending_behind_later_runs():
    workflow = GroupChatBuilder(
        participants=[talks("a", "1"), talks("b", reply("", "pay"), tools=[pay])], orchestrator_agent=picks("b", "a", None)
    ).build()
    await workflow.run("go")
    later = await workflow.run("again")
    assert later.get_final_state() is WorkflowRunState.IDLE_WITH_PENDING_REQUESTS
    assert len(later.get_outputs()) == 1


async def test_behind_a_dropped_request_a_run_rests_without_an_answer_when_its_own_is_answered():
    workflow = SequentialBuilder(participants=[talks("a", reply("", "pay"), reply("", "pay 2"), "done", tools=[pay])]).build()
    await workflow.run("go")
    (later,) = (await workflow.run("again")).get_request_info_events()
    rests = await workflow.run(responses={later.request_id: later.data.to_function_approval_response(True)})
    assert (rests.get_final_state(), rests.get_outputs()) == (WorkflowRunState.IDLE_WITH_PENDING_REQUESTS, [])


async def test_magentic_that_may_not_reset_ends_before_anybody_is_asked():
    workflow = MagenticBuilder(participants=[talks("a", "1")], manager=Manager("a", resets=0)).build()
    answer = "Workflow terminated due to reaching maximum reset count."
    assert await outputs(workflow) == [("output", "magentic_orchestrator", answer)]


async def test_magentic_refuses_an_input_of_several_messages():
    workflow = MagenticBuilder(participants=[talks("a")], manager=Manager("a")).build()
    with pytest.raises(ValueError, match="single task message"):
        await workflow.run([Message("user", ["one"]), Message("user", ["two"])])


async def test_magentic_refuses_a_second_run():
    workflow = MagenticBuilder(participants=[talks("a", "1")], manager=Manager("a")).build()
    await workflow.run("go")
    with pytest.raises(RuntimeError, match="has already been completed"):
        await workflow.run("again")


async def test_after_a_run_that_failed_messages_in_flight_stop_the_next_one():
    workflow = ConcurrentBuilder(participants=[talks("a", "1"), talks("b", RuntimeError("overloaded"))]).build()
    with pytest.raises(RuntimeError, match="overloaded"):
        await workflow.run("go")
    with pytest.raises(RuntimeError, match=r"while in-flight executor messages remain .* there is no in-process recovery path"):
        await workflow.run("again")


async def test_a_workflow_that_failed_is_of_no_more_use_as_an_agent():
    wrapped = SequentialBuilder(participants=[talks("a", RuntimeError("overloaded"))]).build().as_agent(name="w")
    with pytest.raises(RuntimeError, match="overloaded"):
        await wrapped.run("go")
    with pytest.raises(AgentException, match=r"invalid state to restart: WorkflowRunState\.FAILED"):
        await wrapped.run("again")


class Says(Executor):
    """An executor of an author: yields this text, if any, and hands on what it got."""

    def __init__(self, id: str, text: str | None = None) -> None:
        super().__init__(id)
        self.text = text
        self.got: list[list[str]] = []

    @handler
    async def work(self, messages: list[Message], ctx: WorkflowContext[list[Message], AgentResponse]) -> None:
        self.got.append(said(messages))
        if self.text is not None:
            await ctx.yield_output(AgentResponse(messages=[Message("assistant", [self.text], author_name=self.id)]))
        await ctx.send_message(messages)

    @handler
    async def answered(self, response: AgentResponse, ctx: WorkflowContext[list[Message], AgentResponse]) -> None:
        await self.work(response.messages, ctx)

    @handler
    async def responded(self, response: AgentExecutorResponse, ctx: WorkflowContext[list[Message], AgentResponse]) -> None:
        await self.work(response.agent_response.messages, ctx)


def go(text: str = "go") -> list[Message]:
    return [Message("user", [text])]


async def test_nothing_warns_where_several_executors_output_or_none_does(caplog, recwarn):
    first, second = Says("first", "1"), Says("second", "2")
    both = WorkflowBuilder(start_executor=first, output_from="all").add_edge(first, second).build()
    assert [executor for _, executor, _ in await outputs(both, go())] == ["first", "second"]
    silent, also = Says("silent"), Says("also")
    none = WorkflowBuilder(start_executor=silent, output_from="all").add_edge(silent, also).build()
    assert await outputs(none, go()) == []
    assert warned(caplog, recwarn) == []


class Asks(Says):
    """An executor that asks first."""

    @handler
    async def work(self, messages: list[Message], ctx: WorkflowContext[list[Message], AgentResponse]) -> None:
        await ctx.request_info("may I go on?", bool, request_id="1")

    @response_handler
    async def allowed(self, question: str, yes: bool, ctx: WorkflowContext[list[Message], AgentResponse]) -> None:
        await super().work([], ctx)


async def test_what_an_executor_yields_is_an_output_although_another_one_waits():
    first, second = Says("first", "1"), Asks("second")
    workflow = WorkflowBuilder(start_executor=first, output_from=[first]).add_edge(first, second).build()
    asked = await workflow.run(go())
    assert (list(map(_text, asked.get_outputs())), len(asked.get_request_info_events())) == (["1"], 1)
    assert (await workflow.run(responses={"1": True})).get_outputs() == []


async def test_a_streamed_handoff_emits_updates_alone():
    a, b = per_call(Service(reply("", "handoff_to_b 1")), "a"), per_call(Service("2x"), "b")
    events = [event async for event in handoff(a, b, ends_after=1).run("go", stream=True) if event.type == "output"]
    assert {type(event.data) for event in events} == {AgentResponseUpdate}
    assert [event.data.text for event in events if event.executor_id == "b"] == ["2", "x"]


async def test_where_a_limit_ends_a_streamed_run_its_answer_is_an_update_too():
    chat = GroupChatBuilder(participants=[talks("a")], orchestrator_agent=picks("a", "a", "a"), max_rounds=2).build()
    limit = "The group chat has reached the maximum number of rounds."
    events = [event async for event in chat.run("go", stream=True) if event.type == "output"]
    assert [(type(event.data), event.data.text) for event in events] == [(AgentResponseUpdate, limit)]
    magentic = MagenticBuilder(participants=[talks("a")], manager=Manager("a", resets=0)).build()
    assert [text for _, _, text in await outputs(magentic, stream=True)] == [
        "Workflow terminated due to reaching maximum reset count.…"
    ]


def test_the_words_that_reasons_quote_are_those_of_the_framework():
    assert "Emits incremental output events" in (AgentExecutor.__doc__ or "")
    assert "every per-agent response is the primary output" in " ".join(inspect.getsource(HandoffBuilder).split())
    concurrent = inspect.getsource(inspect.getmodule(ConcurrentBuilder))
    assert "one message per agent" in concurrent
    assert "Callback-based aggregator (string result)" in concurrent


async def test_intermediate_outputs_alone_leave_the_answer_of_an_aggregator_and_of_a_manager():
    both = ConcurrentBuilder(participants=[talks("a", "1"), talks("b", "2")], **SHOWN).build()
    assert ("output", "aggregator", "1 / 2") in await outputs(both)
    chat = GroupChatBuilder(participants=[talks("a", "1")], orchestrator_agent=picks("a", None), **SHOWN).build()
    assert [text for kind, _, text in await outputs(chat) if kind == "output"] == ["summary"]


async def test_a_workflow_whose_stream_was_left_is_of_no_more_use_as_an_agent():
    workflow = MagenticBuilder(participants=[talks("a", "1")], manager=Manager("a")).build()
    async with workflow.as_agent(name="w").run("go", stream=True) as updates:
        async for _ in updates:
            break
    with pytest.raises(AgentException, match="invalid state to restart"):
        await workflow.as_agent(name="w").run("again")


async def test_the_limit_of_resets_counts_as_reached_when_as_many_happened_as_are_allowed():
    class Stalls(Manager):
        async def create_progress_ledger(self, magentic_context):
            ledger = await super().create_progress_ledger(magentic_context)
            ledger.is_progress_being_made.answer = False
            return ledger

    service, manager = Service(), Stalls("a", "a", resets=1)
    manager.max_stall_count = 0
    texts = [text for _, _, text in await outputs(MagenticBuilder(participants=[agent(service, "a")], manager=manager).build())]
    assert texts == ["Workflow terminated due to reaching maximum reset count."]
    assert (service.asked, manager.names) == ([], ["a"])


# --- what the answer is ---


async def test_what_an_aggregator_returns_is_the_output_as_it_is():
    workflow = ConcurrentBuilder(participants=[talks("a"), talks("b")]).with_aggregator(lambda results: "in short").build()
    assert [text for _, _, text in await outputs(workflow)] == ["'in short'"]


async def test_the_default_aggregator_keeps_the_last_assistant_message_of_each_participant():
    a = talks("a", reply("wait", "weather"), "1", tools=[weather])
    assert [text for _, _, text in await outputs(ConcurrentBuilder(participants=[a, talks("b", "2")]).build())] == ["1 / 2"]


def test_a_concurrent_workflow_of_one_cannot_be_built():
    with pytest.raises(ValueError, match="at least two targets"):
        ConcurrentBuilder(participants=[talks("a")]).build()


@WAYS
async def test_after_an_approval_the_output_lacks_the_call_that_was_approved(stream):
    workflow = SequentialBuilder(participants=[talks("a", reply("", "pay"), "1", tools=[pay])]).build()
    asked = await workflow.run("go")
    (request,) = asked.get_request_info_events()
    assert asked.get_outputs() == []
    answer = {request.request_id: request.data.to_function_approval_response(True)}
    assert [text for _, _, text in await outputs(workflow, responses=answer)] == ["= paid / 1"]


async def test_the_rounds_of_a_group_chat_are_counted_over_all_of_its_runs():
    manager = picks("a", None, "a", None)
    workflow = GroupChatBuilder(participants=[talks("a")], orchestrator_agent=manager, max_rounds=2).build()
    assert [text for _, _, text in await outputs(workflow)] == ["summary"]
    assert [text for _, _, text in await outputs(workflow, "again")] == ["The group chat has reached the maximum number of rounds."]


async def test_of_a_child_that_is_concurrent_the_default_aggregator_keeps_the_last_response_alone():
    child = ConcurrentBuilder(participants=[talks("a", "1"), talks("b", "2")]).build().as_agent(name="child")
    assert [text for _, _, text in await outputs(ConcurrentBuilder(participants=[child, talks("c", "3")]).build())] == ["2 / 3"]


# --- as an agent ---


async def test_the_response_of_a_workflow_as_an_agent_bears_no_name():
    response = await SequentialBuilder(participants=[talks("a", "1")]).build().as_agent(name="w").run("go")
    assert response.agent_id is None
    assert [message.author_name for message in response.messages] == ["a"]


async def test_a_workflow_as_an_agent_answers_with_everything_that_is_output_intermediate_or_not():
    sequence = SequentialBuilder(participants=[talks("a", "1"), talks("b", "2")], output_from=["b"], **SHOWN).build()
    assert said((await sequence.as_agent(name="w").run("go")).messages) == ["assistant: 1", "assistant: 2"]
    both = ConcurrentBuilder(participants=[talks("a", "1"), talks("b", "2")], **SHOWN).build()
    response = await both.as_agent(name="w").run("go")
    assert said(response.messages)[2:] == ["assistant: 1", "assistant: 2"]
    assert sorted(said(response.messages)[:2]) == ["assistant: 1", "assistant: 2"]


async def test_a_streamed_concurrent_workflow_as_an_agent_repeats_its_chunks_in_the_aggregate():
    workflow = ConcurrentBuilder(participants=[talks("a", "1x"), talks("b", "2x")], **SHOWN).build()
    texts = [update.text async for update in workflow.as_agent(name="w").run("go", stream=True)]
    assert sorted(texts) == ["1", "1x", "2", "2x", "x", "x"]


async def test_streamed_as_an_agent_two_responses_of_one_participant_side_by_side_are_one_message():
    def chat():
        builder = GroupChatBuilder(participants=[talks("a", "five", "six")], orchestrator_agent=picks("a", "a", None), **SHOWN)
        return builder.build().as_agent(name="w")

    whole = await chat().run("go")
    streamed = await chat().run("go", stream=True).get_final_response()
    assert said(whole.messages) == ["assistant: five", "assistant: six", "assistant: summary"]
    assert [message.text for message in streamed.messages] == ["fivesix", "summary"]


async def test_a_workflow_as_an_agent_answers_in_the_order_of_the_events():
    start, answers, a = Says("start"), Says("answers", "in short"), talks("a", "1")
    builder = WorkflowBuilder(start_executor=start, output_from=[answers], intermediate_output_from=[a])
    workflow = builder.add_fan_out_edges(start, [answers, a]).build()
    assert said((await workflow.as_agent(name="w").run(go())).messages) == ["assistant: in short", "assistant: 1"]


async def test_as_an_agent_a_workflow_refuses_a_run_beside_another_one():
    as_agent = SequentialBuilder(participants=[talks("a")]).build().as_agent(name="w")
    answered, refused = await asyncio.gather(as_agent.run("one"), as_agent.run("two"), return_exceptions=True)
    assert isinstance(answered, AgentResponse)
    assert isinstance(refused, AgentException)
    assert "invalid state to restart" in str(refused)


async def test_as_an_agent_a_workflow_takes_the_next_input_for_an_answer_to_a_request_that_nobody_answered():
    workflow = WorkflowBuilder(start_executor=Asks("asks")).build()
    await workflow.run(go())
    with pytest.raises(AgentInvalidResponseException, match="Unexpected content type"):
        await workflow.as_agent(name="w").run("again")


async def test_on_a_session_no_request_of_a_workflow_as_an_agent_can_be_answered():
    wrapped = SequentialBuilder(participants=[talks("a", reply("", "pay"), "1", tools=[pay])]).build().as_agent(name="w")
    session = wrapped.create_session()
    asked = await wrapped.run("go", session=session)
    with pytest.raises(AgentInvalidResponseException, match="Unexpected content type"):
        await wrapped.run(approvals(asked), session=session)


async def test_without_a_session_it_can():
    wrapped = SequentialBuilder(participants=[talks("a", reply("", "pay"), "1", tools=[pay])]).build().as_agent(name="w")
    answered = await wrapped.run(approvals(await wrapped.run("go")))
    assert said(answered.messages) == ["tool: = paid", "assistant: 1"]


async def test_a_call_that_waits_is_in_a_streamed_response_and_not_in_a_whole_one():
    def wrapped():
        return SequentialBuilder(participants=[talks("a", reply("", "pay"), tools=[pay])]).build().as_agent(name="w")

    whole = await wrapped().run("go")
    streamed = await wrapped().run("go", stream=True).get_final_response()
    assert said(whole.messages) == ["assistant: ?"]
    assert "pay()" in " ".join(said(streamed.messages))


async def test_streamed_updates_that_bear_message_ids_stay_apart():
    class Numbered(Service):
        async def _updates(self, given):
            id = f"m-{len(self.asked)}"
            async for update in super()._updates(given):
                update.message_id = id
                yield update

    a = agent(Numbered("five", "six"), "a")
    chat = GroupChatBuilder(participants=[a], orchestrator_agent=picks("a", "a", None), **SHOWN).build()
    streamed = await chat.as_agent(name="w").run("go", stream=True).get_final_response()
    assert [message.text for message in streamed.messages] == ["five", "six", "summary"]


# --- inside another workflow ---


async def test_a_child_that_takes_part_as_an_agent_answers_with_its_intermediate_outputs_too():
    child = SequentialBuilder(participants=[talks("a", "1"), talks("b", "2")], **SHOWN).build().as_agent(name="child")
    after = Service("3")
    assert [text for _, _, text in await outputs(SequentialBuilder(participants=[child]).build())] == ["1 / 2"]
    child = SequentialBuilder(participants=[talks("a", "1"), talks("b", "2")], **SHOWN).build().as_agent(name="child")
    await SequentialBuilder(participants=[child, agent(after, "after")]).build().run("go")
    assert after.asked[0].messages == ["user: go", "assistant: 1", "assistant: 2"]


async def test_a_concurrent_child_that_shows_its_outputs_answers_with_each_response_twice():
    child = ConcurrentBuilder(participants=[talks("a", "1"), talks("b", "2")], **SHOWN).build().as_agent(name="child")
    after = Service()
    await SequentialBuilder(participants=[child, agent(after, "after")]).build().run("go")
    assert sorted(after.asked[0].messages[1:]) == ["assistant: 1", "assistant: 1", "assistant: 2", "assistant: 2"]


async def test_a_child_waits_as_an_agent_and_its_request_cannot_be_answered_through_the_parent():
    child = SequentialBuilder(participants=[talks("a", reply("", "pay"), "1", tools=[pay])]).build().as_agent(name="child")
    parent = SequentialBuilder(participants=[child]).build()
    (request,) = (await parent.run("go")).get_request_info_events()
    with pytest.raises(AgentInvalidResponseException, match="Unexpected content type"):
        await parent.run(responses={request.request_id: request.data.to_function_approval_response(True)})


async def test_such_an_answer_is_taken_all_the_same_and_the_parent_rests_without_an_answer():
    child = SequentialBuilder(participants=[talks("a", reply("", "pay"), tools=[pay])]).build().as_agent(name="child")
    other = talks("b", reply("", "pay"), "2", tools=[pay])
    parent = ConcurrentBuilder(participants=[child, other]).build()
    requests = {event.source_executor_id: event for event in (await parent.run("go")).get_request_info_events()}

    def approved(executor):
        event = requests[executor]
        return {event.request_id: event.data.to_function_approval_response(True)}

    with pytest.raises(AgentInvalidResponseException):
        await parent.run(responses=approved("child"))
    rests = await parent.run(responses=approved("b"))
    assert (rests.get_final_state(), rests.get_outputs()) == (WorkflowRunState.IDLE, [])


async def test_what_an_executor_asks_in_a_child_that_takes_part_as_an_agent_is_a_call_in_its_answer():
    child = WorkflowBuilder(start_executor=Asks("asks")).build().as_agent(name="child")
    result = await ConcurrentBuilder(participants=[talks("a", "1"), child]).build().run(go())
    (answer,) = result.get_outputs()
    assert [content.name for message in answer.messages for content in message.contents if content.type == "function_call"] == [
        "request_info"
    ]
    assert (result.get_request_info_events(), result.get_final_state()) == ([], WorkflowRunState.IDLE)


def nested(child: Workflow, after: Says, **options) -> Workflow:
    """A parent in which an executor comes after the child."""
    inside = WorkflowExecutor(child, id="child")
    return WorkflowBuilder(start_executor=inside, **options).add_edge(inside, after).build()


async def test_a_child_without_an_output_sends_nothing_and_its_parent_never_goes_on():
    after = Says("after", "the end")
    child = SequentialBuilder(participants=[talks("a", "1")], **SHOWN).build()
    result = await nested(child, after, output_from=[after]).run(go())
    assert (after.got, result.get_outputs(), result.get_final_state()) == ([], [], WorkflowRunState.IDLE)


async def test_whoever_comes_after_a_child_is_called_with_each_of_its_outputs():
    after = Says("after", "the end")
    a, b = per_call(Service(reply("1", "handoff_to_b 1")), "a"), per_call(Service("2"), "b")
    result = await nested(handoff(a, b, ends_after=2), after, output_from=[after]).run(go())
    assert (len(after.got), len(result.get_outputs())) == (2, 2)


async def test_whoever_comes_after_a_child_is_called_although_the_child_still_waits():
    after = Says("after", "the end")
    a, b = per_call(Service(reply("", "handoff_to_b 1")), "a"), per_call(Service(reply("", "pay")), "b", tools=[pay])
    result = await nested(handoff(a, b, ends_after=1), after, output_from=[after]).run(go())
    assert list(map(_text, result.get_outputs())) == ["the end"]


async def test_by_default_the_request_of_a_child_goes_to_the_executors_of_the_parent_alone():
    after = Says("after")
    child = SequentialBuilder(participants=[talks("a", reply("", "pay"), tools=[pay])]).build()
    result = await nested(child, after).run(go())
    assert (result.get_request_info_events(), result.get_final_state(), after.got) == ([], WorkflowRunState.IDLE, [])


async def test_an_executor_of_the_parent_that_handles_it_is_called_with_the_request_of_a_child():
    class Hears(Says):
        @handler
        async def asked(self, request: SubWorkflowRequestMessage, ctx: WorkflowContext) -> None:
            self.got.append([type(request.source_event.data).__name__])

    after = Hears("after")
    child = SequentialBuilder(participants=[talks("a", reply("", "pay"), tools=[pay])]).build()
    result = await nested(child, after).run(go())
    assert (result.get_request_info_events(), len(after.got)) == ([], 1)


async def test_where_the_request_of_a_child_is_to_be_propagated_it_is_asked():
    child = SequentialBuilder(participants=[talks("a", reply("", "pay"), tools=[pay])]).build()
    parent = WorkflowBuilder(start_executor=WorkflowExecutor(child, id="child", propagate_request=True)).build()
    result = await parent.run(go())
    assert (len(result.get_request_info_events()), result.get_final_state()) == (1, WorkflowRunState.IDLE_WITH_PENDING_REQUESTS)


async def test_the_intermediate_outputs_of_a_child_are_events_of_the_parent_whatever_it_selected():
    after = Says("after", "the end")
    child = SequentialBuilder(participants=[talks("a", "1"), talks("b", "2")], output_from=["b"], **SHOWN).build()
    shown = await outputs(nested(child, after, output_from=[after]), go())
    assert ("intermediate", "child", "1") in shown


async def test_a_child_sends_what_its_agents_said_in_earlier_runs_again_whoever_runs_it():
    service = Service("1", "2", "3")
    child = SequentialBuilder(participants=[agent(service, "a")]).build()
    first = nested(child, Says("after"))
    await first.run(go("one"))
    await first.run(go("two"))
    await nested(child, Says("another")).run(go("three"))
    assert service.asked[1].messages == ["user: one", "assistant: 1", "user: two"]
    assert service.asked[2].messages == ["user: one", "assistant: 1", "user: two", "assistant: 2", "user: three"]


async def test_so_does_a_child_that_takes_part_as_an_agent():
    service = Service("1", "2")
    child = SequentialBuilder(participants=[agent(service, "a")]).build()
    for name, text in (("w", "one"), ("x", "two")):
        await SequentialBuilder(participants=[child.as_agent(name=name)]).build().run(text)
    assert service.asked[1].messages == ["user: one", "assistant: 1", "user: two"]


async def test_a_child_of_two_parents_refuses_a_run_beside_another_one():
    child = SequentialBuilder(participants=[talks("a")]).build().as_agent(name="child")
    parents = [SequentialBuilder(participants=[child]).build() for _ in range(2)]
    answered, refused = await asyncio.gather(*(parent.run("go") for parent in parents), return_exceptions=True)
    assert not isinstance(answered, BaseException)
    assert isinstance(refused, AgentException)
    assert "invalid state to restart" in str(refused)


async def test_magentic_refuses_an_input_of_several_messages_that_a_parent_hands_it_over_too():
    child = MagenticBuilder(participants=[talks("a")], manager=Manager("a")).build().as_agent(name="child")
    with pytest.raises(ValueError, match="single task message"):
        await SequentialBuilder(participants=[child]).build().run([Message("user", ["one"]), Message("user", ["two"])])


# --- threads ---


async def test_the_participants_of_a_workflow_have_one_session_for_all_of_its_runs():
    service = Service("1", "2")
    wrapped = SequentialBuilder(participants=[agent(service, "a")]).build().as_agent(name="w")
    await wrapped.run("one", session=wrapped.create_session())
    await wrapped.run("two", session=wrapped.create_session())
    assert service.asked[1].messages == ["user: one", "assistant: 1", "user: two"]


async def test_on_a_session_its_history_is_sent_to_participants_that_have_it_already():
    service = Service("1", "2")
    wrapped = SequentialBuilder(participants=[agent(service, "a")]).build().as_agent(name="w")
    session = wrapped.create_session()
    await wrapped.run("one", session=session)
    await wrapped.run("two", session=session)
    assert service.asked[1].messages == ["user: one", "assistant: 1"] * 2 + ["user: two"]


async def test_it_is_sent_beside_a_conversation_id_too():
    service = Service(reply("1", id="c-1"))
    wrapped = SequentialBuilder(participants=[agent(service, "a", default_options={"store": True})]).build().as_agent(name="w")
    session = wrapped.create_session()
    await wrapped.run("one", session=session)
    await wrapped.run("two", session=session)
    assert service.asked[1] == (["user: one", "assistant: 1", "user: two"], True, "c-1")


async def test_in_a_second_run_of_a_handoff_whoever_takes_over_does_not_get_the_input():
    other = Service("2", "4")
    a = per_call(Service(reply("", "handoff_to_b 1"), reply("", "handoff_to_b 2")), "a")
    runs = []
    builder = HandoffBuilder(participants=[a, per_call(other, "b")]).with_start_agent(a)
    workflow = builder.with_termination_condition(lambda _: len(other.asked) == len(runs)).build()
    for text in ("one", "two"):
        runs.append(text)
        await workflow.run(text)
    assert other.asked[0].messages == ["user: one"]
    assert "user: two" not in other.asked[1].messages


async def test_there_a_participant_whose_service_has_the_conversation_is_sent_nothing_at_all():
    last = Service(reply("1", id="c-1"))
    a = per_call(Service(reply("", "handoff_to_c 1"), reply("", "handoff_to_b 2")), "a")
    b = per_call(Service(reply("", "handoff_to_c 3")), "b")
    c = per_call(last, "c", default_options={"store": True})
    runs = []
    builder = HandoffBuilder(participants=[a, b, c]).with_start_agent(a)
    workflow = builder.with_termination_condition(lambda _: len(last.asked) == len(runs)).build()
    for text in ("one", "two"):
        runs.append(text)
        await workflow.run(text)
    assert last.asked == [(["user: one"], True, None), ([], True, "c-1")]


async def test_whoever_takes_over_in_a_handoff_is_not_sent_the_tool_traffic_of_others():
    other = Service("2")
    a = per_call(Service(reply("wait", "weather"), reply("", "handoff_to_b 1")), "a", tools=[weather])
    await handoff(a, per_call(other, "b"), ends_after=2).run("go")
    assert other.asked[0].messages == ["user: go", "assistant: wait"]


async def test_in_a_handoff_tool_traffic_that_a_request_had_from_the_session_is_missing_in_the_next_one():
    first, last = Service(reply("", "handoff_to_b 1"), reply("", "handoff_to_b 3"), "end"), Service("1")
    a = per_call(first, "a")
    b = per_call(Service(reply("", "handoff_to_c 2"), reply("", "handoff_to_a 4")), "b")
    builder = HandoffBuilder(participants=[a, b, per_call(last, "c")]).with_start_agent(a)
    runs = []
    over = lambda _: bool(last.asked) if len(runs) == 1 else len(first.asked) == 3  # noqa: E731
    as_agent = builder.with_termination_condition(over).build().as_agent()
    session = as_agent.create_session()
    for text in ("one", "two"):
        runs.append(text)
        await as_agent.run(text, session=session)
    _, has, next_one = first.asked
    assert "assistant: handoff_to_c()" in has.messages
    assert "assistant: handoff_to_c()" not in next_one.messages


async def test_runs_without_a_session_hear_each_other():
    service = Service("1", "2")
    wrapped = SequentialBuilder(participants=[agent(service, "a")]).build().as_agent(name="w")
    await wrapped.run("one")
    await wrapped.run("two")
    assert service.asked[1].messages == ["user: one", "assistant: 1", "user: two"]
