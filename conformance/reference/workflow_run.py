"""One run of a workflow: what its participants say, who waits for an answer, and whether it rests because nobody works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from conformance.reference.agent import Agent
from conformance.reference.errors import Invalid
from conformance.reference.thread import Thread
from conformance.scenario.specs import WorkflowSpec
from conformance.trace.exchange import Answer, ChunkSeen, FailedSeen, IdleSeen, OutputSeen, Pending, Response, Turn, WorkflowSeen
from conformance.trace.messages import Message
from conformance.world.world import World


class _Question:
    """What one participant waits for: answers to all of its requests."""

    def __init__(self, requests: int) -> None:
        self.answers: list[Answer] = []
        self.answered = asyncio.Event()
        self._open = requests

    def take(self, answer: Answer) -> bool:
        """Note an answer; whether it was the last one."""
        self.answers.append(answer)
        self._open -= 1
        if not self._open:
            self.answered.set()
        return not self._open


class Waiting:
    """The open requests of a run, those of its children included, and how many of its strands work.

    tell: of every request that is open when the run comes to rest; until then whoever asked may be gone. suspended: called after
    that. numbers: for ids of requests that no other run has, so that an answer to a run that was dropped never reaches a later one.
    """

    def __init__(self, tell: Callable[[Pending], None], suspended: Callable[[], None], numbers: Iterator[int]) -> None:
        self._tell = tell
        self._suspended = suspended
        self._numbers = numbers
        self._open: dict[str, tuple[_Question, str]] = {}
        self._untold: list[Pending] = []
        self._active = 1
        self._resting = False

    def __len__(self) -> int:
        """How many requests are open."""
        return len(self._open)

    async def ask(self, executor: str, requests: Sequence[Pending]) -> list[Answer]:
        """Ask, and wait until every request is answered; the answers are named as the requests were."""
        question = _Question(len(requests))
        for request in requests:
            id = f"{executor} asks {next(self._numbers)}"
            self._open[id] = question, request.id
            self._untold.append(Pending(id=id, tool=request.tool, call=request.call, executor=executor))
        self._active -= 1
        self.rest()
        try:
            await question.answered.wait()
        except asyncio.CancelledError:
            self._withdraw(question)
            raise
        return question.answers

    def _withdraw(self, question: _Question) -> None:
        """Whoever asked is gone: from here on it counts as at work, until its strand is taken off."""
        self._open = {id: asked for id, asked in self._open.items() if asked[0] is not question}
        self._untold = [request for request in self._untold if request.id in self._open]
        self._active += not question.answered.is_set()

    def answer(self, answers: Sequence[Answer]) -> None:
        """Hand in answers; whoever asked goes on when all of its own are there. Raises Invalid where nobody waits for one."""
        for answer in answers:
            if answer.id not in self._open:
                raise Invalid(f"nothing waits for an answer to {answer.id!r}")
        self._resting = False
        for answer in answers:
            question, id = self._open.pop(answer.id)
            if question.take(Answer(id=id, approve=answer.approve)):
                self._active += 1
        self.rest()

    def rest(self) -> None:
        """Say that the run rests, where nobody works and somebody waits."""
        if self._active == 0 and self._open and not self._resting:
            self._resting = True
            for request in self._untold:
                self._tell(request)
            self._untold.clear()
            self._suspended()

    def fork(self, strands: int) -> None:
        """From here on so many strands work side by side instead of one."""
        self._active += strands - 1

    def strand_ended(self) -> None:
        """One of them is done, but not the last one, which goes on: all others may be waiting."""
        self._active -= 1
        self.rest()

    def join(self, unended: int) -> None:
        """One strand goes on. unended: how many did not come to their end, because one of them failed."""
        self._active -= max(0, unended - 1)


T = TypeVar("T")


class Work(Protocol):
    """What a run needs of its workflow. The patterns say what is done; the run knows who is doing it."""

    @property
    def name(self) -> str:
        """The workflow's name."""
        ...

    @property
    def spec(self) -> WorkflowSpec:
        """How it is built."""
        ...

    @property
    def world(self) -> World:
        """The fakes that its participants talk to."""
        ...

    @property
    def numbers(self) -> Iterator[int]:
        """Numbers for ids that no other run of the workflow has."""
        ...

    @property
    def participants(self) -> Mapping[str, Agent | Work]:
        """Who takes part, by name."""
        ...

    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """Do the work; the answer of the run, None where nothing completed it."""
        ...

    def complete(self, run: WorkflowRun, answer: Response | None) -> None:
        """Emit the run-completed output."""
        ...

    def response(self, run: WorkflowRun, answer: Response | None) -> Response:
        """What whoever comes after a run hears of it."""
        ...

    def streams(self, participant: str) -> bool:
        """Whether a participant's chunks are shown although its response is not output as intermediate."""
        ...


class WorkflowRun:
    """One run; it outlives suspensions, and goes no further than its consumer.

    nested: it is a child's run inside another workflow's. said: what its participants said, in the order in which they were done.
    overruled: what completed it before its answer did, which a caller is told too. streamed: the messages that the consumer has as
    chunks; handed: those that a caller has in a response. gained: what the conversation gains, once the run is completed.
    """

    nested = False

    def __init__(self, workflow: Work, *, stream: bool) -> None:
        self.workflow = workflow
        self.stream = stream
        self.events: asyncio.Queue[WorkflowSeen | BaseException | None] = asyncio.Queue()
        self.waiting = Waiting(self.events.put_nowait, self.suspended, workflow.numbers)
        self.said: list[Message] = []
        self.overruled: list[Message] = []
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
            self.gained = (*messages, *self.overruled, *self.workflow.response(self, answer).messages)
            self.events.put_nowait(IdleSeen())
        except Exception as error:
            self.events.put_nowait(FailedSeen())
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

    async def child(self, workflow: Work, messages: Sequence[Message]) -> Response:
        """Run a child to its end; what this workflow hears of it."""
        run = self.inside(workflow)
        answer = await workflow.answer(run, messages)
        workflow.complete(run, answer)
        return workflow.response(run, answer)

    def inside(self, workflow: Work) -> WorkflowRun:
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

    def __init__(self, parent: WorkflowRun, workflow: Work) -> None:
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
