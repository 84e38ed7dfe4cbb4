"""Benign variants whose workflows go about their work in another way."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Container, Sequence
from contextlib import aclosing

from conformance.mutants.benign.variant import Benign
from conformance.reference.errors import UnknownParticipant
from conformance.reference.implementation import Reference
from conformance.reference.patterns import PATTERNS, Custom, Managed
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import OutputSeen, Response, Turn, WorkflowSeen
from conformance.trace.messages import Message


class CompletesAtOnce(Benign):
    """An author's executor completes the run as soon as it says so, with a bare text. Nobody in a workflow can ask."""

    capabilities = Reference.capabilities - {"workflows.requests"}

    class _Custom(Custom):
        """Does not wait for others."""

        async def executor(self, run: WorkflowRun, name: str) -> Sequence[Response]:
            """Output what it completes with."""
            completions = await super().executor(run, name)
            for response in completions if not run.nested else ():
                said = tuple(Message(role=each.role, text=each.text) for each in response.messages)
                run.events.put_nowait(OutputSeen(executor=name, completed=True, payload="text", messages=said))
            return completions

        def settle(self, run: WorkflowRun, completions: Sequence[tuple[str, Response]]) -> Response | None:
            """Report several; all of them were output."""
            if len(completions) > 1:
                run.overruled += [message for _, response in completions[:-1] for message in response.messages]
                names = ", ".join(name for name, _ in completions)
                warnings.warn(f"workflow {self.name!r} is completed several times, by {names}", stacklevel=2)
            return completions[-1][1] if completions else None

        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Report that nobody completed it; otherwise it is done."""
            if answer is None:
                super().complete(run, answer)

    patterns = {**PATTERNS, "custom": _Custom}


class ShowsStreamsAsChunks(Benign):
    """In a stream no response of a participant is output as a whole, but the answer. Nobody in a workflow can ask."""

    capabilities = Reference.capabilities - {"workflows.requests"}

    def run_workflow(self, workflow: Workflow, turn: Turn, *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Run a workflow."""
        events = workflow.start(turn, stream=stream)
        return _but_for_responses(events, workflow.participants) if stream else events


class EndsWithStrangers(Benign):
    """A run whose manager names somebody unknown ends with a notice of it."""

    class _Managed(Managed):
        """Says whom it does not know."""

        async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
            """The manager's word, or the notice."""
            try:
                return await super().answer(run, messages)
            except UnknownParticipant as error:
                return Response(messages=(Message(role="assistant", text=str(error), author="manager"),))

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class LetsTheFirstComplete(Benign):
    """Of several completions by an author's executors the first one is the answer; the others are reported, and left out."""

    class _Custom(Custom):
        """Takes the first."""

        def settle(self, run: WorkflowRun, completions: Sequence[tuple[str, Response]]) -> Response | None:
            """Report several."""
            if len(completions) > 1:
                names = ", ".join(name for name, _ in completions)
                warnings.warn(f"workflow {self.name!r} is completed several times, by {names}", stacklevel=2)
            return completions[0][1] if completions else None

    patterns = {**PATTERNS, "custom": _Custom}


async def _but_for_responses(
    events: AsyncGenerator[WorkflowSeen], participants: Container[str | None]
) -> AsyncGenerator[WorkflowSeen]:
    """Events without the intermediate outputs of participants."""
    async with aclosing(events):
        async for event in events:
            if not (isinstance(event, OutputSeen) and not event.completed and event.executor in participants):
                yield event
