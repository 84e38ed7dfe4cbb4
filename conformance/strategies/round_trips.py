"""Threads that become data and threads again, in a conversation of the threads area."""

from __future__ import annotations

from typing import Literal

from conformance.scenario import Damage
from conformance.strategies.conversation import OpenThread
from conformance.strategies.talk import Talk

_HOWS: tuple[Literal["drop", "cut", "retype", "unknown", "extra"], ...] = ("drop", "retype", "unknown", "cut", "extra")
_PLACES = 12
_MOST_DAMAGES = 3


def round_trip(talk: Talk) -> None:
    """A thread becomes data and is restored, once or twice; what was restored goes on, and the original with an equal run."""
    pen, thread = talk.pen, talk.thread()
    begins = pen.rarely(4) if thread.kind == "adaptive" else pen.mostly()
    if not thread.turns and begins:
        talk.run_on(thread, answers=True)
    moves, twice, twins, late = pen.rarely(2), pen.rarely(2), pen.rarely(2), pen.rarely(4)
    alone = thread.agent.history == "provider"  # one history for all of them: only one goes on
    others = [name for name in talk.speakers if name != thread.on and not alone]
    agent = pen.pick(others) if others and moves else None
    data = talk.serialize(thread)
    if late and not alone:
        talk.run_on(thread)
    restored = [talk.restore(data, agent) for _ in range(1 + twice)]
    if agent is not None and data.kind != "local":  # refused, now or when it runs: nothing more can come of it
        talk.run_on(restored[0], answers=True)
        return
    run = talk.say(restored[0], explicit=True)
    talk.steps.append(run)
    if alone:
        talk.threads[talk.threads.index(thread)] = restored[0]
        return
    for twin in (*restored[1:], *([thread] if twins and agent is None else [])):
        talk.again(run, twin)
    talk.threads.insert(0, restored[-1])


def early_round_trip(talk: Talk) -> None:
    """A thread becomes data before anything happened on it."""
    restored = talk.restore(talk.serialize(talk.new_thread()))
    talk.run_on(restored)
    talk.threads.insert(0, restored)


def damage(talk: Talk) -> None:
    """A thread's data becomes malformed, in one way or in several: nothing can come of it."""
    thread: OpenThread = talk.thread()
    begins = talk.pen.mostly()
    if not thread.turns and begins:
        talk.run_on(thread, answers=True)
    data = talk.serialize(thread)
    for _ in range(talk.pen.count(_MOST_DAMAGES)):
        talk.restore_damaged(data, Damage(how=talk.pen.pick(_HOWS), at=talk.pen.number(_PLACES - 1)))
