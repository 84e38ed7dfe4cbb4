"""Reports of runs that were interrupted, of calls that wait for an approval, and of the tool loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

import msgspec
from imitation import EndThatKeepsCancelled, Imitation, SendsHistoriesAsTheyAre, ending, interrupted

from conformance.mutants.persistence.faulty_homes import Incremental
from conformance.reference.agent import Agent
from conformance.reference.approvals import Approvals
from conformance.reference.client import Emit, PersistingClient
from conformance.reference.errors import Invalid
from conformance.reference.history_home import IncrementalHome
from conformance.reference.history_stores import Store
from conformance.reference.loop import Loop, Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.trace.exchange import Answer, ChunkSeen, Response, Turn
from conformance.trace.messages import Call, Message, Result
from conformance.world.chat_service import Request, open_calls

# --- interrupted between a call and its result ---


class SettledCallRunsAgain(Imitation):
    """A call without a result that a run finds in the history is executed before anything else."""

    reports = ("https://github.com/anthropics/anthropic-sdk-go/pull/395",)

    class _Agent(Agent):
        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            history = await self.home.store(thread).load() if terms.local else ()
            lost = set(open_calls([*history, *new]))
            calls = [call for message in history for call in message.calls if call.id in lost]
            if calls:
                tools = self.parts.tools(self.tools_of(thread))
                new = [Message(role="tool", results=tuple([await tools.call(call) for call in calls])), *new]
            return await super()._run(thread, new, emit, stream=stream, terms=terms)

    agent_type = _Agent


class OpenCallsAreSent(Incremental, Imitation):
    """A history that ends with calls without results is sent as it is."""

    reports = ("https://github.com/EvoScientist/EvoScientist/issues/360",)

    agent_type = SendsHistoriesAsTheyAre


class StoredCallsAreSent(Imitation):
    """Where each service call is stored, a history that ends with calls without results is sent as it is."""

    reports = ("https://github.com/kernl-sdk/kernl/issues/60",)

    class _Client(PersistingClient):
        def request_messages(self, history: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
            sent = super().request_messages(history, new)
            return tuple(each for each in sent if not any(result.value == "interrupted" for result in each.results))

    parts = Parts(decorator=_Client)


class ResultWithoutItsCall(Imitation):
    """A run that is cancelled during a tool keeps a result of the call, and not the call."""

    reports = ("https://github.com/posit-dev/positron/issues/15719",)

    class _End(EndThatKeepsCancelled):
        def kept(self, outcome: Outcome) -> Sequence[Message]:
            return [interrupted(outcome)] if outcome.produced[-1].calls else []

    parts = ending(_End)


class CancelledCallStays(Imitation):
    """A run that is cancelled during a tool keeps the calls, and no results."""

    reports = ("https://github.com/tidyverse/ellmer/issues/459",)

    agent_type = SendsHistoriesAsTheyAre
    parts = ending(EndThatKeepsCancelled)


class InterruptedAsRejected(Incremental, Imitation):
    """A call that was interrupted while its tool worked is told to the model as one that the user rejected."""

    reports = ("https://github.com/anthropics/claude-code/issues/86001",)

    class _Agent(Agent):
        def request_messages(
            self, history: Sequence[Message], adds: Sequence[Message], new: Sequence[Message]
        ) -> tuple[Message, ...]:
            return tuple(map(self._rejected, super().request_messages(history, adds, new)))

        def _rejected(self, message: Message) -> Message:
            results = [
                msgspec.structs.replace(each, value="rejected") if each.value == "interrupted" else each for each in message.results
            ]
            return msgspec.structs.replace(message, results=tuple(results))

    agent_type = _Agent


class StoppedResultsAlone(Incremental, Imitation):
    """In steps, a reply is stored with its results; of a run that is cancelled during its tools the results that came are."""

    reports = ("https://github.com/OpenMinis/OpenMinis/issues/293",)

    class _Home(IncrementalHome):
        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            if not outcome.produced[-1].calls or outcome.waiting:
                await super().persist(store, new, outcome)

    class _Loop(Loop):
        async def call_tools(self, calls: Sequence[Call]) -> tuple[Message, bool]:
            results: list[Result] = []
            try:
                for call in calls:
                    results.append(await self._tools.call(call))
            except asyncio.CancelledError:
                if results:
                    await self._came_to(Outcome([Message(role="tool", results=tuple(results))]))
                raise
            ended = any(self._tools.ends(call, result) for call, result in zip(calls, results, strict=True))
            return Message(role="tool", results=tuple(results)), ended

    parts = replace(Parts(), incremental=_Home, loop=_Loop)


class TextAfterTheStop(Imitation):
    """A stream whose run was cancelled hands over once more what the run had said."""

    reports = ("https://github.com/RooCodeInc/Roomote/pull/52",)

    async def stream(self, agent: Any, thread: Any, turn: Turn) -> AsyncIterator[ChunkSeen | Response]:
        said = ""
        try:
            async with aclosing(cast("AsyncGenerator[ChunkSeen | Response]", super().stream(agent, thread, turn))) as items:
                async for item in items:
                    said += item.text if isinstance(item, ChunkSeen) else ""
                    yield item
        except asyncio.CancelledError:
            yield ChunkSeen(text=said)
            raise


# --- approvals ---


class RejectionSaysNothing(Imitation):
    """The result of a rejected call is empty, and no error."""

    reports = ("https://github.com/egonSchiele/agency-lang/pull/986",)

    class _Agent(Agent):
        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            return await super()._run(thread, [self._silent(each) for each in new], emit, stream=stream, terms=terms)

        def _silent(self, message: Message) -> Message:
            results = [Result(id=each.id) if each.value == "rejected" else each for each in message.results]
            return msgspec.structs.replace(message, results=tuple(results))

    agent_type = _Agent


class ApprovalByPosition(Imitation):
    """After an approval the model is asked again, and what was approved is the call that it makes now."""

    reports = ("https://github.com/extra-org/extra/issues/139",)

    class _Approvals(Approvals):
        granted = 0

        def needs_approval(self, call: Call) -> bool:
            asks = super().needs_approval(call)
            if asks and self.granted:
                self.granted -= 1
                return False
            return asks

    class _Agent(Agent):
        async def resume(self, thread: Thread, answers: Sequence[Answer], emit: Emit, *, stream: bool) -> Response:
            kept_here = thread.kind == "local" and thread.messages and thread.messages[-1].calls
            if not kept_here or not self.approvals.decide(thread, answers) or not all(thread.decisions.values()):
                return await super().resume(thread, answers, emit, stream=stream)
            assert isinstance(self.approvals, ApprovalByPosition._Approvals)
            self.approvals.granted = len(thread.decisions)
            thread.waiting, thread.decisions = [], {}
            thread.messages.pop()
            thread.trail[-1].count -= 1
            return await self._run(thread, [], emit, stream=stream, terms=self.options.terms(thread, Turn()))

    agent_type = _Agent
    parts = Parts(approvals=_Approvals)


class InputWaitsForTheApproval(Imitation):
    """New input on a thread whose calls wait for an approval is held up until it is given."""

    reports = ("https://github.com/mindroom-ai/mindroom/issues/1796",)

    class _Agent(Agent):
        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            while thread.waiting:
                await asyncio.Event().wait()
            return await super().run(thread, turn, emit, stream=stream)

    agent_type = _Agent


# --- the loop ---


class LimitOfOneFails(Imitation):
    """A run that has used up its rounds of tools fails, instead of asking the model for its last word."""

    reports = ("https://github.com/krypticmouse/DSRs/issues/61",)

    class _Loop(Loop):
        def request(self, first: Request, sent: Sequence[Message], outcome: Outcome) -> Request:
            if self.exhausted(outcome):
                raise Invalid("no more rounds of tools")
            return super().request(first, sent, outcome)

    parts = Parts(loop=_Loop)


class CallsAreSentAgain(Imitation):
    """In the loop of a conversation that the service keeps, the calls are sent again with their results."""

    reports = ("https://github.com/LionSR/TeXRA/pull/2102",)

    class _Loop(Loop):
        def next_messages(self, sent: Sequence[Message], reply: Message, results: Message, outcome: Outcome) -> list[Message]:
            following = super().next_messages(sent, reply, results, outcome)
            return following if reply in following else [reply, *following]

    parts = Parts(loop=_Loop)


class ResultsAsProse(Imitation):
    """Results go back to the model as words of the assistant, and the calls do not."""

    reports = ("https://github.com/hassanhabib/The-Standard-Agent/pull/251",)

    class _Loop(Loop):
        def next_messages(self, sent: Sequence[Message], reply: Message, results: Message, outcome: Outcome) -> list[Message]:
            if outcome.conversation_id is not None:
                return super().next_messages(sent, reply, results, outcome)
            told = "\n".join(f"- {call.tool}: {result.value}" for call, result in zip(reply.calls, results.results, strict=True))
            return [*sent, Message(role="assistant", text=told)]

    parts = Parts(loop=_Loop)
