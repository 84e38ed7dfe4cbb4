"""`agent-tck rules`: every rule, or some."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.rules.rule import Clause, Rule


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:  # pyright: ignore[reportPrivateUsage]
    """The arguments."""
    parser = commands.add_parser(
        "rules",
        help="list every rule",
        description="List every rule, or those that are named: what it says, what it needs, what it looks at and leaves alone, and "
        "how it can break.",
    )
    parser.add_argument("rules", nargs="*", metavar="ID", help="only these rules; default: all")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(do=rules)


def rules(arguments: argparse.Namespace) -> int:
    """Print the catalogue, or the rules of it that are asked for."""
    from rich import box
    from rich.table import Table

    from conformance.errors import known
    from conformance.report.terminal import console
    from conformance.rules.catalogue import CATALOGUE, section_of

    known(arguments.rules, CATALOGUE, "rule")
    chosen = [rule for id, rule in CATALOGUE.items() if id in arguments.rules or not arguments.rules]
    if arguments.json:
        print(json.dumps([_as_json(rule, section_of(rule.id)) for rule in chosen], indent=1, ensure_ascii=False))
        return 0
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("rule", "area", "level", "what it says, needs, looks at and leaves alone"):
        table.add_column(heading)
    for rule in chosen:
        table.add_row(rule.id, rule.area, rule.level, "\n".join(_told(rule)))
    console(sys.stdout).print(table)
    return 0


def _needs(rule: Rule) -> list[str]:
    return [*sorted(map(str, rule.needs)), *(f"policy {name}" for name in rule.policies)]


def _as_json(rule: Rule, section: str) -> dict[str, object]:
    return {
        "id": rule.id,
        "area": rule.area,
        "section": section,
        "level": rule.level,
        "edition": rule.edition,
        "title": rule.title,
        "needs": _needs(rule),
        "aspects": list(rule.aspects),
        "clauses": [_clause_as_json(clause) for clause in rule.clauses],
        "source": rule.source,
        "record": rule.record,
    }


def _clause_as_json(clause: Clause) -> dict[str, object]:
    return {
        "each": clause.each.text,
        "when": [condition.text for condition in clause.when],
        "leaves_alone": {condition.name: condition.text for condition in clause.leaves_alone},
    }


def _told(rule: Rule) -> Iterator[str]:
    yield rule.title if rule.edition == 1 else f"{rule.title} (edition {rule.edition})"
    if rule.notes:
        yield f"  {rule.notes}"
    if _needs(rule):
        yield f"  needs: {', '.join(_needs(rule))}"
    for clause in rule.clauses:
        when = "".join(f"; {condition.text}" for condition in clause.when)
        yield f"  looks at: {clause.each.text}{when}"
        yield from (f"  leaves alone: {condition.text}" for condition in clause.leaves_alone)
    yield f"  can break: {', '.join(rule.aspects)}"
    yield f"  status of its record: {rule.record}"
