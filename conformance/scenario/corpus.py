"""The corpus: scenarios that were drawn once, chosen and frozen, so that verdicts depend on no seed, version or platform.

`fixtures/corpus/<area>.jsonl` has a scenario a line, `{"id": "0ada9bd80078", "scenario": {...}}`, the most telling ones first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from conformance.json_errors import misfit
from conformance.scenario.files import ScenarioError, check, folder, sparse
from conformance.scenario.identity import scenario_id
from conformance.scenario.scenario import Scenario
from conformance.vocabulary import Area, Data


class _Line(Data, frozen=True, kw_only=True):
    id: str
    scenario: Scenario


def file(area: Area) -> Path:
    """Where the corpus of an area stands."""
    return folder("fixtures") / "corpus" / f"{area}.jsonl"


def load(area: Area) -> Sequence[Scenario]:
    """The corpus of an area; empty where there is none. Raises ScenarioError that names file and line."""
    path = file(area)
    return tuple(_decode(line, f"{path}:{number}") for number, line in enumerate(_lines(path), start=1))


def verify(area: Area) -> None:
    """Check what loading takes for granted: that ids are those of the scenarios, that no two are equal, that all are whole.

    Raises ScenarioError that names file and line.
    """
    path, seen = file(area), set[str]()
    for number, line in enumerate(_lines(path), start=1):
        place, found = f"{path}:{number}", _decode(line, f"{path}:{number}")
        check(found, name=place)
        id, said = scenario_id(found), json.loads(line)["id"]
        if id != said:
            raise ScenarioError(f"{place}: its id is {said!r}, expected {id!r}")
        if id in seen:
            raise ScenarioError(f"{place}: the scenario {id} stands twice in the corpus")
        seen.add(id)


def write(area: Area, scenarios: Iterable[Scenario]) -> None:
    """Write the corpus of an area, in this order."""
    path = file(area)
    path.parent.mkdir(exist_ok=True)
    lines = ({"id": scenario_id(scenario), "scenario": sparse(scenario)} for scenario in scenarios)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def _lines(path: Path) -> list[str]:
    # not `splitlines`: a text may hold other line breaks than these
    return path.read_text(encoding="utf-8").rstrip("\n").split("\n") if path.exists() else []


def _decode(line: str, place: str) -> Scenario:
    try:
        return msgspec.json.decode(line, type=_Line).scenario
    except msgspec.ValidationError as error:
        data: Any = json.loads(line)
        raise ScenarioError(f"{place}: {misfit(data, _Line) or error}") from None
    except msgspec.DecodeError as error:
        raise ScenarioError(f"{place}: not JSON: {error}") from None
