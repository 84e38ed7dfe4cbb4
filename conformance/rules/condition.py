"""What a rule looks at and what it leaves alone, as named data: selections of subjects, and conditions that they meet or not.

A selection finds the subjects of a rule in an execution: its runs, its requests, the threads that were created. A condition is a
yes-or-no question about one of them. Both have a name and a text: rules can be listed, and what they left alone can be counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from conformance.rules.execution_view import ExecutionView

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class Condition(Generic[S]):
    """A yes-or-no question about a subject. text: what is so where it is met, as a clause: "the run succeeded"."""

    name: str
    text: str
    test: Callable[[ExecutionView, S], bool]

    def __call__(self, execution: ExecutionView, subject: S) -> bool:
        """Whether a subject meets it."""
        return self.test(execution, subject)

    def __invert__(self) -> Condition[S]:
        """The condition that is met where this one is not."""
        return Condition(
            f"not {self.name}", f"not so that {self.text}", lambda execution, subject: not self.test(execution, subject)
        )

    def of(self, part: Callable[[T], S]) -> Condition[T]:
        """The same question about a part of a subject, such as the run of a request."""
        return Condition(self.name, self.text, lambda execution, whole: self.test(execution, part(whole)))


@dataclass(frozen=True)
class Selection(Generic[S]):
    """The subjects of a rule in an execution, in order. text: what one of them is: "a run on a thread"."""

    name: str
    text: str
    select: Callable[[ExecutionView], Iterable[S]]

    def __call__(self, execution: ExecutionView) -> Iterable[S]:
        """The subjects."""
        return self.select(execution)


def condition(test: Callable[[ExecutionView, S], bool]) -> Condition[S]:
    """A condition that is called like its function and says what the first sentence of its docstring says."""
    return Condition(_name(test), _text(test), test)


def selection(select: Callable[[ExecutionView], Iterable[S]]) -> Selection[S]:
    """A selection that is called like its function and says what the first sentence of its docstring says."""
    return Selection(_name(select), _text(select), select)


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__name__").replace("_", " ")  # noqa: B009 (a callable need not have a name; a function has)


def _text(function: Callable[..., object]) -> str:
    sentence = " ".join((function.__doc__ or "").split()).partition(". ")[0].rstrip(".")
    return sentence[:1].lower() + sentence[1:]
