"""What came of the configuration matrix, in words: how many cells of each outcome, and those that nothing reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import get_args

import msgspec

from conformance.judging.results import ImplementationResults
from conformance.judging.verdicts import BothWays, CellOutcome, CellResult, Difference
from conformance.matrix.cells import KINDS, SERVICES, SETTINGS, Cell
from conformance.report.counterexample import scenario_lines, wrapped
from conformance.report.markup import fenced, foreign, table
from conformance.vocabulary import ThreadKind

OUTCOMES: tuple[CellOutcome, ...] = get_args(CellOutcome)

_TO_DO = (
    "To do: where a run fails, make it work; where the adapter cannot perform it, do not declare the capability; where it ends "
    "well and no rule says anything of it, a fixture is missing."
)


def counts(cells: Iterable[CellResult]) -> str:
    """How many cells there are of each outcome."""
    found = Counter(cell.outcome for cell in cells)
    return ", ".join(f"{found[outcome]} {outcome}" for outcome in OUTCOMES)


def gaps(implementation: str, cells: Sequence[CellResult]) -> list[str]:
    """The supported cells that nothing reached, with what came of runs there, and what is to do next; empty without any."""
    broke = next((cell.reason for cell in cells if cell.broke), None)
    if broke is not None:
        return list(wrapped(f"The matrix of {implementation} cannot be judged: {' '.join(broke.split())}", "  ", "    "))
    by_reason: dict[str, list[Cell]] = {}
    for each in cells:
        if each.outcome == "not reached":
            by_reason.setdefault(" ".join(each.reason.split()), []).append(each.cell)
    if not by_reason:
        return []
    lines = [f"  Cells that {implementation} supports and nothing reached:"]
    for reason, unreached in by_reason.items():
        lines += wrapped(f"{'; '.join(_names(unreached))}: {reason}", "    ", "      ")
    return [*lines, *wrapped(_TO_DO, "  ", "    ")]


def _names(cells: Sequence[Cell]) -> list[str]:
    """What cells are called; two that differ in streaming only are named once."""
    plain = {cell: msgspec.structs.replace(cell, streaming=False) for cell in cells}
    both = {cell for cell in cells if not cell.streaming and list(plain.values()).count(cell) > 1}
    names = {cell: f"{cell.name}, streaming or not" if cell in both else cell.name for cell in cells}
    return [names[cell] for cell in cells if not (cell.streaming and plain[cell] in both)]


SHOWN = 5
"""Differing scenarios that are shown; the results file has all."""

_SIGNS: Mapping[CellOutcome, str] = {
    "held": "✓",
    "violated": "✗",
    "refused": "⊘",
    "not supported": "-",
    "not reached": "**?**",
}
_LEGEND = (
    "M1: both settings off; M2: `per_service_call`; M3: `client_as_is`; M4: both. ✓ held: some rule held there, none was violated; "
    "✗ violated, by the rules under that number; ⊘ refused, as it should be: a hosted thread on a service that keeps nothing, or a "
    "conflict with the default switches; - not supported; **?** not reached: no rule said anything of a run there."
)


def cells(implementation: ImplementationResults) -> Iterator[str]:
    """What came of each cell: a row for settings and service, a column for kind and streaming."""
    if not implementation.cells:
        return
    found = {each.cell: each for each in implementation.cells}
    notes = list(dict.fromkeys(each.rules for each in implementation.cells if each.rules))
    ways: list[tuple[ThreadKind, bool]] = [(kind, streaming) for kind in KINDS for streaming in (False, True)]
    rows: list[list[str]] = []
    for (own, per_call), name in SETTINGS.items():
        for service in SERVICES:
            here = [
                found.get(Cell(client_as_is=own, per_service_call=per_call, service=service, kind=kind, streaming=streaming))
                for kind, streaming in ways
            ]
            rows.append([name, f"`{service}`", *(_sign(each, notes) for each in here)])
    yield f"## Configuration matrix: {foreign(implementation.name)}"
    yield ""
    yield f"Cells: {counts(implementation.cells)}."
    yield ""
    yield from table(["", "service", *(f"{kind}{', streaming' if streaming else ''}" for kind, streaming in ways)], rows)
    yield _LEGEND
    yield ""
    if notes:
        yield from (f"- {number}: {', '.join(rules)}" for number, rules in enumerate(notes, 1))
        yield ""


def both_ways(implementation: ImplementationResults) -> Iterator[str]:
    """How many scenarios were performed both ways, and the smallest that differ."""
    found = implementation.both_ways
    if found is None:
        return
    yield f"## Both ways of running: {foreign(implementation.name)}"
    yield ""
    yield f"{compared(found)}{'' if found.differing else ' in the rules that it violates'}."
    yield ""
    for each in found.differing[:SHOWN]:
        yield f"In the {each.area} area, {difference(each)}:"
        yield ""
        yield from fenced(scenario_lines(each.scenario), "text")
    if len(found.differing) > SHOWN:
        yield f"And {len(found.differing) - SHOWN} more."
        yield ""


def compared(found: BothWays) -> str:
    """How many scenarios were compared, and how many differ in the rules that they violate."""
    number = len(found.differing)
    differ = "none differs" if not number else "1 differs" if number == 1 else f"{number} differ"
    return f"{found.compared} generated scenarios compared with streaming flipped; {differ}"


def difference(found: Difference) -> str:
    """What a scenario violates, as drawn and flipped."""
    drawn, flipped = (", ".join(rules) or "nothing" for rules in (found.violated, found.violated_flipped))
    return f"as drawn it violates {drawn}; with streaming flipped {flipped}"


def _sign(found: CellResult | None, notes: Sequence[tuple[str, ...]]) -> str:
    if found is None:
        return ""
    return _SIGNS[found.outcome] + (f" {notes.index(found.rules) + 1}" if found.rules else "")
