"""The part of docs/reports.md that is made from the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import get_args

from report_log import Outcome, Report, reports

from conformance.mutants.mutant import rules_of
from conformance.vocabulary import AREAS

PAGE = Path(__file__).parent.parent.parent / "docs" / "reports.md"
BEGIN = "<!-- made by tests/reports/try_reports.py -->\n"
SHOWN = 4
"""So many of the rules that fired beside the right ones are named."""


def rendered() -> str:
    """What became of the reports: in numbers, and one by one."""
    every = reports()
    return f"{_numbers(every)}\n\n{_every(every)}\n"


def write() -> None:
    """Write it to the page."""
    text = PAGE.read_text("utf-8")
    PAGE.write_text(text[: text.index(BEGIN) + len(BEGIN)] + rendered(), "utf-8")


def _numbers(every: Sequence[Report]) -> str:
    """How many came to what: at first, now, and with the scenario written for them or the frozen material alone."""
    columns: list[tuple[str, Callable[[Report], Collection[str]]]] = [
        ("at first try", lambda report: report.first),
        ("now", lambda report: report.now),
        ("now, by its own scenario alone", lambda report: report.own),
        ("now, by the frozen material alone", lambda report: report.frozen),
    ]
    counted = [Counter(report.outcome(ways(report)) for report in every) for _, ways in columns]
    lines = [f"| caught by | {' | '.join(name for name, _ in columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for outcome in get_args(Outcome):
        lines.append(f"| {outcome} | {' | '.join(str(counts[outcome]) for counts in counted)} |")
    lines += ["", f"| area | {' | '.join(get_args(Outcome))} |", f"| --- |{' ---: |' * len(get_args(Outcome))}"]
    for area in AREAS:
        counts = Counter(report.outcome(report.now) for report in every if report.area == area)
        lines.append(f"| {area}, now | {' | '.join(str(counts[outcome]) for outcome in get_args(Outcome))} |")
    return "\n".join(lines)


def _every(every: Sequence[Report]) -> str:
    lines = [
        "| | report | kind | what happened | caught at first try by | caught now by |",
        "| ---: | --- | --- | --- | --- | --- |",
    ]
    for number, report in enumerate(every, start=1):
        cells = [
            str(number),
            f"[{report.project} {report.url.rpartition('/')[2]}]({report.url}), {report.date}",
            report.kind,
            report.what,
            _caught(report, report.first),
            _caught(report, report.now),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _caught(report: Report, ways: Collection[str]) -> str:
    """The right rules in bold, then some of the others."""
    outcome, right = report.outcome(ways), report.right(ways)
    if report.cannot is not None:
        return f"cannot be said: {report.cannot[0].lower()}{report.cannot[1:]}"
    if report.allowed is not None:
        return f"allowed: {report.allowed}"
    if outcome in ("no rule", "an error"):
        return outcome if outcome == "no rule" else f"no rule; an error: {', '.join(sorted(way.partition('/')[2] for way in ways))}"
    others = sorted(rules_of(ways) - right)
    named = [*(f"**{rule}**" for rule in sorted(right)), *others[:SHOWN]]
    return ", ".join(named) + (f" and {len(others) - SHOWN} more" if len(others) > SHOWN else "")
