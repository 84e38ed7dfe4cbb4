"""Mutants tried side by side, in processes of their own: most of the time is spent computing.

Either each process tries some mutants, or it tries all of them with a share of the scenarios.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from conformance.judging.material import Material
from conformance.mutants.mutant import Mutant, mutants
from conformance.mutants.trial import Trial, trial
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.rule import Rule

T = TypeVar("T")
E = TypeVar("E")
Work = Callable[[type[Mutant], Trial], T]
Sharing = Callable[[Sequence[type[Mutant]], Trial, "Share"], T]

ENOUGH = 8
"""So many mutants for a process, at least: fewer are done before it has started."""

SHARES = 10
"""Shares of the scenarios for each process: some take longer than others."""


@dataclass(frozen=True)
class Share:
    """One of so many shares of a list."""

    number: int = 0
    of: int = 1

    def of_all(self, every: Sequence[E]) -> Sequence[E]:
        """What is in it."""
        return every[self.number :: self.of]


def tried(work: Work[T], chosen: Mapping[str, type[Mutant]], rules: Sequence[Rule], material: Material | None) -> Iterator[T]:
    """What some work makes of each mutant, in order; `work` is a function of a module, or a partial of one.

    Raises ValueError for a mutant that does not say what it has to say.
    """
    here = trial(chosen.values(), rules, material)
    jobs = _jobs(chosen, rules, material)
    if jobs < 2:
        yield from (work(mutant, here) for mutant in chosen.values())
        return
    with _pool(jobs) as pool:
        todo = ((work, name, _ids(rules)) for name in chosen)
        yield from pool.map(_try, *zip(*todo, strict=True), chunksize=max(ENOUGH // 2, 1))


def shared(
    work: Sharing[T], chosen: Mapping[str, type[Mutant]], rules: Sequence[Rule], material: Material | None
) -> Iterator[tuple[T, int]]:
    """What some work makes of all mutants with each share of the scenarios, and how many shares there are.

    Raises ValueError for a mutant that does not say what it has to say.
    """
    here = trial(chosen.values(), rules, material)
    jobs = _jobs(chosen, rules, material)
    if jobs < 2:
        yield work(tuple(chosen.values()), here, Share()), 1
        return
    of = jobs * SHARES
    with _pool(jobs) as pool:
        todo = ((work, tuple(chosen), _ids(rules), Share(number, of)) for number in range(of))
        yield from ((each, of) for each in pool.map(_try_share, *zip(*todo, strict=True)))


def _jobs(chosen: Mapping[str, type[Mutant]], rules: Sequence[Rule], material: Material | None) -> int:
    """How many processes; none for what is not the suite's own: nothing else can be found again there by name."""
    shipped = mutants()
    own = material is None and all(shipped.get(name) is kind for name, kind in chosen.items())
    if not own or any(CATALOGUE.get(rule.id) is not rule for rule in rules):
        return 0
    return min(os.cpu_count() or 1, len(chosen) // ENOUGH)


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))


def _ids(rules: Sequence[Rule]) -> tuple[str, ...]:
    return tuple(rule.id for rule in rules)


def _try(work: Work[T], name: str, ids: tuple[str, ...]) -> T:
    return work(mutants()[name], _trial(ids, tuple(mutants())))


def _try_share(work: Sharing[T], names: tuple[str, ...], ids: tuple[str, ...], share: Share) -> T:
    return work([mutants()[name] for name in names], _trial(ids, names), share)


@cache
def _trial(ids: tuple[str, ...], names: tuple[str, ...]) -> Trial:
    """The trial of this process: what is drawn, and what the reference makes of it, is found out once."""
    return trial((mutants()[name] for name in names), [CATALOGUE[id] for id in ids], None)
