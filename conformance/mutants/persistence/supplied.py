"""Faults in how the next run goes on after one that a tool ended, where the caller supplies the results."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import EndingAgent, Front
from conformance.reference.client import Emit
from conformance.reference.loop import Outcome
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.trace.exchange import Response
from conformance.trace.messages import Message, Result


class SuppliedResultsStoredTwice(Mutant):
    """Results that the caller supplies after a terminated run are stored with the run, and once more at its end."""

    imitates = "https://github.com/microsoft/semantic-kernel/issues/6810"
    expected = frozenset({"PER-02", "PER-09", "PER-13", "PER-16", "PER-17"})

    class agent_type(EndingAgent):
        """The faulty agent."""

        async def settle(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Store them once more."""
            if self.supplied(new) and thread.kind == "local" and self.fronts(thread):
                await self.store(thread).append(new[:1])
            await super().settle(thread, new, outcome)


class SuppliedResultsNotStored(Mutant):
    """Results that the caller supplies after a terminated run are sent, and not stored."""

    imitates = "https://github.com/evalstate/fast-agent/pull/940"
    expected = frozenset({"PER-10", "PER-13", "PER-16", "PER-17"})

    class agent_type(EndingAgent):
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

    class agent_type(EndingAgent):
        """The faulty agent."""

        cells = ("M1", "M2", "M3")

        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            """Refuse them."""
            if self.supplied(new) and self.fronts(thread):
                raise ValueError("an input is said by a user")
            return await super()._run(thread, new, emit, stream=stream, terms=terms)


class OpenCallsAnsweredByTheFramework(Mutant):
    """Where a terminated run left calls open, the next run begins with made-up results, also where the caller supplies them."""

    imitates = "https://github.com/pydantic/pydantic-ai/issues/4728"
    expected = frozenset({"PER-08", "PER-16"})

    class agent_type(EndingAgent):
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
