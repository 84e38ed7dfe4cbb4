"""Random scenarios of the persistence area: conversations in the configuration matrix, pairs, and conflicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from conformance.scenario.scenario import Scenario
from conformance.strategies.choices import Pen
from conformance.strategies.persistence.agents import M1, M2, an_agent, possible
from conformance.strategies.persistence.conflicts import conflict
from conformance.strategies.persistence.draft import Course
from conformance.strategies.persistence.features import EVENTS, Plot, every_plot, plots
from conformance.strategies.persistence.pairs import sorts_of_pairs
from conformance.strategies.persistence.steps import happen, happening
from conformance.strategies.scripts import services
from conformance.vocabulary import ThreadKind

_MOST_TURNS = 10
_KINDS: tuple[ThreadKind, ...] = ("local", "local", "local", "local", "local", "hosted", "hosted", "adaptive")
_MOSTLY_LOCAL: tuple[ThreadKind, ...] = ("local",) * 10 + ("hosted", "adaptive")
_ABOUT_HISTORY: frozenset[Plot] = frozenset({"storing", "leaving", "switching", "interleaving"})


def scenario(pen: Pen) -> Scenario:
    """A conversation, threads that must come to the same, or a service that returns ids nobody asked for."""
    if not services(pen):
        return Scenario()
    pairs = sorts_of_pairs(pen)
    sorts: list[Callable[[Pen], Scenario]] = [_conversation] * 8 + [_tour] * 3
    if pairs:
        sorts += [pen.pick(pairs)] * 4
    if services(pen, surprising=True) and possible(pen, M1, M2):
        sorts += [conflict] * 4
    return pen.pick(sorts)(pen)


def _conversation(pen: Pen) -> Scenario:
    """A few turns on one to three threads, about a few plots."""
    chosen = plots(pen)
    kind = pen.pick(_kinds(pen, chosen))
    course = Course(pen, chosen, (kind, kind, "local"))
    for _ in range(1 + pen.rarely(16)):
        course.add_agent(pen.part(an_agent(pen, chosen, kind)))
    for _ in range(pen.count(2 if chosen & EVENTS else 3)):
        pen.part(_a_turn(pen, course))
    return course.scenario()


def _tour(pen: Pen) -> Scenario:
    """Many turns of every sort, on threads of one agent, mostly one for each."""
    chosen = every_plot(pen)
    kind = pen.pick(_kinds(pen, chosen))
    course = Course(pen, chosen, (kind,), apart=True)
    course.add_agent(pen.part(an_agent(pen, chosen, kind)))
    for _ in range(pen.count(_MOST_TURNS)):
        pen.part(_a_turn(pen, course))
    return course.scenario()


def _kinds(pen: Pen, plots: frozenset[Plot]) -> Sequence[ThreadKind]:
    """The kinds that threads may have here: mostly local, and hardly another where the plot is about a history provider."""
    kinds = _MOSTLY_LOCAL if plots & _ABOUT_HISTORY else _KINDS
    can_be_hosted = services(pen, keeping=True) and pen.can("threads.hosted")
    return [kind for kind in kinds if kind != "hosted" or can_be_hosted if kind != "adaptive" or pen.can("threads.adaptive")]


@st.composite
def _a_turn(draw: st.DrawFn, shared: Pen, course: Course) -> None:
    """What happens next: mostly one of the plots, else a run that answers."""
    pen = shared.used_by(draw)
    thread = course.a_thread()
    match happening(pen, course.plots):
        case "interleaving":
            course.interleave(thread)
        case "restoring":
            course.restore(thread)
        case plot:
            turn = course.turn(thread)
            happen(turn, plot)
            course.take(turn)
