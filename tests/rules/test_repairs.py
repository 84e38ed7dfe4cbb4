"""Repairs of a history that has calls without results."""

from __future__ import annotations

import pytest
from written import calls, message, results

from conformance.rules.repairs import Repair, repair, repaired, unsettled, without_results

USER, CALL, OTHER, ONE, TWO, NEXT = (
    ("user", "one"),
    ("call", "c1", "weather", "{}"),
    ("call", "c2", "map", "{}"),
    ("result", "c1"),
    ("result", "c2"),
    ("user", "two"),
)
LIE = ("result", "c1", "other than 'sunny': 'interrupted'")
OPEN = [USER, CALL, OTHER, TWO, NEXT]


@pytest.mark.parametrize(
    ("got", "answered", "left_out"),
    [
        (OPEN, [], []),
        ([USER, CALL, OTHER, ONE, TWO, NEXT], ["c1"], []),
        ([USER, OTHER, TWO, NEXT], [], ["c1"]),
        ([USER, OTHER, ONE, TWO, NEXT], ["c1"], []),
        ([USER, CALL, OTHER, NEXT], [], []),
    ],
)
def test_how_a_history_was_repaired(got, answered, left_out):
    assert repair(OPEN, got) == Repair(answered, left_out)


def test_a_repaired_history_has_the_result_before_somebody_says_something_else():
    assert repaired(OPEN, [USER, CALL, OTHER, LIE, TWO, NEXT]) == [USER, CALL, OTHER, LIE, TWO, NEXT]
    assert repaired([USER, CALL, NEXT], [USER, CALL, NEXT, ONE]) == [USER, CALL, ONE, NEXT]
    assert repaired([USER, CALL], [USER, CALL, ONE]) == [USER, CALL, ONE]
    assert repaired(OPEN, [USER, OTHER, TWO, NEXT]) == [USER, OTHER, TWO, NEXT]
    assert repaired(OPEN, [USER]) == [USER, OTHER, TWO, NEXT]


def test_of_several_results_the_one_goes_that_is_not_what_the_tool_returned():
    assert without_results([CALL, ONE, LIE, ONE], ["c1"]) == [CALL, ONE, ONE]
    assert without_results([CALL, ONE, ONE], ["c1"]) == [CALL, ONE]
    assert without_results([CALL, ONE], ["c1", "c1", "c2"]) == [CALL]


HELD = (message("one"), calls("c1", "c2", weather={}, map={}), results(c2="map"))


def test_what_is_sent_into_a_conversation_is_heard_without_one_result_for_each_open_call():
    new = message("two")
    assert unsettled(HELD, [results(c1="cut off"), new], ()) == [new]
    assert unsettled(HELD, [results(c1="cut off", c2="cut off"), new], ()) == [results(c2="cut off"), new]
    assert unsettled(HELD, [results(c1="cut off"), results(c1="again"), new], ()) == [results(c1="again"), new]
    assert unsettled(HELD, [results(c1="sunny"), new], {"c1"}) == [results(c1="sunny"), new]
    assert unsettled((), [results(c1="sunny"), new], ()) == [results(c1="sunny"), new]
