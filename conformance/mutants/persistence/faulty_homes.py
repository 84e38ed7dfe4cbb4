"""What several faulty agents are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from conformance.mutants.persistence.ordinary_runs import ASKING, AnyRuns
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.history_home import HistoryHome
from conformance.reference.history_stores import Store
from conformance.reference.implementation import Reference
from conformance.reference.parts import Parts
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.trace.exchange import Answer, Response
from conformance.trace.messages import Call, Message


class Front:
    """A store in front of a history provider, for one run: mutants override what it does wrong."""

    def __init__(self, inner: Store, home: HistoryHome, thread: Thread) -> None:
        self.inner = inner
        self.home = home
        self.setting = home.setting
        self.thread = thread

    async def load(self) -> tuple[Message, ...]:
        """Load what is stored."""
        return await self.inner.load()

    async def append(self, messages: Sequence[Message]) -> None:
        """Append what is new, unless there is nothing."""
        if messages:
            await self.inner.append(messages)


class FrontedHome(HistoryHome):
    """A home with a front before its history provider, in some runs."""

    front: ClassVar[type[Front]] = Front
    runs: ClassVar[AnyRuns] = AnyRuns()

    def store(self, thread: Thread) -> Store:
        """Put the front before it."""
        store = super().store(thread)
        provider = self.setting.spec.history == "provider"
        return self.front(store, self, thread) if provider and self.runs.include(self.setting, thread) else store


def behind(front: type[Front], runs: AnyRuns) -> Parts:
    """The parts of an agent whose home has this front, in these runs."""
    return Parts(home=type(front.__name__, (FrontedHome,), {"front": front, "runs": runs}))


class ResumingAgent(Agent):
    """An agent that is faulty in what a run goes on with after an approval. runs: those in which it is."""

    runs: ClassVar[AnyRuns] = ASKING

    def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
        """What it goes on with, given the results and the calls that waited for them."""
        return [decided]

    async def resume(self, thread: Thread, answers: Sequence[Answer], emit: Emit, *, stream: bool) -> Response:
        """Remember what waits."""
        vars(thread)["waited"] = list(thread.waiting)
        try:
            return await super().resume(thread, answers, emit, stream=stream)
        finally:
            vars(thread).pop("waited", None)

    async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
        waited: list[Call] = vars(thread).pop("waited", [])
        begun = self.resumed(thread, new[0], waited) if waited and self.runs.include(self.setting, thread) else new
        return await super()._run(thread, begun, emit, stream=stream, terms=terms)


class Copying(Reference):
    """Declares that a history provider receives a copy of what is new while the service keeps the conversation."""

    def __init__(self, **policies: Any) -> None:
        super().__init__(**{"provider_copy": "written", **policies})
