"""Faults in which threads can be had where, and in what fixes the kind of an adaptive one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.errors import Unsupported
from conformance.reference.implementation import Runnable
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.reference.thread_json import ThreadForm
from conformance.trace.exchange import Turn
from conformance.trace.messages import Message
from conformance.vocabulary import ThreadKind


class LocalThreadNeedsPlainClient(Mutant):
    """Creating a local thread raises on a client that stores by default."""

    imitates = "one method for every kind of thread, which asks the client what it would rather have"
    expected = frozenset({"THR-01"})

    class agent_type(Agent):
        """The faulty agent."""

        def create_thread(self, key: str, kind: ThreadKind) -> Thread:
            """Refuse a local thread where the service keeps conversations anyway."""
            if kind == "local" and self.service.spec.stores_by_default:
                raise Unsupported("this client keeps conversations in the service")
            return super().create_thread(key, kind)


class LocalInstead(Mutant):
    """Whoever asks for a hosted thread on a client without hosted support gets a local one, and is not told."""

    imitates = "a factory that falls back to what it can make"
    expected = frozenset({"THR-02"})

    class agent_type(Agent):
        """The faulty agent."""

        def create_thread(self, key: str, kind: ThreadKind) -> Thread:
            """Make what can be made."""
            possible = kind != "hosted" or self.supports_hosted()
            return super().create_thread(key, kind if possible else "local")


class RefusedByTheService(Mutant):
    """A hosted thread on a client without hosted support fails only after its first request was sent."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4315"
    expected = frozenset({"THR-02", "THR-03"})

    class agent_type(Agent):
        """The faulty agent."""

        def check_supported(self) -> None:
            """Leave it to the service."""


class RefusalWithoutNames(Mutant):
    """The refusal of a hosted thread names neither the client nor the kind of thread."""

    imitates = "an error that says that something was not possible"
    expected = frozenset({"THR-02"})

    class agent_type(Agent):
        """The faulty agent."""

        def check_supported(self) -> None:
            """Say less."""
            if not self.supports_hosted():
                raise Unsupported("this is not possible here")


class FlagAlwaysTrue(Mutant):
    """The client's flag says of every client that it supports hosted threads."""

    imitates = "a flag that is written down once for a class of clients, whatever service they talk to"
    expected = frozenset({"THR-03"})

    async def supports_hosted(self, agent: Runnable) -> bool:
        """Say yes."""
        return True


class AdaptiveAsksToStore(Mutant):
    """The first run on an adaptive thread asks the service to store, whether the client can or not."""

    imitates = "an option that is on unless somebody says no"
    expected = frozenset({"THR-03"})

    class agent_type(Agent):
        """The faulty agent."""

        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Say what the caller did not say."""
            terms = super().terms(thread, turn)
            return replace(terms, store=True) if thread.kind == "adaptive" and turn.store is None else terms


class ForeignConversation(Mutant):
    """A hosted thread runs on any agent: a service is asked to go on with a conversation that another one keeps."""

    imitates = "https://github.com/chenhg5/cc-connect/issues/128"
    expected = frozenset({"THR-04"})

    class agent_type(Agent):
        """The faulty agent."""

        def check_service(self, thread: Thread) -> None:
            """Ask only whether the client can have hosted threads at all."""
            if thread.kind == "hosted":
                self.check_supported()


class FailedRunFixesTheKind(Mutant):
    """An adaptive thread has its kind after its first run, also where that run failed or was cancelled."""

    imitates = "https://github.com/managoat/fountain/pull/1657"
    expected = frozenset({"PER-32", "THR-18"})

    class agent_type(Agent):
        """The faulty agent."""

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Settle it too early."""
            self.fix(thread, ())
            await super().tell_failure(thread, new, error)

        async def tell_cancelled(self, thread: Thread, new: Sequence[Message], error: asyncio.CancelledError) -> None:
            """Settle it too early."""
            self.fix(thread, ())
            await super().tell_cancelled(thread, new, error)


class AdaptiveKeepsTheFirstId(Mutant):
    """An adaptive thread becomes hosted with the first id of its first run, although every reply brought a new one."""

    imitates = "a check for the kind that is made once, where the id first appears"
    expected = frozenset({"THR-18", "THR-07", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        def fix(self, thread: Thread, adopted: Sequence[str]) -> None:
            """Take the first."""
            super().fix(thread, adopted[:1] if thread.kind == "adaptive" else adopted)


class FixedKindFlips(Mutant):
    """An adaptive thread that became local becomes hosted when a later reply carries an id."""

    imitates = "a kind that is read from whichever field is filled"
    expected = frozenset({"THR-19"})

    class agent_type(Agent):
        """The faulty agent."""

        def stays_local(self, thread: Thread) -> bool:
            """Keep asking, where no other agent comes across the thread."""
            return super().stays_local(thread) and len(self.world.scenario.agents) > 1


class AdaptiveIsNoWord(Mutant):
    """An adaptive thread becomes the data of a local one."""

    imitates = "a serialized form that is older than the third kind"
    expected = frozenset({"THR-18", "THR-20", "THR-22"})

    class agent_type(Agent):
        """The faulty agent."""

        class form_type(ThreadForm):
            """The faulty form."""

            def write(self, thread: Thread) -> dict[str, Any]:
                """Write one of two kinds."""
                data = super().write(thread)
                return {**data, "kind": "hosted" if data["kind"] == "hosted" else "local"}
