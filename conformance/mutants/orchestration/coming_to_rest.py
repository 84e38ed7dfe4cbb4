"""Orchestration, coming to rest: faults that the rules of this section are the first to name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.reference.errors import ExecutorFailed
from conformance.reference.patterns import PATTERNS, Concurrent, Course, Custom, Managed
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import Response
from conformance.trace.messages import Message


class FailureLeavesTheOthersWaiting(Mutant):
    """Where one of several that work side by side fails, the run waits for ever for its response."""

    breaks = "ORC-50/deadlock"
    imitates = "https://github.com/microsoft/autogen/issues/7828"
    expected = frozenset({"ORC-50"})

    class _Concurrent(Concurrent):
        async def gather(self, run: WorkflowRun, messages: Sequence[Message]) -> dict[str, Response]:
            """Never give up."""
            try:
                return await super().gather(run, messages)
            except Exception:
                await asyncio.Event().wait()
                raise

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class UnknownPickIsWaitedFor(Mutant):
    """Where a manager picks somebody who does not take part, its run waits for ever until that one has spoken."""

    breaks = "ORC-50/deadlock"
    imitates = "https://github.com/microsoft/autogen/issues/5851"
    expected = frozenset({"ORC-50"})

    class _Managed(Managed):
        async def round(self, run: WorkflowRun, course: Course, name: str) -> None:
            """Wait for nobody."""
            if name not in self.participants:
                await asyncio.Event().wait()
            await super().round(run, course, name)

        def check(self, name: str) -> None:
            """Anybody may be picked."""

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class FailureEndsInSilence(Mutant):
    """An author-written workflow that shows nothing on its way ends where an executor fails, and nobody is told anything."""

    breaks = "ORC-50/empty-handed"
    imitates = "https://github.com/microsoft/autogen/issues/4904"
    expected = frozenset({"ORC-01", "ORC-05", "ORC-50"})

    class _Custom(Custom):
        async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
            """Log it, say."""
            try:
                return await super().answer(run, messages)
            except ExecutorFailed:
                if self.spec.intermediate_outputs:
                    raise
                return None

    patterns = {**PATTERNS, "custom": _Custom}
