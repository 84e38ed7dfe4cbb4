"""The report as a file, with the mutant matrix where the reference is among the implementations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conformance.errors import UsageError
from conformance.judging.results import Results
from conformance.mutants.matrix import matrix, rows
from conformance.mutants.mutant import mutants
from conformance.report.markdown import report
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.rule import Rule


def check_folder(path: Path) -> Path:
    """The path itself, where a file can be written there. Raises UsageError: better now than after everything is judged."""
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; create it first")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it")
    return path


def write_report(results: Results, rules: Sequence[Rule], path: Path) -> None:
    """Render the results and write them."""
    made = None
    if any(implementation.name == "reference" for implementation in results.implementations):
        chosen = {rule.id for rule in rules}
        every = list(CATALOGUE.values())
        concerned = {name: kind for name, kind in mutants().items() if kind.expected & chosen}
        made = matrix(list(rows(concerned, every)), rules)
    titles = {rule.id: rule.title for rule in rules}
    try:
        path.write_text(report(results, titles, made), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
