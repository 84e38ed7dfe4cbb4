"""Faults of what is left behind when a consumer leaves a workflow's stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.everywhere import everywhere
from conformance.reference.patterns import PATTERNS, Managed
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import IdleSeen, OutputSeen, Turn, WorkflowSeen


class _Leaving(Workflow):
    """A workflow that remembers that a consumer left its stream."""

    left = False

    async def start(self, turn: Turn, *, stream: bool) -> AsyncGenerator[WorkflowSeen]:
        """Note it when that happens."""
        async with aclosing(super().start(turn, stream=stream)) as events:
            try:
                async for event in events:
                    yield event
            except GeneratorExit:
                self.left = True
                raise


class AbandonedIsBusyForEver(Mutant):
    """A sequential or concurrent workflow whose stream was abandoned stays busy: later runs end with no output and no error."""

    imitates = "https://github.com/run-llama/llama-agents/pull/199"
    expected = frozenset({"ORC-01", "ORC-09", "ORC-38"})

    class _Workflow(_Leaving):
        async def start(self, turn: Turn, *, stream: bool) -> AsyncGenerator[WorkflowSeen]:
            """Come to rest."""
            if self.left:
                yield IdleSeen()
                return
            async with aclosing(super().start(turn, stream=stream)) as events:
                async for event in events:
                    yield event

    patterns = everywhere(_Workflow, but={"handoff", "group_chat", "magentic", "custom"})


class LateCleanup(Mutant):
    """What an abandoned sequential or concurrent run leaves to be cleaned up ends the next run: that one does not complete."""

    imitates = "https://github.com/microsoft/agent-framework/pull/6407"
    expected = frozenset({"ORC-01", "ORC-03", "ORC-09", "ORC-38"})

    class _Workflow(_Leaving):
        async def start(self, turn: Turn, *, stream: bool) -> AsyncGenerator[WorkflowSeen]:
            """Clean up when the run is about to complete."""
            late, self.left = self.left, False
            async with aclosing(super().start(turn, stream=stream)) as events:
                async for event in events:
                    if not (late and isinstance(event, OutputSeen) and event.completed):
                        yield event

    patterns = everywhere(_Workflow, but={"handoff", "group_chat", "magentic", "custom"})


class _Lasting(Managed):
    late: WorkflowSeen | None = None

    async def start(self, turn: Turn, *, stream: bool) -> AsyncGenerator[WorkflowSeen]:
        """Begin with what came late."""
        if self.late is not None:
            late, self.late = self.late, None
            yield late
        async with aclosing(super().start(turn, stream=stream)) as events:
            async for event in events:
                yield event

    class run_type(WorkflowRun):
        """The faulty run."""

        async def follow(self) -> AsyncGenerator[WorkflowSeen]:
            """Go on without a consumer when that one leaves."""
            left = False
            while (event := await self.events.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                if left and isinstance(event, OutputSeen) and event.completed and isinstance(self.workflow, _Lasting):
                    self.workflow.late = event
                try:
                    if not left:
                        yield event
                except GeneratorExit:
                    left = True
                self.events.task_done()
            self.events.task_done()


class AbandonedGoesOn(Mutant):
    """A group chat or Magentic run whose stream was abandoned goes on, and what completes it comes out of the next run."""

    imitates = "https://github.com/google/adk-python/pull/6564"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-16", "ORC-17", "ORC-21", "ORC-38"})
    patterns = {**PATTERNS, "group_chat": _Lasting, "magentic": _Lasting}
