"""Faults of runs that wait for someone's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.everywhere import everywhere
from conformance.reference.errors import Invalid
from conformance.reference.patterns import PATTERNS, Concurrent, Handoff
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import Answer, Response
from conformance.trace.messages import Message


class CompletesAtTheFirstIdle(Mutant):
    """A handoff that comes to rest with a pending request emits a run-completed output."""

    imitates = "idle taken for done"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-04", "ORC-05", "ORC-15"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            def suspended(self) -> None:
                """Complete with nothing."""
                self.output(self.workflow.name, Response(), completed=True)
                super().suspended()

    patterns = {**PATTERNS, "handoff": _Handoff}


class OneAnswerIsEnough(Mutant):
    """A concurrent run in which several participants wait completes after the first answer, without the others."""

    imitates = "https://github.com/mastra-ai/mastra/issues/6418"
    expected = frozenset({"ORC-04", "ORC-06", "ORC-27", "ORC-30"})

    class _Concurrent(Concurrent):
        class run_type(WorkflowRun):
            """The faulty run."""

            def __init__(self, workflow: Workflow, *, stream: bool) -> None:
                super().__init__(workflow, stream=stream)
                self.answered = False
                self.at_work: list[asyncio.Task[Response]] = []

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Answer with nothing where it is not waited for."""
                work = asyncio.ensure_future(super().participant(name, messages, shown=shown))
                self.at_work.append(work)
                await asyncio.wait([work])
                return Response() if work.cancelled() else work.result()

            def respond(self, answers: Sequence[Answer], *, stream: bool) -> None:
                """Note that somebody answered."""
                self.answered = True
                super().respond(answers, stream=stream)

            def suspended(self) -> None:
                """Wait once; then whoever still waits is not waited for."""
                if not self.answered:
                    super().suspended()
                for work in self.at_work if self.answered else ():
                    work.cancel()

            async def cancel(self) -> None:
                """End what works, too."""
                for work in self.at_work:
                    work.cancel()
                await super().cancel()

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class DroppedRequestBlocks(Mutant):
    """After a run whose request nobody answered, the next run of the workflow raises that requests are open."""

    imitates = "pending requests that are the workflow's, so that a new run is taken for an answer to them"
    expected = frozenset({"ORC-06"})

    class _Workflow(Workflow):
        async def begin(
            self, messages: Sequence[Message], *, stream: bool, history: Sequence[Message] = (), key: str | None = None
        ) -> WorkflowRun:
            """Begin only where nothing is open."""
            if any(len(run.waiting) for run in self.runs.values()):
                raise Invalid(f"requests of workflow {self.name!r} are open")
            return await super().begin(messages, stream=stream, history=history, key=key)

    patterns = everywhere(_Workflow)
