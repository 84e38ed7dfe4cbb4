"""Benign variants that decide what the records leave open, and do not say how; or do no more than they must."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from conformance.mutants.benign.variant import Benign
from conformance.reference.agent import Agent
from conformance.reference.client import Emit, PersistingClient
from conformance.reference.history_home import HistoryHome
from conformance.reference.history_stores import Store
from conformance.reference.implementation import Runnable
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.thread import Thread, copied
from conformance.reference.threads import Threads
from conformance.scenario.specs import AgentSpec
from conformance.trace.exchange import Response, ThreadState, Turn
from conformance.trace.messages import Message
from conformance.vocabulary import ANY_TIMING, CAPABILITIES, Policies


class SaysNotWhenItPersists(Benign):
    """It does not declare when local history is persisted."""

    capabilities = frozenset(CAPABILITIES) - set(ANY_TIMING.capabilities)


class PersistsAtOtherTimes(Benign):
    """It does not declare when local history is persisted: where a run's end is asked for after each call, and the reverse."""

    capabilities = frozenset(CAPABILITIES) - set(ANY_TIMING.capabilities)

    async def create_agent(self, name: str, spec: AgentSpec, inner: Mapping[str, Runnable]) -> Agent:
        """Build it the other way."""
        other = msgspec.structs.replace(spec, per_service_call=not spec.per_service_call)
        return await super().create_agent(name, other, inner)


class SaysNotWhatItDecides(Benign):
    """It declares nothing that it may leave open, and makes threads hosted where options ask for that."""

    def __init__(self) -> None:
        """Decide, and say how the completion is told."""
        super().__init__(
            store_conflict="transform",
            store_conflict_hosted="ignore",
            unsupported_thread="at_run",
            trailing_result="trimmed",
            limit_answer="manager",
            failing_participant="left_out",
        )
        self.policies = Policies(completion_signal="flag")


class DoesNoMoreThanItMust(Benign):
    """It follows no SHOULD about reducers, streams that are left and runs in the background."""

    leaves = frozenset({"THR-34", "PER-25", "PER-40"})

    class _Agent(Agent):
        """Runs in the background as it does otherwise."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Forget that it is in the background."""
            return await super().run(thread, msgspec.structs.replace(turn, background=False), emit, stream=stream)

    class _Home(HistoryHome):
        def reduce(self, history: Sequence[Message], new: Sequence[Message]) -> Sequence[Message]:
            """Send everything."""
            return history

    class _Decorator(PersistingClient):
        async def keep_input(self, new: Sequence[Message]) -> None:
            """Lose it."""

    agent_type = _Agent
    parts = Parts(home=_Home, decorator=_Decorator)


class KeepsProvidersApart(Benign):
    """What one agent's history provider keeps no other agent finds."""

    class _Home(HistoryHome):
        def store(self, thread: Thread) -> Store:
            """This agent's own."""
            return self.store_in(self.setting.name if self.setting.spec.history == "provider" else None, thread)

    class _Threads(Threads):
        """Shows what the thread itself keeps."""

        def describe(self, thread: Thread) -> ThreadState:
            """Whatever providers keep."""
            keeps = thread.kind != "hosted" and self.setting.spec.history == "default"
            return msgspec.structs.replace(super().describe(thread), messages=copied(thread.messages) if keeps else None)

    parts = Parts(home=_Home, threads=_Threads)


class LeavesHistoryToCallers(Benign):
    """Where history is the caller's business, nothing is loaded either."""

    class _Home(HistoryHome):
        def store(self, thread: Thread) -> Store:
            """None, where the caller has to see to it."""
            callers = self.setting.spec.per_service_call and not self.setting.decorates
            return NoStore() if callers else super().store(thread)

    parts = Parts(home=_Home)


class ForgetsRunsWithoutAKind(Benign):
    """A thread that has no kind yet keeps nothing of a run that failed."""

    class _End(RunEnd):
        """Clears the thread."""

        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Keep nothing."""
            _forget(thread)
            await super().failed(thread, new, error)

        async def cancelled(self, thread: Thread, new: Sequence[Message], error: asyncio.CancelledError) -> None:
            """Keep nothing."""
            _forget(thread)
            await super().cancelled(thread, new, error)

    parts = Parts(end=_End)


class NoStore:
    """Keeps nothing."""

    async def load(self) -> tuple[Message, ...]:
        """Nothing."""
        return ()

    async def append(self, messages: Sequence[Message]) -> None:
        """Take no notice."""


def _forget(thread: Thread) -> None:
    if thread.kind == "adaptive":
        thread.messages.clear()
        thread.trail.clear()
