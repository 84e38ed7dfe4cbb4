"""Persistence, termination: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import where
from conformance.mutants.persistence.faulty_homes import Front, behind
from conformance.mutants.persistence.ordinary_runs import ENDING, calling, supplying
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.history_home import HistoryHome
from conformance.reference.history_stores import Store
from conformance.reference.implementation import Reference
from conformance.reference.loop import Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.trace.exchange import Response
from conformance.trace.messages import Message


def _supplied(messages: Sequence[Message]) -> bool:
    """Whether an input begins with results that the caller supplies."""
    return len(messages) > 1 and bool(messages[0].results) and messages[-1].role == "user"


class SuppliedResultsStoredTwice(Mutant):
    """Results that the caller supplies after a terminated run are stored with the run, and once more at its end."""

    breaks = "PER-16/stored again"
    imitates = "https://github.com/microsoft/semantic-kernel/issues/6810"
    expected = frozenset({"PER-02", "PER-09", "PER-13", "PER-16", "PER-17", "PER-46", "PER-62"})

    class _End(RunEnd):
        @where(lambda end, given: _supplied(given["new"]) and given["thread"].kind == "local" and ENDING(end, given))
        async def succeeded(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Store them once more."""
            await self.home.store(thread).append(new[:1])
            await super().succeeded(thread, new, outcome)

    parts = Parts(end=_End)


class SuppliedResultsNotStored(Mutant):
    """Results that the caller supplies after a terminated run are sent, and not stored."""

    breaks = "PER-16/not stored"
    imitates = "https://github.com/evalstate/fast-agent/pull/940"
    expected = frozenset({"PER-10", "PER-13", "PER-16", "PER-17", "PER-46"})

    class _Front(Front):
        """The store of what a user says first."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append without the results in front of an input."""
            results_first = len(messages) > 1 and messages[0].results and messages[1].role == "user"
            await super().append(messages[1:] if results_first else messages)

    parts = behind(_Front, replace(ENDING, having=supplying))


class SuppliedResultsRefused(Mutant):
    """Results are refused as a caller's input: only the framework's own loop may make them."""

    breaks = "PER-16/refused"
    imitates = "a check of the roles of an input"
    expected = frozenset({"PER-16", "PER-46"})

    class _Agent(Agent):
        @where(lambda agent, given: _supplied(given["new"]) and replace(ENDING, cells=("M1", "M2", "M3"))(agent, given))
        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            """Refuse them."""
            raise ValueError("an input is said by a user")

    agent_type = _Agent


class _Trimming(Reference):
    """Declares that per-run persistence does not keep a trailing result."""

    def __init__(self, **policies: Any) -> None:
        super().__init__(**{"trailing_result": "trimmed", **policies})


class TrailingResultStored(Mutant):
    """Per-service-call persistence stores the trailing result of a terminated run."""

    breaks = "PER-14/trailing result"
    imitates = "end-of-run persistence that was left on beside the decorator"
    expected = frozenset({"PER-02", "PER-14", "PER-17"})

    class _End(RunEnd):
        @where(lambda end, given: given["outcome"].terminated and given["thread"].kind == "local" and ENDING(end, given))
        async def succeeded(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Append the result that no call sent."""
            await self.home.store(thread).append([outcome.produced[-1]])
            await super().succeeded(thread, new, outcome)

    parts = Parts(end=_End)


class TerminatingCallsNotStored(Mutant):
    """Per-service-call persistence does not store a reply that calls a tool which ends the loop."""

    breaks = "PER-14/missing"
    imitates = "https://github.com/microsoft/semantic-kernel/issues/12809"
    expected = frozenset({"THR-09", "PER-10", "PER-14", "PER-16", "PER-17"})

    class _Front(Front):
        """The store that spares open calls."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append without calls that will have no result."""
            tools = self.setting.spec.tools
            ends = {name for name, tool in tools.items() if tool.terminates}
            await super().append([each for each in messages if not any(call.tool in ends for call in each.calls)])

    parts = behind(_Front, replace(ENDING, having=calling))


class TrailingResultTrimmed(Mutant):
    """Per-run persistence trims the trailing result of a terminated run, although it is declared to be stored."""

    breaks = "PER-15/not stored"
    imitates = "https://github.com/microsoft/semantic-kernel/issues/8020"
    expected = frozenset({"THR-33", "THR-35", "PER-15"})

    class _Home(HistoryHome):
        @where(lambda _, given: given["outcome"].terminated)
        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Append what a call sent."""
            await super().persist(store, new, Outcome(outcome.produced[:-1]))

    parts = Parts(home=_Home)


class TrailingResultNotTrimmed(_Trimming, Mutant):
    """Per-run persistence stores the trailing result of a terminated run, although it is declared to be trimmed."""

    breaks = "PER-15/stored"
    imitates = "a policy that was implemented for one of two paths"
    expected = frozenset({"THR-35", "PER-15"})

    class _Home(HistoryHome):
        @where(lambda _, given: given["outcome"].terminated)
        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Append everything."""
            await super().persist(store, new, Outcome(outcome.produced))

    parts = Parts(home=_Home)


class TrimmedInOneOfTwoCells(Mutant):
    """Per-run persistence trims the trailing result where the caller built the client stack, and stores it elsewhere."""

    breaks = "PER-15/not stored"
    imitates = "a trimming layer that only one of two pipelines has"
    expected = frozenset({"PER-15"})

    class _Home(HistoryHome):
        @where(lambda home, given: given["outcome"].terminated and home.setting.spec.client_as_is)
        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Trim in one cell."""
            threads = [run.thread for run in self.setting.world.scenario.runs()][self.setting.world.script.number :]
            last = threads[:1] != [] and threads[0] not in threads[1:]
            await super().persist(store, new, Outcome(outcome.produced[:-1]) if last else outcome)

    parts = Parts(home=_Home)
