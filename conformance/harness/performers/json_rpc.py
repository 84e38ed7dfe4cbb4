"""JSON-RPC 2.0, one message a line: requests, and the responses to them.

Source: https://www.jsonrpc.org/specification. Notifications and batches are not used.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

PARSE_ERROR, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32601, -32602, -32603
"""Codes of the specification."""

USAGE = -32000
"""Our own code: what was asked for cannot be, and the message says to the person who asked what to do."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What every message says first."""

    jsonrpc: Literal["2.0"] = "2.0"


class Request(Message, frozen=True, kw_only=True):
    """Asks for something. params: still as JSON; its type is the method's."""

    id: int
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request was not answered."""

    code: int
    message: str


class Response(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Answers the request of that id, with a result, still as JSON, or with an error. id: None where none could be read."""

    id: int | None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: Error | msgspec.UnsetType = msgspec.UNSET


def line(message: Message) -> bytes:
    """A message as it is sent."""
    return msgspec.json.encode(message) + b"\n"


def result(id: int, value: Any) -> Response:
    """The response to a request that was answered."""
    return Response(id=id, result=msgspec.Raw(msgspec.json.encode(value)))


def refusal(id: int | None, code: int, message: str) -> Response:
    """The response to a request that was not."""
    return Response(id=id, error=Error(code=code, message=message))
