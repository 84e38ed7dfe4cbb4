"""Faults in what is kept of a run in which a service call failed."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import FailingAgent, Front
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.loop import Loop, Outcome
from conformance.reference.thread import Thread
from conformance.trace.messages import Message
from conformance.world.chat_service import Request
from conformance.world.errors import ServiceError


class FailedCallStored(Mutant):
    """Per-service-call persistence stores the input of a run whose first call failed."""

    imitates = "https://github.com/marcominerva/ChatGptNet/issues/13"
    expected = frozenset({"PER-17", "PER-19"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        cells = ("M2",)

        class front_type(Front):
            """The store that tells whether it was used."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Note it."""
                vars(self.thread)["appended"] = True
                await super().append(messages)

        async def invoke(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            """Nothing is appended yet."""
            vars(thread)["appended"] = False
            return await super().invoke(thread, new)

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Append the input all the same."""
            here = thread.kind == "local" and self.spec.history == "provider" and self.fronts(thread)
            if isinstance(error, ServiceError) and here and not vars(thread)["appended"]:
                await self.store(thread).append(new)
            await super().tell_failure(thread, new, error)


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
    expected = frozenset({"PER-20", "THR-05", "THR-28"})

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
