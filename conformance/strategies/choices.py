"""The pen that draws one scenario: small choices, each of which shrinks to its simplest alternative.

Parts that are alike draw alike, whatever came before them: then what is left still fits where shrinking takes one of them out. So a
choice is also drawn where it cannot matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeVar

from hypothesis import strategies as st

from conformance.scenario.scenario import Scenario
from conformance.vocabulary import Capability, Need, lacking

T = TypeVar("T")

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBERS = tuple(st.integers(0, last) for last in range(64))
_BOOLEANS = st.booleans()


class Pen:
    """Draws the choices of one scenario and knows which capabilities it may need."""

    def __init__(self, draw: st.DrawFn, capabilities: frozenset[Capability]) -> None:
        self._draw = draw
        self._capabilities = capabilities
        self._said: list[str] = []

    def can(self, *needs: Need) -> bool:
        """Whether the scenario may need all of these."""
        return not lacking(needs, self._capabilities)

    def number(self, last: int) -> int:
        """A number from 0 to `last`."""
        return self._draw(_NUMBERS[last])

    def pick(self, alternatives: Sequence[T]) -> T:
        """One of the alternatives; the simplest stands first."""
        return alternatives[self.number(len(alternatives) - 1)]

    def rarely(self, one_in: Literal[2, 4, 8, 16]) -> bool:
        """True once in so many times."""
        return all(self._draw(_BOOLEANS) for _ in range(one_in.bit_length() - 1))

    def mostly(self) -> bool:
        """True three times in four, although False is simpler."""
        return self.number(3) > 0

    def count(self, most: int) -> int:
        """How many of something there are, from 1; drawn before them, each then as a part, so that shrinking can take them out."""
        return 1 + self.number(most - 1)

    def part(self, strategy: st.SearchStrategy[T]) -> T:
        """What another strategy draws with this pen, as one part that shrinking takes out or makes simple as a whole."""
        return self._draw(strategy)

    def used_by(self, draw: st.DrawFn) -> Pen:
        """This pen, inside of the strategy of a part."""
        self._draw = draw
        return self

    def shuffled(self, items: Iterable[T]) -> list[T]:
        """The items in any order; the given one is the simplest."""
        left = list(items)
        return [left.pop(self.number(len(left) - 1)) if len(left) > 1 else left.pop() for _ in range(len(left))]

    def text(self) -> str:
        """A text that nobody said before; sometimes one that was said."""
        again = self.rarely(8)
        if again and self._said:
            return self.pick(self._said)
        word = WORDS[len(self._said)] if len(self._said) < len(WORDS) else f"text {len(self._said) + 1}"
        self._said.append(word)
        return word

    def say(self) -> tuple[str, ...]:
        """The input of a run: one message, sometimes two."""
        return (self.text(), self.text()) if self.rarely(8) else (self.text(),)

    def stream(self) -> bool:
        """Whether a run streams."""
        return self.can("runs.streaming") and self.rarely(2)


def drawn(scenario: Callable[[Pen], Scenario], capabilities: Iterable[Capability]) -> st.SearchStrategy[Scenario]:
    """The strategy that lets a function draw one scenario."""
    allowed = frozenset(capabilities)

    @st.composite
    def scenarios(draw: st.DrawFn) -> Scenario:
        return scenario(Pen(draw, allowed))

    # Hypothesis makes most of its examples by copying choices within others: of these small choices that gives the same scenarios
    # again and again. In a unique collection it does not, and nearly every example is new.
    return st.lists(scenarios(), min_size=1, max_size=1, unique_by=id).map(lambda only: only[0])
