"""Faults in where history is kept beside a service that keeps it, and in where there is no conflict at all."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import Copying, Front, FrontedAgent
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.errors import Conflict
from conformance.reference.history_stores import Store
from conformance.reference.loop import Outcome
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread, copied
from conformance.trace.exchange import Response, ThreadState
from conformance.trace.messages import Message


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
            persists = self.decorates or not self.spec.per_service_call
            return kept and persists and self.service.spec.surprising


class CopyForgotten(Copying, Mutant):
    """A provider that is declared to receive a copy while the service manages the history receives none."""

    imitates = "https://github.com/microsoft/agent-framework/pull/6310"
    expected = frozenset({"PER-10", "PER-35"})

    class agent_type(Agent):
        """The faulty agent."""

        def copies(self, thread: Thread) -> bool:
            """Never copy, unless a tool may end the loop."""
            return any(tool.terminates for tool in self.spec.tools.values()) and super().copies(thread)


class CopyWrittenTwice(Copying, Mutant):
    """Of the copy that a provider receives while the service manages the history, the input is written twice."""

    imitates = "one copy by the decorator and one by the agent"
    expected = frozenset({"PER-09"})

    class agent_type(Agent):
        """The faulty agent."""

        async def copy(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Copy the input again."""
            await super().copy(store, new, outcome)
            if not outcome.terminated:
                await super().copy(store, [each for each in new if each.role == "user"], Outcome())


class DefaultStoreGrows(Mutant):
    """Without a configured provider, the default store grows although the service returned an id."""

    imitates = "https://github.com/microsoft/agent-framework/issues/6120"
    expected = frozenset({"PER-36", "THR-18"})

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
