"""What a scenario of the persistence area is about: what happens in its runs, and what is special about its agents."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, get_args

from conformance.strategies.choices import Pen
from conformance.vocabulary import Capability

Plot = Literal[
    "plain",
    # what happens
    "failing",  # the service fails
    "storing",  # the history store fails
    "cancelling",  # the caller cancels, in a service call or in a tool
    "leaving",  # the consumer of a stream leaves it
    "terminating",  # a tool ends the loop; the caller supplies the results
    "approving",  # calls wait for a person
    "switching",  # an agent is rebuilt with the other setting between two runs
    "restoring",  # threads as data, and back
    "interleaving",
    # who takes part
    "providers",  # context providers
    "limiting",  # an iteration limit, and scripts that go beyond it
    "repeating",  # call ids that come back, texts that are said again, texts that are empty
]
ALL: frozenset[Plot] = frozenset(get_args(Plot))
_NO_LIMIT: frozenset[Plot] = frozenset({"limiting"})
"""What does not go with approvals: a limit would take the question out of the reply."""

EVENTS: frozenset[Plot] = ALL - {"plain", "providers", "limiting", "repeating"}
FAULTS: frozenset[Plot] = frozenset({"failing", "storing", "cancelling", "leaving", "terminating"})

_HAPPENS: Mapping[Plot, int] = {
    "plain": 1,
    "failing": 4,
    "storing": 4,
    "cancelling": 2,
    "leaving": 5,
    "terminating": 5,
    "approving": 5,
    "switching": 4,
    "restoring": 2,
    "interleaving": 4,
}
_PARTS: Mapping[Plot, int] = {"plain": 3, "providers": 3, "limiting": 2, "repeating": 3}
_NEEDS: Mapping[Plot, tuple[Capability, ...]] = {
    "storing": ("history.provider",),
    "cancelling": ("runs.cancel",),
    "leaving": ("runs.streaming",),
    "terminating": ("tools", "tools.terminate"),
    "approving": ("tools", "tools.approval"),
    "switching": ("history.provider", "history.per_run", "history.per_service_call"),
    "restoring": ("threads.serialize",),
    "interleaving": ("runs.interleaved",),
    "providers": ("threads.context_state",),
    "limiting": ("tools", "tools.limit"),
}


def plots(pen: Pen, among: Collection[Plot] = ALL) -> frozenset[Plot]:
    """Mostly one or two things that happen, and one that is special about those who take part."""
    eventful, *happens = pen.number(2) > 0, _one_of(pen, _HAPPENS, among), _one_of(pen, _HAPPENS, among)
    found: frozenset[Plot] = frozenset((_one_of(pen, _PARTS, among), *(happens if eventful else ())))
    return found - _NO_LIMIT if "approving" in found else found


def every_plot(pen: Pen) -> frozenset[Plot]:
    """Everything that can happen, and one that is special about those who take part."""
    found: frozenset[Plot] = frozenset((_one_of(pen, _PARTS, ALL), *(plot for plot in EVENTS if _can(pen, plot))))
    return found - _NO_LIMIT


def _one_of(pen: Pen, weights: Mapping[Plot, int], among: Collection[Plot]) -> Plot:
    return pen.pick([plot for plot, weight in weights.items() for _ in range(weight) if plot in among and _can(pen, plot)])


def _can(pen: Pen, plot: Plot) -> bool:
    return pen.can(*_NEEDS.get(plot, ()))
