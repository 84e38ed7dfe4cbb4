"""`agent-tck mutants`: every mutant, or some, the rules that should kill it, and those that did."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.vocabulary import AREAS

if TYPE_CHECKING:
    from rich.table import Table

    from conformance.judging.kills import Kill, Matrix
    from conformance.mutants.generated import Hunt
    from conformance.mutants.mutant import Mutant
    from conformance.rules.rule import Rule


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:  # pyright: ignore[reportPrivateUsage]
    """The arguments."""
    parser = commands.add_parser(
        "mutants",
        help="show that the rules can fail",
        description="Judge deliberately faulty references. Exit code 1 where the rules that kill a mutant are not exactly those "
        "that should, or where a rule kills none, unless only some mutants are asked for; with --generated-only where the median "
        "mutant of an area, of those asked for, takes more than 30 scenarios, or where a rule kills one that does not name it.",
    )
    parser.add_argument("mutants", nargs="*", metavar="NAME", help="only these mutants; default: all")
    parser.add_argument("--area", action="append", default=[], metavar="|".join(AREAS), help="only this area; repeatable")
    parser.add_argument(
        "--generated-only",
        action="store_true",
        help="without fixtures: how many generated scenarios it takes until an expected rule kills each mutant",
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what kills every mutant as Markdown")
    parser.set_defaults(do=show_mutants)


def show_mutants(arguments: argparse.Namespace) -> int:
    """Print what kills every mutant; 1 where that is not as it should be."""
    from conformance.errors import UsageError, known
    from conformance.judging.kills import matrix
    from conformance.mutants import generated
    from conformance.mutants.mutant import mutants
    from conformance.report.files import check_folder, write_text
    from conformance.report.mutants import mutants_report
    from conformance.rules.catalogue import CATALOGUE

    every, rules = mutants(), list(CATALOGUE.values())
    known(arguments.area, AREAS, "area")
    known(arguments.mutants, every, "mutant")
    areas = arguments.area or AREAS
    asked = [rule.id for rule in rules if rule.area in areas]
    named = {name: kind for name, kind in every.items() if name in arguments.mutants} if arguments.mutants else every
    if arguments.generated_only:
        chosen = {name: kind for name, kind in named.items() if kind.area() in areas}
    else:
        chosen = {name: kind for name, kind in named.items() if not kind.expected.isdisjoint(asked)}
    if arguments.mutants and not chosen:
        raise UsageError(f"no mutant is left: {', '.join(named)} in {', '.join(areas)}; leave out --area or the names")
    if arguments.report and arguments.generated_only:
        raise UsageError("--report writes what kills every mutant, which --generated-only does not find out; leave out one of them")
    path = check_folder(arguments.report.absolute()) if arguments.report else None
    if arguments.generated_only:
        hunted = _followed(generated.hunts(chosen, rules), len(chosen))
        (_hunts_as_json if arguments.json else _print_hunts)(hunted)
        return 0 if generated.hold(hunted) else 1
    # where only some mutants are tried, a rule that kills none of them may well kill another
    made = matrix(_judged(chosen, rules), () if arguments.mutants else asked)
    if path:
        write_text(mutants_report(made), path)
    if arguments.json:
        _matrix_as_json(made)
    else:
        _print_matrix(made, unkilled=not arguments.mutants)
    return 0 if made.holds else 1


def _judged(chosen: Mapping[str, type[Mutant]], rules: Sequence[Rule]) -> list[Kill]:
    """All rows, with a line that says how much of the material is done."""
    from conformance.mutants.matrix import rows
    from conformance.report.terminal import console

    with console(sys.stderr).status("") as status:
        return list(
            rows(chosen, rules, told=lambda done, of: status.update(f"{_counted(len(chosen))}: {done}/{of} of the material"))
        )


def _followed(found: Iterable[Hunt], of: int) -> list[Hunt]:
    """All of them, with a line that says how far it is."""
    from conformance.report.terminal import console

    every: list[Hunt] = []
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


def _print_matrix(made: Matrix, *, unkilled: bool) -> None:
    """As a table. unkilled: whether to say which rules no mutant kills."""
    from conformance.report.terminal import console

    table = _table("mutant, and what it imitates", "expected", "killed by")
    for row in made.rows:
        table.add_row(f"{row.mutant}\n  {row.imitates}", ", ".join(row.expected), ", ".join(row.killed_by) or "none")
    to = console(sys.stdout)
    to.print(table)
    differing = [row for row in made.rows if not row.equal]
    performed, taken_over = sum(row.performed for row in made.rows), sum(row.taken_over for row in made.rows)
    to.print(f"{performed + taken_over} executions, of which {taken_over} cannot differ from the reference's")
    for row in differing:
        to.print(f"{row.mutant}: {'; '.join(_remarks(row))}")
    to.print(f"{_counted(len(made.rows))}, {len(differing)} not killed as expected")
    if unkilled:
        to.print(f"rules that no mutant kills: {', '.join(made.unkilled) or 'none'}")


def _remarks(row: Kill) -> Iterator[str]:
    """What is not as it should be, a line each."""
    if row.broke:
        yield f"broke: {row.broke}"
    missing, more = set(row.expected) - set(row.killed_by), set(row.killed_by) - set(row.expected)
    if missing:
        yield f"is not caught by {', '.join(sorted(missing))}"
    if more:
        yield f"is caught by {', '.join(sorted(more))}, which it does not expect"
    rule, _, _ = row.breaks.partition("/")
    if rule in row.killed_by and row.breaks not in row.ways:
        ways = [way for way in row.ways if way.startswith(f"{rule}/")]
        yield f"breaks {row.breaks}, but is caught as {', '.join(ways)}"


def _counted(number: int) -> str:
    return f"{number} mutant{'' if number == 1 else 's'}"


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
        to.print(f"{area}: {_counted(count)}, the median is killed within {shown} generated scenarios{verdict}")
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
