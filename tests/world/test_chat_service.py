"""The scripted chat service: its modes, its ids, its transcripts."""

from __future__ import annotations

import pytest

from conformance.scenario.scenario import Scenario
from conformance.scenario.specs import AgentSpec, CallSpec, ReplySpec, ServiceSpec
from conformance.trace.harness_events import ConversationsForgotten, ServiceCalled, ServiceReplied
from conformance.trace.messages import Call, Message, Result
from conformance.vocabulary import IdPlace
from conformance.world.chat_service import Request, ill_formed
from conformance.world.errors import ServiceError
from conformance.world.script import Script
from conformance.world.world import World


def user(text: str) -> Message:
    return Message(role="user", text=text)


def world_of(service: ServiceSpec, *replies: ReplySpec) -> World:
    world = World(Scenario(agents={"a": AgentSpec(service=service)}))
    world.scripts.append(Script(0, {"a": replies}))
    return world


async def ask(world: World, text: str, **options: object) -> str | None:
    reply = await world.service("a").reply(Request(messages=(user(text),), **options))  # type: ignore[arg-type]
    return reply.conversation_id


async def test_a_stateless_service_returns_no_id_even_when_asked_to_store():
    world = world_of(ServiceSpec())
    assert await ask(world, "one", store=True) is None


async def test_one_id_stays_and_new_ids_change():
    stable, changing = world_of(ServiceSpec(keeps="one_id")), world_of(ServiceSpec(keeps="new_ids"))
    first = await ask(stable, "one", store=True)
    assert await ask(stable, "two", store=True, conversation_id=first) == first
    first = await ask(changing, "one", store=True)
    assert await ask(changing, "two", store=True, conversation_id=first) != first


@pytest.mark.parametrize(
    ("by_default", "store", "kept"), [(True, None, True), (True, False, False), (False, None, False), (False, True, True)]
)
async def test_store_unset_means_the_services_default(by_default: bool, store: bool | None, kept: bool):
    world = world_of(ServiceSpec(keeps="one_id", stores_by_default=by_default))
    assert (await ask(world, "one", store=store) is not None) is kept


async def test_a_surprising_service_returns_an_id_although_nobody_asked():
    world = world_of(ServiceSpec(keeps="one_id", surprising=True))
    assert await ask(world, "one", store=False) is not None


async def test_the_record_shows_what_the_service_held_under_the_id():
    world = world_of(ServiceSpec(keeps="new_ids"), ReplySpec(text="1"))
    id = await ask(world, "one", store=True)
    await ask(world, "two", store=True, conversation_id=id)
    second = [event for event in world.events if isinstance(event, ServiceCalled)][1]
    assert [message.text for message in second.held] == ["one", "1"]


async def test_an_unknown_id_is_a_service_error_and_is_renamed_in_the_record():
    world = world_of(ServiceSpec(keeps="one_id"))
    with pytest.raises(ServiceError, match="foreign-1"):
        await ask(world, "one", conversation_id="of another vendor")


async def test_two_ids_are_a_service_error():
    world = world_of(ServiceSpec(keeps="new_ids"))
    first = await ask(world, "one", store=True)
    second = await ask(world, "two", store=True, conversation_id=first)
    with pytest.raises(ServiceError, match="two conversation ids"):
        await ask(world, "three", conversation_id=second, second_id=first)
    asked = [event for event in world.events if isinstance(event, ServiceCalled)][-1]
    assert (asked.conversation_id, asked.second_id) == ("a-2", "a-1")


async def test_a_reply_without_an_id_is_kept_all_the_same():
    world = world_of(ServiceSpec(keeps="one_id"), ReplySpec(text="1", without_id=True))
    assert await ask(world, "one", store=True) is None
    reply = next(event for event in world.events if isinstance(event, ServiceReplied))
    assert reply.kept


async def test_a_stream_says_the_same_as_a_reply():
    replies = (ReplySpec(text="sunny", calls=(CallSpec(tool="t"), CallSpec(tool="t", arguments={"x": "1"}))),)
    whole = await world_of(ServiceSpec(), *replies).service("a").reply(Request(messages=(user("one"),)))
    chunks = [c async for c in world_of(ServiceSpec(), *replies).service("a").stream(Request(messages=(user("one"),), stream=True))]
    assert "".join(chunk.text for chunk in chunks) == whole.message.text
    assert tuple(chunk.call for chunk in chunks if chunk.call) == whole.message.calls
    assert len(chunks) > 3


async def named(service: ServiceSpec, reply: ReplySpec, **options: object) -> tuple[list[str | None], ServiceReplied]:
    world = world_of(service, reply)
    request = Request(messages=(user("one"),), stream=True, **options)  # type: ignore[arg-type]
    ids = [chunk.conversation_id async for chunk in world.service("a").stream(request)]
    return ids, next(event for event in world.events if isinstance(event, ServiceReplied))


@pytest.mark.parametrize(
    ("id_in", "expected"),
    [
        ("every", ["a-1", "a-1"]),
        ("first", ["a-1", None, None, None]),
        ("middle", [None, None, "a-1", None]),
        ("last", [None, None, None, "a-1"]),
        ("provisional", ["a-2", None, None, "a-1"]),
    ],
)
async def test_a_stream_names_its_conversation_where_the_script_says_so(id_in: IdPlace, expected: list[str | None]):
    ids, reply = await named(ServiceSpec(keeps="one_id"), ReplySpec(text="sunny", id_in=id_in), store=True)
    assert ids == expected
    assert (reply.conversation_id, reply.id_in) == ("a-1", id_in)
    assert reply.provisional_id == ("a-2" if id_in == "provisional" else None)


async def test_what_is_not_kept_has_no_name_in_any_chunk():
    ids, reply = await named(ServiceSpec(keeps="one_id"), ReplySpec(text="sunny", id_in="provisional"), store=False)
    assert not any(ids)
    assert (reply.id_in, reply.provisional_id) == ("every", None)


async def test_a_provisional_id_is_the_name_of_nothing():
    world = world_of(ServiceSpec(keeps="new_ids"), ReplySpec(text="1", id_in="provisional"))
    request = Request(messages=(user("one"),), stream=True, store=True)
    chunks = [chunk async for chunk in world.service("a").stream(request)]
    with pytest.raises(ServiceError, match="no conversation 'a-2'"):
        await ask(world, "two", store=True, conversation_id=chunks[0].conversation_id)


async def test_a_service_that_forgets_has_no_conversation_any_more_and_begins_others_under_new_ids():
    world = world_of(ServiceSpec(keeps="one_id"))
    id = await ask(world, "one", store=True)
    world.service("a").forget()
    assert [event.agent for event in world.events if isinstance(event, ConversationsForgotten)] == ["a"]
    with pytest.raises(ServiceError, match="no conversation 'a-1'"):
        await ask(world, "two", store=True, conversation_id=id)
    assert await ask(world, "three", store=True) == "a-2"


async def test_a_strict_service_refuses_a_call_that_is_left_unanswered():
    world = world_of(ServiceSpec(strict=True, keeps="one_id"), ReplySpec(calls=(CallSpec(tool="t"),)))
    id = await ask(world, "one", store=True)
    with pytest.raises(ServiceError, match="call without a result: call-1"):
        await ask(world, "two", store=True, conversation_id=id)


def test_instructions_may_stand_between_a_call_and_its_result():
    asked = Message(role="assistant", calls=(Call(id="x", tool="weather"),))
    answered = Message(role="tool", results=(Result(id="x"),))
    assert ill_formed([user("one"), asked, Message(role="system", text="be kind"), answered]) is None
    assert ill_formed([user("one"), asked, user("two"), answered]) == "call without a result: x"


def test_a_result_without_its_call_is_ill_formed():
    assert ill_formed([user("one"), Message(role="tool", results=(Result(id="x"),))]) == "result without a call: x"
