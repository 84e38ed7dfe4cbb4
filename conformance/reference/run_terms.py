"""The terms of a run: what its options mean for its thread, settled before any effect."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import msgspec

from conformance.reference.errors import Conflict, Invalid, Unsupported
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread
from conformance.reference.threads import Threads
from conformance.trace.exchange import Turn


@dataclass(frozen=True)
class Terms:
    """How a run goes about its thread.

    local: history is kept on this side, as far as anybody knows yet. store: what every request says of storing. conversation_id:
    what the first request names. A local thread whose run is not local becomes a hosted one: its whole history goes with it.
    """

    local: bool
    store: bool | None
    conversation_id: str | None = None


class Options:
    """Checks the options of a run against its thread and the declared policies."""

    def __init__(self, setting: Setting, threads: Threads) -> None:
        self.setting = setting
        self.threads = threads

    def terms(self, thread: Thread, turn: Turn) -> Terms:
        """Raises Conflict, Unsupported or Invalid where the run cannot be."""
        self.check_waiting(thread)
        self.check_service(thread)
        if thread.kind == "adaptive":
            return Terms(local=turn.conversation_id is None, store=turn.store, conversation_id=turn.conversation_id)
        if turn.conversation_id is not None:
            turn = self.check_conversation_id(thread, turn)
        moves = self.check_store(thread, turn) or turn.conversation_id is not None
        local = thread.kind == "local" and not moves
        return Terms(
            local=local,
            store=self.store_option(local=local),
            conversation_id=turn.conversation_id or thread.conversation_id,
        )

    def check_waiting(self, thread: Thread) -> None:
        """Raise Invalid for new input while calls wait: the service must not see a call without its result."""
        if thread.waiting:
            raise Invalid("calls wait for approval on this thread: answer them first")

    def check_service(self, thread: Thread) -> None:
        """Raise Unsupported for a hosted thread that this agent's service cannot go on with."""
        if thread.kind != "hosted":
            return
        if thread.service != self.setting.service.agent:
            raise Unsupported(
                f"the chat client of {self.setting.name!r} cannot go on with a hosted thread whose conversation the service of "
                f"{thread.service!r} keeps"
            )
        self.threads.check_supported()

    def check_conversation_id(self, thread: Thread, turn: Turn) -> Turn:
        """Compare the option with the thread; the turn keeps it only where the thread is to become hosted under it."""
        without = msgspec.structs.replace(turn, conversation_id=None)
        if thread.kind == "hosted":
            if turn.conversation_id != thread.conversation_id:
                raise Conflict(f"the run names conversation {turn.conversation_id!r}, its thread {thread.conversation_id!r}")
            return without
        if self.setting.policies.store_conflict == "ignore":
            warnings.warn("the thread is local: the option conversation_id is ignored", stacklevel=2)
            return without
        if self.setting.policies.store_conflict == "transform" and turn.store is not False:
            self.threads.check_supported()
            return turn
        raise Conflict(f"the run names conversation {turn.conversation_id!r}, but its thread is local")

    def check_store(self, thread: Thread, turn: Turn) -> bool:
        """Compare the option `store` with the thread; whether this run turns a local thread into a hosted one."""
        if turn.store is None or turn.store == (thread.kind == "hosted"):
            return False
        policy = self.store_policy(thread)
        if policy == "ignore":
            warnings.warn(f"the thread is {thread.kind}: the option store={turn.store} is ignored", stacklevel=2)
            return False
        if policy == "transform" and thread.kind == "local":
            self.threads.check_supported()
            return True
        raise Conflict(f"store={turn.store} contradicts the thread, which is {thread.kind}")

    def store_policy(self, thread: Thread) -> str | None:
        """What a contradicting `store` leads to: for hosted threads it may be declared apart."""
        apart = self.setting.policies.store_conflict_hosted if thread.kind == "hosted" else None
        return apart or self.setting.policies.store_conflict

    def store_option(self, *, local: bool) -> bool | None:
        """What every request of a run says of storing: always explicitly, since clients differ in their default."""
        return not local
