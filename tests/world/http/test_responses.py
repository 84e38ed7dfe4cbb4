"""The Responses API as pure translation."""

import json

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from conformance.trace.messages import Call, Message, Result
from conformance.world.chat_service import ReplyChunk, Request
from conformance.world.http.responses_input import Malformed, read, request_of
from conformance.world.http.responses_output import events_of, name_reply, response_of, sse

OSLO = Call(id="call-1", tool="weather", arguments={"city": "Oslo"})
ROME = Call(id="call-2", tool="weather", arguments={"city": "Rome"})
KEPT = name_reply("a-1", one_id=False, number=1)


def body(**fields):
    return read(json.dumps({"model": "m", **fields}).encode())


def request(**fields):
    return request_of(body(**fields))


def call_item(call):
    return {"type": "function_call", "call_id": call.id, "name": call.tool, "arguments": json.dumps(call.arguments)}


def test_input_may_be_a_text_and_instructions_come_first():
    assert request(input="hello", instructions="be kind") == Request(
        messages=(Message(role="system", text="be kind"), Message(role="user", text="hello"))
    )


def test_store_is_none_where_the_request_does_not_say():
    assert [request(input="x", **said).store for said in ({}, {"store": True}, {"store": False})] == [None, True, False]


@pytest.mark.parametrize(
    "named",
    [{"previous_response_id": "resp_a-1"}, {"conversation": "conv_a-1"}, {"conversation": {"id": "conv_a-1"}}],
)
def test_every_way_to_name_a_conversation_means_the_same(named):
    assert request(input="x", **named).conversation_id == "a-1"


def test_an_assistants_text_and_calls_are_one_message_and_results_another():
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "how "}, {"type": "input_text", "text": "is it?"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "let me look", "annotations": []}]},
        call_item(OSLO),
        {"type": "reasoning", "id": "rs_1", "summary": []},
        call_item(ROME),
        {"type": "function_call_output", "call_id": "call-1", "output": "sunny"},
        {"type": "function_call_output", "call_id": "call-2", "output": [{"type": "input_text", "text": "rainy"}]},
    ]
    assert request(input=items).messages == (
        Message(role="user", text="how is it?"),
        Message(role="assistant", text="let me look", calls=(OSLO, ROME)),
        Message(role="tool", results=(Result(id="call-1", value="sunny"), Result(id="call-2", value="rainy"))),
    )


def test_what_was_sent_in_another_order_stays_in_that_order():
    items = [call_item(OSLO), {"role": "assistant", "content": "let me look"}]
    assert request(input=items).messages == (
        Message(role="assistant", calls=(OSLO,)),
        Message(role="assistant", text="let me look"),
    )


def test_arguments_that_were_cut_off_are_taken_as_they_stand():
    cut = {**call_item(OSLO), "arguments": '{"ci'}
    assert request(input=[cut]).messages == (
        Message(role="assistant", calls=(Call(id="call-1", tool="weather", arguments={"": '{"ci'}),)),
    )


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"input": [{"type": "function_cal"}]}, r"input\[0\]\.type is 'function_cal'; did you mean 'function_call'\?"),
        ({"input": [{"role": "asistant", "content": "x"}]}, r"input\[0\]\.role is 'asistant'; did you mean 'assistant'\?"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, r"input\[0\]\.content\[0\]\.type is 'input_image'"),
        ({"input": [{**call_item(OSLO), "arguments": "[1]"}]}, r"input\[0\]\.arguments is no JSON object"),
        ({"input": 3}, r"\$\.input"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(fields, complaint):
    with pytest.raises(Malformed, match=complaint):
        request(**fields)


def test_a_request_that_names_two_conversations_is_read_with_both():
    asked = request(previous_response_id="resp_a-2", conversation={"id": "conv_a-1"})
    assert (asked.conversation_id, asked.second_id) == ("a-1", "a-2")
    assert request(previous_response_id="resp_a-2").second_id is None


def test_a_reply_is_named_by_the_way_in_which_it_can_be_continued():
    assert (KEPT.id, KEPT.conversation) == ("resp_a-1", None)
    in_conversation = name_reply("a-1", one_id=True, number=7)
    assert (in_conversation.id, in_conversation.conversation) == ("resp_unkept-7", "conv_a-1")
    unkept = name_reply(None, one_id=True, number=8)
    assert (unkept.id, unkept.conversation) == ("resp_unkept-8", None)


def test_the_official_sdk_reads_a_response():
    message = Message(role="assistant", text="let me look", calls=(OSLO,))
    response = Response.model_validate(response_of(message, body(input="x"), KEPT), strict=True)
    assert (response.id, response.status, response.output_text) == ("resp_a-1", "completed", "let me look")
    assert [item.type for item in response.output] == ["message", "function_call"]
    assert json.loads(response.output[1].arguments) == {"city": "Oslo"}
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens > 0


@pytest.mark.parametrize(
    "chunks",
    [
        [ReplyChunk(text="let me "), ReplyChunk(text="look"), ReplyChunk(call=OSLO), ReplyChunk(call=ROME)],
        [ReplyChunk(call=OSLO)],
        [ReplyChunk()],
    ],
    ids=["text and calls", "a call only", "nothing at all"],
)
def test_a_stream_says_piece_by_piece_what_its_last_event_says_at_once(chunks):
    text = "".join(chunk.text for chunk in chunks)
    calls = tuple(chunk.call for chunk in chunks if chunk.call)
    events = list(events_of(chunks, body(input="x"), KEPT))
    parsed = [TypeAdapter(ResponseStreamEvent).validate_python(event) for event in events]
    assert [event.sequence_number for event in parsed] == list(range(len(parsed)))
    assert [event.type for event in parsed][:2] == ["response.created", "response.in_progress"]
    assert "".join(event.delta for event in parsed if event.type == "response.output_text.delta") == text
    arguments = {call.id: "" for call in calls}
    for event in parsed:
        if event.type == "response.function_call_arguments.delta":
            arguments[event.item_id.removeprefix("fc_")] += event.delta
    assert {id: json.loads(said) for id, said in arguments.items()} == {call.id: call.arguments for call in calls}
    whole = response_of(Message(role="assistant", text=text, calls=calls), body(input="x"), KEPT)
    assert events[-1] == {"type": "response.completed", "response": whole, "sequence_number": len(events) - 1}
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == whole["output"]


def test_a_stream_may_call_its_response_otherwise_at_its_beginning():
    chunks = [ReplyChunk(), ReplyChunk(text="look"), ReplyChunk(conversation_id="a-1")]
    begun = name_reply(None, one_id=False, number=8)
    events = [TypeAdapter(ResponseStreamEvent).validate_python(each) for each in events_of(chunks, body(input="x"), KEPT, begun)]
    assert [event.response.id for event in events if hasattr(event, "response")] == ["resp_unkept-8", "resp_unkept-8", "resp_a-1"]


def test_server_sent_events_name_their_type_and_end_with_an_empty_line():
    assert list(sse([{"type": "a", "n": 1}])) == [b'event: a\ndata: {"type": "a", "n": 1}\n\n']
