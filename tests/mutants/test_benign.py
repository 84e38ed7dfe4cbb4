"""Benign variants conform: exactly the rules that each lists fire on it, and the list only shrinks."""

from __future__ import annotations

from functools import cache

import pytest

from conformance.harness.execution import performed
from conformance.implementation.subject import subject
from conformance.mutants.benign.variant import Benign
from conformance.mutants.benign.variants import variants
from conformance.reference.implementation import Reference
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.execution_view import ExecutionView
from conformance.scenario.files import load
from conformance.scenario.requirements import can_perform
from conformance.scenario.scenario import Scenario
from conformance.trace.trace import Trace
from conformance.vocabulary import AREAS

TIMEOUT = 20.0
MOST = 6
"""So many rules were listed when this was written: whoever mends one takes it out here and there."""


REFERENCE = subject(Reference)


@cache
def by_the_reference() -> dict[str, tuple[Scenario, Trace]]:
    """Every fixture, and what the reference does in it: no rule fires there (`tests/judging/test_soundness.py`)."""
    known = {f"{area}/{name}": scenario for area in AREAS for name, scenario in load(area)}
    return {name: (scenario, performed(scenario, REFERENCE, TIMEOUT)) for name, scenario in known.items()}


def fires(scenario: Scenario, trace: Trace) -> set[str]:
    view = ExecutionView(scenario, trace)
    judging = [rule for rule in CATALOGUE.values() if not rule.missing(trace.capabilities, trace.policies)]
    return {rule.id for rule in judging if rule.examine(view).violations}


@pytest.mark.parametrize("variant", variants(), ids=lambda variant: variant.name)
def test_a_variant_differs_and_no_rule_fires_on_it_but_those_that_it_lists(variant: type[Benign]):
    assert variant.__doc__
    under_test = subject(variant)
    declares_the_same = (under_test.capabilities, under_test.policies) == (REFERENCE.capabilities, REFERENCE.policies)
    fired, differing = set[str](), 0
    for name, (scenario, known) in by_the_reference().items():
        if can_perform(scenario, under_test.capabilities):
            trace = performed(scenario, under_test, TIMEOUT)
            assert trace.broken is None, name
            differing += trace.events != known.events
            if trace.events != known.events or not declares_the_same:
                fired |= fires(scenario, trace)
    assert differing or under_test.capabilities != REFERENCE.capabilities
    left = {rule for rule in variant.leaves if CATALOGUE[rule].level == "SHOULD"}
    assert left == variant.leaves
    assert fired == variant.fires | left, "; ".join(
        [f"{rule} fires, although {variant.name} conforms: mend the rule" for rule in sorted(fired - variant.fires - left)]
        + [
            f"{rule} fires no more: take it out of `fires` of {variant.name}, and off MOST"
            for rule in sorted(variant.fires - fired)
        ]
        + [f"{rule} is followed: take it out of `leaves` of {variant.name}" for rule in sorted(left - fired)]
    )


def test_the_lists_only_shrink():
    assert sum(len(variant.fires) for variant in variants()) <= MOST
