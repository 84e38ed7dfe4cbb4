"""What a scenario of the threads area is about: what happens in it, and what is special about those who take part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from conformance.strategies.choices import Pen
from conformance.vocabulary import Capability

Theme = Literal[
    "plain",
    # what happens
    "options",  # options of runs, fitting or contradicting
    "hosting",  # conversations that exist already, clients without hosted support, replies without an id
    "restoring",  # threads as data, and back
    "damage",  # malformed data
    "sharing",  # threads that go from one agent to another
    "tampering",
    "interleaving",
    "streaming",  # a pair, of which one streams
    # who takes part
    "adaptive",
    "providers",  # context providers
    "failing",  # service errors, and callers that cancel
    "inner",  # agents as tools
    "reducing",
]

_PLOTS: Mapping[Theme, int] = {
    "plain": 1,
    "options": 8,
    "hosting": 4,
    "restoring": 3,
    "damage": 2,
    "sharing": 4,
    "tampering": 2,
    "interleaving": 3,
    "streaming": 2,
}
_PARTS: Mapping[Theme, int] = {"plain": 2, "adaptive": 4, "providers": 3, "failing": 3, "inner": 2, "reducing": 2}
_NEEDS: Mapping[Theme, tuple[Capability, ...]] = {
    "hosting": ("threads.hosted",),
    "restoring": ("threads.serialize",),
    "damage": ("threads.serialize",),
    "sharing": ("threads.shared",),
    "tampering": ("runs.tamper",),
    "interleaving": ("runs.interleaved",),
    "streaming": ("runs.streaming",),
    "adaptive": ("threads.adaptive",),
    "providers": ("threads.context_state",),
    "inner": ("tools", "agents.as_tool"),
    "reducing": ("threads.reducer",),
}


def themes(pen: Pen) -> frozenset[Theme]:
    """One or two things that happen, and one that is special about those who take part."""
    return frozenset((_one_of(pen, _PLOTS), _one_of(pen, _PLOTS), _one_of(pen, _PARTS)))


def _one_of(pen: Pen, weights: Mapping[Theme, int]) -> Theme:
    return pen.pick([theme for theme, weight in weights.items() for _ in range(weight) if pen.can(*_NEEDS.get(theme, ()))])
