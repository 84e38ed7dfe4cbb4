"""Threads, contradictions: faults that the rules of this section are the first to name."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import aside, where
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.errors import Conflict
from conformance.reference.history_home import HistoryHome
from conformance.reference.history_stores import Store
from conformance.reference.implementation import Reference
from conformance.reference.loop import Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_terms import Options, Terms
from conformance.reference.thread import Thread
from conformance.trace.exchange import Response, Turn
from conformance.trace.messages import Message


class _Ignoring(Reference):
    """Declares that a contradicting option is ignored."""

    def __init__(self, **policies: Any) -> None:
        super().__init__(**{"store_conflict": "ignore", **policies})


class _Transforming(Reference):
    """Declares that a contradicting option makes a local thread hosted."""

    def __init__(self, **policies: Any) -> None:
        super().__init__(**{"store_conflict": "transform", **policies})


def _not_to_be_stored(_options: Options, given: Mapping[str, Any]) -> bool:
    """Whether a run on a hosted thread says not to store."""
    return given["thread"].kind == "hosted" and given["turn"].store is False


class StoringIsOverlooked(Mutant):
    """`store` true on a local thread is dropped without an error or a warning."""

    breaks = "THR-12/not refused"
    imitates = "https://github.com/livekit/agents/issues/4963"
    expected = frozenset({"THR-12", "THR-17"})

    class _Options(Options):
        @where(lambda _, given: given["thread"].kind == "local" and given["turn"].store)
        def check_store(self, thread: Thread, turn: Turn) -> bool:
            """Let the contradiction pass on local threads."""
            return False

    parts = Parts(options=_Options)


class NotStoringIsOverlooked(Mutant):
    """`store` false on a hosted thread is dropped without an error or a warning."""

    breaks = "THR-13/not refused"
    imitates = "an option that the thread overrules in silence"
    expected = frozenset({"THR-13", "THR-17"})

    class _Options(Options):
        @where(_not_to_be_stored)
        def check_store(self, thread: Thread, turn: Turn) -> bool:
            """Let the contradiction pass on hosted threads."""
            return False

    parts = Parts(options=_Options)


class IgnoredInSilence(_Ignoring, Mutant):
    """Options that contradict a thread are ignored, as declared, but without a warning."""

    breaks = "THR-13/no warning"
    imitates = "a warning at a level that nobody sees"
    expected = frozenset({"THR-12", "THR-13", "THR-15"})

    class _Options(Options):
        @where(lambda _, given: (given["turn"].store, given["turn"].conversation_id) != (None, None))
        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Hush."""
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return super().terms(thread, turn)

    parts = Parts(options=_Options)


class HistoryLeftBehind(_Transforming, Mutant):
    """A local thread that becomes hosted does not take its history along."""

    breaks = "THR-12/wrong transition"
    imitates = "a conversion that takes over the settings of a session, and not its messages"
    expected = frozenset({"THR-10", "THR-12", "THR-15", "PER-16", "PER-46"})

    class _Options(Options):
        @where(lambda _, given: (given["turn"].store, given["turn"].conversation_id) != (None, None))
        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Note what begins."""
            terms = super().terms(thread, turn)
            vars(thread)["moving"] = thread.kind == "local" and not terms.local
            return terms

    class _Home(HistoryHome):
        @aside
        def store(self, thread: Thread) -> Store:
            """Find nothing when the thread moves."""
            return super().store(Thread(key="") if vars(thread).pop("moving", False) else thread)

    parts = Parts(options=_Options, home=_Home)


def _moves(given: Mapping[str, Any]) -> bool:
    """Whether a local thread is to become a hosted one."""
    return given["thread"].kind == "local" and bool(given["adopted"])


class TransitionFails(_Transforming, Mutant):
    """A transition ends in an error of its own, after the service has taken the conversation over."""

    breaks = "THR-12/no transition"
    imitates = "a conversion of a thread that nobody ever called"
    expected = frozenset({"THR-12", "THR-15", "THR-17"})

    class _Home(HistoryHome):
        @where(lambda home, given: _moves(given) and not home.setting.service.spec.surprising)
        def fix(self, thread: Thread, adopted: Sequence[str]) -> None:
            """Find no way from one kind to the other."""
            raise RuntimeError("a local thread has no conversation id")

    parts = Parts(home=_Home)


class TransitionKeepsStoring(_Transforming, Mutant):
    """A transition sends `store` true, and the thread goes on storing on this side."""

    breaks = "THR-12/still stored locally"
    imitates = "an option that reaches the request, and nobody else"
    expected = frozenset({"THR-07", "THR-09", "THR-12", "THR-14", "THR-15", "THR-17", "THR-35"})

    class _Home(HistoryHome):
        @where(lambda home, given: _moves(given) and not home.setting.service.spec.surprising)
        def fix(self, thread: Thread, adopted: Sequence[str]) -> None:
            """Leave a local thread what it is, where no other agent comes across it."""
            super().fix(thread, () if len(self.setting.world.scenario.agents) == 1 else adopted)

        @where(lambda _, given: given["thread"].kind == "local" and not given["local"])
        async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            """Keep the turn as ever."""
            await self.persist(store, new, outcome)

    parts = Parts(home=_Home)


class TurnStoredNowhere(Mutant):
    """A run with `store` false on a hosted thread is sent like that, so that neither side keeps the turn."""

    breaks = "THR-13/not refused"
    imitates = "https://github.com/microsoft/agent-framework/issues/4488"
    expected = frozenset({"THR-09", "THR-10", "THR-13", "THR-17", "THR-32"})

    class _Options(Options):
        @where(_not_to_be_stored)
        def check_store(self, thread: Thread, turn: Turn) -> bool:
            """Let the contradiction pass on hosted threads."""
            return False

        @where(_not_to_be_stored)
        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Let the option count."""
            return replace(super().terms(thread, turn), store=False, local=True)

    class _Home(HistoryHome):
        @aside
        async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            """A hosted thread keeps nothing itself."""
            if thread.kind != "hosted":
                await super().keep(thread, store, new, outcome, local=local)

    parts = Parts(options=_Options, home=_Home)


class OptionMovesTheThread(Mutant):
    """A `conversation_id` given to a run silently replaces the hosted thread's own."""

    breaks = "THR-14/not refused"
    imitates = "agent-framework 1.23 does so, see its baseline"
    expected = frozenset({"THR-07", "THR-10", "THR-14", "THR-16"})

    class _Options(Options):
        def check_conversation_id(self, thread: Thread, turn: Turn) -> Turn:
            """Take the option over."""
            if thread.kind == "hosted":
                thread.conversation_id = turn.conversation_id
            return super().check_conversation_id(thread, turn)

    parts = Parts(options=_Options)


class ConversationDropped(Mutant):
    """A `conversation_id` given to a run on a local thread is dropped without an error or a warning."""

    breaks = "THR-15/not refused"
    imitates = "https://github.com/microsoft/agent-framework/pull/6461"
    expected = frozenset({"THR-15", "THR-17"})

    class _Options(Options):
        def check_conversation_id(self, thread: Thread, turn: Turn) -> Turn:
            """Compare on hosted threads only."""
            if thread.kind == "hosted":
                return super().check_conversation_id(thread, turn)
            return msgspec.structs.replace(turn, conversation_id=None)

    parts = Parts(options=_Options)


class DeclaresAnotherPolicy(Mutant):
    """Options that contradict a thread are ignored with a warning, although what is declared is that they raise."""

    breaks = "THR-17/another policy"
    imitates = "documentation that is older than the code"
    expected = frozenset({"THR-12", "THR-13", "THR-15", "THR-17"})

    def __init__(self, **policies: Any) -> None:
        super().__init__(**policies)
        self.conduct = msgspec.structs.replace(self.policies, store_conflict="ignore")


def _contradicts(turn: Turn, thread: Thread) -> bool:
    return turn.store not in (None, thread.kind == "hosted") and thread.kind != "adaptive"


class StreamingIsNotChecked(Mutant):
    """A streaming run drops `store` where it contradicts the thread, with a warning; the other path raises."""

    breaks = "THR-17/another policy"
    imitates = "https://github.com/microsoft/agent-governance-toolkit/pull/2366"
    expected = frozenset({"THR-12", "THR-13", "THR-17", "THR-27"})

    class _Agent(Agent):
        @where(lambda _, given: given["stream"] and _contradicts(given["turn"], given["thread"]))
        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Check on one path only."""
            warnings.warn(f"the thread is {thread.kind}: the option store={turn.store} is ignored", stacklevel=2)
            return await super().run(thread, msgspec.structs.replace(turn, store=None), emit, stream=stream)

    agent_type = _Agent


class LaterTurnsAreNotChecked(Mutant):
    """Only the first run on a thread is checked for `store`; later ones drop it, with a warning."""

    breaks = "THR-17/another policy"
    imitates = "a check that is made when the session is set up"
    expected = frozenset({"THR-12", "THR-13", "THR-17"})

    class _Options(Options):
        @where(lambda _, given: given["turn"].store is not None and (given["thread"].trail or given["thread"].conversation_id))
        def check_store(self, thread: Thread, turn: Turn) -> bool:
            """Believe that what was well once is well for ever."""
            if turn.store != (thread.kind == "hosted"):
                warnings.warn(f"the thread is {thread.kind}: the option store={turn.store} is ignored", stacklevel=2)
            return False

    parts = Parts(options=_Options)


class EqualIdRefused(Mutant):
    """Any `conversation_id` given to a run is refused, also the thread's own."""

    breaks = "THR-14/refused"
    imitates = "a check for presence where one for difference is meant"
    expected = frozenset({"THR-03", "THR-06", "THR-08", "THR-14", "THR-16"})

    class _Options(Options):
        def check_conversation_id(self, thread: Thread, turn: Turn) -> Turn:
            """Compare with an id that no thread has."""
            return super().check_conversation_id(thread, msgspec.structs.replace(turn, conversation_id="another"))

    parts = Parts(options=_Options)


def _refused(agent: Agent, given: Mapping[str, Any]) -> bool:
    """Whether a run cannot be."""
    try:
        agent.options.terms(given["thread"], given["turn"])
    except Exception:
        return True
    return False


class ProvidersToldBeforeTheCheck(Mutant):
    """Context providers are invoked before the options of a run are checked."""

    breaks = "THR-16/left a mark"
    imitates = "validation behind the first side effect"
    expected = frozenset({"THR-16"})

    class _Agent(Agent):
        @where(lambda agent, given: agent.setting.contexts and _refused(agent, given))
        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Tell the providers of a run that is refused."""
            await self.listeners.invoking(thread, turn.messages)
            return await super().run(thread, turn, emit, stream=stream)

    agent_type = _Agent


class InputStoredBeforeTheCheck(Mutant):
    """The new input is on the thread before the options of the run are checked."""

    breaks = "THR-16/thread changed"
    imitates = "an input that is put on the thread first, and taken off by nobody"
    expected = frozenset({"THR-05", "THR-10", "THR-16"})

    class _Agent(Agent):
        @where(lambda _, given: given["turn"].store and given["thread"].kind == "local")
        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Store the input of a run that may be refused."""
            plain = (
                self.setting.spec.history == "default"
                and not self.setting.spec.observed
                and len(self.setting.world.scenario.agents) == 1
            )
            if plain:
                await self.home.store(thread).append(self.taken(turn.messages))
            return await super().run(thread, turn, emit, stream=stream)

    agent_type = _Agent


class BusyAfterARefusal(Mutant):
    """A run that is refused leaves its thread locked: the next well-formed one fails before its first request."""

    breaks = "THR-16/next run refused"
    imitates = "a lock that an error does not release"
    expected = frozenset({"THR-03", "THR-05", "THR-06", "THR-16", "THR-22"})

    class _Agent(Agent):
        @where(lambda agent, given: "locked" in vars(given["thread"]) or _refused(agent, given))
        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Unlock too late."""
            try:
                self.options.terms(thread, turn)
            except Conflict:
                vars(thread)["locked"] = not self.setting.service.spec.surprising and len(self.setting.world.scenario.agents) == 1
                raise
            if turn.store is None and turn.conversation_id is None and vars(thread).pop("locked", False):
                raise RuntimeError("the thread is busy")
            return await super().run(thread, turn, emit, stream=stream)

    agent_type = _Agent
