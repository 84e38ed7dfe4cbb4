"""Trace events in plain words, one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from conformance.trace.messages import Message
from conformance.trace.trace import AnyEvent


def event_line(event: AnyEvent) -> str:
    """What happened."""
    shown = "; ".join(f"{name}: {value}" for name, value in _told(event) if name not in ("step", "run"))
    name = str(type(event).__struct_config__.tag).replace("_", " ")
    return name + (f" ({shown})" if shown else "")


def value_words(value: Any) -> str:
    """Any value that stands in a scenario or a trace."""
    if isinstance(value, Message):
        return _message(value)
    if isinstance(value, msgspec.Struct):
        return "{" + ", ".join(f"{name}: {shown}" for name, shown in _told(value)) + "}"
    if isinstance(value, (list, tuple)):
        items = cast("Sequence[Any]", value)
        return "[" + ", ".join(value_words(item) for item in items) + "]"
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, Any]", value)
        return "{" + ", ".join(f"{key}: {value_words(item)}" for key, item in entries.items()) + "}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else repr(value) if isinstance(value, str) else str(value)


def _told(struct: msgspec.Struct) -> list[tuple[str, str]]:
    """The fields that say something, in words."""
    found: list[tuple[str, str]] = []
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
        if value != default:
            found.append((field.name, value_words(value)))
    return found


def _message(message: Message) -> str:
    said = [repr(message.text)] if message.text else []
    said += [f"call {call.id} {call.tool}" for call in message.calls]
    said += [f"result {result.id} {result.value!r}{' (error)' if result.error else ''}" for result in message.results]
    said += [f"approval of {id}" for id in message.approvals]
    author = f" {message.author}" if message.author else ""
    return f"{message.role}{author}: {' and '.join(said) or 'nothing'}"
