"""Distilling the corpus: of many drawn scenarios the few that tell most, chosen on the reference first, then by mutants.

Scenarios are chosen until every demand is met: each rule exercised several times, each pair of features and each feature beside
each rule once, each rule that a small set of capabilities allows once with that set, each mutant killed several times. What is in
the corpus already stays in front; what it does not meet is added.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from heapq import heapify, heappop, heappush
from itertools import combinations, islice, product
from sys import intern

import msgspec

from conformance.harness.execution import Performed, performed
from conformance.harness.runner import STEP_TIMEOUT
from conformance.implementation.loading import resolve
from conformance.implementation.subject import Subject
from conformance.judging.reach import as_declared
from conformance.judging.search import draw, key
from conformance.mutants.mutant import mutants
from conformance.mutants.trial import Broken, Suspect, Trial, broken_ways, trial
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.rule import Rule
from conformance.scenario.features import features
from conformance.scenario.identity import scenario_id
from conformance.scenario.requirements import needs
from conformance.scenario.scenario import Scenario
from conformance.strategies import scenarios
from conformance.vocabulary import PATTERN_CAPABILITIES, Area, Capability, lacking

SLICE = 500
"""Scenarios that one process draws at once, at most."""

EXERCISED = 5
"""How many scenarios of the corpus are to exercise each rule."""

KILLED = 4
"""How many scenarios of the corpus are to kill each mutant: fixtures and the matrix may not be able to."""


def _with(*capabilities: Capability, also: frozenset[Capability] = frozenset()) -> frozenset[Capability]:
    return also.union(capabilities)


_LOCAL = _with("service.stateless", "history.provider", "history.per_run")
_HOSTED = _with("threads.hosted", "service.one_id", "service.new_ids", "service.stores_on_request")
_WORKFLOWS = _with("service.stateless", "workflows")

SMALL_SETS: Mapping[str, frozenset[Capability]] = {
    "stateless": _with("service.stateless"),
    "local": _LOCAL,
    "local with tools": _with("tools", "runs.streaming", "threads.serialize", also=_LOCAL),
    "approvals": _with("tools", "tools.approval", also=_LOCAL),
    "in steps": _with("service.stateless", "history.provider", "history.incremental", "tools"),
    "no provider": _with("service.stateless", "tools", "runs.streaming"),
    "hosted": _with("threads.with_id", "tools", also=_HOSTED),
    "hosted by default": _with("threads.hosted", "service.one_id", "service.stores_by_default"),
    "per service call, local": _with("service.stateless", "history.provider", "history.per_service_call", "tools"),
    "per service call": _with("history.per_service_call", "tools", also=_LOCAL | _HOSTED),
    **{f"{pattern} alone": _with(capability, also=_WORKFLOWS) for pattern, capability in PATTERN_CAPABILITIES.items()},
    "handoff": _with("workflows.handoff", "runs.streaming", also=_WORKFLOWS),
    "handoff with tools": _with("workflows.handoff", "tools", "runs.streaming", "workflows.as_agent", also=_WORKFLOWS),
    "sequential": _with("workflows.sequential", "workflows.intermediate_outputs", "workflows.as_agent", also=_WORKFLOWS),
    "concurrent": _with("workflows.concurrent", "runs.streaming", also=_WORKFLOWS),
    "group chat": _with("workflows.group_chat", "workflows.limits", also=_WORKFLOWS),
    "magentic": _with("workflows.magentic", "workflows.limits", "workflows.resets", also=_WORKFLOWS),
    "custom": _with("workflows.custom", "workflows.requests", "workflows.nested", also=_WORKFLOWS),
}
"""What frameworks that do little declare; the corpus has enough for each of them."""


@dataclass(frozen=True)
class Candidate:
    """A scenario, and the demands that it meets."""

    scenario: Scenario
    meets: frozenset[str]

    @property
    def cost(self) -> int:
        """What it costs: bytes to read."""
        return 200 + len(key(self.scenario))


def distill(area: Area, present: Sequence[Scenario], count: int, seed: int, most: int | None = None) -> list[Scenario]:
    """The corpus of an area: what is present, and what is chosen of `count` scenarios drawn anew from a seed; so many at most."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        kept = list(_unique(pool.map(_measured, [area] * len(present), map(msgspec.json.encode, present))))
        sets = [""] * 2 * len(SMALL_SETS) + list(SMALL_SETS)  # what demands much is drawn twice as often
        each = min(SLICE, max(count // len(sets), 1))
        jobs = [(area, sets[place % len(sets)], each, seed + place) for place in range(max(count // each, len(sets)))]
        short = [*kept, *_telling(_unique(pool.map(_drawn, jobs)), kept)]
        encoded = msgspec.json.encode([candidate.scenario for candidate in short])
        names = [name for name, kind in mutants().items() if kind.area() == area]
        killed: dict[str, set[str]] = {}
        for name, ids in pool.map(_killing, names, [encoded] * len(names)):
            for id in ids:
                killed.setdefault(id, set()).add(f"mutant {name}")
    every = [Candidate(each.scenario, each.meets | killed.get(scenario_id(each.scenario), set())) for each in short]
    return chosen(every[: len(kept)], every)[: None if most is None else len(kept) + most]


def chosen(kept: Sequence[Candidate], candidates: Sequence[Candidate]) -> list[Scenario]:
    """What is kept, then, the most telling first, as many candidates as it takes to meet all demands that any of them meets."""
    possible = Counter(demand for candidate in candidates for demand in candidate.meets)
    open_demands = {demand: min(many, _times(demand)) for demand, many in possible.items()}
    found: list[Scenario] = []

    def take(candidate: Candidate) -> None:
        found.append(candidate.scenario)
        for demand in candidate.meets:
            open_demands[demand] -= 1

    for candidate in kept:
        take(candidate)
    taken = {scenario_id(scenario) for scenario in found}
    left = [candidate for candidate in candidates if scenario_id(candidate.scenario) not in taken]

    def gain(place: int) -> float:
        return sum(_weight(demand) for demand in left[place].meets if open_demands[demand] > 0) / left[place].cost

    # A gain only shrinks: where the best of old figures is still the best after a new look, no other can be better.
    best = [(-gain(place), place) for place in range(len(left))]
    heapify(best)
    while best:
        _, place = heappop(best)
        now = gain(place)
        if now and best and best[0] < (-now, place):
            heappush(best, (-now, place))
        elif now:
            take(left[place])
    return found


def _times(demand: str) -> int:
    return KILLED if demand.startswith("mutant ") else EXERCISED if demand.startswith("rule ") else 1


def _weight(demand: str) -> float:
    """A kill tells more than a pair of features."""
    return 10 if demand.startswith("mutant ") else 5 if demand.startswith(("rule ", "set ")) else 1


def _telling(candidates: Iterable[Candidate], kept: Sequence[Candidate] = ()) -> Iterator[Candidate]:
    """Those that meet something that what is kept and those before do not meet often enough; mutants perform these alone."""
    met = Counter(demand for each in kept for demand in each.meets)
    known = {scenario_id(each.scenario) for each in kept}
    for candidate in candidates:
        if scenario_id(candidate.scenario) not in known and any(met[demand] < _times(demand) for demand in candidate.meets):
            met.update(candidate.meets)
            yield candidate


Measured = tuple[bytes, frozenset[str]]
"""A scenario as JSON, and the demands that it meets."""


def _unique(measured: Iterable[Iterable[Measured]]) -> Iterator[Candidate]:
    known: set[str] = set()
    for encoded, meets in (each for some in measured for each in some):
        scenario = msgspec.json.decode(encoded, type=Scenario)
        if (id := scenario_id(scenario)) not in known:
            known.add(id)
            # there are thousands of scenarios, each with a thousand demands: each demand is kept once
            yield Candidate(scenario, frozenset(map(intern, meets)))


def _drawn(job: tuple[Area, str, int, int]) -> list[Measured]:
    """What one process draws, and what of it meets something that a smaller one does not."""
    area, small, count, seed = job
    allowed = SMALL_SETS.get(small, resolve("reference").capabilities)
    pool: list[Scenario] = []
    draw(scenarios(area, allowed), count, pool.append, seed=seed)
    found = [Candidate(scenario, meets) for scenario in pool if (meets := _meets(area, scenario, [small] if small else []))]
    telling = _telling(sorted(found, key=lambda each: each.cost))
    return [(msgspec.json.encode(each.scenario), each.meets) for each in telling]


def _measured(area: Area, encoded: bytes) -> list[Measured]:
    return [(encoded, _meets(area, msgspec.json.decode(encoded, type=Scenario), SMALL_SETS))]


def _meets(area: Area, scenario: Scenario, sets: Iterable[str]) -> frozenset[str]:
    """The demands that a scenario meets on the reference, and as far as it declares small sets: none where it cannot be judged."""
    demanded, has = needs(scenario), sorted(features(scenario))
    in_steps = lacking(demanded, resolve("reference").capabilities)
    exercised = _exercised(area, scenario, resolve("reference?history=incremental" if in_steps else "reference"))
    if exercised is None:
        return frozenset()
    possible = [name for name in sets if not lacking(demanded, SMALL_SETS[name])]
    declaring = {name: as_declared(SMALL_SETS[name], resolve("reference").policies) for name in possible}
    return frozenset(
        [
            *(f"rule {rule}" for rule in exercised),
            *(f"set {name}: {rule}" for name, small in declaring.items() for rule in _exercised(area, scenario, small) or ()),
            *(f"{rule} with {feature}" for rule, feature in product(exercised, has)),
            *(f"{one} with {other}" for one, other in combinations(has, 2)),
        ]
    )


def _exercised(area: Area, scenario: Scenario, reference: Subject) -> list[str] | None:
    """The rules that a scenario exercises on the reference as it declares itself; None where it cannot be judged."""
    shown = Performed("drawn", scenario, performed(scenario, reference, STEP_TIMEOUT))
    if shown.trace.broken is not None:
        return None
    return [
        rule.id
        for rule in CATALOGUE.values()
        if rule.area == area
        and not rule.missing(reference.capabilities, reference.policies)
        and next(rule.findings(shown.view), None) is not None
    ]


def _killing(name: str, encoded: bytes) -> tuple[str, list[str]]:
    """The ids of the first scenarios that kill a mutant by rules that should."""
    suspect = Suspect(mutants()[name])
    here, declares = suspect.mutant.area(), suspect.subject
    expected = [CATALOGUE[id] for id in sorted(suspect.mutant.expected)]
    judging = [rule for rule in expected if rule.area == here and not rule.missing(declares.capabilities, declares.policies)]
    # what is killed often enough demands no more
    return name, list(islice((id for id, scenario in _decoded(encoded) if _kills(suspect, id, scenario, judging)), KILLED))


def _kills(suspect: Suspect, id: str, scenario: Scenario, judging: Sequence[Rule]) -> bool:
    shown = _trial().shown(suspect, id, scenario)
    if shown.trace.broken is not None or not _trial().differs(suspect, shown):
        return False
    try:
        return bool(broken_ways(shown, judging))
    except Broken:
        return False


@cache
def _decoded(encoded: bytes) -> list[tuple[str, Scenario]]:
    """The scenarios that are tried, with their ids: the same for every mutant."""
    return [(scenario_id(scenario), scenario) for scenario in msgspec.json.decode(encoded, type=list[Scenario])]


@cache
def _trial() -> Trial:
    """What the reference makes of each scenario is found out once in a process."""
    return trial(mutants().values(), list(CATALOGUE.values()), None)


def lines(before: Sequence[Scenario], after: Sequence[Scenario]) -> Iterator[str]:
    """What distilling did, in words."""
    yield f"{len(before)} scenarios kept, {len(after) - len(before)} added"
