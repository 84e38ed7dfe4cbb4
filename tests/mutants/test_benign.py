"""Benign variants conform: exactly the rules that each lists fire on it, and the list only shrinks."""

from __future__ import annotations

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
from conformance.vocabulary import AREAS

TIMEOUT = 20.0
MOST = 6
"""So many rules were listed when this was written: whoever mends one takes it out here and there."""


@pytest.mark.parametrize("variant", variants(), ids=lambda variant: variant.name)
def test_no_rule_fires_on_a_variant_but_those_that_it_lists(variant: type[Benign]):
    under_test = subject(variant)
    fired: set[str] = set()
    for area in AREAS:
        for name, scenario in load(area):
            if can_perform(scenario, under_test.capabilities):
                trace = performed(scenario, under_test, TIMEOUT)
                assert trace.broken is None, name
                view = ExecutionView(scenario, trace)
                judging = [rule for rule in CATALOGUE.values() if not rule.missing(trace.capabilities, trace.policies)]
                fired |= {rule.id for rule in judging if rule.examine(view).violations}
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


@pytest.mark.parametrize("variant", variants(), ids=lambda variant: variant.name)
def test_a_variant_differs_from_the_reference(variant: type[Benign]):
    under_test, reference = subject(variant), subject(Reference)
    assert variant.__doc__
    differs = any(
        performed(scenario, under_test, TIMEOUT).events != performed(scenario, reference, TIMEOUT).events
        for area in AREAS
        for _, scenario in load(area)
        if can_perform(scenario, under_test.capabilities)
    )
    assert differs or under_test.capabilities != reference.capabilities
