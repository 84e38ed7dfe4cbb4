"""A workflow: participants, what it outputs, how it rests and goes on. The patterns are in `orchestrations`."""

from __future__ import annotations

import asyncio
import warnings
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence

from conformance.implementation import Answer, ChunkSeen, IdleSeen, OutputSeen, Pending, Response, Turn, WorkflowSeen
from conformance.reference.agent import Agent
from conformance.reference.thread import Thread
from conformance.scenario import WorkflowSpec
from conformance.trace import Message
from conformance.world import World


class _Question:
    """What one participant waits for: answers to all of its requests."""

    def __init__(self, pending: Sequence[Pending]) -> None:
        self.answers: list[Answer] = []
        self.answered = asyncio.Event()
        self._open = len(pending)

    def take(self, answer: Answer) -> bool:
        """Note an answer; whether it was the last one."""
        self.answers.append(answer)
        self._open -= 1
        if not self._open:
            self.answered.set()
        return not self._open


class WorkflowRun:
    """One run, from its request to idle without pending requests; it outlives suspensions.

    nested: it is a child's run inside another workflow's.
    """

    nested = False

    def __init__(self, workflow: Workflow, *, stream: bool) -> None:
        self.workflow = workflow
        self.stream = stream
        self.events: asyncio.Queue[WorkflowSeen | BaseException | None] = asyncio.Queue()
        self.task: asyncio.Task[None] | None = None
        self._waiting: dict[str, _Question] = {}
        self._active = 1
        self._resting = False

    def start(self, messages: Sequence[Message]) -> None:
        """Begin; what happens arrives in `events`, with None where the workflow comes to rest."""
        self.task = asyncio.create_task(self._work(messages))

    async def _work(self, messages: Sequence[Message]) -> None:
        try:
            answer = await self.workflow.answer(self, messages)
            self.workflow.complete(self, answer)
            self.events.put_nowait(IdleSeen())
        except Exception as error:
            self.events.put_nowait(error)
        finally:
            self.events.put_nowait(None)

    def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
        """Emit an output event."""
        self.events.put_nowait(
            OutputSeen(executor=executor, completed=completed, messages=response.messages, author=response.author)
        )

    def respond(self, answers: Sequence[Answer]) -> None:
        """Hand in answers to pending requests; a participant goes on when all of its own are answered."""
        self._resting = False
        for answer in answers:
            question = self._waiting.pop(answer.id)
            if question.take(answer):
                self._active += 1
        self.rest()

    async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
        """Run one participant to its end, through all its approvals. shown: its response is output as intermediate.

        A participant that is itself a workflow runs inside this run: its requests are this run's, its answer is its response.
        """
        member = self.workflow.participants[name]
        if isinstance(member, Workflow):
            response = await member.answer(_Nested(self, member), messages) or Response()
        else:
            response = await self._run_agent(name, member, messages, shown=shown)
        if shown:
            self.output(name, response)
        return response

    async def _run_agent(self, name: str, agent: Agent, messages: Sequence[Message], *, shown: bool) -> Response:
        thread = Thread(key=f"{name} in {self.workflow.name}")

        async def emit(text: str) -> None:
            if shown or self.workflow.streams(name):
                self.events.put_nowait(ChunkSeen(text=text, executor=name))

        response = await agent.run(thread, Turn(messages=tuple(messages)), emit, stream=self.stream)
        produced = list(response.messages)
        while thread.waiting:
            decisions = await self._ask(name, response.pending)
            response = await agent.resume(thread, decisions, emit, stream=self.stream)
            produced += response.messages
        return Response(messages=tuple(_signed(message, name) for message in produced), author=name)

    async def _ask(self, executor: str, pending: Sequence[Pending]) -> list[Answer]:
        question = _Question(pending)
        for request in pending:
            self._waiting[request.id] = question
            self.events.put_nowait(Pending(id=request.id, tool=request.tool, executor=executor))
        self._active -= 1
        self.rest()
        await question.answered.wait()
        return question.answers

    def rest(self) -> None:
        """Say that the workflow is idle, where nobody is active and somebody waits."""
        if self._active == 0 and self._waiting and not self._resting:
            self._resting = True
            self.suspended()

    def suspended(self) -> None:
        """Tell the consumer that the run waits."""
        self.events.put_nowait(IdleSeen(pending=len(self._waiting)))
        self.events.put_nowait(None)

    def fork(self, strands: int) -> None:
        """From here on this many strands work side by side instead of one, all of them from now."""
        self._active += strands - 1

    def strand_ended(self) -> None:
        """One of them is done: the others may all be waiting."""
        self._active -= 1
        self.rest()

    def join(self) -> None:
        """All of them are done, and one goes on."""
        self._active += 1

    async def follow(self) -> AsyncIterator[WorkflowSeen]:
        """The events until the workflow comes to rest. Raises what a participant raised."""
        while (event := await self.events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event


class _Nested(WorkflowRun):
    """A child's run inside its parent's: requests and activity are the parent's, outputs stay inside."""

    nested = True

    def __init__(self, parent: WorkflowRun, workflow: Workflow) -> None:
        super().__init__(workflow, stream=parent.stream)
        self._parent = parent

    def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
        """A child's outputs complete the child only."""

    async def _run_agent(self, name: str, agent: Agent, messages: Sequence[Message], *, shown: bool) -> Response:
        return await self._parent._run_agent(name, agent, messages, shown=False)

    def fork(self, strands: int) -> None:
        """Activity is the parent's."""
        self._parent.fork(strands)

    def strand_ended(self) -> None:
        """Activity is the parent's."""
        self._parent.strand_ended()

    def join(self) -> None:
        """Activity is the parent's."""
        self._parent.join()


class Workflow(ABC):
    """A workflow of one pattern."""

    run_type = WorkflowRun

    def __init__(self, name: str, spec: WorkflowSpec, participants: Mapping[str, Agent | Workflow], world: World) -> None:
        self.name = name
        self.spec = spec
        self.participants = dict(participants)
        self.world = world
        self.current: WorkflowRun | None = None

    @abstractmethod
    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """Do the work; the answer of the run, None where nothing completed it."""

    def complete(self, run: WorkflowRun, answer: Response | None) -> None:
        """Emit the run-completed output: once, and last."""
        if answer is None:
            warnings.warn(f"workflow {self.name!r} ended without completing", stacklevel=2)
        else:
            run.output(self.name, Response(messages=answer.messages, author=self.name), completed=True)

    def streams(self, participant: str) -> bool:
        """Whether a participant's chunks are shown although its response is not output as intermediate."""
        return False

    def start(self, turn: Turn, *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Begin a new run and follow it until the workflow comes to rest."""
        self.current = self.run_type(self, stream=stream)
        self.current.start(turn.messages)
        return self.current.follow()

    def respond(self, answers: Sequence[Answer]) -> AsyncIterator[WorkflowSeen]:
        """Answer pending requests of the current run and follow it until the workflow comes to rest again."""
        assert self.current is not None
        self.current.respond(answers)
        return self.current.follow()


def _signed(message: Message, author: str) -> Message:
    return Message(role=message.role, text=message.text, calls=message.calls, results=message.results, author=author)
