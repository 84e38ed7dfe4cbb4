"""Orchestration, visibility: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.faulty_parts import everywhere, signed_by
from conformance.reference.patterns import PATTERNS, Concurrent, Course, Managed, Sequential
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import Nested, Work, WorkflowRun
from conformance.trace.exchange import Response
from conformance.trace.messages import Message


class IntermediatesAlwaysShown(Mutant):
    """Participants' responses are output although `intermediate_outputs` is off."""

    breaks = "ORC-20/output"
    imitates = "https://github.com/microsoft/agent-framework/issues/4580"
    expected = frozenset({"ORC-20", "ORC-23", "ORC-25", "ORC-28"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Show everything."""
                return await super().participant(name, messages, shown=True)

    patterns = everywhere(_Workflow, but={"handoff"})


class HiddenWorkStreamed(Mutant):
    """Streaming shows the chunks of every participant although `intermediate_outputs` is off."""

    breaks = "ORC-20/chunk"
    imitates = "a switch for outputs that nobody asked for chunks"
    expected = frozenset({"ORC-10", "ORC-20", "ORC-25"})

    class _Workflow(Workflow):
        def streams(self, participant: str) -> bool:
            """Show everybody's."""
            return True

    patterns = everywhere(_Workflow, but={"handoff"})


class IntermediateSignedByTheNext(Mutant):
    """In a sequence an intermediate response is signed by whoever speaks next."""

    breaks = "ORC-21/another author"
    imitates = "https://github.com/microsoft/agent-framework/pull/1427"
    expected = frozenset({"ORC-21", "ORC-25"})

    class _Sequential(Sequential):
        class run_type(WorkflowRun):
            """The faulty run."""

            def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
                """Sign for the next one."""
                names = self.workflow.spec.participants
                if executor in names[:-1]:
                    response = signed_by(response, names[names.index(executor) + 1])
                super().output(executor, response, completed=completed)

    patterns = {**PATTERNS, "sequential": _Sequential}


class _Showing(Nested):
    def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
        """Let through what does not complete."""
        if not completed:
            self.parent.output(executor, response)


class ChildShowsItself(Mutant):
    """What a child outputs as intermediate comes out of its parent, whatever the parent's `intermediate_outputs` says."""

    breaks = "ORC-20/output"
    imitates = "https://github.com/microsoft/autogen/issues/6123"
    expected = frozenset({"ORC-20", "ORC-23", "ORC-25", "ORC-44"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            def inside(self, workflow: Work) -> WorkflowRun:
                """Open the child's run."""
                return _Showing(self, workflow)

    patterns = everywhere(_Workflow)


class AnswerNotShown(Mutant):
    """With intermediate outputs on, a response that becomes part of a concurrent run's answer is not output as intermediate."""

    breaks = "ORC-21/missing"
    imitates = "the thought that it comes as the answer anyway"
    expected = frozenset({"ORC-21"})

    class _Concurrent(Concurrent):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Show what an aggregator makes the answer of."""
                aggregated = self.workflow.spec.aggregates is not None
                return await super().participant(name, messages, shown=shown and aggregated)

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class _FirstTurnsOnly(Managed):
    class run_type(WorkflowRun):
        """The faulty run."""

        def __init__(self, workflow: Workflow, *, stream: bool) -> None:
            super().__init__(workflow, stream=stream)
            self.shown: set[str] = set()

        async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
            """Show each name once."""
            again = name in self.shown
            self.shown.add(name)
            return await super().participant(name, messages, shown=shown and not again)


class SecondTurnHidden(Mutant):
    """In a group chat and in Magentic, who speaks again is not shown again."""

    breaks = "ORC-21/missing"
    imitates = "https://github.com/mastra-ai/mastra/issues/20163"
    expected = frozenset({"ORC-05", "ORC-21", "ORC-24", "ORC-25"})
    patterns = {**PATTERNS, "group_chat": _FirstTurnsOnly, "magentic": _FirstTurnsOnly}


class SwitchChangesTheInput(Mutant):
    """With intermediate outputs on, a sequential run sends the next participant the last response alone."""

    breaks = "ORC-22/other requests"
    imitates = "https://github.com/kyegomez/swarms/pull/2318"
    expected = frozenset({"ORC-22", "ORC-41"})

    class _Sequential(Sequential):
        class run_type(WorkflowRun):
            """The faulty run."""

            latest: Sequence[Message] = ()

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Send what was shown."""
                response = await super().participant(name, self.latest if shown and self.latest else messages, shown=shown)
                self.latest = response.messages
                return response

    patterns = {**PATTERNS, "sequential": _Sequential}


class _HeardTwice(Managed):
    async def round(self, run: WorkflowRun, course: Course, name: str) -> None:
        """Take what is shown for said once more."""
        before = len(course.conversation)
        await super().round(run, course, name)
        if self.spec.intermediate_outputs:
            course.conversation += course.conversation[before:]


class ShownIsHeardTwice(Mutant):
    """With intermediate outputs on, the others in a group chat or in Magentic hear each response twice."""

    breaks = "ORC-22/other requests"
    imitates = "an output that is also delivered as a message, see https://github.com/microsoft/agent-framework/pull/7217"
    expected = frozenset({"ORC-22", "ORC-41"})
    patterns = {**PATTERNS, "group_chat": _HeardTwice, "magentic": _HeardTwice}
