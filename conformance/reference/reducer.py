"""The reducer: bounds how much of a local thread's history a run sends."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.trace import Message


def reduced(history: Sequence[Message], new: Sequence[Message], most: int) -> tuple[Message, ...]:
    """The end of a history that makes at most so many messages together with the new input, all of which is sent.

    A call and its results stay together: they are sent all or none. A call that the new input answers is always sent.
    """
    answered = {result.id for message in new for result in message.results}
    kept: list[Message] = []
    for unit in reversed(_units(history)):
        awaited = any(call.id in answered for message in unit for call in message.calls)
        if len(kept) + len(unit) + len(new) > most and not awaited:
            break
        kept[:0] = unit
    return tuple(kept)


def _units(history: Sequence[Message]) -> list[list[Message]]:
    """Messages that belong together: one with calls and those with their results, every other one alone."""
    units: list[list[Message]] = []
    for message in history:
        called = {call.id for earlier in (units[-1] if units else ()) for call in earlier.calls}
        if any(result.id in called for result in message.results):
            units[-1].append(message)
        else:
            units.append([message])
    return units
