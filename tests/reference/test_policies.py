"""The reference under every combination of policies: what the suite asks for can be met, whatever is declared."""

from __future__ import annotations

from itertools import product
from typing import get_args, get_type_hints

import pytest

from conformance.implementation.loading import resolve
from conformance.judging.judge import Judge
from conformance.judging.search import profile
from conformance.rules.catalogue import CATALOGUE
from conformance.vocabulary import Policies

CONFLICTS = ("raise", "ignore", "transform")
COMBINATIONS = [
    "&".join(f"{name}={value}" for name, value in zip(names, values, strict=True) if value)
    for names in [("store_conflict", "store_conflict_hosted", "unsupported_thread")]
    for values in product(CONFLICTS, ("", *CONFLICTS), ("at_creation", "at_run"))
]
OTHERS = ["trailing_result=trimmed", "provider_copy=written", "injected_messages=stored"]


@pytest.mark.parametrize("declared", [*COMBINATIONS, *OTHERS])
def test_every_threads_rule_holds_and_is_exercised(declared: str) -> None:
    rules = [rule for rule in CATALOGUE.values() if rule.area == "threads"]
    judge = Judge(resolve(f"reference?{declared}"), rules, effort=profile("quick"))
    verdicts = {rule.id: judge.verdict(rule) for rule in rules}
    assert {id: (found.verdict, found.reason) for id, found in verdicts.items() if found.verdict != "pass"} == {}


PERSISTENCE = [
    "&".join(
        f"{name}={value}" for name, value in zip(("trailing_result", "provider_copy", "injected_messages"), values, strict=True)
    )
    for values in product(("stored", "trimmed"), ("none", "written"), ("dropped", "stored"))
]


@pytest.mark.parametrize("declared", PERSISTENCE)
def test_every_persistence_rule_holds_and_is_exercised(declared: str) -> None:
    # what is kept in steps is kept in neither mode
    rules = [rule for rule in CATALOGUE.values() if rule.area == "persistence" and "history.incremental" not in rule.needs]
    judge = Judge(resolve(f"reference?{declared}"), rules, effort=profile("quick"))
    verdicts = {rule.id: judge.verdict(rule) for rule in rules}
    assert {id: (found.verdict, found.reason) for id, found in verdicts.items() if found.verdict != "pass"} == {}


def test_no_value_of_a_policy_on_threads_is_left_out() -> None:
    tried = {pair for declared in [*COMBINATIONS, *OTHERS] for pair in declared.split("&")}
    for name in ("store_conflict", "store_conflict_hosted", "unsupported_thread"):
        values = [word for choice in get_args(get_type_hints(Policies)[name]) for word in get_args(choice)]
        assert values
        assert {f"{name}={value}" for value in values} <= tried
