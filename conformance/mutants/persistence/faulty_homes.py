"""What several faulty agents are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from conformance.mutants.overrides import Condition, where
from conformance.mutants.persistence.ordinary_runs import ASKING, AnyRuns
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.history_home import HistoryHome, IncrementalHome
from conformance.reference.history_stores import Store
from conformance.reference.implementation import Reference
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.trace.exchange import Answer, Response
from conformance.trace.messages import Call, Message
from conformance.world.errors import ServiceError


class Front:
    """A store in front of a history provider, for one run: mutants override what it does wrong.

    aside: whether by itself it does nothing wrong: it notes something, or heeds what an override noted.
    """

    aside: ClassVar[bool] = False

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


@dataclass(frozen=True)
class Fronted:
    """Whether a home has a front: where its history is kept so, in these runs."""

    history: str
    runs: AnyRuns

    def __call__(self, home: HistoryHome, arguments: Mapping[str, Any]) -> bool:
        """Of a home that is asked for the store of a thread."""
        return home.setting.spec.history == self.history and self.runs.include(home.setting, arguments["thread"])


class FrontedHome(HistoryHome):
    """A home with a front before its history provider, in some runs. history: `default` for one before the thread itself."""

    front: ClassVar[type[Front]] = Front
    runs: ClassVar[AnyRuns] = AnyRuns()
    history: ClassVar[str] = "provider"

    @classmethod
    def differs(cls) -> Mapping[str, Condition | None]:
        """Where the front is."""
        return {} if cls.front.aside else {"store": Fronted(cls.history, cls.runs)}

    def store(self, thread: Thread) -> Store:
        """Put the front before it."""
        store = super().store(thread)
        fronted = Fronted(self.history, self.runs)(self, {"thread": thread})
        return self.front(store, self, thread) if fronted else store


def behind(front: type[Front], runs: AnyRuns) -> Parts:
    """The parts of an agent whose home has this front, in these runs."""
    return Parts(home=type(front.__name__, (FrontedHome,), {"front": front, "runs": runs}))


def before_threads(front: type[Front], runs: AnyRuns) -> Parts:
    """The same before the threads themselves, where there is no history provider."""
    return Parts(home=type(front.__name__, (FrontedHome,), {"front": front, "runs": runs, "history": "default"}))


def in_steps(front: type[Front], runs: AnyRuns, *, history: str = "provider") -> Parts:
    """The same for histories that are kept in steps."""
    members = {"front": front, "runs": runs, "history": history}
    return Parts(incremental=type(front.__name__, (FrontedHome, IncrementalHome), members))


class Incremental(Reference):
    """Keeps histories in steps of its own, and not as the configuration matrix says."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{"history": "incremental", **arguments})


class MakingUp(Front):
    """The store that appends what a failed call did not get through, together with what comes next."""

    aside = True

    async def append(self, messages: Sequence[Message]) -> None:
        """Append what did not get through first."""
        failed: tuple[Message, ...] = vars(self.thread).pop("failed", ())
        await super().append([*failed, *messages])


class NotesFailures(RunEnd):
    """An end that notes on the thread what a failed call did not get through."""

    @where(lambda _, given: isinstance(given["error"], ServiceError))
    async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
        """Note what did not get through."""
        vars(thread)["failed"] = tuple(new)
        await super().failed(thread, new, error)


class ResumingAgent(Agent):
    """An agent that is faulty in what a run goes on with after an approval. runs: those in which it is."""

    runs: ClassVar[AnyRuns] = ASKING

    @classmethod
    def differs(cls) -> Mapping[str, Condition | None]:
        """Where there is something to go on with."""
        return {"resume": None}

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
