"""Mutants of the threads area: each a small, deliberate fault in the reference, imitating real ones."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from conformance.implementation import Response, Turn
from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import SENTINEL, Emit
from conformance.reference.errors import Conflict, NoConversation, Unsupported
from conformance.reference.loop import Loop, Outcome
from conformance.reference.store import Store, ThreadStore
from conformance.reference.thread import Thread
from conformance.trace import Message
from conformance.vocabulary import ThreadKind


class LocalThreadNeedsPlainClient(Mutant):
    """Creating a local thread raises on a client that stores by default."""

    imitates = "one method for every kind of thread, which asks the client what it would rather have"
    expected = frozenset({"THR-01"})

    class agent_type(Agent):
        """The faulty agent."""

        def create_thread(self, key: str, kind: ThreadKind) -> Thread:
            """Refuse a local thread where the service keeps conversations anyway."""
            if kind == "local" and self.service.spec.stores_by_default:
                raise Unsupported("this client keeps conversations in the service")
            return super().create_thread(key, kind)


class StoreLeftUnset(Mutant):
    """A run on a local thread leaves `store` unset, also on a client that stores by default."""

    imitates = "https://github.com/microsoft/agent-framework/pull/5111"
    expected = frozenset({"THR-05"})

    class agent_type(Agent):
        """The faulty agent."""

        def store_option(self, *, local: bool) -> bool | None:
            """Say nothing of storing for local threads."""
            return None if local and not self.spec.per_service_call else not local

        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Overlook what the service makes of that."""
            if not local or self.service.spec.surprising or self.spec.per_service_call:
                super().adopt(thread, id, adopted, local=local)


class LocalHistorySentTwice(Mutant):
    """A run on a local thread sends the earlier turns twice."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7930"
    expected = frozenset({"THR-05", "THR-10"})

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
    expected = frozenset({"THR-06", "PER-17"})

    class agent_type(Agent):
        """The faulty agent."""

        def store_option(self, *, local: bool) -> bool | None:
            """Say nothing of storing for hosted threads."""
            return False if local else None


class LoopResendsEverything(Mutant):
    """Within a run on a hosted thread, every request resends all of the run's messages."""

    imitates = "https://github.com/openai/openai-agents-python/issues/1789"
    expected = frozenset({"THR-06", "THR-10", "PER-17"})

    class agent_type(Agent):
        """The faulty agent."""

        class loop_type(Loop):
            """The faulty loop."""

            def next_messages(self, sent: Sequence[Message], reply: Message, results: Message, outcome: Outcome) -> list[Message]:
                """Accumulate, although the service keeps the rest."""
                if outcome.conversation_id == SENTINEL:
                    return super().next_messages(sent, reply, results, outcome)
                return [*sent, reply, results]


class FirstIdKept(Mutant):
    """A hosted thread keeps the first conversation id that it got, although the service gives a new one with every reply."""

    imitates = "a session that takes an id only where it has none"
    expected = frozenset({"THR-07", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        def become_hosted(self, thread: Thread, id: str) -> None:
            """Take an id only where there is none."""
            super().become_hosted(thread, thread.conversation_id or id)


class LoopKeepsItsFirstId(Mutant):
    """Within a run on a hosted thread, the loop goes on with the id with which the run began."""

    imitates = "https://github.com/microsoft/agent-framework/pull/3664"
    expected = frozenset({"THR-07", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        class loop_type(Loop):
            """The faulty loop."""

            def request(self, first: Any, sent: Sequence[Message], outcome: Outcome) -> Any:
                """Name the conversation as the run's first request did, where it named one."""
                request = super().request(first, sent, outcome)
                id = first.conversation_id or request.conversation_id
                return msgspec.structs.replace(request, conversation_id=id)


class ToolMessagesForgotten(Mutant):
    """A thread that keeps its own messages drops the tool traffic of earlier turns."""

    imitates = "https://github.com/CopilotKit/CopilotKit/issues/3884"
    expected = frozenset({"THR-05", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        def store(self, thread: Thread) -> Store:
            """Load texts only."""
            store = super().store(thread)
            return _TextStore(thread) if isinstance(store, ThreadStore) else store


class _TextStore(ThreadStore):
    async def load(self) -> tuple[Message, ...]:
        """Load what has no calls and no results."""
        return tuple(message for message in await super().load() if not (message.calls or message.results))


class MissingIdOverlooked(Mutant):
    """A service that was asked to keep the conversation and names none is taken for one that will remember."""

    imitates = "https://github.com/microsoft-foundry/new-foundry-portal/issues/102"
    expected = frozenset({"THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Go on without an id."""
            try:
                super().adopt(thread, id, adopted, local=local)
            except NoConversation:
                return


class StoringIsOverlooked(Mutant):
    """`store` true on a local thread is dropped without an error or a warning."""

    imitates = "an option that the thread overrules in silence"
    expected = frozenset({"THR-12"})

    class agent_type(Agent):
        """The faulty agent."""

        def check_store(self, thread: Thread, turn: Turn) -> bool:
            """Let the contradiction pass on local threads."""
            return False if thread.kind == "local" else super().check_store(thread, turn)


class NotStoringIsOverlooked(Mutant):
    """`store` false on a hosted thread is dropped without an error or a warning."""

    imitates = "an option that the thread overrules in silence"
    expected = frozenset({"THR-13"})

    class agent_type(Agent):
        """The faulty agent."""

        def check_store(self, thread: Thread, turn: Turn) -> bool:
            """Let the contradiction pass on hosted threads."""
            return False if thread.kind == "hosted" else super().check_store(thread, turn)


class OptionMovesTheThread(Mutant):
    """A `conversation_id` given to a run silently replaces the hosted thread's own."""

    imitates = "agent-framework 1.23 does so, see its baseline"
    expected = frozenset({"THR-14", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        def check_conversation_id(self, thread: Thread, turn: Turn) -> Turn:
            """Take the option over."""
            if thread.kind == "hosted":
                thread.conversation_id = turn.conversation_id
            return super().check_conversation_id(thread, turn)


class EqualIdRefused(Mutant):
    """Any `conversation_id` given to a run is refused, also the thread's own."""

    imitates = "a check for presence where one for difference is meant"
    expected = frozenset({"THR-14", "THR-16", "THR-06"})

    class agent_type(Agent):
        """The faulty agent."""

        def check_conversation_id(self, thread: Thread, turn: Turn) -> Turn:
            """Compare with an id that no thread has."""
            return super().check_conversation_id(thread, msgspec.structs.replace(turn, conversation_id="another"))


class ProvidersToldBeforeTheCheck(Mutant):
    """Context providers are invoked before the options of a run are checked."""

    imitates = "validation behind the first side effect"
    expected = frozenset({"THR-16"})

    class agent_type(Agent):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Tell the providers of a run that may be refused."""
            contradicts = turn.store is not None and turn.store != (thread.kind == "hosted")
            if contradicts:
                for provider in self.contexts:
                    await provider.invoking(self.context_state(thread, provider.id), turn.messages)
            return await super().run(thread, turn, emit, stream=stream)


class InputStoredBeforeTheCheck(Mutant):
    """The new input is on the thread before the options of the run are checked."""

    imitates = "an input that is put on the thread first, and taken off by nobody"
    expected = frozenset({"THR-16", "THR-05", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Store the input of a run that may be refused."""
            if turn.store is True and thread.kind == "local" and self.spec.history == "default":
                thread.messages.extend(turn.messages)
            return await super().run(thread, turn, emit, stream=stream)


class ContextStateOnTheAgent(Mutant):
    """A context provider's state is kept on the agent, so that all of its threads share it."""

    imitates = "https://github.com/agno-agi/agno/issues/4820"
    expected = frozenset({"THR-25"})

    class agent_type(Agent):
        """The faulty agent."""

        def context_state(self, thread: Thread, provider: str) -> dict[str, Any]:
            """Hand out one state for all threads."""
            shared: dict[str, dict[str, Any]] = self.__dict__.setdefault("_shared", {})
            return shared.setdefault(provider, {})


class CurrentThreadOnTheAgent(Mutant):
    """The agent keeps "the current thread" on itself, so that runs that interleave read each other's history."""

    imitates = "https://github.com/agno-agi/agno/issues/4663"
    expected = frozenset({"THR-25", "THR-05", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        def store(self, thread: Thread) -> Store:
            """Load from the thread that came first, whatever the run is on."""
            first: Thread = self.__dict__.setdefault("_current", thread)
            return super().store(thread) if self.spec.history == "provider" else _CurrentStore(thread, first)


class _CurrentStore(ThreadStore):
    def __init__(self, thread: Thread, current: Thread) -> None:
        super().__init__(thread)
        self._current = current

    async def load(self) -> tuple[Message, ...]:
        """Load another thread's messages."""
        return tuple(self._current.messages)


class ToolTrafficGarbled(Mutant):
    """The loop sends calls without their arguments and results without their values back to the service."""

    imitates = "a conversion of messages that knows texts only"
    expected = frozenset({"THR-05", "THR-06", "THR-10", "PER-10", "PER-19"})

    class agent_type(Agent):
        """The faulty agent."""

        class loop_type(Loop):
            """The faulty loop."""

            def next_messages(self, sent: Sequence[Message], reply: Message, results: Message, outcome: Outcome) -> list[Message]:
                """Strip both."""
                calls = tuple(msgspec.structs.replace(call, arguments={}) for call in reply.calls)
                values = tuple(msgspec.structs.replace(result, value="") for result in results.results)
                bare = msgspec.structs.replace(reply, calls=calls), msgspec.structs.replace(results, results=values)
                return super().next_messages(sent, *bare, outcome)


class BusyAfterARefusal(Mutant):
    """A run that is refused leaves its thread locked: the next one fails before its first request."""

    imitates = "a lock that an error does not release"
    expected = frozenset({"THR-16", "THR-05", "THR-06", "THR-12", "THR-14"})

    class agent_type(Agent):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Unlock too late."""
            locked: set[str] = self.__dict__.setdefault("_locked", set())
            if thread.key in locked:
                locked.discard(thread.key)
                raise RuntimeError("the thread is busy")
            try:
                return await super().run(thread, turn, emit, stream=stream)
            except Conflict:
                if not self.service.spec.surprising:
                    locked.add(thread.key)
                raise


class CurrentHistoryOnTheAgent(Mutant):
    """The agent keeps the history that it loaded last on itself, so that runs that interleave send each other's."""

    imitates = "https://github.com/agno-agi/agno/issues/4663"
    expected = frozenset({"THR-25", "THR-05", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        def store(self, thread: Thread) -> Store:
            """Hand out a store that remembers for all."""
            self.__dict__["_loading"] = thread
            return _LoadingStore(self, thread) if self.spec.history == "default" else super().store(thread)


class _LoadingStore(ThreadStore):
    def __init__(self, agent: Agent, thread: Thread) -> None:
        super().__init__(thread)
        self._agent = agent

    async def load(self) -> tuple[Message, ...]:
        """Wait, then load for whichever run asked last."""
        await asyncio.sleep(0)
        latest: Thread = self._agent.__dict__["_loading"]
        return tuple(latest.messages)
