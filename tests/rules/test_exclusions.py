"""No rule leaves alone more than it must: without each exclusion a rule would fire on something that conforms.

Most are needed by the reference or a benign variant on some fixture: `needed.json` says which, for each. Others are needed only by
what conforms and is not here: traces written by hand.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conforming import NOT_HERE
from written import Written

from conformance.harness.execution import performed
from conformance.implementation.loading import resolve
from conformance.implementation.subject import Subject, subject
from conformance.judging.exclusions import Place, needed, places
from conformance.judging.soundness import SUBJECTS
from conformance.mutants.benign.variants import variants
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.execution_view import ExecutionView
from conformance.scenario.files import load
from conformance.vocabulary import AREAS

TIMEOUT = 20.0
RENEW = "renew tests/rules/needed.json: python benchmarks/exclusions.py --write"

WITHOUT_NEED = {
    "PER-01": 5,
    "PER-02": 5,
    "PER-03": 8,
    "PER-04": 3,
    "PER-05": 7,
    "PER-07": 6,
    "PER-08": 3,
    "PER-10": 6,
    "PER-11": 6,
    "PER-13": 7,
    "PER-14": 1,
    "PER-15": 1,
    "PER-16": 11,
    "PER-19": 2,
    "PER-20": 1,
    "PER-21": 1,
    "PER-22": 3,
    "PER-23": 2,
    "PER-25": 3,
    "PER-27": 4,
    "PER-28": 7,
    "PER-29": 5,
    "PER-30": 2,
    "PER-31": 10,
    "PER-32": 1,
    "PER-33": 1,
    "PER-35": 2,
    "PER-36": 2,
    "PER-37": 3,
    "PER-39": 1,
    "PER-40": 2,
    "PER-41": 1,
    "PER-45": 2,
    "PER-57": 1,
    "PER-62": 20,
}
"""So many exclusions of a rule take nothing away but findings that hold. Whoever mends one takes it off; the list only shrinks."""


def witnesses() -> dict[Place, tuple[str, str, str]]:
    """For each exclusion an implementation, an area and the name of a fixture there that need it."""
    rows: list[tuple[str, int, str, str, str, str]] = json.loads((Path(__file__).parent / "needed.json").read_text("utf-8"))
    return {(rule, clause, name): (who, area, fixture) for rule, clause, name, who, area, fixture in rows}


def executions() -> Iterator[tuple[ExecutionView, list[Place]]]:
    """What the table names, and the exclusions that are needed there."""
    asked: dict[tuple[str, str, str], list[Place]] = defaultdict(list)
    for place, witness in witnesses().items():
        asked[witness].append(place)
    subjects: dict[str, Subject] = {name: resolve(name) for name in SUBJECTS} | {each.name: subject(each) for each in variants()}
    fixtures = {(area, name): scenario for area in AREAS for name, scenario in load(area)}
    for (who, area, name), wanted in asked.items():
        assert who in subjects, f"{who} is no more: {RENEW}"
        assert (area, name) in fixtures, f"the fixture {name} of {area} is no more: {RENEW}"
        scenario = fixtures[area, name]
        yield ExecutionView(scenario, performed(scenario, subjects[who], TIMEOUT)), wanted


def test_what_the_table_names_is_needed_there():
    stale = [place for view, wanted in executions() for place in wanted if place not in needed(CATALOGUE[place[0]], view)]
    assert not stale, f"no longer needed there: {stale}; {RENEW}"


def test_nothing_fires_on_the_policy_sets_or_variants_that_the_table_names():
    firing = {each.name: each.fires | each.leaves for each in variants()}
    rows = [(who, rule) for (rule, _, _), (who, _, _) in witnesses().items()]
    assert not [(who, rule) for who, rule in rows if rule in firing.get(who, ())]


@pytest.mark.parametrize("trace", NOT_HERE, ids=lambda trace: trace.__name__)
def test_a_trace_that_conforms_needs_what_it_is_there_for(trace: Callable[[], Written]):
    view = trace().view
    assert trace.__doc__
    for rule, number, name in NOT_HERE[trace]:
        assert (rule, number, name) in needed(CATALOGUE[rule], view)


@pytest.mark.parametrize("trace", NOT_HERE, ids=lambda trace: trace.__name__)
def test_no_rule_fires_on_a_trace_that_conforms(trace: Callable[[], Written]):
    written = trace()
    applying = [rule for rule in CATALOGUE.values() if not rule.missing(written.trace.capabilities, written.policies)]
    fired = {rule.id: found for rule in applying for found in rule.examine(written.view).violations}
    assert not fired


def test_every_exclusion_is_needed():
    every = [place for rule in CATALOGUE.values() for place in places(rule)]
    shown = {*witnesses(), *(place for needs in NOT_HERE.values() for place in needs)}
    unknown = shown - set(every)
    assert not unknown, f"no rule has these exclusions any more: {sorted(unknown)}; {RENEW}"
    left: dict[str, int] = defaultdict(int)
    for rule, _, _ in (place for place in every if place not in shown):
        left[rule] += 1
    assert dict(left) == WITHOUT_NEED
