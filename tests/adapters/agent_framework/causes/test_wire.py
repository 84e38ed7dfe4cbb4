"""Why agent-framework deviates over the wire: each cause, shown with the framework and its OpenAI client alone.

What does not come from the OpenAI client is shown natively too, beside this file.
"""

import pytest

pytest.importorskip("agent_framework.openai", reason="the extra 'agent-framework' is not installed")

from agent_framework import AgentSession, ContextProvider, FunctionTool, Message, MiddlewareTermination, function_middleware, tool
from agent_framework.exceptions import AgentInvalidRequestException, ChatClientException
from agent_framework_alone import Kept, agent, approvals, pay, per_call, said, warned, weather
from agent_framework_wire import Wire, calls, says

LOCAL, STORE = {"store": False}, {"store": True}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def kept(session: AgentSession) -> list[str]:
    return said(session.state.get("in_memory", {}).get("messages", []))


# --- what the OpenAI client does ---


async def test_a_text_and_the_calls_beside_it_are_sent_back_in_the_other_order():
    wire = Wire([says("wait"), calls("weather")])
    a = agent(wire.client(), tools=[weather])
    session = a.create_session()
    await a.run("one", session=session, options=LOCAL)
    assert kept(session)[1] == "assistant: wait weather()"
    assert wire.asked[1].messages == ["user: one", "assistant: weather()", "assistant: wait", "tool: = sunny"]


async def test_an_equal_turn_is_taken_for_a_repetition_and_dropped_as_messages_have_no_ids():
    wire = Wire([says("yes")], [says("yes")], [says("3")])
    a = agent(wire.client())
    session = a.create_session()
    responses = [await a.run(text, session=session, options=LOCAL) for text in ("one", "one", "two")]
    assert [message.message_id for response in responses for message in response.messages] == [None] * 3
    assert wire.asked[2].messages == ["user: one", "assistant: yes", "user: two"]


async def test_calls_are_left_out_of_a_request_that_names_a_conversation_although_nothing_is_stored():
    wire = Wire([says("1")], [calls("weather")])
    a = agent(wire.client(), tools=[weather])
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session, options=LOCAL)
    assert wire.asked[2] == (["user: two", "tool: = sunny"], False, "resp_1")


async def test_of_an_approved_call_on_a_hosted_session_the_history_repeats_all_but_the_call():
    wire, history = Wire([calls("pay")], [says("1")]), Kept()
    a = agent(wire.client(), context_providers=[history], tools=[pay])
    session = a.create_session()
    await a.run(approvals(await a.run("one", session=session)), session=session)
    assert wire.asked[1] == (["user: one", "tool: = paid"], None, "resp_1")


async def test_an_approved_call_is_sent_to_nobody_where_the_conversation_does_not_have_it():
    wire, history = Wire([says("1")], [calls("pay")]), Kept()
    a = agent(wire.client(), context_providers=[history], tools=[pay])
    session = a.create_session()
    await a.run("one", session=session)
    asked = await a.run("two", session=session, options=LOCAL)
    await a.run(approvals(asked), session=session)
    assert "assistant: pay()" not in [message for request in wire.asked for message in request.messages]
    assert wire.asked[2].conversation_id == "resp_1"


async def test_the_id_of_a_response_that_was_not_stored_counts_where_nothing_was_said():
    wire = Wire()
    client = wire.client()
    a = agent(client)
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session)
    assert [(asked.store, asked.conversation_id) for asked in wire.asked] == [(None, None), (None, "resp_1")]


async def test_the_client_writes_into_the_schema_of_a_tool_which_then_refuses_its_arguments():
    got = []

    def look(**arguments: str) -> str:
        got.append(arguments)
        return "seen"

    free = FunctionTool(
        name="look", description="", func=look, input_model={"type": "object", "properties": {}, "additionalProperties": True}
    )
    wire = Wire([calls("look", at="Oslo")])
    await agent(wire.client(), tools=[free]).run("one")
    assert got == []
    assert "Error" in wire.asked[1].messages[-1]


async def test_by_default_the_sdk_tries_a_failing_call_twice_more():
    wire = Wire(500, 500, [says("1")])
    client = wire.client(max_retries=2)
    assert said((await agent(client).run("one")).messages) == ["assistant: 1"]
    assert len(wire.asked) == 3


# --- persistence ---


async def leave(stream, *, after: int) -> None:
    async with stream as updates:
        async for _ in updates:
            after -= 1
            if not after:
                break


@pytest.mark.parametrize(
    ("after", "left"), [(1, []), (3, ["assistant: weather()"])], ids=["before the call", "in the middle of its arguments"]
)
async def test_what_came_of_a_stream_that_was_left_is_stored_half_a_call_too(after, left):
    wire, history = Wire([calls("weather", city="Oslo")]), Kept()
    a = agent(wire.client(), context_providers=[history], tools=[weather], default_options=LOCAL)
    await leave(a.run("one", session=a.create_session(), stream=True), after=after)
    assert history.said == ["user: one", *left]
    if left:
        assert history.messages[-1].contents[-1].arguments != '{"city": "Oslo"}'


async def test_a_stack_without_chat_middleware_persists_nothing_per_service_call_and_nobody_says_so(caplog, recwarn):
    history = Kept()
    a = per_call(Wire().client(middled=False), context_providers=[history])
    await a.run("one", session=a.create_session(), options=LOCAL)
    assert (history.loads, history.appends, warned(caplog, recwarn)) == (0, [], [])


@function_middleware
async def ends(context, call_next):
    await call_next()
    raise MiddlewareTermination


async def test_a_copy_beside_the_service_keeps_a_last_result_and_takes_it_again_when_it_is_supplied():
    wire, history = Wire([calls("weather")]), Kept()
    a = agent(wire.client(), context_providers=[history], tools=[weather], middleware=[ends])
    session = a.create_session()
    ended = await a.run("one", session=session)
    results = [message for message in ended.messages if message.role == "tool"]
    await a.run([*results, Message("user", ["two"])], session=session)
    assert history.said.count("tool: = sunny") == 2
    assert wire.asked[1] == (["user: one", "tool: = sunny", "tool: = sunny", "user: two"], None, "resp_1")


async def test_after_a_terminated_run_store_takes_the_result_along_and_leaves_the_call_behind():
    wire = Wire([calls("weather")])
    a = per_call(wire.client(), context_providers=[Kept()], tools=[weather], middleware=[ends])
    session = a.create_session()
    ended = await a.run("one", session=session, options=LOCAL)
    results = [message for message in ended.messages if message.role == "tool"]
    await a.run([*results, Message("user", ["two"])], session=session, options=STORE)
    assert wire.asked[1] == (["tool: = sunny", "user: two"], True, None)


async def test_a_history_provider_is_loaded_although_the_service_keeps_the_conversation():
    wire, history = Wire([says("1")]), Kept()
    a = agent(wire.client(), context_providers=[history])
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session)
    assert wire.asked[1] == (["user: one", "assistant: 1", "user: two"], None, "resp_1")


async def test_an_open_call_is_sent_without_a_result():
    wire = Wire([calls("pay")])
    a = per_call(wire.client(), context_providers=[Kept()], tools=[pay], default_options=LOCAL)
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session)
    assert wire.asked[1].messages == ["user: one", "assistant: pay()", "user: two"]


async def test_a_call_that_a_failed_run_left_is_sent_without_a_result():
    wire = Wire([calls("weather")], 500)
    a = per_call(wire.client(), context_providers=[Kept()], tools=[weather], default_options=LOCAL)
    session = a.create_session()
    with pytest.raises(ChatClientException):
        await a.run("one", session=session)
    await a.run("two", session=session)
    assert wire.asked[-1].messages == ["user: one", "assistant: weather()", "user: two"]


async def test_a_conversation_goes_on_with_the_next_input_alone_although_a_failed_run_left_a_call_in_it():
    wire = Wire([calls("weather")], 500)
    a = agent(wire.client(), tools=[weather])
    session = a.create_session()
    with pytest.raises(ChatClientException):
        await a.run("one", session=session)
    await a.run("two", session=session)
    assert wire.asked[-1] == (["user: two"], None, "resp_1")


async def test_so_it_does_where_a_tool_ended_the_loop():
    wire = Wire([calls("weather")])
    a = agent(wire.client(), tools=[weather], middleware=[ends])
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session)
    assert wire.asked[1] == (["user: two"], None, "resp_1")


async def test_another_input_is_let_through_to_a_conversation_with_an_open_call():
    wire = Wire([calls("pay")])
    a = agent(wire.client(), tools=[pay])
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session)
    assert wire.asked[1] == (["user: two"], None, "resp_1")


class Told(ContextProvider):
    def __init__(self) -> None:
        super().__init__("memory")
        self.told = 0

    async def before_run(self, *, agent, session, context, state):
        context.extend_messages(self, [Message("user", ["remember"])])

    async def after_run(self, *, agent, session, context, state):
        self.told += 1


async def test_what_is_injected_is_missing_from_the_second_call_of_a_run_on():
    wire = Wire([calls("weather")])
    a = per_call(wire.client(), context_providers=[Kept(), Told()], tools=[weather], default_options=LOCAL)
    await a.run("one", session=a.create_session())
    assert wire.asked[0].messages == ["user: remember", "user: one"]
    assert wire.asked[1].messages == ["user: one", "assistant: weather()", "tool: = sunny"]


@pytest.mark.parametrize("make", [agent, per_call], ids=["per run", "per service call"])
async def test_a_context_provider_is_not_told_of_a_run_that_fails(make):
    provider = Told()
    a = make(Wire(500).client(), context_providers=[provider])
    with pytest.raises(ChatClientException):
        await a.run("one", session=a.create_session())
    assert provider.told == 0


# --- threads ---


async def test_the_id_of_a_reply_is_on_the_session_while_a_tool_runs_and_after_a_failure():
    seen = []

    @tool(approval_mode="never_require")
    def look() -> str:
        """Look at the session."""
        seen.append(session.service_session_id)
        return "seen"

    a = agent(Wire([calls("look")], 500).client(), tools=[look])
    session = a.create_session()
    with pytest.raises(ChatClientException):
        await a.run("one", session=session)
    assert (seen, session.service_session_id) == (["resp_1"], "resp_1")


async def test_a_session_does_not_know_whose_conversation_it_names():
    first, other = Wire(), Wire()
    a, b = agent(first.client(), "a"), agent(other.client(), "b")
    session = a.create_session()
    await a.run("one", session=session)
    await b.run("two", session=session)
    assert other.asked == [(["user: two"], None, "resp_1")]


async def test_the_history_provider_that_a_local_run_adds_stays_on_the_agent():
    wire = Wire([says("1")], [says("2")])
    a = agent(wire.client())
    await a.run("one", session=a.create_session(), options=LOCAL)
    hosted = a.create_session()
    await a.run("two", session=hosted)
    await a.run("three", session=hosted)
    assert wire.asked[2] == (["user: two", "assistant: 2", "user: three"], None, "resp_2")
    assert len(kept(hosted)) == 4


async def test_a_session_remembers_nothing_of_the_option_store():
    wire = Wire([says("1")])
    a = agent(wire.client())
    session = a.create_session()
    await a.run("one", session=session, options=LOCAL)
    await a.run("two", session=session)
    assert (wire.asked[1].store, session.service_session_id) == (None, "resp_2")


async def test_the_default_options_of_an_agent_count_on_a_session_with_an_id_too():
    wire = Wire([says("1")])
    a = agent(wire.client(), default_options=LOCAL)
    session = a.create_session()
    await a.run("one", session=session, options=STORE)
    await a.run("two", session=session)
    assert wire.asked[1] == (["user: two"], False, "resp_1")


async def test_store_false_on_a_session_with_an_id_neither_refuses_nor_is_overruled():
    wire = Wire()
    a = agent(wire.client())
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session, options=LOCAL)
    assert wire.asked[1] == (["user: two"], False, "resp_1")
    assert (kept(session), session.service_session_id) == ([], "resp_1")


async def test_the_option_conversation_id_wins_over_the_id_of_the_session():
    wire = Wire()
    a = agent(wire.client())
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session, options={"conversation_id": "resp_other"})
    assert wire.asked[1].conversation_id == "resp_other"


async def test_a_conversation_id_on_a_session_leaves_a_turn_nowhere_where_nothing_is_stored():
    wire = Wire()
    a = agent(wire.client(), default_options=LOCAL)
    session = a.create_session()
    await a.run("one", session=session, options={"conversation_id": "resp_other"})
    assert (wire.asked[0].store, wire.asked[0].conversation_id) == (False, "resp_other")
    assert (kept(session), session.service_session_id) == ([], None)


async def test_store_on_a_session_with_per_service_call_persistence_leaves_its_history_behind_and_refuses_the_next_run():
    wire = Wire([says("1")])
    a = per_call(wire.client(), default_options=LOCAL)
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session, options=STORE)
    assert wire.asked[1] == (["user: two"], True, None)
    with pytest.raises(AgentInvalidRequestException, match="existing service-managed conversation"):
        await a.run("three", session=session)


async def test_a_run_that_fails_after_its_first_reply_leaves_a_local_session_hosted_under_the_id_of_that_reply():
    a = agent(Wire([says("1")], [calls("weather")], 500).client(), tools=[weather])
    session = a.create_session()
    await a.run("one", session=session, options=LOCAL)
    assert (kept(session), session.service_session_id) == (["user: one", "assistant: 1"], None)
    with pytest.raises(ChatClientException):
        await a.run("two", session=session)
    assert session.service_session_id == "resp_2"


@pytest.mark.parametrize(
    ("options", "call", "named"),
    [(STORE, ["assistant: weather()"], None), ({**STORE, "conversation_id": "resp_other"}, [], "resp_other")],
    ids=["sent with the option store", "left out with a conversation id"],
)
async def test_a_call_of_the_local_history_is_left_out_only_where_a_conversation_id_makes_the_session_hosted(options, call, named):
    wire = Wire([calls("weather")])
    a = agent(wire.client(), tools=[weather])
    session = a.create_session()
    await a.run("one", session=session, options=LOCAL)
    await a.run("two", session=session, options=options)
    assert wire.asked[2] == (["user: one", *call, "tool: = sunny", "assistant: done", "user: two"], True, named)
    assert session.service_session_id == "resp_3"
