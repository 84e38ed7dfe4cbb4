"""What terminal and Markdown count: verdicts by their words, deviations by their kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from conformance.judging.results import ImplementationResults, Results
from conformance.judging.verdicts import RuleVerdict, Trouble
from conformance.vocabulary import AREAS, Area

COLUMNS = (
    "pass",
    "fail",
    "deviates: bug",
    "deviates: by design",
    "deviates: disputed",
    "not supported",
    "not exercised",
    "error",
    "stale",
)
_AREA_OF: Mapping[str, Area] = dict(zip(("THR", "PER", "ORC"), AREAS, strict=True))


def word(verdict: RuleVerdict) -> str:
    """The word under which a verdict is told: a stale deviation is no plain pass, but a new violation is worse."""
    return "stale" if verdict.stale and verdict.verdict != "fail" else verdict.verdict


def column(verdict: RuleVerdict) -> str:
    """Where a verdict is counted: by its word, and a deviation by its kind."""
    found = word(verdict)
    return f"{found}: {verdict.kind}" if found == "deviates" else found


def area_of(rule: str) -> Area:
    """The area that a rule's id belongs to."""
    return _AREA_OF[rule[:3]]


def counted(verdicts: Iterable[RuleVerdict]) -> Counter[str]:
    """How many verdicts there are in each column."""
    return Counter(column(verdict) for verdict in verdicts)


def areas(implementation: ImplementationResults) -> dict[Area, list[RuleVerdict]]:
    """The verdicts on an implementation by area; areas that nobody asked for are left out."""
    found: dict[Area, list[RuleVerdict]] = {area: [] for area in AREAS}
    for verdict in implementation.rules:
        found[area_of(verdict.rule)].append(verdict)
    return {area: verdicts for area, verdicts in found.items() if verdicts}


def rules(results: Results) -> list[str]:
    """Every rule that was judged on some implementation, in the order of the specification."""
    ids = {verdict.rule for verdict in results.verdicts}
    return sorted(ids, key=lambda rule: (AREAS.index(area_of(rule)), rule))


def gate(results: Results) -> str:
    """Whether the gate holds, and what breaks it, in one sentence."""
    troubles = Counter(results.troubles)
    if not results.complete:
        return "the gate is broken: judging was cut short"
    if not troubles:
        return "the gate holds"
    words: dict[Trouble, tuple[str, str]] = {
        "error": ("error", "errors"),
        "violation": ("violation", "violations"),
        "stale deviation": ("stale deviation", "stale deviations"),
        "expired deviation": ("expired deviation", "expired deviations"),
        "deviation without a reason": ("deviation without a reason", "deviations without a reason"),
        "nothing exercised": ("area in which nothing was exercised", "areas in which nothing was exercised"),
        "not declared": ("required capability that is not declared", "required capabilities that are not declared"),
        "not exercised": ("MUST rule not exercised", "MUST rules not exercised"),
        "not reached": ("cell not reached", "cells not reached"),
    }
    parts = [f"{troubles[key]} {one if troubles[key] == 1 else many}" for key, (one, many) in words.items() if troubles[key]]
    return f"the gate is broken: {', '.join(parts)}"
