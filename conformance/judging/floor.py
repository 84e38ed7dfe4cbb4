"""The floor of a gate: what has to be exercised at least, so that nothing is green in which nothing was."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from conformance.errors import UsageError
from conformance.judging.verdicts import RuleVerdict
from conformance.rules.catalogue import CATALOGUE
from conformance.vocabulary import AREAS, CAPABILITIES, Area, Capability, Data, nearest


class Shortfall(Data, frozen=True, kw_only=True, omit_defaults=False):
    """What a run falls short of, in a sentence, and why that breaks the gate."""

    trouble: Literal["nothing exercised", "not declared"]
    text: str


@dataclass(frozen=True)
class Floor:
    """areas: in each of them some rule must be exercised; without any, some rule at all. capabilities: they must be declared."""

    areas: frozenset[Area] = frozenset()
    capabilities: frozenset[Capability] = frozenset()

    def shortfalls(self, verdicts: Sequence[RuleVerdict], declared: Collection[Capability]) -> Iterator[Shortfall]:
        """What is not reached by these verdicts on an implementation that declares these capabilities."""
        exercised: set[Area] = {
            CATALOGUE[verdict.rule].area for verdict in verdicts if verdict.exercised and verdict.rule in CATALOGUE
        }
        for area in sorted(self.areas - exercised):
            text = (
                f"no rule of the area {area} was exercised, but it was asked for; declare what its rules need, or do not ask for it"
            )
            yield Shortfall(trouble="nothing exercised", text=text)
        if not self.areas and not exercised:
            text = "no rule at all was exercised: nothing is known of this implementation; declare what it can do"
            yield Shortfall(trouble="nothing exercised", text=text)
        for capability in sorted(self.capabilities - set(declared)):
            yield Shortfall(trouble="not declared", text=f"the capability {capability} is required, but not declared")


def floor(required: Sequence[str], areas: Collection[Area]) -> Floor:
    """The floor of what is required, capabilities or areas by name, and of the areas that are asked for. Raises UsageError."""
    for name in required:
        if name not in AREAS and name not in CAPABILITIES:
            raise UsageError(f"there is no capability or area {name!r} to require{nearest(name, (*AREAS, *CAPABILITIES))}")
    required_areas: list[Area] = [area for area in AREAS if area in required]
    return Floor(
        areas=frozenset((*areas, *required_areas)),
        capabilities=frozenset(capability for capability in CAPABILITIES if capability in required),
    )
