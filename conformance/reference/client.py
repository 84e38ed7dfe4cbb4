"""Chat clients: the leaf that calls the service, and the decorator that loads and appends around every service call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from conformance.reference.store import Store
from conformance.trace import Call, Message
from conformance.world.chat_service import ChatService, Reply, Request

SENTINEL = "reference-history-is-kept-below"
"""The made-up conversation id that tells the loop "history is kept below you"; the service must never see it."""

Emit = Callable[[str], None]


class Client(Protocol):
    """One service call."""

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Send a request; hand each chunk of text to `emit` where the request streams."""
        ...


class LeafClient:
    """Calls the service."""

    def __init__(self, service: ChatService) -> None:
        self._service = service

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Send a request as it is."""
        if not request.stream:
            return await self._service.reply(request)
        calls: list[Call] = []
        text, conversation_id = "", None
        async for chunk in self._service.stream(request):
            text += chunk.text
            conversation_id = chunk.conversation_id
            if chunk.call:
                calls.append(chunk.call)
            if chunk.text:
                emit(chunk.text)
        return Reply(message=Message(role="assistant", text=text, calls=tuple(calls)), conversation_id=conversation_id)


class PersistingClient:
    """The decorator of per-service-call persistence: loads before and appends after every service call.

    adds: what context providers injected; sent with every call, never stored. adopt: told of a real conversation id: from
    then on the service manages the history.
    """

    def __init__(self, inner: Client, store: Store, adds: Sequence[Message], adopt: Callable[[str], None]) -> None:
        self._inner = inner
        self._store = store
        self._adds = tuple(adds)
        self._adopt = adopt
        self._before: int | None = None

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Send stored history and what is new; append what is new and the reply."""
        id = request.conversation_id
        if id not in (None, SENTINEL):
            return await self._inner.complete(request, emit)
        new = request.messages
        history = await self._store.load()
        sent = msgspec.structs.replace(
            request,
            messages=self.request_messages(history, new),
            conversation_id=self.outgoing_id(id),
        )
        reply = await self._inner.complete(sent, emit)
        if reply.conversation_id is not None:
            self._adopt(reply.conversation_id)
            return reply
        await self.append(new, reply.message)
        return msgspec.structs.replace(reply, conversation_id=SENTINEL)

    def outgoing_id(self, id: str | None) -> str | None:
        """The conversation id that the service may see."""
        return None if id == SENTINEL else id

    def request_messages(self, history: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
        """What one request carries: what was injected stands where the run began, never between a call and its result."""
        if self._before is None:
            self._before = len(history)
        return (*history[: self._before], *self._adds, *history[self._before :], *new)

    async def append(self, new: Sequence[Message], reply: Message) -> None:
        """Append one service call's messages."""
        await self._store.append([*new, reply])
