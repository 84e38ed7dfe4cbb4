"""Persistence, conflict: faults that the rules of this section are the first to name."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import pure, where
from conformance.mutants.persistence.faulty_homes import Copying
from conformance.mutants.shared_faults import StreamNotingAgent, streams
from conformance.reference.agent import Agent
from conformance.reference.client import SENTINEL, Emit
from conformance.reference.errors import Conflict
from conformance.reference.history_home import HistoryHome
from conformance.reference.history_stores import Store, ThreadStore
from conformance.reference.loop import Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.run_terms import Options, Terms
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread, copied
from conformance.reference.threads import Threads
from conformance.trace.exchange import Response, ThreadState, Turn
from conformance.trace.messages import Message


class ConflictNotThrown(Mutant):
    """`throw` only warns: the run goes on under the service's id."""

    breaks = "PER-32/thread changed"
    imitates = "https://github.com/microsoft/agent-framework/pull/7957"
    expected = frozenset({"PER-32"})

    class _Home(HistoryHome):
        def on_conflict(self, thread: Thread, id: str) -> None:
            """Do not raise."""
            try:
                super().on_conflict(thread, id)
            except Conflict:
                thread.detached = True

    parts = Parts(home=_Home)


class DetachedAlthoughThrown(Mutant):
    """`throw` also detaches the provider: later runs neither load from it nor append to it."""

    breaks = "PER-32/next run does not load"
    imitates = "switches that are carried out one after the other"
    expected = frozenset({"PER-32"})

    class _Home(HistoryHome):
        def on_conflict(self, thread: Thread, id: str) -> None:
            """Detach first."""
            thread.detached = thread.detached or self.setting.spec.on_conflict.throw
            super().on_conflict(thread, id)

        @where(lambda _, given: given["thread"].detached)
        def store(self, thread: Thread) -> Store:
            """Forget the provider."""
            return ThreadStore(thread)

    parts = Parts(home=_Home)


class ConflictNamesOneSide(Mutant):
    """The error of a conflict names the id, and not what it is in conflict with."""

    breaks = "PER-32/a side not named"
    imitates = "a message that was written where only the id is known"
    expected = frozenset({"PER-32"})

    class _Home(HistoryHome):
        def on_conflict(self, thread: Thread, id: str) -> None:
            """Say half of it."""
            try:
                super().on_conflict(thread, id)
            except Conflict:
                raise Conflict(f"conversation id {id!r} was not expected here") from None

    parts = Parts(home=_Home)


class ConflictOfNoKind(Mutant):
    """A conflict is raised as an error that could mean anything."""

    breaks = "PER-32/wrong kind of error"
    imitates = "https://github.com/microsoft/agent-framework/issues/4937"
    expected = frozenset({"PER-04", "PER-32"})

    class _Home(HistoryHome):
        def on_conflict(self, thread: Thread, id: str) -> None:
            """Raise something else."""
            try:
                super().on_conflict(thread, id)
            except Conflict as error:
                raise RuntimeError(str(error)) from None

    parts = Parts(home=_Home)


class IdAdoptedAlthoughThrown(Mutant):
    """`throw` raises when the thread has taken over the id already."""

    breaks = "PER-32/thread changed"
    imitates = "https://github.com/microsoft/agent-framework/pull/6310"
    expected = frozenset({"PER-32", "PER-33", "PER-46"})

    class _Home(HistoryHome):
        def on_conflict(self, thread: Thread, id: str) -> None:
            """Take it over first."""
            if self.setting.spec.on_conflict.throw and not self.stays_local(thread):
                self.become_hosted(thread, id)
            super().on_conflict(thread, id)

    parts = Parts(home=_Home)


class IdAdoptedOnTheWay(Mutant):
    """Streaming, `throw` raises when the thread has taken over the id of a chunk already."""

    breaks = "PER-32/thread changed"
    imitates = "a session that is updated from within the stream"
    expected = frozenset({"PER-32", "PER-33", "PER-46"})

    class _Home(HistoryHome):
        def on_conflict(self, thread: Thread, id: str) -> None:
            """Take it over first."""
            if self.setting.spec.on_conflict.throw and streams(thread) and not self.stays_local(thread):
                self.become_hosted(thread, id)
            super().on_conflict(thread, id)

    agent_type = StreamNotingAgent
    parts = Parts(home=_Home)


class InputAppendedAlthoughThrown(Mutant):
    """`throw` raises, and the input of the run is appended all the same."""

    breaks = "PER-32/appended"
    imitates = "https://github.com/microsoft/agent-framework/issues/7630"
    expected = frozenset({"PER-04", "PER-09", "PER-32"})

    class _End(RunEnd):
        @where(lambda end, given: isinstance(given["error"], Conflict) and end.setting.spec.history == "provider")
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Keep what was said."""
            await self.home.store(thread).append(new)
            await super().failed(thread, new, error)

    parts = Parts(end=_End)


class ConflictThrownOnce(Mutant):
    """`throw` raises on a thread's first turn; where the id comes on a later one, the run goes on under it."""

    breaks = "PER-32/thread changed"
    imitates = "a check that is made when a session is new"
    expected = frozenset({"PER-32"})

    class _Home(HistoryHome):
        def on_conflict(self, thread: Thread, id: str) -> None:
            """Let it pass on a thread that has a history."""
            try:
                super().on_conflict(thread, id)
            except Conflict:
                if not thread.trail:
                    raise
                thread.detached = True

    parts = Parts(home=_Home)


def _kept(setting: Setting) -> bool:
    """Whether a conflict leaves the provider what it is."""
    switches = setting.spec.on_conflict
    kept = setting.spec.history == "provider" and not (switches.throw or switches.clear)
    return kept and setting.service.spec.surprising


class KeptProviderLoaded(Mutant):
    """Where a conflict neither throws nor clears, the provider is loaded from while the service manages the history."""

    breaks = "PER-35/loaded"
    imitates = "https://github.com/microsoft/agent-framework/pull/7525"
    expected = frozenset({"PER-35"})

    class _Agent(Agent):
        @where(lambda agent, given: given["thread"].kind == "hosted" and _kept(agent.setting))
        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            """Load what nobody will send."""
            await self.home.store(thread).load()
            return await super()._run(thread, new, emit, stream=stream, terms=terms)

    agent_type = _Agent


class KeptProviderCopiedTo(Mutant):
    """Where a conflict neither throws nor clears, the provider receives a copy, although none is declared."""

    breaks = "PER-35/copied"
    imitates = "https://github.com/microsoft/agent-framework/pull/6128"
    expected = frozenset({"PER-35"})

    class _Home(HistoryHome):
        @pure
        def copies(self, thread: Thread) -> bool:
            """Copy where the provider was kept."""
            persists = self.setting.decorates or not self.setting.spec.per_service_call
            return persists and _kept(self.setting)

    parts = Parts(home=_Home)


class CopyForgotten(Copying, Mutant):
    """A provider that is declared to receive a copy while the service manages the history receives none."""

    breaks = "PER-35/no copy"
    imitates = "https://github.com/microsoft/agent-framework/pull/6310"
    expected = frozenset({"PER-10", "PER-35"})

    class _Home(HistoryHome):
        @pure
        def copies(self, thread: Thread) -> bool:
            """Never copy, unless a tool may end the loop."""
            return any(tool.terminates for tool in self.setting.spec.tools.values()) and super().copies(thread)

    parts = Parts(home=_Home)


def _surprised_by_default(setting: Setting) -> bool:
    """Whether there is no provider, and a service that returns ids unasked."""
    return setting.spec.history == "default" and setting.service.spec.surprising


class DefaultStoreGrows(Mutant):
    """Without a configured provider, the default store grows although the service returned an id."""

    breaks = "PER-36/kept on the thread"
    imitates = "https://github.com/microsoft/agent-framework/issues/6120"
    expected = frozenset({"THR-18", "THR-35", "THR-44", "PER-36"})

    class _Home(HistoryHome):
        @where(lambda home, given: given["local"] and given["outcome"].adopted and _surprised_by_default(home.setting))
        async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            """Keep the turn here too."""
            await super().keep(thread, store, new, outcome, local=local)
            thread.messages.extend([*new, *outcome.produced])

    class _Threads(Threads):
        @pure
        def describe(self, thread: Thread) -> ThreadState:
            """Show what is kept here."""
            state = super().describe(thread)
            here = thread.kind == "hosted" and thread.messages and self.setting.service.spec.surprising
            return msgspec.structs.replace(state, messages=copied(thread.messages)) if here else state

    parts = Parts(home=_Home, threads=_Threads)


class DefaultStoreConflicts(Mutant):
    """Without a configured provider, an id that the service returns is a conflict with the default store."""

    breaks = "PER-36/conflict"
    imitates = "https://github.com/microsoft/agent-framework/issues/4937"
    expected = frozenset({"PER-36"})

    class _Home(HistoryHome):
        @where(lambda home, given: given["id"] is not None and given["local"] and _surprised_by_default(home.setting))
        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Raise for any store."""
            if thread.kind == "local":
                raise Conflict(f"the service returned conversation id {id!r} although there is a history store")
            super().adopt(thread, id, adopted, local=local)

    parts = Parts(home=_Home)


class DefaultStoreWarned(Mutant):
    """Without a configured provider, an id that the service returns is warned of as a conflict with the default store."""

    breaks = "PER-36/warned"
    imitates = "a check that asks whether there is a provider, and not who configured it"
    expected = frozenset({"PER-36"})

    class _Home(HistoryHome):
        @where(lambda home, given: given["thread"].kind == "local" and _surprised_by_default(home.setting))
        def become_hosted(self, thread: Thread, id: str) -> None:
            """Warn for any store."""
            warnings.warn(f"conversation id {id!r} is in conflict with the history provider", stacklevel=2)
            super().become_hosted(thread, id)

    parts = Parts(home=_Home)


def _in_a_provider(setting: Setting, thread: Thread) -> bool:
    """Whether a history provider has something of a local thread."""
    return setting.spec.history == "provider" and thread.kind == "local" and bool(thread.trail)


class ConflictOutOfNothing(Mutant):
    """A conflict is warned of on a service that returns no id, when a run on a thread with a history comes to its end."""

    breaks = "PER-37/warned"
    imitates = "https://github.com/microsoft/agent-framework/issues/4937"
    expected = frozenset({"PER-37"})

    class _End(RunEnd):
        @where(lambda end, given: _in_a_provider(end.setting, given["thread"]))
        async def succeeded(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Take a key of the store for an id."""
            warnings.warn("conversation id and history provider are both set: the conflict is ignored", stacklevel=2)
            await super().succeeded(thread, new, outcome)

    parts = Parts(end=_End)


class SentinelIsAConflict(Mutant):
    """The made-up conversation id of per-service-call persistence is taken for the service's: a conflict is warned of."""

    breaks = "PER-37/warned"
    imitates = "https://github.com/microsoft/agent-framework/issues/4937"
    expected = frozenset({"PER-37"})

    class _Home(HistoryHome):
        @where(lambda home, given: given["id"] == SENTINEL and home.setting.spec.history == "provider" and given["thread"].trail)
        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Warn of any id."""
            warnings.warn("the service returned a conversation id although a history provider is configured", stacklevel=2)
            super().adopt(thread, id, adopted, local=local)

    parts = Parts(home=_Home)


class ConflictWarnedTwice(Mutant):
    """`warn` warns twice for one conflict."""

    breaks = "PER-33/repeated"
    imitates = "a check in the decorator and one at the end of the run"
    expected = frozenset({"PER-33"})

    class _Home(HistoryHome):
        def on_conflict(self, thread: Thread, id: str) -> None:
            """Warn once more."""
            if self.setting.spec.on_conflict.warn:
                warnings.warn("the service manages this conversation, and a history provider is configured", stacklevel=2)
            super().on_conflict(thread, id)

    parts = Parts(home=_Home)


class WarnedEveryRun(Mutant):
    """A provider that was cleared is warned about in every later run."""

    breaks = "PER-33/warned once detached"
    imitates = "a warning where the id is read instead of where the conflict is found"
    expected = frozenset({"PER-33"})

    class _Agent(Agent):
        @where(lambda _, given: given["thread"].detached)
        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Warn again."""
            warnings.warn("the service manages this conversation: the history provider is passed over", stacklevel=2)
            return await super().run(thread, turn, emit, stream=stream)

    agent_type = _Agent


class ThrownWithoutAWarning(Mutant):
    """`warn` does nothing where `throw` is set as well."""

    breaks = "PER-33/no warning"
    imitates = "switches that are read as one of three"
    expected = frozenset({"PER-33"})

    class _Home(HistoryHome):
        def on_conflict(self, thread: Thread, id: str) -> None:
            """Hush where it raises."""
            with warnings.catch_warnings():
                if self.setting.spec.on_conflict.throw:
                    warnings.simplefilter("ignore")
                super().on_conflict(thread, id)

    parts = Parts(home=_Home)


class WarnedUnasked(Mutant):
    """A conflict is warned about although `warn` is not set, where the provider is cleared."""

    breaks = "PER-33/unasked"
    imitates = "a switch that guards the raising alone"
    expected = frozenset({"PER-33"})

    class _Home(HistoryHome):
        def on_conflict(self, thread: Thread, id: str) -> None:
            """Warn of what is done."""
            super().on_conflict(thread, id)
            if thread.detached and not self.setting.spec.on_conflict.warn:
                warnings.warn(f"the history provider is cleared: the service returned conversation id {id!r}", stacklevel=2)

    parts = Parts(home=_Home)


class ProviderNotDetached(Mutant):
    """`clear` leaves the provider attached: later runs go on loading from it."""

    breaks = "PER-34/loaded"
    imitates = "https://github.com/microsoft/agent-framework/pull/7957"
    expected = frozenset({"PER-34"})

    class _Agent(Agent):
        @where(lambda _, given: given["thread"].detached)
        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            """Load, to no purpose, although the service manages the history."""
            await self.home.store(thread).load()
            return await super()._run(thread, new, emit, stream=stream, terms=terms)

    agent_type = _Agent


class DetachedProviderAppended(Mutant):
    """`clear` detaches the provider from loading: later runs go on appending to it."""

    breaks = "PER-34/appended"
    imitates = "https://github.com/microsoft/agent-framework/pull/7284"
    expected = frozenset({"PER-34"})

    class _End(RunEnd):
        @where(lambda _, given: given["thread"].detached)
        async def succeeded(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Append what is new."""
            persists = self.setting.decorates or not self.setting.spec.per_service_call
            if persists and vars(thread).get("cleared"):
                await self.home.store(thread).append([*new, *outcome.produced])
            vars(thread)["cleared"] = True
            await super().succeeded(thread, new, outcome)

    parts = Parts(end=_End)


class ClearedConversationNotContinued(Mutant):
    """`clear` detaches the provider, and the next run begins a new conversation: the id is forgotten."""

    breaks = "PER-34/no id"
    imitates = "https://github.com/microsoft/agent-framework/issues/4577"
    expected = frozenset({"PER-34"})

    class _Options(Options):
        @where(lambda _, given: given["thread"].detached and given["thread"].conversation_id)
        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Name no conversation."""
            terms = super().terms(thread, turn)
            return Terms(local=terms.local, store=terms.store)

    parts = Parts(options=_Options)
