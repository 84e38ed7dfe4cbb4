"""A thread, and copies of messages down to the arguments of their calls: what crosses a border belongs to one side only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from conformance.trace.messages import Call, Message
from conformance.vocabulary import ThreadKind


def copied(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Messages that share nothing that could change with these."""
    return tuple(_message(message) for message in messages)


def copied_calls(calls: Iterable[Call]) -> tuple[Call, ...]:
    """The same for calls."""
    return tuple(msgspec.structs.replace(call, arguments=_copied_json(call.arguments)) for call in calls)


def _message(message: Message) -> Message:
    return msgspec.structs.replace(
        message,
        calls=copied_calls(message.calls),
        results=tuple(msgspec.structs.replace(result) for result in message.results),
    )


def _copied_json(value: Any) -> Any:  # several times as fast as `deepcopy`, which minds what JSON cannot hold
    if isinstance(value, dict):
        return {key: _copied_json(each) for key, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_copied_json(each) for each in cast("list[Any]", value)]
    return value


@dataclass
class Stretch:
    """A part of a local history that lies in one place. place: whose history provider has it; None: the thread itself."""

    place: str | None
    count: int


@dataclass
class Thread:
    """One conversation.

    key: its name in a history store. service: which service knows a hosted thread's conversation. messages: what it keeps itself
    (local, no explicit provider). trail: where its local history lies, in order. context: each context provider's state under its
    id. fixed: its first run gave it its kind, which nothing but a transition changes. detached: the history provider no longer
    serves it. waiting: the calls of a reply in which one needs approval. decisions: those taken so far, by call id. open: by
    conversation id, the calls at the end of what a service has under it to which no result was sent.
    """

    key: str
    kind: ThreadKind = "local"
    conversation_id: str | None = None
    service: str | None = None
    messages: list[Message] = field(default_factory=list[Message])
    trail: list[Stretch] = field(default_factory=list[Stretch])
    context: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    fixed: bool = False
    detached: bool = False
    waiting: list[Call] = field(default_factory=list[Call])
    decisions: dict[str, bool] = field(default_factory=dict[str, bool])
    open: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def went_on(self, conversation_id: str | None) -> None:
        """Note that a conversation got a request, and so the results in it, although nobody heard the whole reply."""
        if conversation_id in self.open:
            self.left_open(conversation_id, ())

    def left_open(self, conversation_id: str | None, calls: Iterable[Call]) -> None:
        """Note which calls a conversation ends with by now. It or the one that the thread has counts when the run is over."""
        if conversation_id is not None:
            noted = {**self.open, conversation_id: [call.id for call in calls]}
            self.open = {id: ids for id, ids in noted.items() if ids and id in (conversation_id, self.conversation_id)}

    def grew(self, place: str | None, count: int) -> None:
        """Note that so many messages were appended in a place."""
        if self.trail and self.trail[-1].place == place:
            self.trail[-1].count += count
        else:
            self.trail.append(Stretch(place, count))
