"""Random scenarios: whole, valid by construction, within given capabilities, shrinking to ones that a person can read."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis.strategies import SearchStrategy

from conformance.scenario.scenario import Scenario
from conformance.strategies.choices import drawn
from conformance.strategies.orchestration.scenarios import scenario as orchestration
from conformance.strategies.persistence.scenarios import scenario as persistence
from conformance.strategies.threads.scenarios import scenario as threads
from conformance.vocabulary import Area, Capability

_AREAS = {"threads": threads, "persistence": persistence, "orchestration": orchestration}


def scenarios(area: Area, capabilities: Iterable[Capability]) -> SearchStrategy[Scenario]:
    """Scenarios of an area that need nothing beyond the capabilities; an empty one where these allow none."""
    return drawn(_AREAS[area], capabilities)


__all__ = ["scenarios"]
