"""Persistence, results: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import pure, where
from conformance.mutants.persistence.faulty_homes import Front, ResumingAgent, behind
from conformance.mutants.persistence.ordinary_runs import FAILING_TOOLS, AnyRuns, calling
from conformance.mutants.shared_faults import of_a_plain_tool
from conformance.reference.agent import Agent
from conformance.reference.history_home import HistoryHome
from conformance.reference.history_stores import Store
from conformance.reference.loop import Loop, Outcome
from conformance.reference.parts import Parts
from conformance.reference.thread import Thread
from conformance.reference.thread_json import ThreadForm
from conformance.reference.tools import Tools
from conformance.trace.exchange import Response
from conformance.trace.messages import Call, Message, Result


def _turned(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The same messages, in each of which the results stand in the reverse order."""
    return tuple(msgspec.structs.replace(each, results=each.results[::-1]) for each in messages)


class ErrorTakenForAValue(Mutant):
    """The result of a tool that raises is what the tool returns when it succeeds."""

    breaks = "PER-49/sent as a success"
    imitates = "https://github.com/kyegomez/swarms/issues/1794"
    expected = frozenset({"PER-46", "PER-49"})

    class _Tools(Tools):
        @where(of_a_plain_tool)
        async def call(self, call: Call) -> Result:
            """Pretend."""
            result = await super().call(call)
            return Result(id=call.id, value=self.named[call.tool].spec.returns) if result.error else result

    parts = Parts(tools=_Tools)


class ErrorStoredAsAValue(Mutant):
    """Per-run persistence stores the result of a tool that raised without its text, and without the flag."""

    breaks = "PER-49/kept as a success"
    imitates = "a store that has a column for values, and none for errors"
    expected = frozenset({"PER-49"})

    class _Front(Front):
        async def append(self, messages: Sequence[Message]) -> None:
            """Store what there is a column for."""
            await super().append([_without_errors(each, text="") for each in messages])

    parts = behind(_Front, replace(FAILING_TOOLS, having=calling))


class RejectionReturnedAsAValue(Mutant):
    """In the response of a run that resumes, a rejection looks like the value of the tool."""

    breaks = "PER-49/returned as a success"
    imitates = "a caller who is shown that what was rejected was done"
    expected = frozenset({"PER-49"})

    class _Agent(Agent):
        @pure
        def handed(self, messages: Iterable[Message]) -> tuple[Message, ...]:
            """Take it for one."""
            return tuple(_without_errors(each, text="") if _rejects(each) else each for each in super().handed(messages))

    agent_type = _Agent


class ErrorFlagLostInTheNextTurn(Mutant):
    """In the next turn the results of tools that raised are sent without the flag that says so."""

    breaks = "PER-49/sent in two ways"
    imitates = "a history that is rebuilt from texts"
    expected = frozenset({"PER-49"})

    class _Agent(Agent):
        @pure
        def request_messages(
            self, history: Sequence[Message], adds: Sequence[Message], new: Sequence[Message]
        ) -> tuple[Message, ...]:
            """Lose it."""
            return super().request_messages([_without_errors(each) for each in history], adds, new)

    agent_type = _Agent


class ErrorFlagNotStored(Mutant):
    """The history provider has the results of tools that raised without the flag that the response has."""

    breaks = "PER-49/kept in two ways"
    imitates = "a store whose form of a result has no flag"
    expected = frozenset({"PER-49"})

    class _Front(Front):
        async def append(self, messages: Sequence[Message]) -> None:
            """Lose it."""
            await super().append([_without_errors(each) for each in messages])

    parts = behind(_Front, replace(FAILING_TOOLS, having=calling))


class AnswersBesideAFailureAborted(Mutant):
    """Where one of several agents that are called as tools fails, the answers of the others are said to be aborted."""

    breaks = "PER-49/told as a failure"
    imitates = "agents that run side by side in one group, of which the first failure cancels the rest"
    expected = frozenset({"PER-49"})

    class _Loop(Loop):
        @where(lambda _, given: len(given["calls"]) > 1)
        async def call_tools(self, calls: Sequence[Call]) -> tuple[Message, bool]:
            """Throw them away."""
            message, ended = await super().call_tools(calls)
            agents = {call.id for call in calls if call.tool in self._tools.named and self._tools.named[call.tool].spec.agent}
            if not any(each.error for each in message.results if each.id in agents):
                return message, ended
            aborted = (Result(id=each.id, value="aborted", error=True) if each.id in agents else each for each in message.results)
            return msgspec.structs.replace(message, results=tuple(aborted)), ended

    parts = Parts(loop=_Loop)


def _without_errors(message: Message, *, text: str | None = None) -> Message:
    """The same without the flags of results that are errors; text: and with another text in them."""
    results = [Result(id=each.id, value=each.value if text is None else text) if each.error else each for each in message.results]
    return msgspec.structs.replace(message, results=tuple(results))


def _rejects(message: Message) -> bool:
    return any(each.value == "rejected" for each in message.results)


class NextTurnSendsAnotherOrder(Mutant):
    """The next turn is sent the results of a reply in another order than this one was."""

    breaks = "PER-50/sent in two orders"
    imitates = "https://github.com/cloudwego/eino/pull/1242"
    expected = frozenset({"PER-50", "PER-51"})

    class _Agent(Agent):
        @pure
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
    expected = frozenset({"THR-22", "PER-50", "PER-51"})

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
        @where(lambda _, given: any(len(each.results) > 1 for each in given["outcome"].produced))
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
        @pure
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
        @where(lambda _, given: len(given["calls"]) > 1)
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
