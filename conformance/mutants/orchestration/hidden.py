"""Faults by which work that is to be hidden is shown."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.everywhere import everywhere
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import Response
from conformance.trace.messages import Message


class IntermediatesAlwaysShown(Mutant):
    """Participants' responses are output although `intermediate_outputs` is off."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4580"
    expected = frozenset({"ORC-20", "ORC-23", "ORC-25", "ORC-28"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Show everything."""
                return await super().participant(name, messages, shown=True)

    patterns = everywhere(_Workflow, but={"handoff"})


class HiddenWorkStreamed(Mutant):
    """Streaming shows the chunks of every participant although `intermediate_outputs` is off."""

    imitates = "a switch for outputs that nobody asked for chunks"
    expected = frozenset({"ORC-10", "ORC-20", "ORC-25"})

    class _Workflow(Workflow):
        def streams(self, participant: str) -> bool:
            """Show everybody's."""
            return True

    patterns = everywhere(_Workflow, but={"handoff"})
