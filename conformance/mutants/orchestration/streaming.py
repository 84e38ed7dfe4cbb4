"""Faults of streams: what a consumer gets is not what one gets that does not stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from copy import copy

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.direct import Direct
from conformance.mutants.orchestration.everywhere import everywhere
from conformance.reference.agent import Agent
from conformance.reference.client import Emit, LeafClient
from conformance.reference.patterns import PATTERNS, Concurrent
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import ChunkSeen, OutputSeen, Response, Turn, WorkflowSeen
from conformance.trace.messages import Message
from conformance.world.chat_service import Reply, Request


class LastChunkIsTheAnswer(Mutant):
    """A sequential or concurrent run that streams answers with the last chunk of the answer."""

    imitates = "https://github.com/monoes/monomind/issues/245"
    expected = frozenset({"ORC-09", "ORC-10", "ORC-13", "ORC-14", "ORC-19"})

    class _Workflow(Direct):
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

    imitates = "https://github.com/logancyang/obsidian-copilot/pull/2561"
    expected = frozenset({"ORC-09", "ORC-25"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def agent(self, name: str, agent: Agent, messages: Sequence[Message], *, chunks: bool) -> Response:
                """Let each chunk wait for the next one."""
                losing = copy(agent)
                losing.leaf_type = _LosingClient
                return await super().agent(name, losing, messages, chunks=chunks)

    patterns = everywhere(_Workflow)


class WholeTextAfterItsChunks(Mutant):
    """After the chunks of a response its texts come whole, each as one more chunk."""

    imitates = "https://github.com/microsoft/agent-framework/pull/365"
    expected = frozenset({"ORC-09", "ORC-25"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def agent(self, name: str, agent: Agent, messages: Sequence[Message], *, chunks: bool) -> Response:
                """Show the last update too, which holds all that came before it."""
                response = await super().agent(name, agent, messages, chunks=chunks)
                for message in response.messages:
                    if chunks and self.stream and message.text:
                        self.events.put_nowait(ChunkSeen(text=message.text, executor=name))
                return response

    patterns = everywhere(_Workflow)


class StreamedTextsOnly(Mutant):
    """Streaming, the answer of a concurrent run holds no calls and no results."""

    imitates = "https://github.com/microsoft/agent-framework/issues/3970"
    expected = frozenset({"ORC-10", "ORC-14", "ORC-19"})

    class _Concurrent(Direct, Concurrent):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Make the answer of texts."""
            if answer is not None and run.stream and self.direct and self.flat:
                texts = tuple(message for message in answer.messages if message.text or not (message.calls or message.results))
                answer = msgspec.structs.replace(answer, messages=texts)
            super().complete(run, answer)

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class StreamingHidesIntermediates(Mutant):
    """Streaming, participants' responses are not output although `intermediate_outputs` is on."""

    imitates = "https://github.com/microsoft/agent-framework/issues/3126"
    expected = frozenset({"ORC-05", "ORC-10", "ORC-21", "ORC-25"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Show nothing but the answer's chunks."""
                return await super().participant(name, messages, shown=shown and not self.stream)

    patterns = everywhere(_Workflow, but={"handoff"})
