"""Faults in runs that are refused: the wrong ones, or with a mark that they leave."""

from __future__ import annotations

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.errors import Conflict
from conformance.reference.thread import Thread
from conformance.trace.exchange import Response, Turn


class EqualIdRefused(Mutant):
    """Any `conversation_id` given to a run is refused, also the thread's own."""

    imitates = "a check for presence where one for difference is meant"
    expected = frozenset({"THR-03", "THR-06", "THR-08", "THR-14", "THR-16"})

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
            """Tell the providers of a run that is refused."""
            try:
                self.terms(thread, turn)
            except Exception:
                await self.invoke(thread, turn.messages)
            return await super().run(thread, turn, emit, stream=stream)


class InputStoredBeforeTheCheck(Mutant):
    """The new input is on the thread before the options of the run are checked."""

    imitates = "an input that is put on the thread first, and taken off by nobody"
    expected = frozenset({"THR-16", "THR-05", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Store the input of a run that may be refused."""
            plain = self.spec.history == "default" and not self.spec.observed and len(self.world.scenario.agents) == 1
            if turn.store is True and thread.kind == "local" and plain:
                await self.store(thread).append(self.taken(turn.messages))
            return await super().run(thread, turn, emit, stream=stream)


class BusyAfterARefusal(Mutant):
    """A run that is refused leaves its thread locked: the next well-formed one fails before its first request."""

    imitates = "a lock that an error does not release"
    expected = frozenset({"THR-03", "THR-05", "THR-06", "THR-16", "THR-22"})

    class agent_type(Agent):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Unlock too late."""
            try:
                self.terms(thread, turn)
            except Conflict:
                vars(thread)["locked"] = not self.service.spec.surprising and len(self.world.scenario.agents) == 1
                raise
            if turn.store is None and turn.conversation_id is None and vars(thread).pop("locked", False):
                raise RuntimeError("the thread is busy")
            return await super().run(thread, turn, emit, stream=stream)
