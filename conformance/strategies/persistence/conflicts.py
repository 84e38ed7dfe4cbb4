"""Conflicts: services that return a conversation id although nobody asked them to keep the conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from hypothesis import strategies as st

from conformance.scenario.scenario import Scenario
from conformance.scenario.specs import OnConflict, ReplySpec
from conformance.strategies.choices import Pen
from conformance.strategies.conversation import OpenThread
from conformance.strategies.persistence.agents import (
    BY_DEFAULT,
    BY_DEFAULT_PER_CALL,
    M1,
    M2,
    M3,
    M4,
    M4_BARE,
    SWITCHES,
    furnished,
    possible,
)
from conformance.strategies.persistence.draft import Course
from conformance.strategies.persistence.features import Plot, plots
from conformance.strategies.scripts import services

_MOST_RUNS = 4
_MOST_THREADS = 2
_CELLS = (M1, M2, M1, M2, M1, M2, M3, M4, BY_DEFAULT, BY_DEFAULT, BY_DEFAULT_PER_CALL, M4_BARE)
_NAMED: tuple[Literal["each", "last", "none"], ...] = ("each", "none", "each", "none", "last")
_PLOTS: frozenset[Plot] = frozenset({"plain", "providers"})


def conflict(pen: Pen) -> Scenario:
    """A few runs on a local thread, sometimes on two; the id comes on the first turn, on a later one or never."""
    course = Course(pen, plots(pen, _PLOTS))
    switches = pen.pick(SWITCHES) if pen.can("history.conflict_switches") else OnConflict()
    agent = furnished(pen, pen.pick(possible(pen, *_CELLS)), course.plots)
    service = msgspec.structs.replace(pen.pick(services(pen, surprising=True)), repeats_call_ids=pen.rarely(8))
    course.add_agent(msgspec.structs.replace(agent, service=service, on_conflict=switches))
    course.kinds = ("adaptive" if pen.rarely(8) and pen.can("threads.adaptive") else "local",)
    for _ in range(pen.count(_MOST_RUNS)):
        pen.part(_a_turn(pen, course))
    return course.scenario()


@st.composite
def _a_turn(draw: st.DrawFn, shared: Pen, course: Course) -> None:
    """A run on the latest thread, on the first one or on a new one; rarely after the thread was data."""
    pen = shared.used_by(draw)
    place, new, restores, fails = pen.number(1), pen.rarely(2), pen.rarely(16), pen.rarely(8)
    opens = not course.threads or (new and len(course.threads) < _MOST_THREADS)
    thread = course.open_thread("a", course.kinds[0]) if opens else course.threads[place - 1]
    if restores and pen.can("threads.serialize"):
        course.restore(thread).has_id = True
        return
    turn = course.turn(thread)
    replies = [*turn.asking(), *turn.words()]
    if fails:
        replies = [*turn.asking(), ReplySpec(error="overloaded")]
    turn.run(_named(pen, thread, replies))
    course.take(turn)


def _named(pen: Pen, thread: OpenThread, replies: list[ReplySpec]) -> list[ReplySpec]:
    """The replies of a run with the ids that they bring: each of them, the last one only, or none."""
    which = pen.pick(_NAMED)
    if thread.has_id or not pen.can("service.without_id"):
        which = "each"
    asking = [reply for reply in replies if reply.calls]
    last = [reply for reply in replies if not reply.calls] or [ReplySpec(text="yes")]
    provided = thread.agent.history == "provider"
    thread.has_id = thread.has_id or (which != "none" and not (provided and thread.agent.on_conflict.throw))
    match which:
        case "each":
            return replies
        case "last":
            return [*_nameless(asking), *last]
        case "none":
            return _nameless([*asking, *last])


def _nameless(replies: Sequence[ReplySpec]) -> list[ReplySpec]:
    return [msgspec.structs.replace(reply, without_id=True) for reply in replies]
