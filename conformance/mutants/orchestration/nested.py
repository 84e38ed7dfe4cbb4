"""Faults of workflows in workflows: what leaves a child, what reaches it, and what two of them share."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.direct import Direct
from conformance.mutants.orchestration.everywhere import everywhere
from conformance.reference.patterns import PATTERNS, Custom, Sequential
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import Nested, Work, WorkflowRun
from conformance.trace.exchange import Response
from conformance.trace.messages import Message


class _Completing(Nested):
    def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
        """Let the flag through."""
        if completed:
            self.parent.output(executor, response, completed=True)


class ChildCompletesTheParent(Mutant):
    """What completes the one child of an author-written workflow goes out as the parent's completion; the parent completes too."""

    imitates = "https://github.com/run-llama/create-llama/pull/319"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-04", "ORC-12", "ORC-29"})

    class _Custom(Direct, Custom):
        class run_type(WorkflowRun):
            """The faulty run."""

            def inside(self, workflow: Work) -> WorkflowRun:
                """Open the child's run."""
                parent = self.workflow
                only = sum(isinstance(each, Workflow) for each in parent.participants.values()) == 1
                direct = isinstance(parent, Direct) and parent.direct
                return _Completing(self, workflow) if only and direct else super().inside(workflow)

    patterns = {**PATTERNS, "custom": _Custom}


class ChildAnswersTwice(Mutant):
    """In a sequential run, whoever comes after a child gets its answer twice."""

    imitates = "an answer that is sent both as the child's output and as its message"
    expected = frozenset({"ORC-29"})

    class _Sequential(Sequential):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def child(self, workflow: Work, messages: Sequence[Message]) -> Response:
                """Say it again, unless it is the answer."""
                response = await super().child(workflow, messages)
                last = workflow.name == self.workflow.spec.participants[-1]
                return response if last else Response(messages=response.messages * 2)

    patterns = {**PATTERNS, "sequential": _Sequential}


class ChildAnswersNobody(Mutant):
    """In a sequential run, whoever comes after a child gets nothing of it."""

    imitates = "https://github.com/mofa-org/mofa/issues/200"
    expected = frozenset({"ORC-29"})

    class _Sequential(Sequential):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def child(self, workflow: Work, messages: Sequence[Message]) -> Response:
                """Drop it, unless it is the answer."""
                response = await super().child(workflow, messages)
                return response if workflow.name == self.workflow.spec.participants[-1] else Response()

    patterns = {**PATTERNS, "sequential": _Sequential}


class _Showing(Nested):
    def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
        """Let through what does not complete."""
        if not completed:
            self.parent.output(executor, response)


class ChildShowsItself(Mutant):
    """What a child outputs as intermediate comes out of its parent, whatever the parent's `intermediate_outputs` says."""

    imitates = "https://github.com/microsoft/autogen/issues/6123"
    expected = frozenset({"ORC-20", "ORC-23", "ORC-25"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            def inside(self, workflow: Work) -> WorkflowRun:
                """Open the child's run."""
                return _Showing(self, workflow)

    patterns = everywhere(_Workflow)


class ChildrenShareAConversation(Mutant):
    """In a sequential run two children of one pattern share a conversation: the second one is sent what was said in the first."""

    imitates = "https://github.com/langchain-ai/langgraph/issues/6727"
    expected = frozenset({"ORC-29", "ORC-31"})

    class _Sequential(Sequential):
        class run_type(WorkflowRun):
            """The faulty run."""

            def __init__(self, workflow: Workflow, *, stream: bool) -> None:
                super().__init__(workflow, stream=stream)
                self.opened: list[WorkflowRun] = []

            def inside(self, workflow: Work) -> WorkflowRun:
                """Remember the child's run."""
                self.opened.append(super().inside(workflow))
                return self.opened[-1]

            async def child(self, workflow: Work, messages: Sequence[Message]) -> Response:
                """Go on with what was said in the others."""
                others = [run for run in self.opened if run.workflow.spec.pattern == workflow.spec.pattern]
                known = [message for run in others for message in run.said]
                return await super().child(workflow, [*messages, *known])

    patterns = {**PATTERNS, "sequential": _Sequential}
