"""Orchestration, workflows as agents, streamed or not: faults that the rules of this section are the first to name."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import where
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import OutputSeen, Pending, Response
from conformance.trace.messages import Message


class _Joins(WorkflowAgent):
    """Makes its response otherwise where it streams."""

    @abstractmethod
    def joined(self, messages: Sequence[Message]) -> Sequence[Message]:
        """What the updates are joined to."""

    @where(lambda _, given: given["run"].stream)
    def response(self, run: WorkflowRun, outputs: Sequence[OutputSeen], pending: Sequence[Pending]) -> Response:
        """The same, joined with a fault."""
        response = super().response(run, outputs, pending)
        return msgspec.structs.replace(response, messages=tuple(self.joined(response.messages)))


class FirstSpeakerSignsAll(Mutant):
    """In a streamed response of a workflow as an agent every message bears the name of whoever spoke first."""

    breaks = "ORC-44/another author"
    imitates = "https://github.com/openai/swarm/pull/105"
    expected = frozenset({"ORC-44"})

    class agent_wrapper(_Joins):
        """The faulty wrapper."""

        def joined(self, messages: Sequence[Message]) -> Sequence[Message]:
            """Sign them."""
            return [msgspec.structs.replace(each, author=messages[0].author) for each in messages]


class ResultsComeFirst(Mutant):
    """In a streamed response of a workflow as an agent the results of tools stand before everything else."""

    breaks = "ORC-44/result before its call"
    imitates = "https://github.com/microsoft/agent-framework/issues/5720"
    expected = frozenset({"ORC-26", "ORC-44"})

    class agent_wrapper(_Joins):
        """The faulty wrapper."""

        def joined(self, messages: Sequence[Message]) -> Sequence[Message]:
            """Sort them."""
            return sorted(messages, key=lambda each: not each.results)


class StreamedAnswerFirst(Mutant):
    """In a streamed response of a workflow as an agent the message that was said last stands first."""

    breaks = "ORC-44/answer not last"
    imitates = "updates that are joined by the time at which each message was completed, the latest first"
    expected = frozenset({"ORC-26", "ORC-44"})

    class agent_wrapper(_Joins):
        """The faulty wrapper."""

        def joined(self, messages: Sequence[Message]) -> Sequence[Message]:
            """Put it there."""
            return [*messages[-1:], *messages[:-1]]


class RoundsInReverse(Mutant):
    """In a streamed response of a workflow as an agent what stands before the answer is told from its end to its beginning."""

    breaks = "ORC-44/order"
    imitates = "a list of messages that grows at its front"
    expected = frozenset({"ORC-44"})

    class agent_wrapper(_Joins):
        """The faulty wrapper."""

        def joined(self, messages: Sequence[Message]) -> Sequence[Message]:
            """Turn them round, where nobody called a tool."""
            return messages if any(each.calls for each in messages) else [*messages[-2::-1], *messages[-1:]]


class EmptyTextBeforeEachCall(Mutant):
    """In a streamed response of a workflow as an agent an empty message stands before each one that only calls tools."""

    breaks = "ORC-44/empty message"
    imitates = "https://github.com/symfony/ai/pull/2089"
    expected = frozenset({"ORC-25", "ORC-44"})

    class agent_wrapper(_Joins):
        """The faulty wrapper."""

        def joined(self, messages: Sequence[Message]) -> Sequence[Message]:
            """Flush the text, although there is none."""
            made = [
                ([Message(role="assistant", author=each.author)] if each.calls and not each.text else [], each) for each in messages
            ]
            return [message for empty, each in made for message in (*empty, each)]
