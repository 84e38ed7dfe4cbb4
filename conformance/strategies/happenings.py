"""What happens on a thread under each plot: one turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from conformance.strategies.approving import approved
from conformance.strategies.faults import cancelled, fails, left, store_fails, terminated
from conformance.strategies.pen import Pen
from conformance.strategies.plots import EVENTS, Plot
from conformance.strategies.switching import switched
from conformance.strategies.turn import Turn

HAPPENINGS: Mapping[Plot, Callable[[Turn], None]] = {
    "failing": fails,
    "storing": store_fails,
    "cancelling": cancelled,
    "leaving": left,
    "terminating": terminated,
    "approving": approved,
    "switching": switched,
}

_PLAIN: tuple[Plot, ...] = ("plain",)


def happening(pen: Pen, plots: frozenset[Plot]) -> Plot:
    """What happens in the next turn."""
    events = sorted(plots & EVENTS)
    return pen.pick([*_PLAIN * max(1, len(events)), *events * 2])


def happen(turn: Turn, plot: Plot) -> None:
    """Draw a turn in which this happens."""
    HAPPENINGS.get(plot, Turn.plain)(turn)
