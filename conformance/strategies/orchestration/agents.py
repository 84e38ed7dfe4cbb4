"""Agents that take part in workflows, as the topics of the scenario want them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from conformance.scenario.specs import AgentSpec
from conformance.strategies.choices import Pen
from conformance.strategies.orchestration.draft import Play
from conformance.strategies.scripts import services, tools


def add_agents(pen: Pen, play: Play, count: int) -> list[str]:
    """So many new agents; their names."""
    return [play.add_agent(pen.part(_an_agent(pen, play))) for _ in range(count)]


@st.composite
def _an_agent(draw: st.DrawFn, shared: Pen, play: Play) -> AgentSpec:
    """Most agents are plain, but where the scenario is about what they do."""
    pen = shared.used_by(draw)
    rare, equipped = pen.rarely(8), pen.rarely(4)
    possible = services(pen)
    service = pen.pick(possible if rare else possible[:1])
    keeping = services(pen, keeping=True) if "storing" in play.topics else []
    if keeping and pen.mostly():
        service = pen.pick(keeping)
    boxes: list[Sequence[str]] = []
    asks = pen.mostly() if "asking" in play.topics else equipped and "failing" in play.topics
    if asks and pen.can("workflows.requests"):
        boxes += [("pay",), ("pay",), ("weather", "pay")]
    busy = pen.mostly() if play.topics & {"edges", "storing"} else equipped
    if busy:
        boxes += [("weather",)]
    return AgentSpec(service=service, tools=tools(pen, *boxes) if boxes else {})
