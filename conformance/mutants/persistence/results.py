"""Persistence, results: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.faulty_homes import ResumingAgent
from conformance.mutants.persistence.ordinary_runs import AnyRuns
from conformance.reference.agent import Agent
from conformance.reference.history_home import HistoryHome
from conformance.reference.history_stores import Store
from conformance.reference.loop import Loop, Outcome
from conformance.reference.parts import Parts
from conformance.reference.thread import Thread
from conformance.reference.thread_json import ThreadForm
from conformance.trace.exchange import Response
from conformance.trace.messages import Call, Message


def _turned(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The same messages, in each of which the results stand in the reverse order."""
    return tuple(msgspec.structs.replace(each, results=each.results[::-1]) for each in messages)


class NextTurnSendsAnotherOrder(Mutant):
    """The next turn is sent the results of a reply in another order than this one was."""

    breaks = "PER-50/sent in two orders"
    imitates = "https://github.com/cloudwego/eino/pull/1242"
    expected = frozenset({"PER-50", "PER-51"})

    class _Agent(Agent):
        def request_messages(
            self, history: Sequence[Message], adds: Sequence[Message], new: Sequence[Message]
        ) -> tuple[Message, ...]:
            """Put the history together otherwise."""
            return super().request_messages(_turned(history), adds, new)

    agent_type = _Agent


class RestoredInAnotherOrder(Mutant):
    """A thread that is made from data has the results of a reply in another order than the one that became data."""

    breaks = "PER-50/kept in two orders"
    imitates = "https://github.com/AAswordman/Operit/issues/1159"
    expected = frozenset({"PER-50", "PER-51", "THR-22"})

    class _Form(ThreadForm):
        """Reads otherwise than it writes."""

        def read(self, data: Any) -> Thread:
            """Turn the results round."""
            thread = super().read(data)
            thread.messages = list(_turned(thread.messages))
            return thread

    parts = Parts(form=_Form)


class StoredInTheOrderOfFinishing(Mutant):
    """Per-run persistence stores the results of a reply in the order in which they came, and sends them in another one."""

    breaks = "PER-50/kept otherwise than sent"
    imitates = "https://github.com/langchain-ai/open-swe/pull/2198"
    expected = frozenset({"PER-50", "PER-51"})

    class _Home(HistoryHome):
        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Take the last for the first."""
            await super().persist(store, new, replace(outcome, produced=list(_turned(outcome.produced))))

    parts = Parts(home=_Home)


class ReturnedInAnotherOrder(Mutant):
    """The response holds the results of a reply in another order than the requests."""

    breaks = "PER-50/returned otherwise than sent"
    imitates = "a response that is put together from events, as they came"
    expected = frozenset({"PER-50"})

    class _Agent(Agent):
        def response(self, thread: Thread, outcome: Outcome) -> Response:
            """Take the last for the first."""
            return super().response(thread, replace(outcome, produced=list(_turned(outcome.produced))))

    agent_type = _Agent


class ResultsInTheOrderOfFinishing(Mutant):
    """The results of a reply are sent in the order in which the tools finished, and not in that of the calls."""

    breaks = "PER-51/order"
    imitates = "https://github.com/vercel/ai/issues/16567"
    expected = frozenset({"PER-50", "PER-51"})

    class _Loop(Loop):
        async def call_tools(self, calls: Sequence[Call]) -> tuple[Message, bool]:
            """The last one is the fastest."""
            results, ended = await super().call_tools(calls)
            return _turned([results])[0], ended

    parts = Parts(loop=_Loop)


class ApprovedResultsLast(Mutant):
    """After an approval the results of the calls that needed none come first, and then those that were decided."""

    breaks = "PER-51/order"
    imitates = "safe calls that are run at once, and put in front when the approved ones come"
    expected = frozenset({"PER-50", "PER-51"})

    class _Agent(ResumingAgent):
        runs = AnyRuns()

        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Sort them."""
            asked = {call.id for call in waited if self.approvals.needs_approval(call)}
            return [msgspec.structs.replace(decided, results=tuple(sorted(decided.results, key=lambda each: each.id in asked)))]

    agent_type = _Agent
