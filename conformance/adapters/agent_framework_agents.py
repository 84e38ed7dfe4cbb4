"""Agents of `agent-framework`: how one is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_framework import Agent, BaseChatClient, FunctionInvocationLayer, FunctionTool, HistoryProvider, TruncationStrategy

from conformance.adapters.agent_framework_middleware import Observing, Terminate
from conformance.adapters.agent_framework_providers import Context, to_tool
from conformance.adapters.agent_framework_threads import Sources
from conformance.implementation import NotSupported
from conformance.scenario import AgentSpec, OnConflict
from conformance.world import World


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
