"""Random scenarios: whole, valid by construction, within given capabilities, shrinking to ones that a person can read."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis.strategies import SearchStrategy

from conformance.scenario import Scenario
from conformance.strategies import orchestration, persistence, threads
from conformance.strategies.pen import drawn
from conformance.vocabulary import Area, Capability

_AREAS = {"threads": threads.scenario, "persistence": persistence.scenario, "orchestration": orchestration.scenario}


def scenarios(area: Area, capabilities: Iterable[Capability]) -> SearchStrategy[Scenario]:
    """Scenarios of an area that need nothing beyond the capabilities; an empty one where these allow none."""
    return drawn(_AREAS[area], capabilities)


__all__ = ["scenarios"]
