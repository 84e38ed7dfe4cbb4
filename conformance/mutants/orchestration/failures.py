"""Faults of runs that fail: nobody hears of it, or the run completes all the same."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.everywhere import everywhere
from conformance.reference.patterns import PATTERNS, Sequential
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import IdleSeen, OutputSeen, Pending, Response, WorkflowSeen
from conformance.trace.messages import Message


class FailureCompletes(Mutant):
    """Where a participant of a sequential run fails, the run completes with nothing, and nobody hears of the error."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7496"
    expected = frozenset({"ORC-05"})

    class _Sequential(Sequential):
        async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
            """Answer with nothing where it fails."""
            try:
                return await super().answer(run, messages)
            except Exception:
                return Response()

    patterns = {**PATTERNS, "sequential": _Sequential}


class FailureAndCompletion(Mutant):
    """A run that fails emits an empty run-completed output, and then its error; a concurrent one does not."""

    imitates = "https://github.com/agentscope-ai/agentscope-java/issues/2642"
    expected = frozenset({"ORC-05"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def follow(self) -> AsyncGenerator[WorkflowSeen]:
                """Complete on the way out."""
                try:
                    async with aclosing(super().follow()) as events:
                        async for event in events:
                            yield event
                except Exception:
                    yield OutputSeen(executor=self.workflow.name, completed=True)
                    raise

    patterns = everywhere(_Workflow, but={"concurrent"})


class ErrorSwallowed(Mutant):
    """Where a participant fails, the run is idle, with no run-completed output and no error; a concurrent one is not."""

    imitates = "https://github.com/microsoft/autogen/pull/5716"
    expected = frozenset({"ORC-01", "ORC-03", "ORC-05", "ORC-15"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def follow(self) -> AsyncGenerator[WorkflowSeen]:
                """Drop the error."""
                try:
                    async with aclosing(super().follow()) as events:
                        async for event in events:
                            yield event
                except Exception:
                    yield IdleSeen()

    patterns = everywhere(_Workflow, but={"concurrent"})


class FailureTakesOutputsBack(Mutant):
    """A run that fails drops what was output before the failure: it is held back until the run rests."""

    imitates = "https://github.com/openai/openai-agents-python/issues/719"
    expected = frozenset({"ORC-05"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def follow(self) -> AsyncGenerator[WorkflowSeen]:
                """Hold everything back."""
                held: list[WorkflowSeen] = []
                async with aclosing(super().follow()) as events:
                    async for event in events:
                        held.append(event)
                        if isinstance(event, (IdleSeen, Pending)):
                            for each in held:
                                yield each
                            held.clear()

    patterns = everywhere(_Workflow)
