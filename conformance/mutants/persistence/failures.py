"""Faults in what is kept of a run in which a service call failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from conformance.implementation import Response
from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import FailingAgent, Front, OrdinaryAgent
from conformance.reference.agent import Agent
from conformance.reference.client import Emit, PersistingClient
from conformance.reference.loop import AnyTool, Loop, Outcome
from conformance.reference.terms import Terms
from conformance.reference.thread import Thread
from conformance.scenario import ToolSpec
from conformance.trace import Message
from conformance.world.chat_service import Reply, Request
from conformance.world.errors import ServiceError, ToolError


class FailedCallStored(Mutant):
    """Per-service-call persistence stores the messages of a call that failed."""

    imitates = "a provider that is notified before the service has answered"
    expected = frozenset({"PER-02", "PER-17", "PER-19", "THR-05", "THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            async def complete(self, request: Request, emit: Emit) -> Reply:
                """Append what is new also where the service fails."""
                try:
                    return await super().complete(request, emit)
                except ServiceError:
                    await self._store.append(list(request.messages))
                    raise


class ServiceErrorReplaced(Mutant):
    """A failing service call ends the run with an error that says nothing of the service's."""

    imitates = "a catch-all around the loop"
    expected = frozenset({"PER-19"})

    class agent_type(Agent):
        """The faulty agent."""

        class loop_type(Loop):
            """The faulty loop."""

            async def run(self, request: Request, emit: Emit) -> Outcome:
                """Hide the cause."""
                try:
                    return await super().run(request, emit)
                except ServiceError:
                    raise RuntimeError("the run failed") from None


class InputOfAFailedRunStored(Mutant):
    """Per-run persistence keeps the input of a run that failed."""

    imitates = "https://github.com/JeffOtano/roni/pull/158"
    expected = frozenset({"PER-20", "THR-05", "THR-28", "THR-33", "THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Store the input all the same."""
            if isinstance(error, ServiceError) and thread.kind == "local" and not self.spec.per_service_call:
                await self.store(thread).append(list(new))
            await super().tell_failure(thread, new, error)


class FailedRunStoredUpToItsFailure(Mutant):
    """Per-run persistence stores of a failed run what came before the call that failed."""

    imitates = "https://github.com/JetBrains/koog/issues/1939"
    expected = frozenset({"PER-20"})

    class agent_type(Agent):
        """The faulty agent."""

        class loop_type(Loop):
            """The loop that tells how far it came."""

            def request(self, first: Request, sent: Sequence[Message], outcome: Outcome) -> Request:
                """Remember what there is."""
                self.came_to = outcome
                return super().request(first, sent, outcome)

            async def run(self, request: Request, emit: Emit) -> Outcome:
                """Hand it over with the error."""
                try:
                    return await super().run(request, emit)
                except ServiceError as error:
                    vars(error)["came_to"] = self.came_to
                    raise

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Store it, where the run came further than its first call."""
            came_to: Outcome | None = vars(error).get("came_to")
            here = thread.kind == "local" and self.spec.history == "provider" and not self.spec.per_service_call
            if here and came_to is not None and came_to.produced and not came_to.adopted:
                await self.persist(self.store(thread), new, came_to)
            await super().tell_failure(thread, new, error)


class FailedInputStoredWithTheNextRun(Mutant):
    """Per-run persistence stores the input of a failed run together with the next one that succeeds."""

    imitates = "https://github.com/google/adk-python/issues/4506"
    expected = frozenset({"PER-01", "PER-22"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        cells = ("M1",)

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


class FailedCallStoredWithTheNextRun(Mutant):
    """Per-service-call persistence stores what was new in a failed call together with the next call that succeeds."""

    imitates = "https://github.com/mastra-ai/mastra/pull/18437"
    expected = frozenset({"PER-22", "PER-17"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        cells = ("M2",)

        class front_type(Front):
            """The store that makes up for failures."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append what did not get through first."""
                failed: tuple[Message, ...] = vars(self.thread).pop("failed", ())
                await super().append([*failed, *messages])

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Note the input of a run whose first call failed."""
            if isinstance(error, ServiceError):
                vars(thread)["failed"] = tuple(new)
            await super().tell_failure(thread, new, error)


class FailedInputSentWithTheNextRun(Mutant):
    """Per-service-call persistence stores nothing of a failed call, but the next run takes its input into its own."""

    imitates = "a queue of messages that only success empties"
    expected = frozenset({"PER-08", "PER-22"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        cells = ("M2",)

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Note what did not get through."""
            if isinstance(error, ServiceError) and self.spec.history == "provider" and self.fronts(thread):
                vars(thread)["queued"] = tuple(new)
            await super().tell_failure(thread, new, error)

        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            """Say it again."""
            queued: tuple[Message, ...] = vars(thread).pop("queued", ()) if self.fronts(thread) else ()
            return await super()._run(thread, (*queued, *new), emit, stream=stream, terms=terms)


class FailedToolLeavesItsCallOpen(Mutant):
    """A tool that raises ends the run with what there was, and its call has no result."""

    imitates = "https://github.com/agentscope-ai/agentscope/pull/1911"
    expected = frozenset({"PER-13", "PER-23"})

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
