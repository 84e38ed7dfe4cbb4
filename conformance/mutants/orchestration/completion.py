"""Orchestration, completion: faults that the rules of this section are the first to name."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.faulty_parts import Direct, everywhere, responds, streams
from conformance.mutants.overrides import aside, where
from conformance.reference.agent import Agent
from conformance.reference.client import Emit, LeafClient
from conformance.reference.errors import Invalid
from conformance.reference.patterns import PATTERNS, Completion, Concurrent, Custom, Handoff, Sequential
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import Answer, ChunkSeen, FailedSeen, IdleSeen, OutputSeen, Pending, Response, Turn, WorkflowSeen
from conformance.trace.messages import Message
from conformance.world.chat_service import Reply, Request


class EveryResponseIsFinal(Mutant):
    """Every response in a handoff is output as run-completed, as if whoever answers were the last one."""

    breaks = "ORC-01/several completions"
    imitates = "https://github.com/google/adk-python/issues/2778"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-04", "ORC-05", "ORC-11", "ORC-12", "ORC-15", "ORC-21"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
                """Mark everything."""
                super().output(executor, response, completed=True)

    patterns = {**PATTERNS, "handoff": _Handoff}


class LastChunkIsTheAnswer(Mutant):
    """A sequential or concurrent run that streams answers with the last chunk of the answer."""

    breaks = "ORC-09/not whole"
    imitates = "https://github.com/monoes/monomind/issues/245"
    expected = frozenset({"ORC-09", "ORC-10", "ORC-13", "ORC-14", "ORC-19"})

    class _Workflow(Direct):
        @where(lambda _, given: given["stream"])
        async def start(self, turn: Turn, *, stream: bool) -> AsyncGenerator[WorkflowSeen]:
            """Take for the answer what came last."""
            text: str | None = None
            async with aclosing(super().start(turn, stream=stream)) as events:
                async for event in events:
                    if isinstance(event, ChunkSeen) and event.executor == self.spec.participants[-1]:
                        text = event.text
                    answers = isinstance(event, OutputSeen) and event.completed and self.flat and self.spec.aggregates is None
                    if isinstance(event, OutputSeen) and answers and text is not None:
                        *others, last = event.messages
                        cut = (*others, msgspec.structs.replace(last, text=text))
                        yield msgspec.structs.replace(event, messages=cut)
                    else:
                        yield event

    patterns = everywhere(_Workflow, but={"handoff", "group_chat", "magentic", "custom"})


class EmptyTextIsNoAnswer(Mutant):
    """A sequential run whose answer ends with an empty text does not complete."""

    breaks = "ORC-01/no completion"
    imitates = "https://github.com/langchain-ai/langgraph-supervisor-py/issues/201"
    expected = frozenset({"ORC-01", "ORC-03", "ORC-09", "ORC-23", "ORC-25", "ORC-38", "ORC-50"})

    class _Sequential(Sequential):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Complete where something was said last."""
            said = answer is not None and bool(answer.messages) and bool(answer.messages[-1].text)
            super().complete(run, answer if said else None)

    patterns = {**PATTERNS, "sequential": _Sequential}


class OutputAfterTheCompletion(Mutant):
    """With intermediate outputs on, the answering participant's response is output after the completion."""

    breaks = "ORC-02/output"
    imitates = "https://github.com/microsoft/agent-framework/issues/4580"
    expected = frozenset({"ORC-02", "ORC-21"})

    class _Sequential(Sequential):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Output the answer once more."""
            super().complete(run, answer)
            if answer is not None and self.spec.intermediate_outputs:
                run.output(self.spec.participants[-1], answer)

    patterns = {**PATTERNS, "sequential": _Sequential}


class NoSignal(Mutant):
    """Nothing tells the run-completed output from other outputs: a consumer has to take the last one for it."""

    breaks = "ORC-03/no signal"
    imitates = "https://github.com/google/adk-python/issues/412"
    expected = frozenset({"ORC-03", "ORC-24"})

    class _Sequential(Sequential):
        class run_type(WorkflowRun):
            """The faulty run."""

            def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
                """Mark nothing."""
                super().output(executor, response)

    patterns = {**PATTERNS, "sequential": _Sequential}

    def __init__(self, **policies: Any) -> None:
        super().__init__(**{**policies, "completion_signal": "none"})


class ChunksAreFinal(Mutant):
    """The chunks of an answer are marked as run-completed."""

    breaks = "ORC-09/signal on a chunk"
    imitates = "https://github.com/microsoft/agent-framework/pull/5301"
    expected = frozenset({"ORC-03", "ORC-09"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            @where(lambda run, _: run.stream)
            async def follow(self) -> AsyncGenerator[WorkflowSeen]:
                """Mark the chunks of whoever answers."""
                async with aclosing(super().follow()) as events:
                    async for event in events:
                        final = isinstance(event, ChunkSeen) and self.workflow.streams(event.executor or "")
                        yield msgspec.structs.replace(event, completed=True) if final else event

    patterns = everywhere(_Workflow, but={"handoff", "group_chat", "magentic", "custom"})


class LateChunk(Mutant):
    """The last chunk of an answer arrives after the run-completed output."""

    breaks = "ORC-02/chunk"
    imitates = "https://github.com/logancyang/obsidian-copilot/pull/2561"
    expected = frozenset({"ORC-02"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            @where(lambda run, _: run.stream)
            async def follow(self) -> AsyncGenerator[WorkflowSeen]:
                """Hold back the latest chunk."""
                held: Sequence[WorkflowSeen] = ()
                released: Sequence[WorkflowSeen]
                async with aclosing(super().follow()) as events:
                    async for event in events:
                        if isinstance(event, ChunkSeen):
                            released, held = held, (event,)
                        elif isinstance(event, OutputSeen) and event.completed:
                            released, held = (event, *held), ()
                        else:
                            released, held = (*held, event), ()
                        for each in released:
                            yield each

    patterns = everywhere(_Workflow, but={"handoff", "group_chat", "magentic", "custom"})


class SeveralCompletionsPassUnnoticed(Mutant):
    """An author-written workflow in which several executors complete goes without a warning."""

    breaks = "ORC-07/no warning"
    imitates = "a flag that nothing checks"
    expected = frozenset({"ORC-07"})

    class _Custom(Custom):
        def settle(self, run: WorkflowRun, completions: Sequence[Completion]) -> Response | None:
            """Take the last one."""
            return completions[-1][1] if completions else None

    patterns = {**PATTERNS, "custom": _Custom}


class WarningNamesNobody(Mutant):
    """That several executors of an author-written workflow complete is warned of without a name."""

    breaks = "ORC-07/not named"
    imitates = "a warning that is of no help: nothing in it says where to look"
    expected = frozenset({"ORC-07"})

    class _Custom(Custom):
        def settle(self, run: WorkflowRun, completions: Sequence[Completion]) -> Response | None:
            """Take the last one, and warn."""
            if len(completions) > 1:
                warnings.warn("a workflow is completed several times in one run", stacklevel=2)
            return super().settle(run, completions[-1:])

    patterns = {**PATTERNS, "custom": _Custom}


class NamesRunTogether(Mutant):
    """The warning of several completions runs the names of their executors together: none of them can be read."""

    breaks = "ORC-07/not named"
    imitates = "a list of names that is printed without separators"
    expected = frozenset({"ORC-07"})

    class _Custom(Custom):
        def settle(self, run: WorkflowRun, completions: Sequence[Completion]) -> Response | None:
            """Take the last one, and warn."""
            if len(completions) > 1:
                warnings.warn(f"completed by {'x'.join(name for name, _ in completions)}x", stacklevel=2)
            return super().settle(run, completions[-1:])

    patterns = {**PATTERNS, "custom": _Custom}


class OneAfterAnotherUnnoticed(Mutant):
    """Several completions are noticed only where they come from one superstep."""

    breaks = "ORC-07/no warning"
    imitates = "https://github.com/shanevcantwell/langgraph-agentic-scaffold/issues/142"
    expected = frozenset({"ORC-07"})

    class _Custom(Custom):
        def settle(self, run: WorkflowRun, completions: Sequence[Completion]) -> Response | None:
            """Look at the last superstep that completed alone."""
            last = next((stage for stage in self.spec.stages if completions and completions[-1][0] in stage), ())
            return super().settle(run, [(name, response) for name, response in completions if name in last])

    patterns = {**PATTERNS, "custom": _Custom}


class AgainUnnoticed(Mutant):
    """An executor of an author-written workflow that completes twice is counted once."""

    breaks = "ORC-07/no warning"
    imitates = "completions that are counted by the names of their executors"
    expected = frozenset({"ORC-07"})

    class _Custom(Custom):
        def settle(self, run: WorkflowRun, completions: Sequence[Completion]) -> Response | None:
            """Keep one of each executor."""
            return super().settle(run, list(dict(completions).items()))

    patterns = {**PATTERNS, "custom": _Custom}


class EndsSilently(Mutant):
    """An author-written workflow that ends without completing is not reported."""

    breaks = "ORC-08/not reported"
    imitates = "https://github.com/microsoft/agent-framework/issues/1730"
    expected = frozenset({"ORC-08"})

    class _Custom(Custom):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Complete where there is an answer."""
            if answer is not None:
                super().complete(run, answer)

    patterns = {**PATTERNS, "custom": _Custom}


class FailureCompletes(Mutant):
    """Where a participant of a sequential run fails, the run completes with nothing, and nobody hears of the error."""

    breaks = "ORC-05/not raised"
    imitates = "https://github.com/microsoft/agent-framework/issues/7496"
    expected = frozenset({"ORC-05", "ORC-33", "ORC-43"})

    class _Sequential(Sequential):
        async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
            """Answer with nothing where it fails."""
            try:
                return await super().answer(run, messages)
            except Exception:
                return Response()

    patterns = {**PATTERNS, "sequential": _Sequential}


class FailureAndCompletion(Mutant):
    """A run that fails emits an empty run-completed output, and then its error; a concurrent one does not."""

    breaks = "ORC-05/both"
    imitates = "https://github.com/agentscope-ai/agentscope-java/issues/2642"
    expected = frozenset({"ORC-04", "ORC-05", "ORC-43"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def follow(self) -> AsyncGenerator[WorkflowSeen]:
                """Complete on the way out."""
                try:
                    async with aclosing(super().follow()) as events:
                        async for event in events:
                            yield event
                except Exception:
                    yield OutputSeen(executor=self.workflow.name, completed=True)
                    raise

    patterns = everywhere(_Workflow, but={"concurrent"})


class ErrorSwallowed(Mutant):
    """Where a participant fails, the run is idle, with no run-completed output and no error; a concurrent one is not."""

    breaks = "ORC-05/not raised"
    imitates = "https://github.com/microsoft/autogen/pull/5716"
    expected = frozenset({"ORC-01", "ORC-03", "ORC-04", "ORC-05", "ORC-08", "ORC-15", "ORC-39", "ORC-43", "ORC-50"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def follow(self) -> AsyncGenerator[WorkflowSeen]:
                """Drop the error."""
                try:
                    async with aclosing(super().follow()) as events:
                        async for event in events:
                            yield event
                except Exception:
                    yield IdleSeen()

    patterns = everywhere(_Workflow, but={"concurrent"})


class FailureTakesOutputsBack(Mutant):
    """A run that fails drops what was output before the failure: it is held back until the run rests."""

    breaks = "ORC-05/withdrawn"
    imitates = "https://github.com/openai/openai-agents-python/issues/719"
    expected = frozenset({"ORC-05"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def follow(self) -> AsyncGenerator[WorkflowSeen]:
                """Hold everything back."""
                held: list[WorkflowSeen] = []
                async with aclosing(super().follow()) as events:
                    async for event in events:
                        if isinstance(event, FailedSeen):
                            held.clear()
                        held.append(event)
                        if isinstance(event, (IdleSeen, FailedSeen, Pending)):
                            for each in held:
                                yield each
                            held.clear()

    patterns = everywhere(_Workflow)


class FailedRunsAnswersStay(Mutant):
    """What participants of a concurrent run said before another one failed comes in front of the next run's answer."""

    breaks = "ORC-06/leaked"
    imitates = "https://github.com/microsoft/agent-framework/issues/7859"
    expected = frozenset({"ORC-06", "ORC-11", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28", "ORC-44"})

    class _Concurrent(Concurrent):
        left: tuple[Message, ...] = ()

        async def gather(self, run: WorkflowRun, messages: Sequence[Message]) -> dict[str, Response]:
            """Keep what was said where one fails."""
            try:
                return await super().gather(run, messages)
            except Exception:
                self.left = (*self.left, *run.said)
                raise

        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Answer with what was kept, too."""
            left, self.left = self.left, ()
            super().complete(run, Response(messages=(*left, *(answer or Response()).messages)))

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class DoneForEver(Mutant):
    """That a handoff is done is noted on the workflow and never reset: its second run works, but does not complete."""

    breaks = "ORC-06/no completion"
    imitates = "https://github.com/microsoft/autogen/pull/4126"
    expected = frozenset({"ORC-01", "ORC-03", "ORC-04", "ORC-06", "ORC-09", "ORC-15", "ORC-38"})

    class _Handoff(Handoff):
        done = False

        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Complete once and for all."""
            if not self.done:
                super().complete(run, answer)
            self.done = True

    patterns = {**PATTERNS, "handoff": _Handoff}


class _LosingClient(LeafClient):
    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Hand out each chunk when there is another one."""
        held: list[str] = []

        async def late(text: str) -> None:
            held.append(text)
            if len(held) > 1:
                await emit(held[-2])

        return await super().complete(request, late)


class LastChunkLost(Mutant):
    """The last chunk of a text is not shown."""

    breaks = "ORC-09/other chunks"
    imitates = "https://github.com/logancyang/obsidian-copilot/pull/2561"
    expected = frozenset({"ORC-05", "ORC-09", "ORC-15", "ORC-25"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            @where(lambda run, given: given["chunks"] and streams(run.workflow.world.scenario))
            async def agent(self, name: str, agent: Agent, messages: Sequence[Message], *, chunks: bool) -> Response:
                """Let each chunk wait for the next one."""
                losing = type(agent)(agent.setting, replace(agent.parts, leaf=_LosingClient))
                return await super().agent(name, losing, messages, chunks=chunks)

    patterns = everywhere(_Workflow)


class WholeTextAfterItsChunks(Mutant):
    """After the chunks of a response its texts come whole, each as one more chunk."""

    breaks = "ORC-09/other chunks"
    imitates = "https://github.com/microsoft/agent-framework/pull/365"
    expected = frozenset({"ORC-09", "ORC-15", "ORC-25"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            @where(lambda run, given: given["chunks"] and streams(run.workflow.world.scenario))
            async def agent(self, name: str, agent: Agent, messages: Sequence[Message], *, chunks: bool) -> Response:
                """Show the last update too, which holds all that came before it."""
                response = await super().agent(name, agent, messages, chunks=chunks)
                for message in response.messages:
                    if self.stream and message.text:
                        self.events.put_nowait(ChunkSeen(text=message.text, executor=name))
                return response

    patterns = everywhere(_Workflow)


class StreamedTextsOnly(Mutant):
    """Streaming, the answer of a concurrent run holds no calls and no results."""

    breaks = "ORC-10/missing"
    imitates = "https://github.com/microsoft/agent-framework/issues/3970"
    expected = frozenset({"ORC-10", "ORC-14", "ORC-19"})

    class _Concurrent(Direct, Concurrent):
        @where(lambda _, given: given["run"].stream)
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Make the answer of texts."""
            if answer is not None and self.direct and self.flat:
                texts = tuple(message for message in answer.messages if message.text or not (message.calls or message.results))
                answer = msgspec.structs.replace(answer, messages=texts)
            super().complete(run, answer)

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class CompletesAtTheFirstIdle(Mutant):
    """A handoff that comes to rest with a pending request emits a run-completed output."""

    breaks = "ORC-04/completed early"
    imitates = "idle taken for done"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-04", "ORC-05", "ORC-15", "ORC-21"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            def suspended(self) -> None:
                """Complete with nothing."""
                self.output(self.workflow.name, Response(), completed=True)
                super().suspended()

    patterns = {**PATTERNS, "handoff": _Handoff}


class DroppedRequestBlocks(Mutant):
    """After a run whose request nobody answered, the next run of the workflow raises that requests are open."""

    breaks = "ORC-06/raised"
    imitates = "pending requests that are the workflow's, so that a new run is taken for an answer to them"
    expected = frozenset({"ORC-06"})

    class _Workflow(Workflow):
        @where(lambda workflow, _: any(len(run.waiting) for run in workflow.runs.values()))
        async def begin(
            self, messages: Sequence[Message], *, stream: bool, history: Sequence[Message] = (), key: str | None = None
        ) -> WorkflowRun:
            """Begin only where nothing is open."""
            raise Invalid(f"requests of workflow {self.name!r} are open")

    patterns = everywhere(_Workflow)


class CompletesTwice(Mutant):
    """A sequential run emits its run-completed output twice."""

    breaks = "ORC-01/several completions"
    imitates = "https://github.com/microsoft/agent-framework/issues/4580"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-04", "ORC-21", "ORC-23", "ORC-24", "ORC-29"})

    class _Sequential(Sequential):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Complete, and complete again."""
            super().complete(run, answer)
            super().complete(run, answer)

    patterns = {**PATTERNS, "sequential": _Sequential}


class OneAnswerIsEnough(Mutant):
    """A concurrent run in which several participants wait completes after the first answer, without the others."""

    breaks = "ORC-04/idle without requests"
    imitates = "https://github.com/mastra-ai/mastra/issues/6418"
    expected = frozenset({"ORC-04", "ORC-06", "ORC-27", "ORC-30", "ORC-43"})

    class _Concurrent(Concurrent):
        class run_type(WorkflowRun):
            """The faulty run."""

            @aside
            def __init__(self, workflow: Workflow, *, stream: bool) -> None:
                super().__init__(workflow, stream=stream)
                self.answered = False
                self.at_work: list[asyncio.Task[Response]] = []

            @where(lambda run, _: responds(run.workflow.world.scenario))
            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Answer with nothing where it is not waited for."""
                work = asyncio.ensure_future(super().participant(name, messages, shown=shown))
                self.at_work.append(work)
                await asyncio.wait([work])
                return Response() if work.cancelled() else work.result()

            def respond(self, answers: Sequence[Answer], *, stream: bool) -> None:
                """Note that somebody answered."""
                self.answered = True
                super().respond(answers, stream=stream)

            def suspended(self) -> None:
                """Wait once; then whoever still waits is not waited for."""
                if not self.answered:
                    super().suspended()
                for work in self.at_work if self.answered else ():
                    work.cancel()

            @aside
            async def cancel(self) -> None:
                """End what works, too."""
                for work in self.at_work:
                    work.cancel()
                await super().cancel()

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class NothingCompletes(Mutant):
    """With intermediate outputs on, a sequential run ends without a run-completed output."""

    breaks = "ORC-01/no completion"
    imitates = "an author-written end executor that forgets the flag"
    expected = frozenset({"ORC-01", "ORC-03", "ORC-04", "ORC-09", "ORC-22", "ORC-38"})

    class _Sequential(Sequential):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Complete where the answer was not seen before."""
            if not self.spec.intermediate_outputs:
                super().complete(run, answer)

    patterns = {**PATTERNS, "sequential": _Sequential}


class StreamingHidesIntermediates(Mutant):
    """Streaming, participants' responses are not output although `intermediate_outputs` is on."""

    breaks = "ORC-10/missing intermediate"
    imitates = "https://github.com/microsoft/agent-framework/issues/3126"
    expected = frozenset({"ORC-05", "ORC-10", "ORC-21", "ORC-25"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            @where(lambda run, given: given["shown"] and run.stream)
            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Show nothing but the answer's chunks."""
                return await super().participant(name, messages, shown=False)

    patterns = everywhere(_Workflow, but={"handoff"})
