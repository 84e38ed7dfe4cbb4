"""Faults that one run of a workflow leaves behind for the next one."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.reference.patterns import PATTERNS, Concurrent, Handoff, Managed
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import Response
from conformance.trace.messages import Message


class FailedRunsAnswersStay(Mutant):
    """What participants of a concurrent run said before another one failed comes in front of the next run's answer."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7859"
    expected = frozenset({"ORC-06", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28"})

    class _Concurrent(Concurrent):
        left: tuple[Message, ...] = ()

        async def gather(self, run: WorkflowRun, messages: Sequence[Message]) -> dict[str, Response]:
            """Keep what was said where one fails."""
            try:
                return await super().gather(run, messages)
            except Exception:
                self.left = (*self.left, *run.said)
                raise

        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Answer with what was kept, too."""
            left, self.left = self.left, ()
            super().complete(run, Response(messages=(*left, *(answer or Response()).messages)))

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class FirstInputAgain(Mutant):
    """The second run of a group chat or of Magentic sends its participants the input of the first."""

    imitates = "https://github.com/microsoft/agent-framework/issues/567"
    expected = frozenset({"ORC-28", "ORC-35"})

    class _Managed(Managed):
        first: Sequence[Message] | None = None

        async def begin(
            self, messages: Sequence[Message], *, stream: bool, history: Sequence[Message] = (), key: str | None = None
        ) -> WorkflowRun:
            """Begin with what it was given first."""
            self.first = messages if self.first is None else self.first
            return await super().begin(self.first, stream=stream, history=history, key=key)

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class DoneForEver(Mutant):
    """That a handoff is done is noted on the workflow and never reset: its second run works, but does not complete."""

    imitates = "https://github.com/microsoft/autogen/pull/4126"
    expected = frozenset({"ORC-01", "ORC-03", "ORC-04", "ORC-06", "ORC-15", "ORC-38"})

    class _Handoff(Handoff):
        done = False

        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Complete once and for all."""
            if not self.done:
                super().complete(run, answer)
            self.done = True

    patterns = {**PATTERNS, "handoff": _Handoff}
