"""The scripted chat service and the scripted manager as chat clients of `agent-framework`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from typing import Any

from agent_framework import (
    BaseChatClient,
    ChatMiddlewareLayer,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    FunctionInvocationLayer,
    ResponseStream,
    validate_tool_mode,
)
from agent_framework import Message as NativeMessage
from agent_framework.observability import ChatTelemetryLayer

from conformance.adapter import ChatService, Manager, Request
from conformance.adapters.agent_framework.messages import call_content, to_native, to_neutral


class _ServiceClient(BaseChatClient[Any]):
    """A scripted chat service as the leaf of a client stack: no layer above it. Its replies carry no ids, so none are made up."""

    def __init__(self, *, service: ChatService) -> None:
        super().__init__()
        self._service = service

    def _inner_get_response(
        self, *, messages: Sequence[NativeMessage], stream: bool, options: Mapping[str, Any], **kwargs: Any
    ) -> Awaitable[ChatResponse[Any]] | ResponseStream[ChatResponseUpdate, ChatResponse[Any]]:
        # Rendered here and not when the call is awaited: the loop goes on using the list and the messages that it handed over.
        request = Request(
            messages=tuple(to_neutral(message) for message in messages),
            store=options.get("store"),
            conversation_id=options.get("conversation_id"),
            stream=stream,
            forbids_tools=validate_tool_mode(options.get("tool_choice")) == {"mode": "none"},
        )
        if stream:
            return self._build_response_stream(self._chunks(request))
        return self._reply(request)

    async def _reply(self, request: Request) -> ChatResponse[Any]:
        reply = await self._service.reply(request)
        return ChatResponse(messages=[to_native(reply.message)], conversation_id=reply.conversation_id)

    async def _chunks(self, request: Request) -> AsyncIterator[ChatResponseUpdate]:
        async for chunk in self._service.stream(request):
            contents = [call_content(chunk.call)] if chunk.call else [Content.from_text(chunk.text)]
            yield ChatResponseUpdate(contents=contents, role="assistant", conversation_id=chunk.conversation_id)


class ScriptedClient(FunctionInvocationLayer[Any], ChatMiddlewareLayer[Any], ChatTelemetryLayer[Any], _ServiceClient):
    """A chat client with the layers that the framework's own have, in their order."""


class StoringClient(ScriptedClient):
    """The same for a service that stores by default."""

    STORES_BY_DEFAULT = True


class CallersClient(FunctionInvocationLayer[Any], ChatTelemetryLayer[Any], _ServiceClient):
    """A stack that its caller put together: the same, but for the layer that takes chat middleware."""


class StoringCallersClient(CallersClient):
    """The same for a service that stores by default."""

    STORES_BY_DEFAULT = True


def scripted_client(service: ChatService, *, as_is: bool) -> BaseChatClient[Any]:
    """The client of a service. as_is: the caller's own stack, into which the framework can put nothing."""
    if as_is:
        return (StoringCallersClient if service.spec.stores_by_default else CallersClient)(service=service)
    return (StoringClient if service.spec.stores_by_default else ScriptedClient)(service=service)


class ManagerClient(FunctionInvocationLayer[Any], ChatMiddlewareLayer[Any], ChatTelemetryLayer[Any], BaseChatClient[Any]):
    """The chat client of a group chat's manager: it answers with the scripted decisions and calls no service."""

    def __init__(self, manager: Manager) -> None:
        super().__init__()
        self._manager = manager

    def _inner_get_response(
        self, *, messages: Sequence[NativeMessage], stream: bool, options: Mapping[str, Any], **kwargs: Any
    ) -> Awaitable[ChatResponse[Any]] | ResponseStream[ChatResponseUpdate, ChatResponse[Any]]:
        if stream:
            raise NotImplementedError("the framework never streams its manager")
        return self._decide()

    async def _decide(self) -> ChatResponse[Any]:
        speaker = self._manager.pick()
        decision = {
            "terminate": speaker is None,
            "reason": "as scripted",
            "next_speaker": speaker,
            "final_message": self._manager.answer() if speaker is None else None,
        }
        return ChatResponse(messages=[NativeMessage("assistant", [json.dumps(decision)])])
