"""Parts of a conversation compared."""

from __future__ import annotations

from collections import Counter

import pytest

from conformance.rules.parts import at_most, begins

USER, CALL, OTHER, ONE, TWO, REPLY = (
    ("user", "one"),
    ("call", "c1", "weather", "{}"),
    ("call", "c2", "map", "{}"),
    ("result", "c1"),
    ("result", "c2"),
    ("assistant", "1"),
)
WHOLE = [USER, CALL, OTHER, ONE, TWO, REPLY]


@pytest.mark.parametrize("said", [WHOLE[:count] for count in range(7)] + [[*WHOLE[:3], TWO], [*WHOLE[:3], TWO, ONE, REPLY]])
def test_a_conversation_begins_so_in_whichever_order_the_results_of_one_reply_come(said):
    assert begins(said, WHOLE)


@pytest.mark.parametrize(
    "said", [[CALL], [USER, OTHER], [USER, CALL, ONE], [*WHOLE[:4], REPLY], [USER, USER], [*WHOLE, REPLY], [*WHOLE[:3], ONE, ONE]]
)
def test_a_conversation_does_not_begin_so(said):
    assert not begins(said, WHOLE)


def test_what_occurred_is_left_as_often_as_it_did():
    assert at_most([USER, REPLY, REPLY], Counter([USER, REPLY])) == [USER, REPLY]
    assert at_most([USER, USER, REPLY], Counter([USER, USER, REPLY])) == [USER, USER, REPLY]
    assert at_most([USER, USER, USER], Counter([USER, USER])) == []
