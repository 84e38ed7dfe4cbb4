"""Orchestration, nested: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.faulty_parts import Direct, everywhere, nests, responds
from conformance.mutants.overrides import aside, where
from conformance.reference.agent import Agent
from conformance.reference.patterns import PATTERNS, Custom, Sequential
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import Nested, Waiting, Work, WorkflowRun
from conformance.trace.exchange import Answer, Pending, Response
from conformance.trace.messages import Message


class _Completing(Nested):
    def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
        """Let the flag through."""
        if completed:
            self.parent.output(executor, response, completed=True)


class ChildCompletesTheParent(Mutant):
    """What completes the one, flat child of an author-written workflow goes out as the parent's; the parent completes too."""

    breaks = "ORC-29/several completions"
    imitates = "https://github.com/run-llama/create-llama/pull/319"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-04", "ORC-12", "ORC-19", "ORC-29"})

    class _Custom(Direct, Custom):
        class run_type(WorkflowRun):
            """The faulty run."""

            def inside(self, workflow: Work) -> WorkflowRun:
                """Open the child's run."""
                parent = self.workflow
                only = sum(isinstance(each, Workflow) for each in parent.participants.values()) == 1
                direct = isinstance(parent, Direct) and parent.direct
                flat = isinstance(workflow, Workflow) and not any(
                    isinstance(each, Workflow) for each in workflow.participants.values()
                )
                return _Completing(self, workflow) if only and direct and flat else super().inside(workflow)

    patterns = {**PATTERNS, "custom": _Custom}


class ChildAnswersTwice(Mutant):
    """In a sequential run, whoever comes after a child gets its answer twice."""

    breaks = "ORC-29/repeated"
    imitates = "an answer that is sent both as the child's output and as its message"
    expected = frozenset({"ORC-29", "ORC-41"})

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

    breaks = "ORC-29/missing"
    imitates = "https://github.com/mofa-org/mofa/issues/200"
    expected = frozenset({"ORC-29", "ORC-41"})

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

    breaks = "ORC-31/overheard"
    imitates = "https://github.com/langchain-ai/langgraph/issues/6727"
    expected = frozenset({"ORC-29", "ORC-31", "ORC-41"})

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
        given = agent.setting.spec
        tools = {tool: msgspec.structs.replace(spec, approval=False) for tool, spec in given.tools.items()}
        trusted = type(agent)(replace(agent.setting, spec=msgspec.structs.replace(given, tools=tools)), agent.parts)
        return await super().agent(name, trusted, messages, chunks=chunks)


class ChildDoesNotAsk(Mutant):
    """Inside a child a call that needs approval is made unasked."""

    breaks = "ORC-30/not asked"
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

    @where(lambda _, given: nests(given["workflow"]) and responds(given["workflow"].world.scenario))
    def __init__(self, workflow: Workflow, *, stream: bool) -> None:
        super().__init__(workflow, stream=stream)
        self.waiting = self._Waiting(self.events.put_nowait, self.suspended, workflow.numbers)
        answering = workflow.spec.participants[-1] if workflow.spec.pattern == "sequential" else None
        inner = [each for name, each in workflow.participants.items() if name != answering]
        inner = inner if isinstance(workflow, Direct) and workflow.direct else []
        self.waiting.restarting = {name for each in inner if isinstance(each, Workflow) for name in each.participants}

    @aside
    async def child(self, workflow: Work, messages: Sequence[Message]) -> Response:
        """Run it as often as it takes."""
        while True:
            with suppress(_Again):
                return await super().child(workflow, messages)


class ChildBeginsAnew(Mutant):
    """An answer to a request of a child makes it begin again, in sequential runs unless it is the one that answers."""

    breaks = "ORC-30/not executed"
    imitates = "https://github.com/langchain-ai/langgraph/issues/4796"
    expected = frozenset({"ORC-04", "ORC-29", "ORC-30", "ORC-31", "ORC-39", "ORC-41", "ORC-43"})

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

    breaks = "ORC-30/not executed"
    imitates = "https://github.com/langchain-ai/langgraph/issues/2870"
    expected = frozenset({"ORC-04", "ORC-30", "ORC-43"})

    class _Workflow(Direct):
        class run_type(WorkflowRun):
            """The faulty run."""

            @where(lambda _, given: nests(given["workflow"]) and responds(given["workflow"].world.scenario))
            def __init__(self, workflow: Workflow, *, stream: bool) -> None:
                super().__init__(workflow, stream=stream)
                if isinstance(workflow, Direct) and workflow.direct:
                    self.waiting = _Deciding(self.events.put_nowait, self.suspended, workflow.numbers)

    patterns = everywhere(_Workflow)


class _Crossing(Waiting):
    def __init__(self, tell: Callable[[Pending], None], suspended: Callable[[], None], numbers: Iterator[int]) -> None:
        self.told: list[str] = []

        def noted(request: Pending) -> None:
            self.told.append(request.id)
            tell(request)

        super().__init__(noted, suspended, numbers)

    def answer(self, answers: Sequence[Answer]) -> None:
        """Hand each answer to whoever asked first."""
        waiting = list(self._open)
        crossed: list[Answer] = []
        for answer in answers:
            mine = answer.id in self.told and bool(waiting)
            crossed.append(Answer(id=waiting.pop(0), approve=answer.approve) if mine else answer)
            if mine:
                self.told.remove(answer.id)
        super().answer(crossed)


class AnswersCross(Mutant):
    """Where several wait for approval, each answer reaches whoever asked first."""

    breaks = "ORC-30/executed without approval"
    imitates = "a queue of open requests, from which an answer takes the oldest"
    expected = frozenset({"ORC-27", "ORC-30"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            @where(lambda _, given: responds(given["workflow"].world.scenario))
            def __init__(self, workflow: Workflow, *, stream: bool) -> None:
                super().__init__(workflow, stream=stream)
                self.waiting = _Crossing(self.events.put_nowait, self.suspended, workflow.numbers)

    patterns = everywhere(_Workflow)


class ChildStartsTheNextTwice(Mutant):
    """A child right after another child works twice, on the same conversation; only its second answer counts."""

    breaks = "ORC-31/several completions"
    imitates = "a child's completion that is delivered as its output and as its message"
    expected = frozenset({"ORC-09", "ORC-13", "ORC-19", "ORC-23", "ORC-25", "ORC-29", "ORC-31", "ORC-39", "ORC-41"})

    class _Sequential(Sequential):
        class run_type(WorkflowRun):
            """The faulty run."""

            started = False

            async def child(self, workflow: Work, messages: Sequence[Message]) -> Response:
                """Work once more where another child was there before."""
                again, self.started = self.started, True
                response = await super().child(workflow, messages)
                return await super().child(workflow, messages) if again else response

    patterns = {**PATTERNS, "sequential": _Sequential}
