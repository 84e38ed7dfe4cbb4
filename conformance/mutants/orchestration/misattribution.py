"""Faults of who signs what: a message bears the name of somebody who did not say it."""

from __future__ import annotations

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.reference.patterns import PATTERNS, Handoff, Managed, Sequential
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import Response


def _signed(response: Response, name: str) -> Response:
    """The response with another name under it and its messages."""
    return Response(messages=tuple(msgspec.structs.replace(each, author=name) for each in response.messages), author=name)


class IntermediateSignedByTheNext(Mutant):
    """In a sequence an intermediate response is signed by whoever speaks next."""

    imitates = "https://github.com/microsoft/agent-framework/pull/1427"
    expected = frozenset({"ORC-21", "ORC-25"})

    class _Sequential(Sequential):
        class run_type(WorkflowRun):
            """The faulty run."""

            def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
                """Sign for the next one."""
                names = self.workflow.spec.participants
                if executor in names[:-1]:
                    response = _signed(response, names[names.index(executor) + 1])
                super().output(executor, response, completed=completed)

    patterns = {**PATTERNS, "sequential": _Sequential}


class HandoffSignedByTheFirst(Mutant):
    """In a handoff every response is signed by the participant that began."""

    imitates = "https://github.com/microsoft/agent-framework/pull/1427"
    expected = frozenset({"ORC-15", "ORC-25"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
                """Sign for the first one."""
                signed = response if completed else _signed(response, self.workflow.spec.participants[0])
                super().output(executor, signed, completed=completed)

    patterns = {**PATTERNS, "handoff": _Handoff}


class SequentialAnswerSignedByTheFirst(Mutant):
    """The answer of a sequence is signed by its first participant."""

    imitates = "a name that is taken from where the run began"
    expected = frozenset({"ORC-11", "ORC-23", "ORC-24", "ORC-25"})

    class _Sequential(Sequential):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Sign for the first one."""
            super().complete(run, _signed(answer, self.spec.participants[0]) if answer else None)

    patterns = {**PATTERNS, "sequential": _Sequential}


class ManagerSignedByAParticipant(Mutant):
    """The manager's answer is signed by a participant."""

    imitates = "https://github.com/agno-agi/agno/issues/3525"
    expected = frozenset({"ORC-11", "ORC-23"})

    class _Managed(Managed):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Sign for a participant."""
            super().complete(run, _signed(answer, self.spec.participants[0]) if answer else None)

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}
