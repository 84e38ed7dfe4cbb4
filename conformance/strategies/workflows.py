"""Workflows of every pattern with their participants, as the topics of the scenario want them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from hypothesis import strategies as st

from conformance.scenario import WorkflowSpec
from conformance.strategies.authoring import authored, shown
from conformance.strategies.children import add_child, with_children
from conformance.strategies.common import services
from conformance.strategies.managers import MANAGED
from conformance.strategies.members import add_agents
from conformance.strategies.pen import Pen
from conformance.strategies.play import Play
from conformance.strategies.topics import patterns
from conformance.vocabulary import Pattern

_SIZES: Mapping[Pattern, tuple[int, ...]] = {
    "sequential": (2, 3, 4),
    "concurrent": (2, 3, 4),
    "handoff": (2, 3, 4),
    "group_chat": (1, 2, 3),
    "magentic": (1, 2, 3),
}


def add_workflow(pen: Pen, play: Play, name: str, among: Sequence[Pattern] = (), *, least: int = 1) -> None:
    """A new workflow with its participants.

    among: the patterns that it may have, where not those that the topics want. least: how many participants it has at least.
    """
    pattern = pen.pick(among or patterns(pen, play.topics))
    if pattern == "custom":
        play.workflows[name] = authored(pen, play, _taking_part(play, name), shows=shown(pen))
        return
    alone = "edges" in play.topics and pen.rarely(2)
    size = pen.pick(_SIZES[pattern])
    members = add_agents(pen, play, least if alone and pattern != "handoff" else max(size, least))
    if "nesting" in play.topics and pattern in ("sequential", "concurrent"):
        members = with_children(pen, play, name, members)
    workflow = WorkflowSpec(pattern=pattern, participants=tuple(members), intermediate_outputs=shown(pen))
    play.workflows[name] = _bounded(pen, play, workflow)


def _bounded(pen: Pen, play: Play, workflow: WorkflowSpec) -> WorkflowSpec:
    """The workflow with what only some patterns have, where the scenario is about that."""
    if "aggregating" in play.topics and workflow.pattern == "concurrent":
        return msgspec.structs.replace(workflow, aggregates=pen.text())
    if "limiting" not in play.topics or workflow.pattern not in MANAGED:
        return workflow
    return pen.part(_limited(pen, workflow))


@st.composite
def _limited(draw: st.DrawFn, shared: Pen, workflow: WorkflowSpec) -> WorkflowSpec:
    """The workflow with a bound on rounds, or on stalls and resets."""
    pen = shared.used_by(draw)
    stalling, rounds, stalls, resets = pen.rarely(2), 1 + pen.number(1), pen.number(1), pen.pick((0, 1, None))
    resetting = workflow.pattern == "magentic" and pen.can("workflows.resets")
    if resetting and (stalling or not pen.can("workflows.limits")):
        return msgspec.structs.replace(workflow, max_stalls=stalls, max_resets=resets)
    return msgspec.structs.replace(workflow, max_rounds=rounds) if pen.can("workflows.limits") else workflow


def _taking_part(play: Play, name: str) -> Callable[[Pen], str | None]:
    """Draws whoever takes part in an author's workflow beside its executors: an agent, or a child where there are any."""
    count = 0

    def taking_part(pen: Pen) -> str | None:
        nonlocal count
        count += 1
        nests = "nesting" in play.topics and pen.mostly()
        if not services(pen):
            return None
        return add_child(pen, play, f"{name}-child-{count}") if nests else add_agents(pen, play, 1)[0]

    return taking_part
