"""Pairs: threads of one scenario with equal runs, in different cells of the matrix, in different homes, or streaming and not."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from hypothesis import strategies as st

from conformance.scenario.scenario import Scenario
from conformance.scenario.specs import AgentSpec
from conformance.strategies.choices import Pen
from conformance.strategies.persistence.agents import M1, M2, M3, M4, M4_BARE, an_agent, furnished, possible
from conformance.strategies.persistence.draft import Course, Turn
from conformance.strategies.persistence.features import Plot, plots
from conformance.strategies.persistence.steps import happen, happening
from conformance.strategies.scripts import services

_MOST_TURNS = 3
_PAIRS = (
    (M1, M2),
    (M1, M3),
    (M1, M2),
    (M2, M4),
    (M1, M3),
    (M1, M2),
    (M1, M4),
    (M1, M2),
    (M1, M4_BARE),
    (M2, M3),
    (M2, M4_BARE),
    (M3, M4),
)
_PARTS: frozenset[Plot] = frozenset({"plain", "providers", "limiting", "repeating"})
_HAPPENS: frozenset[Plot] = frozenset({"failing", "terminating", "approving"})
_HAPPENS_BOTH_WAYS: frozenset[Plot] = frozenset({"storing", "cancelling"})
_ALIKE = _PARTS | _HAPPENS
_BOTH_WAYS = _ALIKE | _HAPPENS_BOTH_WAYS


def sorts_of_pairs(pen: Pen) -> list[Callable[[Pen], Scenario]]:
    """The sorts of pairs that the scenario may have."""
    sorts: list[Callable[[Pen], Scenario]] = []
    if len(possible(pen, M1, M2, M3)) > 1:
        sorts += [_in_cells] * 2
    if services(pen, keeping=True) and possible(pen, M2) and pen.can("threads.hosted"):
        sorts.append(_in_homes)
    if pen.can("runs.streaming"):
        sorts.append(_both_ways)
    return sorts


def _in_cells(pen: Pen) -> Scenario:
    """Local threads with a history provider, in two different cells of the matrix or in three."""
    course = Course(pen, plots(pen, _ALIKE))
    third, cells = pen.rarely(8), list(pen.pick([pair for pair in _PAIRS if len(possible(pen, *pair)) == 2]))
    others = [cell for cell in possible(pen, M2, M3, M4) if cell not in cells]
    agent = pen.part(_one_of_a_pair(pen, course.plots))
    for cell in [*cells, *(others[:1] if third else [])]:
        course.open_thread(course.add_agent(_in_cell(agent, cell)))
    _turns(course)
    return course.scenario()


def _in_homes(pen: Pen) -> Scenario:
    """A local thread with per-service-call persistence and a hosted one.

    Where the hosted one follows the id only at the end of a run, a failed run is its last: what comes after would rightly differ.
    """
    course = Course(pen, plots(pen, _ALIKE))
    follows_each_call = pen.rarely(2)
    agent = pen.part(_one_of_a_pair(pen, course.plots, looks=True))
    keeping = msgspec.structs.replace(pen.pick(services(pen, keeping=True)), repeats_call_ids=agent.service.repeats_call_ids)
    course.open_thread(course.add_agent(_in_cell(agent, pen.pick(possible(pen, M2, M2, M4)))))
    hosted = msgspec.structs.replace(agent, service=keeping, per_service_call=follows_each_call)
    course.open_thread(course.add_agent(hosted), "hosted")
    _turns(course, until_it_fails=not follows_each_call)
    return course.scenario()


def _both_ways(pen: Pen) -> Scenario:
    """Two threads of one kind on one agent; one of them streams."""
    course = Course(pen, plots(pen, _BOTH_WAYS))
    kinds = ("local", "local", "local", "hosted") if services(pen, keeping=True) and pen.can("threads.hosted") else ("local",)
    kind = pen.pick(kinds)
    agent = course.add_agent(pen.part(an_agent(pen, course.plots, kind)))
    for _ in range(2):
        course.open_thread(agent, kind)
    _turns(course, both_ways=True)
    return course.scenario()


@st.composite
def _one_of_a_pair(draw: st.DrawFn, shared: Pen, plots: frozenset[Plot], *, looks: bool = False) -> AgentSpec:
    """What the agents of a pair in different cells have in common."""
    pen = shared.used_by(draw)
    service = msgspec.structs.replace(pen.pick(services(pen)), repeats_call_ids=pen.rarely(8))
    return furnished(pen, AgentSpec(service=service), plots, looks=looks)


def _in_cell(agent: AgentSpec, cell: AgentSpec) -> AgentSpec:
    return msgspec.structs.replace(cell, service=agent.service, tools=agent.tools, context=agent.context, limit=agent.limit)


def _turns(course: Course, *, both_ways: bool = False, until_it_fails: bool = False) -> None:
    """A few turns of the first thread, each of which the others take after it."""
    threads = list(course.threads)
    for _ in range(course.pen.count(_MOST_TURNS)):
        turn = course.pen.part(_a_turn(course.pen, course))
        for place, thread in enumerate(threads):
            course.take(turn, thread, stream=bool(place) if both_ways else None)
        failed = any(reply.error is not None for run in turn.runs for reply in run.replies)
        if course.left or (failed and until_it_fails):
            return


@st.composite
def _a_turn(draw: st.DrawFn, shared: Pen, course: Course) -> Turn:
    """A turn with explicit replies: the service's own texts would differ."""
    pen = shared.used_by(draw)
    turn = course.turn(course.threads[0], explicit=True)
    happen(turn, happening(pen, course.plots))
    return turn
