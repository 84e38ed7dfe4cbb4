"""The scripted chat service: a request in, a reply or its chunks out, with its own transcripts and its own ids.

One plain object, reached natively (an adapter wraps it into its framework's chat client) or over HTTP
(`conformance.world.http.face`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import msgspec

from conformance.scenario.specs import AgentSpec, ReplySpec
from conformance.trace.harness_events import ConversationsForgotten, ServiceCalled, ServiceFailed, ServiceReplied
from conformance.trace.messages import Call, Message
from conformance.vocabulary import Data, IdPlace
from conformance.world.errors import ServiceError
from conformance.world.event_log import EventLog

if TYPE_CHECKING:
    from conformance.world.script import Script


class Request(Data, frozen=True, kw_only=True):
    """A service call as the service sees it; `store` is None where the request does not say. forbids_tools: no calls, please.

    second_id: a further conversation id, where the request names two; no service knows which of them it should follow.
    """

    messages: tuple[Message, ...]
    store: bool | None = None
    conversation_id: str | None = None
    stream: bool = False
    forbids_tools: bool = False
    second_id: str | None = None


class Reply(Data, frozen=True, kw_only=True):
    """The service's answer to a request. provisional_id: what a stream names the conversation before it names it."""

    message: Message
    conversation_id: str | None = None
    provisional_id: str | None = None


class ReplyChunk(Data, frozen=True, kw_only=True):
    """A piece of a streamed reply: some text, or one whole function call."""

    text: str = ""
    call: Call | None = None
    conversation_id: str | None = None


class ChatService:
    """The service behind one agent.

    A storing service knows only ids that it issued. With `new_ids` every reply has an id of its own and every id stays valid, as
    the name of the conversation up to that reply.
    """

    def __init__(self, log: EventLog, agent: str, spec: AgentSpec, handoff_tool: str) -> None:
        self._log = log
        self._handoff_tool = handoff_tool
        self.agent = agent
        self.spec = spec.service
        self._tools = spec.tools
        self._transcripts: dict[str, tuple[Message, ...]] = {}

    async def reply(self, request: Request) -> Reply:
        """Answer a request. Raises ServiceError where the script says so or where the request cannot be served."""
        script, spec, call = await self._begin(request)
        return await self._finish(request, script, spec, call)

    async def stream(self, request: Request) -> AsyncIterator[ReplyChunk]:
        """Answer a request in chunks: the text in two or three, then each function call. Raises as `reply`.

        Where the id does not stand in every chunk, the first and the last one say nothing else, as those of real services.
        """
        script, spec, call = await self._begin(request)
        reply = await self._finish(request, script, spec, call)
        pieces = [ReplyChunk(text=text) for text in _cut(reply.message.text)]
        pieces += [ReplyChunk(call=made) for made in reply.message.calls]
        if spec.id_in != "every":
            pieces = [ReplyChunk(), *pieces, ReplyChunk()]
        named = _ids(reply, spec.id_in, len(pieces or [ReplyChunk()]))
        for piece, id in zip(pieces or [ReplyChunk()], named, strict=True):
            yield msgspec.structs.replace(piece, conversation_id=id)

    def another_conversation(self) -> str:
        """A conversation of this service that no thread of the scenario knows; empty, but real."""
        return self._keep(())

    def forget(self) -> None:
        """Lose every conversation, as services do after some weeks, or when somebody deletes them."""
        self._transcripts.clear()
        self._log.record(ConversationsForgotten, agent=self.agent)

    async def _begin(self, request: Request) -> tuple[Script, ReplySpec, int]:
        script = self._log.script
        call = self._log.next_call()
        self._log.record(
            ServiceCalled,
            agent=self.agent,
            call=call,
            messages=request.messages,
            store=request.store,
            conversation_id=self._log.name_of(request.conversation_id, "foreign"),
            stream=request.stream,
            forbids_tools=request.forbids_tools,
            held=self._transcripts.get(request.conversation_id or "", ()),
            second_id=self._log.name_of(request.second_id, "foreign"),
        )
        script.answered(self.agent, (result.id for message in request.messages for result in message.results))
        if request.second_id is not None:
            self._fail(call, "two conversation ids: name one of them")
        if request.conversation_id is not None and request.conversation_id not in self._transcripts:
            self._fail(call, f"no conversation {self._log.name_of(request.conversation_id, 'foreign')!r}")
        if self.spec.strict and (wrong := ill_formed(self._seen(request))):
            self._fail(call, wrong)
        if script.label is not None:
            await script.order.wait(script.label)
        spec = script.next_reply(self.agent)
        if request.forbids_tools:
            spec = msgspec.structs.replace(spec, calls=(), text=spec.text or "without tools")
        if script.label is None and self._ends_part(spec):
            await script.order.wait(self.agent)
        return script, spec, call

    async def _finish(self, request: Request, script: Script, spec: ReplySpec, call: int) -> Reply:
        try:
            if spec.error is not None:
                self._fail(call, spec.error)
            if spec.cancelled:
                script.cancel_run()
                await asyncio.Event().wait()
            message = self._message(script, spec)
            kept = self._keeps(request)
            conversation_id = None
            if kept:
                conversation_id = self._keep((*self._seen(request), message), request.conversation_id)
            shown = None if spec.without_id else conversation_id
            placed = self._placed(request, spec, shown)
            script.made(self.agent, list(zip_longest(spec.calls, message.calls)))
            script.replied(self.agent, final=not message.calls)
            self._log.record(
                ServiceReplied, agent=self.agent, call=call, message=message, conversation_id=shown, kept=kept, **placed
            )
            return Reply(message=message, conversation_id=shown, provisional_id=placed.get("provisional_id"))
        finally:
            if script.label is not None or self._ends_part(spec):
                script.order.passed(self.agent if script.label is None else script.label)

    def _placed(self, request: Request, spec: ReplySpec, shown: str | None) -> dict[str, Any]:
        """Where in a stream the id stands; a provisional one is the name of nothing."""
        if not request.stream or shown is None or spec.id_in == "every":
            return {}
        if spec.id_in != "provisional":
            return {"id_in": spec.id_in}
        return {"id_in": spec.id_in, "provisional_id": self._log.next_conversation_id(self.agent)}

    def transcript(self, conversation_id: str) -> tuple[Message, ...]:
        """What the service has of a conversation."""
        return self._transcripts.get(conversation_id, ())

    def _message(self, script: Script, spec: ReplySpec) -> Message:
        fresh = script.next_call_id if self.spec.repeats_call_ids else self._log.next_call_id
        calls = [Call(id=fresh(), tool=made.tool, arguments=made.arguments) for made in spec.calls]
        if spec.handoff is not None:
            tool = self._handoff_tool.format(agent=spec.handoff)
            calls.append(Call(id=fresh(), tool=tool))
        return Message(role="assistant", text=spec.text or "", calls=tuple(calls))

    def _ends_part(self, spec: ReplySpec) -> bool:
        asks_approval = any(made.tool in self._tools and self._tools[made.tool].approval for made in spec.calls)
        return asks_approval or not (spec.calls or spec.handoff)

    def _keeps(self, request: Request) -> bool:
        if self.spec.keeps == "nothing":
            return False
        asked = self.spec.stores_by_default if request.store is None else request.store
        return asked or self.spec.surprising

    def _keep(self, messages: Sequence[Message], continued: str | None = None) -> str:
        if continued is None or self.spec.keeps == "new_ids":
            continued = self._log.next_conversation_id(self.agent)
        self._transcripts[continued] = tuple(messages)
        return continued

    def _seen(self, request: Request) -> tuple[Message, ...]:
        return (*self._transcripts.get(request.conversation_id or "", ()), *request.messages)

    def _fail(self, call: int, text: str) -> None:
        self._log.record(ServiceFailed, agent=self.agent, call=call, text=text)
        raise ServiceError(text)


def open_calls(messages: Sequence[Message]) -> list[str]:
    """The ids of the function calls in a conversation that have no result, in order."""
    found: list[str] = []
    for message in messages:
        answered = {result.id for result in message.results}
        found = [id for id in found if id not in answered] + [call.id for call in message.calls]
    return found


def ill_formed(messages: Sequence[Message]) -> str | None:
    """What a real service would refuse in a conversation: a call without a result, or a result without a call."""
    open_calls: list[str] = []
    for message in messages:
        for result in message.results:
            if result.id not in open_calls:
                return f"result without a call: {result.id}"
            open_calls.remove(result.id)
        # instructions come with each request: where a service keeps the call, they stand between it and its result
        if open_calls and message.role not in ("tool", "system"):
            return f"call without a result: {open_calls[0]}"
        open_calls.extend(call.id for call in message.calls)
    return f"call without a result: {open_calls[0]}" if open_calls else None


def _ids(reply: Reply, where: IdPlace, chunks: int) -> list[str | None]:
    """What each chunk of a streamed reply names as its conversation."""
    if where == "every":
        return [reply.conversation_id] * chunks
    named: list[str | None] = [None] * chunks
    if where == "provisional":
        named[0] = reply.provisional_id
    named[{"first": 0, "middle": chunks // 2}.get(where, -1)] = reply.conversation_id
    return named


def _cut(text: str) -> list[str]:
    middle = (len(text) + 1) // 2
    return [piece for piece in (text[:middle], text[middle:]) if piece]
