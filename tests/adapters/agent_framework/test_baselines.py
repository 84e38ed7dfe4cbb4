"""The baselines that the adapters bring: what follows from what in them."""

from __future__ import annotations

from collections import defaultdict

import pytest

from conformance.implementation.loading import BUILT_IN, own_baseline
from conformance.judging.baseline import Deviation, read
from conformance.rules.catalogue import CATALOGUE
from conformance.scenario.features import circumstances
from conformance.scenario.files import decode

BASELINES = {name: path for name in BUILT_IN if (path := own_baseline(name)) is not None}

ORDINARY = circumstances(
    decode("""{
        "agents": {"a": {}},
        "workflows": {"w": {"pattern": "custom", "participants": ["a"], "stages": [["a"]]}},
        "steps": [
            {"do": "create_thread", "thread": "t", "agent": "a"},
            {"do": "run", "thread": "t", "say": ["one"]},
            {"do": "run_workflow", "workflow": "w", "say": ["one"]}
        ]
    }""")
)
"""Something runs: an agent on a thread, and a workflow in which it takes part."""


def deviations(name: str) -> list[Deviation]:
    return list(read(BASELINES[name], CATALOGUE).deviations)


@pytest.mark.parametrize("name", BASELINES)
def test_what_a_deviation_follows_from_is_declared_too_and_comes_to_an_end(name: str):
    declared = deviations(name)
    causes = {each.way: each.table.follows for each in declared if each.table.follows}
    assert len(causes) > 10
    assert set(causes.values()) - {each.way for each in declared} == set()
    for way in causes:
        passed = [way]
        while passed[-1] in causes:
            passed.append(causes[passed[-1]])
            assert len(passed) == len(set(passed)), f"a circle: {' → '.join(passed)}"


@pytest.mark.parametrize("name", BASELINES)
def test_all_deviations_in_one_aspect_for_one_reason_follow_from_the_same(name: str):
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for each in deviations(name):
        found[each.way, each.table.reason].add(each.table.follows)
    assert [key for key, causes in found.items() if len(causes) > 1] == []


@pytest.mark.parametrize("name", BASELINES)
def test_of_rules_that_one_cause_breaks_all_but_one_follow(name: str):
    """A reason in which several causes are named, with a stroke between them, has no single root."""
    roots: defaultdict[str, set[str]] = defaultdict(set)
    for each in deviations(name):
        if " / " not in each.table.reason and not each.table.follows:
            roots[each.table.reason].add(each.table.rule)
    assert {reason: rules for reason, rules in roots.items() if len(rules) > 1} == {}


@pytest.mark.parametrize("name", BASELINES)
def test_no_cause_explains_whatever_breaks_a_rule_in_its_aspect(name: str):
    """What all scenarios of one cause share is more than that something runs: else it would hide any other fault in the aspect."""
    shared: dict[tuple[str, str], frozenset[str]] = {}
    for each in deviations(name):
        key, own = (each.way, each.table.reason), circumstances(each.scenario)
        shared[key] = shared.get(key, own) & own
    assert [key for key, needed in shared.items() if needed <= ORDINARY] == []
