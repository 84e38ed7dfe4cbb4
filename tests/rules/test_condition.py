"""Conditions and selections: their names, their texts, and what they become."""

from __future__ import annotations

from talks import local_turn, talk

from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView

VIEW = local_turn(talk()).view


@condition
def is_even(_: ExecutionView, number: int) -> bool:
    """The number is even. It can be halved."""
    return number % 2 == 0


@selection
def some_numbers(execution: ExecutionView) -> tuple[int, ...]:
    """A number
    that somebody thought of.
    """
    return (1, 2)


def test_a_condition_is_called_like_its_function_and_says_its_first_sentence():
    assert (is_even.name, is_even.text) == ("is even", "the number is even")
    assert is_even(VIEW, 2)
    assert not is_even(VIEW, 3)


def test_a_condition_is_turned_round():
    odd = ~is_even
    assert (odd.name, odd.text) == ("not is even", "not so that the number is even")
    assert odd(VIEW, 3)
    assert not odd(VIEW, 2)


def test_a_condition_is_asked_of_a_part():
    of_length: Condition[str] = is_even.of(len)
    assert (of_length.name, of_length.text) == ("is even", "the number is even")
    assert of_length(VIEW, "ab")
    assert not of_length(VIEW, "abc")


def test_a_selection_is_called_like_its_function_and_says_its_first_sentence():
    assert (some_numbers.name, some_numbers.text) == ("some numbers", "a number that somebody thought of")
    assert list(some_numbers(VIEW)) == [1, 2]


def test_a_condition_without_a_sentence_says_nothing():
    def silent(_: ExecutionView, subject: object) -> bool:
        return True

    assert condition(silent).text == ""
