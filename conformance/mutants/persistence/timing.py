"""Faults in when history is appended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import FailingAgent, Front, OrdinaryAgent, PerCallAgent, PerRunAgent
from conformance.reference.agent import Agent
from conformance.reference.client import Client, Emit, PersistingClient
from conformance.reference.history_stores import Store
from conformance.reference.loop import Outcome
from conformance.reference.thread import Thread
from conformance.trace.messages import Message
from conformance.world.chat_service import Reply, Request


class InputAppendedApart(Mutant):
    """Per-run persistence appends the input and the response in two appends."""

    imitates = "a store that is written message by message"
    expected = frozenset({"PER-01"})

    class agent_type(PerRunAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that takes them apart."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append twice."""
                await super().append([each for each in messages if each.role == "user"])
                await super().append([each for each in messages if each.role != "user"])


class InputAppendedApartInOwnStack(Mutant):
    """In a caller's own client stack, per-run persistence appends the input and the response in two appends."""

    imitates = "a second code path for clients that the framework did not build"
    expected = frozenset({"PER-03"})

    class agent_type(OrdinaryAgent):
        """The faulty agent."""

        cells = ("M3",)
        front_type = InputAppendedApart.agent_type.front_type


class InputAppendedFirst(Mutant):
    """Per-run persistence appends the input before the run calls the service, and the response at its end."""

    imitates = "an input that is saved first, so that it is not lost"
    expected = frozenset({"PER-01", "PER-06", "PER-07", "PER-20", "PER-25", "PER-32", "THR-05", "THR-28"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        cells = ("M1",)
        built = True

        def early(self, thread: Thread) -> bool:
            """Whether this run appends early."""
            return thread.kind == "local" and self.spec.history == "provider" and self.fronts(thread)

        async def invoke(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            """Append the input."""
            vars(thread)["early"] = 0
            if self.early(thread):
                await self.store(thread).append(new)
                vars(thread)["early"] = len(new)
            return await super().invoke(thread, new)

        def store(self, thread: Thread) -> Store:
            """Do not load, and do not append, what is appended already."""
            early: int = vars(thread).get("early", 0)
            return _EarlyStore(super().store(thread), early) if early else super().store(thread)


class _EarlyStore:
    def __init__(self, inner: Store, early: int) -> None:
        self._inner = inner
        self._early = early

    async def load(self) -> tuple[Message, ...]:
        """Load what was stored before the run."""
        return (await self._inner.load())[: -self._early]

    async def append(self, messages: Sequence[Message]) -> None:
        """Append the response."""
        await self._inner.append(messages[self._early :])


class RequestAndReplyAppendedApart(Mutant):
    """Per-service-call persistence appends request and reply in two appends."""

    imitates = "a provider that is notified of requests and of responses separately"
    expected = frozenset({"PER-02"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that takes them apart."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append twice."""
                await super().append(messages[:-1])
                await super().append(messages[-1:])


class RequestAndReplyAppendedApartInOwnStack(Mutant):
    """The decorator in a caller's own client stack appends request and reply in two appends."""

    imitates = "a decorator that behaves otherwise when it is put in by hand"
    expected = frozenset({"PER-05"})

    class agent_type(OrdinaryAgent):
        """The faulty agent."""

        cells = ("M4",)
        front_type = RequestAndReplyAppendedApart.agent_type.front_type


class AppendedWithTheNextCall(Mutant):
    """Per-service-call persistence appends what a call exchanged only when the next call begins, or the run ends."""

    imitates = "a buffer that is flushed by whoever comes next"
    expected = frozenset({"PER-02", "PER-05", "PER-21"})

    class agent_type(Agent):
        """The faulty agent."""

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            held: tuple[Message, ...] = ()

            async def flush(self) -> None:
                """Append what is held."""
                held, self.held = self.held, ()
                if held:
                    await self._store.append(held)

            async def complete(self, request: Request, emit: Emit) -> Reply:
                """Append first."""
                await self.flush()
                return await super().complete(request, emit)

            async def append(self, new: Sequence[Message], reply: Message) -> None:
                """Hold it."""
                self.held = (*new, reply)

        def client(self, thread: Thread, store: Store, adds: Sequence[Message], adopted: list[str], *, local: bool) -> Client:
            """Note who holds something."""
            vars(thread)["client"] = client = super().client(thread, store, adds, adopted, local=local)
            return client

        async def look(self, moment: Literal["before", "after"], thread: Thread) -> None:
            """Append the rest, whatever became of the run."""
            client: Any = vars(thread).pop("client", None)
            if moment == "after" and isinstance(client, self.persisting_type):
                await client.flush()
            await super().look(moment, thread)


class NothingKeptOfAFailedRun(Mutant):
    """Per-service-call persistence collects what the calls exchange, and appends it when the run has succeeded."""

    imitates = "https://github.com/microsoft/agent-framework/issues/2889"
    expected = frozenset({"PER-02", "PER-08", "PER-17", "PER-19", "PER-21", "PER-25", "PER-35", "THR-05"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        cells = ("M2",)

        class front_type(Front):
            """The collecting store."""

            async def load(self) -> tuple[Message, ...]:
                """Load also what is not stored yet."""
                return (*await super().load(), *vars(self.thread).get("collected", ()))

            async def append(self, messages: Sequence[Message]) -> None:
                """Collect."""
                vars(self.thread)["collected"] = [*vars(self.thread).get("collected", ()), *messages]

        async def invoke(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            """Begin with nothing."""
            vars(thread).pop("collected", None)
            return await super().invoke(thread, new)

        async def settle(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Append it all."""
            store = self.store(thread)
            if isinstance(store, Front):
                await store.inner.append(vars(thread).pop("collected", ()))
            await super().settle(thread, new, outcome)
