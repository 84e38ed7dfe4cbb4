"""No rule leaves alone what no fixture shows: without each exclusion, what a rule finds changes on some fixture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from conformance.harness.execution import Performed, performed
from conformance.implementation.loading import resolve
from conformance.implementation.subject import subject as made
from conformance.mutants.benign import variants
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.execution_view import ExecutionView
from conformance.rules.rule import Rule
from conformance.scenario.files import load
from conformance.scenario.requirements import needs
from conformance.vocabulary import AREAS

IMPLEMENTATIONS = [
    "reference",
    "reference?store_conflict=ignore&unsupported_thread=at_run&trailing_result=trimmed&provider_copy=written"
    "&injected_messages=stored&completion_signal=event_type&limit_answer=manager&failing_participant=left_out",
    "reference?store_conflict=transform&store_conflict_hosted=ignore&provider_copy=written&completion_signal=return_value",
    "agent-framework",
]
TIMEOUT = 20.0

Place = tuple[str, int, str]
"""A rule, the number of its clause, and the name of an exclusion there."""


WITHOUT_A_FIXTURE: dict[str, set[str]] = {
    "ORC-05": {"cut off", "waiting"},
    "ORC-07": {"cut off", "faulty", "waiting"},
    "ORC-08": {"faulty"},
    "ORC-10": {"either beyond its script"},
    "ORC-13": {"left to author", "limited"},
    "ORC-14": {"left to author", "limited"},
    "ORC-18": {"cut off", "faulty", "nests", "waiting"},
    "ORC-19": {"left to author", "limited"},
    "ORC-22": {"either beyond its script", "either nests"},
    "ORC-23": {"left to author", "limited"},
    "ORC-24": {"faulty", "left to author", "limited", "nests", "waited"},
    "ORC-25": {"either beyond its script", "faulty", "left to author", "limited", "nests and shows intermediates"},
    "ORC-26": {"faulty"},
    "ORC-27": {"cut off", "faulty", "left to author"},
    "ORC-28": {"left to author", "limited"},
    "ORC-29": {"author completes the child", "left to author", "limited"},
    "ORC-30": {"cut off", "faulty", "left to author"},
    "ORC-31": {"faulty", "left to author", "limited"},
    "ORC-32": {"either beyond its script"},
    "ORC-33": {"cut off", "waiting"},
    "ORC-34": {"left to author"},
    "ORC-37": {"may begin anew", "of a child"},
    "ORC-38": {"cut off", "faulty", "left to author"},
    "PER-01": {"after a contradiction"},
    "PER-03": {"after a contradiction", "under a conversation"},
    "PER-04": {"beside a rebuilt agent", "beside a run in the background", "beside a surprising service"},
    "PER-05": {
        "abandoned",
        "after a contradiction",
        "beside a rebuilt agent",
        "beside a run in the background",
        "beside an undecorated agent",
        "cancelled in a call",
        "contradicting",
        "last where abandoned",
    },
    "PER-10": {"callers history"},
    "PER-13": {"callers history"},
    "PER-14": {"after a contradiction", "detached", "under a conversation"},
    "PER-15": {"after a contradiction"},
    "PER-16": {
        "abandoned",
        "cancelled",
        "contradicting",
        "cut short",
        "ended by a tool or a conflict",
        "history failed",
        "more than one gone wrong",
        "recurring call ids",
        "service failed",
    },
    "THR-22": {"with provider"},
    "THR-23": {"beside a stranger"},
    "THR-28": {"after a contradiction"},
    "THR-31": {"resumed", "waiting"},
    "THR-33": {
        "after a contradiction",
        "after abandoned",
        "after another timing",
        "after failed after an answer",
        "after failed before it had a kind",
        "after terminated",
        "callers history",
        "forked",
        "surprising service",
    },
    "THR-34": {"callers history", "contradicting"},
    "THR-35": {
        "after a contradiction",
        "after abandoned",
        "after another history",
        "after another timing",
        "after failed after an answer",
        "after failed before it had a kind",
        "after tampering",
        "after terminated",
        "bounded history",
        "callers history",
        "contradicting",
        "forked",
        "resumed",
        "surprising service",
    },
}
"""Exclusions that only a drawn scenario, a mutant or a framework that conforms and differs needs. The list only shrinks."""


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
                if needs(scenario) <= subject.capabilities:
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
    left = {id: {name for _, _, name in places} for id, places in open_places.items() if places}
    assert left == WITHOUT_A_FIXTURE
