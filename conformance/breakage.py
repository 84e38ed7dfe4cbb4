"""What broke in an area: nothing that would have come after it can be judged."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.performance import Performed
from conformance.search import size
from conformance.survey import Survey


@dataclass(frozen=True)
class Breakage:
    """The smallest performance that broke, where in its trace, and what happened, in a sentence."""

    performed: Performed
    at: int
    text: str
    reason: str


def breakage(survey: Survey) -> Breakage | None:
    """What broke in a survey; None where everything came to an end that can be judged."""
    if not survey.broken:
        return None
    performed = min(survey.broken, key=lambda each: size(each.scenario))
    broke = performed.trace.broken
    assert broke is not None
    more = f"; {len(survey.broken)} performances broke" if len(survey.broken) > 1 else ""
    gave_up = ", so the rest of the area was not tried" if survey.gave_up else ""
    return Breakage(
        performed=performed,
        at=performed.trace.events.index(broke),
        text=broke.text,
        reason=f"{broke.cause} in step {broke.step + 1} of {performed.name}: {broke.text}{more}{gave_up}",
    )
