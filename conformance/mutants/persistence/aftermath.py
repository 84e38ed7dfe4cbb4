"""Faults in what a run stores after one that failed, and where a tool raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import FailingAgent, Front, OrdinaryAgent
from conformance.reference.client import Emit
from conformance.reference.loop import AnyTool, Loop, Outcome
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.scenario.specs import ToolSpec
from conformance.trace.exchange import Response
from conformance.trace.messages import Message
from conformance.world.chat_service import Request
from conformance.world.errors import ServiceError, ToolError


class _MakesUp(FailingAgent):
    """An agent that appends what a failed call did not get through, together with what comes next."""

    class front_type(Front):
        """The store that makes up for failures."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what did not get through first."""
            failed: tuple[Message, ...] = vars(self.thread).pop("failed", ())
            await super().append([*failed, *messages])

    async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
        """Note what did not get through."""
        if isinstance(error, ServiceError):
            vars(thread)["failed"] = tuple(new)
        await super().tell_failure(thread, new, error)


class FailedInputStoredWithTheNextRun(Mutant):
    """Per-run persistence stores the input of a failed run together with the next one that succeeds."""

    imitates = "https://github.com/google/adk-python/issues/4506"
    expected = frozenset({"PER-01", "PER-22", "THR-05"})

    class agent_type(_MakesUp):
        """The faulty agent."""

        cells = ("M1",)


class FailedCallStoredWithTheNextRun(Mutant):
    """Per-service-call persistence stores what was new in a failed call together with the next call that succeeds."""

    imitates = "https://github.com/mastra-ai/mastra/pull/18437"
    expected = frozenset({"PER-09", "PER-17", "PER-19", "PER-22"})

    class agent_type(_MakesUp):
        """The faulty agent."""

        cells = ("M2",)


class FailedInputSentWithTheNextRun(Mutant):
    """Per-service-call persistence stores nothing of a failed call, but the next run takes its input into its own."""

    imitates = "a queue of messages that only success empties"
    expected = frozenset({"PER-08", "PER-09", "PER-17", "PER-19", "PER-22", "THR-05", "THR-10"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        cells = ("M2",)

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Note what did not get through."""
            here = self.spec.history == "provider" and thread.kind == "local" and self.fronts(thread)
            if isinstance(error, ServiceError) and here:
                vars(thread)["queued"] = tuple(new)
            await super().tell_failure(thread, new, error)

        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            """Say it again."""
            queued: tuple[Message, ...] = vars(thread).pop("queued", ()) if self.fronts(thread) else ()
            return await super()._run(thread, (*queued, *new), emit, stream=stream, terms=terms)


class FailedToolLeavesItsCallOpen(Mutant):
    """A tool that raises ends the run with what there was, and its call has no result."""

    imitates = "https://github.com/agentscope-ai/agentscope/pull/1911"
    expected = frozenset({"PER-01", "PER-03", "PER-13", "PER-23", "THR-05"})

    class agent_type(OrdinaryAgent):
        """The faulty agent."""

        def special(self, tool: ToolSpec) -> bool:
            """Raising is not."""
            return tool.terminates or tool.approval

        def tools_of(self, thread: Thread) -> Mapping[str, AnyTool]:
            """Let errors of tools go through the loop."""
            tools = super().tools_of(thread)
            return {name: cast("AnyTool", _Fatal(tool)) for name, tool in tools.items()} if self.fronts(thread) else tools

        class loop_type(Loop):
            """The faulty loop."""

            async def run(self, request: Request, emit: Emit) -> Outcome:
                """Take an error of a tool for the end."""
                try:
                    return await super().run(request, emit)
                except _ToolFailed:
                    return self.came_to

            def request(self, first: Request, sent: Sequence[Message], outcome: Outcome) -> Request:
                """Remember what there is."""
                self.came_to = outcome
                return super().request(first, sent, outcome)


class _ToolFailed(Exception):
    """A tool raised."""


class _Fatal:
    def __init__(self, inner: AnyTool) -> None:
        self.spec = inner.spec
        self._inner = inner

    async def __call__(self, **arguments: Any) -> str:
        """Run the tool."""
        try:
            return await self._inner(**arguments)
        except ToolError as error:
            raise _ToolFailed from error
