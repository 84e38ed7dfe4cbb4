"""Agents of `agent-framework`: how one is built."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, cast

from agent_framework import (
    Agent,
    AgentContext,
    AgentMiddleware,
    AgentResponse,
    AgentSession,
    BaseChatClient,
    ContextProvider,
    FunctionInvocationContext,
    FunctionInvocationLayer,
    FunctionMiddleware,
    FunctionTool,
    HistoryProvider,
    MiddlewareTermination,
    SessionContext,
    SupportsAgentRun,
    TruncationStrategy,
)

from conformance.adapter import AgentSpec, NotSupported, Observer, OnConflict, ThreadState, Tool, World
from conformance.adapter import ContextProvider as ScriptedContext
from conformance.adapters.agent_framework.messages import said, to_native
from conformance.adapters.agent_framework.sessions import Sources, describe


def check(spec: AgentSpec) -> None:
    """Raise NotSupported for what the framework has no way to express."""
    if spec.decorated:
        raise NotSupported("the framework does not publish the decorator that persists after every service call")
    if spec.on_conflict != OnConflict():
        raise NotSupported("the framework has no switches for a conversation id that conflicts with a history provider")


def build(
    name: str,
    spec: AgentSpec,
    world: World,
    client: BaseChatClient[Any],
    *,
    inner: Mapping[str, Agent[Any]],
    history: HistoryProvider | None,
    sources: Sources,
    per_service_call: bool,
) -> Agent[Any]:
    """An agent with its tools, its history provider and its context providers, under the scenario's name.

    inner: the agents that it has as tools. history: its explicit history provider. sources: what an observer looks at.
    """
    if spec.limit is not None and isinstance(client, FunctionInvocationLayer):
        client.function_invocation_configuration["max_iterations"] = spec.limit
    histories = [history] if history is not None else []
    observers = [Observing(world.observer(name), sources)] if spec.observed else []
    bound = spec.reduces_to
    return Agent(
        client,
        id=name,
        name=name,
        tools=[*(to_tool(tool) for tool in world.tools(name)), *(_as_tool(tool, spec, agent) for tool, agent in inner.items())],
        context_providers=[*histories, *(Context(provider) for provider in world.contexts(name))],
        middleware=[Terminate(tool for tool, each in spec.tools.items() if each.terminates), *observers],
        require_per_service_call_history_persistence=per_service_call,
        compaction_strategy=TruncationStrategy(max_n=bound, compact_to=bound) if bound is not None else None,
    )


def _as_tool(name: str, spec: AgentSpec, agent: Agent[Any]) -> FunctionTool:
    """The framework's own tool of an agent, with everything else left as it is by default: above all with a session of its own."""
    approval = "always_require" if spec.tools[name].approval else "never_require"
    return agent.as_tool(name=name, arg_name="task", approval_mode=approval)


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


class Terminate(FunctionMiddleware):
    """Ends the loop after a tool whose spec says so: the framework's own signal, which keeps the result that the tool gave."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = set(names)

    async def process(self, context: FunctionInvocationContext, call_next: Callable[[], Awaitable[None]]) -> None:
        """Run the tool, then stop."""
        await call_next()
        if context.function.name in self._names:
            raise MiddlewareTermination


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
