"""Faults of handoffs: what is output of them, and how they complete."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.reference.patterns import PATTERNS, Handoff
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import Response
from conformance.trace.messages import Message


class HandoffAnswersOnceMore(Mutant):
    """The run-completed output of a handoff repeats the last participant's response."""

    imitates = "an end executor that every pattern shares"
    expected = frozenset({"ORC-11", "ORC-15", "ORC-19"})

    class _Handoff(Handoff):
        def completion(self, last: Response) -> Response:
            """Repeat the last response."""
            return last

    patterns = {**PATTERNS, "handoff": _Handoff}


class HandoffHidesItsWork(Mutant):
    """A handoff outputs its participants' responses only where `intermediate_outputs` is on."""

    imitates = "one switch for all patterns, in spite of the exception for handoff"
    expected = frozenset({"ORC-10", "ORC-15", "ORC-19", "ORC-26", "ORC-27"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Follow the switch."""
                return await super().participant(name, messages, shown=self.workflow.spec.intermediate_outputs)

    patterns = {**PATTERNS, "handoff": _Handoff}


class StreamedHandoffIsSilent(Mutant):
    """A streamed handoff shows neither chunks nor responses of its participants."""

    imitates = "a streaming path of its own"
    expected = frozenset({"ORC-05", "ORC-10", "ORC-15", "ORC-19", "ORC-25", "ORC-26", "ORC-27"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Show nothing where streaming."""
                return await super().participant(name, messages, shown=shown and not self.stream)

        def streams(self, participant: str) -> bool:
            """Stream nobody."""
            return False

    patterns = {**PATTERNS, "handoff": _Handoff}


class PlainHandoffIsSilent(Mutant):
    """A handoff that is not streamed does not output the responses of its participants."""

    imitates = "https://github.com/microsoft/agent-framework/pull/4745"
    expected = frozenset({"ORC-10", "ORC-15", "ORC-19", "ORC-25", "ORC-26", "ORC-27"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Show them where streaming."""
                return await super().participant(name, messages, shown=shown and self.stream)

    patterns = {**PATTERNS, "handoff": _Handoff}


class HandoffCallTwice(Mutant):
    """The call by which a participant hands over is output twice."""

    imitates = "https://github.com/openai/openai-agents-python/issues/4144"
    expected = frozenset({"ORC-15", "ORC-19", "ORC-26"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Output the call once more."""
                response = await super().participant(name, messages, shown=shown)
                handing = [message for message in response.messages if self.hands_over(message)]
                if handing:
                    self.output(name, Response(messages=tuple(handing), author=name))
                return response

            def hands_over(self, message: Message) -> bool:
                """Whether it calls somebody else."""
                tools = {self.workflow.world.handoff_tool.format(agent=name) for name in self.workflow.participants}
                return any(call.tool in tools for call in message.calls)

    patterns = {**PATTERNS, "handoff": _Handoff}
