"""A client that begins a new conversation where its service has forgotten the old one: what is told and sent then may be faulty."""

from __future__ import annotations

import warnings
from typing import cast

import msgspec

from conformance.mutants.overrides import where
from conformance.reference.client import Client, Emit
from conformance.reference.history_home import HistoryHome
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread
from conformance.trace.messages import Message
from conformance.world.chat_service import Reply, Request
from conformance.world.errors import ServiceError


def forgets(setting: Setting) -> bool:
    """Whether a service forgets its conversations in some run."""
    return any(run.forgotten for run in setting.world.scenario.runs())


def is_forgotten(error: BaseException) -> bool:
    """Whether an error says that a service does not have a conversation."""
    return isinstance(error, ServiceError) and str(error).startswith("no conversation")


class BeginningAnew:
    """said: the whole conversation so far. remembers: whether a new one begins with it. warns: whether that is told."""

    def __init__(self, inner: Client, said: list[Message], *, remembers: bool, warns: bool) -> None:
        self._inner = inner
        self._said = said
        self._remembers = remembers
        self._warns = warns

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Send a request, once more where the conversation that it names is gone."""
        try:
            reply = await self._inner.complete(request, emit)
        except ServiceError as error:
            if not is_forgotten(error):
                raise
            if self._warns:
                warnings.warn(f"{error}: another one begins", stacklevel=2)
            earlier = self._said if self._remembers else ()
            anew = msgspec.structs.replace(request, messages=(*earlier, *request.messages), conversation_id=None)
            reply = await self._inner.complete(anew, emit)
        self._said += [*request.messages, reply.message]
        return reply


class AnewHome(HistoryHome):
    """Has such a client for each thread whose conversation it knows from its beginning."""

    remembers = True
    warns = True

    @where(lambda home, _: forgets(home.setting))
    def leaf(self, thread: Thread, *, local: bool) -> Client:
        """Note what is said on the thread."""
        leaf = super().leaf(thread, local=local)
        if thread.conversation_id is None:
            vars(thread).setdefault("said", [])
        said = cast("list[Message] | None", vars(thread).get("said"))
        return leaf if said is None else BeginningAnew(leaf, said, remembers=self.remembers, warns=self.warns)
