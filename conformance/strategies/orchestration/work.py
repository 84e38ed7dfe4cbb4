"""Who works when in a run of a workflow: one after another, side by side, and what that means for requests and for orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.scenario.specs import ExecutorSpec


@dataclass(frozen=True, eq=False)
class Part:
    """What one agent or executor does until it is done.

    hands_to: whom an agent hands over to. executor: how an executor is specified. fails: it is no agent, and it fails.
    """

    name: str
    hands_to: str | None = None
    executor: ExecutorSpec | None = None
    fails: bool = False

    @property
    def is_agents(self) -> bool:
        """Whether it is an agent's."""
        return self.executor is None and not self.fails


@dataclass(frozen=True, eq=False)
class InTurn:
    """One after another."""

    of: tuple[Work, ...]


@dataclass(frozen=True, eq=False)
class SideBySide:
    """At once."""

    of: tuple[Work, ...]


Work = Part | InTurn | SideBySide


def parts(work: Work) -> list[Part]:
    """Every part, in order."""
    return [work] if isinstance(work, Part) else [part for each in work.of for part in parts(each)]


def is_linear(work: Work) -> bool:
    """Whether never two work at once."""
    if isinstance(work, Part):
        return True
    return (isinstance(work, InTurn) or len(work.of) < 2) and all(map(is_linear, work.of))


def branches(work: Work) -> list[list[Part]]:
    """The first that work side by side, each branch as its parts; empty where no two agents do."""
    match work:
        case Part():
            return []
        case SideBySide() if len(found := [branch for each in work.of for branch in _strands(each) if finishing(branch)]) > 1:
            return found
        case _:
            inner = [found for each in work.of if (found := branches(each))]
            return inner[0] if inner else []


def finishing(branch: Sequence[Part]) -> list[str]:
    """Who finishes in a branch, in order, each as often as it does: who hands over does not."""
    return [part.name for part in branch if part.is_agents and part.hands_to is None]


def _strands(work: Work) -> list[list[Part]]:
    if isinstance(work, SideBySide):
        return [strand for each in work.of for strand in _strands(each)]
    return [parts(work)]


def rests(work: Work, asked: Mapping[Part, Sequence[int]]) -> list[int]:
    """How many requests are surely open each time when the run comes to rest and nobody has answered any of them.

    asked: the same for each part. Where several in a row wait side by side, of all that is open only one is certain.
    """
    if isinstance(work, Part):
        return list(asked.get(work, ()))
    each = [rests(inner, asked) for inner in work.of]
    if isinstance(work, InTurn):
        return [count for counts in each for count in counts]
    return beside(each)


def beside(each: Sequence[Sequence[int]]) -> list[int]:
    """The same for several that work side by side."""
    if all(len(counts) < 2 for counts in each):
        together = sum(count for counts in each for count in counts)
        return [together] if together else []
    if sum(bool(counts) for counts in each) == 1:
        return [count for counts in each for count in counts]
    return [1] * sum(count for counts in each for count in counts)
