"""Orchestration, participation: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.reference.patterns import PATTERNS, Concurrent, Course, Managed, Sequential
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import Response
from conformance.trace.messages import Message


class _Recast(Workflow):
    """Asks others than it was told to, where three or more agents take part."""

    def cast(self, participants: tuple[str, ...]) -> tuple[str, ...]:
        """Whom it asks."""
        return participants

    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """Answer as if these were its participants."""
        spec = self.spec
        if len(spec.participants) > 2 and not any(isinstance(each, Workflow) for each in self.participants.values()):
            self.spec = msgspec.structs.replace(spec, participants=self.cast(spec.participants))
        try:
            return await super().answer(run, messages)
        finally:
            self.spec = spec


class SecondIsSkipped(Mutant):
    """A sequence of three or more never asks its second participant."""

    breaks = "ORC-39/not asked"
    imitates = "an edge that is drawn from the first participant to the last one"
    expected = frozenset({"ORC-39"})

    class _Sequential(_Recast, Sequential):
        def cast(self, participants: tuple[str, ...]) -> tuple[str, ...]:
            """Leave out the second."""
            return (*participants[:1], *participants[2:])

    patterns = {**PATTERNS, "sequential": _Sequential}


class OneIsNotInvited(Mutant):
    """A concurrent run of three or more asks all but the second of them."""

    breaks = "ORC-39/not asked"
    imitates = "a fan-out over the neighbours of the first participant and of the last one"
    expected = frozenset({"ORC-39"})

    class _Concurrent(_Recast, Concurrent):
        def cast(self, participants: tuple[str, ...]) -> tuple[str, ...]:
            """Leave out the second."""
            return (*participants[:1], *participants[2:])

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class FirstTwoSwapped(Mutant):
    """A sequence of three or more begins with its second participant, and asks its first one then."""

    breaks = "ORC-39/order"
    imitates = "participants that are kept in a set until the workflow is built"
    expected = frozenset({"ORC-39"})

    class _Sequential(_Recast, Sequential):
        def cast(self, participants: tuple[str, ...]) -> tuple[str, ...]:
            """Begin with the second."""
            return (participants[1], participants[0], *participants[2:])

    patterns = {**PATTERNS, "sequential": _Sequential}


class FirstIsAskedAgain(Mutant):
    """A sequence of three or more asks its first participant again before it asks its last."""

    breaks = "ORC-39/not due"
    imitates = "a participant that gets its own output back by a second edge"
    expected = frozenset({"ORC-31", "ORC-39"})

    class _Sequential(_Recast, Sequential):
        def cast(self, participants: tuple[str, ...]) -> tuple[str, ...]:
            """Ask the first one twice."""
            return (*participants[:-1], participants[0], participants[-1])

    patterns = {**PATTERNS, "sequential": _Sequential}


class _Impatient(Managed):
    async def round(self, run: WorkflowRun, course: Course, name: str) -> None:
        """Pass over who has just spoken; where rounds are limited, that would change who is the last one."""
        if self.latest(course) != name or self.spec.max_rounds is not None:
            await super().round(run, course, name)

    def latest(self, course: Course) -> str | None:
        """Who spoke last."""
        return next((message.author for message in reversed(course.conversation) if message.role == "assistant"), None)


class PickedAgainIsPassedOver(Mutant):
    """A group chat or Magentic run does not ask whom the manager picks twice in a row a second time."""

    breaks = "ORC-39/not asked"
    imitates = "https://github.com/microsoft/agent-framework-go/pull/601"
    expected = frozenset({"ORC-39"})
    patterns = {**PATTERNS, "group_chat": _Impatient, "magentic": _Impatient}
