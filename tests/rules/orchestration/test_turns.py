"""What several say in turns, side by side or one after another."""

from __future__ import annotations

import pytest

from conformance.rules.orchestration.turns import in_turns

SIDE_BY_SIDE = [["abc", "xy"]]


@pytest.mark.parametrize("pieces", [("abc", "xy"), ("xy", "abc"), ("a", "x", "bc", "", "y")])
def test_strands_come_in_turns(pieces):
    assert in_turns(pieces, SIDE_BY_SIDE)


@pytest.mark.parametrize("pieces", [("abc", "x"), ("abc", "xy", "x"), ("c", "ab", "xy"), ("abcxy",), ()])
def test_a_strand_is_whole_and_in_its_own_order(pieces):
    assert not in_turns(pieces, SIDE_BY_SIDE)


def test_a_stage_comes_after_those_before_it():
    assert in_turns(("xy", "ab", "z"), [["ab", "xy"], ["z"]])
    assert not in_turns(("ab", "z", "xy"), [["ab", "xy"], ["z"]])
    assert in_turns(("z",), [[], [""], ["z"]])


def test_strands_that_begin_alike_are_told_apart_by_how_they_go_on():
    assert in_turns(("a", "a", "c", "b"), [["ab", "ac"]])


def test_strands_may_be_lists():
    assert in_turns([["one"], ["two"], ["three"]], [[["one", "three"], ["two"]]])
    assert not in_turns([["three"], ["two"], ["one"]], [[["one", "three"], ["two"]]])
