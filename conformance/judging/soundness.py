"""Whether the reference holds every rule: on the material of all areas, judged by the rules of all areas, in several settings.

A rule that fires on the reference is wrong, or the reference is. Each rule must be true of whatever it is shown, not only of its
own area's material.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.harness.execution import Performed, performed
from conformance.harness.runner import STEP_TIMEOUT
from conformance.implementation.loading import resolve
from conformance.implementation.subject import Subject
from conformance.judging.material import Material, shipped
from conformance.judging.search import draw
from conformance.rules.catalogue import CATALOGUE
from conformance.scenario.scenario import Scenario
from conformance.vocabulary import Area, lacking

SEED = 20_251
"""What is drawn where nobody says otherwise."""

POLICY_SETS: Sequence[str] = (
    "reference",
    "reference?store_conflict=ignore&unsupported_thread=at_run&trailing_result=trimmed&provider_copy=written"
    "&injected_messages=stored&completion_signal=event_type&limit_answer=manager&failing_participant=left_out"
    "&sequential_shares=last",
    "reference?store_conflict=transform&store_conflict_hosted=ignore&provider_copy=written&completion_signal=return_value",
)
"""The reference under sets of policies in which each value of each policy comes up."""

KEEPING_OTHERWISE: Sequence[str] = (
    "reference?history=incremental",
    "reference?history=incremental&provider=none&injected_messages=stored",
    "reference?provider=none",
)
"""The reference whose history is kept otherwise: in steps of its own, or by its threads alone."""

SUBJECTS = (*POLICY_SETS, *KEEPING_OTHERWISE)


@dataclass(frozen=True)
class Unsound:
    """A rule that fires on the reference, or cannot judge it. under_test: with its arguments. what: expected and got."""

    rule: str
    under_test: str
    scenario: Scenario
    what: str


def unsound(area: Area, under_test: str, drawn: int, *, seed: int = SEED, only_drawn: bool = False) -> Iterator[Unsound]:
    """What fires on one area's fixtures, matrix and so many drawn scenarios, of the reference with some arguments."""
    subject, material = resolve(under_test), shipped()
    written = [] if only_drawn else [scenario for _, scenario in material.fixtures(area)]
    written += [] if only_drawn else material.matrix(area, subject.capabilities, subject.policies)
    for scenario in (*written, *_drawn(material, area, subject, drawn, seed)):
        if not lacking(material.needs(scenario), subject.capabilities):
            yield from judged(subject, scenario)


def _drawn(material: Material, area: Area, subject: Subject, count: int, seed: int) -> list[Scenario]:
    pool: list[Scenario] = []
    draw(material.scenarios(area, subject.capabilities), count, pool.append, seed=seed)
    return pool


def judged(subject: Subject, scenario: Scenario) -> Iterator[Unsound]:
    """What fires on one scenario, of a reference."""
    shown = Performed(scenario.title, scenario, performed(scenario, subject, STEP_TIMEOUT))
    if shown.trace.broken is not None:
        yield Unsound("none", subject.label, scenario, f"broke: {shown.trace.broken.text}")
        return
    for rule in CATALOGUE.values():
        if rule.missing(subject.capabilities, subject.policies):
            continue
        try:
            wrong = next((each for each in rule.findings(shown.view) if not each.holds), None)
        except Exception as error:
            yield Unsound(rule.id, subject.label, scenario, f"raised {error!r}")
            continue
        if wrong is not None:
            yield Unsound(rule.id, subject.label, scenario, f"expected {wrong.expected}; got {wrong.got}")
