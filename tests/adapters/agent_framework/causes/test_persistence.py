"""Why agent-framework deviates from the rules on persistence: each cause, shown with the framework alone."""

import pytest

pytest.importorskip("agent_framework", reason="the extra 'agent-framework' is not installed")

from agent_framework import (
    Agent,
    ContextProvider,
    Message,
    MiddlewareTermination,
    RawAgent,
    chat_middleware,
    function_middleware,
    tool,
)
from agent_framework.exceptions import ChatClientInvalidResponseException
from agent_framework_alone import (
    Keeping,
    Kept,
    Service,
    Unmiddled,
    Unobserved,
    Waits,
    agent,
    approvals,
    pay,
    per_call,
    reply,
    said,
    weather,
)

STORE = {"store": True}
BOTH = pytest.mark.parametrize("make", [agent, per_call], ids=["per run", "per service call"])


@function_middleware
async def ends(context, call_next):
    await call_next()
    raise MiddlewareTermination


def results(response) -> list[Message]:
    """What a caller supplies after a run that ended in a tool."""
    return [message for message in response.messages if message.role == "tool"]


async def test_a_stack_without_chat_middleware_persists_nothing_per_service_call_and_nobody_says_so(caplog, recwarn):
    history = Kept()
    a = per_call(Unmiddled("1"), context_providers=[history])
    await a.run("one", session=a.create_session())
    assert (history.loads, history.appends) == (0, [])
    assert (caplog.records, list(recwarn)) == ([], [])


async def test_on_a_client_that_stores_by_default_nothing_is_loaded_although_no_id_ever_came():
    service, history = Keeping("1"), Kept()
    a = per_call(service, context_providers=[history])
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session)
    assert (history.loads, history.said[:2]) == (0, ["user: one", "assistant: 1"])
    assert service.asked[1].messages == ["user: two"]


@pytest.mark.parametrize("limited", [False, True])
async def test_where_a_reply_has_no_id_the_turn_is_sent_again_and_appended_again(limited):
    service, history = Keeping(reply("", "weather"), "1"), Kept()
    if limited:
        service.function_invocation_configuration["max_iterations"] = 1
    a = per_call(service, context_providers=[history], tools=[weather])
    await a.run("one", session=a.create_session())
    assert history.appends == [
        ["user: one", "assistant: weather()"],
        ["user: one", "assistant: weather()", "tool: = sunny", "assistant: 1"],
    ]


async def test_it_is_the_same_on_a_service_that_is_asked_to_store():
    history = Kept()
    a = per_call(Service(reply("", "weather"), reply("1", id="c-1")), context_providers=[history], tools=[weather])
    await a.run("one", session=a.create_session(), options=STORE)
    assert history.said.count("user: one") == history.said.count("assistant: weather()") == 2


@tool(approval_mode="never_require")
def broken() -> str:
    """A tool that fails."""
    raise ValueError("no map")


async def test_it_is_the_same_where_the_tool_fails():
    history = Kept()
    a = per_call(Keeping(reply("", "broken"), "1"), context_providers=[history], tools=[broken])
    await a.run("one", session=a.create_session())
    assert history.said.count("user: one") == history.said.count("assistant: broken()") == 2


@pytest.mark.parametrize("limit", [None, 2])
async def test_after_three_rounds_of_failing_tools_or_what_the_limit_says_the_next_call_forbids_tools(limit):
    choices = []

    @chat_middleware
    async def watches(context, call_next):
        choices.append(context.options.get("tool_choice"))
        await call_next()

    service = Service(*(reply("", "broken") for _ in range(limit or 3)))
    if limit:
        service.function_invocation_configuration["max_consecutive_errors_per_request"] = limit
    await agent(service, tools=[broken], middleware=[watches]).run("one")
    assert [choice == "none" for choice in choices] == [False] * (limit or 3) + [True]


async def test_a_copy_beside_the_service_keeps_a_last_result_and_takes_it_again_when_it_is_supplied():
    service, history = Service(reply("", "weather", id="c-1"), reply("2", id="c-2")), Kept()
    a = agent(service, context_providers=[history], tools=[weather], middleware=[ends])
    session = a.create_session()
    ended = await a.run("one", session=session, options=STORE)
    await a.run([*results(ended), Message("user", ["two"])], session=session, options=STORE)
    assert history.said.count("tool: = sunny") == 2
    history_before_input = ["user: one", "assistant: weather()", "tool: = sunny"]
    assert service.asked[1] == ([*history_before_input, "tool: = sunny", "user: two"], True, "c-1")


async def test_after_a_terminated_run_store_takes_the_result_along_and_leaves_the_call_behind():
    service, history = Service(reply("", "weather"), reply("2", id="c-1")), Kept()
    a = per_call(service, context_providers=[history], tools=[weather], middleware=[ends])
    session = a.create_session()
    ended = await a.run("one", session=session)
    await a.run([*results(ended), Message("user", ["two"])], session=session, options=STORE)
    assert service.asked[1] == (["tool: = sunny", "user: two"], True, None)


class Told(ContextProvider):
    def __init__(self) -> None:
        super().__init__("memory")
        self.told = []

    async def before_run(self, *, agent, session, context, state):
        context.extend_messages(self, [Message("user", ["remember"])])

    async def after_run(self, *, agent, session, context, state):
        self.told.append(said(context.response.messages))


@BOTH
async def test_a_context_provider_is_not_told_of_a_run_that_fails(make):
    provider = Told()
    a = make(Service(RuntimeError("overloaded")), context_providers=[Kept(), provider])
    with pytest.raises(RuntimeError):
        await a.run("one", session=a.create_session())
    assert provider.told == []


async def leave(stream, *, after: int) -> None:
    """Read so many updates, then leave, as the framework's guide has it."""
    async with stream as updates:
        async for _ in updates:
            after -= 1
            if not after:
                break


@BOTH
async def test_what_came_of_a_stream_that_was_left_is_stored_like_a_whole_answer(make):
    history = Kept()
    a = make(Service("answer"), context_providers=[history])
    await leave(a.run("one", session=a.create_session(), stream=True), after=1)
    assert history.said == ["user: one", "assistant: ans"]


@BOTH
async def test_a_call_that_never_ran_is_stored_where_a_stream_was_left(make):
    history = Kept()
    a = make(Service(reply("wait", "weather"), "1"), context_providers=[history], tools=[weather])
    await leave(a.run("one", session=a.create_session(), stream=True), after=3)
    assert history.said == ["user: one", "assistant: wait weather()"]


async def test_the_id_of_a_reply_is_on_the_session_while_a_tool_runs():
    seen = []

    @tool(approval_mode="never_require")
    def look() -> str:
        """Look at the session."""
        seen.append(session.service_session_id)
        return "seen"

    a = agent(Service(reply("", "look", id="c-1"), reply("1", id="c-2")), tools=[look])
    session = a.create_session()
    await a.run("one", session=session, options=STORE)
    assert seen == ["c-1"]


async def test_a_history_provider_is_loaded_although_the_service_keeps_the_conversation():
    service, history = Service(reply("1", id="c-1")), Kept()
    a = agent(service, context_providers=[history])
    session = a.create_session()
    await a.run("one", session=session, options=STORE)
    await a.run("two", session=session, options=STORE)
    assert history.loads == 2
    assert service.asked[1] == (["user: one", "assistant: 1", "user: two"], True, "c-1")


async def test_with_per_service_call_persistence_it_is_not_loaded_and_a_warning_says_so(caplog):
    service, history = Service(reply("1", id="c-1")), Kept()
    a = per_call(service, context_providers=[history])
    session = a.create_session()
    await a.run("one", session=session, options=STORE)
    await a.run("two", session=session, options=STORE)
    assert (history.loads, service.asked[1]) == (0, (["user: two"], True, "c-1"))
    assert "skipping local history load" in caplog.text


async def test_an_approved_call_is_loaded_beside_the_conversation_that_has_it():
    service, history = Service(reply("", "pay", id="c-1"), reply("1", id="c-2")), Kept()
    a = agent(service, context_providers=[history], tools=[pay])
    session = a.create_session()
    asked = await a.run("one", session=session, options=STORE)
    await a.run(approvals(asked), session=session, options=STORE)
    assert service.asked[1] == (["user: one", "assistant: pay()", "tool: = paid"], True, "c-1")


async def test_per_run_an_id_that_nobody_asked_for_is_adopted_beside_a_history_provider():
    history = Kept()
    a = agent(Service(reply("1", id="c-1")), context_providers=[history])
    session = a.create_session()
    await a.run("one", session=session)
    assert (session.service_session_id, history.said) == ("c-1", ["user: one", "assistant: 1"])


@pytest.mark.parametrize(("stream", "left_with"), [(False, None), (True, "c-1")], ids=["whole", "streamed"])
async def test_per_service_call_such_an_id_raises_and_a_stream_has_adopted_it_by_then(stream, left_with):
    a = per_call(Service(reply("1", id="c-1")), context_providers=[Kept()])
    session = a.create_session()
    with pytest.raises(ChatClientInvalidResponseException, match="cannot be used when the chat client returns a real"):
        await (a.run("one", session=session, stream=True).get_final_response() if stream else a.run("one", session=session))
    assert session.service_session_id == left_with


async def test_the_provider_that_the_framework_adds_by_itself_counts_as_configured():
    plain, strict = agent(Service(reply("1", id="c-1"))), per_call(Service(reply("1", id="c-1")))
    session = plain.create_session()
    await plain.run("one", session=session)
    assert said(session.state["in_memory"]["messages"]) == ["user: one", "assistant: 1"]
    with pytest.raises(ChatClientInvalidResponseException):
        await strict.run("one", session=strict.create_session())


async def test_that_provider_is_warned_of_in_later_runs(caplog):
    a = per_call(Keeping("1", reply("2", id="c-1")))
    await a.run("one", session=a.create_session(), options={"store": False})
    await a.run("two", session=a.create_session())
    assert "HistoryProvider 'in_memory' has load_messages=True" in caplog.text


async def test_an_open_call_is_loaded_below_the_loop_and_sent_without_a_result():
    service, history = Service(reply("", "pay"), "2"), Kept()
    a = per_call(service, context_providers=[history], tools=[pay])
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session)
    assert [message.replace(" ?", "") for message in service.asked[1].messages] == ["user: one", "assistant: pay()", "user: two"]


async def test_another_input_is_let_through_to_a_conversation_with_an_open_call():
    service = Service(reply("", "pay", id="c-1"), "2")
    a = agent(service, tools=[pay])
    session = a.create_session()
    await a.run("one", session=session, options=STORE)
    await a.run("two", session=session, options=STORE)
    assert service.asked[1] == (["user: two"], True, "c-1")


OPEN = ["user: one", "assistant: weather()", "user: two"]


async def test_a_call_that_a_failed_run_left_is_loaded_below_the_loop_and_sent_without_a_result():
    service = Service(reply("", "weather"), RuntimeError("overloaded"), "2")
    a = per_call(service, context_providers=[Kept()], tools=[weather])
    session = a.create_session()
    with pytest.raises(RuntimeError):
        await a.run("one", session=session)
    await a.run("two", session=session)
    await a.run("three", session=session)
    assert (service.asked[2].messages, service.asked[3].messages) == (OPEN, [*OPEN, "assistant: 2", "user: three"])


async def test_so_is_one_that_a_tool_ended_the_loop_at():
    service = Service(reply("", "weather"), "2")
    a = per_call(service, context_providers=[Kept()], tools=[weather], middleware=[ends])
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session)
    assert service.asked[1].messages == OPEN


async def test_so_is_one_that_never_ran_as_the_stream_was_left_also_per_run():
    service = Service(reply("wait", "weather"), "2")
    a = agent(service, context_providers=[Kept()], tools=[weather])
    session = a.create_session()
    await leave(a.run("one", session=session, stream=True), after=3)
    await a.run("two", session=session)
    assert service.asked[1].messages == ["user: one", "assistant: wait weather()", "user: two"]


@BOTH
async def test_a_conversation_goes_on_with_the_next_input_alone_although_a_failed_run_left_a_call_in_it(make):
    service = Service(reply("", "weather", id="c-1"), RuntimeError("overloaded"), reply("2", id="c-2"))
    a = make(service, tools=[weather])
    session = a.create_session()
    with pytest.raises(RuntimeError):
        await a.run("one", session=session, options=STORE)
    await a.run("two", session=session, options=STORE)
    assert service.asked[2] == (["user: two"], True, "c-1")


async def test_or_a_tool_ended_the_loop_at_it():
    service = Service(reply("", "weather", id="c-1"), reply("2", id="c-2"))
    a = agent(service, tools=[weather], middleware=[ends])
    session = a.create_session()
    await a.run("one", session=session, options=STORE)
    await a.run("two", session=session, options=STORE)
    assert service.asked[1] == (["user: two"], True, "c-1")


async def test_what_is_injected_is_missing_from_the_second_call_of_a_run_on():
    service = Service(reply("", "weather"), "1")
    a = per_call(service, context_providers=[Kept(), Told()], tools=[weather])
    await a.run("one", session=a.create_session())
    assert service.asked[0].messages == ["user: remember", "user: one"]
    assert service.asked[1].messages == ["user: one", "assistant: weather()", "tool: = sunny"]


async def test_what_is_injected_stands_between_a_call_and_its_result_where_a_run_resumes():
    service = Service(reply("", "pay"), "1")
    a = agent(service, context_providers=[Kept(), Told()], tools=[pay])
    session = a.create_session()
    asked = await a.run("one", session=session)
    await a.run(approvals(asked), session=session)
    sent = [message.replace(" ?", "") for message in service.asked[1].messages]
    assert sent == ["user: one", "assistant: pay()", "user: remember", "tool: = paid"]


async def test_a_warning_says_that_loading_is_skipped_on_a_client_that_stores_by_default(caplog):
    a = per_call(Keeping("1"), context_providers=[Kept()])
    await a.run("one", session=a.create_session())
    assert "skipping local history load" in caplog.text


async def test_a_service_that_keeps_the_conversation_is_sent_every_earlier_turn_and_load_messages_alone_decides():
    sent = []
    for loads in (True, False):
        service, history = Service(*(reply(str(number), id=f"c-{number}") for number in (1, 2, 3))), Kept()
        history.load_messages = loads
        a = agent(service, context_providers=[history])
        session = a.create_session()
        for text in ("one", "two", "three"):
            await a.run(text, session=session, options=STORE)
        sent.append(service.asked[2])
    assert sent == [
        (["user: one", "assistant: 1", "user: two", "assistant: 2", "user: three"], True, "c-2"),
        (["user: three"], True, "c-2"),
    ]


@pytest.mark.parametrize(
    ("each_call", "kind", "service", "stored"),
    [
        (False, Agent, Unobserved, True),
        (False, RawAgent, Service, False),
        (True, RawAgent, Service, True),
        (True, RawAgent, Unobserved, False),
    ],
    ids=["per run, the agent's", "per run, the client's alone", "per service call, the client's", "per service call, none"],
)
async def test_it_is_telemetry_that_stores_what_came_of_a_stream_that_was_left(each_call, kind, service, stored):
    history = Kept()
    a = kind(service("answer"), name="a", context_providers=[history], require_per_service_call_history_persistence=each_call)
    await leave(a.run("one", session=a.create_session(), stream=True), after=1)
    assert history.said == (["user: one", "assistant: ans"] if stored else [])


async def test_the_provider_that_the_framework_adds_by_itself_goes_on_storing_beside_the_id():
    a = agent(Service(reply("1", id="c-1"), reply("2", id="c-2")))
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session)
    assert session.service_session_id == "c-2"
    assert said(session.state["in_memory"]["messages"]) == ["user: one", "assistant: 1", "user: two", "assistant: 2"]


async def test_after_the_run_that_raised_it_is_warned_of_in_the_next(caplog):
    a = per_call(Service(reply("1", id="c-1"), reply("2", id="c-2")))
    with pytest.raises(ChatClientInvalidResponseException):
        await a.run("one", session=a.create_session())
    caplog.clear()
    await a.run("two", session=a.create_session(), options=STORE)
    assert "HistoryProvider 'in_memory' has load_messages=True" in caplog.text


async def test_a_call_that_a_cancelled_run_left_is_sent_without_a_result_by_every_later_run():
    waits = Waits()
    service = Service(reply("", "waits"), "2")
    a = per_call(service, context_providers=[Kept()], tools=[waits.tool])
    session = a.create_session()
    await waits.cancel(a.run("one", session=session))
    await a.run("two", session=session)
    await a.run("three", session=session)
    left = ["user: one", "assistant: waits()", "user: two"]
    assert [asked.messages for asked in service.asked[1:]] == [left, [*left, "assistant: 2", "user: three"]]
