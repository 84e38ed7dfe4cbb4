"""Workflows inside of other workflows: one child or two, in the place of agents, which take part in them."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.scenario import WorkflowSpec
from conformance.strategies.authoring import authored, shown
from conformance.strategies.managers import MANAGED
from conformance.strategies.members import add_agents
from conformance.strategies.pen import Pen
from conformance.strategies.play import Play
from conformance.strategies.topics import patterns
from conformance.vocabulary import Pattern

_CHILDREN: tuple[Pattern, ...] = (
    *("sequential", "concurrent", "sequential", "concurrent"),
    *("group_chat", "magentic", "handoff", "custom"),
)


def with_children(pen: Pen, play: Play, name: str, members: list[str]) -> list[str]:
    """The participants of a workflow, one or two of them replaced by children."""
    place, both, alike = pen.number(len(members) - 1), pen.rarely(2), pen.rarely(2)
    replaced = [place, (place + 1) % len(members)] if both and len(members) > 1 else [place]
    first: WorkflowSpec | None = None
    for count, here in enumerate(replaced, 1):
        members[here] = add_child(pen, play, f"{name}-child-{count}", members[here], like=first if alike else None)
        first = play.workflows[members[here]]
    return members


def add_child(pen: Pen, play: Play, name: str, *inside: str, like: WorkflowSpec | None = None) -> str:
    """A workflow in which these agents take part; its name. like: another instance of this orchestration, with its own agents."""
    play.workflows[name] = pen.part(_a_child(pen, play, name, inside=inside, like=like))
    return name


@st.composite
def _a_child(
    draw: st.DrawFn, shared: Pen, play: Play, name: str, *, inside: tuple[str, ...], like: WorkflowSpec | None
) -> WorkflowSpec:
    pen = shared.used_by(draw)
    pattern, shows, size, deeper = pen.pick(_patterns(pen, play)), shown(pen), pen.pick((2, 1, 3)), pen.rarely(8)
    if like is not None and like.pattern not in (*MANAGED, "custom"):
        pattern, shows, size = like.pattern, like.intermediate_outputs, len(like.participants)
    if pattern == "custom":
        left = list(inside)
        return authored(pen, play, lambda within: left.pop() if left else add_agents(within, play, 1)[0], shows=shows)
    least = 2 if pattern == "handoff" or (pattern == "concurrent" and "edges" not in play.topics) else 1
    members = [*inside, *add_agents(pen, play, max(size, least) - len(inside))]
    if deeper and pattern in ("sequential", "concurrent"):
        members.append(add_child(pen, play, f"{name}-child"))
    return WorkflowSpec(pattern=pattern, participants=tuple(members), intermediate_outputs=shows)


def _patterns(pen: Pen, play: Play) -> list[Pattern]:
    """What a child may be; only one has a manager, as a run has the script of one."""
    managed = any(workflow.pattern in MANAGED for workflow in play.workflows.values())
    fitting = patterns(pen)
    possible: list[Pattern] = [each for each in _CHILDREN if each in fitting and not (managed and each in MANAGED)]
    return possible
