"""The Responses API of OpenAI-compatible services as pure translation: replies out, as response objects or as stream events.

On this wire every response has an id, also one that nobody keeps. A kept reply of a service with `new_ids` is the response
`resp_<conversation id>`, and `previous_response_id` continues it. A service with `one_id` opens a conversation by itself where it
is asked to keep and none is named; it says `conversation: conv_<conversation id>` in its responses and is continued by that. All
other responses are `resp_unkept-<n>`, which the service does not know afterwards.

Three events of a stream hold the response, and so name it: the two that it begins with, and the one that it ends with. A reply that
names its conversation in its first chunk only cannot be told from one that does in each; where the first chunk does not name it,
or gives a provisional name, the events at the beginning hold a response that is called otherwise than at the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from conformance.trace.messages import Message
from conformance.world.chat_service import ReplyChunk
from conformance.world.http.responses_input import CONVERSATION, RESPONSE, Body

UNKEPT = RESPONSE + "unkept-"
CREATED_AT = 1_000_000_000

Json = dict[str, Any]


class Named(msgspec.Struct, frozen=True):
    """What a reply is called on the wire: its own id, and the conversation that it belongs to."""

    id: str
    conversation: str | None = None


def name_reply(conversation_id: str | None, *, one_id: bool, number: int) -> Named:
    """The name of a reply. conversation_id: the neutral one, None where nobody kept it; number: tells unkept replies apart."""
    if conversation_id is None:
        return Named(f"{UNKEPT}{number}")
    if one_id:
        return Named(f"{UNKEPT}{number}", CONVERSATION + conversation_id)
    return Named(RESPONSE + conversation_id)


def response_of(message: Message, body: Body, named: Named) -> Json:
    """The response object of a whole reply."""
    return _response(body, named, list(_items(message, named)))


def events_of(chunks: Sequence[ReplyChunk], body: Body, named: Named, begun: Named | None = None) -> Iterator[Json]:
    """The events of a streamed reply, numbered. begun: what it is called before its end, where that is something else."""
    for number, event in enumerate(_events(chunks, body, named, begun or named)):
        yield {**event, "sequence_number": number}


def sse(events: Iterable[Json]) -> Iterator[bytes]:
    """Events as server-sent events."""
    for event in events:
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def error_of(message: str) -> Json:
    """The body of an error."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


def _events(chunks: Sequence[ReplyChunk], body: Body, named: Named, begun: Named) -> Iterator[Json]:
    so_far = {**_response(body, named, None), **_called(begun)}
    yield {"type": "response.created", "response": so_far}
    yield {"type": "response.in_progress", "response": so_far}
    texts = [chunk.text for chunk in chunks if chunk.text]
    calls = tuple(chunk.call for chunk in chunks if chunk.call is not None)
    items = list(_items(Message(role="assistant", text="".join(texts), calls=calls), named))
    for index, item in enumerate(items):
        at = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "message":
            yield from _text_events(item, at, texts)
        else:
            yield from _call_events(item, at)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": _response(body, named, items)}


def _text_events(item: Json, at: Json, texts: Sequence[str]) -> Iterator[Json]:
    at = {**at, "content_index": 0}
    part = item["content"][0]
    begun: Json = {**item, "status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": at["output_index"], "item": begun}
    yield {"type": "response.content_part.added", **at, "part": {**part, "text": ""}}
    for text in texts:
        yield {"type": "response.output_text.delta", **at, "delta": text, "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": part}


def _call_events(item: Json, at: Json) -> Iterator[Json]:
    begun = {**item, "status": "in_progress", "arguments": ""}
    yield {"type": "response.output_item.added", "output_index": at["output_index"], "item": begun}
    arguments = item["arguments"]
    middle = len(arguments) // 2
    for piece in (arguments[:middle], arguments[middle:]):
        yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
    yield {"type": "response.function_call_arguments.done", **at, "name": item["name"], "arguments": arguments}


def _items(message: Message, named: Named) -> Iterator[Json]:
    if message.text or not message.calls:
        part: Json = {"type": "output_text", "text": message.text, "annotations": [], "logprobs": []}
        name = "msg_" + named.id.removeprefix(RESPONSE)
        yield {"id": name, "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    for call in message.calls:
        yield {
            "id": f"fc_{call.id}",
            "type": "function_call",
            "status": "completed",
            "call_id": call.id,
            "name": call.tool,
            "arguments": json.dumps(call.arguments),
        }


def _response(body: Body, named: Named, output: list[Json] | None) -> Json:
    """The response object; output: None while it is in progress."""
    return {
        **_called(named),
        "object": "response",
        "created_at": CREATED_AT,
        "status": "in_progress" if output is None else "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": body.instructions,
        "metadata": {},
        "model": body.model,
        "output": output or [],
        "parallel_tool_calls": True,
        "previous_response_id": body.previous_response_id,
        "store": named.conversation is not None or not named.id.startswith(UNKEPT),
        "temperature": 1.0,
        "tool_choice": body.tool_choice or "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": _usage(body, output) if output is not None else None,
    }


def _called(named: Named) -> Json:
    return {"id": named.id, "conversation": {"id": named.conversation} if named.conversation is not None else None}


def _usage(body: Body, output: list[Json]) -> Json:
    """Roughly what a real service would count: four bytes of JSON are a token."""
    sent, answered = (len(msgspec.json.encode(said)) // 4 for said in (body.input, output))
    return {
        "input_tokens": sent,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answered,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": sent + answered,
    }
