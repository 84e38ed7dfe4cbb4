"""Workflows of every pattern with their participants, as the topics of the scenario want them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from hypothesis import strategies as st

from conformance.scenario.specs import ExecutorSpec, ManagerSpec, WorkflowSpec
from conformance.strategies.choices import Pen
from conformance.strategies.orchestration.agents import add_agents
from conformance.strategies.orchestration.draft import Play
from conformance.strategies.orchestration.features import patterns
from conformance.strategies.scripts import services
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


MANAGED = ("group_chat", "magentic")


def a_manager(pen: Pen, workflow: WorkflowSpec, *, errs: bool) -> ManagerSpec:
    """Picks, mostly more than a limit allows, and an answer. errs: whether it may be one that errs in the end."""
    beyond, own_words, mistaken = pen.mostly(), pen.mostly(), pen.rarely(2)
    count = pen.count(3)
    if workflow.max_rounds is not None:
        count = workflow.max_rounds + count if beyond else max(1, workflow.max_rounds - 1)
    elif workflow.max_stalls is not None and beyond:
        count += 2
    picks = tuple(pen.pick(workflow.participants) for _ in range(count))
    stalls = [place for place in range(count) if pen.number(2) > 0] if workflow.max_stalls is not None else []
    answer = pen.text() if own_words else ManagerSpec().answer
    return ManagerSpec(picks=picks, stalls=tuple(stalls), answer=answer, errs=errs and mistaken and not bounded(workflow))


def bounded(workflow: WorkflowSpec) -> bool:
    """Whether a limit may end a workflow."""
    return workflow.max_rounds is not None or workflow.max_stalls is not None


def speaking(manager: ManagerSpec, workflow: WorkflowSpec) -> Iterator[str]:
    """Who speaks, until the manager or a limit ends the run."""
    spoken = stalls = resets = 0
    for place, name in enumerate(manager.picks):
        if spoken == workflow.max_rounds:
            return
        if workflow.max_stalls is not None:
            stalls = stalls + 1 if place in manager.stalls else max(0, stalls - 1)
            if stalls > workflow.max_stalls:
                stalls, resets = 0, resets + 1
                if workflow.max_resets is not None and resets > workflow.max_resets:
                    return
                continue
        spoken += 1
        yield name


_EXECUTORS = ("planner", "writer", "critic", "editor")
_MOST_OTHERS = len(_EXECUTORS) - 1

_Completing = Literal["once", "others", "again", "never"]
_COMPLETING: tuple[_Completing, ...] = ("once", "once", "once", "others", "others", "others", "again", "never", "never", "never")
"""One executor completes the run; others do too; it completes a second time; nobody does."""


def shown(pen: Pen) -> bool:
    """Whether a workflow shows intermediate outputs."""
    return pen.number(4) > 1 and pen.can("workflows.intermediate_outputs")


def authored(pen: Pen, play: Play, takes_part: Callable[[Pen], str | None], *, shows: bool) -> WorkflowSpec:
    """One executor that completes the run, before, after or beside others.

    takes_part: draws a participant, agent or child; None where there can be none.
    """
    completing: _Completing = pen.pick(_COMPLETING) if "authoring" in play.topics else "once"
    executors: dict[str, ExecutorSpec] = {}
    participants: list[str] = []
    stages: list[tuple[str, ...]] = []
    count, place = pen.count(_MOST_OTHERS + 1), pen.number(_MOST_OTHERS)
    for here in range(count):
        is_main = here == min(place, count - 1)
        beside, other = pen.part(_a_member(pen, play, takes_part, is_main=is_main, completing=completing))
        if isinstance(other, str):
            name = other
            participants.append(name)
        else:
            name = _EXECUTORS[len(executors)]
            executors[name] = other
        stages.append((*stages.pop(), name) if beside and stages else (name,))
    return WorkflowSpec(
        pattern="custom",
        participants=tuple(participants),
        stages=tuple(stages),
        executors=executors,
        intermediate_outputs=shows,
    )


@st.composite
def _a_member(
    draw: st.DrawFn,
    shared: Pen,
    play: Play,
    takes_part: Callable[[Pen], str | None],
    *,
    is_main: bool,
    completing: _Completing,
) -> tuple[bool, str | ExecutorSpec]:
    """Whether it works beside the one before, and who or what it is. is_main: an executor, which completes if anybody does."""
    pen = shared.used_by(draw)
    beside, staffed = pen.rarely(2), pen.rarely(2) if "authoring" in play.topics else pen.mostly()
    name = takes_part(pen) if staffed and not is_main and completing != "others" else None
    return beside, _an_executor(pen, play, is_main=is_main, completing=completing) if name is None else name


def _an_executor(pen: Pen, play: Play, *, is_main: bool, completing: _Completing) -> ExecutorSpec:
    """It completes the run, or is silent, or outputs something; one that does both is rare."""
    completes = completing != "never" if is_main else completing == "others" and pen.mostly()
    emits = pen.rarely(16 if completes else 2) and (not completes or completing == "once")
    asks, raises = "asking" in play.topics and pen.rarely(2), "failing" in play.topics and pen.rarely(2)
    return ExecutorSpec(
        emits=(pen.text(),) if emits else (),
        completes=pen.text() if completes else None,
        again=pen.text() if completes and is_main and completing == "again" else None,
        asks=asks,
        raises="broken" if raises else None,
    )
