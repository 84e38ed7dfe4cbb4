"""Copies of messages, down to the arguments of their calls: what crosses a border belongs to one side only."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy

import msgspec

from conformance.trace import Call, Message


def copied(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Messages that share nothing that could change with these."""
    return tuple(_message(message) for message in messages)


def copied_calls(calls: Iterable[Call]) -> tuple[Call, ...]:
    """The same for calls."""
    return tuple(msgspec.structs.replace(call, arguments=deepcopy(call.arguments)) for call in calls)


def _message(message: Message) -> Message:
    return msgspec.structs.replace(
        message,
        calls=copied_calls(message.calls),
        results=tuple(msgspec.structs.replace(result) for result in message.results),
    )
