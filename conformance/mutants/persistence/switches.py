"""Faults in the switches `warn` and `clear`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.loop import Outcome
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.trace.exchange import Response, Turn
from conformance.trace.messages import Message


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


class ThrownWithoutAWarning(Mutant):
    """`warn` does nothing where `throw` is set as well."""

    imitates = "switches that are read as one of three"
    expected = frozenset({"PER-33"})

    class agent_type(Agent):
        """The faulty agent."""

        def on_conflict(self, thread: Thread, id: str) -> None:
            """Hush where it raises."""
            with warnings.catch_warnings():
                if self.spec.on_conflict.throw:
                    warnings.simplefilter("ignore")
                super().on_conflict(thread, id)


class WarnedUnasked(Mutant):
    """A conflict is warned about although `warn` is not set, where the provider is cleared."""

    imitates = "a switch that guards the raising alone"
    expected = frozenset({"PER-33"})

    class agent_type(Agent):
        """The faulty agent."""

        def on_conflict(self, thread: Thread, id: str) -> None:
            """Warn of what is done."""
            super().on_conflict(thread, id)
            if thread.detached and not self.spec.on_conflict.warn:
                warnings.warn(f"the history provider is cleared: the service returned conversation id {id!r}", stacklevel=2)


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


class DetachedProviderAppended(Mutant):
    """`clear` detaches the provider from loading: later runs go on appending to it."""

    imitates = "https://github.com/microsoft/agent-framework/pull/7284"
    expected = frozenset({"PER-34"})

    class agent_type(Agent):
        """The faulty agent."""

        async def settle(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Append what is new."""
            persists = self.decorates or not self.spec.per_service_call
            if persists and thread.detached and vars(thread).get("cleared"):
                await self.store(thread).append([*new, *outcome.produced])
            vars(thread)["cleared"] = thread.detached
            await super().settle(thread, new, outcome)


class ClearedConversationNotContinued(Mutant):
    """`clear` detaches the provider, and the next run begins a new conversation: the id is forgotten."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4577"
    expected = frozenset({"PER-34"})

    class agent_type(Agent):
        """The faulty agent."""

        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Name no conversation."""
            terms = super().terms(thread, turn)
            return Terms(local=terms.local, store=terms.store) if thread.detached and thread.conversation_id else terms
