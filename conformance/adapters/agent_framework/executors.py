"""The executors of an author-written workflow, for `agent-framework`.

No postponed annotations here: the framework reads the types of a handler from its signature.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agent_framework import AgentExecutorResponse, AgentResponse, Executor, Message, WorkflowContext, handler, response_handler

from conformance.adapter import ExecutorSpec


class ExecutorFailed(Exception):
    """What an executor raises where its scenario says so."""


@dataclass
class Done:
    """An executor has done its part, and says nothing to those who come after it."""


Answer = AgentExecutorResponse | AgentResponse | str | Done
"""What the member of a stage sends on: an agent, a child (each of its outputs, an author's text among them), an executor."""


class Start(Executor):
    """Begins a run: hands the input to the first stage.

    said: the conversation of a run, the author's own: its input, and what agents and children answered, in the order of the spec.
    """

    def __init__(self, said: list[Message]) -> None:
        super().__init__("start")
        self._said = said

    @handler
    async def begin(self, messages: list[Message], ctx: WorkflowContext[list[Message], AgentResponse]) -> None:
        """A new run."""
        self._said[:] = messages
        await ctx.send_message(list(self._said))


class Next(Executor):
    """Stands between two stages: adds what it is sent to the conversation and hands that on, as often as it is called."""

    def __init__(self, number: int, said: list[Message]) -> None:
        super().__init__(f"next-{number}")
        self._said = said

    @handler
    async def answered(self, answer: Answer, ctx: WorkflowContext[list[Message]]) -> None:
        """The one member of a stage has answered."""
        await self._go_on([answer], ctx)

    @handler
    async def all_answered(self, answers: list[Answer], ctx: WorkflowContext[list[Message]]) -> None:
        """The members of a stage have answered."""
        await self._go_on(answers, ctx)

    async def _go_on(self, answers: Sequence[Answer], ctx: WorkflowContext[list[Message]]) -> None:
        self._said.extend(message for answer in answers for message in _messages(answer))
        await ctx.send_message(list(self._said))


def _messages(answer: Answer) -> list[Message]:
    if isinstance(answer, AgentExecutorResponse):
        return answer.agent_response.messages
    if isinstance(answer, AgentResponse):
        return answer.messages
    return [Message("assistant", [answer])] if isinstance(answer, str) else []


class Scripted(Executor):
    """Does what its spec says: the framework labels its outputs by the designation of this executor.

    workflow: the name of the workflow that it is in. Ids of requests that hold both names are the same in every performance.
    """

    def __init__(self, id: str, spec: ExecutorSpec, workflow: str) -> None:
        super().__init__(id)
        self._spec = spec
        self._workflow = workflow
        self._asked = 0

    @handler
    async def work(self, messages: list[Message], ctx: WorkflowContext[Done, AgentResponse]) -> None:
        """The executor's part of its stage: at once, or once somebody has answered."""
        if not self._spec.asks:
            await self._go_on(ctx)
            return
        self._asked += 1
        await ctx.request_info("may I go on?", bool, request_id=f"{self._workflow}.{self.id}.{self._asked}")

    @response_handler
    async def answered(self, question: str, approved: bool, ctx: WorkflowContext[Done, AgentResponse]) -> None:
        """A refusal changes nothing."""
        await self._go_on(ctx)

    async def _go_on(self, ctx: WorkflowContext[Done, AgentResponse]) -> None:
        for text in self._spec.emits:
            await self._output(text, ctx)
        if self._spec.raises is not None:
            raise ExecutorFailed(self._spec.raises)
        for text in (self._spec.completes, self._spec.again):
            if text is not None:
                await self._output(text, ctx)
        await ctx.send_message(Done())

    async def _output(self, text: str, ctx: WorkflowContext[Done, AgentResponse]) -> None:
        await ctx.yield_output(AgentResponse(messages=[Message("assistant", [text], author_name=self.id)]))
