"""Threads, continuation: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import aside, pure, where
from conformance.mutants.threads.beginning_anew import AnewHome, forgets, is_forgotten
from conformance.reference.client import Client, Emit, LeafClient
from conformance.reference.history_home import HistoryHome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.thread import Thread
from conformance.trace.messages import Message
from conformance.world.chat_service import Reply, ReplyChunk, Request
from conformance.world.errors import ServiceError


class ProvisionalIdKept(Mutant):
    """Of a stream the first conversation id counts, whatever a later chunk names."""

    breaks = "THR-41/provisional kept"
    imitates = "a client that takes the id of the event with which a response begins"
    expected = frozenset({"THR-07", "THR-41"})

    class _Leaf(LeafClient):
        @pure
        def named(self, before: str | None, chunk: ReplyChunk) -> str | None:
            """Never look again."""
            return before or chunk.conversation_id

    parts = Parts(leaf=_Leaf)


class IdReadBesideTextOnly(Mutant):
    """Of a stream only chunks with text in them are read, so that an id in another one is missed, which ends the run."""

    breaks = "THR-41/refused"
    imitates = "a client that skips events without content"
    expected = frozenset({"THR-03", "THR-06", "THR-07", "THR-09", "THR-18", "THR-19", "THR-41"})

    class _Leaf(LeafClient):
        @pure
        def named(self, before: str | None, chunk: ReplyChunk) -> str | None:
            """Skip what says nothing."""
            return super().named(before, chunk) if chunk.text or chunk.call else before

    parts = Parts(leaf=_Leaf)


class StreamsLastChunkCounts(Mutant):
    """After a stream whose last chunk names no conversation, a thread goes on under the id that it had before."""

    breaks = "THR-41/missed"
    imitates = "a response that takes each field from the chunk that came last"
    expected = frozenset({"THR-07", "THR-10", "THR-41"})

    class _Leaf(LeafClient):
        @aside
        async def complete(self, request: Request, emit: Emit) -> Reply:
            vars(self)["sent"] = request.conversation_id
            return await super().complete(request, emit)

        @pure
        def named(self, before: str | None, chunk: ReplyChunk) -> str | None:
            """Forget what chunks before named, and remember the request."""
            return chunk.conversation_id or (vars(self).get("sent") if before else None)

    parts = Parts(leaf=_Leaf)


class BegunAnewAlone(Mutant):
    """Where the service has forgotten the conversation, a new one begins with the new input alone, and a warning."""

    breaks = "THR-42/history lost"
    imitates = "a client that drops a previous response id which the service refuses, and tries again"
    expected = frozenset({"THR-10", "THR-42", "PER-46", "PER-54"})

    class _Home(AnewHome):
        remembers = False

    parts = Parts(home=_Home)


class BegunAnewUntold(Mutant):
    """Where the service has forgotten the conversation, a new one begins with the whole old one, and nobody is told."""

    breaks = "THR-42/not one warning"
    imitates = "a fallback that logs what it does at a level that nobody sees"
    expected = frozenset({"THR-42"})

    class _Home(AnewHome):
        warns = False

    parts = Parts(home=_Home)


class ForgottenConversationAnswersNothing(Mutant):
    """Where the service has forgotten the conversation, the run succeeds with an empty answer."""

    breaks = "THR-42/no error"
    imitates = "a client that takes an error of the service for an empty reply"
    expected = frozenset({"THR-09", "THR-42"})

    class _Home(HistoryHome):
        @where(lambda home, _: forgets(home.setting))
        def leaf(self, thread: Thread, *, local: bool) -> Client:
            """Hear no refusal."""
            return _Hopeful(super().leaf(thread, local=local))

    parts = Parts(home=_Home)


class _Hopeful:
    def __init__(self, inner: Client) -> None:
        self._inner = inner

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Answer with nothing where the conversation is gone."""
        try:
            return await self._inner.complete(request, emit)
        except ServiceError as error:
            if not is_forgotten(error):
                raise
            return Reply(message=Message(role="assistant"), conversation_id=request.conversation_id)


class ForgottenConversationCrashes(Mutant):
    """Where the service has forgotten the conversation, the caller gets an error of no kind that it knows."""

    breaks = "THR-42/another error"
    imitates = "a client that looks for the conversation in what the service did not send"
    expected = frozenset({"THR-42"})

    class _End(RunEnd):
        @where(lambda _, given: is_forgotten(given["error"]))
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Stumble over it."""
            await super().failed(thread, new, error)
            raise LookupError(str(error)) from None

    parts = Parts(end=_End)


class ForgottenConversationUnnamed(Mutant):
    """Where the service has forgotten the conversation, the error does not say which one."""

    breaks = "THR-42/unnamed"
    imitates = "one text for whatever a service refuses"
    expected = frozenset({"THR-42"})

    class _End(RunEnd):
        @where(lambda _, given: is_forgotten(given["error"]))
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Say less than the service did."""
            await super().failed(thread, new, error)
            raise ServiceError("the service failed") from None

    parts = Parts(end=_End)


class IdOfAForgottenConversationDropped(Mutant):
    """Where the service has forgotten the conversation, the thread loses its id, so that the next run begins anew unasked."""

    breaks = "THR-42/id lost"
    imitates = "a session that is cleared whenever its conversation is not found"
    expected = frozenset({"THR-10", "THR-19", "THR-42", "PER-29"})

    class _End(RunEnd):
        @where(lambda _, given: is_forgotten(given["error"]))
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Clear it."""
            thread.conversation_id = None
            await super().failed(thread, new, error)

    parts = Parts(end=_End)
