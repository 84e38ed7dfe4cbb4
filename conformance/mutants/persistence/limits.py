"""Faults in what is kept of a loop that its iteration limit cuts short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.history_stores import Store
from conformance.reference.loop import Loop, Outcome
from conformance.reference.thread import Thread
from conformance.trace.exchange import Response
from conformance.trace.messages import Call, Message
from conformance.world.chat_service import Request


class LimitLeavesACallOpen(Mutant):
    """A loop that its limit cuts short has stored the calls of its last reply, which nobody answered and the caller never sees."""

    imitates = "https://github.com/evalstate/fast-agent/pull/940"
    expected = frozenset({"PER-44"})

    class agent_type(Agent):
        """The faulty agent."""

        class loop_type(Loop):
            """The faulty loop."""

            def request(self, first: Request, sent: Sequence[Message], outcome: Outcome) -> Request:
                """Forbid nothing."""
                self._outcome = outcome
                return msgspec.structs.replace(super().request(first, sent, outcome), forbids_tools=False)

            async def call_tools(self, calls: Sequence[Call]) -> tuple[Message, bool]:
                """Stop where one reply too many asks for tools."""
                if self._limit is not None and sum(1 for each in self._outcome.produced if each.calls) > self._limit:
                    raise _CutShort
                return await super().call_tools(calls)

            async def run(self, request: Request, emit: Emit) -> Outcome:
                """Return what was answered."""
                try:
                    return await super().run(request, emit)
                except _CutShort:
                    return self._outcome

        def response(self, thread: Thread, outcome: Outcome) -> Response:
            """Keep the open calls from the caller."""
            open_calls = bool(outcome.produced[-1].calls) and not outcome.waiting
            return super().response(thread, replace(outcome, produced=outcome.produced[:-1]) if open_calls else outcome)


class _CutShort(Exception):
    """The limit is reached."""


class LimitAnswerNotStored(Mutant):
    """The answer of a loop that reached its limit is returned, and not stored."""

    imitates = "https://github.com/openai/openai-agents-python/issues/4393"
    expected = frozenset({"PER-44"})

    class agent_type(Agent):
        """The faulty agent."""

        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Append what the tools led to."""
            asked = sum(1 for each in outcome.produced if each.calls)
            reached = self.spec.limit is not None and asked >= self.spec.limit and not outcome.terminated
            await super().persist(store, new, replace(outcome, produced=outcome.produced[:-1]) if reached else outcome)


class LimitUnknownToStreams(Mutant):
    """Streaming, a loop goes on beyond its limit."""

    imitates = "https://github.com/openai/openai-agents-python/pull/4403"
    expected = frozenset({"PER-38", "PER-44"})

    class agent_type(Agent):
        """The faulty agent."""

        class loop_type(Loop):
            """The faulty loop."""

            def request(self, first: Request, sent: Sequence[Message], outcome: Outcome) -> Request:
                """Forbid nothing to streams."""
                request = super().request(first, sent, outcome)
                return msgspec.structs.replace(request, forbids_tools=request.forbids_tools and not first.stream)
