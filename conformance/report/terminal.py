"""Results on a terminal: the story of each violation, then counts, what needs attention with a line each, and the gate.

Where nobody looks at a terminal, no line is cut: whoever searches them finds everything.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from typing import TextIO

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from conformance.judging.results import ImplementationResults, Results
from conformance.judging.verdicts import RuleVerdict
from conformance.report.counterexample import OUTPUT, PROOF, WRONG, brief, story
from conformance.report.counts import COLUMNS, areas, column, counted, gate, rules, word
from conformance.report.matrix import SHOWN, compared, counts, difference, gaps

WIDTH = 100
WIDEST = 120
"""So long may a line of a story be: longer ones are hard to read."""
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
    if not _looked_at(made):  # also where FORCE_COLOR lets rich take a file for a terminal
        made.width = WIDTH
    return made


@contextmanager
def apart(stream: TextIO) -> Generator[TextIO]:
    """The same stream by a descriptor of its own, which goes on where everything else that is written to it is caught."""
    try:
        own = os.fdopen(os.dup(stream.fileno()), "w", encoding=stream.encoding, errors=stream.errors)
    except (OSError, ValueError):  # a stream of no file
        yield stream
        return
    with own:
        yield own


def _looked_at(to: Console) -> bool:
    return to.file.isatty()


def summary(results: Results) -> str:
    """The results as plain text, without stories."""
    text = StringIO()
    show(results, Console(file=text, width=WIDTH, no_color=True, highlight=False, markup=False, emoji=False))
    return text.getvalue()


def show(results: Results, to: Console) -> None:
    """Print everything but stories."""
    _table(_counts(results), to)
    if len(results.implementations) > 1:
        _table(_side_by_side(results), to)
    for implementation in results.implementations:
        for line in _attention(implementation):
            _line(line, to)
        for part in (_shortfalls, _unexpected, _cells, _both_ways, _snapshots):
            for line in part(implementation):
                _line(line, to)
    scenarios = sum(implementation.scenarios for implementation in results.implementations)
    took = sum(implementation.seconds for implementation in results.implementations)
    speed = scenarios / max(took, 0.001)
    _line(Text(f"rules: {len(rules(results))}; scenarios performed: {scenarios} in {took:.1f} s, {speed:.0f} a second"), to)
    sentence = gate(results)
    _line(Text(sentence, style="bold green" if sentence.endswith("holds") else "bold red"), to)


def stories(
    results: Results, titles: Mapping[str, str], to: Console, outputs: Mapping[str, Mapping[str, str]] | None = None
) -> None:
    """Print the story of each new violation, and of each error: one for all rules that the same thing keeps from being judged.

    titles: each rule in a sentence. outputs: by implementation and id, what was printed and logged in counterexamples.
    """
    for implementation in results.implementations:
        told: dict[str, list[RuleVerdict]] = {}
        for verdict in implementation.rules:
            if verdict.verdict == "error" and verdict.broke is not None:
                told.setdefault(verdict.reason, []).append(verdict)
            elif verdict.verdict == "fail":
                told[verdict.rule] = [verdict]
        for alike in told.values():
            first = alike[0]
            heading = f"{_listed([each.rule for each in alike])} {first.verdict} on {implementation.name}"
            to.rule(Text(heading, style=_STYLES[first.verdict]), align="left")
            asked, kept = implementation.asked or implementation.name, (outputs or {}).get(implementation.name)
            story_lines(story(titles[first.rule], asked, first, min(to.width, WIDEST), kept).split("\n"), to)
            to.print()


def story_lines(lines: Iterable[str], to: Console) -> None:
    """Print lines that are wrapped already; a command in one of them stays whole, so that it can be copied."""
    style = ""
    for line in lines:
        if line.startswith(OUTPUT):
            to.print(Text.from_ansi(line), soft_wrap=True)
            continue
        if not line.startswith("            "):  # the rest of an event looks like its beginning
            style = "bold red" if line.startswith(WRONG) else "bold" if line.startswith(PROOF) else ""
        to.print(Text(line, style=style), soft_wrap=True)


def _line(line: Text, to: Console) -> None:
    """Print a line: as long as it is where nobody looks at a terminal, else wrapped; where it says so, cut."""
    if not _looked_at(to):
        to.print(line, soft_wrap=True)
    else:
        to.print(line, overflow="ellipsis", no_wrap=bool(line.no_wrap))  # printing forgets what the text says of itself


def _table(table: Table, to: Console) -> None:
    """Print a table: as wide as it is where nobody looks at a terminal."""
    width = to.width
    if not _looked_at(to):
        to.width = max(width, Measurement.get(to, to.options.update(width=1000), table).maximum)
    to.print(table)
    to.width = width


def _counts(results: Results) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("implementation", overflow="fold")
    table.add_column("area", no_wrap=True)
    found_at_all = {column(verdict) for implementation in results.implementations for verdict in implementation.rules}
    shown = [name for name in COLUMNS if name in found_at_all or name in ("pass", "fail")]
    for name in shown:
        table.add_column(name.replace(" ", "\n"), justify="right")
    for implementation in results.implementations:
        by_area = areas(implementation)
        name, version = implementation.name, implementation.version
        labels = [name, version, ""] if len(by_area) > 1 else [f"{name} {version}"]
        for label, (area, verdicts) in zip(labels, by_area.items(), strict=False):
            found = counted(verdicts)
            cells = [Text(str(found[name]) if found[name] else "", style=_style(name)) for name in shown]
            table.add_row(label, area, *cells)
    return table


def _style(column: str) -> str:
    return _STYLES.get(column.partition(":")[0], "")


def _side_by_side(results: Results) -> Table:
    """The rules that do not pass everywhere, a column an implementation."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("rule")
    for implementation in results.implementations:
        table.add_column(implementation.name, overflow="fold")
    for rule in rules(results):
        verdicts = [implementation.verdict(rule) for implementation in results.implementations]
        words = [column(verdict) if verdict else "" for verdict in verdicts]
        if set(words) != {"pass"}:
            table.add_row(rule, *(Text(each, style=_style(each)) for each in words))
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
        # a violation has a story and a deviation stands in the baseline; of all others everything is shown
        line = Text("  ", no_wrap=name in ("fail", "deviates"))
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
