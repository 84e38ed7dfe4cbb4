"""`agent-tck mutants`: every mutant, the rules that should kill it, and those that did."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from conformance.vocabulary import AREAS

if TYPE_CHECKING:
    from rich.table import Table

    from conformance.judging.kills import Kill, Matrix
    from conformance.mutants.generated import Hunt

    T = TypeVar("T", Kill, Hunt)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:  # pyright: ignore[reportPrivateUsage]
    """The arguments."""
    parser = commands.add_parser(
        "mutants",
        help="show that the rules can fail",
        description="Judge deliberately faulty references. Exit code 1 where the rules that kill a mutant are not exactly those "
        "that should, or where a rule kills none; with --generated-only where the median mutant of an area takes more than 30 "
        "scenarios, or where a rule kills one that does not name it.",
    )
    parser.add_argument("--area", action="append", default=[], metavar="|".join(AREAS), help="only this area; repeatable")
    parser.add_argument(
        "--generated-only",
        action="store_true",
        help="without fixtures: how many generated scenarios it takes until an expected rule kills each mutant",
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(do=show_mutants)


def show_mutants(arguments: argparse.Namespace) -> int:
    """Print what kills every mutant; 1 where that is not as it should be."""
    from conformance.errors import known
    from conformance.judging.kills import matrix
    from conformance.mutants import generated
    from conformance.mutants.matrix import rows
    from conformance.mutants.mutant import mutants
    from conformance.rules.catalogue import CATALOGUE

    known(arguments.area, AREAS, "area")
    areas, every, rules = arguments.area or AREAS, mutants(), list(CATALOGUE.values())
    if arguments.generated_only:
        chosen = {name: kind for name, kind in every.items() if kind.area() in areas}
        hunted = _followed(generated.hunts(chosen, rules), len(chosen))
        (_hunts_as_json if arguments.json else _print_hunts)(hunted)
        return 0 if generated.hold(hunted) else 1
    asked = [rule for rule in rules if rule.area in areas]
    chosen = {name: kind for name, kind in every.items() if kind.expected & {rule.id for rule in asked}}
    made = matrix(_followed(rows(chosen, rules), len(chosen)), [rule.id for rule in asked])
    (_matrix_as_json if arguments.json else _print_matrix)(made)
    return 0 if made.holds else 1


def _followed(found: Iterable[T], of: int) -> list[T]:
    """All of them, with a line that says how far it is."""
    from conformance.report.terminal import console

    every: list[T] = []
    with console(sys.stderr).status("") as status:
        for each in found:
            every.append(each)
            status.update(f"{len(every)}/{of} {each.mutant}")
    return every


def _matrix_as_json(made: Matrix) -> None:
    from conformance.vocabulary import plain

    _print_json([_named(plain(row), equal=row.equal) for row in made.rows])
    if made.unkilled:
        print(f"agent-tck: rules that no mutant kills: {', '.join(made.unkilled)}", file=sys.stderr)


def _print_matrix(made: Matrix) -> None:
    from conformance.report.terminal import console

    table = _table("mutant, and what it imitates", "expected", "killed by")
    for row in made.rows:
        remark = "" if row.equal else f"\nbroke: {row.broke}" if row.broke else "\nnot as expected"
        table.add_row(f"{row.mutant}\n  {row.imitates}", ", ".join(row.expected), ", ".join(row.killed_by) + remark)
    to = console(sys.stdout)
    to.print(table)
    differing = sum(not row.equal for row in made.rows)
    to.print(f"{len(made.rows)} mutants, {differing} not killed as expected")
    to.print(f"rules that no mutant kills: {', '.join(made.unkilled) or 'none'}")


def _hunts_as_json(hunted: Sequence[Hunt]) -> None:
    from conformance.mutants.generated import BOUND, WITHIN, hold, medians
    from conformance.vocabulary import plain

    _print_json(
        {
            "within": WITHIN,
            "bound": BOUND,
            "medians": {area: None if math.isinf(number) else number for area, number in medians(hunted).items()},
            "holds": hold(hunted),
            "mutants": [_named(plain(hunt), wrong=hunt.wrong) for hunt in hunted],
        }
    )


def _print_hunts(hunted: Sequence[Hunt]) -> None:
    from conformance.mutants.generated import BOUND, WITHIN, medians
    from conformance.report.terminal import console

    table = _table("mutant", "scenarios", "killed by")
    for hunt in hunted:
        remarks = [f"although not expected, {rule} after {number}" for rule, number in hunt.unexpected.items()]
        remarks += [f"broke: {hunt.broke}"] if hunt.broke else []
        after = f"{hunt.after}" if hunt.after else f"not within {WITHIN}"
        by = ", ".join(hunt.killed_by) or f"none of {', '.join(hunt.expected)}"
        table.add_row(hunt.mutant, after, "\n".join([by, *remarks]))
    to = console(sys.stdout)
    to.print(table)
    for area, number in medians(hunted).items():
        count = sum(hunt.area == area for hunt in hunted)
        shown = f"more than {WITHIN}" if math.isinf(number) else f"{number:g}"
        verdict = "" if number <= BOUND else f"; expected at most {BOUND}"
        to.print(f"{area}: {count} mutants, the median is killed within {shown} generated scenarios{verdict}")
    wrong = [hunt.mutant for hunt in hunted if hunt.wrong]
    to.print(f"mutants that something else kills: {', '.join(wrong) or 'none'}")


def _named(fields: Mapping[str, object], **more: object) -> dict[str, object]:
    return {"name": fields["mutant"], **{key: value for key, value in fields.items() if key != "mutant"}, **more}


def _print_json(data: object) -> None:
    print(json.dumps(data, indent=1, ensure_ascii=False))


def _table(first: str, *others: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold", min_width=60 if len(first) > 20 else 0)
    for other in others:
        table.add_column(other, max_width=15)
    return table
