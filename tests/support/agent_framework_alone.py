"""A chat service for agents of agent-framework, with nothing of the kit: what the framework does by itself is seen with this."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from itertools import count
from typing import Any, NamedTuple

import pytest
from agent_framework import (
    Agent,
    BaseChatClient,
    ChatMiddlewareLayer,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    FunctionInvocationLayer,
    HistoryProvider,
    Message,
    tool,
)
from agent_framework.observability import ChatTelemetryLayer

_CALLS = count(1)


class Asked(NamedTuple):
    """One request. messages: as `said` shows them."""

    messages: list[str]
    store: bool | None
    conversation_id: str | None


def reply(text: str = "", *calls: str, id: str | None = None) -> ChatResponse[Any]:
    """A reply with a text, and calls of the tools of these names (a name may be followed by a space and the id of the call)."""
    contents = [Content.from_text(text)] if text else []
    for call in calls:
        name, _, call_id = call.partition(" ")
        contents.append(Content.from_function_call(call_id or f"call-{next(_CALLS)}", name, arguments={}))
    return ChatResponse(messages=[Message("assistant", contents)], conversation_id=id)


def said(messages: Iterable[Message]) -> list[str]:
    """Messages in words: `user: one`, `assistant: pay()`, `tool: = paid`; `?` is a question for approval, `!` its answer."""
    return [f"{message.role}: {' '.join(map(_words, message.contents))}" for message in messages]


def _words(content: Content) -> str:
    match content.type:
        case "text":
            return content.text or ""
        case "function_call":
            return f"{content.name}()"
        case "function_result":
            return f"= {content.result}"
        case "function_approval_request":
            return "?"
        case "function_approval_response":
            return "!"
        case other:
            return other


class _Leaf(BaseChatClient[Any]):
    replies: list[str | ChatResponse[Any] | Exception]
    asked: list[Asked]

    def _inner_get_response(self, *, messages, stream, options, **kwargs):
        self.asked.append(Asked(said(messages), options.get("store"), options.get("conversation_id")))
        given = self.replies.pop(0) if self.replies else "done"
        if stream:
            return self._build_response_stream(self._updates(given))
        return self._whole(given)

    async def _whole(self, given):
        if isinstance(given, Exception):
            raise given
        return reply(given) if isinstance(given, str) else given

    async def _updates(self, given):
        """A text comes in two halves, a call as one update."""
        whole = await self._whole(given)
        for content in whole.messages[0].contents:
            half = len(content.text) // 2 if content.type == "text" else 0
            texts = [content.text[:half], content.text[half:]] if half else []
            for part in [Content.from_text(text) for text in texts] or [content]:
                yield ChatResponseUpdate(contents=[part], role="assistant", conversation_id=whole.conversation_id)


class _Scripted:
    def __init__(self, *replies: str | ChatResponse[Any] | Exception) -> None:
        super().__init__()
        self.replies = list(replies)
        self.asked = []


class Service(_Scripted, FunctionInvocationLayer[Any], ChatMiddlewareLayer[Any], ChatTelemetryLayer[Any], _Leaf):
    """A service that stores where it is asked to, with the layers that the framework's own clients have.

    It answers with these replies, one after the other, then with "done"; an exception among them is raised. It notes each request.
    """


class Keeping(Service):
    """The same for one that stores by default."""

    STORES_BY_DEFAULT = True


class Unmiddled(_Scripted, FunctionInvocationLayer[Any], ChatTelemetryLayer[Any], _Leaf):
    """A stack of the caller's own: the same without the layer that takes chat middleware."""


class Unobserved(_Scripted, FunctionInvocationLayer[Any], ChatMiddlewareLayer[Any], _Leaf):
    """The same without the layer of telemetry."""


class Kept(HistoryProvider):
    """A history provider that notes what is loaded and appended."""

    def __init__(self) -> None:
        super().__init__("kept")
        self.messages: list[Message] = []
        self.loads = 0
        self.appends: list[list[str]] = []

    async def get_messages(self, session_id, *, state=None, **kwargs):
        self.loads += 1
        return list(self.messages)

    async def save_messages(self, session_id, messages, *, state=None, **kwargs):
        self.appends.append(said(messages))
        self.messages += messages

    @property
    def said(self) -> list[str]:
        return said(self.messages)


@tool(approval_mode="never_require")
def weather() -> str:
    """The weather."""
    return "sunny"


@tool(approval_mode="always_require")
def pay() -> str:
    """A payment."""
    return "paid"


class Waits:
    """A tool named `waits`, in which a run is cancelled."""

    def __init__(self) -> None:
        self._running = asyncio.Event()
        self.tool = tool(self._wait, name="waits", description="Wait.", approval_mode="never_require")

    async def _wait(self) -> str:
        self._running.set()
        await asyncio.sleep(60)
        return "late"

    async def cancel(self, run: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(run)
        await self._running.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


def agent(service: BaseChatClient[Any], name: str = "a", **options: Any) -> Agent[Any]:
    return Agent(service, id=name, name=name, **options)


def per_call(service: BaseChatClient[Any], name: str = "a", **options: Any) -> Agent[Any]:
    """An agent whose history is persisted with every service call."""
    return agent(service, name, require_per_service_call_history_persistence=True, **options)


def warned(caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder) -> list[str]:
    """What somebody was warned of in a test: by the log, then as warnings."""
    logged = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    return [*logged, *(str(warning.message) for warning in recwarn)]


def approvals(response) -> list[Message]:
    """Everything that a response asks for, approved."""
    return [
        Message("user", [content.to_function_approval_response(True)])
        for message in response.messages
        for content in message.contents
        if content.type == "function_approval_request"
    ]
