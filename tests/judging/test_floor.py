"""Nothing is green in which nothing was exercised."""

import pytest

from conformance.errors import UsageError
from conformance.judging.floor import floor
from conformance.judging.verdicts import RuleVerdict


def verdict(rule, exercised):
    return RuleVerdict(rule=rule, level="MUST", verdict="pass" if exercised else "not supported", exercised=exercised)


def fallen_short(required=(), areas=(), verdicts=(), declared=()):
    return [each.trouble for each in floor(required, areas).shortfalls(verdicts, declared)]


def test_a_run_over_everything_needs_something_of_some_area():
    assert fallen_short(verdicts=[verdict("THR-05", 0), verdict("ORC-01", 0)]) == ["nothing exercised"]
    assert fallen_short(verdicts=[verdict("THR-05", 3), verdict("ORC-01", 0)]) == []


def test_each_area_that_is_asked_for_needs_something():
    verdicts = [verdict("THR-05", 3), verdict("ORC-01", 0)]
    assert fallen_short(areas=["threads"], verdicts=verdicts) == []
    assert fallen_short(areas=["threads", "orchestration"], verdicts=verdicts) == ["nothing exercised"]
    assert fallen_short(required=["orchestration"], verdicts=verdicts) == ["nothing exercised"]


def test_required_capabilities_are_declared():
    verdicts = [verdict("THR-05", 3)]
    assert fallen_short(required=["tools"], verdicts=verdicts) == ["not declared"]
    assert fallen_short(required=["tools"], verdicts=verdicts, declared=["tools"]) == []


def test_what_is_required_must_exist():
    with pytest.raises(UsageError, match="did you mean 'tools'"):
        floor(["tool"], [])
