"""Benign variants whose runs of agents go about their work in another way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import msgspec

from conformance.mutants.benign.variant import Benign
from conformance.reference.agent import Agent
from conformance.reference.client import Emit, LeafClient, PersistingClient
from conformance.reference.errors import Abandoned
from conformance.reference.history_home import HistoryHome, IncrementalHome
from conformance.reference.history_stores import Store
from conformance.reference.loop import Loop, Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_terms import Options, Terms
from conformance.reference.thread import Thread
from conformance.reference.threads import Threads
from conformance.reference.tools import Tools
from conformance.trace.exchange import Response, ThreadState, Turn
from conformance.trace.messages import Call, Message, Result
from conformance.world.chat_service import Reply, Request
from conformance.world.errors import ServiceError


class RetriesCleanly(Benign):
    """A service call that fails before anything came of it is made once more, unchanged."""

    fires = frozenset({"PER-08", "PER-19", "PER-20", "PER-30", "PER-62"})

    class _Leaf(LeafClient):
        """Calls the service again."""

        async def complete(self, request: Request, emit: Emit) -> Reply:
            """Try twice."""
            try:
                return await super().complete(request, emit)
            except ServiceError:
                return await super().complete(request, emit)

    parts = Parts(leaf=_Leaf)


class DropsEmptyReplies(Benign):
    """A reply that holds nothing does not become part of the history."""

    class _Home(HistoryHome):
        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Leave them out."""
            said = [message for message in outcome.produced if not _empty(message)]
            await super().persist(store, new, replace(outcome, produced=said))

    class _Decorator(PersistingClient):
        async def append(self, new: Sequence[Message], reply: Message) -> None:
            """Leave the reply out where it is empty."""
            if _empty(reply):
                await self.keep_input(new)
            else:
                await super().append(new, reply)

    parts = Parts(home=_Home, decorator=_Decorator)


class StreamsOneChunk(Benign):
    """A stream has one chunk, with all of the text."""

    class _Leaf(LeafClient):
        """Hands over a text when it is whole."""

        async def complete(self, request: Request, emit: Emit) -> Reply:
            """Wait for the whole reply."""
            reply = await super().complete(request, _nobody)
            if request.stream and reply.message.text:
                await emit(reply.message.text)
            return reply

    parts = Parts(leaf=_Leaf)


class RunsToolsInParallel(Benign):
    """The tools of one reply run at the same time."""

    class _Loop(Loop):
        """Gathers the results."""

        async def call_tools(self, calls: Sequence[Call]) -> tuple[Message, bool]:
            """Start all of them, and wait for all of them."""
            done = await asyncio.gather(*(Loop.call_tools(self, [call]) for call in calls))
            results = tuple(result for message, _ in done for result in message.results)
            return Message(role="tool", results=results), any(ended for _, ended in done)

    parts = Parts(loop=_Loop)


class FailsWithATool(Benign):
    """A tool that raises fails the run."""

    class _Tools(Tools):
        """Makes no result of an error."""

        async def call(self, call: Call) -> Result:
            """Run it."""
            tool = self.named.get(call.tool)
            if tool is None:
                return await super().call(call)
            return Result(id=call.id, value=await tool(**call.arguments))

    parts = Parts(tools=_Tools)


class AnswersPendingCallsItself(Benign):
    """New input while calls wait for approval: they are answered as not approved, and the run goes on."""

    class _Options(Options):
        def check_waiting(self, thread: Thread) -> None:
            """Nothing stands against the run."""

    class _Agent(Agent):
        """Takes new input for a refusal."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Close what waits before the input."""
            if thread.waiting:
                closed = tuple(Result(id=call.id, value="not approved", error=True) for call in thread.waiting)
                thread.waiting = []
                thread.decisions.clear()
                turn = msgspec.structs.replace(turn, messages=(Message(role="tool", results=closed), *turn.messages))
            return await super().run(thread, turn, emit, stream=stream)

    agent_type = _Agent
    parts = Parts(options=_Options)


class SendsInstructionsFirst(Benign):
    """Every request begins with the agent's instructions; no history holds them."""

    class _Leaf(LeafClient):
        """Puts them in front."""

        async def complete(self, request: Request, emit: Emit) -> Reply:
            """Add them."""
            instructions = Message(role="system", text="be kind")
            return await super().complete(msgspec.structs.replace(request, messages=(instructions, *request.messages)), emit)

    parts = Parts(leaf=_Leaf)


class EndsWithResultsAtItsLimit(Benign):
    """A loop that reaches its limit ends with the results of the last calls, without one more request."""

    class _Loop(Loop):
        """Asks no more."""

        async def call_tools(self, calls: Sequence[Call]) -> tuple[Message, bool]:
            """Count the rounds."""
            results, ended = await super().call_tools(calls)
            self.rounds = getattr(self, "rounds", 0) + 1
            return results, ended or self.rounds == self._limit

    parts = Parts(loop=_Loop)


class HidesItsMessages(Benign):
    """A thread shows its kind and its conversation id, but no messages."""

    fires = frozenset({"PER-16"})

    class _Threads(Threads):
        """Describes less."""

        def describe(self, thread: Thread) -> ThreadState:
            """Leave the messages out."""
            return msgspec.structs.replace(super().describe(thread), messages=None)

    parts = Parts(threads=_Threads)


class _InOrderOfCalls:
    """A store that hands out results in the order of their calls, however they came."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner

    async def load(self) -> tuple[Message, ...]:
        """Sort what stands together, by the calls before it."""
        found: list[Message] = []
        places: dict[str, int] = {}
        for results, together in groupby(await self._inner.load(), key=lambda each: bool(each.results)):
            stretch = list(together)
            found += sorted(stretch, key=lambda each: places.get(each.results[0].id, 0)) if results else stretch
            places |= {call.id: place for place, call in enumerate(call for message in stretch for call in message.calls)}
        return tuple(found)

    async def append(self, messages: Sequence[Message]) -> None:
        """Append as it comes."""
        await self._inner.append(messages)


class AppendsMessageByMessage(Benign):
    """Histories are kept in steps: one message after another, and of the results of one reply the last one first."""

    class _Home(IncrementalHome):
        """Appends single messages."""

        def store(self, thread: Thread) -> Store:
            """Hand them out sorted."""
            return _InOrderOfCalls(super().store(thread))

        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Append what is not there yet."""
            begun, outcome.kept = outcome.kept, len(outcome.produced)
            fresh = outcome.produced[begun:]
            for message in (*(() if begun or not fresh else new), *fresh):
                for single in _one_by_one(message):
                    await store.append([single])

    parts = Parts(incremental=_Home)

    def __init__(self) -> None:
        super().__init__(history="incremental")


class FinishesWhatIsLeft(Benign):
    """A run whose consumer left the stream goes on to its end, and is kept."""

    class _Agent(Agent):
        """Notes that nobody listens any more."""

        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            left: list[Abandoned] = []

            async def to_whoever_listens(text: str) -> None:
                with_consumer = not left
                try:
                    await (emit(text) if with_consumer else _nobody(text))
                except Abandoned as error:
                    left.append(error)

            response = await super()._run(thread, new, to_whoever_listens, stream=stream, terms=terms)
            if left:
                raise left[0]
            return response

    agent_type = _Agent


def _one_by_one(message: Message) -> list[Message]:
    """A message with several results as several, the last one first."""
    return [msgspec.structs.replace(message, results=(each,)) for each in reversed(message.results)] or [message]


def _empty(message: Message) -> bool:
    return message.role == "assistant" and not message.text and not message.calls


async def _nobody(text: str) -> None:
    """Nobody listens yet."""
