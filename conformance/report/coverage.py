"""What exercised each rule, on a terminal: scenarios and places, what was left alone, what no scenario of the corpus reached."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.judging.results import ImplementationResults, Results


def explain(results: Results, to: Console) -> None:
    """Print one table an implementation, with the rules that it supports."""
    for implementation in results.implementations:
        to.print(Text(f"what exercised the rules on {implementation.name}:", style="bold"))
        to.print(_table(implementation))
        _left_alone(implementation, to)
        unreached = [each.rule for each in implementation.rules if each.coverage is not None and not each.coverage.corpus]
        to.print(f"supported rules that no scenario of the corpus reached: {', '.join(unreached) or 'none'}")
        left_out = [each.rule for each in implementation.rules if each.coverage is None]
        if left_out:
            to.print(f"rules that do not apply: {', '.join(left_out)}")


def _left_alone(implementation: ImplementationResults, to: Console) -> None:
    """What the exclusions of each rule took away: a run, a request, or whatever else the rule looks at."""
    for verdict in implementation.rules:
        taken = verdict.coverage.left_alone if verdict.coverage else {}
        if taken:
            counts = ", ".join(f"{name} {count}" for name, count in taken.items())
            to.print(Text(f"{verdict.rule} left alone: {counts}"))


def _table(implementation: ImplementationResults) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("rule")
    for name in ("fixtures", "of", "matrix", "of", "corpus", "of", "explored", "of", "places"):
        table.add_column(name, justify="right")
    for verdict in implementation.rules:
        found = verdict.coverage
        if found is not None:
            frozen = (found.fixtures, found.of_fixtures, found.matrix, found.of_matrix, found.corpus, found.of_corpus)
            table.add_row(verdict.rule, *map(str, (*frozen, found.explored, found.of_explored, verdict.exercised)))
    return table
