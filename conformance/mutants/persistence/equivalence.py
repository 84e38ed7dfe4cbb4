"""Persistence, equivalence: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import where
from conformance.mutants.persistence.ordinary_runs import ENDING
from conformance.reference.loop import Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.thread import Thread
from conformance.trace.messages import Message


class EmptyAnswerStored(Mutant):
    """Per-service-call persistence ends a terminated run with an empty reply of the assistant's."""

    breaks = "PER-17/foreign"
    imitates = "https://github.com/microsoft/semantic-kernel/issues/6064"
    expected = frozenset({"PER-02", "PER-14", "PER-17"})

    class _End(RunEnd):
        @where(lambda end, given: given["outcome"].terminated and given["thread"].kind == "local" and ENDING(end, given))
        async def succeeded(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Append what nobody said."""
            await self.home.store(thread).append([Message(role="assistant")])
            await super().succeeded(thread, new, outcome)

    parts = Parts(end=_End)
