"""Results on a terminal: counts, what needs attention with a line each, and the gate. Readable in 100 columns without colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import StringIO
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.judging.results import ImplementationResults, Results
from conformance.report.counterexample import brief
from conformance.report.counts import WORDS, areas, counted, gate, rules, word
from conformance.report.matrix import SHOWN, compared, counts, difference, gaps

WIDTH = 100
_STYLES = {
    "pass": "green",
    "fail": "bold red",
    "deviates": "yellow",
    "not supported": "dim",
    "not exercised": "magenta",
    "error": "bold red",
    "stale": "bold yellow",
}


def console(file: TextIO | None = None) -> Console:
    """A console as wide as the terminal; where there is none, WIDTH. It respects NO_COLOR."""
    made = Console(file=file, highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = WIDTH
    return made


def summary(results: Results) -> str:
    """The results as plain text."""
    text = StringIO()
    show(results, Console(file=text, width=WIDTH, no_color=True, highlight=False, markup=False, emoji=False))
    return text.getvalue()


def show(results: Results, to: Console) -> None:
    """Print everything."""
    to.print(_counts(results))
    if len(results.implementations) > 1:
        to.print(_side_by_side(results))
    for implementation in results.implementations:
        for line in _attention(implementation):
            to.print(line, overflow="ellipsis", no_wrap=bool(line.no_wrap))  # printing forgets what the text says of itself
        for part in (_shortfalls, _unexpected, _cells, _both_ways, _snapshots):
            for line in part(implementation):
                to.print(line)
    scenarios = sum(implementation.scenarios for implementation in results.implementations)
    took = sum(implementation.seconds for implementation in results.implementations)
    speed = scenarios / max(took, 0.001)
    to.print(Text(f"rules: {len(rules(results))}; scenarios performed: {scenarios} in {took:.1f} s, {speed:.0f} a second"))
    sentence = gate(results)
    to.print(Text(sentence, style="bold green" if sentence.endswith("holds") else "bold red"))


def _counts(results: Results) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("implementation", overflow="fold")
    table.add_column("area")
    found_at_all = {word(verdict) for implementation in results.implementations for verdict in implementation.rules}
    shown = [name for name in WORDS if name in found_at_all or name in ("pass", "fail", "deviates")]
    for name in shown:
        table.add_column(name.replace(" ", "\n"), justify="right")
    for implementation in results.implementations:
        by_area = areas(implementation)
        name, version = implementation.name, implementation.version
        labels = [name, version, ""] if len(by_area) > 1 else [f"{name} {version}"]
        for label, (area, verdicts) in zip(labels, by_area.items(), strict=False):
            found = counted(verdicts)
            cells = [Text(str(found[name]) if found[name] else "", style=_STYLES[name]) for name in shown]
            table.add_row(label, area, *cells)
    return table


def _side_by_side(results: Results) -> Table:
    """The rules that do not pass everywhere, a column an implementation."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("rule")
    for implementation in results.implementations:
        table.add_column(implementation.name, overflow="fold")
    for rule in rules(results):
        verdicts = [implementation.verdict(rule) for implementation in results.implementations]
        words = [word(verdict) if verdict else "" for verdict in verdicts]
        if set(words) != {"pass"}:
            table.add_row(rule, *(Text(each, style=_STYLES.get(each, "")) for each in words))
    if not table.row_count:
        table.add_row("all", *("pass" for _ in results.implementations))
    return table


def _attention(implementation: ImplementationResults) -> Iterator[Text]:
    """A line for each rule that fails, deviates or could not be judged; one line for several with the same reason."""
    noted = [verdict for verdict in implementation.rules if word(verdict) not in ("pass", "not supported")]
    if not noted:
        return
    yield Text(f"{implementation.name}:", style="bold")
    groups: dict[tuple[str, str], list[str]] = {}
    for verdict in noted:
        groups.setdefault((word(verdict), brief(verdict)), []).append(verdict.rule)
    for (name, reason), ids in groups.items():
        # an error is what nobody could foresee: all of it is shown, such as the address that was tried
        line = Text("  ", no_wrap=name != "error")
        line.append(f"{_listed(ids)} {name}", style=_STYLES[name])
        yield line.append(f": {reason}")


def _listed(ids: list[str]) -> str:
    return ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")


def _shortfalls(implementation: ImplementationResults) -> Iterator[Text]:
    for shortfall in implementation.shortfalls:
        yield Text(f"  {shortfall.trouble}: {shortfall.text}", style="bold red")


def _unexpected(implementation: ImplementationResults) -> Iterator[Text]:
    for error in implementation.unexpected:
        yield Text(f"  {error.sentence}", style="magenta")


def _cells(implementation: ImplementationResults) -> Iterator[Text]:
    if implementation.cells:
        yield Text(f"  matrix of {implementation.name}: {counts(implementation.cells)}")
        for line in gaps(implementation.name, implementation.cells):
            yield Text(line, style="magenta")


def _both_ways(implementation: ImplementationResults) -> Iterator[Text]:
    found = implementation.both_ways
    if found is None:
        return
    yield Text(f"  both ways on {implementation.name}: {compared(found)}")
    for each in found.differing[:SHOWN]:
        yield Text(f"    {len(each.scenario.steps)} steps, {each.area}: {difference(each)}")
    if len(found.differing) > SHOWN:
        yield Text(f"    and {len(found.differing) - SHOWN} more")


def _snapshots(implementation: ImplementationResults) -> Iterable[Text]:
    found = implementation.snapshots
    if found is None or not (found.equal or found.differing):
        return
    numbers = f"{found.equal} equal, {len(found.differing)} differing, {found.not_comparable} not comparable"
    yield Text(f"  snapshots of {implementation.name}: {numbers}")
    for name in found.differing[:5]:
        yield Text(f"    differs: {name}")
    if len(found.differing) > 5:
        yield Text(f"    and {len(found.differing) - 5} more")
