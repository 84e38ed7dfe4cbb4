"""A run of a workflow, from its request to idle without pending requests; and a child's run inside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from conformance.implementation import Answer, ChunkSeen, IdleSeen, OutputSeen, Response, Turn, WorkflowSeen
from conformance.reference.agent import Agent
from conformance.reference.thread import Thread
from conformance.reference.waiting import Waiting
from conformance.trace import Message

if TYPE_CHECKING:
    from conformance.reference.workflow import Workflow

T = TypeVar("T")


class WorkflowRun:
    """One run; it outlives suspensions, and goes no further than its consumer.

    nested: it is a child's run inside another workflow's. said: what its participants said, in the order in which they were done.
    streamed: the messages that the consumer has as chunks; handed: those that a caller has in a response. gained: what the
    conversation gains, once the run is completed.
    """

    nested = False

    def __init__(self, workflow: Workflow, *, stream: bool) -> None:
        self.workflow = workflow
        self.stream = stream
        self.events: asyncio.Queue[WorkflowSeen | BaseException | None] = asyncio.Queue()
        self.waiting = Waiting(self.events.put_nowait, self.suspended, workflow.numbers)
        self.said: list[Message] = []
        self.streamed: list[Message] = []
        self.handed: list[Message] = []
        self.gained: tuple[Message, ...] | None = None
        self._task: asyncio.Task[None] | None = None

    # as whoever runs the workflow sees it

    def start(self, messages: Sequence[Message], history: Sequence[Message] = ()) -> None:
        """Begin; what happens arrives in `events`, with None where the workflow comes to rest."""
        self._task = asyncio.create_task(self._work(messages, history))

    async def _work(self, messages: Sequence[Message], history: Sequence[Message]) -> None:
        try:
            answer = await self.workflow.answer(self, [*history, *messages])
            self.workflow.complete(self, answer)
            self.gained = (*messages, *self.workflow.response(self, answer).messages)
            self.events.put_nowait(IdleSeen())
        except Exception as error:
            self.events.put_nowait(error)
        finally:
            self.events.put_nowait(None)

    def respond(self, answers: Sequence[Answer], *, stream: bool) -> None:
        """Hand in answers to pending requests: the same run goes on, streaming or not."""
        self.waiting.answer(answers)
        self.stream = stream

    async def follow(self) -> AsyncGenerator[WorkflowSeen]:
        """The events until the workflow comes to rest. Raises what a participant raised. A consumer that leaves ends the run."""
        try:
            while (event := await self.events.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                yield event
                self.events.task_done()
            self.events.task_done()
        except BaseException:
            await self.cancel()
            raise

    async def cancel(self) -> None:
        """End the run wherever it is; when this returns, nothing of it goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def suspended(self) -> None:
        """Tell the consumer that the run waits."""
        self.events.put_nowait(IdleSeen(pending=len(self.waiting)))
        self.events.put_nowait(None)

    # as the patterns see it

    def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
        """Emit an output event."""
        self.events.put_nowait(
            OutputSeen(executor=executor, completed=completed, messages=response.messages, author=response.author)
        )

    async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
        """Run one participant to its end, through all its requests. shown: its response is output as intermediate.

        A participant that is itself a workflow runs inside this run: its requests are this run's.
        """
        await self.caught_up()
        member = self.workflow.participants[name]
        if isinstance(member, Agent):
            response = await self.agent(name, member, messages, chunks=shown or self.workflow.streams(name))
        else:
            response = await self.child(member, messages)
        self.said += response.messages
        if shown:
            self.output(name, response)
        return response

    async def caught_up(self) -> None:
        """Wait until the consumer has taken everything that was emitted."""
        await self.events.join()

    async def agent(self, name: str, agent: Agent, messages: Sequence[Message], *, chunks: bool) -> Response:
        """Run an agent on a thread of its own, so that it sees what it is given and nothing else. chunks: they are shown."""
        thread = self.thread(name)
        produced: list[Message] = []

        def take(response: Response, *, streamed: bool) -> None:
            signed = [_signed(message, name) for message in response.messages]
            produced.extend(signed)
            self.streamed.extend(signed if streamed else ())

        async def emit(text: str) -> None:
            if chunks:
                self.events.put_nowait(ChunkSeen(text=text, executor=name))
                await self.caught_up()

        streaming = self.stream
        response = await agent.run(thread, Turn(messages=tuple(messages)), emit, stream=streaming)
        take(response, streamed=streaming and chunks)
        while thread.waiting:
            answers = await self.waiting.ask(name, response.pending)
            streaming = self.stream
            response = await agent.resume(thread, answers, emit, stream=streaming)
            take(response, streamed=streaming and chunks)
        return Response(messages=tuple(produced), author=name)

    def thread(self, name: str) -> Thread:
        """The thread on which a participant takes its turn: a new one each time."""
        return Thread(key=f"{name} in {self.workflow.name}, {next(self.workflow.numbers)}")

    async def child(self, workflow: Workflow, messages: Sequence[Message]) -> Response:
        """Run a child to its end; what this workflow hears of it."""
        run = self.inside(workflow)
        answer = await workflow.answer(run, messages)
        workflow.complete(run, answer)
        return workflow.response(run, answer)

    def inside(self, workflow: Workflow) -> WorkflowRun:
        """A child's run inside this one."""
        return Nested(self, workflow)

    async def side_by_side(self, names: Sequence[str], work: Callable[[str], Awaitable[T]]) -> dict[str, T]:
        """Do some work for several names at once; what it came to, in the order in which they finished. One failure ends all."""
        done: dict[str, T] = {}

        async def strand(name: str) -> None:
            done[name] = await work(name)
            if len(done) < len(names):
                self.waiting.strand_ended()

        self.waiting.fork(len(names))
        tasks = [asyncio.create_task(strand(name)) for name in names]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.waiting.join(len(names) - len(done))
        return done


class Nested(WorkflowRun):
    """A child's run inside its parent's: requests are the parent's, outputs stay inside."""

    nested = True

    def __init__(self, parent: WorkflowRun, workflow: Workflow) -> None:
        super().__init__(workflow, stream=parent.stream)
        self.parent = parent
        self.waiting = parent.waiting

    def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
        """A child's outputs complete the child only."""

    async def agent(self, name: str, agent: Agent, messages: Sequence[Message], *, chunks: bool) -> Response:
        """A child's participants are no participants of its parent: nobody sees their chunks."""
        return await self.parent.agent(name, agent, messages, chunks=False)

    async def caught_up(self) -> None:
        """The consumer is the parent's."""
        await self.parent.caught_up()


def is_among(message: Message, messages: Sequence[Message]) -> bool:
    """Whether a message is one of these: the very same, since two participants may say the same."""
    return any(message is each for each in messages)


def _signed(message: Message, author: str) -> Message:
    return Message(role=message.role, text=message.text, calls=message.calls, results=message.results, author=author)
