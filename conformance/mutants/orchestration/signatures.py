"""Faults of who signs an answer."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.patterns import PATTERNS, Concurrent, Managed
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import OutputSeen, Response
from conformance.trace.messages import Message


class SignedByTheFirst(Mutant):
    """In a concurrent run everything that participants say is signed with the name of the first one, chunks too."""

    imitates = "a loop variable that is bound too early"
    expected = frozenset({"ORC-09", "ORC-11", "ORC-14", "ORC-19", "ORC-21", "ORC-23"})

    class _Concurrent(Concurrent):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def agent(self, name: str, agent: Agent, messages: Sequence[Message], *, chunks: bool) -> Response:
                """Run each as the first."""
                first = self.workflow.spec.participants[0]
                own = name in self.workflow.participants
                return await super().agent(first if own else name, agent, messages, chunks=chunks)

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class AnswersUnsigned(Mutant):
    """The manager's answer bears no author."""

    imitates = "a message that is made from a text alone"
    expected = frozenset({"ORC-11"})

    class _Managed(Managed):
        def conclude(self, run: WorkflowRun, conversation: Sequence[Message]) -> Response:
            """Leave the author out."""
            answer = super().conclude(run, conversation)
            return Response(messages=tuple(msgspec.structs.replace(message, author=None) for message in answer.messages))

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class EveryoneIsTheWorkflow(Mutant):
    """A workflow as an agent signs every message with its own name."""

    imitates = "authors that are lost on the way out"
    expected = frozenset({"ORC-23"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Sign with the workflow's name."""
            return tuple(msgspec.structs.replace(message, author=self.workflow.name) for message in super().messages(outputs))
