"""What a request of the Responses API says: its body, decoded, as a neutral request.

What is said is taken as it stands: a function call belongs to the assistant's text right before it, and calls, or results, that
follow each other are one message; nothing is put in another order.
"""

from __future__ import annotations

from typing import Any

import msgspec

from conformance.trace.messages import Call, Message, Result, Role
from conformance.vocabulary import nearest
from conformance.world.chat_service import Request

RESPONSE, CONVERSATION = "resp_", "conv_"
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
_TEXTS = ("input_text", "output_text", "refusal")
_ITEMS = ("message", "function_call", "function_call_output", "reasoning")


class Malformed(ValueError):
    """A request that this service cannot read; the message says where and why."""


class Part(msgspec.Struct):
    """A part of an item's content or output."""

    type: str
    text: str = ""
    refusal: str = ""


class Item(msgspec.Struct):
    """An item of a request's input; which fields count depends on its type."""

    type: str = "message"
    role: str | None = None
    content: str | list[Part] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str = ""
    output: str | list[Part] = ""


class ConversationRef(msgspec.Struct):
    """A conversation, named as an object."""

    id: str


class Body(msgspec.Struct):
    """What counts in the body of a request; other fields, tools among them, change nothing in a scripted reply.

    tool_choice: a word, or an object that says which tools; what counts is whether it forbids them all.
    """

    input: str | list[Item] = msgspec.field(default_factory=list[Item])
    instructions: str | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    conversation: str | ConversationRef | None = None
    stream: bool | None = None
    tool_choice: Any = None
    model: str = "scripted"


def read(data: bytes) -> Body:
    """The body of a request. Raises Malformed."""
    try:
        return msgspec.json.decode(data, type=Body)
    except msgspec.MsgspecError as error:
        raise Malformed(str(error)) from None


def request_of(body: Body) -> Request:
    """The neutral request. Raises Malformed."""
    named = body.conversation.id if isinstance(body.conversation, ConversationRef) else body.conversation
    id, second = (named, body.previous_response_id) if named else (body.previous_response_id, None)
    said = [Message(role="system", text=body.instructions)] if body.instructions is not None else []
    if isinstance(body.input, str):
        said.append(Message(role="user", text=body.input))
    else:
        for place, item in enumerate(body.input):
            _add(said, item, f"input[{place}]")
    return Request(
        messages=tuple(said),
        store=body.store,
        conversation_id=neutral_id(id) if id else None,
        stream=bool(body.stream),
        forbids_tools=body.tool_choice == "none",
        second_id=neutral_id(second) if second else None,
    )


def neutral_id(id: str) -> str:
    """The service's own name for what is called this on the wire."""
    return id.removeprefix(RESPONSE).removeprefix(CONVERSATION)


def _add(said: list[Message], item: Item, where: str) -> None:
    last = said[-1] if said else None
    match item.type:
        case "message":
            if item.role not in _ROLES:
                raise Malformed(f"{where}.role is {item.role!r}{nearest(str(item.role), _ROLES)}")
            said.append(Message(role=_ROLES[item.role], text=_text(item.content or "", f"{where}.content")))
        case "function_call":
            if item.call_id is None or item.name is None:
                raise Malformed(f"{where} is a function_call without call_id or name")
            call = Call(id=item.call_id, tool=item.name, arguments=_arguments(item.arguments, where))
            if last is not None and last.role == "assistant":
                said[-1] = msgspec.structs.replace(last, calls=(*last.calls, call))
            else:
                said.append(Message(role="assistant", calls=(call,)))
        case "function_call_output":
            if item.call_id is None:
                raise Malformed(f"{where} is a function_call_output without call_id")
            result = Result(id=item.call_id, value=_text(item.output, f"{where}.output"))
            if last is not None and last.role == "tool":
                said[-1] = msgspec.structs.replace(last, results=(*last.results, result))
            else:
                said.append(Message(role="tool", results=(result,)))
        case "reasoning":
            pass  # what a model thought is nothing that was said
        case _:
            raise Malformed(f"{where}.type is {item.type!r}{nearest(item.type, _ITEMS)}")


def _text(content: str | list[Part], where: str) -> str:
    if isinstance(content, str):
        return content
    for place, part in enumerate(content):
        if part.type not in _TEXTS:
            raise Malformed(f"{where}[{place}].type is {part.type!r}{nearest(part.type, _TEXTS)}")
    return "".join(part.text or part.refusal for part in content)


def _arguments(text: str, where: str) -> dict[str, Any]:
    """The arguments of a call; a text that is no JSON, such as one that was cut off in a stream, stands under the empty name."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any]) if text else {}
    except msgspec.ValidationError as error:
        raise Malformed(f"{where}.arguments is no JSON object: {error}") from None
    except msgspec.DecodeError:
        return {"": text}
