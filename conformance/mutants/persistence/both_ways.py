"""Persistence, both ways: faults that the rules of this section are the first to name."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import aside, pure, where
from conformance.mutants.persistence.faulty_homes import Front, FrontedHome, behind
from conformance.mutants.persistence.ordinary_runs import PER_RUN, SWITCHING, AnyRuns, streaming
from conformance.mutants.shared_faults import CurrentThreadAgent, StreamNotingAgent, current, interleaves, streams
from conformance.reference.agent import Agent
from conformance.reference.client import Client, Emit, PersistingClient
from conformance.reference.history_home import HistoryHome
from conformance.reference.history_stores import ProviderStore, Store
from conformance.reference.loop import Loop, Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_terms import Options, Terms
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread
from conformance.trace.exchange import Response, Turn
from conformance.trace.messages import Call, Message
from conformance.world.chat_service import Reply, Request


class PendingApprovalOverlooked(Mutant):
    """New input while calls wait for approval is sent, with calls that nobody answered in front of it."""

    breaks = "PER-42/call without a result"
    imitates = "https://github.com/letta-ai/letta/pull/3156"
    expected = frozenset({"PER-42", "PER-46"})

    class _Options(Options):
        @where(lambda _, given: bool(given["thread"].waiting))
        def check_waiting(self, thread: Thread) -> None:
            """Let it pass."""

    class _Agent(Agent):
        @where(lambda _, given: bool(given["thread"].waiting))
        def settling(self, thread: Thread, terms: Terms, new: Sequence[Message]) -> list[Message]:
            """Leave to the conversation what waits in it."""
            return []

    agent_type = _Agent
    parts = Parts(options=_Options)


class PendingApprovalOverlookedByStreams(Mutant):
    """Streaming, new input while calls wait for approval is sent, with calls that nobody answered in front of it."""

    breaks = "PER-42/call without a result"
    imitates = "https://github.com/letta-ai/lettabot/issues/180"
    expected = frozenset({"PER-38", "PER-42", "PER-46"})

    class _Options(Options):
        @where(lambda _, given: bool(given["thread"].waiting))
        def check_waiting(self, thread: Thread) -> None:
            """Let it pass, as long as nobody decides."""
            raising = any(tool.raises for tool in self.setting.spec.tools.values())
            if raising or not streams(thread):
                super().check_waiting(thread)

    class _Agent(StreamNotingAgent):
        @where(lambda _, given: bool(given["thread"].waiting))
        def settling(self, thread: Thread, terms: Terms, new: Sequence[Message]) -> list[Message]:
            """Leave to the conversation what waits in it."""
            return []

    agent_type = _Agent
    parts = Parts(options=_Options)


class DetachedForAllThreads(Mutant):
    """`clear` detaches the provider from the agent: its other threads lose their history."""

    breaks = "PER-41/not loaded"
    imitates = "https://github.com/microsoft/agent-framework/pull/7284"
    expected = frozenset({"PER-41"})

    class _Front(Front):
        """The store that is not asked any more."""

        aside = True

        async def load(self) -> tuple[Message, ...]:
            """Load as long as no thread was in conflict."""
            return () if vars(self.home).get("cleared") else await super().load()

    class _Home(FrontedHome):
        runs = AnyRuns(("M1",))

        def on_conflict(self, thread: Thread, id: str) -> None:
            """Note that there is nothing to load from any more."""
            super().on_conflict(thread, id)
            vars(self)["cleared"] = thread.detached or vars(self).get("cleared")

    _Home.front = _Front
    parts = Parts(home=_Home)


class ContextInTheFirstCallOnly(Mutant):
    """With per-service-call persistence, what context providers injected reaches the first service call of a run only."""

    breaks = "PER-45/missing later"
    imitates = "https://github.com/microsoft/agent-framework/issues/1735"
    expected = frozenset({"PER-45"})

    class _Decorator(PersistingClient):
        def request_messages(self, history: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
            """Use it up."""
            sent = super().request_messages(history, new)
            self._adds = ()
            return sent

    parts = Parts(decorator=_Decorator)


class ContextLeftOutBesideResults(Mutant):
    """With per-run persistence, what context providers injected is left out of requests that carry results."""

    breaks = "PER-45/missing later"
    imitates = "a loop that rebuilds its messages from the conversation"
    expected = frozenset({"PER-45"})

    class _Home(HistoryHome):
        @where(lambda home, given: given["adds"] and given["local"] and not home.setting.spec.per_service_call)
        def client(self, thread: Thread, store: Store, adds: Sequence[Message], adopted: list[str], *, local: bool) -> Client:
            """Put something in between that knows what was injected."""
            return _Forgetful(super().client(thread, store, adds, adopted, local=local), adds)

    parts = Parts(home=_Home)


class _Forgetful:
    def __init__(self, inner: Client, adds: Sequence[Message]) -> None:
        self._inner = inner
        self._adds = adds

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Leave it out."""
        said = request.messages
        if said[-1].results:
            said = tuple(each for each in said if each not in self._adds)
        return await self._inner.complete(msgspec.structs.replace(request, messages=said), emit)


class InterleavedRunsLoadEachOthers(Mutant):
    """The agent keeps the key of "the current thread" on itself, so that runs that interleave load one history."""

    breaks = "PER-39/one history"
    imitates = "https://github.com/veryfront/veryfront-code/issues/2336"
    expected = frozenset({"PER-39"})

    class _Front(Front):
        """The store of the current thread."""

        async def load(self) -> tuple[Message, ...]:
            """Load it."""
            return await self.setting.world.history(self.setting.name).load(current(self.home, self.thread).key)

    class _Runs(AnyRuns):
        def include(self, setting: Setting, thread: Thread) -> bool:
            """Only where runs interleave."""
            return super().include(setting, thread) and interleaves(setting.world.scenario)

    agent_type = CurrentThreadAgent
    parts = behind(_Front, _Runs(("M1",)))


class InterleavedRunsStoredTogether(Mutant):
    """The agent keeps the key of "the current thread" on itself, so that runs that interleave are appended to one history."""

    breaks = "PER-39/one history"
    imitates = "https://github.com/MervinPraison/PraisonAI/issues/3105"
    expected = frozenset({"THR-05", "THR-10", "THR-25", "PER-08", "PER-39", "PER-46"})

    class _Front(Front):
        """The store of the current thread."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append to it."""
            history = self.setting.world.history(self.setting.name)
            await ProviderStore(history, current(self.home, self.thread), self.setting.name).append(messages)

    class _Runs(AnyRuns):
        def include(self, setting: Setting, thread: Thread) -> bool:
            """Only where runs interleave, and nobody switches the way of persisting."""
            scenario = setting.world.scenario
            return interleaves(scenario) and not any(run.per_service_call is not None or run.background for run in scenario.runs())

    agent_type = CurrentThreadAgent
    parts = behind(_Front, _Runs())


class LimitLeavesACallOpen(Mutant):
    """A loop that its limit cuts short has stored the calls of its last reply, which nobody answered and the caller never sees."""

    breaks = "PER-44/limit passed"
    imitates = "https://github.com/evalstate/fast-agent/pull/940"
    expected = frozenset({"PER-44", "PER-48"})

    class _Agent(Agent):
        """The agent that keeps the open calls from the caller."""

        @pure
        def response(self, thread: Thread, outcome: Outcome) -> Response:
            """Leave them out."""
            open_calls = bool(outcome.produced[-1].calls) and not outcome.waiting
            return super().response(thread, replace(outcome, produced=outcome.produced[:-1]) if open_calls else outcome)

    class _Loop(Loop):
        @pure
        def request(self, first: Request, sent: Sequence[Message], outcome: Outcome) -> Request:
            """Forbid nothing."""
            self._outcome = outcome
            return msgspec.structs.replace(super().request(first, sent, outcome), forbids_tools=False)

        @aside
        async def call_tools(self, calls: Sequence[Call]) -> tuple[Message, bool]:
            """Stop where one reply too many asks for tools."""
            if self._limit is not None and sum(1 for each in self._outcome.produced if each.calls) > self._limit:
                raise _CutShort
            return await super().call_tools(calls)

        @aside
        async def run(self, request: Request, emit: Emit) -> Outcome:
            """Return what was answered."""
            try:
                return await super().run(request, emit)
            except _CutShort:
                return self._outcome

    agent_type = _Agent
    parts = Parts(loop=_Loop)


class _CutShort(Exception):
    """The limit is reached."""


class LimitAnswerNotStored(Mutant):
    """The answer of a loop that reached its limit is returned, and not stored."""

    breaks = "PER-44/missing"
    imitates = "https://github.com/openai/openai-agents-python/issues/4393"
    expected = frozenset({"PER-44"})

    class _Home(HistoryHome):
        @where(lambda home, given: _at_its_limit(home.setting, given["outcome"]))
        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Append what the tools led to."""
            await super().persist(store, new, replace(outcome, produced=outcome.produced[:-1]))

    parts = Parts(home=_Home)


def _at_its_limit(setting: Setting, outcome: Outcome) -> bool:
    asked = sum(1 for each in outcome.produced if each.calls)
    return setting.spec.limit is not None and asked >= setting.spec.limit and not outcome.terminated


class LimitUnknownToStreams(Mutant):
    """Streaming, a loop goes on beyond its limit."""

    breaks = "PER-44/limit passed"
    imitates = "https://github.com/openai/openai-agents-python/pull/4403"
    expected = frozenset({"PER-38", "PER-44", "PER-48"})

    class _Loop(Loop):
        @pure
        def request(self, first: Request, sent: Sequence[Message], outcome: Outcome) -> Request:
            """Forbid nothing to streams."""
            request = super().request(first, sent, outcome)
            return msgspec.structs.replace(request, forbids_tools=request.forbids_tools and not first.stream)

    parts = Parts(loop=_Loop)


class BackgroundRunNotStored(Mutant):
    """With per-service-call persistence, a run in the background is stored by nobody."""

    breaks = "PER-40/no append"
    imitates = "https://github.com/microsoft/agent-framework/pull/1501"
    expected = frozenset({"PER-10", "PER-37", "PER-40", "PER-43"})

    class _Home(HistoryHome):
        async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            """Leave it to a decorator that is not there."""

    class _Agent(Agent):
        """The agent that takes another home for runs in the background."""

        def in_background(self) -> Self:
            """Take it, where nothing else is special."""
            other = super().in_background()
            tools = self.setting.spec.tools.values()
            special = self.setting.spec.limit is not None or any(tool.raises or tool.terminates for tool in tools)
            home = self.parts.home if special else BackgroundRunNotStored._Home
            return type(self)(other.setting, replace(self.parts, home=home))

    agent_type = _Agent


class BackgroundRunUnwarned(Mutant):
    """That a run in the background is persisted at its end, although per-service-call persistence is on, goes without a warning."""

    breaks = "PER-40/no warning"
    imitates = "a mode that is switched where nobody looks"
    expected = frozenset({"PER-40"})

    class _Agent(Agent):
        def in_background(self) -> Self:
            """Hush."""
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return super().in_background()

    agent_type = _Agent


class BackgroundRunStoredPerServiceCall(Mutant):
    """With per-service-call persistence, a run in the background is persisted like any other, after a warning that it is not."""

    breaks = "PER-40/several appends"
    imitates = "https://github.com/microsoft/agent-framework/pull/3808"
    expected = frozenset({"PER-40"})

    class _Agent(Agent):
        @where(lambda agent, given: given["turn"].background and agent.setting.spec.per_service_call)
        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Warn, and run as ever."""
            self.in_background()
            return await super().run(thread, msgspec.structs.replace(turn, background=False), emit, stream=stream)

    agent_type = _Agent


class HistoryAppendedAfterASwitch(Mutant):
    """The first run after the setting was switched appends what users said before once more."""

    breaks = "PER-43/stores too much"
    imitates = "https://github.com/kagent-dev/kagent/pull/1500"
    expected = frozenset({"PER-01", "PER-09", "PER-40", "PER-43"})

    class _Front(Front):
        """The store that migrates."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Bring what users said along."""
            mode = self.setting.spec.per_service_call
            before = vars(self.thread).get("mode", mode)
            vars(self.thread)["mode"] = mode
            there = await self.inner.load() if before != mode else ()
            await super().append([*(each for each in there if each.role == "user"), *messages])

    parts = behind(_Front, SWITCHING)


class HistoryLostAfterASwitch(Mutant):
    """After the setting was switched, a thread's history begins anew: each way of persisting has a key of its own."""

    breaks = "PER-43/sends too little"
    imitates = "a key that is made of the settings"
    expected = frozenset({"THR-05", "THR-10", "PER-08", "PER-43"})

    class _Front(Front):
        """The store that knows its own."""

        async def load(self) -> tuple[Message, ...]:
            """Load what this way of persisting appended."""
            mode = self.setting.spec.per_service_call
            loaded = await super().load()
            whose: list[bool] = vars(self.thread).get("whose", [])
            return tuple(each for each, way in zip(loaded, whose, strict=False) if way == mode)

        async def append(self, messages: Sequence[Message]) -> None:
            """Note which way it is."""
            vars(self.thread).setdefault("whose", []).extend([self.setting.spec.per_service_call] * len(messages))
            await super().append(messages)

    parts = behind(_Front, SWITCHING)


_STREAMED = replace(PER_RUN, having=streaming)


class StreamedAnswerNotStored(Mutant):
    """Per-run persistence of a streaming run does not store its last message."""

    breaks = "PER-38/missing"
    imitates = "https://github.com/pydantic/pydantic-ai/issues/375"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "THR-27", "PER-01", "PER-10", "PER-18", "PER-38"})

    class _Front(Front):
        """The store that is written before the stream is at its end."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what there was by then."""
            await super().append(messages[:-1])

    parts = behind(_Front, _STREAMED)


class StreamedRunAppendedTwice(Mutant):
    """Per-run persistence of a streaming run appends it at the end of the stream, and when its response is put together."""

    breaks = "PER-38/repeated"
    imitates = "https://github.com/openai/openai-agents-python/pull/4312"
    expected = frozenset({"THR-05", "THR-10", "THR-27", "PER-01", "PER-09", "PER-12", "PER-18", "PER-38"})

    class _Front(Front):
        """The store that hears of it twice."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append twice."""
            await super().append(messages)
            await super().append(messages)

    parts = behind(_Front, _STREAMED)


class StreamedBufferStored(Mutant):
    """Streaming, a reply without a text is stored with that of the last one: they share a buffer that the loop reuses."""

    breaks = "PER-38/repeated"
    imitates = "https://github.com/NousResearch/hermes-agent/issues/56303"
    expected = frozenset({"THR-05", "THR-10", "THR-27", "PER-01", "PER-09", "PER-11", "PER-18", "PER-38"})

    class _Front(Front):
        """The store of one buffer."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what is in the buffer by now."""
            latest = messages[-1].text if messages[-1].role == "assistant" else ""
            await super().append(
                [msgspec.structs.replace(each, text=each.text or latest) if each.calls else each for each in messages]
            )

    parts = behind(_Front, _STREAMED)


class StreamedPerServiceCallUnasked(Mutant):
    """A streaming run is persisted in parts, although it is to be persisted at its end."""

    breaks = "PER-38/split"
    imitates = "https://github.com/run-llama/llama_index/pull/11675"
    expected = frozenset({"PER-01", "PER-38"})

    class _Front(Front):
        """The store that is written message by message."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append each."""
            for each in messages:
                await super().append([each])

    parts = behind(_Front, _STREAMED)
