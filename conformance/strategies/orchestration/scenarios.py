"""Random scenarios of the orchestration area: runs of workflows of every pattern, alone, again, on threads, in pairs, together."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from hypothesis import strategies as st

from conformance.scenario.scenario import Scenario, Together
from conformance.strategies.choices import Pen
from conformance.strategies.orchestration.draft import Play
from conformance.strategies.orchestration.features import ALL, CALM, patterns, topics
from conformance.strategies.orchestration.pairs import differences, pair
from conformance.strategies.orchestration.runs import draft, ordered
from conformance.strategies.orchestration.work import beside
from conformance.strategies.orchestration.workflows import add_workflow

_NAMES = ("w", "x", "y")
_RUNS = (1, 2, 3, 2, 3, 2)  # one alone shows nothing here, but that is where shrinking ends which does not need the others
_RUNS_ON_THREADS = (1, 2, 3, 4, 3, 4)
_THREADS = (None, "t", "u", "t", "t", "u", "t", "t")


def scenario(pen: Pen) -> Scenario:
    """One workflow that is run once or a few times, or two of them."""
    if not patterns(pen):
        return Scenario()
    sorts: list[Callable[[Pen], Scenario]] = [_once] * 11 + [_again] * 3
    if pen.can("workflows.as_agent"):
        sorts += [_on_threads] * 6
    if differences(pen):
        sorts += [pair] * 8
    if pen.can("runs.interleaved"):
        sorts += [_together] * 3
    if pen.can("runs.streaming"):
        sorts += [_left] * 4
    return pen.pick(sorts)(pen)


def _once(pen: Pen) -> Scenario:
    """A run of each of a few workflows, with an answer to every request that it waits for, but rarely to the last ones."""
    play = Play(pen, topics(pen))
    for _ in range(pen.count(len(_NAMES))):
        pen.part(_a_run_of_its_own(pen, play))
    return play.scenario()


@st.composite
def _a_run_of_its_own(draw: st.DrawFn, shared: Pen, play: Play) -> None:
    pen = shared.used_by(draw)
    name = next(name for name in _NAMES if name not in play.workflows)
    add_workflow(pen, play, name)
    _a_run(pen, play, name)


def _again(pen: Pen) -> Scenario:
    """Several runs of one workflow; the first may fail, or wait for an answer that nobody gives."""
    play = Play(pen, topics(pen))
    add_workflow(pen, play, "w")
    for _ in range(pen.pick(_RUNS)):
        pen.part(_another_run(pen, play))
    return play.scenario()


@st.composite
def _another_run(draw: st.DrawFn, shared: Pen, play: Play) -> None:
    pen = shared.used_by(draw)
    _a_run(pen, play, "w", drops=pen.rarely(2))


def _a_run(pen: Pen, play: Play, name: str, *, drops: bool | None = None) -> None:
    drawn = draft(pen, play, name)
    run = ordered(pen, drawn)
    play.take(run, drawn.rests, play.answers(drawn.rests, drops=drops))


def _on_threads(pen: Pen) -> Scenario:
    """Several runs of a workflow as an agent, on two threads or on none; an answer that nobody gives is the end."""
    play = Play(pen, topics(pen, ALL - {"authoring"}))
    add_workflow(pen, play, "w")
    for _ in range(pen.pick(_RUNS_ON_THREADS)):
        pen.part(_a_run_on_a_thread(pen, play))
        if play.left:
            break
    return play.scenario()


@st.composite
def _a_run_on_a_thread(draw: st.DrawFn, shared: Pen, play: Play) -> None:
    pen = shared.used_by(draw)
    thread = pen.pick(_THREADS)
    drawn = draft(pen, play, "w", as_agent=True, thread=thread if pen.can("workflows.threads") else None)
    play.take(ordered(pen, drawn), drawn.rests, play.answers(drawn.rests))


def _together(pen: Pen) -> Scenario:
    """Two workflows in flight at once, sometimes two instances of one orchestration."""
    play = Play(pen, topics(pen))
    add_workflow(pen, play, "w")
    alike = pen.rarely(4)
    if alike:
        play.workflows["x"] = play.workflows["w"]
    else:
        add_workflow(pen, play, "x")
    drafts = [draft(pen, play, name) for name in _NAMES[:2]]
    order = pen.shuffled(place for place, each in enumerate(drafts) for _ in range(each.service_calls))
    rests = beside([each.rests for each in drafts])
    if pen.number(7) == 0:  # shrinking ends here where it takes no two
        play.take(drafts[0].run, drafts[0].rests, play.answers(drafts[0].rests))
    else:
        together = Together(runs=tuple(each.run for each in drafts), order=tuple(order))
        play.take(together, rests, play.answers(rests))
    return play.scenario()


def _left(pen: Pen) -> Scenario:
    """Runs of a workflow whose stream the consumer leaves, and one that comes to its end."""
    play = Play(pen, topics(pen, CALM))
    add_workflow(pen, play, "w")
    runs = pen.pick(_RUNS)
    for place in range(runs):
        pen.part(_a_run_or_less(pen, play, is_last=place == runs - 1))
    return play.scenario()


@st.composite
def _a_run_or_less(draw: st.DrawFn, shared: Pen, play: Play, *, is_last: bool) -> None:
    pen = shared.used_by(draw)
    drawn = draft(pen, play, "w")
    leaves, seen, run = pen.mostly() and not is_last, 1 + pen.rarely(2), ordered(pen, drawn)
    play.take(msgspec.structs.replace(drawn.run, stream=True, abandons=seen) if leaves else run, (), ())
