"""Faults by which an answer holds what is no part of it: the prompt, or what others said on the way."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.reference.patterns import PATTERNS, Concurrent, Managed, Sequential
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import OutputSeen, Pending, Response
from conformance.trace.messages import Message


class ConversationDumped(Mutant):
    """A sequential run answers with the whole conversation, the user's prompt included."""

    imitates = "https://github.com/microsoft/agent-framework/pull/5301"
    expected = frozenset({"ORC-06", "ORC-12", "ORC-13", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28", "ORC-31", "ORC-35"})

    class _Sequential(Sequential):
        async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
            """Answer with everything."""
            answer = await super().answer(run, messages)
            return answer if run.nested else Response(messages=(*messages, *run.said))

    patterns = {**PATTERNS, "sequential": _Sequential}


class PromptInFront(Mutant):
    """The answer of a concurrent run begins with the user's prompt."""

    imitates = "https://github.com/microsoft/agent-framework/pull/4799"
    expected = frozenset({"ORC-12", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28", "ORC-31", "ORC-35"})

    class _Concurrent(Concurrent):
        async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
            """Prepend the prompt."""
            answer = await super().answer(run, messages)
            return answer if answer is None or run.nested else Response(messages=(*messages[-1:], *answer.messages))

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class RoundsInTheAnswer(Mutant):
    """The rounds of a group chat stand before its manager's answer, and so does the work of Magentic."""

    imitates = "https://github.com/microsoft/agent-framework/issues/2272"
    expected = frozenset({"ORC-12", "ORC-16", "ORC-17", "ORC-19", "ORC-23", "ORC-25", "ORC-28"})

    class _Managed(Managed):
        def conclude(self, run: WorkflowRun, conversation: Sequence[Message]) -> Response:
            """Prepend the rounds."""
            answer = super().conclude(run, conversation)
            return answer if run.nested else Response(messages=(*run.said, *answer.messages))

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class UpstreamTextMergedIn(Mutant):
    """A sequential workflow as an agent answers with one message, in which the texts of all participants are joined."""

    imitates = "https://github.com/microsoft/agent-framework/issues/6211"
    expected = frozenset({"ORC-23", "ORC-24", "ORC-27"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def response(self, run: WorkflowRun, outputs: Sequence[OutputSeen], pending: Sequence[Pending]) -> Response:
            """Join them where the run is completed."""
            response = super().response(run, outputs, pending)
            text = "\n".join(message.text for message in run.said if message.text)
            if not isinstance(self.workflow, Sequential) or run.gained is None:
                return response
            last = Message(role="assistant", text=text, author=self.workflow.spec.participants[-1])
            return msgspec.structs.replace(response, messages=(last,))


class UserInputEchoed(Mutant):
    """A workflow as an agent echoes the user's input in front of its answer."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4261"
    expected = frozenset({"ORC-23", "ORC-24", "ORC-26"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Prepend a message that looks like the input."""
            return (Message(role="user", text="as you said"), *super().messages(outputs))
