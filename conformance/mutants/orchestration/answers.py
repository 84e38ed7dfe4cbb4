"""Faults by which an answer lacks what belongs to it: messages, tool traffic, or all of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.everywhere import everywhere
from conformance.reference.patterns import PATTERNS, Sequential
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import OutputSeen, Response
from conformance.trace.messages import Message


class LastMessageOnly(Mutant):
    """A sequential run answers with the last message of the last response alone."""

    imitates = "https://github.com/langchain-ai/langgraph-supervisor-py/issues/185"
    expected = frozenset({"ORC-09", "ORC-13", "ORC-19", "ORC-23", "ORC-25", "ORC-28", "ORC-31"})

    class _Sequential(Sequential):
        async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
            """Keep the last one."""
            answer = await super().answer(run, messages) or Response()
            return answer if run.nested else Response(messages=answer.messages[-1:])

    patterns = {**PATTERNS, "sequential": _Sequential}


class _Dropping(Workflow):
    def complete(self, run: WorkflowRun, answer: Response | None) -> None:
        """Keep messages that say something."""
        kept = [message for message in (answer or Response()).messages if message.text or not (message.calls or message.results)]
        super().complete(run, Response(messages=tuple(kept)))


class ToolTrafficLost(Mutant):
    """Calls of tools and their results are dropped from the answer of a sequential or concurrent run."""

    imitates = "https://github.com/microsoft/autogen/issues/5045"
    expected = frozenset({"ORC-13", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-31"})
    patterns = everywhere(_Dropping, but={"handoff", "group_chat", "magentic", "custom"})


class MessagesGlued(Mutant):
    """A workflow as an agent glues neighbouring messages of one participant into one."""

    imitates = "https://github.com/microsoft/agent-framework/issues/3244"
    expected = frozenset({"ORC-23", "ORC-24", "ORC-26", "ORC-27"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Glue them."""
            return tuple(self.glued(list(each)) for _, each in groupby(super().messages(outputs), lambda message: message.author))

        def glued(self, messages: Sequence[Message]) -> Message:
            """All of them in one, calls in front of the results."""
            return msgspec.structs.replace(
                messages[-1],
                text="".join(message.text for message in messages),
                calls=tuple(call for message in messages for call in message.calls),
                results=tuple(result for message in messages for result in message.results),
            )


class EmptyTextIsNoAnswer(Mutant):
    """A sequential run whose answer ends with an empty text does not complete."""

    imitates = "https://github.com/langchain-ai/langgraph-supervisor-py/issues/201"
    expected = frozenset({"ORC-01", "ORC-03", "ORC-09", "ORC-23", "ORC-25", "ORC-38"})

    class _Sequential(Sequential):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Complete where something was said last."""
            said = answer is not None and bool(answer.messages) and bool(answer.messages[-1].text)
            super().complete(run, answer if said else None)

    patterns = {**PATTERNS, "sequential": _Sequential}


class _Alone(Workflow):
    async def begin(
        self, messages: Sequence[Message], *, stream: bool, history: Sequence[Message] = (), key: str | None = None
    ) -> WorkflowRun:
        """Note what the run is given."""
        run = await super().begin(messages, stream=stream, history=history, key=key)
        if len(self.participants) == 1:
            run.said.extend(messages)
        return run

    def complete(self, run: WorkflowRun, answer: Response | None) -> None:
        """Answer with the conversation where there is one participant."""
        alone = len(self.participants) == 1 and self.spec.aggregates is None
        super().complete(run, Response(messages=tuple(run.said)) if alone else answer)


class OneIsASpecialCase(Mutant):
    """A sequential or concurrent workflow of one participant answers with its input and its response."""

    imitates = "a branch for lists of one, which returns the conversation"
    expected = frozenset({"ORC-12", "ORC-13", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28"})
    patterns = everywhere(_Alone, but={"handoff", "group_chat", "magentic", "custom"})
