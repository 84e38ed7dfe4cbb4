"""What a caller hands over for one run of `agent-framework`, and keeps in its own hands all the while."""

from __future__ import annotations

from typing import Any

from agent_framework import Agent, WorkflowAgent
from agent_framework import Message as NativeMessage

from conformance.adapters.agent_framework_messages import said
from conformance.adapters.agent_framework_threads import Owned, Thread
from conformance.implementation import Turn

Runnable = Agent[Any] | WorkflowAgent
"""What a caller can run: an agent, or a workflow as one."""


class Handed:
    """The messages and the options of one run.

    Its options are what the turn gives; where that leaves `store` out, what the caller wants the thread to be. A turn is None where
    the input is answers to requests.
    """

    def __init__(self, thread: Thread | None, messages: list[NativeMessage], turn: Turn | None = None) -> None:
        self.messages = messages
        self._thread = thread
        self._turn = turn
        self._options: dict[str, Any] = _options(thread, turn or Turn()) if thread is not None else {}
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


def _options(thread: Thread, turn: Turn) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    if turn.store is not None:
        chosen["store"] = turn.store
    elif thread.asked != "adaptive":
        chosen["store"] = thread.asked == "hosted" or thread.session.service_session_id is not None
    if turn.conversation_id is not None:
        chosen["conversation_id"] = turn.conversation_id
    return chosen
