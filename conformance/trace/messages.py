"""Messages by value, and the parts by which they compare."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

from conformance.vocabulary import Data

Role = Literal["system", "user", "assistant", "tool"]


class Call(Data, frozen=True, kw_only=True):
    """A function call inside an assistant message."""

    id: str
    tool: str
    arguments: dict[str, Any] = {}


class Result(Data, frozen=True, kw_only=True):
    """The result of a function call inside a tool message; `error`: the tool raised or was not run."""

    id: str
    value: str = ""
    error: bool = False


class Message(Data, frozen=True, kw_only=True):
    """One message, by value. approvals: the ids of calls for which it asks someone's approval, or brings the answer."""

    role: Role
    text: str = ""
    calls: tuple[Call, ...] = ()
    results: tuple[Result, ...] = ()
    author: str | None = None
    approvals: tuple[str, ...] = ()


Part = tuple[str, ...]
"""What is compared: ("user" | "assistant" | "system", text), ("call", id, tool, arguments as JSON) or ("result", id).

One framework's message is another's three, so rules compare parts: they are equal wherever the same thing was said. Authors are not
part of it: most services never see them. Neither are the values of results, which are rendered in many ways (`Case.heard` looks at
them), nor approvals, which are between a framework and a person.
"""


def parts(messages: Iterable[Message]) -> list[Part]:
    """The parts of messages, in order: the text of each, then its calls or its results."""
    found: list[Part] = []
    for message in messages:
        if message.text or not (message.calls or message.results or message.approvals):
            found.append((message.role, message.text))
        found.extend(("call", call.id, call.tool, json.dumps(call.arguments, sort_keys=True)) for call in message.calls)
        found.extend(("result", result.id) for result in message.results)
    return found
