"""Try every imitation, or those that are named, with its own scenario and the frozen material of its area, and note what fires.

    PYTHONPATH=tests/reports python tests/reports/try_reports.py [NAME ...]

It takes some six seconds a report. What fires is written to `own` and `frozen` in reports.toml, to `first` where a report was never
tried, and to docs/reports.md.
"""

from __future__ import annotations

import sys

import report_table
import tomlkit
from report_log import HERE, Report, frozen, of_area, performance, reports, sound, ways

from conformance.implementation.subject import subject
from conformance.trace.trace import Trace
from conformance.vocabulary import Area

_sound: dict[tuple[Area, str, str], Trace] = {}


def on_its_own(report: Report) -> list[str]:
    """How rules are broken on the scenario that was written for it."""
    return sorted(ways(report.scenario, performance(report.scenario, report.imitation)))


def on_frozen(report: Report) -> dict[str, str]:
    """How each rule that breaks is broken first, and where; not on traces that the reference would leave as well."""
    kind, found = report.imitation, dict[str, tuple[str, str]]()
    for name, scenario in frozen(report.area, subject(kind)).items():
        place = report.area, sound(kind).__name__, name
        if place not in _sound:
            _sound[place] = performance(scenario, sound(kind))
        trace = performance(scenario, kind)
        if trace.events != _sound[place].events:
            for way in sorted(ways(scenario, trace, of_area(report.area))):
                found.setdefault(way.partition("/")[0], (way, name))
    return dict(sorted(found.values()))


def main(names: list[str]) -> None:
    """Try them, and write what fired."""
    path = HERE / "reports.toml"
    data = tomlkit.parse(path.read_text("utf-8"))
    for report, table in zip(reports(), data["report"], strict=True):
        if report.cannot or report.allowed or (names and report.name not in names):
            continue
        own, found = on_its_own(report), on_frozen(report)
        if "first" not in table:
            table["first"] = sorted({*own, *found})
        table["own"] = own
        table["frozen"] = tomlkit.inline_table()
        table["frozen"].update(found)
        print(report.name, report.outcome({*own, *found}), own, found, flush=True)
        path.write_text(tomlkit.dumps(data), "utf-8")
    reports.cache_clear()
    report_table.write()


if __name__ == "__main__":
    main(sys.argv[1:])
