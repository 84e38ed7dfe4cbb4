"""Faults of the run-completed output: it is not there, comes again, too early or too late, or cannot be told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.everywhere import everywhere
from conformance.reference.patterns import PATTERNS, Handoff, Sequential
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import ChunkSeen, OutputSeen, Response, WorkflowSeen


class NothingCompletes(Mutant):
    """With intermediate outputs on, a sequential run ends without a run-completed output."""

    imitates = "an author-written end executor that forgets the flag"
    expected = frozenset({"ORC-01", "ORC-03", "ORC-04", "ORC-06", "ORC-09", "ORC-22", "ORC-38"})

    class _Sequential(Sequential):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Complete where the answer was not seen before."""
            if not self.spec.intermediate_outputs:
                super().complete(run, answer)

    patterns = {**PATTERNS, "sequential": _Sequential}


class CompletesTwice(Mutant):
    """A sequential run emits its run-completed output twice."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4580"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-04", "ORC-21", "ORC-23", "ORC-24", "ORC-29"})

    class _Sequential(Sequential):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Complete, and complete again."""
            super().complete(run, answer)
            super().complete(run, answer)

    patterns = {**PATTERNS, "sequential": _Sequential}


class OutputAfterTheCompletion(Mutant):
    """With intermediate outputs on, the answering participant's response is output after the completion."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4580"
    expected = frozenset({"ORC-02", "ORC-21"})

    class _Sequential(Sequential):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Output the answer once more."""
            super().complete(run, answer)
            if answer is not None and self.spec.intermediate_outputs:
                run.output(self.spec.participants[-1], answer)

    patterns = {**PATTERNS, "sequential": _Sequential}


class NoSignal(Mutant):
    """Nothing tells the run-completed output from other outputs: a consumer has to take the last one for it."""

    imitates = "https://github.com/google/adk-python/issues/412"
    expected = frozenset({"ORC-03", "ORC-24"})

    class _Sequential(Sequential):
        class run_type(WorkflowRun):
            """The faulty run."""

            def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
                """Mark nothing."""
                super().output(executor, response)

    patterns = {**PATTERNS, "sequential": _Sequential}

    def __init__(self, **policies: Any) -> None:
        super().__init__(**{**policies, "completion_signal": "none"})


class EveryResponseIsFinal(Mutant):
    """Every response in a handoff is output as run-completed, as if whoever answers were the last one."""

    imitates = "https://github.com/google/adk-python/issues/2778"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-04", "ORC-05", "ORC-10", "ORC-11", "ORC-15"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
                """Mark everything."""
                super().output(executor, response, completed=True)

    patterns = {**PATTERNS, "handoff": _Handoff}


class ChunksAreFinal(Mutant):
    """The chunks of an answer are marked as run-completed."""

    imitates = "https://github.com/microsoft/agent-framework/pull/5301"
    expected = frozenset({"ORC-03", "ORC-09"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def follow(self) -> AsyncGenerator[WorkflowSeen]:
                """Mark the chunks of whoever answers."""
                async with aclosing(super().follow()) as events:
                    async for event in events:
                        final = isinstance(event, ChunkSeen) and self.workflow.streams(event.executor or "")
                        yield msgspec.structs.replace(event, completed=True) if final else event

    patterns = everywhere(_Workflow, but={"handoff", "group_chat", "magentic", "custom"})


class LateChunk(Mutant):
    """The last chunk of an answer arrives after the run-completed output."""

    imitates = "https://github.com/logancyang/obsidian-copilot/pull/2561"
    expected = frozenset({"ORC-02"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def follow(self) -> AsyncGenerator[WorkflowSeen]:
                """Hold back the latest chunk."""
                held: Sequence[WorkflowSeen] = ()
                released: Sequence[WorkflowSeen]
                async with aclosing(super().follow()) as events:
                    async for event in events:
                        if isinstance(event, ChunkSeen):
                            released, held = held, (event,)
                        elif isinstance(event, OutputSeen) and event.completed:
                            released, held = (event, *held), ()
                        else:
                            released, held = (*held, event), ()
                        for each in released:
                            yield each

    patterns = everywhere(_Workflow, but={"handoff", "group_chat", "magentic", "custom"})
