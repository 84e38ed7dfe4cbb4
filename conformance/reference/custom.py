"""Author-written workflows: executors and participants in supersteps."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

from conformance.implementation import Pending, Response
from conformance.reference.errors import ExecutorFailed
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace import Message

Completion = tuple[str, Response]
"""The executor that completed the run, and with what."""


class Custom(Workflow):
    """Stage after stage; those in a stage work side by side. Its author's executors complete the run, or do not."""

    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """What the author's executors completed with."""
        conversation = list(messages)
        completions: list[Completion] = []
        for stage in self.spec.stages:
            done = await self.stage(run, stage, tuple(conversation))
            for name in stage:
                if name in self.participants:
                    conversation += [message for response in done[name] for message in response.messages]
                else:
                    completions += [(name, response) for response in done[name]]
        return self.settle(run, completions)

    async def stage(
        self, run: WorkflowRun, stage: Sequence[str], conversation: Sequence[Message]
    ) -> Mapping[str, Sequence[Response]]:
        """One superstep: the response of each participant, the completions of each executor."""

        async def work(name: str) -> Sequence[Response]:
            if name in self.participants:
                return [await run.participant(name, conversation, shown=self.spec.intermediate_outputs)]
            return await self.executor(run, name)

        return await run.side_by_side(stage, work)

    async def executor(self, run: WorkflowRun, name: str) -> Sequence[Response]:
        """Run one executor; what it completes the run with, each time that it does."""
        spec = self.spec.executors[name]
        if spec.asks:
            await run.waiting.ask(name, [Pending(id=name)])
        if self.spec.intermediate_outputs:
            for text in spec.emits:
                run.output(name, _said(text, name))
        if spec.raises is not None:
            raise ExecutorFailed(spec.raises)
        return [_said(text, name) for text in (spec.completes, spec.again) if text is not None]

    def settle(self, run: WorkflowRun, completions: Sequence[Completion]) -> Response | None:
        """One completion a run, whatever the author wrote: several are reported, and the last one counts."""
        if len(completions) > 1:
            names = ", ".join(name for name, _ in completions)
            warnings.warn(f"workflow {self.name!r} is completed several times in one run, by its executors {names}", stacklevel=2)
            for name, response in completions[:-1]:
                run.output(name, response)
        return completions[-1][1] if completions else None


def _said(text: str, author: str) -> Response:
    return Response(messages=(Message(role="assistant", text=text, author=author),), author=author)
