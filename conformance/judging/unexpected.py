"""What ended runs unexpectedly: errors that no neutral kind fits, and steps that the adapter could not express."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from conformance.trace.adapter_events import Raised
from conformance.trace.harness_events import RunStarted
from conformance.trace.trace import Trace
from conformance.vocabulary import Data

SHOWN = 3
"""So many errors are named; the commonest are those that matter."""


class UnexpectedError(Data, frozen=True, kw_only=True, omit_defaults=False):
    """An error that ended runs. native: its type. where: `file:line`. text: of the first. runs: how many it ended, `of` so many."""

    native: str
    where: str | None
    text: str
    runs: int
    of: int

    @property
    def sentence(self) -> str:
        """All of that, in a sentence."""
        at = f" at {self.where}" if self.where else ""
        return f"{self.runs} of {self.of} runs ended in {self.native}{at}: {self.text}"


@dataclass
class Unexpected:
    """Counts over a survey. refused: in how many scenarios the adapter could not express a step, by its own words."""

    runs: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    _ended: Counter[tuple[str, str | None]] = field(default_factory=Counter[tuple[str, str | None]])
    _texts: dict[tuple[str, str | None], str] = field(default_factory=dict[tuple[str, str | None], str])

    def add(self, trace: Trace) -> None:
        """Take in one performance. Of refusals the first counts: the others mostly follow from it."""
        self.refused.update([trace.inexpressible.text] if trace.inexpressible else [])
        for event in trace.events:
            match event:
                case RunStarted():
                    self.runs += 1
                case Raised(kind="other"):
                    self._ended[event.native, event.where] += 1
                    self._texts.setdefault((event.native, event.where), event.text)
                case _:
                    pass

    @property
    def errors(self) -> tuple[UnexpectedError, ...]:
        """The commonest errors."""
        return tuple(
            UnexpectedError(native=native, where=where, text=self._texts[native, where], runs=count, of=self.runs)
            for (native, where), count in self._ended.most_common(SHOWN)
        )


def together(areas: list[tuple[UnexpectedError, ...]]) -> tuple[UnexpectedError, ...]:
    """The commonest errors over several areas."""
    found: dict[tuple[str, str | None], UnexpectedError] = {}
    for error in (error for area in areas for error in area):
        known = found.get((error.native, error.where))
        runs, of = (error.runs + known.runs, error.of + known.of) if known else (error.runs, error.of)
        text = known.text if known else error.text
        found[error.native, error.where] = UnexpectedError(native=error.native, where=error.where, text=text, runs=runs, of=of)
    return tuple(sorted(found.values(), key=lambda error: -error.runs)[:SHOWN])
