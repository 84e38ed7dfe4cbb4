"""Mutants of the persistence area: each a small, deliberate fault in the reference, imitating real ones."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import msgspec

from conformance.implementation import Response, Turn
from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import Emit, PersistingClient
from conformance.reference.errors import Conflict
from conformance.reference.loop import Loop, Outcome
from conformance.reference.store import Store, ThreadStore
from conformance.reference.terms import Terms
from conformance.reference.thread import Thread
from conformance.trace import Message
from conformance.world.chat_service import Reply, Request
from conformance.world.errors import ServiceError


class InputAppendedApart(Mutant):
    """Per-run persistence appends the input and the response in two appends."""

    imitates = "a store that is written message by message"
    expected = frozenset({"PER-01"})

    class agent_type(Agent):
        """The faulty agent."""

        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Append twice."""
            await store.append(list(new))
            await store.append(list(outcome.produced))


class RequestAndReplyAppendedApart(Mutant):
    """Per-service-call persistence appends request and reply in two appends."""

    imitates = "a provider that is notified of requests and of responses separately"
    expected = frozenset({"PER-02"})

    class agent_type(Agent):
        """The faulty agent."""

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            async def append(self, new: Sequence[Message], reply: Message) -> None:
                """Append twice."""
                await self._store.append(list(new))
                await self._store.append([reply])


class HistoryAppendedAgain(Mutant):
    """Per-service-call persistence appends a loaded message once more with every call."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7211"
    expected = frozenset({"PER-09", "PER-17", "PER-19", "THR-05", "THR-10", "THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            async def append(self, new: Sequence[Message], reply: Message) -> None:
                """Append what was sent instead of what is new."""
                loaded = await self._store.load()
                await super().append([*loaded[-1:], *new], reply)


class OnlyTheLastReplyStored(Mutant):
    """Per-run persistence stores the input and the last reply, and loses the tool traffic between them."""

    imitates = "https://github.com/CopilotKit/CopilotKit/issues/3884"
    expected = frozenset({"PER-01", "PER-10", "THR-05", "THR-09", "THR-10", "THR-18", "THR-33", "THR-34", "THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Append the last message of the response only."""
            await store.append([*new, outcome.produced[-1]])


class ParallelResultsDropped(Mutant):
    """Per-service-call persistence stores the first result of parallel calls only."""

    imitates = "https://github.com/coze-dev/coze-studio/issues/2765"
    expected = frozenset({"PER-10", "PER-17", "PER-19", "THR-05", "THR-09", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            async def append(self, new: Sequence[Message], reply: Message) -> None:
                """Cut every tool message to its first result."""
                cut = [
                    Message(role=message.role, text=message.text, calls=message.calls, results=message.results[:1])
                    for message in new
                ]
                await super().append(cut, reply)


class TrailingResultStored(Mutant):
    """Per-service-call persistence stores the trailing result of a terminated run."""

    imitates = "end-of-run persistence that was left on beside the decorator"
    expected = frozenset({"PER-14", "PER-02", "PER-17"})

    class agent_type(Agent):
        """The faulty agent."""

        async def settle(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Append the result that no call sent."""
            if outcome.terminated and self.decorates and thread.kind == "local":
                await self.store(thread).append([outcome.produced[-1]])
            await super().settle(thread, new, outcome)


class ReplyStoredBeforeItsRequest(Mutant):
    """Per-service-call persistence stores the reply in front of the messages that it answers."""

    imitates = "history sorted by the time of arrival of its parts"
    expected = frozenset({"PER-14", "PER-17", "PER-19", "THR-05", "THR-10", "THR-34", "THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            async def append(self, new: Sequence[Message], reply: Message) -> None:
                """Append in the wrong order."""
                await self._store.append([reply, *new])


class FailedCallStored(Mutant):
    """Per-service-call persistence stores the messages of a call that failed."""

    imitates = "a provider that is notified before the service has answered"
    expected = frozenset({"PER-02", "PER-17", "PER-19", "THR-05", "THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            async def complete(self, request: Request, emit: Emit) -> Reply:
                """Append what is new also where the service fails."""
                try:
                    return await super().complete(request, emit)
                except ServiceError:
                    await self._store.append(list(request.messages))
                    raise


class ServiceErrorReplaced(Mutant):
    """A failing service call ends the run with an error that says nothing of the service's."""

    imitates = "a catch-all around the loop"
    expected = frozenset({"PER-19"})

    class agent_type(Agent):
        """The faulty agent."""

        class loop_type(Loop):
            """The faulty loop."""

            async def run(self, request: Request, emit: Emit) -> Outcome:
                """Hide the cause."""
                try:
                    return await super().run(request, emit)
                except ServiceError:
                    raise RuntimeError("the run failed") from None


class InputOfAFailedRunStored(Mutant):
    """Per-run persistence keeps the input of a run that failed."""

    imitates = "https://github.com/JeffOtano/roni/pull/158"
    expected = frozenset({"PER-20", "THR-05", "THR-28", "THR-33", "THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Store the input all the same."""
            if isinstance(error, ServiceError) and thread.kind == "local" and not self.spec.per_service_call:
                await self.store(thread).append(list(new))
            await super().tell_failure(thread, new, error)


class SentinelSent(Mutant):
    """The made-up conversation id of per-service-call persistence reaches the service."""

    imitates = "a marker for the loop that nobody strips on the way out"
    expected = frozenset({"PER-26", "PER-17", "THR-05"})

    class agent_type(Agent):
        """The faulty agent."""

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            def outgoing_id(self, id: str | None) -> str | None:
                """Send whatever the loop says."""
                return id


class ConflictNotThrown(Mutant):
    """`throw` only warns: the run goes on under the service's id."""

    imitates = "https://github.com/microsoft/agent-framework/pull/7957"
    expected = frozenset({"PER-32"})

    class agent_type(Agent):
        """The faulty agent."""

        def on_conflict(self, thread: Thread, id: str) -> None:
            """Do not raise."""
            try:
                super().on_conflict(thread, id)
            except Conflict:
                thread.detached = True


class ConflictWarnedTwice(Mutant):
    """`warn` warns twice for one conflict."""

    imitates = "a check in the decorator and one at the end of the run"
    expected = frozenset({"PER-33"})

    class agent_type(Agent):
        """The faulty agent."""

        def on_conflict(self, thread: Thread, id: str) -> None:
            """Warn once more."""
            if self.spec.on_conflict.warn:
                warnings.warn("the service manages this conversation", stacklevel=2)
            super().on_conflict(thread, id)


class ProviderNotDetached(Mutant):
    """`clear` leaves the provider attached: later runs go on loading from it."""

    imitates = "https://github.com/microsoft/agent-framework/pull/7957"
    expected = frozenset({"PER-34"})

    class agent_type(Agent):
        """The faulty agent."""

        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            """Load, to no purpose, although the service manages the history."""
            if thread.detached:
                await self.store(thread).load()
            return await super()._run(thread, new, emit, stream=stream, terms=terms)


class StoredValuesLost(Mutant):
    """The history provider stores results without their values."""

    imitates = "a serialization that keeps what it has a column for"
    expected = frozenset({"PER-01", "PER-10", "PER-17", "PER-19", "THR-05", "THR-09", "THR-10", "THR-18"})

    class agent_type(Agent):
        """The faulty agent."""

        def store(self, thread: Thread) -> Store:
            """Strip results on their way in."""
            store = super().store(thread)
            return _BareStore(store) if self.spec.history == "provider" else store


class _BareStore:
    def __init__(self, inner: Store) -> None:
        self._inner = inner

    async def load(self) -> tuple[Message, ...]:
        """Load what is left."""
        return await self._inner.load()

    async def append(self, messages: Sequence[Message]) -> None:
        """Append without values."""
        bare = [
            msgspec.structs.replace(message, results=tuple(msgspec.structs.replace(each, value="") for each in message.results))
            for message in messages
        ]
        await self._inner.append(bare)


class DetachedAlthoughThrown(Mutant):
    """`throw` also detaches the provider: later runs neither load from it nor append to it."""

    imitates = "switches that are carried out one after the other"
    expected = frozenset({"PER-32"})

    class agent_type(Agent):
        """The faulty agent."""

        def on_conflict(self, thread: Thread, id: str) -> None:
            """Detach first."""
            thread.detached = thread.detached or self.spec.on_conflict.throw
            super().on_conflict(thread, id)

        def store(self, thread: Thread) -> Store:
            """Forget the provider."""
            return ThreadStore(thread) if thread.detached else super().store(thread)


class WarnedEveryRun(Mutant):
    """A provider that was cleared is warned about in every later run."""

    imitates = "a warning where the id is read instead of where the conflict is found"
    expected = frozenset({"PER-33"})

    class agent_type(Agent):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Warn again."""
            if thread.detached:
                warnings.warn("the history provider does not serve this conversation", stacklevel=2)
            return await super().run(thread, turn, emit, stream=stream)
