"""Faults in what a request carries on a local and on a hosted thread, and in where a turn is kept."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import SENTINEL, Client, Emit
from conformance.reference.history_stores import Store, ThreadStore
from conformance.reference.loop import Loop, Outcome
from conformance.reference.thread import Thread
from conformance.trace.exchange import ThreadState
from conformance.trace.messages import Message
from conformance.world.chat_service import Reply, Request


class StoreLeftUnset(Mutant):
    """A run on a local thread leaves `store` unset, also on a client that stores by default."""

    imitates = "https://github.com/microsoft/agent-framework/pull/5111"
    expected = frozenset({"PER-06", "THR-05", "THR-09"})

    class agent_type(Agent):
        """The faulty agent."""

        def store_option(self, *, local: bool) -> bool | None:
            """Say nothing of storing for local threads."""
            return None if local and not self.spec.per_service_call else not local

        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Overlook what the service makes of that."""
            plain = local and thread.kind == "local" and not self.service.spec.surprising and not self.spec.per_service_call
            if not plain:
                super().adopt(thread, id, adopted, local=local)


class LocalHistorySentTwice(Mutant):
    """A run on a local thread sends the earlier turns twice."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7930"
    expected = frozenset({"ORC-35", "PER-06", "PER-16", "PER-31", "PER-43", "THR-05", "THR-10", "THR-33", "THR-34"})

    class agent_type(Agent):
        """The faulty agent."""

        def request_messages(
            self, history: Sequence[Message], adds: Sequence[Message], new: Sequence[Message]
        ) -> tuple[Message, ...]:
            """Prepend the history once more."""
            return (*history, *super().request_messages(history, adds, new))


class HostedStoreLeftUnset(Mutant):
    """A run on a hosted thread leaves `store` unset, also on a client that does not store by default."""

    imitates = "a service-side thread whose client was switched to one with another default"
    expected = frozenset({"PER-17", "THR-03", "THR-06"})

    class agent_type(Agent):
        """The faulty agent."""

        def store_option(self, *, local: bool) -> bool | None:
            """Say nothing of storing for hosted threads."""
            return False if local else None


class LoopResendsEverything(Mutant):
    """Within a run on a hosted thread, every request resends all of the run's messages."""

    imitates = "https://github.com/openai/openai-agents-python/issues/1789"
    expected = frozenset({"PER-16", "PER-17", "PER-30", "PER-31", "PER-34", "THR-06", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        class loop_type(Loop):
            """The faulty loop."""

            def next_messages(self, sent: Sequence[Message], reply: Message, results: Message, outcome: Outcome) -> list[Message]:
                """Accumulate, although the service keeps the rest."""
                if outcome.conversation_id == SENTINEL:
                    return super().next_messages(sent, reply, results, outcome)
                return [*sent, reply, results]


class HistoryBesideTheId(Mutant):
    """A run on a hosted thread names the conversation and sends all of its earlier turns as well."""

    imitates = "https://github.com/agno-agi/agno/issues/4712"
    expected = frozenset({"PER-16", "PER-17", "PER-30", "PER-31", "PER-34", "THR-06", "THR-10", "THR-22", "THR-32", "THR-34"})

    class agent_type(Agent):
        """The faulty agent."""

        def leaf(self, thread: Thread, *, local: bool) -> Client:
            """Remember what was said on hosted threads."""
            leaf = super().leaf(thread, local=local)
            return _Remembering(leaf, vars(thread).setdefault("said", [])) if thread.kind == "hosted" else leaf


class _Remembering:
    """said: every message of the thread so far; it is sent with the first request of a run."""

    def __init__(self, inner: Client, said: list[Message]) -> None:
        self._inner = inner
        self._said = said
        self._earlier = tuple(said)

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Send more than what is new."""
        messages, self._earlier = (*self._earlier, *request.messages), ()
        reply = await self._inner.complete(msgspec.structs.replace(request, messages=messages), emit)
        self._said += [*request.messages, reply.message]
        return reply


class HostedTurnsKeptToo(Mutant):
    """A hosted thread keeps its messages on this side too."""

    imitates = "a session that records whatever passes, with one field for the id and one for the messages"
    expected = frozenset({"PER-36", "THR-09", "THR-18", "THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            """Keep a turn wherever it is."""
            await super().keep(thread, store, new, outcome, local=local)
            ours = self.decorates or not self.spec.per_service_call
            if outcome.adopted and ours and not self.service.spec.surprising:
                thread.messages += [*new, *outcome.produced]

        def describe(self, thread: Thread) -> ThreadState:
            """Show it."""
            state = super().describe(thread)
            return msgspec.structs.replace(state, messages=tuple(thread.messages)) if thread.kind == "hosted" else state


class ToolMessagesForgotten(Mutant):
    """A thread that keeps its own messages drops the tool traffic of earlier turns."""

    imitates = "https://github.com/CopilotKit/CopilotKit/issues/3884"
    expected = frozenset({"PER-16", "PER-31", "THR-05", "THR-10", "THR-33", "THR-34"})

    class agent_type(Agent):
        """The faulty agent."""

        def store_in(self, place: str | None, thread: Thread) -> Store:
            """Load texts only."""
            return _TextStore(thread) if place is None else super().store_in(place, thread)


class _TextStore(ThreadStore):
    async def load(self) -> tuple[Message, ...]:
        """Load what has no calls and no results."""
        return tuple(message for message in await super().load() if not (message.calls or message.results))


class ToolTrafficGarbled(Mutant):
    """The loop sends calls without their arguments and results without their values back to the service."""

    imitates = "a conversion of messages that knows texts only"
    expected = frozenset({"ORC-37", "PER-06", "PER-16", "PER-17", "PER-30", "PER-34", "THR-05", "THR-06", "THR-09", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        class loop_type(Loop):
            """The faulty loop."""

            def next_messages(self, sent: Sequence[Message], reply: Message, results: Message, outcome: Outcome) -> list[Message]:
                """Strip both, where nobody below the loop stores them."""
                if outcome.conversation_id == SENTINEL:
                    return super().next_messages(sent, reply, results, outcome)
                calls = tuple(msgspec.structs.replace(call, arguments={}) for call in reply.calls)
                values = tuple(msgspec.structs.replace(result, value="") for result in results.results)
                bare = msgspec.structs.replace(reply, calls=calls), msgspec.structs.replace(results, results=values)
                return super().next_messages(sent, *bare, outcome)
