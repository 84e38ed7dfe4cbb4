"""Reports of workflows: what participants hear, whether they are asked, and how a run that waits goes on."""

from __future__ import annotations

from collections.abc import Sequence

from imitation import Imitation

from conformance.reference.patterns import PATTERNS, Course, Handoff, Managed, Sequential
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import Waiting, WorkflowRun
from conformance.trace.exchange import Answer, IdleSeen, Response
from conformance.trace.messages import Message


class OnlyTheLastMessage(Imitation):
    """Who takes over in a handoff is sent the last message alone."""

    reports = ("https://github.com/midday-ai/ai-sdk-tools/pull/52",)

    class _Handoff(Handoff):
        async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
            conversation, name = list(messages), self.first()
            response = Response()
            while name is not None:
                response = await run.participant(name, conversation, shown=True)
                conversation = list(response.messages[-1:])
                name = self.successor(name, response)
            return self.completion(response)

    patterns = {**PATTERNS, "handoff": _Handoff}


class NobodyTakesOver(Imitation):
    """A reply that hands over ends the run."""

    reports = ("https://github.com/prathyushnallamothu/swarmgo/issues/30",)

    class _Handoff(Handoff):
        def successor(self, participant: str, response: Response) -> str | None:
            return None

    patterns = {**PATTERNS, "handoff": _Handoff}


class EverybodyHearsTheInput(Imitation):
    """Everybody in a sequence is sent the input, and not what others said."""

    reports = ("https://github.com/alibaba/spring-ai-alibaba/issues/3108",)

    class _Sequential(Sequential):
        async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
            response = Response()
            for name in self.spec.participants:
                response = await run.participant(name, messages, shown=self.spec.intermediate_outputs)
            return response

    patterns = {**PATTERNS, "sequential": _Sequential}


class FirstHearsNothing(Imitation):
    """Whoever speaks first in a group chat is sent nothing."""

    reports = ("https://github.com/AlignmentResearch/AttemptPersuadeEval/issues/11",)

    class _Managed(Managed):
        async def round(self, run: WorkflowRun, course: Course, name: str) -> None:
            if course.rounds:
                await super().round(run, course, name)
                return
            response = await run.participant(name, (), shown=self.spec.intermediate_outputs)
            course.rounds += 1
            course.conversation += response.messages

    patterns = {**PATTERNS, "group_chat": _Managed}


class DoneOnceMore(Imitation):
    """When a sequence that waited goes on, those who had answered before work once more."""

    reports = ("https://github.com/anthropics/claude-code/issues/67768",)

    class _Run(WorkflowRun):
        answered = False

        def respond(self, answers: Sequence[Answer], *, stream: bool) -> None:
            self.answered = True
            super().respond(answers, stream=stream)

    class _Sequential(Sequential):
        async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
            conversation, done = list(messages), list[str]()
            response = Response()
            for name in self.spec.participants:
                response = await run.participant(name, conversation, shown=self.spec.intermediate_outputs)
                if vars(run).pop("answered", False):
                    for earlier in done:
                        await run.participant(earlier, messages, shown=False)
                conversation += response.messages
                done.append(name)
            return response

    _Sequential.run_type = _Run
    patterns = {**PATTERNS, "sequential": _Sequential}


class IdleAndWipedAway(Imitation):
    """A workflow that waits says that it is idle, and nobody is told of its requests."""

    reports = ("https://github.com/chatml/chatml/pull/1087",)

    class _Run(WorkflowRun):
        def __init__(self, workflow: Workflow, *, stream: bool) -> None:
            super().__init__(workflow, stream=stream)
            self.waiting = Waiting(lambda _: None, self.suspended, workflow.numbers)

        def suspended(self) -> None:
            self.events.put_nowait(IdleSeen())
            self.events.put_nowait(None)

    class _Sequential(Sequential):
        pass

    _Sequential.run_type = _Run
    patterns = {**PATTERNS, "sequential": _Sequential}
