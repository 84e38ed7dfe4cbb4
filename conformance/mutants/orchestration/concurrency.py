"""Orchestration, concurrency: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.faulty_parts import Default, Direct, everywhere, responds
from conformance.mutants.overrides import aside, pure, where
from conformance.mutants.shared_faults import interleaves
from conformance.reference.patterns import PATTERNS, Concurrent
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun, is_among
from conformance.trace.exchange import Response, Turn, WorkflowSeen
from conformance.trace.messages import Message
from conformance.world.world import World


class FinishingOrder(Mutant):
    """A concurrent run answers in the order in which its participants finished."""

    breaks = "ORC-32/order"
    imitates = "an aggregator that appends as results come in"
    expected = frozenset({"ORC-10", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-31", "ORC-32"})

    class _Concurrent(Default):
        def by_default(self, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Keep the order of finishing."""
            return tuple(message for response in responses.values() for message in response.messages)

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class OrderDependsOnTheWinner(Mutant):
    """A concurrent run answers as configured where its first participant finishes first, and by name otherwise."""

    breaks = "ORC-32/order"
    imitates = "https://github.com/kyegomez/swarms/pull/2318"
    expected = frozenset({"ORC-10", "ORC-32"})

    class _Concurrent(Concurrent):
        @pure
        def aggregate(self, run: WorkflowRun, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Choose one of two orders, both of which are stable."""
            if run.nested or self.spec.aggregates is not None or next(iter(responses)) == self.spec.participants[0]:
                return super().aggregate(run, responses)
            return tuple(message for name in sorted(responses) for message in responses[name].messages)

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class LeftOutAndRaised(Mutant):
    """A concurrent run completes with an answer that leaves out who failed, and raises the failure too."""

    breaks = "ORC-33/both"
    imitates = "https://github.com/langchain-ai/langgraph/issues/8277"
    expected = frozenset({"ORC-05", "ORC-33"})

    class _Concurrent(Concurrent):
        failure: Exception | None = None

        def tolerate(self, participant: str, error: Exception) -> None:
            """Keep it for later."""
            self.failure = error

        @aside
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Complete, then raise."""
            super().complete(run, answer)
            failure, self.failure = self.failure, None
            if failure is not None:
                raise failure

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class OthersHideTheFailure(Mutant):
    """A concurrent run leaves out who failed, although a failure is declared to end it."""

    breaks = "ORC-33/not raised"
    imitates = "https://github.com/2389-research/tracker/issues/313"
    expected = frozenset({"ORC-05", "ORC-33", "ORC-39", "ORC-41", "ORC-43"})

    class _Concurrent(Concurrent):
        def tolerate(self, participant: str, error: Exception) -> None:
            """Go on."""

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class FailsInSpiteOfTheOthers(Mutant):
    """A concurrent run fails with one participant, although it is declared to answer without that one."""

    breaks = "ORC-33/raised"
    imitates = "https://github.com/kyegomez/swarms/issues/1613"
    expected = frozenset({"ORC-33"})

    def __init__(self, **policies: Any) -> None:
        super().__init__(**{"failing_participant": "left_out", **policies})

    class _Concurrent(Concurrent):
        def tolerate(self, participant: str, error: Exception) -> None:
            """Give up."""
            raise error

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class _Current(Direct):
    """A workflow that knows which one began last in its world."""

    latest: ClassVar[WeakKeyDictionary[World, Workflow]] = WeakKeyDictionary()

    @aside
    async def start(self, turn: Turn, *, stream: bool) -> AsyncGenerator[WorkflowSeen]:
        """Be that one."""
        self.latest[self.world] = self
        async with aclosing(super().start(turn, stream=stream)) as events:
            async for event in events:
                yield event

    @property
    def current(self) -> WorkflowRun | None:
        """The run that began last, while nobody was asked in it."""
        latest = self.latest.get(self.world)
        taking = isinstance(latest, _Current) and latest.direct and latest.spec.pattern == "group_chat"
        return latest.runs.get(None) if latest and taking else None


class LatestRunTakesAll(Mutant):
    """All workflows share one current run: what completes a run comes out of the one that began last, a group chat."""

    breaks = "ORC-34/answer"
    imitates = "https://github.com/dapr/dapr-agents/issues/196"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-03", "ORC-16", "ORC-18", "ORC-34", "ORC-50"})

    class _Workflow(_Current):
        class run_type(WorkflowRun):
            """The faulty run."""

            @where(lambda run, _: interleaves(run.workflow.world.scenario))
            def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
                """Output to the current run."""
                workflow = self.workflow
                current = workflow.current if isinstance(workflow, _Current) and workflow.direct and completed else None
                WorkflowRun.output(current or self, executor, response, completed=completed)

    patterns = everywhere(_Workflow, but={"handoff"})


class LatestRunShowsAll(Mutant):
    """All workflows share one stream of progress: intermediate outputs come out of the run that began last, a group chat."""

    breaks = "ORC-34/intermediate"
    imitates = "https://github.com/dapr/dapr-agents/issues/196"
    expected = frozenset({"ORC-20", "ORC-21", "ORC-34"})

    class _Workflow(_Current):
        class run_type(WorkflowRun):
            """The faulty run."""

            @where(lambda run, _: interleaves(run.workflow.world.scenario))
            def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
                """Output to the current run."""
                workflow = self.workflow
                current = None if completed or not isinstance(workflow, _Current) or not workflow.direct else workflow.current
                WorkflowRun.output(current or self, executor, response, completed=completed)

    patterns = everywhere(_Workflow, but={"handoff"})


class LatestInputForAll(Mutant):
    """What runs were asked is kept in one place: participants are sent the latest of it, but for managed chats and handoff."""

    breaks = "ORC-34/request"
    imitates = "https://github.com/microsoft/agent-framework/issues/784"
    expected = frozenset({"ORC-34", "ORC-41"})

    class _Workflow(Workflow):
        class run_type(WorkflowRun):
            """The faulty run."""

            latest: ClassVar[WeakKeyDictionary[World, tuple[WorkflowRun, Sequence[Message]]]] = WeakKeyDictionary()
            asked: Sequence[Message] = ()

            @aside
            def start(self, messages: Sequence[Message], history: Sequence[Message] = ()) -> None:
                """Put it there."""
                self.asked = messages
                self.latest[self.workflow.world] = self, messages
                super().start(messages, history)

            @where(lambda run, _: interleaves(run.workflow.world.scenario) or responds(run.workflow.world.scenario))
            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Send what is there, while that run goes on."""
                run, asked = self.latest[self.workflow.world]
                others = [message for message in messages if not is_among(message, self.asked)]
                sent = messages if run is self or run.gained is not None else [*asked, *others]
                return await super().participant(name, sent, shown=shown)

    patterns = everywhere(_Workflow, but={"handoff", "group_chat", "magentic"})
