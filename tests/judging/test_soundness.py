"""No rule fires on the reference, whatever area the scenario is of."""

from __future__ import annotations

import pytest

from conformance.judging.soundness import POLICY_SETS, SUBJECTS, unsound
from conformance.reference.implementation import Reference
from conformance.scenario.files import encode
from conformance.vocabulary import AREAS, Area, Policies


@pytest.mark.parametrize(
    "under_test", SUBJECTS, ids=["declared", "second", "third", "in steps", "in steps on threads", "on threads"]
)
@pytest.mark.parametrize("area", AREAS)
def test_the_reference_holds_every_rule_of_every_area(area: Area, under_test: str) -> None:
    found = next(unsound(area, under_test, 80), None)
    assert found is None, f"{found.rule} on {found.under_test}: {found.what}; on\n{encode(found.scenario)}"


def test_a_fault_of_the_reference_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forgets(self: Reference, agent: object, thread: object, turn: object) -> object:
        raise LookupError("no answer")

    monkeypatch.setattr(Reference, "run", forgets)
    found = next(unsound("threads", "reference", 1), None)
    assert found is not None


def test_each_value_of_each_policy_comes_up() -> None:
    shown = {value for name in POLICY_SETS for value in name.replace("?", "&").split("&")[1:]}
    declared = Reference().policies
    for policy in Policies.__struct_fields__:
        if policy not in ("store_conflict_hosted", "unsupported_thread", "completion_signal"):
            assert any(value.startswith(f"{policy}=") for value in shown), policy
            assert f"{policy}={getattr(declared, policy)}" not in shown
