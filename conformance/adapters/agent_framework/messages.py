"""Messages of `agent-framework`, there and back: one native message is one neutral message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agent_framework import Content
from agent_framework import Message as NativeMessage

from conformance.adapter import Call, Message, Result, Role

_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
_APPROVALS = ("function_approval_request", "function_approval_response")


def to_native(message: Message) -> NativeMessage:
    """A message of the harness, as a caller or a chat client of the framework writes it. It has no id, so none is made up."""
    return NativeMessage(message.role, contents_of(message), author_name=message.author)


def contents_of(message: Message) -> list[Content]:
    """The contents of a message: its text, its calls, its results; a message that says nothing says an empty text."""
    silent = not (message.calls or message.results)
    contents = [Content.from_text(message.text)] if message.text or silent else []
    contents += [call_content(call) for call in message.calls]
    for result in message.results:
        exception = result.value if result.error else None
        contents.append(Content.from_function_result(result.id, result=result.value, exception=exception))
    return contents


def call_content(call: Call) -> Content:
    """A function call."""
    return Content.from_function_call(call.id, call.tool, arguments=dict(call.arguments))


def to_neutral(message: NativeMessage) -> Message:
    """A native message by value: all its texts, calls and results, and for which calls it asks approval or answers that."""
    contents = message.contents
    results = [
        Result(id=content.call_id or "", value=str(content.result), error=content.exception is not None)
        for content in contents
        if content.type == "function_result"
    ]
    return Message(
        role=_ROLES.get(message.role, "assistant"),
        text="".join(content.text or "" for content in contents if content.type == "text"),
        calls=tuple(to_call(content) for content in contents if content.type == "function_call"),
        results=tuple(results),
        author=message.author_name,
        approvals=tuple(each.function_call.call_id or "" for each in contents if each.type in _APPROVALS and each.function_call),
    )


def to_call(content: Content) -> Call:
    """A native function call; the framework has its arguments as a mapping or as JSON, which may be cut off in a stream."""
    return Call(id=content.call_id or "", tool=content.name or "", arguments=_arguments(content))


def _arguments(content: Content) -> dict[str, Any]:
    """The arguments of a call; a text that is no JSON stands under the empty name, as the service shows what it is sent."""
    parsed = content.parse_arguments() or {}
    unreadable = isinstance(content.arguments, str) and parsed == {"raw": content.arguments}
    return {"": content.arguments} if unreadable else dict(parsed)


def said(messages: Iterable[NativeMessage]) -> tuple[Message, ...]:
    """Messages by value."""
    return tuple(map(to_neutral, messages))
