"""Random scenarios of the threads area: conversations on threads of every kind, about a few themes."""

from __future__ import annotations

from conformance.scenario.scenario import CreateThread, Scenario
from conformance.strategies.choices import Pen
from conformance.strategies.scripts import services
from conformance.strategies.threads.agents import cast
from conformance.strategies.threads.draft import Talk
from conformance.strategies.threads.features import themes
from conformance.strategies.threads.steps import a_move, pair

_MOST_MOVES = 5


def scenario(pen: Pen) -> Scenario:
    """A few moves on one to three threads; or a pair, of which one streams."""
    if not services(pen):
        return Scenario()
    talk = Talk(pen, themes(pen))
    cast(pen, talk)
    if "streaming" in talk.themes:
        pair(pen, talk)
    else:
        for _ in range(pen.count(_MOST_MOVES)):
            pen.part(a_move(pen, talk))
    _stop_at_what_cannot_be_built(talk)
    return talk.scenario()


def _stop_at_what_cannot_be_built(talk: Talk) -> None:
    """Nothing can come of threads on an agent with two context providers of one id."""
    for place, step in enumerate(talk.steps):
        ids = talk.agents[step.agent].provider_ids if isinstance(step, CreateThread) else []
        if len(set(ids)) < len(ids):
            del talk.steps[place + 1 :]
            return
