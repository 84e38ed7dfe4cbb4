"""Context providers: they add messages before a run, learn from it after, and keep their state on the thread."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from copy import deepcopy
from typing import Any

from conformance.scenario.specs import ContextSpec
from conformance.trace.harness_events import ContextInvoked, ContextInvoking
from conformance.trace.messages import Message
from conformance.world.event_log import EventLog


class ContextProvider:
    """One context provider of one agent; its state counts the runs that it saw."""

    def __init__(self, log: EventLog, agent: str, id: str, spec: ContextSpec) -> None:
        self._log = log
        self._agent = agent
        self.id = id
        self.spec = spec

    async def invoking(self, state: MutableMapping[str, Any], messages: Sequence[Message]) -> tuple[Message, ...]:
        """Before a run, with its new input: the messages to add."""
        adds = tuple(Message(role="user", text=text) for text in self.spec.adds)
        self._log.record(
            ContextInvoking,
            agent=self._agent,
            provider=self.id,
            state=deepcopy(dict(state)),
            messages=tuple(messages),
            adds=adds,
        )
        return adds

    async def invoked(
        self, state: MutableMapping[str, Any], messages: Sequence[Message], error: BaseException | None = None
    ) -> None:
        """After a run, with its new messages, or with the error that it ended in."""
        state["runs"] = int(state.get("runs", 0)) + 1
        self._log.record(
            ContextInvoked,
            agent=self._agent,
            provider=self.id,
            state=deepcopy(dict(state)),
            messages=tuple(messages),
            error=str(error) if error is not None else None,
        )
