"""Faults in the switch `throw`: what a conversation id leads to that arrives although a history provider is configured."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.errors import Conflict
from conformance.reference.history_stores import Store, ThreadStore
from conformance.reference.thread import Thread
from conformance.trace.exchange import Response, Turn
from conformance.trace.messages import Message


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


class ConflictNamesOneSide(Mutant):
    """The error of a conflict names the id, and not what it is in conflict with."""

    imitates = "a message that was written where only the id is known"
    expected = frozenset({"PER-32"})

    class agent_type(Agent):
        """The faulty agent."""

        def on_conflict(self, thread: Thread, id: str) -> None:
            """Say half of it."""
            try:
                super().on_conflict(thread, id)
            except Conflict:
                raise Conflict(f"conversation id {id!r} was not expected here") from None


class ConflictOfNoKind(Mutant):
    """A conflict is raised as an error that could mean anything."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4937"
    expected = frozenset({"PER-04", "PER-32"})

    class agent_type(Agent):
        """The faulty agent."""

        def on_conflict(self, thread: Thread, id: str) -> None:
            """Raise something else."""
            try:
                super().on_conflict(thread, id)
            except Conflict as error:
                raise RuntimeError(str(error)) from None


class IdAdoptedAlthoughThrown(Mutant):
    """`throw` raises when the thread has taken over the id already."""

    imitates = "https://github.com/microsoft/agent-framework/pull/6310"
    expected = frozenset({"PER-32", "PER-33"})

    class agent_type(Agent):
        """The faulty agent."""

        def on_conflict(self, thread: Thread, id: str) -> None:
            """Take it over first."""
            if self.spec.on_conflict.throw and not self.stays_local(thread):
                self.become_hosted(thread, id)
            super().on_conflict(thread, id)


class IdAdoptedOnTheWay(Mutant):
    """Streaming, `throw` raises when the thread has taken over the id of a chunk already."""

    imitates = "a session that is updated from within the stream"
    expected = frozenset({"PER-32", "PER-33"})

    class agent_type(Agent):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Note how the run is made."""
            vars(thread)["streams"] = stream
            return await super().run(thread, turn, emit, stream=stream)

        def on_conflict(self, thread: Thread, id: str) -> None:
            """Take it over first."""
            if self.spec.on_conflict.throw and vars(thread)["streams"] and not self.stays_local(thread):
                self.become_hosted(thread, id)
            super().on_conflict(thread, id)


class InputAppendedAlthoughThrown(Mutant):
    """`throw` raises, and the input of the run is appended all the same."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7630"
    expected = frozenset({"PER-04", "PER-09", "PER-32"})

    class agent_type(Agent):
        """The faulty agent."""

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Keep what was said."""
            if isinstance(error, Conflict) and self.spec.history == "provider":
                await self.store(thread).append(new)
            await super().tell_failure(thread, new, error)


class ConflictThrownOnce(Mutant):
    """`throw` raises on a thread's first turn; where the id comes on a later one, the run goes on under it."""

    imitates = "a check that is made when a session is new"
    expected = frozenset({"PER-32"})

    class agent_type(Agent):
        """The faulty agent."""

        def on_conflict(self, thread: Thread, id: str) -> None:
            """Let it pass on a thread that has a history."""
            try:
                super().on_conflict(thread, id)
            except Conflict:
                if not thread.trail:
                    raise
                thread.detached = True
