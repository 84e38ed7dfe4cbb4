"""Faults in the switches `warn` and `clear`, and in where there is no conflict at all."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import msgspec

from conformance.implementation import Response, ThreadState, Turn
from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import Copying, Front, FrontedAgent
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.copies import copied
from conformance.reference.errors import Conflict
from conformance.reference.loop import Outcome
from conformance.reference.store import Store
from conformance.reference.terms import Terms
from conformance.reference.thread import Thread
from conformance.trace import Message


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
            if thread.detached and vars(thread).get("cleared"):
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


class KeptProviderLoaded(Mutant):
    """Where a conflict neither throws nor clears, the provider is loaded from while the service manages the history."""

    imitates = "https://github.com/microsoft/agent-framework/pull/7525"
    expected = frozenset({"PER-35"})

    class agent_type(Agent):
        """The faulty agent."""

        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            """Load what nobody will send."""
            switches = self.spec.on_conflict
            kept = self.spec.history == "provider" and not (switches.throw or switches.clear)
            if kept and thread.kind == "hosted" and self.service.spec.surprising:
                await self.store(thread).load()
            return await super()._run(thread, new, emit, stream=stream, terms=terms)


class KeptProviderCopiedTo(Mutant):
    """Where a conflict neither throws nor clears, the provider receives a copy, although none is declared."""

    imitates = "https://github.com/microsoft/agent-framework/pull/6128"
    expected = frozenset({"PER-35"})

    class agent_type(Agent):
        """The faulty agent."""

        def copies(self, thread: Thread) -> bool:
            """Copy where the provider was kept."""
            switches = self.spec.on_conflict
            kept = self.spec.history == "provider" and not (switches.throw or switches.clear)
            return kept and self.service.spec.surprising


class CopyForgotten(Copying, Mutant):
    """A provider that is declared to receive a copy while the service manages the history receives none."""

    imitates = "https://github.com/microsoft/agent-framework/pull/6310"
    expected = frozenset({"PER-35"})

    class agent_type(Agent):
        """The faulty agent."""

        def copies(self, thread: Thread) -> bool:
            """Never copy."""
            return False


class CopyWrittenTwice(Copying, Mutant):
    """Of the copy that a provider receives while the service manages the history, the input is written twice."""

    imitates = "one copy by the decorator and one by the agent"
    expected = frozenset({"PER-09"})

    class agent_type(Agent):
        """The faulty agent."""

        async def copy(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Copy the input again."""
            await super().copy(store, new, outcome)
            await super().copy(store, new, Outcome())


class DefaultStoreGrows(Mutant):
    """Without a configured provider, the default store grows although the service returned an id."""

    imitates = "https://github.com/microsoft/agent-framework/issues/6120"
    expected = frozenset({"PER-36"})

    class agent_type(Agent):
        """The faulty agent."""

        async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            """Keep the turn here too."""
            await super().keep(thread, store, new, outcome, local=local)
            if local and outcome.adopted and self.spec.history == "default" and self.service.spec.surprising:
                thread.messages.extend([*new, *outcome.produced])

        def describe(self, thread: Thread) -> ThreadState:
            """Show what is kept here."""
            state = super().describe(thread)
            here = thread.kind == "hosted" and thread.messages and self.service.spec.surprising
            return msgspec.structs.replace(state, messages=copied(thread.messages)) if here else state


class DefaultStoreConflicts(Mutant):
    """Without a configured provider, an id that the service returns is a conflict with the default store."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4937"
    expected = frozenset({"PER-36"})

    class agent_type(Agent):
        """The faulty agent."""

        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Raise for any store."""
            surprised = local and self.spec.history == "default" and self.service.spec.surprising
            if id is not None and surprised and thread.kind == "local":
                raise Conflict(f"the service returned conversation id {id!r} although there is a history store")
            super().adopt(thread, id, adopted, local=local)


class DefaultStoreWarned(Mutant):
    """Without a configured provider, an id that the service returns is warned of as a conflict with the default store."""

    imitates = "a check that asks whether there is a provider, and not who configured it"
    expected = frozenset({"PER-36"})

    class agent_type(Agent):
        """The faulty agent."""

        def become_hosted(self, thread: Thread, id: str) -> None:
            """Warn for any store."""
            if thread.kind == "local" and self.spec.history == "default" and self.service.spec.surprising:
                warnings.warn(f"conversation id {id!r} is in conflict with the history provider", stacklevel=2)
            super().become_hosted(thread, id)


class ConflictOutOfNothing(Mutant):
    """A conflict is warned of on a service that returns no id, when a run on a thread with a history comes to its end."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4937"
    expected = frozenset({"PER-37"})

    class agent_type(Agent):
        """The faulty agent."""

        async def settle(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Take a key of the store for an id."""
            if self.spec.history == "provider" and thread.kind == "local" and thread.trail:
                warnings.warn("conversation id and history provider are both set: the conflict is ignored", stacklevel=2)
            await super().settle(thread, new, outcome)


class DetachedForAllThreads(Mutant):
    """`clear` detaches the provider from the agent: its other threads lose their history."""

    imitates = "https://github.com/microsoft/agent-framework/pull/7284"
    expected = frozenset({"PER-41"})

    class agent_type(FrontedAgent):
        """The faulty agent."""

        cells = ("M1",)

        def on_conflict(self, thread: Thread, id: str) -> None:
            """Note that there is nothing to load from any more."""
            super().on_conflict(thread, id)
            vars(self)["cleared"] = thread.detached or vars(self).get("cleared")

        class front_type(Front):
            """The store that is not asked any more."""

            async def load(self) -> tuple[Message, ...]:
                """Load as long as no thread was in conflict."""
                return () if vars(self.agent).get("cleared") else await super().load()
