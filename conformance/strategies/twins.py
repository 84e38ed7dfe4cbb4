"""Twins of the threads area: two threads of one kind on one agent with equal runs, but that those on one of them stream."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from conformance.strategies.conversation import PLAIN
from conformance.strategies.options import options
from conformance.strategies.pen import Pen
from conformance.strategies.talk import Talk

_MOST_TURNS = 3


def twins(pen: Pen, talk: Talk) -> None:
    """Two threads with a few turns each."""
    first = talk.thread()
    talk.open_thread(first.on, first.kind)
    for _ in range(pen.count(_MOST_TURNS)):
        pen.part(_a_turn(pen, talk))


@st.composite
def _a_turn(draw: st.DrawFn, shared: Pen, talk: Talk) -> None:
    """A run on both threads, with explicit replies: the service's own texts would differ."""
    pen = shared.used_by(draw)
    plain, streaming = talk.threads
    with_options, nameless = pen.rarely(4), pen.rarely(8) and pen.can("service.without_id")
    chosen = pen.pick(options(pen, plain)) if with_options else PLAIN
    without_id = nameless and plain.has_id and chosen == PLAIN
    run = msgspec.structs.replace(talk.say(plain, options=chosen, without_id=without_id, explicit=True), stream=False)
    talk.steps.append(run)
    talk.again(run, streaming, stream=True)
    if pen.rarely(2):
        talk.steps[-2:] = reversed(talk.steps[-2:])
