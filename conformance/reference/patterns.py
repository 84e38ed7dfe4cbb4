"""The orchestrations: who speaks when, and what the answer is."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.reference.errors import ExecutorFailed, UnknownParticipant
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import Pending, Response
from conformance.trace.messages import Message
from conformance.vocabulary import Pattern


class Sequential(Workflow):
    """One after another; each sees what `sequential_shares` says. The answer is the last participant's response."""

    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """The last participant's response, all of its messages and nothing else."""
        conversation = messages
        response = Response()
        for name in self.spec.participants:
            response = await run.participant(name, conversation, shown=self.spec.intermediate_outputs)
            conversation = self.share(conversation, response)
        return response

    def share(self, conversation: Sequence[Message], response: Response) -> Sequence[Message]:
        """What the next one sees: the conversation so far, or the last response alone, unless that says nothing."""
        if self.policies.sequential_shares == "last":
            return response.messages if any(message.text or message.calls for message in response.messages) else conversation
        return [*conversation, *response.messages]

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


class Managed(Workflow):
    """The manager's word is the answer; rounds are intermediate."""

    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """The manager's summary, completion message or synthesized answer; what is declared for it where a limit ends the run."""
        course = Course(list(messages))
        while (name := self.pick()) is not None:
            if self.out_of_rounds(course):
                return self.limited(run, course, f"{self.spec.max_rounds} rounds")
            self.check(name)
            if self.stuck(course):
                self.begin_anew(course, messages)
                if self.out_of_resets(course):
                    return self.limited(run, course, f"{self.spec.max_resets} resets")
                continue
            await self.round(run, course, name)
        return self.conclude(run, course.conversation)

    def pick(self) -> str | None:
        """Whom the manager names."""
        return self.world.manager.pick()

    def check(self, name: str) -> None:
        """Raise UnknownParticipant where the manager named somebody who does not take part."""
        if name not in self.participants:
            known = ", ".join(self.participants)
            raise UnknownParticipant(f"the manager of workflow {self.name!r} named {name!r}; its participants are {known}")

    async def round(self, run: WorkflowRun, course: Course, name: str) -> None:
        """Let one participant speak to the conversation so far."""
        response = await run.participant(name, course.conversation, shown=self.spec.intermediate_outputs)
        course.rounds += 1
        course.conversation += response.messages

    def out_of_rounds(self, course: Course) -> bool:
        """Whether nobody may speak any more."""
        return self.spec.max_rounds is not None and course.rounds >= self.spec.max_rounds

    def stuck(self, course: Course) -> bool:
        """Note whether there was progress since the last pick; whether there was none too often."""
        course.stalls = course.stalls + 1 if self.world.manager.stalled else max(0, course.stalls - 1)
        return self.spec.max_stalls is not None and course.stalls > self.spec.max_stalls

    def begin_anew(self, course: Course, messages: Sequence[Message]) -> None:
        """Forget what was said: the conversation begins with the input alone."""
        course.conversation = list(messages)
        course.stalls = 0
        course.resets += 1

    def out_of_resets(self, course: Course) -> bool:
        """Whether it began anew too often."""
        return self.spec.max_resets is not None and course.resets > self.spec.max_resets

    def limited(self, run: WorkflowRun, course: Course, limit: str) -> Response:
        """The answer where a limit ends the run, as `limit_answer` declares."""
        if self.policies.limit_answer == "manager":
            return self.conclude(run, course.conversation)
        return _managers(f"the limit of {limit} is reached, and the workflow ends here")

    def conclude(self, run: WorkflowRun, conversation: Sequence[Message]) -> Response:
        """The manager's last word."""
        return _managers(self.world.manager.answer())


class Custom(Workflow):
    """Stage after stage; those in a stage work side by side. Its author's executors complete the run, or do not."""

    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """What the author's executors completed with."""
        conversation = list(messages)
        completions: list[Completion] = []
        for stage in self.spec.stages:
            done = await self.stage(run, stage, tuple(conversation))
            for name in stage:
                if name in self.participants:
                    conversation += [message for response in done[name] for message in response.messages]
                else:
                    completions += [(name, response) for response in done[name]]
        return self.settle(run, completions)

    async def stage(
        self, run: WorkflowRun, stage: Sequence[str], conversation: Sequence[Message]
    ) -> Mapping[str, Sequence[Response]]:
        """One superstep: the response of each participant, the completions of each executor."""

        async def work(name: str) -> Sequence[Response]:
            if name in self.participants:
                return [await run.participant(name, conversation, shown=self.spec.intermediate_outputs)]
            return await self.executor(run, name)

        return await run.side_by_side(stage, work)

    async def executor(self, run: WorkflowRun, name: str) -> Sequence[Response]:
        """Run one executor; what it completes the run with, each time that it does."""
        spec = self.spec.executors[name]
        if spec.asks:
            await run.waiting.ask(name, [Pending(id=name)])
        if self.spec.intermediate_outputs:
            for text in spec.emits:
                run.output(name, _said(text, name))
        if spec.raises is not None:
            raise ExecutorFailed(spec.raises)
        return [_said(text, name) for text in (spec.completes, spec.again) if text is not None]

    def settle(self, run: WorkflowRun, completions: Sequence[Completion]) -> Response | None:
        """One completion a run, whatever the author wrote: several are reported, and the last one counts."""
        if len(completions) > 1:
            names = ", ".join(name for name, _ in completions)
            warnings.warn(f"workflow {self.name!r} is completed several times in one run, by its executors {names}", stacklevel=2)
            for name, response in completions[:-1]:
                run.output(name, response)
                run.overruled += response.messages
        return completions[-1][1] if completions else None


PATTERNS: Mapping[Pattern, type[Workflow]] = {
    "sequential": Sequential,
    "concurrent": Concurrent,
    "handoff": Handoff,
    "group_chat": Managed,
    "magentic": Managed,
    "custom": Custom,
}


@dataclass
class Course:
    """How far a run came. rounds: how many participants spoke. stalls: how much of late went without progress."""

    conversation: list[Message]
    rounds: int = 0
    stalls: int = 0
    resets: int = 0


def _managers(text: str) -> Response:
    return Response(messages=(Message(role="assistant", text=text, author="manager"),))


Completion = tuple[str, Response]
"""The executor that completed the run, and with what."""


def _said(text: str, author: str) -> Response:
    return Response(messages=(Message(role="assistant", text=text, author=author),), author=author)
