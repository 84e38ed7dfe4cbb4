"""Threads of `agent-framework`: what a caller has beside a session, and what a session shows."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, cast

from agent_framework import Agent, AgentResponseUpdate, AgentSession, InMemoryHistoryProvider, WorkflowAgent
from agent_framework import Message as NativeMessage

from conformance.adapter import ThreadKind, ThreadState, Turn
from conformance.adapters.agent_framework.messages import said

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


Runnable = Agent[Any] | WorkflowAgent
"""What a caller can run: an agent, or a workflow as one."""


class Handed:
    """The messages and the options of one run.

    Its options are what the turn gives; where that leaves `store` out, what the thread that the caller wants needs (`_needed`). A
    turn is None where the input is answers to requests.
    """

    def __init__(self, agent: Runnable, thread: Thread | None, messages: list[NativeMessage], turn: Turn | None = None) -> None:
        self.messages = messages
        self._thread = thread
        self._turn = turn
        self._options = _options(agent, thread, turn or Turn())
        self._store = self._options.get("store")
        self.back(*messages)

    def arguments(self, *, options: bool = True) -> dict[str, Any]:
        """The keyword arguments of the run; a workflow that is wrapped as an agent takes no options."""
        session = self._thread.session if self._thread is not None else None
        return {"session": session, "options": self._options} if options else {"session": session}

    def back(self, *messages: Owned) -> None:
        """The caller got these back."""
        if self._thread is not None:
            self._thread.owned.extend(messages)

    def given(self) -> Turn | None:
        """The messages and options, read again; without the `store` that a turn leaves out, unless that changed."""
        if self._turn is None:
            return None
        store = self._options.get("store")
        return Turn(
            messages=said(self.messages),
            store=self._turn.store if store == self._store else store,
            conversation_id=self._options.get("conversation_id"),
        )


def _options(agent: Runnable, thread: Thread | None, turn: Turn) -> dict[str, Any]:
    store = turn.store if turn.store is not None or thread is None else _needed(agent, thread)
    given = {"store": store, "conversation_id": turn.conversation_id}
    return {option: value for option, value in given.items() if value is not None}


def _needed(agent: Runnable, thread: Thread) -> bool | None:
    """The `store` without which the thread would not be what its caller wants; None where that is what happens by default.

    A session that has a service's id is no local one any more: its caller says nothing then.
    """
    if thread.asked == "adaptive" or isinstance(agent, WorkflowAgent):
        return None
    default = agent.default_options.get("store")
    stores = getattr(agent.client, "STORES_BY_DEFAULT", False) if default is None else default
    if thread.asked == "hosted":
        return None if stores else True
    return False if stores and thread.session.service_session_id is None else None
