"""Faults in what is kept of a run that a tool ended, and in how the next run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from conformance.implementation import Response
from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import Front, FrontedAgent, OrdinaryAgent
from conformance.reference import Reference
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.loop import Outcome
from conformance.reference.store import Store
from conformance.reference.terms import Terms
from conformance.reference.thread import Thread
from conformance.scenario import Run, ToolSpec
from conformance.trace import Message, Result


class _Trimming(Reference):
    """Declares that per-run persistence does not keep a trailing result."""

    def __init__(self, **policies: Any) -> None:
        super().__init__(**{"trailing_result": "trimmed", **policies})


class _Ending(OrdinaryAgent):
    """An agent that is faulty also where a tool ends the loop, and where the caller supplies what was lacking."""

    cells = ("M2",)

    def special(self, tool: ToolSpec) -> bool:
        """Ending the loop is not."""
        return tool.raises is not None or tool.approval

    def ordinary(self, run: Run) -> bool:
        """Nor is supplying results; but empty texts could be mistaken."""
        empty = any(reply.text == "" for reply in run.replies)
        return not empty and super().ordinary(msgspec.structs.replace(run, supplies=False))

    def supplied(self, messages: Sequence[Message]) -> bool:
        """Whether an input begins with results that the caller supplies."""
        return len(messages) > 1 and bool(messages[0].results) and messages[-1].role == "user"


class TrailingResultStored(Mutant):
    """Per-service-call persistence stores the trailing result of a terminated run."""

    imitates = "end-of-run persistence that was left on beside the decorator"
    expected = frozenset({"PER-14", "PER-02", "PER-17"})

    class agent_type(Agent):
        """The faulty agent."""

        async def settle(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Append the result that no call sent."""
            if outcome.terminated and self.decorates and thread.kind == "local":
                await self.store(thread).append([outcome.produced[-1]])
            await super().settle(thread, new, outcome)


class EmptyAnswerStored(Mutant):
    """Per-service-call persistence ends a terminated run with an empty reply of the assistant's."""

    imitates = "https://github.com/microsoft/semantic-kernel/issues/6064"
    expected = frozenset({"PER-02", "PER-14", "PER-17"})

    class agent_type(_Ending):
        """The faulty agent."""

        async def settle(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Append what nobody said."""
            if outcome.terminated and thread.kind == "local" and self.fronts(thread):
                await self.store(thread).append([Message(role="assistant")])
            await super().settle(thread, new, outcome)


class TerminatingCallsNotStored(Mutant):
    """Per-service-call persistence does not store a reply that calls a tool which ends the loop."""

    imitates = "https://github.com/microsoft/semantic-kernel/issues/12809"
    expected = frozenset({"PER-10", "PER-14", "PER-17"})

    class agent_type(FrontedAgent):
        """The faulty agent."""

        cells = ("M2",)

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
            trims = outcome.terminated and self.spec.client_as_is and len(self.world.scenario.agents) == 1
            await super().persist(store, new, Outcome(outcome.produced[:-1]) if trims else outcome)


class TerminatedRunNotStored(Mutant):
    """Per-run persistence stores nothing of a terminated run: it takes it for one that did not come to its end."""

    imitates = "https://github.com/microsoft/semantic-kernel/issues/12864"
    expected = frozenset({"PER-10", "PER-15"})

    class agent_type(Agent):
        """The faulty agent."""

        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Append what ended well."""
            if not outcome.terminated:
                await super().persist(store, new, outcome)


class SuppliedResultsStoredTwice(Mutant):
    """Results that the caller supplies after a terminated run are stored with the run, and once more at its end."""

    imitates = "https://github.com/microsoft/semantic-kernel/issues/6810"
    expected = frozenset({"PER-09", "PER-13", "PER-16"})

    class agent_type(_Ending):
        """The faulty agent."""

        async def settle(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Store them once more."""
            if self.supplied(new) and thread.kind == "local" and self.fronts(thread):
                await self.store(thread).append(new[:1])
            await super().settle(thread, new, outcome)


class SuppliedResultsNotStored(Mutant):
    """Results that the caller supplies after a terminated run are sent, and not stored."""

    imitates = "https://github.com/evalstate/fast-agent/pull/940"
    expected = frozenset({"PER-10", "PER-13", "PER-16"})

    class agent_type(_Ending):
        """The faulty agent."""

        class front_type(Front):
            """The store of what a user says first."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append without the results in front of an input."""
                results_first = len(messages) > 1 and messages[0].results and messages[1].role == "user"
                await super().append(messages[1:] if results_first else messages)


class SuppliedResultsRefused(Mutant):
    """Results are refused as a caller's input: only the framework's own loop may make them."""

    imitates = "a check of the roles of an input"
    expected = frozenset({"PER-16"})

    class agent_type(_Ending):
        """The faulty agent."""

        cells = ("M1", "M2", "M3", "M4")

        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            """Refuse them."""
            if self.supplied(new) and self.fronts(thread):
                raise ValueError("an input is said by a user")
            return await super()._run(thread, new, emit, stream=stream, terms=terms)


class OpenCallsAnsweredByTheFramework(Mutant):
    """Where a terminated run left calls open, the next run begins with made-up results, also where the caller supplies them."""

    imitates = "https://github.com/pydantic/pydantic-ai/issues/4728"
    expected = frozenset({"PER-08", "PER-16"})

    class agent_type(_Ending):
        """The faulty agent."""

        class front_type(Front):
            """The store that repairs what it loads."""

            made_up: tuple[Message, ...] | None = None
            began = 0

            async def load(self) -> tuple[Message, ...]:
                """Answer calls that are open when the run begins."""
                loaded = await super().load()
                if self.made_up is None:
                    results = tuple(Result(id=call.id, value="no result") for call in loaded[-1].calls) if loaded else ()
                    self.made_up = (Message(role="tool", results=results),) if results else ()
                    self.began = len(loaded)
                return (*loaded[: self.began], *self.made_up, *loaded[self.began :])

        def fronts(self, thread: Thread) -> bool:
            """Only where the caller supplies them."""
            runs = list(self.world.scenario.runs())
            return super().fronts(thread) and runs[self.world.script.number].supplies
