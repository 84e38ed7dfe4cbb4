"""What an imitation is: the reference with the fault that public reports tell of."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from conformance.mutants.persistence.faulty_homes import Front
from conformance.mutants.variation import Variation
from conformance.reference.agent import Agent
from conformance.reference.client import with_adds
from conformance.reference.history_home import HistoryHome, IncrementalHome
from conformance.reference.history_stores import Store
from conformance.reference.loop import Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.thread import Thread
from conformance.trace.messages import Message, Result


class Imitation(Variation):
    """A faulty reference. The docstring of the subclass says what is wrong with it. reports: the URLs of those that tell of it."""

    reports: ClassVar[tuple[str, ...]] = ()


def in_front(front: type[Front]) -> Parts:
    """The parts of an agent that has this front before whatever keeps its histories."""

    class _Home(HistoryHome):
        def store(self, thread: Thread) -> Store:
            return front(super().store(thread), self, thread)

    class _Incremental(_Home, IncrementalHome):
        pass

    return Parts(home=_Home, incremental=_Incremental)


class SendsHistoriesAsTheyAre(Agent):
    """An agent that sends calls without results as it finds them in a history."""

    def request_messages(self, history: Sequence[Message], adds: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
        return (*history, *with_adds(adds, new))


class NotingHome(HistoryHome):
    """A home that notes how far the latest run came."""

    came: tuple[Store, Sequence[Message], Outcome] | None = None

    async def keep_so_far(self, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
        self.came = (store, new, outcome)
        await super().keep_so_far(store, new, outcome, local=local)


class EndThatKeepsCancelled(RunEnd):
    """An end that keeps something of a run that was cancelled."""

    def kept(self, outcome: Outcome) -> Sequence[Message]:
        """What it keeps, beside the input."""
        return outcome.produced

    async def cancelled(self, thread: Thread, new: Sequence[Message], error: asyncio.CancelledError) -> None:
        await super().cancelled(thread, new, error)
        assert isinstance(self.home, NotingHome)
        if self.home.came is not None:
            store, begun, outcome = self.home.came
            await store.append([*begun, *self.kept(outcome)])


def ending(end: type[EndThatKeepsCancelled]) -> Parts:
    """The parts of an agent with such an end."""
    return replace(Parts(), home=NotingHome, end=end)


def interrupted(outcome: Outcome) -> Message:
    """Results for the calls that a cancelled run was about to answer."""
    return Message(
        role="tool", results=tuple(Result(id=call.id, value="stopped", error=True) for call in outcome.produced[-1].calls)
    )


async def nowhere(text: str) -> None:
    """Nobody listens to the chunks."""
