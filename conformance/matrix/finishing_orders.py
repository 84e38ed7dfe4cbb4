"""Every order in which four participants that work side by side can finish, each against runs in which nobody has to wait."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from conformance.scenario.scenario import RunWorkflow, Scenario
from conformance.scenario.specs import AgentSpec, ReplySpec, WorkflowSpec
from conformance.vocabulary import Capability

PARTICIPANTS = ("c", "a", "d", "b")  # not sorted by name: two orders are stable, and nobody may change between them


def scenarios(capabilities: frozenset[Capability]) -> Iterator[Scenario]:
    """One scenario for each order; none where the implementation has no concurrent workflows."""
    if not {"workflows", "workflows.concurrent"} <= capabilities:
        return
    replies = {name: (ReplySpec(text=f"what {name} says"),) for name in PARTICIPANTS}
    for order in permutations(PARTICIPANTS):
        yield Scenario(
            title=f"four participants finish in the order {', '.join(order)}",
            agents={name: AgentSpec() for name in PARTICIPANTS},
            workflows={name: WorkflowSpec(pattern="concurrent", participants=PARTICIPANTS) for name in ("w", "x")},
            steps=(
                RunWorkflow(workflow="w", say=("go",), replies=replies),
                RunWorkflow(workflow="x", say=("go",), replies=replies, finish=order),
            ),
        )
