"""Snapshots: the canonical trace of each fixture, which every implementation with the reference's policies must reproduce."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from conformance.reference.implementation import Reference
from conformance.scenario.files import folder
from conformance.scenario.scenario import Scenario
from conformance.trace.trace import Trace
from conformance.vocabulary import Area, Data, plain

_WORDING: Mapping[str, tuple[str, ...]] = {
    "raised": ("text", "native", "where"),
    "warned": ("text", "source"),
    "refused": ("text",),
    "broke": ("text",),
    "context_invoked": ("error",),
}
"""Fields in which implementations may differ as they like: how they say something, not what happens."""


class Snapshots(Data, frozen=True, kw_only=True, omit_defaults=False):
    """How an implementation's traces of the fixtures compare. differing: the fixtures, as `area/name`.

    Not comparable is a fixture that demands what is not declared, that could not be performed to its end, or any one where the
    policies differ or the history is kept in steps of the implementation's own.
    """

    equal: int = 0
    differing: tuple[str, ...] = ()
    not_comparable: int = 0


def canonical(scenario: Scenario, trace: Trace) -> str:
    """The trace as it is stored: without the implementation's declarations and its wording, sorted, one event a line."""
    events = [_canonical_event(cast("dict[str, Any]", event)) for event in plain(trace.events)]
    lines = ",\n".join(f"  {json.dumps(event, sort_keys=True, ensure_ascii=False)}" for event in events)
    title = json.dumps(scenario.title, ensure_ascii=False)
    return f'{{\n "events": [\n{lines}\n ],\n "scenario": {title}\n}}\n'


def stored(area: Area, fixture: str) -> str | None:
    """The stored snapshot of a fixture."""
    found = next((folder("snapshots") / area).glob(f"*/{fixture}.json"), None)
    return found.read_text(encoding="utf-8") if found else None


def comparable(trace: Trace) -> bool:
    """Whether the implementation must reproduce the snapshots at all: with the reference's policies, and as it persists."""
    return trace.policies == Reference().policies and "history.incremental" not in trace.capabilities


def compare(area: Area, fixtures: int, performed: Mapping[str, tuple[Scenario, Trace]]) -> Snapshots:
    """Compare what was performed, out of so many fixtures of an area, with what is stored."""
    equal, differing = 0, list[str]()
    for name, (scenario, trace) in performed.items():
        snapshot = stored(area, name)
        if snapshot is None or not comparable(trace) or _unfinished(trace):
            continue
        if canonical(scenario, trace) == snapshot:
            equal += 1
        else:
            differing.append(f"{area}/{name}")
    return Snapshots(equal=equal, differing=tuple(differing), not_comparable=fixtures - equal - len(differing))


def _unfinished(trace: Trace) -> bool:
    tags = {type(event).__struct_config__.tag for event in trace.events}
    return bool(tags & {"broke", "refused"})


def _canonical_event(event: dict[str, Any]) -> dict[str, Any]:
    wording = _WORDING.get(event["event"], ())
    kept = {key: value for key, value in event.items() if key not in wording}
    for message in [*kept.get("messages", []), *([kept["message"]] if "message" in kept else [])]:
        for result in message.get("results", []):
            if result.get("error"):
                result.pop("value", None)
    return kept
