"""A scenario of the orchestration area that is being drawn: who takes part, and the steps so far."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase

import msgspec

from conformance.scenario.scenario import Respond, RunWorkflow, Scenario, Step, Together, workflows_in
from conformance.scenario.specs import AgentSpec, WorkflowSpec
from conformance.strategies.choices import Pen
from conformance.strategies.orchestration.features import Topic

_LETTERS = ascii_lowercase[:-4]
"""What agents are called. The last letters are names of workflows: what takes part in one is known by its name."""


class Play:
    """What was drawn so far.

    topics: what the scenario is about. left: how many requests nobody will answer any more; they stay the first in the row.
    """

    def __init__(self, pen: Pen, topics: frozenset[Topic]) -> None:
        self.pen = pen
        self.topics = topics
        self.agents: dict[str, AgentSpec] = {}
        self.workflows: dict[str, WorkflowSpec] = {}
        self.steps: list[Step] = []
        self.left = 0

    def add_agent(self, agent: AgentSpec) -> str:
        """A new agent; its name."""
        again, letter = divmod(len(self.agents), len(_LETTERS))
        name = _LETTERS[letter] + (str(again + 1) if again else "")
        self.agents[name] = agent
        return name

    def inside(self, name: str) -> list[WorkflowSpec]:
        """A workflow and those that are nested in it; none for an agent."""
        return [self.workflows[each] for each in workflows_in(self.scenario(), name)]

    def answers(self, rests: Sequence[int], *, drops: bool | None = None) -> list[Respond]:
        """Answers to the requests of a run, but rarely to the last ones. drops: whether to these, where that is not left to chance.

        Their positions are counted from the run's own first request.
        """
        unanswered = self.pen.rarely(8) if drops is None else drops
        counts = [left for count in rests for left in range(count, 0, -1)]
        if unanswered:
            counts = counts[:-1] if len(rests) > 1 else counts[: self.pen.number(max(0, len(counts) - 1))]
        return [an_answer(self.pen, left) for left in counts]

    def take(self, step: RunWorkflow | Together, rests: Sequence[int], answers: Sequence[Respond]) -> None:
        """Let a run, or several together, be the next step, with these answers."""
        self.steps += [step, *(msgspec.structs.replace(each, request=each.request + self.left) for each in answers)]
        self.left += sum(rests) - len(answers)

    def scenario(self) -> Scenario:
        """All of it."""
        return Scenario(agents=self.agents, workflows=self.workflows, steps=tuple(self.steps))


def an_answer(pen: Pen, left: int) -> Respond:
    """An answer to one of so many open requests; mostly it is granted."""
    return Respond(request=pen.number(left - 1), approve=not pen.rarely(4), stream=pen.stream())
