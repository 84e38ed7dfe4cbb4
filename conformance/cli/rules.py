"""`agent-tck rules`: every rule."""

from __future__ import annotations

import argparse
import json
import sys


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:  # pyright: ignore[reportPrivateUsage]
    """The arguments."""
    parser = commands.add_parser("rules", help="list every rule", description="List every rule.")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(do=rules)


def rules(arguments: argparse.Namespace) -> int:
    """Print the catalogue."""
    from rich import box
    from rich.table import Table

    from conformance.report.terminal import console
    from conformance.rules.catalogue import CATALOGUE

    every = list(CATALOGUE.values())
    if arguments.json:
        rows = [
            {
                "id": rule.id,
                "area": rule.area,
                "level": rule.level,
                "title": rule.title,
                "needs": [*sorted(rule.needs), *(f"policy {name}" for name in rule.policies)],
                "source": rule.source,
            }
            for rule in every
        ]
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return 0
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("rule", "area", "level", "what it says, and what it needs"):
        table.add_column(heading)
    for rule in every:
        needs = [*sorted(rule.needs), *(f"policy {name}" for name in rule.policies)]
        told = [rule.title, *([f"  {rule.notes}"] if rule.notes else []), *([f"  needs {', '.join(needs)}"] if needs else [])]
        table.add_row(rule.id, rule.area, rule.level, "\n".join(told))
    console(sys.stdout).print(table)
    return 0
