"""Pairs: two runs of workflows with the same script that differ in one thing, which must not matter."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from conformance.scenario.scenario import Scenario
from conformance.strategies.choices import Pen
from conformance.strategies.orchestration.draft import Play
from conformance.strategies.orchestration.features import ALL, patterns, topics
from conformance.strategies.orchestration.runs import an_order, draft
from conformance.strategies.orchestration.workflows import add_workflow

Difference = Literal["stream", "intermediate_outputs", "finish", "stream as agent"]

_DIFFERENCES: tuple[Difference, ...] = (
    *("stream", "intermediate_outputs", "finish", "stream as agent"),
    *("stream", "intermediate_outputs", "finish", "intermediate_outputs"),
)
_SOUND = ALL - {"failing"}
_SIDE_BY_SIDE = _SOUND - {"asking", "limiting", "authoring", "returning"}


def differences(pen: Pen) -> list[Difference]:
    """In what the runs of a pair may differ, some more often than others."""
    possible: dict[Difference, bool] = {
        "stream": pen.can("runs.streaming"),
        "intermediate_outputs": pen.can("workflows.intermediate_outputs"),
        "finish": "concurrent" in patterns(pen),
        "stream as agent": pen.can("runs.streaming", "workflows.as_agent"),
    }
    return [difference for difference in _DIFFERENCES if possible[difference]]


def pair(pen: Pen) -> Scenario:
    """One script on two workflows, which have the same participants; in every reply, as the service's own texts would differ."""
    difference = pen.pick(differences(pen))
    ordered = difference == "finish"
    play = Play(pen, topics(pen, _SIDE_BY_SIDE if ordered else _SOUND))
    if ordered:
        add_workflow(pen, play, "w", ["concurrent"], least=2)
    else:
        add_workflow(pen, play, "w")
    spec = play.workflows["w"]
    shows = difference == "intermediate_outputs"
    play.workflows["w"] = msgspec.structs.replace(spec, intermediate_outputs=spec.intermediate_outputs and not shows)
    play.workflows["x"] = msgspec.structs.replace(spec, intermediate_outputs=spec.intermediate_outputs or shows)
    fields: dict[str, Any] = {"as_agent": difference == "stream as agent"}
    if difference.startswith("stream"):
        fields["stream"] = False
    first = draft(pen, play, "w", explicit=True, **fields)
    changed: dict[str, Any] = {"stream": True} if difference.startswith("stream") else {}
    if ordered and first.branches:
        changed["finish"] = an_order(pen, first.branches)
    answers = play.answers(first.rests, drops=False)
    second = msgspec.structs.replace(first.run, **changed)
    if pen.number(7) == 0:  # shrinking ends here where it takes no two
        play.workflows = {name: play.workflows["x" if name == "w" else name] for name in play.workflows if name != "x"}
        play.take(second, first.rests, answers)
    else:
        play.take(first.run, first.rests, answers)
        play.take(msgspec.structs.replace(second, workflow="x"), first.rests, answers)
    return play.scenario()
