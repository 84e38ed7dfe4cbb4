"""Author-written workflows: executors and participants in stages, of which mostly one executor completes the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from hypothesis import strategies as st

from conformance.scenario import ExecutorSpec, WorkflowSpec
from conformance.strategies.pen import Pen
from conformance.strategies.play import Play

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
