"""Which exclusions of rules are needed: those without which a rule would fire on an execution that conforms.

An exclusion that only takes findings away that hold hides nothing wrong, and weakens the rule for everybody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.rules.execution_view import ExecutionView
from conformance.rules.rule import Clause, Rule

Place = tuple[str, int, str]
"""A rule, the number of its clause, and the name of an exclusion there."""


def places(rule: Rule) -> Iterator[Place]:
    """Every exclusion of a rule."""
    for number, clause in enumerate(rule.clauses):
        yield from ((rule.id, number, each.name) for each in clause.leaves_alone)


def needed(rule: Rule, execution: ExecutionView) -> set[Place]:
    """The exclusions without which, one at a time, a rule would find a violation in an execution, or raise."""
    return {(rule.id, number, name) for number, clause in enumerate(rule.clauses) for name in _needed(clause, execution)}


def _needed(clause: Clause, execution: ExecutionView) -> Iterator[str]:
    for subject in clause.each(execution):
        if all(condition(execution, subject) for condition in clause.when):
            excluding = [each.name for each in clause.leaves_alone if each(execution, subject)]
            if len(excluding) == 1 and _fires(clause, execution, subject):
                yield excluding[0]


def _fires(clause: Clause, execution: ExecutionView, subject: Any) -> bool:
    try:
        return not all(finding.holds for finding in clause.check(execution, subject))
    except Exception:  # a rule may rely on its exclusion, such as where an index would be out of range
        return True
