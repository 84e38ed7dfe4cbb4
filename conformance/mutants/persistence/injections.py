"""Faults in what context providers injected, which the way of persisting must not change."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import Client, Emit, PersistingClient
from conformance.reference.history_stores import Store
from conformance.reference.thread import Thread
from conformance.trace.messages import Message
from conformance.world.chat_service import Reply, Request


class ContextInTheFirstCallOnly(Mutant):
    """With per-service-call persistence, what context providers injected reaches the first service call of a run only."""

    imitates = "https://github.com/microsoft/agent-framework/issues/1735"
    expected = frozenset({"PER-45"})

    class agent_type(Agent):
        """The faulty agent."""

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            def request_messages(self, history: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
                """Use it up."""
                sent = super().request_messages(history, new)
                self._adds = ()
                return sent


class ContextLeftOutBesideResults(Mutant):
    """With per-run persistence, what context providers injected is left out of requests that carry results."""

    imitates = "a loop that rebuilds its messages from the conversation"
    expected = frozenset({"PER-45"})

    class agent_type(Agent):
        """The faulty agent."""

        def client(self, thread: Thread, store: Store, adds: Sequence[Message], adopted: list[str], *, local: bool) -> Client:
            """Put something in between that knows what was injected."""
            client = super().client(thread, store, adds, adopted, local=local)
            return _Forgetful(client, adds) if adds and local and not self.spec.per_service_call else client


class _Forgetful:
    def __init__(self, inner: Client, adds: Sequence[Message]) -> None:
        self._inner = inner
        self._adds = adds

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Leave it out."""
        said = request.messages
        if said[-1].results:
            said = tuple(each for each in said if each not in self._adds)
        return await self._inner.complete(msgspec.structs.replace(request, messages=said), emit)
