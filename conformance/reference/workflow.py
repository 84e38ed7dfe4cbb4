"""A workflow: participants, what completes it, and its latest runs. The patterns are in `patterns`."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from itertools import count

from conformance.reference.agent import Agent
from conformance.reference.errors import Invalid
from conformance.reference.workflow_run import WorkflowRun
from conformance.scenario.specs import WorkflowSpec
from conformance.trace.exchange import Answer, Response, Turn, WorkflowSeen
from conformance.trace.messages import Message
from conformance.vocabulary import Policies
from conformance.world.world import World


class Workflow(ABC):
    """A workflow of one pattern. What a run needs is on the run, so that nothing leaks into the next one.

    runs: the latest one in each conversation, under the key of its thread; under None without a thread.
    """

    run_type = WorkflowRun

    def __init__(
        self, name: str, spec: WorkflowSpec, participants: Mapping[str, Agent | Workflow], world: World, policies: Policies
    ) -> None:
        self.name = name
        self.spec = spec
        self.participants = dict(participants)
        self.world = world
        self.policies = policies
        self.numbers = count(1)
        self.runs: dict[str | None, WorkflowRun] = {}

    @abstractmethod
    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """Do the work; the answer of the run, None where nothing completed it."""

    def complete(self, run: WorkflowRun, answer: Response | None) -> None:
        """Emit the run-completed output: once, and last."""
        if answer is None:
            warnings.warn(f"workflow {self.name!r} ended without completing", stacklevel=2)
        else:
            run.output(self.name, Response(messages=answer.messages, author=self.name), completed=True)

    def response(self, run: WorkflowRun, answer: Response | None) -> Response:
        """What whoever comes after a run hears of it, a parent's next participant or the next turn on a thread: its answer."""
        return answer or Response()

    def streams(self, participant: str) -> bool:
        """Whether a participant's chunks are shown although its response is not output as intermediate."""
        return False

    async def begin(
        self, messages: Sequence[Message], *, stream: bool, history: Sequence[Message] = (), key: str | None = None
    ) -> WorkflowRun:
        """Begin a new run. One of the same conversation that still waits is dropped: it is over, and so are its requests."""
        if key in self.runs:
            await self.runs[key].cancel()
        run = self.runs[key] = self.run_type(self, stream=stream)
        run.start(messages, history)
        return run

    def resume(self, answers: Sequence[Answer], *, stream: bool, key: str | None = None) -> WorkflowRun:
        """Answer pending requests: the same run goes on. Raises Invalid where nothing waits for them."""
        if key not in self.runs:
            raise Invalid(f"no run of workflow {self.name!r} waits for an answer")
        self.runs[key].respond(answers, stream=stream)
        return self.runs[key]

    async def start(self, turn: Turn, *, stream: bool) -> AsyncGenerator[WorkflowSeen]:
        """Begin a new run and follow it until the workflow comes to rest."""
        run = await self.begin(turn.messages, stream=stream)
        async with aclosing(run.follow()) as events:
            async for event in events:
                yield event

    async def respond(self, answers: Sequence[Answer], *, stream: bool) -> AsyncGenerator[WorkflowSeen]:
        """Answer pending requests of the latest run and follow it until the workflow comes to rest again."""
        run = self.resume(answers, stream=stream)
        async with aclosing(run.follow()) as events:
            async for event in events:
                yield event

    async def close(self) -> None:
        """End what still waits."""
        for run in self.runs.values():
            await run.cancel()
