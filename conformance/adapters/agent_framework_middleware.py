"""Middleware of `agent-framework`: what ends its loop after a tool, and what looks at the sessions of its runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

from agent_framework import (
    Agent,
    AgentContext,
    AgentMiddleware,
    AgentResponse,
    FunctionInvocationContext,
    FunctionMiddleware,
    MiddlewareTermination,
)

from conformance.adapters.agent_framework_threads import Sources, describe
from conformance.implementation import ThreadState
from conformance.world.observer import Observer


class Terminate(FunctionMiddleware):
    """Ends the loop after a tool whose spec says so: the framework's own signal, with the tool's result kept."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = set(names)

    async def process(self, context: FunctionInvocationContext, call_next: Callable[[], Awaitable[None]]) -> None:
        """Run the tool, then stop."""
        await call_next()
        if context.function.name in self._names:
            raise MiddlewareTermination(result=context.result)


class Observing(AgentMiddleware):
    """Looks at the session of every run that has one, before the run and when it has succeeded.

    A stream has only begun when it comes back from `call_next`: the hook for its result is where the run is over.
    """

    def __init__(self, observer: Observer, sources: Sources) -> None:
        self._observer = observer
        self._sources = sources

    async def process(self, context: AgentContext, call_next: Callable[[], Awaitable[None]]) -> None:
        """Look, run, look again."""
        session = context.session
        if session is None:
            await call_next()
            return

        async def state() -> ThreadState:
            return describe(cast("Agent[Any]", context.agent), session, self._sources)

        async def after(result: AgentResponse[Any]) -> AgentResponse[Any]:
            await self._observer.look("after", state)
            return result

        await self._observer.look("before", state)
        if context.stream:
            context.stream_result_hooks.append(after)
        await call_next()
        if not context.stream:
            await self._observer.look("after", state)
