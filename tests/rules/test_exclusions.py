"""No rule leaves alone what no fixture shows: without each exclusion, what a rule finds changes on some fixture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from conformance.harness.execution import Performed, performed
from conformance.implementation.loading import resolve
from conformance.implementation.subject import subject as made
from conformance.judging.soundness import SUBJECTS
from conformance.mutants.benign import variants
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.execution_view import ExecutionView
from conformance.rules.rule import Rule
from conformance.scenario.files import load
from conformance.scenario.requirements import can_perform
from conformance.vocabulary import AREAS

IMPLEMENTATIONS = [*SUBJECTS, "agent-framework"]
TIMEOUT = 20.0

Place = tuple[str, int, str]
"""A rule, the number of its clause, and the name of an exclusion there."""


WITHOUT_A_FIXTURE: dict[str, set[str]] = {}
"""Exclusions that only a drawn scenario or a mutant needs. The list only shrinks."""

CONFORMING_BUT_DIFFERENT: dict[Place, str] = {
    ("ORC-19", 1, "left to author"): "test_orc_19_leaves_errors_alone: an error may name the executors that complete (ORC-07)",
    ("ORC-19", 1, "limited"): "test_orc_19_leaves_errors_alone: what a child's limit means for its parent is left open (ORC-18)",
    ("PER-31", 1, "contradicting"): "test_per_31_leaves_later_contradictions_alone: what such a run sends is its policy's (THR-12)",
    ("ORC-33", 0, "waiting"): "test_orc_33_leaves_alone: others may be waited for before the failure ends the run",
    ("THR-33", 0, "after terminated as nobody declared"): (
        "test_thr_33_leaves_alone_what_follows_on_a_history_that_nobody_knows: `trailing_result` need not be declared"
    ),
    ("THR-35", 4, "after terminated as nobody declared"): (
        "test_thr_35_leaves_messages_alone_that_nobody_knows: `trailing_result` need not be declared"
    ),
}
"""Exclusions that no implementation here needs, but one that conforms and differs: the hand-written test that has it, and why."""


def without(rule: Rule) -> Iterator[tuple[Place, Rule]]:
    """The rule without each of its exclusions, one at a time."""
    for number, clause in enumerate(rule.clauses):
        for exclusion in clause.leaves_alone:
            rest = tuple(other for other in clause.leaves_alone if other is not exclusion)
            clauses = (*rule.clauses[:number], replace(clause, leaves_alone=rest), *rule.clauses[number + 1 :])
            yield (rule.id, number, exclusion.name), replace(rule, clauses=clauses)


def found(rule: Rule, view: ExecutionView) -> list[tuple[int, bool]] | None:
    """Where a rule held and where it broke; None where it cannot be applied at all."""
    try:
        return sorted((finding.at, finding.holds) for finding in rule.findings(view))
    except Exception:
        return None


def performances() -> Iterator[Performed]:
    """Every fixture on every implementation, and on the benign variants: what conforms and differs may need an exclusion too."""
    for subject in [*map(resolve, IMPLEMENTATIONS), *map(made, variants())]:
        for area in AREAS:
            for title, scenario in load(area):
                if can_perform(scenario, subject.capabilities):
                    shown = Performed(title, scenario, performed(scenario, subject, TIMEOUT))
                    if shown.trace.broken is None:
                        yield shown


def needed(rule: Rule, open_places: dict[Place, Rule], shown: Performed) -> list[Place]:
    """The places of a rule without which it finds something else in one performance."""
    if rule.missing(shown.trace.capabilities, shown.trace.policies):
        return []
    here = found(rule, shown.view)
    return [place for place, variant in open_places.items() if found(variant, shown.view) != here]


def test_each_exclusion_is_needed_by_a_fixture():
    pytest.importorskip("agent_framework")
    open_places = {rule.id: dict(without(rule)) for rule in CATALOGUE.values()}
    for shown in performances():
        for id, places in open_places.items():
            for place in needed(CATALOGUE[id], places, shown) if places else ():
                del places[place]
    still_open = {place for places in open_places.values() for place in places}
    left: dict[str, set[str]] = {}
    for id, _, name in still_open - CONFORMING_BUT_DIFFERENT.keys():
        left.setdefault(id, set()).add(name)
    assert left == WITHOUT_A_FIXTURE
    assert CONFORMING_BUT_DIFFERENT.keys() <= still_open
