"""Threads of `agent-framework`: what a caller has beside a session, and what a session shows."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, cast

from agent_framework import Agent, AgentResponseUpdate, AgentSession, InMemoryHistoryProvider
from agent_framework import Message as NativeMessage

from conformance.adapters.agent_framework_messages import said
from conformance.implementation import ThreadState
from conformance.vocabulary import ThreadKind

Owned = NativeMessage | AgentResponseUpdate


@dataclass
class Thread:
    """A session, and what its caller has beside it.

    asked: the kind that the caller wants; a session has no kind that could say so. owned: the native messages and updates that the
    caller handed over for runs on this thread, or got back.
    """

    session: AgentSession
    asked: ThreadKind
    owned: list[Owned] = field(default_factory=list[Owned])


@dataclass
class Sources:
    """The ids under which sessions have what providers keep there: the context providers, and explicit history providers."""

    contexts: dict[str, None] = field(default_factory=dict[str, None])  # in order: a session holds those of every agent
    histories: set[str] = field(default_factory=set[str])


def describe(agent: Agent[Any], session: AgentSession, sources: Sources) -> ThreadState:
    """What the session shows: a service's id makes it hosted, messages in it local; before either it is neither.

    Messages that the session holds are shown, also beside a service's id: that is for the rules to judge. Where an explicit history
    provider keeps them, of this agent or of another that ran on the session, it cannot show them.
    """
    messages = session.state.get(InMemoryHistoryProvider.DEFAULT_SOURCE_ID, {}).get("messages")
    id = cast("str | None", session.service_session_id)
    explicit = sources.histories & {*session.state, *(provider.source_id for provider in agent.context_providers)}
    return ThreadState(
        kind="hosted" if id else "local" if messages else None,
        conversation_id=id,
        messages=said(messages or ()) if messages or not (id or explicit) else None,
        context={source: deepcopy(session.state[source]) for source in sources.contexts if source in session.state},
    )


def overwrite(owned: Iterable[Owned], text: str) -> None:
    """Set every text in messages and updates."""
    for message in owned:
        for content in message.contents:
            if content.type == "text":
                content.text = text
