"""Reports of workflows: what participants hear, whether they are asked, and how a run that waits goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TypeVar, cast

from imitation import Imitation, nowhere

from conformance.mutants.orchestration.faulty_parts import signed_by
from conformance.reference.agent import Agent
from conformance.reference.errors import Invalid
from conformance.reference.patterns import PATTERNS, Concurrent, Course, Handoff, Managed, Sequential
from conformance.reference.thread import Thread
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.reference.workflow_run import Nested, Waiting, Work, WorkflowRun
from conformance.trace.exchange import Answer, ChunkSeen, IdleSeen, OutputSeen, Pending, Response, Turn
from conformance.trace.messages import Message
from conformance.vocabulary import Pattern

T = TypeVar("T")


def run_as(run: type[WorkflowRun], kind: type[Workflow]) -> type[Workflow]:
    """A workflow of a kind with runs of this type."""
    return cast("type[Workflow]", type(kind.__name__, (kind,), {"run_type": run}))


def everywhere(run: type[WorkflowRun]) -> Mapping[Pattern, type[Workflow]]:
    """Every pattern with runs of this type."""
    return {pattern: run_as(run, kind) for pattern, kind in PATTERNS.items()}


def has_children(run: WorkflowRun) -> bool:
    """Whether other workflows take part in it."""
    return any(isinstance(each, Workflow) for each in run.workflow.participants.values())


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

    patterns = {**PATTERNS, "sequential": run_as(_Run, _Sequential)}


class IdleAndWipedAway(Imitation):
    """A workflow that waits says that it is idle, and nobody is told of its requests."""

    reports = ("https://github.com/chatml/chatml/pull/1087",)

    class _Run(WorkflowRun):
        def __init__(self, workflow: Work, *, stream: bool) -> None:
            super().__init__(workflow, stream=stream)
            self.waiting = Waiting(lambda _: None, self.suspended, workflow.numbers)

        def suspended(self) -> None:
            self.events.put_nowait(IdleSeen())
            self.events.put_nowait(None)

    patterns = {**PATTERNS, "sequential": run_as(_Run, Sequential)}


class LaterOnesHearTheEnd(Imitation):
    """Everybody in a sequence is sent the last six messages of what was said."""

    reports = ("https://github.com/DamienBench/a2a-mcp-webhook-workshop/issues/40",)

    class _Run(WorkflowRun):
        async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
            return await super().participant(name, messages[-6:], shown=shown)

    patterns = {**PATTERNS, "sequential": run_as(_Run, Sequential)}


class OthersStayAtWork(Imitation):
    """A failure of one of several that work side by side is never heard of."""

    reports = ("https://github.com/aevatarAI/aevatar-station/issues/1489",)

    class _Run(WorkflowRun):
        async def side_by_side(self, names: Sequence[str], work: Callable[[str], Awaitable[T]]) -> dict[str, T]:
            async def endless(name: str) -> T:
                try:
                    return await work(name)
                except Exception:
                    await asyncio.Event().wait()
                    raise

            return await super().side_by_side(names, endless)

    patterns = {**PATTERNS, "concurrent": run_as(_Run, Concurrent)}


class BranchesAreStreamedOnly(Imitation):
    """The answer of a concurrent run that streams is the last participant's."""

    reports = ("https://github.com/caipe-io/ai-platform-engineering/issues/664",)

    class _Concurrent(Concurrent):
        def aggregate(self, run: WorkflowRun, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            if not run.stream or self.spec.aggregates is not None:
                return super().aggregate(run, responses)
            last = [name for name in self.spec.participants if name in responses][-1:]
            return super().aggregate(run, {name: responses[name] for name in last})

    patterns = {**PATTERNS, "concurrent": _Concurrent}


# --- as an agent ---


class StreamedOnceMore(Imitation):
    """A workflow as an agent streams its answer, whoever has streamed it before."""

    reports = ("https://github.com/caipe-io/ai-platform-engineering/pull/801",)

    class _Wrapper(WorkflowAgent):
        def updates(self, run: WorkflowRun, output: OutputSeen) -> Iterator[ChunkSeen]:
            if not (run.stream and output.completed):
                yield from super().updates(run, output)
                return
            for message in output.messages:
                run.streamed.append(message)
                yield ChunkSeen(text=message.text, executor=message.author)

    agent_wrapper = _Wrapper


class BeginsEachTurnAnew(Imitation):
    """A workflow as an agent is told the new input, and nothing of the conversation before."""

    reports = ("https://github.com/openai/chatkit-js/issues/184",)

    class _Wrapper(WorkflowAgent):
        def history(self, thread: Thread | None) -> Sequence[Message]:
            return ()

    agent_wrapper = _Wrapper


# --- requests of children, and answered ones ---


class RefusingFails(Imitation):
    """Refusing what somebody inside of a child asks for fails."""

    reports = ("https://github.com/langchain-ai/deepagents/issues/554",)

    class _Run(WorkflowRun):
        def respond(self, answers: Sequence[Answer], *, stream: bool) -> None:
            if has_children(self) and not all(answer.approve for answer in answers):
                raise Invalid("this answer cannot be handed on")
            super().respond(answers, stream=stream)

    patterns = everywhere(_Run)


class WaitingIsTheEnd(Imitation):
    """A child of which somebody waits for an answer is taken to have ended."""

    reports = ("https://github.com/langgraph4j/langgraph4j/issues/95",)

    class _Nested(Nested):
        async def agent(self, name: str, agent: Agent, messages: Sequence[Message], *, chunks: bool) -> Response:
            thread = self.parent.thread(name)
            return signed_by(await agent.run(thread, Turn(messages=tuple(messages)), nowhere, stream=self.stream), name)

    class _Run(WorkflowRun):
        def inside(self, workflow: Work) -> WorkflowRun:
            return WaitingIsTheEnd._Nested(self, workflow)

    patterns = everywhere(_Run)


class AnswersAreLost(Imitation):
    """An answer to what somebody inside of a child asked reaches nobody."""

    reports = ("https://github.com/mfittko/dev-loops/issues/671",)

    class _Run(WorkflowRun):
        def respond(self, answers: Sequence[Answer], *, stream: bool) -> None:
            if not has_children(self):
                super().respond(answers, stream=stream)

    patterns = everywhere(_Run)


class NobodyIsWoken(Imitation):
    """What somebody inside of a child asks is not told, and the run does not come to rest over it."""

    reports = ("https://github.com/nicobailon/pi-subagents/issues/581",)

    class _Nested(Nested):
        async def agent(self, name: str, agent: Agent, messages: Sequence[Message], *, chunks: bool) -> Response:
            thread = self.parent.thread(name)
            response = await agent.run(thread, Turn(messages=tuple(messages)), nowhere, stream=self.stream)
            while thread.waiting:
                await asyncio.Event().wait()
            return signed_by(response, name)

    class _Run(WorkflowRun):
        def inside(self, workflow: Work) -> WorkflowRun:
            return NobodyIsWoken._Nested(self, workflow)

    patterns = everywhere(_Run)


class AskedAfterTheAnswer(Imitation):
    """When a workflow waits again, requests that were answered before are told once more."""

    reports = ("https://github.com/nicobailon/pi-subagents/issues/393",)

    class _Waiting(Waiting):
        def __init__(self, tell: Callable[[Pending], None], suspended: Callable[[], None], numbers: Iterator[int]) -> None:
            self.told: list[Pending] = []

            def noting(request: Pending) -> None:
                self.told.append(request)
                tell(request)

            super().__init__(noting, suspended, numbers)

        def answer(self, answers: Sequence[Answer]) -> None:
            super().answer(answers)
            answered = {answer.id for answer in answers}
            self._untold += [request for request in self.told if request.id in answered]

    class _Run(WorkflowRun):
        def __init__(self, workflow: Work, *, stream: bool) -> None:
            super().__init__(workflow, stream=stream)
            self.waiting = AskedAfterTheAnswer._Waiting(self.events.put_nowait, self.suspended, workflow.numbers)

    patterns = {**PATTERNS, "sequential": run_as(_Run, Sequential)}
