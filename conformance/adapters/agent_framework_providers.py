"""The tools, the history store and the context providers of the harness as `agent-framework` takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent_framework import (
    AgentSession,
    ContextProvider,
    FunctionTool,
    HistoryProvider,
    SessionContext,
    SupportsAgentRun,
)
from agent_framework import Message as NativeMessage

from conformance.adapters.agent_framework_messages import is_control, said, to_native, to_neutral
from conformance.trace import Message
from conformance.world.context import ContextProvider as ScriptedContext
from conformance.world.history import HistoryStore
from conformance.world.tools import Tool

HISTORY = "conformance_history"
"""The source id of the explicit history provider: under it the framework keeps the provider's state on a session."""

_ANY_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": True}


def to_tool(tool: Tool) -> FunctionTool:
    """A tool that takes whatever arguments the scripted call has, and waits for approval where its spec says so."""

    async def call(**arguments: str) -> str:
        return await tool(**arguments)

    return FunctionTool(
        name=tool.name,
        description=f"the scripted tool {tool.name}",
        func=call,
        input_model=_ANY_ARGUMENTS,
        approval_mode="always_require" if tool.spec.approval else "never_require",
    )


class Kept(HistoryProvider):
    """The harness's history store as an explicit history provider.

    The store keeps neutral messages, and what it answers is what is loaded, also where a fault is injected there. For each of them
    the serialized native form is remembered, as the framework's own providers write it: it holds what the neutral form has no word
    for. Messages that only carry approvals travel with the message that follows them.
    """

    def __init__(self, store: HistoryStore) -> None:
        super().__init__(HISTORY)
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
        natives = self._ahead.pop(key, [])
        neutral: list[Message] = []
        for message in messages:
            natives.append(message.to_dict())
            if not is_control(message):
                neutral.append(to_neutral(message))
                # The message stands beside its natives so that it lives as long as its identity is used.
                self._written[id(neutral[-1])] = (neutral[-1], natives)
                natives = []
        if natives:
            self._ahead[key] = natives
        await self._store.append(key, neutral)


class Context(ContextProvider):
    """A scripted context provider. The framework tells it nothing when a run fails or is cancelled, so neither does this."""

    def __init__(self, provider: ScriptedContext) -> None:
        super().__init__(provider.id)
        self._provider = provider

    async def before_run(
        self, *, agent: SupportsAgentRun, session: AgentSession, context: SessionContext, state: dict[str, Any]
    ) -> None:
        """Invoking: the run's new input, and what the provider adds."""
        adds = await self._provider.invoking(state, said(context.input_messages))
        context.extend_messages(self, [to_native(message) for message in adds])

    async def after_run(
        self, *, agent: SupportsAgentRun, session: AgentSession, context: SessionContext, state: dict[str, Any]
    ) -> None:
        """Invoked: the run's input and its response."""
        produced = context.response.messages if context.response else []
        await self._provider.invoked(state, said([*context.input_messages, *produced]))
