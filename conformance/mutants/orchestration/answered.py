"""Faults of what becomes of an answer to a request."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.reference.thread import Thread
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.trace.exchange import Answer, ChunkSeen, Response


class RejectionIsApproval(Mutant):
    """Through a workflow as an agent, a call that was rejected is made all the same."""

    imitates = "an answer whose arrival is noted, and not what it says"
    expected = frozenset({"ORC-27", "ORC-30"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        async def resume(
            self, thread: Thread | None, answers: Sequence[Answer], *, stream: bool
        ) -> AsyncGenerator[ChunkSeen | Response]:
            """Approve."""
            approved = [msgspec.structs.replace(answer, approve=True) for answer in answers]
            async for item in super().resume(thread, approved, stream=stream):
                yield item
