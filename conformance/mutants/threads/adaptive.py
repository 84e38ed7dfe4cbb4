"""Threads, adaptive: faults that the rules of this section are the first to name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import pure, where
from conformance.reference.history_home import HistoryHome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.thread import Thread
from conformance.reference.thread_json import ThreadForm
from conformance.trace.messages import Message


class FailedRunFixesTheKind(Mutant):
    """An adaptive thread has its kind after its first run, also where that run failed or was cancelled."""

    breaks = "THR-18/fixed by a failure"
    imitates = "https://github.com/managoat/fountain/pull/1657"
    expected = frozenset({"THR-18", "THR-35", "PER-32"})

    class _End(RunEnd):
        @where(lambda _, given: given["thread"].kind == "adaptive")
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Settle it too early."""
            self.home.fix(thread, ())
            await super().failed(thread, new, error)

        @where(lambda _, given: given["thread"].kind == "adaptive")
        async def cancelled(self, thread: Thread, new: Sequence[Message], error: asyncio.CancelledError) -> None:
            """Settle it too early."""
            self.home.fix(thread, ())
            await super().cancelled(thread, new, error)

    parts = Parts(end=_End)


class AdaptiveKeepsTheFirstId(Mutant):
    """An adaptive thread becomes hosted with the first id of its first run, although every reply brought a new one."""

    breaks = "THR-18/another id"
    imitates = "a check for the kind that is made once, where the id first appears"
    expected = frozenset({"THR-07", "THR-10", "THR-18", "THR-35"})

    class _Home(HistoryHome):
        @where(lambda _, given: given["thread"].kind == "adaptive" and len(given["adopted"]) > 1)
        def fix(self, thread: Thread, adopted: Sequence[str]) -> None:
            """Take the first."""
            super().fix(thread, adopted[:1])

    parts = Parts(home=_Home)


class FixedKindFlips(Mutant):
    """An adaptive thread that became local becomes hosted when a later reply carries an id."""

    breaks = "THR-19/wrong kind"
    imitates = "a kind that is read from whichever field is filled"
    expected = frozenset({"THR-19", "THR-35"})

    class _Home(HistoryHome):
        @pure
        def stays_local(self, thread: Thread) -> bool:
            """Keep asking, where no other agent comes across the thread."""
            return super().stays_local(thread) and len(self.setting.world.scenario.agents) > 1

    parts = Parts(home=_Home)


class AdaptiveIsNoWord(Mutant):
    """An adaptive thread becomes the data of a local one."""

    breaks = "THR-20/wrong kind"
    imitates = "a serialized form that is older than the third kind"
    expected = frozenset({"THR-18", "THR-19", "THR-20", "THR-22", "THR-35"})

    class _Form(ThreadForm):
        """The faulty form."""

        def write(self, thread: Thread) -> dict[str, Any]:
            """Write one of two kinds."""
            data = super().write(thread)
            return {**data, "kind": "hosted" if data["kind"] == "hosted" else "local"}

    parts = Parts(form=_Form)
