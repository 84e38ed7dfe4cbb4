"""Threads, continuation: faults that the rules of this section are the first to name."""

from __future__ import annotations

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import aside, pure
from conformance.reference.client import Emit, LeafClient
from conformance.reference.parts import Parts
from conformance.world.chat_service import Reply, ReplyChunk, Request


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
