"""The caller of the reference: it owns the messages that it hands over and gets, and may change them whenever it likes."""

from __future__ import annotations

from typing import cast

import msgspec

from conformance.implementation import Response, Turn
from conformance.reference.copies import copied
from conformance.reference.thread import Thread
from conformance.trace import Message


class Caller:
    """Makes the caller's own objects out of what the harness says, and tells the harness by value what became of them."""

    def __init__(self) -> None:
        self._owned: list[tuple[Thread, Message]] = []

    def asks(self, thread: Thread | None, turn: Turn) -> Turn:
        """The caller's own input and options of a run; its messages are a list, as a caller would have one."""
        messages = list(copied(turn.messages))
        self._own(thread, messages)
        return msgspec.structs.replace(turn, messages=cast("tuple[Message, ...]", messages))

    def got(self, thread: Thread | None, asked: Turn | None, response: Response) -> Response:
        """A response that the caller got: what stands in it now, and what the caller's input is by now."""
        self._own(thread, response.messages)
        given = msgspec.structs.replace(asked, messages=copied(asked.messages)) if asked is not None else None
        return msgspec.structs.replace(response, messages=copied(response.messages), given=given)

    def tamper(self, thread: Thread, text: str) -> None:
        """Set every text in the messages of the runs on a thread to this one."""
        for message in (message for other, message in self._owned if other is thread):
            msgspec.structs.force_setattr(message, "text", text)
            for result in message.results:
                msgspec.structs.force_setattr(result, "value", text)

    def _own(self, thread: Thread | None, messages: list[Message] | tuple[Message, ...]) -> None:
        if thread is not None:
            self._owned += [(thread, message) for message in messages]
