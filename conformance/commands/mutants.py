"""`conformance mutants`: every mutant, the rules that should kill it, and those that did."""

from __future__ import annotations

import argparse
import json
import sys


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:  # pyright: ignore[reportPrivateUsage]
    """The arguments."""
    parser = commands.add_parser(
        "mutants",
        help="show that the rules can fail",
        description="Judge deliberately faulty references. Exit code 1 where the rules that kill a mutant are not exactly those "
        "that should, or where a rule kills none.",
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(do=show_mutants)


def show_mutants(arguments: argparse.Namespace) -> int:
    """Print the matrix; 1 where it does not hold."""
    from rich import box
    from rich.table import Table

    from conformance.mutants.matrix import Kill, matrix, rows
    from conformance.mutants.mutant import mutants
    from conformance.report.terminal import console
    from conformance.rules.rule import catalogue

    rules, every = list(catalogue().values()), mutants()
    found: list[Kill] = []
    with console(sys.stderr).status("") as status:
        for row in rows(every, rules):
            found.append(row)
            status.update(f"{len(found)}/{len(every)} {row.mutant}")
    made = matrix(found, rules)
    if arguments.json:
        data = [
            {
                "name": row.mutant,
                "fault": row.fault,
                "imitates": row.imitates,
                "expected": row.expected,
                "killed_by": row.killed_by,
                "broke": row.broke,
                "equal": row.equal,
            }
            for row in made.rows
        ]
        print(json.dumps(data, indent=1, ensure_ascii=False))
        if made.unkilled:
            print(f"conformance: rules that no mutant kills: {', '.join(made.unkilled)}", file=sys.stderr)
        return 0 if made.holds else 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("mutant, and what it imitates", overflow="fold", min_width=60)
    table.add_column("expected", max_width=15)
    table.add_column("killed by", max_width=15)
    for row in made.rows:
        remark = "" if row.equal else f"\nbroke: {row.broke}" if row.broke else "\nnot as expected"
        table.add_row(f"{row.mutant}\n  {row.imitates}", ", ".join(row.expected), ", ".join(row.killed_by) + remark)
    to = console(sys.stdout)
    to.print(table)
    differing = sum(not row.equal for row in made.rows)
    to.print(f"{len(made.rows)} mutants, {differing} not killed as expected")
    to.print(f"rules that no mutant kills: {', '.join(made.unkilled) or 'none'}")
    return 0 if made.holds else 1
