"""Repairs of a history that has calls without results."""

from __future__ import annotations

import pytest
from written import calls, message, results

from conformance.rules.repairs import Repair, repair, repaired, unanswered, unsettled, without_results

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
        (OPEN, {}, set()),
        ([USER, CALL, OTHER, ONE, TWO, NEXT], {1: ONE}, set()),
        ([USER, OTHER, TWO, NEXT], {}, {1}),
        ([USER, OTHER, ONE, TWO, NEXT], {1: ONE}, set()),
        ([USER, CALL, OTHER, NEXT], {}, set()),
    ],
)
def test_how_a_history_was_repaired(got, answered, left_out):
    assert repair(OPEN, got) == Repair(OPEN, answered, left_out)


def test_a_repaired_history_has_the_result_before_somebody_says_something_else():
    assert repaired(OPEN, [USER, CALL, OTHER, LIE, TWO, NEXT]) == [USER, CALL, OTHER, LIE, TWO, NEXT]
    assert repaired([USER, CALL, NEXT], [USER, CALL, NEXT, ONE]) == [USER, CALL, ONE, NEXT]
    assert repaired([USER, CALL], [USER, CALL, ONE]) == [USER, CALL, ONE]
    assert repaired(OPEN, [USER, OTHER, TWO, NEXT]) == [USER, OTHER, TWO, NEXT]
    assert repaired(OPEN, [USER]) == [USER, OTHER, TWO, NEXT]


def test_what_is_kept_are_all_parts_but_the_calls_that_were_left_out():
    assert repair(OPEN, [USER, OTHER, TWO, NEXT]).kept == [USER, OTHER, TWO, NEXT]
    assert repair(OPEN, OPEN).kept == OPEN


def test_where_an_id_comes_back_each_call_is_repaired_by_itself():
    twice = [USER, CALL, NEXT, CALL, ONE]
    assert unanswered(twice) == [1]
    assert repaired(twice, [USER, CALL, LIE, NEXT, CALL, ONE]) == [USER, CALL, LIE, NEXT, CALL, ONE]
    assert repaired(twice, [USER, NEXT, CALL, ONE]) == [USER, NEXT, CALL, ONE]
    both = [USER, CALL, NEXT, CALL, NEXT]
    assert unanswered(both) == [1, 3]
    assert repaired(both, [USER, CALL, ONE, NEXT, CALL, LIE, NEXT]) == [USER, CALL, LIE, NEXT, CALL, ONE, NEXT]
    assert unanswered([ONE, CALL]) == [1]


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
    assert unsettled([*HELD, *HELD], [results(c1="sunny"), new], {"c1"}) == [results(c1="sunny"), new], "an id that came back"
    assert unsettled((), [results(c1="sunny"), new], ()) == [results(c1="sunny"), new]
