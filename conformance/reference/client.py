"""Chat clients: the leaf that calls the service, and what stands between it and the loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import takewhile
from typing import Protocol

import msgspec

from conformance.reference.errors import Abandoned
from conformance.reference.history_stores import Store
from conformance.reference.thread import copied, copied_calls
from conformance.trace.messages import Call, Message, Result
from conformance.world.chat_service import ChatService, Reply, ReplyChunk, Request

SENTINEL = "reference-history-is-kept-below"
"""The made-up conversation id that tells the loop "history is kept below you"; the service must never see it."""

Emit = Callable[[str], Awaitable[None]]
"""Hands a chunk to the consumer and returns when it wants more. Raises Abandoned where it left the stream."""

Reduce = Callable[[Sequence[Message], Sequence[Message]], Sequence[Message]]
"""History and new input to what is sent of the history."""


def with_adds(adds: Sequence[Message], new: Sequence[Message]) -> list[Message]:
    """What context providers injected, before what is new; but results stand first, next to the calls that wait for them."""
    results = list(takewhile(lambda each: each.role == "tool", new))
    return [*results, *adds, *new[len(results) :]]


def closed(history: Sequence[Message], new: Sequence[Message]) -> list[Message]:
    """A history in which each call has a result, here or in what is new, else one that says that the run was interrupted.

    A run that fails after an approval leaves the calls that had waited, and nothing of what came after them.
    """
    waiting: list[tuple[int, str]] = []
    for place, message in enumerate((*history, *new)):
        waiting += [(place, call.id) for call in message.calls]
        for result in message.results:
            mine = [each for each in waiting if each[1] == result.id]
            if mine:
                waiting.remove(mine[-1])  # an id may come back: the latest call of it is the one that is answered
    found: list[Message] = []
    for place, message in enumerate(history):
        found += [message, *settled([id for where, id in waiting if where == place], ())]
    return found


def settled(calls: Iterable[str], new: Sequence[Message]) -> list[Message]:
    """Results that say that the run was interrupted, for those of the calls to which nothing that is new has a result."""
    known = {result.id for message in new for result in message.results}
    lost = tuple(Result(id=id, value="interrupted", error=True) for id in calls if id not in known)
    return [Message(role="tool", results=lost)] if lost else []


class Client(Protocol):
    """One service call."""

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Send a request; hand each chunk of text to `emit` where the request streams."""
        ...


class LeafClient:
    """Calls the service. What goes over the wire is shared with nobody on this side."""

    def __init__(self, service: ChatService) -> None:
        self._service = service

    @property
    def supports_hosted(self) -> bool:
        """Whether the service can keep conversations."""
        return self._service.spec.keeps != "nothing"

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Send a request as it is."""
        request = msgspec.structs.replace(request, messages=copied(request.messages))
        if not request.stream:
            reply = await self._service.reply(request)
            return msgspec.structs.replace(reply, message=copied([reply.message])[0])
        calls: list[Call] = []
        text = ""
        conversation_id: str | None = None
        async for chunk in self._service.stream(request):
            text += chunk.text
            conversation_id = self.named(conversation_id, chunk)
            if chunk.call:
                calls.append(chunk.call)
            if chunk.text:
                await self._emit(chunk.text, conversation_id, emit)
        return Reply(message=Message(role="assistant", text=text, calls=copied_calls(calls)), conversation_id=conversation_id)

    def named(self, before: str | None, chunk: ReplyChunk) -> str | None:
        """What the conversation is called once a chunk has come: the last id that any chunk named."""
        return chunk.conversation_id or before

    async def _emit(self, text: str, conversation_id: str | None, emit: Emit) -> None:
        try:
            await emit(text)
        except Abandoned as left:
            left.conversation_id = conversation_id
            raise


class DeafClient:
    """Passes no conversation id on: the kind of the thread is fixed, and is local. told: of the first one that came."""

    def __init__(self, inner: Client, told: Callable[[str], None]) -> None:
        self._inner = inner
        self._told = told
        self._came = False

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Drop the id of the reply."""
        reply = await self._inner.complete(request, emit)
        if reply.conversation_id is not None and not self._came:
            self._came = True
            self._told(reply.conversation_id)
        return msgspec.structs.replace(reply, conversation_id=None)


class PersistingClient:
    """The decorator of per-service-call persistence: loads before and appends after every service call.

    adds: what context providers injected; sent with every call, and stored only where `keeps_adds`. adopt: told of a real
    conversation id: from then on the service manages the history. reduce: bounds what is sent of the history before the run.
    copies: whether the store still receives what is new while the service manages the history.
    """

    def __init__(
        self,
        inner: Client,
        store: Store,
        adds: Sequence[Message],
        adopt: Callable[[str], None],
        *,
        reduce: Reduce,
        keeps_adds: bool,
        copies: Callable[[], bool],
    ) -> None:
        self._inner = inner
        self._store = store
        self._adds = tuple(adds)
        self._adopt = adopt
        self._reduce = reduce
        self._keeps_adds = keeps_adds
        self._copies = copies
        self._before: int | None = None
        self._earlier: tuple[Message, ...] = ()

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Send stored history and what is new; append what is new and the reply."""
        id = request.conversation_id
        new = request.messages
        if id not in (None, SENTINEL):
            reply = await self._inner.complete(request, emit)
            await self.copy(new, reply.message)
            return reply
        history = await self._store.load()
        sent = msgspec.structs.replace(
            request,
            messages=self.request_messages(history, new),
            conversation_id=self.outgoing_id(id),
        )
        try:
            reply = await self._inner.complete(sent, emit)
        except Abandoned:
            await self.keep_input(self._with_adds(new))
            raise
        if reply.conversation_id is not None:
            self._adopt(reply.conversation_id)
            await self.copy(self._with_adds(new), reply.message)
            return reply
        await self.append(self._with_adds(new), reply.message)
        return msgspec.structs.replace(reply, conversation_id=SENTINEL)

    def outgoing_id(self, id: str | None) -> str | None:
        """The conversation id that the service may see."""
        return None if id == SENTINEL else id

    def request_messages(self, history: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
        """What one request carries: what was injected stands where the run began, never between a call and its result."""
        if self._before is None:
            self._before = len(history)
            self._earlier = tuple(closed(self._reduce(history, new), new))
        return (*self._earlier, *with_adds(self._adds, (*history[self._before :], *new)))

    async def append(self, new: Sequence[Message], reply: Message) -> None:
        """Append one service call's messages."""
        await self._store.append([*new, reply])

    async def keep_input(self, new: Sequence[Message]) -> None:
        """The consumer left while the reply was coming: what is new is not lost, among it the results of earlier calls."""
        await self._store.append(new)

    async def copy(self, new: Sequence[Message], reply: Message) -> None:
        """The service manages the history: the store receives a copy, or nothing."""
        if self._copies():
            await self._store.append([*new, reply])

    def _with_adds(self, new: Sequence[Message]) -> Sequence[Message]:
        """What is new, with what was injected where that is stored; from then on it is part of the history."""
        if not self._keeps_adds:
            return new
        adds, self._adds = self._adds, ()
        return with_adds(adds, new)
