"""A workflow wrapped as an agent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from conformance.implementation import Answer, ChunkSeen, IdleSeen, OutputSeen, Pending, Response, Turn, WorkflowSeen
from conformance.reference.client import Emit
from conformance.reference.thread import Thread
from conformance.reference.workflow import Workflow
from conformance.trace import Message


class WorkflowAgent:
    """Runs a workflow where an agent is expected: the run-completed response becomes the agent's response."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow

    async def run(self, thread: Thread | None, turn: Turn, emit: Emit, *, stream: bool) -> Response:
        """Run the workflow until it comes to rest."""
        return await self._collect(self.workflow.start(turn, stream=stream), emit)

    async def resume(self, thread: Thread | None, answers: Sequence[Answer], emit: Emit, *, stream: bool) -> Response:
        """Answer pending requests: the same run goes on."""
        return await self._collect(self.workflow.respond(answers), emit)

    async def _collect(self, events: AsyncIterator[WorkflowSeen], emit: Emit) -> Response:
        outputs: list[OutputSeen] = []
        pending: list[Pending] = []
        async for event in events:
            match event:
                case ChunkSeen():
                    await emit(event.text)
                case OutputSeen():
                    outputs.append(event)
                case Pending():
                    pending.append(event)
                case IdleSeen():
                    pass
        return Response(messages=self.messages(outputs), author=self.workflow.name, pending=tuple(pending))

    def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
        """Intermediates first, then the answer, each message once."""
        shown = [message for output in outputs if not output.completed for message in output.messages]
        answer = [message for output in outputs if output.completed for message in output.messages]
        return (*(message for message in shown if message not in answer), *answer)
