"""A workflow wrapped as an agent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing

from conformance.reference.errors import Unsupported
from conformance.reference.thread import Thread, copied
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun, is_among
from conformance.trace.exchange import Answer, ChunkSeen, FailedSeen, IdleSeen, OutputSeen, Pending, Response, Turn
from conformance.trace.messages import Message
from conformance.vocabulary import ThreadKind


class WorkflowAgent:
    """Runs a workflow where an agent is expected: the run-completed response becomes the agent's response."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow

    def create_thread(self, key: str, kind: ThreadKind) -> Thread:
        """A thread that keeps the conversation here. Raises Unsupported for a hosted one: no service knows the whole of it."""
        if kind == "hosted":
            raise Unsupported(f"no service keeps the conversation of workflow {self.workflow.name!r}; use a local thread")
        return Thread(key=key)

    async def run(self, thread: Thread | None, turn: Turn, *, stream: bool) -> AsyncGenerator[ChunkSeen | Response]:
        """Run the workflow until it comes to rest: updates, then, last, the response."""
        run = await self.workflow.begin(turn.messages, stream=stream, history=self.history(thread), key=_key(thread))
        async with aclosing(self._follow(run, thread)) as items:
            async for item in items:
                yield item

    async def resume(
        self, thread: Thread | None, answers: Sequence[Answer], *, stream: bool
    ) -> AsyncGenerator[ChunkSeen | Response]:
        """Answer pending requests: the same run goes on."""
        run = self.workflow.resume(answers, stream=stream, key=_key(thread))
        async with aclosing(self._follow(run, thread)) as items:
            async for item in items:
                yield item

    def history(self, thread: Thread | None) -> Sequence[Message]:
        """What the workflow is told before the new input: the conversation of this thread alone."""
        return () if thread is None else tuple(thread.messages)

    def keep(self, thread: Thread | None, run: WorkflowRun) -> None:
        """Keep the input and the answer of a run that is completed; of one that fails or waits, nothing."""
        if thread is not None and run.gained is not None:
            thread.messages.extend(copied(run.gained))

    async def _follow(self, run: WorkflowRun, thread: Thread | None) -> AsyncGenerator[ChunkSeen | Response]:
        outputs: list[OutputSeen] = []
        pending: list[Pending] = []
        async with aclosing(run.follow()) as events:
            async for event in events:
                match event:
                    case ChunkSeen():
                        yield event
                    case OutputSeen():
                        outputs.append(event)
                        for update in self.updates(run, event):
                            yield update
                    case Pending():
                        pending.append(event)
                    case IdleSeen() | FailedSeen():
                        pass
        self.keep(thread, run)
        yield self.response(run, outputs, pending)

    def updates(self, run: WorkflowRun, output: OutputSeen) -> Iterator[ChunkSeen]:
        """What a streaming consumer has not got as chunks yet, each message as one update."""
        for message in output.messages:
            if run.stream and message.text and not is_among(message, run.streamed):
                run.streamed.append(message)
                yield ChunkSeen(text=message.text, executor=message.author)

    def response(self, run: WorkflowRun, outputs: Sequence[OutputSeen], pending: Sequence[Pending]) -> Response:
        """What the caller gets; what an earlier response of the same run held is not said again."""
        messages = tuple(message for message in self.messages(outputs) if not is_among(message, run.handed))
        run.handed.extend(messages)
        return Response(messages=messages, author=self.workflow.name, pending=tuple(pending))

    def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
        """Intermediates first, then the answer, each message once."""
        shown = [message for output in outputs if not output.completed for message in output.messages]
        answer = [message for output in outputs if output.completed for message in output.messages]
        return (*(message for message in shown if not is_among(message, answer)), *answer)


def _key(thread: Thread | None) -> str | None:
    return thread.key if thread is not None else None
