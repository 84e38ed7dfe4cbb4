"""Faults in what is kept of a run that a tool ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import EndingAgent, Front
from conformance.reference.agent import Agent
from conformance.reference.history_stores import Store
from conformance.reference.implementation import Reference
from conformance.reference.loop import Outcome
from conformance.reference.thread import Thread
from conformance.trace.messages import Message


class _Trimming(Reference):
    """Declares that per-run persistence does not keep a trailing result."""

    def __init__(self, **policies: Any) -> None:
        super().__init__(**{"trailing_result": "trimmed", **policies})


class TrailingResultStored(Mutant):
    """Per-service-call persistence stores the trailing result of a terminated run."""

    imitates = "end-of-run persistence that was left on beside the decorator"
    expected = frozenset({"PER-02", "PER-14", "PER-17"})

    class agent_type(EndingAgent):
        """The faulty agent."""

        async def settle(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Append the result that no call sent."""
            if outcome.terminated and thread.kind == "local" and self.fronts(thread):
                await self.store(thread).append([outcome.produced[-1]])
            await super().settle(thread, new, outcome)


class EmptyAnswerStored(Mutant):
    """Per-service-call persistence ends a terminated run with an empty reply of the assistant's."""

    imitates = "https://github.com/microsoft/semantic-kernel/issues/6064"
    expected = frozenset({"PER-02", "PER-14", "PER-17"})

    class agent_type(EndingAgent):
        """The faulty agent."""

        async def settle(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Append what nobody said."""
            if outcome.terminated and thread.kind == "local" and self.fronts(thread):
                await self.store(thread).append([Message(role="assistant")])
            await super().settle(thread, new, outcome)


class TerminatingCallsNotStored(Mutant):
    """Per-service-call persistence does not store a reply that calls a tool which ends the loop."""

    imitates = "https://github.com/microsoft/semantic-kernel/issues/12809"
    expected = frozenset({"PER-10", "PER-14", "PER-16", "PER-17"})

    class agent_type(EndingAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that spares open calls."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append without calls that will have no result."""
                tools = self.agent.spec.tools
                ends = {name for name, tool in tools.items() if tool.terminates}
                await super().append([each for each in messages if not any(call.tool in ends for call in each.calls)])


class TrailingResultTrimmed(Mutant):
    """Per-run persistence trims the trailing result of a terminated run, although it is declared to be stored."""

    imitates = "https://github.com/microsoft/semantic-kernel/issues/8020"
    expected = frozenset({"PER-15"})

    class agent_type(Agent):
        """The faulty agent."""

        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Append what a call sent."""
            await super().persist(store, new, Outcome(outcome.produced[:-1]) if outcome.terminated else outcome)


class TrailingResultNotTrimmed(_Trimming, Mutant):
    """Per-run persistence stores the trailing result of a terminated run, although it is declared to be trimmed."""

    imitates = "a policy that was implemented for one of two paths"
    expected = frozenset({"PER-15"})

    class agent_type(Agent):
        """The faulty agent."""

        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Append everything."""
            await super().persist(store, new, Outcome(outcome.produced))


class TrimmedInOneOfTwoCells(Mutant):
    """Per-run persistence trims the trailing result where the caller built the client stack, and stores it elsewhere."""

    imitates = "a trimming layer that only one of two pipelines has"
    expected = frozenset({"PER-15"})

    class agent_type(Agent):
        """The faulty agent."""

        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Trim in one cell."""
            threads = [run.thread for run in self.world.scenario.runs()][self.world.script.number :]
            last = threads[:1] != [] and threads[0] not in threads[1:]
            trims = outcome.terminated and self.spec.client_as_is and last
            await super().persist(store, new, Outcome(outcome.produced[:-1]) if trims else outcome)


class TerminatedRunNotStored(Mutant):
    """Per-run persistence stores nothing of a terminated run: it takes it for one that did not come to its end."""

    imitates = "https://github.com/microsoft/semantic-kernel/issues/12864"
    expected = frozenset({"PER-10", "PER-15", "PER-16", "PER-37", "THR-09", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Append what ended well."""
            if not outcome.terminated:
                await super().persist(store, new, outcome)
