"""Faults of workflows as agents: what the agent's response holds, what its updates do, and what its threads keep."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.reference.thread import Thread
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.reference.workflow_run import WorkflowRun, is_among
from conformance.trace.exchange import Answer, ChunkSeen, OutputSeen, Pending, Response, Turn
from conformance.trace.messages import Message


class NamedAfterTheLastSpeaker(Mutant):
    """The response of a workflow as an agent bears the name of whoever spoke last."""

    imitates = "https://github.com/agno-agi/agno/issues/3525"
    expected = frozenset({"ORC-23"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def response(self, run: WorkflowRun, outputs: Sequence[OutputSeen], pending: Sequence[Pending]) -> Response:
            """Name the last speaker."""
            response = super().response(run, outputs, pending)
            return msgspec.structs.replace(response, author=run.said[-1].author) if run.said else response


class AnswerTwiceThroughTheAgent(Mutant):
    """With intermediate outputs on, a response of a workflow as an agent holds the answering participant's messages twice."""

    imitates = "https://github.com/agno-agi/agno/issues/4883"
    expected = frozenset({"ORC-24"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Take every output as it is."""
            return tuple(message for output in outputs for message in output.messages)


class IntermediatesLostThroughTheAgent(Mutant):
    """With intermediate outputs on, a response of a workflow as an agent holds the answer alone."""

    imitates = "https://github.com/microsoft/agent-framework/issues/2813"
    expected = frozenset({"ORC-24"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Take the answer, where there is one."""
            answer = tuple(message for output in outputs if output.completed for message in output.messages)
            return answer or super().messages(outputs)


class AnswerFirst(Mutant):
    """With intermediate outputs on, a response of a workflow as an agent begins with the answer."""

    imitates = "https://github.com/microsoft/agent-framework/issues/5720"
    expected = frozenset({"ORC-24"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Sort what completes to the front."""
            answer = [message for output in outputs if output.completed for message in output.messages]
            return (*answer, *(message for message in super().messages(outputs) if not is_among(message, answer)))


class AgentDoesNotStream(Mutant):
    """A workflow as an agent has no updates: where it streams, its response comes at the end."""

    imitates = "https://github.com/microsoft/agent-framework/issues/3126"
    expected = frozenset({"ORC-25"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        async def run(self, thread: Thread | None, turn: Turn, *, stream: bool) -> AsyncGenerator[ChunkSeen | Response]:
            """Wait for the response."""
            async with aclosing(super().run(thread, turn, stream=stream)) as items:
                async for item in items:
                    if isinstance(item, Response):
                        yield item


class AnswerAgainAfterItsChunks(Mutant):
    """A workflow as an agent that streams sends its whole answer as one more update after the answer's updates."""

    imitates = "https://github.com/microsoft/agent-framework/pull/7217"
    expected = frozenset({"ORC-25"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def updates(self, run: WorkflowRun, output: OutputSeen) -> Iterator[ChunkSeen]:
            """Send what completes whether or not it was sent before."""
            yield from super().updates(run, output)
            text = "".join(message.text for message in output.messages)
            if run.stream and output.completed and text:
                yield ChunkSeen(text=text, executor=self.workflow.name)


class EmptyMessageAtTheEnd(Mutant):
    """A handoff as an agent ends its response with an empty message, which its empty completion became."""

    imitates = "https://github.com/microsoft/agent-framework/issues/5673"
    expected = frozenset({"ORC-26"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Make a message of each completion."""
            empty = any(output.completed and not output.messages for output in outputs)
            made = (Message(role="assistant", text="", author=self.workflow.name),) if empty else ()
            return (*super().messages(outputs), *made)


class RequestDoesNotSurface(Mutant):
    """A handoff as an agent leaves requests out of its response."""

    imitates = "https://github.com/microsoft/agent-framework/issues/5035"
    expected = frozenset({"ORC-26", "ORC-27"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def response(self, run: WorkflowRun, outputs: Sequence[OutputSeen], pending: Sequence[Pending]) -> Response:
            """Answer with messages alone."""
            return super().response(run, outputs, () if self.workflow.spec.pattern == "handoff" else pending)


class RequestTwice(Mutant):
    """A workflow as an agent reports each request under two ids, of which only one can be answered."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7857"
    expected = frozenset({"ORC-06", "ORC-27", "ORC-30"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def response(self, run: WorkflowRun, outputs: Sequence[OutputSeen], pending: Sequence[Pending]) -> Response:
            """Report each call, and the request for it."""
            calls = [msgspec.structs.replace(request, id=f"the call of {request.id}") for request in pending]
            return super().response(run, outputs, [*calls, *pending])


class AnswerStartsAnew(Mutant):
    """An answer to a child's request that is given through a workflow as an agent begins a new run, with the input of the old."""

    imitates = "https://github.com/microsoft/agent-framework/issues/2276"
    expected = frozenset({"ORC-27", "ORC-30"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        turn: Turn | None = None

        async def run(self, thread: Thread | None, turn: Turn, *, stream: bool) -> AsyncGenerator[ChunkSeen | Response]:
            """Remember the input of runs without a thread."""
            self.turn = turn if thread is None and _nests(self.workflow) else None
            async with aclosing(super().run(thread, turn, stream=stream)) as items:
                async for item in items:
                    yield item

        async def resume(
            self,
            thread: Thread | None,
            answers: Sequence[Answer],
            *,
            stream: bool,
        ) -> AsyncGenerator[ChunkSeen | Response]:
            """Run again."""
            again = super().resume(thread, answers, stream=stream)
            async with aclosing(self.run(thread, self.turn, stream=stream) if self.turn else again) as items:
                async for item in items:
                    yield item


def _nests(workflow: Workflow) -> bool:
    return any(isinstance(each, Workflow) for each in workflow.participants.values())
