"""The five orchestrations and author-written workflows: who speaks when, and what the answer is."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Mapping, Sequence

from conformance.implementation import Response
from conformance.reference.workflow import Workflow, WorkflowRun
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
    """Side by side on the same input. The answer is everyone's response, in the order of the participants."""

    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """Every participant's response messages, each once, in an order that does not depend on who finished first."""
        responses = await self.gather(run, messages)
        return Response(messages=self.aggregate(run, responses))

    async def gather(self, run: WorkflowRun, messages: Sequence[Message]) -> dict[str, Response]:
        """Everyone's response, in the order in which they finished."""
        responses: dict[str, Response] = {}

        async def one(name: str) -> None:
            responses[name] = await run.participant(name, messages, shown=self.spec.intermediate_outputs)
            run.strand_ended()

        run.fork(len(self.spec.participants))
        tasks = [asyncio.create_task(one(name)) for name in self.spec.participants]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        run.join()
        return responses

    def aggregate(self, run: WorkflowRun, responses: Mapping[str, Response]) -> tuple[Message, ...]:
        """The default aggregation."""
        return tuple(message for name in self.spec.participants for message in responses[name].messages)


class Handoff(Workflow):
    """A participant hands over by calling a tool; the run ends when one answers without. The answer is empty."""

    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """Empty: every response was output as intermediate, whatever `intermediate_outputs` says."""
        conversation = list(messages)
        name = self.spec.participants[0]
        while True:
            response = await run.participant(name, conversation, shown=True)
            conversation += [message for message in response.messages if message.text]
            target = self.target(response)
            if target is None:
                return self.completion(response)
            name = target

    def completion(self, last: Response) -> Response:
        """What the run-completed output holds."""
        return Response()

    def target(self, response: Response) -> str | None:
        """The participant that a response hands over to."""
        tools = {self.world.handoff_tool.format(agent=name): name for name in self.participants}
        called = [call.tool for message in response.messages for call in message.calls]
        return next((tools[tool] for tool in reversed(called) if tool in tools), None)

    def streams(self, participant: str) -> bool:
        """Everyone's response is output."""
        return True


class Managed(Workflow):
    """A manager picks who speaks next and gives the answer: group chat and Magentic."""

    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """The manager's summary, completion message or synthesized answer; rounds are intermediate."""
        conversation = list(messages)
        while (name := self.world.manager.pick()) is not None:
            response = await run.participant(name, conversation, shown=self.spec.intermediate_outputs)
            conversation += response.messages
        return self.conclude(run, conversation)

    def conclude(self, run: WorkflowRun, conversation: Sequence[Message]) -> Response:
        """The manager's last word."""
        return Response(messages=(Message(role="assistant", text=self.world.manager.answer(), author="manager"),))


class Custom(Workflow):
    """An author-written workflow: executors in supersteps that output, complete, or do not."""

    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """What the author's executors completed with. Several completions are reported, and only the last one counts."""
        completions: list[tuple[str, Response]] = []
        for stage in self.spec.stages:
            for name in stage:
                executor = self.spec.executors[name]
                if self.spec.intermediate_outputs:
                    for text in executor.emits:
                        run.output(name, _said(text, name))
                if executor.completes is not None:
                    completions.append((name, _said(executor.completes, name)))
        return self.settle(run, completions)

    def settle(self, run: WorkflowRun, completions: Sequence[tuple[str, Response]]) -> Response | None:
        """One completion a run, whatever the author wrote."""
        if len(completions) > 1:
            names = ", ".join(name for name, _ in completions)
            warnings.warn(f"several executors of workflow {self.name!r} complete one run: {names}", stacklevel=2)
            for name, response in completions[:-1]:
                run.output(name, response)
        return completions[-1][1] if completions else None


def _said(text: str, author: str) -> Response:
    return Response(messages=(Message(role="assistant", text=text, author=author),), author=author)


PATTERNS: Mapping[Pattern, type[Workflow]] = {
    "sequential": Sequential,
    "concurrent": Concurrent,
    "handoff": Handoff,
    "group_chat": Managed,
    "magentic": Managed,
    "custom": Custom,
}
