"""The executors of an author-written workflow, for `agent-framework`.

No postponed annotations here: the framework reads the types of a handler from its signature.
"""

from agent_framework import AgentResponse, Executor, Message, WorkflowContext, handler

from conformance.scenario import ExecutorSpec

Order = tuple[tuple[str, ...], ...]


class Stages(Executor):
    """Starts stage after stage: the executors of one run side by side, the next stage begins when all of them are done."""

    def __init__(self, stages: Order) -> None:
        super().__init__("stages")
        self._stages = stages
        self._next = 0
        self._running = 0

    @handler
    async def begin(self, messages: list[Message], ctx: WorkflowContext[int, AgentResponse]) -> None:
        """A new run."""
        self._next = self._running = 0
        await self._start(ctx)

    @handler
    async def done(self, executor: str, ctx: WorkflowContext[int, AgentResponse]) -> None:
        """One executor of the stage is done."""
        self._running -= 1
        if self._running == 0:
            await self._start(ctx)

    async def _start(self, ctx: WorkflowContext[int, AgentResponse]) -> None:
        if self._next == len(self._stages):
            return
        stage = self._stages[self._next]
        self._next += 1
        self._running = len(stage)
        for executor in stage:
            await ctx.send_message(self._next, target_id=executor)


class Scripted(Executor):
    """Outputs what its spec says: the framework labels it by the designation of this executor."""

    def __init__(self, id: str, spec: ExecutorSpec) -> None:
        super().__init__(id)
        self._spec = spec

    @handler
    async def work(self, stage: int, ctx: WorkflowContext[str, AgentResponse]) -> None:
        """The executor's part of one stage."""
        texts = self._spec.emits if self._spec.completes is None else (self._spec.completes,)
        for text in texts:
            await ctx.yield_output(AgentResponse(messages=[Message("assistant", [text], author_name=self.id)]))
        await ctx.send_message(self.id)
