"""Explicit history providers for `agent-framework`: the harness's own, or anybody's whose loads and appends are watched."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from agent_framework import HistoryProvider
from agent_framework import Message as NativeMessage

from conformance.adapters.agent_framework_messages import is_control, said, to_native, to_neutral
from conformance.trace import Message
from conformance.world.history import HistoryStore

_STORING: ContextVar[bool] = ContextVar("storing", default=False)
"""Whether a watched provider is appending."""


class Kept(HistoryProvider):
    """The harness's history store as an explicit history provider.

    The store keeps neutral messages, and what it answers is what is loaded, also where a fault is injected there. For each of them
    the serialized native form is remembered, as the framework's own providers write it: it holds what the neutral form has no word
    for. Messages that only carry approvals travel with the message that follows them.
    """

    def __init__(self, store: HistoryStore) -> None:
        super().__init__("conformance_history")
        self._store = store
        self._written: dict[int, tuple[Message, list[dict[str, Any]]]] = {}
        self._ahead: dict[str, list[dict[str, Any]]] = {}

    async def get_messages(
        self, session_id: str | None, *, state: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[NativeMessage]:
        """What the store has under the session's id."""
        key = session_id or ""
        loaded: list[NativeMessage] = []
        for message in await self._store.load(key):
            _, natives = self._written.get(id(message), (message, [to_native(message).to_dict()]))
            loaded += [NativeMessage.from_dict(native) for native in natives]
        return loaded + [NativeMessage.from_dict(native) for native in self._ahead.get(key, [])]

    async def save_messages(
        self,
        session_id: str | None,
        messages: Sequence[NativeMessage],
        *,
        state: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Append under the session's id."""
        key = session_id or ""
        natives = list(self._ahead.get(key, []))
        neutral: list[Message] = []
        for message in messages:
            natives.append(message.to_dict())
            if not is_control(message):
                neutral.append(to_neutral(message))
                # The message stands beside its natives so that it lives as long as its identity is used.
                self._written[id(neutral[-1])] = (neutral[-1], natives)
                natives = []
        await self._store.append(key, neutral)
        self._ahead[key] = natives


def watched(provider: HistoryProvider, store: HistoryStore) -> HistoryProvider:
    """The provider itself: the framework deals with nothing else. What passes through `get_messages` and `save_messages` is seen.

    Both are replaced on this one instance, so that a class that overrides `before_run` or `after_run` is watched all the same.
    """
    get, save = provider.get_messages, provider.save_messages

    async def get_messages(session_id: str | None, **options: Any) -> list[NativeMessage]:
        if _STORING.get():  # a provider that looks at what it has before it appends: nothing that a run loads
            return await get(session_id, **options)
        key = session_id or ""
        store.may_fail("load", key)
        try:
            messages = await get(session_id, **options)
        except Exception as error:
            store.broke("load", error)
            raise
        store.loaded(key, said(messages))
        return messages

    async def save_messages(session_id: str | None, messages: Sequence[NativeMessage], **options: Any) -> None:
        key, neutral = session_id or "", said(messages)
        store.may_fail("append", key, neutral)
        token = _STORING.set(True)
        try:
            await save(session_id, messages, **options)
        except Exception as error:
            store.broke("append", error)
            raise
        finally:
            _STORING.reset(token)
        store.appended(key, neutral)

    for method in (get_messages, save_messages):
        setattr(provider, method.__name__, method)
    return provider
