"""Orchestration, nested: faults that the rules of this section are the first to name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing, suppress
from copy import copy

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.faulty_parts import Default, Direct, everywhere
from conformance.reference.agent import Agent
from conformance.reference.patterns import PATTERNS, Concurrent, Custom, Sequential
from conformance.reference.thread import Thread
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.reference.workflow_run import Nested, Waiting, Work, WorkflowRun
from conformance.trace.exchange import Answer, ChunkSeen, OutputSeen, Pending, Response, Turn
from conformance.trace.messages import Message


class OneMessageEach(Mutant):
    """A concurrent run answers with the last message of each participant and drops what came before it."""

    breaks = "ORC-31"
    imitates = "agent-framework-orchestrations 1.4 does so, see its baseline"
    expected = frozenset({"ORC-09", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28", "ORC-31"})

    class _Concurrent(Default):
        def by_default(self, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Take last messages only."""
            return tuple(message for name in self.spec.participants for message in responses[name].messages[-1:])

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class LastResultWins(Mutant):
    """A concurrent run answers with the response of its last participant alone."""

    breaks = "ORC-31"
    imitates = "https://github.com/agno-agi/agno/issues/5634"
    expected = frozenset({"ORC-09", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28", "ORC-31"})

    class _Concurrent(Default):
        def by_default(self, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Take the last one."""
            return responses[self.spec.participants[-1]].messages

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class SameTextOnce(Mutant):
    """Of equal texts of several participants, a concurrent run answers with one."""

    breaks = "ORC-31"
    imitates = "https://github.com/microsoft/agent-framework/pull/4716"
    expected = frozenset({"ORC-09", "ORC-14", "ORC-19", "ORC-31"})

    class _Concurrent(Default):
        def by_default(self, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Keep the first of each."""
            every = [message for name in self.spec.participants for message in responses[name].messages]
            seen = [message.text for message in every]
            return tuple(each for at, each in enumerate(every) if not each.text or each.text not in seen[:at])

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class RejectionIsApproval(Mutant):
    """Through a workflow as an agent, a call that was rejected is made all the same."""

    breaks = "ORC-30"
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


class CompletesTwice(Mutant):
    """A sequential run emits its run-completed output twice."""

    breaks = "ORC-29"
    imitates = "https://github.com/microsoft/agent-framework/issues/4580"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-04", "ORC-21", "ORC-23", "ORC-24", "ORC-29"})

    class _Sequential(Sequential):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Complete, and complete again."""
            super().complete(run, answer)
            super().complete(run, answer)

    patterns = {**PATTERNS, "sequential": _Sequential}


class _Completing(Nested):
    def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
        """Let the flag through."""
        if completed:
            self.parent.output(executor, response, completed=True)


class ChildCompletesTheParent(Mutant):
    """What completes the one child of an author-written workflow goes out as the parent's completion; the parent completes too."""

    breaks = "ORC-29"
    imitates = "https://github.com/run-llama/create-llama/pull/319"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-04", "ORC-12", "ORC-29"})

    class _Custom(Direct, Custom):
        class run_type(WorkflowRun):
            """The faulty run."""

            def inside(self, workflow: Work) -> WorkflowRun:
                """Open the child's run."""
                parent = self.workflow
                only = sum(isinstance(each, Workflow) for each in parent.participants.values()) == 1
                direct = isinstance(parent, Direct) and parent.direct
                return _Completing(self, workflow) if only and direct else super().inside(workflow)

    patterns = {**PATTERNS, "custom": _Custom}


class ChildAnswersTwice(Mutant):
    """In a sequential run, whoever comes after a child gets its answer twice."""

    breaks = "ORC-29"
    imitates = "an answer that is sent both as the child's output and as its message"
    expected = frozenset({"ORC-29"})

    class _Sequential(Sequential):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def child(self, workflow: Work, messages: Sequence[Message]) -> Response:
                """Say it again, unless it is the answer."""
                response = await super().child(workflow, messages)
                last = workflow.name == self.workflow.spec.participants[-1]
                return response if last else Response(messages=response.messages * 2)

    patterns = {**PATTERNS, "sequential": _Sequential}


class ChildAnswersNobody(Mutant):
    """In a sequential run, whoever comes after a child gets nothing of it."""

    breaks = "ORC-29"
    imitates = "https://github.com/mofa-org/mofa/issues/200"
    expected = frozenset({"ORC-29"})

    class _Sequential(Sequential):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def child(self, workflow: Work, messages: Sequence[Message]) -> Response:
                """Drop it, unless it is the answer."""
                response = await super().child(workflow, messages)
                return response if workflow.name == self.workflow.spec.participants[-1] else Response()

    patterns = {**PATTERNS, "sequential": _Sequential}


class ChildrenShareAConversation(Mutant):
    """In a sequential run two children of one pattern share a conversation: the second one is sent what was said in the first."""

    breaks = "ORC-29"
    imitates = "https://github.com/langchain-ai/langgraph/issues/6727"
    expected = frozenset({"ORC-29", "ORC-31"})

    class _Sequential(Sequential):
        class run_type(WorkflowRun):
            """The faulty run."""

            def __init__(self, workflow: Workflow, *, stream: bool) -> None:
                super().__init__(workflow, stream=stream)
                self.opened: list[WorkflowRun] = []

            def inside(self, workflow: Work) -> WorkflowRun:
                """Remember the child's run."""
                self.opened.append(super().inside(workflow))
                return self.opened[-1]

            async def child(self, workflow: Work, messages: Sequence[Message]) -> Response:
                """Go on with what was said in the others."""
                others = [run for run in self.opened if run.workflow.spec.pattern == workflow.spec.pattern]
                known = [message for run in others for message in run.said]
                return await super().child(workflow, [*messages, *known])

    patterns = {**PATTERNS, "sequential": _Sequential}


class _Trusting(Nested):
    async def agent(self, name: str, agent: Agent, messages: Sequence[Message], *, chunks: bool) -> Response:
        """Take every approval for given."""
        trusted = copy(agent)
        tools = {tool: msgspec.structs.replace(spec, approval=False) for tool, spec in agent.spec.tools.items()}
        trusted.spec = msgspec.structs.replace(agent.spec, tools=tools)
        return await super().agent(name, trusted, messages, chunks=chunks)


class ChildDoesNotAsk(Mutant):
    """Inside a child a call that needs approval is made unasked."""

    breaks = "ORC-30"
    imitates = "https://github.com/tinyhumansai/opencompany/issues/617"
    expected = frozenset({"ORC-27", "ORC-30"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            def inside(self, workflow: Work) -> WorkflowRun:
                """Trust whoever works inside."""
                return _Trusting(self, workflow)

    patterns = everywhere(_Workflow)


class _Again(Exception):
    """A child has to begin again."""


class _Restarting(WorkflowRun):
    class _Waiting(Waiting):
        restarting: Collection[str] = ()

        async def ask(self, executor: str, requests: Sequence[Pending]) -> list[Answer]:
            """Begin again with the answer, where somebody inside a child asked."""
            answers = await super().ask(executor, requests)
            if executor in self.restarting:
                raise _Again
            return answers

    def __init__(self, workflow: Workflow, *, stream: bool) -> None:
        super().__init__(workflow, stream=stream)
        self.waiting = self._Waiting(self.events.put_nowait, self.suspended, workflow.numbers)
        answering = workflow.spec.participants[-1] if workflow.spec.pattern == "sequential" else None
        inner = [each for name, each in workflow.participants.items() if name != answering]
        inner = inner if isinstance(workflow, Direct) and workflow.direct else []
        self.waiting.restarting = {name for each in inner if isinstance(each, Workflow) for name in each.participants}

    async def child(self, workflow: Work, messages: Sequence[Message]) -> Response:
        """Run it as often as it takes."""
        while True:
            with suppress(_Again):
                return await super().child(workflow, messages)


class ChildBeginsAnew(Mutant):
    """An answer to a request of a child makes it begin again, in sequential runs unless it is the one that answers."""

    breaks = "ORC-29"
    imitates = "https://github.com/langchain-ai/langgraph/issues/4796"
    expected = frozenset({"ORC-29", "ORC-30"})

    class _Workflow(Direct):
        run_type = _Restarting

    patterns = everywhere(_Workflow, but={"concurrent"})


class _Deciding(Waiting):
    def answer(self, answers: Sequence[Answer]) -> None:
        """Answer every open request alike; take later answers for known."""
        if self._open:
            super().answer([Answer(id=id, approve=answers[-1].approve) for id in self._open])
        else:
            self._suspended()


class AnswerForAllChildren(Mutant):
    """Where several children wait, the first answer decides for all of them."""

    breaks = "ORC-30"
    imitates = "https://github.com/langchain-ai/langgraph/issues/2870"
    expected = frozenset({"ORC-04", "ORC-30"})

    class _Workflow(Direct):
        class run_type(WorkflowRun):
            """The faulty run."""

            def __init__(self, workflow: Workflow, *, stream: bool) -> None:
                super().__init__(workflow, stream=stream)
                if isinstance(workflow, Direct) and workflow.direct and not workflow.flat:
                    self.waiting = _Deciding(self.events.put_nowait, self.suspended, workflow.numbers)

    patterns = everywhere(_Workflow)


class OneAnswerIsEnough(Mutant):
    """A concurrent run in which several participants wait completes after the first answer, without the others."""

    breaks = "ORC-30"
    imitates = "https://github.com/mastra-ai/mastra/issues/6418"
    expected = frozenset({"ORC-04", "ORC-06", "ORC-27", "ORC-30"})

    class _Concurrent(Concurrent):
        class run_type(WorkflowRun):
            """The faulty run."""

            def __init__(self, workflow: Workflow, *, stream: bool) -> None:
                super().__init__(workflow, stream=stream)
                self.answered = False
                self.at_work: list[asyncio.Task[Response]] = []

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

            async def cancel(self) -> None:
                """End what works, too."""
                for work in self.at_work:
                    work.cancel()
                await super().cancel()

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class RequestTwice(Mutant):
    """A workflow as an agent reports each request under two ids, of which only one can be answered."""

    breaks = "ORC-30"
    imitates = "https://github.com/microsoft/agent-framework/issues/7857"
    expected = frozenset({"ORC-06", "ORC-27", "ORC-30"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def response(self, run: WorkflowRun, outputs: Sequence[OutputSeen], pending: Sequence[Pending]) -> Response:
            """Report each call, and the request for it."""
            calls = [msgspec.structs.replace(request, id=f"the call of {request.id}") for request in pending]
            return super().response(run, outputs, [*calls, *pending])


class AnswerStartsAnew(Mutant):
    """An answer to a child's request that is given through a workflow as an agent begins a new run, with the input of the old."""

    breaks = "ORC-30"
    imitates = "https://github.com/microsoft/agent-framework/issues/2276"
    expected = frozenset({"ORC-27", "ORC-30"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        turn: Turn | None = None

        async def run(self, thread: Thread | None, turn: Turn, *, stream: bool) -> AsyncGenerator[ChunkSeen | Response]:
            """Remember the input of runs without a thread."""
            self.turn = turn if thread is None and _nests(self.workflow) else None
            async with aclosing(super().run(thread, turn, stream=stream)) as items:
                async for item in items:
                    yield item

        async def resume(
            self,
            thread: Thread | None,
            answers: Sequence[Answer],
            *,
            stream: bool,
        ) -> AsyncGenerator[ChunkSeen | Response]:
            """Run again."""
            again = super().resume(thread, answers, stream=stream)
            async with aclosing(self.run(thread, self.turn, stream=stream) if self.turn else again) as items:
                async for item in items:
                    yield item


def _nests(workflow: Workflow) -> bool:
    return any(isinstance(each, Workflow) for each in workflow.participants.values())
