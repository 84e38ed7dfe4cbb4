"""The orchestrations: who speaks when, and what the answer is. Those with a manager, and author-written ones, stand apart."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

from conformance.implementation import Response
from conformance.reference.custom import Custom
from conformance.reference.managed import Managed
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace import Message
from conformance.vocabulary import Pattern


class Sequential(Workflow):
    """One after another; each sees the conversation so far. The answer is the last participant's response."""

    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """The last participant's response, all of its messages and nothing else."""
        conversation = list(messages)
        response = Response()
        for name in self.spec.participants:
            response = await run.participant(name, conversation, shown=self.spec.intermediate_outputs)
            conversation += response.messages
        return response

    def streams(self, participant: str) -> bool:
        """The answering participant's chunks are the answer's."""
        return participant == self.spec.participants[-1]


class Concurrent(Workflow):
    """Side by side on the same input. The answer is everyone's response, in the order of the participants, or an aggregator's."""

    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """What is made of the responses, in an order that does not depend on who finished first."""
        responses = await self.gather(run, messages)
        return Response(messages=self.aggregate(run, responses))

    async def gather(self, run: WorkflowRun, messages: Sequence[Message]) -> dict[str, Response]:
        """Everyone's response, in the order in which they finished."""
        failures: list[Exception] = []

        async def one(name: str) -> Response | None:
            try:
                return await run.participant(name, messages, shown=self.spec.intermediate_outputs)
            except Exception as error:
                self.tolerate(name, error)
                failures.append(error)
                return None

        done = await run.side_by_side(self.spec.participants, one)
        if len(failures) == len(done):
            raise failures[0]
        return {name: response for name, response in done.items() if response is not None}

    def tolerate(self, participant: str, error: Exception) -> None:
        """Raise what a participant raised, unless `failing_participant` says to answer without it."""
        if self.policies.failing_participant != "left_out":
            raise error
        warnings.warn(f"workflow {self.name!r} answers without {participant!r}, which failed: {error}", stacklevel=2)

    def aggregate(self, run: WorkflowRun, responses: Mapping[str, Response]) -> tuple[Message, ...]:
        """What the author's aggregator answers; by default every response message, each once."""
        if self.spec.aggregates is not None:
            return (Message(role="assistant", text=self.spec.aggregates, author=self.name),)
        return tuple(message for name in self.spec.participants if name in responses for message in responses[name].messages)

    def streams(self, participant: str) -> bool:
        """With the default aggregation everyone's chunks are the answer's."""
        return self.spec.aggregates is None


class Handoff(Workflow):
    """A participant hands over by calling a tool; the run ends when one answers without. The answer is empty."""

    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """Empty: every response was output as intermediate, whatever `intermediate_outputs` says.

        Everyone gets the whole conversation, each call with its result: who gets control back sees what it did before.
        """
        conversation = list(messages)
        response, name = Response(), self.first()
        while name is not None:
            response = await run.participant(name, conversation, shown=True)
            conversation += response.messages
            name = self.successor(name, response)
        return self.completion(response)

    def first(self) -> str | None:
        """The participant that begins."""
        return self.spec.participants[0]

    def successor(self, participant: str, response: Response) -> str | None:
        """The participant that goes on; a child has no tool to hand over with, whatever was called inside."""
        return None if isinstance(self.participants[participant], Workflow) else self.target(response)

    def completion(self, last: Response) -> Response:
        """What the run-completed output holds."""
        return Response()

    def response(self, run: WorkflowRun, answer: Response | None) -> Response:
        """What the participants said: the answer is empty only because everyone has heard it already."""
        return Response(messages=tuple(run.said))

    def target(self, response: Response) -> str | None:
        """The participant that a response hands over to."""
        tools = {self.world.handoff_tool.format(agent=name): name for name in self.participants}
        called = [call.tool for message in response.messages for call in message.calls]
        return next((tools[tool] for tool in reversed(called) if tool in tools), None)

    def streams(self, participant: str) -> bool:
        """Everyone's response is output."""
        return True


PATTERNS: Mapping[Pattern, type[Workflow]] = {
    "sequential": Sequential,
    "concurrent": Concurrent,
    "handoff": Handoff,
    "group_chat": Managed,
    "magentic": Managed,
    "custom": Custom,
}
