"""Faults in conversation ids: the sentinel, and the ids of a service that keeps the conversation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import Copying, OrdinaryAgent, PerCallAgent
from conformance.reference.agent import Agent
from conformance.reference.client import SENTINEL, PersistingClient
from conformance.reference.loop import Loop, Outcome
from conformance.reference.thread import Thread
from conformance.trace.exchange import ThreadState
from conformance.trace.messages import Message


class SentinelSent(Mutant):
    """The made-up conversation id of per-service-call persistence reaches the service."""

    imitates = "a marker for the loop that nobody strips on the way out"
    expected = frozenset({"PER-06", "PER-17", "PER-26", "THR-05"})

    class agent_type(Agent):
        """The faulty agent."""

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            def outgoing_id(self, id: str | None) -> str | None:
                """Send whatever the loop says."""
                return id


class SentinelKeptOnTheThread(Mutant):
    """A thread with per-service-call persistence shows the made-up conversation id as its own."""

    imitates = "https://github.com/microsoft/agent-framework-durable-extension/pull/95"
    expected = frozenset({"PER-16", "PER-17", "PER-27", "PER-32", "THR-18", "THR-19", "THR-22", "THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Note whatever id came."""
            super().adopt(thread, id, adopted, local=local)
            if id == SENTINEL:
                vars(thread)["marked"] = True

        def describe(self, thread: Thread) -> ThreadState:
            """Show it."""
            state = super().describe(thread)
            marked = vars(thread).get("marked") and state.conversation_id is None
            return msgspec.structs.replace(state, conversation_id=SENTINEL) if marked else state


class SentinelMakesHosted(Mutant):
    """The made-up conversation id makes a thread hosted: its next run takes the service for the one that keeps the history."""

    imitates = "https://github.com/microsoft/agent-framework-durable-extension/pull/95"
    expected = frozenset({"PER-06", "PER-08", "PER-17", "PER-26", "PER-27", "PER-41", "THR-05"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        def fix(self, thread: Thread, adopted: Sequence[str]) -> None:
            """Become what the id says."""
            super().fix(thread, adopted)
            if thread.kind == "local" and self.spec.history == "provider" and self.fronts(thread):
                self.become_hosted(thread, SENTINEL)


class SentinelSerialized(Mutant):
    """The data of a thread with per-service-call persistence names the made-up conversation id; restored, the thread is hosted."""

    imitates = "https://github.com/microsoft/agent-framework-durable-extension/pull/95"
    expected = frozenset({"PER-08", "PER-26", "PER-27", "THR-05", "THR-22"})

    class agent_type(Agent):
        """The faulty agent."""

        def serialize(self, thread: Thread) -> Any:
            """Write the id of the last reply that the loop saw."""
            data = super().serialize(thread)
            ran = self.decorates and thread.kind == "local" and bool(thread.trail) and not self.service.spec.surprising
            return {**data, "kind": "hosted", "conversation_id": SENTINEL, "service": self.service.agent} if ran else data


class SentinelIsAConflict(Mutant):
    """The made-up conversation id of per-service-call persistence is taken for the service's: a conflict is warned of."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4937"
    expected = frozenset({"PER-37"})

    class agent_type(Agent):
        """The faulty agent."""

        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Warn of any id."""
            if id == SENTINEL and self.spec.history == "provider" and thread.trail:
                warnings.warn("the service returned a conversation id although a history provider is configured", stacklevel=2)
            super().adopt(thread, id, adopted, local=local)


class IdTakenOverAtTheEnd(Mutant):
    """With per-service-call persistence, a thread takes over the id of a reply only when the run has succeeded."""

    imitates = "https://github.com/microsoft/agent-framework/pull/7284"
    expected = frozenset({"PER-28"})

    class agent_type(Agent):
        """The faulty agent."""

        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Keep the thread as it is."""
            kind, before = thread.kind, thread.conversation_id
            super().adopt(thread, id, adopted, local=local)
            if id != before and kind == "hosted" and len(self.world.scenario.agents) == 1:
                thread.conversation_id = before


class IdTakenOverWithEveryReply(Mutant):
    """With per-run persistence, a hosted thread takes over the id of every reply at once, also in a run that then fails."""

    imitates = "a client that writes ids on the session by itself"
    expected = frozenset({"PER-29"})

    class agent_type(Agent):
        """The faulty agent."""

        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Write it down."""
            super().adopt(thread, id, adopted, local=local)
            if thread.kind == "hosted" and adopted:
                thread.conversation_id = adopted[-1]


class IdOfAFailedRunLost(Mutant):
    """With per-service-call persistence, a failed run takes a thread back to the id that it began with."""

    imitates = "a rollback that knows one of two modes"
    expected = frozenset({"PER-28"})

    class agent_type(Agent):
        """The faulty agent."""

        async def invoke(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            """Remember the id."""
            vars(thread)["began"] = thread.conversation_id
            return await super().invoke(thread, new)

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Take it back."""
            if self.spec.per_service_call and thread.kind == "hosted" and vars(thread)["began"]:
                thread.conversation_id = vars(thread)["began"]
            await super().tell_failure(thread, new, error)


class HistoryPrependedBesideAnId(Copying, Mutant):
    """A run on a hosted thread sends the copy that its history provider has, in front of what is new."""

    imitates = "https://github.com/microsoft/agent-framework/pull/7525"
    expected = frozenset({"PER-30", "PER-34", "PER-35", "THR-06", "THR-10"})

    class agent_type(OrdinaryAgent):
        """The faulty agent."""

        async def invoke(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            """Let the copy stand in front of what context providers add."""
            hosted = thread.kind == "hosted" and self.spec.history == "provider" and self.fronts(thread)
            copy = await self.store(thread).load() if hosted else ()
            return [*copy, *await super().invoke(thread, new)]


class LoopSendsEverythingBesideAnId(Mutant):
    """On a hosted thread, every request of a run repeats what the run has exchanged so far."""

    imitates = "https://github.com/vercel/ai/pull/15492"
    expected = frozenset({"PER-16", "PER-17", "PER-30", "PER-34", "THR-06", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        class loop_type(Loop):
            """The faulty loop."""

            def next_messages(self, sent: Sequence[Message], reply: Message, results: Message, outcome: Outcome) -> list[Message]:
                """Accumulate, unless history is kept below."""
                asks = any(tool.spec.approval for tool in self._tools.values())
                if outcome.conversation_id == SENTINEL or asks:
                    return super().next_messages(sent, reply, results, outcome)
                return [*sent, reply, results]
