"""The hand-written scenarios that ship with the suite, an area each folder; their files are named after what they show."""

from __future__ import annotations

from conformance.data import files
from conformance.scenario import Scenario
from conformance.scenario_file import read
from conformance.vocabulary import Area


def load(area: Area) -> list[tuple[str, Scenario]]:
    """Every fixture of an area by its name, sorted. Raises ScenarioError for a file that is no scenario."""
    return [(path.stem, read(path)) for path in files("fixtures", area)]
