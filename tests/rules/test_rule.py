"""What a rule is made of and what it finds, with a rule about numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from talks import local_turn, talk
from written import Written

from conformance.rules.catalogue import section_of
from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.rule import Finding, Judgement, clause, finding, rule
from conformance.vocabulary import CAPABILITIES, EITHER_MODE, Policies

WRITTEN: Written = local_turn(talk())


@selection
def numbers(_: ExecutionView) -> Iterator[int]:
    """A number up to five."""
    yield from range(1, 6)


@condition
def odd(_: ExecutionView, number: int) -> bool:
    """The number is odd."""
    return number % 2 == 1


@condition
def five(_: ExecutionView, number: int) -> bool:
    """The number is five."""
    return number == 5


@condition
def large(_: ExecutionView, number: int) -> bool:
    """The number is larger than four."""
    return number > 4


@clause(each=numbers, when=[five])
def five_is_five(_: ExecutionView, number: int) -> Iterator[Finding]:
    """Five is five."""
    yield finding(True, number, "", expected="five", got="five")


@rule(
    "PER-09",
    needs=["history.provider", EITHER_MODE, "tools"],
    policies=("store_conflict", "completion_signal"),
    each=numbers,
    when=[odd],
    leaves_alone=[five, large],
    also=[five_is_five],
    aspects=["too large"],
)
def odd_numbers_are_small(_: ExecutionView, number: int) -> Iterator[Finding]:
    """An odd number is
    less than three. Even ones need not be.
    """
    yield finding(number < 3, number, "too large", expected="less than three", got=str(number), also=[0])


BROKEN = Finding(at=3, holds=False, aspect="too large", expected="less than three", got="3", also=(0,))


def test_a_rule_says_what_it_is():
    assert odd_numbers_are_small.area == "persistence"
    assert odd_numbers_are_small.title == "An odd number is less than three."
    assert odd_numbers_are_small.notes == "Even ones need not be."
    assert odd_numbers_are_small.source == "conformance/spec/persistence.md, PER-09"
    assert section_of("PER-09") == "deduplication"


def test_a_rule_finds_where_it_holds_and_where_it_broke():
    counted: Counter[str] = Counter()
    found = list(odd_numbers_are_small.findings(WRITTEN.view, counted))
    assert found == [Finding(at=1, holds=True), BROKEN, Finding(at=5, holds=True)]
    assert counted == {"five": 1}


def test_a_judgement_sums_up_what_was_found():
    assert odd_numbers_are_small.judge(WRITTEN.scenario, WRITTEN.trace) == Judgement(
        rule="PER-09", exercised=3, held=(1, 5), violations=(BROKEN,), left_alone={"five": 1}
    )


def test_a_rule_breaks_in_an_aspect_of_its_own():
    @rule("PER-09", each=numbers, aspects=["too small"])
    def faulty(_: ExecutionView, number: int) -> Iterator[Finding]:
        """No number is good."""
        yield finding(False, number, "too large", expected="another", got="this")

    with pytest.raises(ValueError, match="PER-09 broke in the aspect 'too large', which is none of too small"):
        list(faulty.findings(WRITTEN.view))


@pytest.mark.parametrize(
    ("capabilities", "policies", "missing"),
    [
        (CAPABILITIES, {"store_conflict": "raise", "completion_signal": "flag"}, []),
        (
            ("tools", "history.incremental"),
            {"store_conflict": "raise", "completion_signal": "flag"},
            ["capability history.per_run or history.per_service_call", "capability history.provider"],
        ),
        (CAPABILITIES, {}, ["policy store_conflict", "policy completion_signal"]),
        (
            CAPABILITIES,
            {"store_conflict": "raise", "completion_signal": "none"},
            ["a way to tell the run-completed output (completion_signal is none)"],
        ),
    ],
)
def test_a_rule_needs_what_an_implementation_declares(capabilities, policies, missing):
    assert odd_numbers_are_small.missing(capabilities, Policies(**policies)) == missing
