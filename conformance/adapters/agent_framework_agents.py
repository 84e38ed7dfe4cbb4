"""Agents and threads of `agent-framework`: how an agent is built, and what a session says of itself."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

from agent_framework import Agent, AgentSession, BaseChatClient, FunctionInvocationLayer, InMemoryHistoryProvider

from conformance.adapters.agent_framework_messages import said
from conformance.adapters.agent_framework_providers import Context, Kept, Terminate, to_tool
from conformance.implementation import NotSupported, ThreadState, Turn
from conformance.scenario import AgentSpec, OnConflict
from conformance.world import World


@dataclass
class Thread:
    """A session, and whether the scenario asked for a hosted one: a session has no kind that could say so."""

    session: AgentSession
    hosted: bool


def check(spec: AgentSpec) -> None:
    """Raise NotSupported for what the framework has no way to express."""
    if spec.client_as_is or spec.decorated:
        raise NotSupported("the framework has no setting that leaves the caller's client stack as it is")
    if spec.on_conflict != OnConflict():
        raise NotSupported("the framework has no switches for a conversation id that conflicts with a history provider")


_PATIENT = 1000
"""Rounds of failing tools in a row that the loop accepts. Its own limit ends in a request that forbids tools, which a scripted
service does not understand: it would go on calling them, and the framework would rightly drop the calls."""


def build(name: str, spec: AgentSpec, world: World, client: BaseChatClient[Any], *, per_service_call: bool) -> Agent[Any]:
    """An agent with its tools, its history provider and its context providers, under the scenario's name."""
    history = [Kept(world.history(name))] if spec.history == "provider" else []
    tools = world.tools(name)
    if isinstance(client, FunctionInvocationLayer):
        client.function_invocation_configuration["max_consecutive_errors_per_request"] = _PATIENT
    return Agent(
        client,
        id=name,
        name=name,
        tools=[to_tool(tool) for tool in tools],
        context_providers=[*history, *(Context(provider) for provider in world.contexts(name))],
        middleware=[Terminate(tools)],
        require_per_service_call_history_persistence=per_service_call,
    )


def describe(agent: Agent[Any], thread: Thread) -> ThreadState:
    """What the session shows: a service's id makes it hosted, messages in it local; before either it is neither.

    Messages that the session holds are shown, also beside a service's id: that is for the rules to judge.
    """
    session = thread.session
    messages = session.state.get(InMemoryHistoryProvider.DEFAULT_SOURCE_ID, {}).get("messages")
    id = cast("str | None", session.service_session_id)
    explicit = any(isinstance(provider, Kept) for provider in agent.context_providers)
    contexts = [provider.source_id for provider in agent.context_providers if isinstance(provider, Context)]
    return ThreadState(
        kind="hosted" if id else "local" if messages else None,
        conversation_id=id,
        messages=said(messages or ()) if messages or not (id or explicit) else None,
        context={source: deepcopy(session.state[source]) for source in contexts if source in session.state},
    )


def options(thread: Thread | None, turn: Turn) -> dict[str, Any]:
    """The keyword arguments of a run that carry its options; a workflow that is wrapped as an agent takes none."""
    if thread is None:
        return {}
    hosted = thread.hosted or thread.session.service_session_id is not None
    chosen: dict[str, Any] = {"store": hosted if turn.store is None else turn.store}
    if turn.conversation_id is not None:
        chosen["conversation_id"] = turn.conversation_id
    return {"options": chosen}
