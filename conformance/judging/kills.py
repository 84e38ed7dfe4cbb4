"""What killed the mutants: the matrix of deliberately faulty references and rules, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.vocabulary import Data


class Kill(Data, frozen=True, kw_only=True, omit_defaults=False):
    """One row of the matrix: a mutant, the rules that should kill it, and those that did.

    breaks: the way in which it is the first to break a rule, and ways: all in which it breaks rules, as `RULE/aspect`. broke: why
    it could not be judged. performed: how many executions there were; taken_over: and how many more in which it cannot differ from
    the reference, whose judgement counts.
    """

    mutant: str
    fault: str
    imitates: str
    breaks: str
    expected: tuple[str, ...]
    killed_by: tuple[str, ...]
    ways: tuple[str, ...]
    broke: str | None = None
    performed: int = 0
    taken_over: int = 0

    @property
    def equal(self) -> bool:
        """Whether exactly the expected rules killed it, in the way that it names among others, and nothing broke."""
        return self.expected == self.killed_by and self.breaks in self.ways and self.broke is None


@dataclass(frozen=True)
class Matrix:
    """All rows. unkilled: the rules that no mutant shows to be able to fail."""

    rows: tuple[Kill, ...]
    unkilled: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every row is as expected and every rule kills something."""
        return all(row.equal for row in self.rows) and not self.unkilled


def matrix(found: Sequence[Kill], rules: Sequence[str]) -> Matrix:
    """The matrix of these rows over rules, given by their ids."""
    killing = {rule for row in found for rule in row.killed_by}
    return Matrix(tuple(found), tuple(id for id in rules if id not in killing))
