"""The tools and the context providers of the harness as `agent-framework` takes them."""

from __future__ import annotations

from typing import Any

from agent_framework import (
    AgentSession,
    ContextProvider,
    FunctionTool,
    SessionContext,
    SupportsAgentRun,
)

from conformance.adapters.agent_framework_messages import said, to_native
from conformance.world.context import ContextProvider as ScriptedContext
from conformance.world.tools import Tool

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
