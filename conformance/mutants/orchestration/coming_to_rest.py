"""Orchestration, coming to rest: faults that the rules of this section are the first to name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import cast

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.faulty_parts import everywhere
from conformance.mutants.overrides import aside
from conformance.reference.errors import ExecutorFailed
from conformance.reference.patterns import PATTERNS, Concurrent, Course, Custom, Managed
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import Work, WorkflowRun
from conformance.trace.exchange import Answer, FailedSeen, IdleSeen, OutputSeen, Response, WorkflowSeen
from conformance.trace.messages import Message
from conformance.vocabulary import Pattern

# --- how a run rests (ORC-43) ---


def resting(run: type[WorkflowRun]) -> Mapping[Pattern, type[Workflow]]:
    """Every pattern, with runs of a faulty kind."""
    return everywhere(cast("type[Workflow]", type("_Resting", (Workflow,), {"run_type": run})))


class _Run(WorkflowRun):
    """A run that tells of its rests otherwise. answered: how many of its requests were."""

    @aside
    def __init__(self, workflow: Work, *, stream: bool) -> None:
        super().__init__(workflow, stream=stream)
        self.answered = 0

    @aside
    def respond(self, answers: Sequence[Answer], *, stream: bool) -> None:
        """Count the answers."""
        super().respond(answers, stream=stream)
        self.answered += len(answers)

    async def follow(self) -> AsyncGenerator[WorkflowSeen]:
        """Replace what it says of itself."""
        async with aclosing(super().follow()) as events:
            async for event in events:
                for each in self.instead(event):
                    yield each

    def instead(self, event: WorkflowSeen) -> Sequence[WorkflowSeen]:
        """What a consumer sees instead of an event."""
        return (event,)


class NothingIsSaidWhereItWaits(Mutant):
    """A run that waits asks, and says nothing of its rest, until it was answered once."""

    breaks = "ORC-43/not said"
    imitates = "https://github.com/Ataraxy-Labs/opensessions/issues/4"
    expected = frozenset({"ORC-43"})

    class _Silent(_Run):
        def instead(self, event: WorkflowSeen) -> Sequence[WorkflowSeen]:
            """Rest in silence at first."""
            return () if isinstance(event, IdleSeen) and event.pending and not self.answered else (event,)

    patterns = resting(_Silent)


class NothingIsSaidOfAFailure(Mutant):
    """A streamed run that fails raises, and its status stays what it was."""

    breaks = "ORC-43/not said"
    imitates = "https://github.com/mastra-ai/mastra/pull/10555"
    expected = frozenset({"ORC-43"})

    class _Silent(_Run):
        def instead(self, event: WorkflowSeen) -> Sequence[WorkflowSeen]:
            """Leave the failure out."""
            return () if isinstance(event, FailedSeen) and self.stream else (event,)

    patterns = resting(_Silent)


class IdleWhereItWaits(Mutant):
    """A run that waits asks, and calls itself idle, without requests."""

    breaks = "ORC-43/idle while it waits"
    imitates = "https://github.com/1024XEngineer/CialloClaw/issues/499"
    expected = frozenset({"ORC-04", "ORC-43"})

    class _Idle(_Run):
        def instead(self, event: WorkflowSeen) -> Sequence[WorkflowSeen]:
            """Forget the requests."""
            return (IdleSeen(),) if isinstance(event, IdleSeen) else (event,)

    patterns = resting(_Idle)


class WaitsAfterTheLastAnswer(Mutant):
    """A run that completes after somebody answered still says that a request is pending."""

    breaks = "ORC-43/waiting for nothing"
    imitates = "https://github.com/langgenius/dify/issues/42103"
    expected = frozenset({"ORC-43"})

    class _Waiting(_Run):
        def instead(self, event: WorkflowSeen) -> Sequence[WorkflowSeen]:
            """Count the last one as open."""
            over = isinstance(event, IdleSeen) and not event.pending and self.answered
            return (IdleSeen(pending=1),) if over else (event,)

    patterns = resting(_Waiting)


class AnsweredRequestsAreCounted(Mutant):
    """Where one of several requests was answered, the number of pending ones still holds it."""

    breaks = "ORC-43/another number"
    imitates = "a counter that goes up with each request, and never down"
    expected = frozenset({"ORC-43"})

    class _Counting(_Run):
        def instead(self, event: WorkflowSeen) -> Sequence[WorkflowSeen]:
            """Count all that it ever asked."""
            waits = isinstance(event, IdleSeen) and event.pending
            return (IdleSeen(pending=len(self.waiting) + self.answered),) if waits else (event,)

    patterns = resting(_Counting)


class IdleAfterAFailure(Mutant):
    """A run that fails raises, and calls itself idle."""

    breaks = "ORC-43/idle after a failure"
    imitates = "https://github.com/cdapio/cdap/pull/6408"
    expected = frozenset({"ORC-43"})

    class _Idle(_Run):
        def instead(self, event: WorkflowSeen) -> Sequence[WorkflowSeen]:
            """Rest as after any run."""
            return (IdleSeen(),) if isinstance(event, FailedSeen) else (event,)

    patterns = resting(_Idle)


class FailedForEver(Mutant):
    """Once a run of a workflow failed, each later one that completes is called failed too."""

    breaks = "ORC-43/failed without a failure"
    imitates = "a status that is kept on the workflow, and never set anew"
    expected = frozenset({"ORC-43"})

    class _Failed(_Run):
        def instead(self, event: WorkflowSeen) -> Sequence[WorkflowSeen]:
            """Note the first failure; from then on say it again."""
            state = vars(self.workflow)
            state["failed"] = state.get("failed", False) or isinstance(event, FailedSeen)
            over = isinstance(event, IdleSeen) and not event.pending and state["failed"]
            return (FailedSeen(),) if over else (event,)

    patterns = resting(_Failed)


class IdleTwice(Mutant):
    """A run that completes says twice that it is idle."""

    breaks = "ORC-43/said twice"
    imitates = "https://github.com/Intelligent-Internet/opencode-a2a/issues/453"
    expected = frozenset({"ORC-43"})

    class _Twice(_Run):
        def instead(self, event: WorkflowSeen) -> Sequence[WorkflowSeen]:
            """Say it again."""
            return (event, event) if isinstance(event, IdleSeen) and not event.pending else (event,)

    patterns = resting(_Twice)


class IdleBeforeItsAnswer(Mutant):
    """A run says that it is idle, and then outputs its answer."""

    breaks = "ORC-43/said early"
    imitates = "https://github.com/herdrdev/herdr/issues/490"
    expected = frozenset({"ORC-43"})

    class _Early(_Run):
        early = False

        def instead(self, event: WorkflowSeen) -> Sequence[WorkflowSeen]:
            """Say it in front of the answer, and not after it."""
            if isinstance(event, OutputSeen) and event.completed:
                self.early = True
                return IdleSeen(), event
            return () if isinstance(event, IdleSeen) and self.early else (event,)

    patterns = resting(_Early)


# --- whether it comes back (ORC-50) ---


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
    expected = frozenset({"ORC-01", "ORC-05", "ORC-41", "ORC-43", "ORC-50"})

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
