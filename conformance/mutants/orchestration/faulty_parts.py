"""What several faulty workflows are made of."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from typing import cast

import msgspec

from conformance.mutants.overrides import nowhere, pure
from conformance.reference.patterns import PATTERNS, Concurrent
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.scenario.scenario import Respond, RunWorkflow, Scenario, workflow_runs_of
from conformance.trace.exchange import Response, Turn, WorkflowSeen
from conformance.trace.messages import Message
from conformance.vocabulary import Pattern


class Default(Concurrent):
    """A concurrent workflow whose default aggregation is at fault, but not that of a child."""

    @pure
    def aggregate(self, run: WorkflowRun, responses: Mapping[str, Response]) -> tuple[Message, ...]:
        """Leave what an author's aggregator answers, and what children do, alone."""
        if run.nested or self.spec.aggregates is not None:
            return super().aggregate(run, responses)
        return self.by_default(responses)

    def by_default(self, responses: Mapping[str, Response]) -> tuple[Message, ...]:
        """The answer; `responses`: in the order of finishing."""
        raise NotImplementedError


class Direct(Workflow):
    """A workflow that knows how it is run. direct: not wrapped as an agent, and nobody was asked so far."""

    differs = nowhere
    direct = False

    async def start(self, turn: Turn, *, stream: bool) -> AsyncGenerator[WorkflowSeen]:
        """Note it for the time of the run."""
        self.direct = True
        try:
            async with aclosing(super().start(turn, stream=stream)) as events:
                async for event in events:
                    yield event
        finally:
            self.direct = False

    @property
    def flat(self) -> bool:
        """Whether no other workflow takes part in it."""
        return not nests(self)


def everywhere(fault: type[Workflow], *, but: Collection[Pattern] = ()) -> Mapping[Pattern, type[Workflow]]:
    """Every pattern with a fault in front of it. but: patterns without."""
    return {
        pattern: kind if pattern in but else cast("type[Workflow]", type(fault.__name__, (fault, kind), {}))
        for pattern, kind in PATTERNS.items()
    }


def nests(workflow: Workflow) -> bool:
    """Whether other workflows take part in it."""
    return any(isinstance(each, Workflow) for each in workflow.participants.values())


def works(message: Message) -> bool:
    """Whether there are calls or results in a message."""
    return bool(message.calls or message.results)


def runs_in(scenario: Scenario) -> list[RunWorkflow]:
    """All runs of workflows."""
    return [run for step in scenario.steps for run in workflow_runs_of(step)]


def responds(scenario: Scenario) -> bool:
    """Whether requests are answered in it."""
    return any(isinstance(step, Respond) for step in scenario.steps)


def streams(scenario: Scenario) -> bool:
    """Whether a workflow streams in it."""
    return any(step.stream for step in (*scenario.steps, *runs_in(scenario)) if isinstance(step, (RunWorkflow, Respond)))


def abandons(scenario: Scenario) -> bool:
    """Whether a consumer leaves a workflow's stream in it."""
    return any(run.abandons is not None for run in runs_in(scenario))


def signed_by(response: Response, name: str) -> Response:
    """The response with another name under it and its messages."""
    return Response(messages=tuple(msgspec.structs.replace(each, author=name) for each in response.messages), author=name)
