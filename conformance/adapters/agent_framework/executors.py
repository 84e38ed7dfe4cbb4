"""The executors of an author-written workflow, for `agent-framework`.

No postponed annotations here: the framework reads the types of a handler from its signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent_framework import (
    AgentExecutorRequest,
    AgentExecutorResponse,
    AgentResponse,
    Executor,
    Message,
    WorkflowContext,
    handler,
    response_handler,
)

from conformance.adapter import ExecutorSpec

Order = tuple[tuple[str, ...], ...]


class ExecutorFailed(Exception):
    """What an executor raises where its scenario says so."""


@dataclass
class Over:
    """Everybody in a stage has answered."""

    stage: int


class Stages(Executor):
    """Starts stage after stage: its members work side by side, the next stage begins when all of them have answered.

    Executors are told which stage it is; agents and children get the run's input and what agents and children of earlier stages
    answered, in the order of the spec. A child answers by messages, as many as it has outputs of its own, all in one superstep, and
    nothing says which is the last one: so the next stage begins a superstep later (`Pause`).
    """

    def __init__(self, stages: Order, agents: Sequence[str], children: Sequence[str]) -> None:
        super().__init__("stages")
        self._stages = stages
        self._agents = frozenset(agents)
        self._children = frozenset(children)
        self._input: list[Message] = []
        self._answers: dict[str, list[Message]] = {}
        self._next = 0
        self._working: set[str] = set()

    @handler
    async def begin(
        self, messages: list[Message], ctx: WorkflowContext[int | AgentExecutorRequest | list[Message] | Over, AgentResponse]
    ) -> None:
        """A new run."""
        self._input, self._answers, self._next = list(messages), {}, 0
        await self._start(ctx)

    @handler
    async def worked(self, executor: str, ctx: WorkflowContext[Over, AgentResponse]) -> None:
        """An executor is done."""
        await self._answered(executor, [], ctx)

    @handler
    async def agent_answered(self, response: AgentExecutorResponse, ctx: WorkflowContext[Over, AgentResponse]) -> None:
        """An agent has answered."""
        await self._answered(response.executor_id, response.agent_response.messages, ctx)

    @handler
    async def child_answered(self, response: AgentResponse, ctx: WorkflowContext[Over, AgentResponse]) -> None:
        """A child has answered."""
        await self._answered(ctx.get_source_executor_id(), response.messages, ctx)

    @handler
    async def over(
        self, over: Over, ctx: WorkflowContext[int | AgentExecutorRequest | list[Message] | Over, AgentResponse]
    ) -> None:
        """A stage is over."""
        await self._start(ctx)

    async def _answered(self, member: str, messages: Sequence[Message], ctx: WorkflowContext[Over, AgentResponse]) -> None:
        self._answers.setdefault(member, []).extend(messages)
        if member in self._working:
            self._working.remove(member)
            if not self._working:
                await ctx.send_message(Over(self._next))

    async def _start(self, ctx: WorkflowContext[int | AgentExecutorRequest | list[Message] | Over, AgentResponse]) -> None:
        if self._next == len(self._stages):
            return
        earlier = [member for stage in self._stages[: self._next] for member in stage]
        conversation = [*self._input, *(message for member in earlier for message in self._answers.get(member, []))]
        stage = self._stages[self._next]
        self._next += 1
        self._working = set(stage)
        for member in stage:
            if member in self._agents:
                await ctx.send_message(AgentExecutorRequest(messages=list(conversation)), target_id=member)
            elif member in self._children:
                await ctx.send_message(list(conversation), target_id=member)
            else:
                await ctx.send_message(self._next, target_id=member)


class Pause(Executor):
    """Lets a superstep pass before a stage is over."""

    def __init__(self) -> None:
        super().__init__("pause")

    @handler
    async def wait(self, over: Over, ctx: WorkflowContext[Over]) -> None:
        """Hand it back."""
        await ctx.send_message(over)


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
    async def work(self, stage: int, ctx: WorkflowContext[str, AgentResponse]) -> None:
        """The executor's part of one stage: at once, or once somebody has answered."""
        if not self._spec.asks:
            await self._go_on(ctx)
            return
        self._asked += 1
        await ctx.request_info("may I go on?", bool, request_id=f"{self._workflow}.{self.id}.{self._asked}")

    @response_handler
    async def answered(self, question: str, approved: bool, ctx: WorkflowContext[str, AgentResponse]) -> None:
        """A refusal changes nothing."""
        await self._go_on(ctx)

    async def _go_on(self, ctx: WorkflowContext[str, AgentResponse]) -> None:
        for text in self._spec.emits:
            await self._output(text, ctx)
        if self._spec.raises is not None:
            raise ExecutorFailed(self._spec.raises)
        for text in (self._spec.completes, self._spec.again):
            if text is not None:
                await self._output(text, ctx)
        await ctx.send_message(self.id)

    async def _output(self, text: str, ctx: WorkflowContext[str, AgentResponse]) -> None:
        await ctx.yield_output(AgentResponse(messages=[Message("assistant", [text], author_name=self.id)]))
