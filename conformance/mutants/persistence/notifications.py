"""Faults in what providers are told of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import Client
from conformance.reference.history_stores import Store
from conformance.reference.thread import Thread
from conformance.trace.messages import Message


class FailureToldTwice(Mutant):
    """Context providers are told twice that a run failed."""

    imitates = "one handler around the loop and one around the run"
    expected = frozenset({"PER-21", "THR-31"})

    class agent_type(Agent):
        """The faulty agent."""

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Tell again."""
            await super().tell_failure(thread, new, error)
            await super().tell_failure(thread, new, error)


class FailureUntold(Mutant):
    """Context providers are not told that a run failed."""

    imitates = "https://github.com/openai/openai-agents-js/issues/371"
    expected = frozenset({"PER-21", "THR-31"})

    class agent_type(Agent):
        """The faulty agent."""

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Tell nobody."""


class FailureToldAsSuccess(Mutant):
    """Context providers are told of a run that failed as of one that succeeded."""

    imitates = "a notification in a block that always runs"
    expected = frozenset({"PER-21", "THR-31"})

    class agent_type(Agent):
        """The faulty agent."""

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Leave the error out."""
            await self._tell(thread, new, None)


class FailureToldWithoutInput(Mutant):
    """Context providers are told that a run failed, and not of which messages."""

    imitates = "an error path that was given the error alone"
    expected = frozenset({"PER-21", "THR-31"})

    class agent_type(Agent):
        """The faulty agent."""

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Leave the messages out."""
            await super().tell_failure(thread, (), error)


class ProvidersToldOfEveryCall(Mutant):
    """With per-service-call persistence, context providers are told of every append, and of the whole run at its end."""

    imitates = "https://github.com/microsoft/agent-framework/pull/4762"
    expected = frozenset({"PER-12", "THR-31"})

    class agent_type(Agent):
        """The faulty agent."""

        def client(self, thread: Thread, store: Store, adds: Sequence[Message], adopted: list[str], *, local: bool) -> Client:
            """Tell of what is appended."""
            told = _Telling(self, thread, store) if self.contexts and local else store
            return super().client(thread, told, adds, adopted, local=local)


class _Telling:
    def __init__(self, agent: Any, thread: Thread, inner: Store) -> None:
        self._agent = agent
        self._thread = thread
        self._inner = inner

    async def load(self) -> tuple[Message, ...]:
        """Load."""
        return await self._inner.load()

    async def append(self, messages: Sequence[Message]) -> None:
        """Append and tell."""
        await self._inner.append(messages)
        await self._agent._tell(self._thread, messages, None)
