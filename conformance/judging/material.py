"""The material that an area is judged with: fixtures, the matrix, the frozen corpus, and scenarios that can be drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hypothesis.strategies import SearchStrategy

from conformance.scenario.identity import scenario_id
from conformance.scenario.scenario import Scenario
from conformance.vocabulary import AREAS, CAPABILITIES, Area, Capability, Need, Policies


def _no_matrix(_area: Area, _capabilities: frozenset[Capability], _policies: Policies) -> Iterable[Scenario]:
    return ()


def _no_corpus(_area: Area) -> Sequence[Scenario]:
    return ()


@dataclass(frozen=True)
class Material:
    """What an area is judged with: fixtures, scenarios to be drawn, what a scenario demands, a matrix, the corpus.

    matrix: what must be complete: the configuration matrix, or every order of finishing. Fixtures, matrix and corpus are frozen:
    they are the same everywhere, and a scenario in them is known by its id.
    """

    fixtures: Callable[[Area], Sequence[tuple[str, Scenario]]]
    scenarios: Callable[[Area, frozenset[Capability]], SearchStrategy[Scenario]]
    needs: Callable[[Scenario], frozenset[Need]]
    matrix: Callable[[Area, frozenset[Capability], Policies], Iterable[Scenario]] = _no_matrix
    corpus: Callable[[Area], Sequence[Scenario]] = _no_corpus

    def everything(self, area: Area, capabilities: frozenset[Capability], policies: Policies) -> Sequence[Scenario]:
        """All frozen scenarios of an area, whatever they demand; of the matrix those for these declarations."""
        written = [scenario for _, scenario in self.fixtures(area)]
        return (*written, *self.matrix(area, capabilities, policies), *self.corpus(area))

    def frozen(self, area: Area, capabilities: frozenset[Capability], policies: Policies) -> frozenset[str]:
        """The ids of the same."""
        return frozenset(map(scenario_id, self.everything(area, capabilities, policies)))

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits over the ids of everything frozen: two results with the same digest judged the same."""
        every, refusing = frozenset(CAPABILITIES), Policies(unsupported_thread="at_run")
        ids = sorted(id for area in AREAS for id in self.frozen(area, every, refusing))
        return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:12]


def shipped() -> Material:
    """The suite's own material."""
    from conformance.matrix import cells, conflict_switches, finishing_orders
    from conformance.scenario import corpus
    from conformance.scenario.files import load
    from conformance.scenario.requirements import needs
    from conformance.strategies import scenarios

    def matrix(area: Area, capabilities: frozenset[Capability], policies: Policies) -> Iterable[Scenario]:
        match area:
            case "threads":
                return ()
            case "persistence":
                return (*cells.scenarios(capabilities, policies), *conflict_switches.scenarios())
            case "orchestration":
                return finishing_orders.scenarios(capabilities)

    return Material(load, scenarios, needs, matrix, corpus.load)
