"""Where a turn is kept: in exactly one home, which a conversation id in a reply may change."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from conformance.reference.client import SENTINEL, Client, DeafClient, LeafClient, PersistingClient, closed, with_adds
from conformance.reference.errors import Conflict, NoConversation
from conformance.reference.history_stores import ProviderStore, ScatteredStore, Store, ThreadStore, reduced
from conformance.reference.loop import Outcome
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread
from conformance.trace.messages import Message


class HistoryHome:
    """Loads, appends, and heeds conversation ids. leaf, decorator: the clients of the stack that it builds for each run."""

    def __init__(self, setting: Setting, leaf: type[LeafClient], decorator: type[PersistingClient]) -> None:
        self.setting = setting
        self._leaf = leaf
        self._decorator = decorator

    def store(self, thread: Thread) -> Store:
        """Where the thread's local history is, and where this agent appends to it."""
        place = self.setting.name if self.setting.spec.history == "provider" else None
        own = self.store_in(place, thread)
        places = {each.place for each in thread.trail} - {place}
        if not places:
            return own
        return ScatteredStore(thread, own, {place: own, **{other: self.store_in(other, thread) for other in places}})

    def store_in(self, place: str | None, thread: Thread) -> Store:
        """The store in one place. Providers are there for every agent: a thread that moves finds its history again."""
        return ThreadStore(thread) if place is None else ProviderStore(self.setting.world.history(place), thread, place)

    def reduce(self, history: Sequence[Message], new: Sequence[Message]) -> Sequence[Message]:
        """What is sent of a local thread's history; the results that open calls get count too."""
        most = self.setting.spec.reduces_to
        return history if most is None else reduced(closed(history, new), new, most)

    def leaf(self, thread: Thread, *, local: bool) -> Client:
        """The client at the bottom of the stack."""
        leaf = self._leaf(self.setting.service)
        return DeafClient(leaf, lambda id: self.ignore_id(thread, id)) if local and self.stays_local(thread) else leaf

    def stays_local(self, thread: Thread) -> bool:
        """Whether no conversation id makes this thread hosted any more."""
        return thread.fixed and thread.kind == "local"

    def client(self, thread: Thread, store: Store, adds: Sequence[Message], adopted: list[str], *, local: bool) -> Client:
        """The client stack of one run."""
        leaf = self.leaf(thread, local=local)
        if not (self.setting.decorates and local):
            return leaf
        return self._decorator(
            leaf,
            store,
            adds,
            lambda id: self.adopt(thread, id, adopted, local=local),
            reduce=self.reduce,
            keeps_adds=self.keeps_adds(),
            copies=lambda: self.copies(thread),
        )

    def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
        """A reply carried this conversation id.

        Raises Conflict where a history provider is configured and the switches say so, NoConversation where the service was asked
        to keep the conversation, or began to, and named none: going on would silently lose it.
        """
        if id is None and (adopted or not local):
            raise NoConversation(f"the service of {self.setting.name!r} was asked to keep the conversation and returned no id")
        if id is None or id == SENTINEL:
            return
        if local and not adopted and self.setting.spec.history == "provider":
            self.on_conflict(thread, id)
        adopted.append(id)
        if self.setting.spec.per_service_call and thread.kind != "adaptive":  # a first run that fails after this fixes no kind
            self.become_hosted(thread, id)

    def ignore_id(self, thread: Thread, id: str) -> None:
        """The service returned an id, but this thread stays local. With a history provider that is a conflict all the same."""
        if self.setting.spec.history == "provider":
            self.on_conflict(thread, id)

    def on_conflict(self, thread: Thread, id: str) -> None:
        """The service returned an id although a history provider is configured: throw, warn, clear."""
        switches = self.setting.spec.on_conflict
        text = f"the service returned conversation id {id!r} although a history provider is configured for {self.setting.name!r}"
        if switches.warn:
            warnings.warn(text, stacklevel=2)
        if switches.throw:
            raise Conflict(text)
        if switches.clear and not self.stays_local(thread):
            thread.detached = True

    def become_hosted(self, thread: Thread, id: str) -> None:
        """From now on the service keeps the conversation, under this id."""
        thread.kind = "hosted"
        thread.conversation_id = id
        thread.service = self.setting.service.agent

    def fix(self, thread: Thread, adopted: Sequence[str]) -> None:
        """Settle what the thread is, once the turn is kept: the latest id counts, and an adaptive thread has its kind."""
        thread.fixed = thread.fixed or thread.kind == "adaptive"
        if adopted:
            self.become_hosted(thread, adopted[-1])
        elif thread.kind == "adaptive":
            thread.kind = "local"

    def with_stored_adds(self, adds: Sequence[Message], new: Sequence[Message]) -> Sequence[Message]:
        """What is new, as it is stored: with what context providers injected where that is stored."""
        return with_adds(adds, new) if self.keeps_adds() else new

    async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
        """Keep a turn, once the loop is over: give it its home where nobody did so yet, or the provider its copy."""
        if local and not outcome.adopted:
            if not self.setting.spec.per_service_call:
                await self.persist(store, new, outcome)
        elif self.copies(thread) and not (self.setting.decorates and local):
            await self.copy(store, new, outcome)

    async def keep_so_far(self, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
        """Keep what the loop came to so far: nothing before its end."""

    def keeps_adds(self) -> bool:
        """Whether what context providers injected is stored."""
        return self.setting.policies.injected_messages == "stored"

    def copies(self, thread: Thread) -> bool:
        """Whether the history provider receives a copy of what is new while the service keeps the conversation."""
        ours = self.setting.decorates or not self.setting.spec.per_service_call
        return (
            ours
            and self.setting.policies.provider_copy == "written"
            and self.setting.spec.history == "provider"
            and not thread.detached
        )

    async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
        """Per-run persistence: one append, when the whole run has succeeded."""
        produced = outcome.produced
        if outcome.terminated and self.setting.policies.trailing_result == "trimmed":
            produced = produced[:-1]
        await store.append([*new, *produced])

    async def copy(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
        """A copy of what the service has: a trailing result is not in it, and comes with the run that sends it."""
        await self.persist(store, new, Outcome(outcome.produced[:-1]) if outcome.terminated else outcome)


class IncrementalHome(HistoryHome):
    """Appends in steps of its own: a reply with the input that it answers, the results of its calls, the next reply."""

    async def keep_so_far(self, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
        """Keep it at once, unless the service does."""
        if local:
            await self.persist(store, new, outcome)

    async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
        """Append what is not there yet."""
        begun, outcome.kept = outcome.kept, len(outcome.produced)
        if outcome.produced[begun:]:
            await store.append([*(() if begun else new), *outcome.produced[begun:]])
