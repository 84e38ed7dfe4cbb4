"""What came of the configuration matrix, in words: how many cells of each outcome, and those that nothing reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import get_args

import msgspec

from conformance.cells import Cell
from conformance.report.story import wrapped
from conformance.verdicts import CellOutcome, CellResult

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
