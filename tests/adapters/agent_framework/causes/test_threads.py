"""Why agent-framework deviates from the rules on threads: each cause, shown with the framework alone."""

import pytest

pytest.importorskip("agent_framework", reason="the extra 'agent-framework' is not installed")

from agent_framework import (
    AgentSession,
    BaseAgent,
    ChatResponse,
    ContextProvider,
    InMemoryHistoryProvider,
    Message,
    TruncationStrategy,
)
from agent_framework.exceptions import AgentInvalidRequestException
from agent_framework_alone import Keeping, Service, Waits, agent, approvals, pay, per_call, reply, said, warned, weather

STORE, LOCAL = {"store": True}, {"store": False}


def kept(session: AgentSession) -> list[str]:
    return said(session.state.get("in_memory", {}).get("messages", []))


async def test_the_history_provider_that_a_local_run_adds_stays_on_the_agent():
    service = Service("1", reply("2", id="c-1"), reply("3", id="c-2"))
    a = agent(service)
    await a.run("one", session=a.create_session())
    assert [type(provider) for provider in a.context_providers] == [InMemoryHistoryProvider]
    hosted = a.create_session()
    await a.run("two", session=hosted, options=STORE)
    await a.run("three", session=hosted, options=STORE)
    assert service.asked[2] == (["user: two", "assistant: 2", "user: three"], True, "c-1")
    assert kept(hosted) == ["user: two", "assistant: 2", "user: three", "assistant: 3"]


async def test_on_an_agent_without_local_runs_a_hosted_session_is_sent_and_keeps_nothing_twice():
    service = Service(reply("2", id="c-1"), reply("3", id="c-2"))
    a = agent(service)
    hosted = a.create_session()
    await a.run("two", session=hosted, options=STORE)
    await a.run("three", session=hosted, options=STORE)
    assert service.asked[1] == (["user: three"], True, "c-1")
    assert (kept(hosted), a.context_providers) == ([], [])


async def test_a_session_does_not_know_whose_conversation_it_names():
    first, other = Service(reply("1", id="first-1")), Service()
    a, b = agent(first, "a"), agent(other, "b")
    session = a.create_session()
    await a.run("one", session=session, options=STORE)
    await b.run("two", session=session, options=STORE)
    assert other.asked == [(["user: two"], True, "first-1")]


async def test_an_equal_turn_is_taken_for_a_repetition_and_dropped():
    service = Service("yes", "yes", "3")
    a = agent(service)
    session = a.create_session()
    for text in ("one", "one", "two"):
        await a.run(text, session=session)
    assert service.asked[2].messages == ["user: one", "assistant: yes", "user: two"]
    assert kept(session) == ["user: one", "assistant: yes", "user: two", "assistant: 3"]


async def test_what_stands_before_a_repetition_of_the_history_is_dropped_with_it():
    service = Service("1", reply("", "weather"))
    a = per_call(service, tools=[weather])
    session = a.create_session()
    await a.run("one", session=session)
    await a.run(
        [Message("assistant", ["of another"]), Message("user", ["one"]), Message("assistant", ["1"]), "two"], session=session
    )
    assert service.asked[1].messages[2:] == ["assistant: of another", "user: one", "assistant: 1", "user: two"]
    assert service.asked[2].messages[:3] == ["user: one", "assistant: 1", "user: two"]


@pytest.mark.parametrize(("client", "options"), [(Keeping, {}), (Service, STORE)], ids=["by default", "because it is asked to"])
async def test_an_agent_whose_service_stores_is_not_sent_the_messages_that_another_agent_left_on_the_session(client, options):
    first, other = Service("1"), client()
    session = AgentSession()
    await agent(first, "a").run("one", session=session)
    await agent(other, "b").run("two", session=session, options=options)
    assert kept(session) == ["user: one", "assistant: 1"]
    assert other.asked[0].messages == ["user: two"]


async def test_a_session_remembers_nothing_of_the_option_store():
    service = Keeping("1", reply("2", id="c-1"))
    a = agent(service)
    session = a.create_session()
    await a.run("one", session=session, options=LOCAL)
    assert (kept(session), session.service_session_id) == (["user: one", "assistant: 1"], None)
    await a.run("two", session=session)
    assert service.asked[1].store is None
    assert session.service_session_id == "c-1"


async def test_a_session_that_store_made_hosted_is_not_stored_by_later_runs():
    service = Service("1", reply("2", id="c-1"))
    a = agent(service)
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session, options=STORE)
    await a.run("three", session=session)
    assert (service.asked[2].store, service.asked[2].conversation_id) == (None, "c-1")


async def test_store_on_a_session_with_per_service_call_persistence_leaves_its_history_behind():
    service = Service("1", reply("2", id="c-1"))
    a = per_call(service)
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session, options=STORE)
    assert service.asked[1] == (["user: two"], True, None)


async def test_a_session_with_an_id_is_refused_where_per_service_call_persistence_is_on_and_nothing_is_said():
    service = Service("1", reply("2", id="c-1"))
    a = per_call(service)
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session, options=STORE)
    with pytest.raises(AgentInvalidRequestException, match="cannot be used with an existing service-managed conversation"):
        await a.run("three", session=session)
    assert len(service.asked) == 2


async def test_a_conversation_id_on_a_local_session_is_refused_with_per_service_call_persistence_alone():
    service = Service("1", "2")
    a, strict = agent(service), per_call(service)
    session = strict.create_session()
    await strict.run("one", session=session)
    with pytest.raises(AgentInvalidRequestException):
        await strict.run("two", session=session, options={"conversation_id": "c-1"})
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session, options={"conversation_id": "c-1"})
    assert service.asked[-1].conversation_id == "c-1"


async def test_of_a_conversation_id_on_a_session_nothing_is_kept_locally_even_where_the_service_keeps_nothing():
    service = Service("1")
    a = agent(service)
    session = a.create_session()
    await a.run("one", session=session, options={"conversation_id": "c-1"})
    assert (kept(session), session.service_session_id) == ([], None)


async def test_of_a_service_that_keeps_nothing_although_it_is_asked_to_nothing_is_kept_locally():
    a = agent(Service("1"))
    session = a.create_session()
    await a.run("one", session=session, options=STORE)
    assert (kept(session), session.service_session_id) == ([], None)


@pytest.mark.parametrize(("service", "options"), [(Keeping("1"), None), (Service("1"), STORE)], ids=["by default", "asked to"])
async def test_a_reply_without_an_id_where_the_service_is_to_store_leaves_the_turn_nowhere(service, options):
    a = agent(service)
    session = a.create_session()
    await a.run("one", session=session, options=options)
    assert (kept(session), session.service_session_id) == ([], None)


async def test_a_session_goes_on_from_the_older_id_where_a_reply_has_none():
    service = Service(reply("1", id="c-1"), "2", reply("3", id="c-3"))
    a = agent(service)
    session = a.create_session()
    for text in ("one", "two", "three"):
        await a.run(text, session=session, options=STORE)
    assert [asked.conversation_id for asked in service.asked] == [None, "c-1", "c-1"]


async def test_a_last_reply_without_an_id_leaves_the_session_with_the_id_of_the_reply_before():
    service = Service(reply("", "weather", id="c-1"), "2")
    a = agent(service, tools=[weather])
    session = a.create_session()
    await a.run("one", session=session, options=STORE)
    assert session.service_session_id == "c-1"


async def test_store_false_on_a_session_with_an_id_neither_refuses_nor_is_overruled():
    service = Service(reply("1", id="c-1"), "2")
    a = agent(service)
    session = a.create_session()
    await a.run("one", session=session, options=STORE)
    await a.run("two", session=session, options=LOCAL)
    assert service.asked[1] == (["user: two"], False, "c-1")
    assert (kept(session), session.service_session_id) == ([], "c-1")


async def test_the_option_conversation_id_wins_over_the_id_of_the_session():
    service = Service(reply("1", id="c-1"), reply("2", id="other-2"))
    a = agent(service)
    session = a.create_session()
    await a.run("one", session=session, options=STORE)
    await a.run("two", session=session, options={"store": True, "conversation_id": "other-1"})
    assert service.asked[1].conversation_id == "other-1"
    assert session.service_session_id == "other-2"


async def test_a_run_that_fails_has_written_the_id_of_its_first_reply_to_the_session():
    a = agent(Service(reply("", "weather", id="c-1"), RuntimeError("overloaded")), tools=[weather])
    session = a.create_session()
    with pytest.raises(RuntimeError):
        await a.run("one", session=session)
    assert session.service_session_id == "c-1"


async def test_a_run_that_fails_makes_a_local_session_hosted_where_its_first_reply_has_an_id():
    a = agent(Service("1", reply("", "weather", id="c-1"), RuntimeError("overloaded")), tools=[weather])
    session = a.create_session()
    await a.run("one", session=session)
    with pytest.raises(RuntimeError):
        await a.run("two", session=session)
    assert (kept(session), session.service_session_id) == (["user: one", "assistant: 1"], "c-1")


async def test_a_local_session_becomes_hosted_with_the_first_id_that_comes():
    a = agent(Service("1", reply("2", id="c-1")))
    session = a.create_session()
    await a.run("one", session=session)
    assert session.service_session_id is None
    await a.run("two", session=session)
    assert session.service_session_id == "c-1"


async def test_with_per_service_call_persistence_a_run_that_fails_has_stored_its_first_call():
    a = per_call(Service(reply("", "weather"), RuntimeError("overloaded")), tools=[weather])
    session = a.create_session()
    with pytest.raises(RuntimeError):
        await a.run("one", session=session)
    assert kept(session) == ["user: one", "assistant: weather()"]


def test_damaged_data_of_a_session_is_not_refused():
    whole = AgentSession(session_id="s", service_session_id="c-1").to_dict()
    lost = {key: value for key, value in whole.items() if key != "service_session_id"}
    assert AgentSession.from_dict(lost).service_session_id is None
    assert AgentSession.from_dict({**whole, "service_session_id": 5}).service_session_id == 5
    with pytest.raises(TypeError, match="string indices"):
        AgentSession.from_dict("no session")


async def test_data_of_a_session_with_damaged_messages_is_restored_or_refused_without_naming_what_is_wrong():
    a = agent(Service("1"))
    session = a.create_session()
    await a.run("one", session=session)
    data = session.to_dict()
    messages = data["state"]["in_memory"]["messages"]
    messages[1]["contents"] = "no contents"
    assert AgentSession.from_dict(data).session_id == session.session_id
    messages[1]["surprise"] = 1
    with pytest.raises(
        ValueError, match=r"^Failed to deserialize registered state type 'message' at state\.in_memory\.messages\[1\]\.$"
    ):
        AgentSession.from_dict(data)


class Told(ContextProvider):
    def __init__(self, source_id: str) -> None:
        super().__init__(source_id)
        self.runs = 0

    async def after_run(self, *, agent, session, context, state):
        self.runs += 1
        state["runs"] = state.get("runs", 0) + 1


async def test_two_context_providers_of_one_id_are_taken_and_share_their_state():
    a = agent(Service("1"), context_providers=[Told("same"), Told("same")])
    session = a.create_session()
    await a.run("one", session=session)
    assert session.state["same"] == {"runs": 2}


async def test_a_context_provider_is_not_told_of_a_run_that_fails():
    provider = Told("memory")
    a = agent(Service(RuntimeError("overloaded")), context_providers=[provider])
    with pytest.raises(RuntimeError):
        await a.run("one", session=a.create_session())
    assert provider.runs == 0


@pytest.mark.parametrize("options", [LOCAL, STORE], ids=["local", "hosted"])
async def test_truncation_counts_the_new_input_and_drops_the_oldest_of_it(options):
    service = Service("1")
    a = agent(service, compaction_strategy=TruncationStrategy(max_n=1, compact_to=1))
    await a.run(["one", "two"], session=a.create_session(), options=options)
    assert service.asked[0].messages == ["user: two"]


async def test_truncation_counts_and_drops_what_context_providers_add_too():
    class Adds(ContextProvider):
        async def before_run(self, *, agent, session, context, state):
            context.extend_messages(self, [Message("user", ["remember"])])

    service = Service("1")
    a = agent(service, context_providers=[Adds("memory")], compaction_strategy=TruncationStrategy(max_n=2, compact_to=2))
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session)
    assert service.asked[0].messages == ["user: remember", "user: one"]
    assert service.asked[1].messages == ["assistant: 1", "user: two"]


async def test_a_session_keeps_the_messages_of_its_caller_and_of_the_response_themselves():
    service = Service("1", "2")
    a = agent(service)
    session, mine = a.create_session(), Message("user", ["one"])
    response = await a.run([mine], session=session)
    for message in (mine, response.messages[0]):
        message.contents[0].text = "changed"
    await a.run("two", session=session)
    assert service.asked[1].messages == ["user: changed", "assistant: changed", "user: two"]
    assert [message["contents"][0]["text"] for message in session.to_dict()["state"]["in_memory"]["messages"]][:2] == [
        "changed"
    ] * 2


async def test_an_input_that_comes_while_an_approval_is_pending_stands_between_the_call_and_its_result():
    service = Service(reply("", "pay"), "2", "1", "3")
    a = agent(service, tools=[pay])
    session = a.create_session()
    asked = await a.run("one", session=session)
    await a.run("two", session=session)
    assert service.asked[1].messages == ["user: one", "user: two"]
    await a.run(approvals(asked), session=session)
    assert service.asked[2].messages == ["user: one", "assistant: pay()", "user: two", "assistant: 2", "tool: = paid"]


async def test_other_objects_in_the_state_of_a_session_are_left_as_they_are():
    session = AgentSession(session_id="s")
    session.state["memory"] = {"seen": {"Oslo"}}
    with pytest.warns(RuntimeWarning, match="leaving it unchanged"):
        assert session.to_dict()["state"]["memory"]["seen"] == {"Oslo"}


async def test_equal_turns_whose_messages_have_ids_are_told_apart():
    def numbered(role, text, id):
        return Message(role, [text], message_id=id)

    service = Service(*(ChatResponse(messages=[numbered("assistant", "yes", id)]) for id in ("m-2", "m-4")), "3")
    a = agent(service)
    session = a.create_session()
    for message in (numbered("user", "one", "m-1"), numbered("user", "one", "m-3"), numbered("user", "two", "m-5")):
        await a.run(message, session=session)
    assert service.asked[2].messages == ["user: one", "assistant: yes", "user: one", "assistant: yes", "user: two"]


def test_what_a_session_is_depends_on_the_service_by_the_words_of_the_framework():
    assert "depends on the service used" in " ".join((BaseAgent.create_session.__doc__ or "").split())


async def test_a_session_that_an_id_made_hosted_is_not_stored_by_runs_that_do_not_ask_and_no_local_history_has_the_turn():
    service = Service()
    a = agent(service)
    session = a.get_session("c-1")
    await a.run("one", session=session)
    assert service.asked == [(["user: one"], None, "c-1")]
    assert kept(session) == []


async def test_what_truncation_drops_of_the_input_is_kept_nowhere_on_a_hosted_session():
    service = Service(reply("1", id="c-1"))
    a = agent(service, compaction_strategy=TruncationStrategy(max_n=1, compact_to=1))
    session = a.create_session()
    await a.run(["one", "two"], session=session, options=STORE)
    assert (service.asked, kept(session)) == ([(["user: two"], True, None)], [])


@pytest.mark.parametrize("replies", [["1"], [reply("1", id="c-1"), "2", reply("3", id="c-3")]], ids=["no id", "an id before"])
async def test_nobody_is_told_where_a_reply_has_no_id_although_the_service_is_to_store(replies, caplog, recwarn):
    a = agent(Service(*replies))
    session = a.create_session()
    for _ in replies:
        await a.run("one", session=session, options=STORE)
    assert warned(caplog, recwarn) == []


async def test_nobody_is_told_where_the_option_conversation_id_wins(caplog, recwarn):
    a = agent(Service(reply("1", id="c-1")))
    session = a.create_session()
    await a.run("one", session=session, options=STORE)
    await a.run("two", session=session, options={"store": True, "conversation_id": "other-1"})
    assert warned(caplog, recwarn) == []


async def test_per_service_call_a_client_that_stores_by_default_is_not_sent_the_history_of_a_local_session():
    service = Keeping("1", reply("2", id="c-1"))
    a = per_call(service)
    session = a.create_session()
    await a.run("one", session=session, options=LOCAL)
    await a.run("two", session=session)
    assert kept(session)[:2] == ["user: one", "assistant: 1"]
    assert service.asked[1] == (["user: two"], None, None)


@pytest.mark.parametrize("options", [STORE, {**STORE, "conversation_id": "other"}], ids=["store", "conversation_id"])
async def test_a_session_that_an_option_made_hosted_goes_on_storing_locally(options):
    service = Service("1", reply("2", id="c-1"), reply("3", id="c-2"))
    a = agent(service)
    session = a.create_session()
    await a.run("one", session=session)
    await a.run("two", session=session, options=options)
    await a.run("three", session=session, options=STORE)
    assert session.service_session_id == "c-2"
    assert kept(session) == ["user: one", "assistant: 1", "user: two", "assistant: 2", "user: three", "assistant: 3"]


@pytest.mark.parametrize("before", [[], ["0"]], ids=["first run", "local session"])
async def test_a_run_that_is_cancelled_has_written_the_id_of_its_first_reply_to_the_session(before):
    waits = Waits()
    a = agent(Service(*before, reply("", "waits", id="c-1")), tools=[waits.tool])
    session = a.create_session()
    for _ in before:
        await a.run("zero", session=session)
    assert session.service_session_id is None
    await waits.cancel(a.run("one", session=session))
    assert session.service_session_id == "c-1"


async def test_a_context_provider_is_told_of_a_run_that_succeeds_and_not_of_one_that_is_cancelled():
    waits = Waits()
    provider = Told("memory")
    a = agent(Service("1", reply("", "waits")), context_providers=[provider], tools=[waits.tool])
    session = a.create_session()
    await a.run("one", session=session)
    await waits.cancel(a.run("two", session=session))
    assert provider.runs == 1


def test_a_context_provider_has_no_other_hook():
    own = vars(ContextProvider).items()
    assert {name for name, value in own if callable(value) and not name.startswith("_")} == {"before_run", "after_run"}


async def test_the_messages_on_a_session_are_those_of_the_caller_and_of_the_response():
    a = agent(Service("1"))
    session, mine = a.create_session(), Message("user", ["one"])
    response = await a.run([mine], session=session)
    first, second = session.state["in_memory"]["messages"]
    assert first.contents[0] is mine.contents[0]
    assert second.contents[0] is response.messages[0].contents[0]
    assert (first is mine, second is response.messages[0]) == (True, True)
