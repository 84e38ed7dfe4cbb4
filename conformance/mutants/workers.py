"""Mutants tried side by side, in processes of their own: each is judged by itself, and most of the time is spent computing."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import TypeVar

from conformance.judging.material import Material
from conformance.mutants.mutant import Mutant, mutants
from conformance.mutants.trial import Trial, trial
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.rule import Rule

T = TypeVar("T")
Work = Callable[[type[Mutant], Trial], T]

ENOUGH = 8
"""So many mutants for a process, at least: fewer are done before it has started."""


def tried(work: Work[T], chosen: Mapping[str, type[Mutant]], rules: Sequence[Rule], material: Material | None) -> Iterator[T]:
    """What some work makes of each mutant, in order; `work` is a function of a module, or a partial of one.

    In processes of their own only for the suite's own mutants, rules and material: nothing else can be found again there by name.
    Raises ValueError for a mutant that does not say what it has to say.
    """
    here = trial(chosen.values(), rules, material)
    shipped = mutants()
    jobs = min(os.cpu_count() or 1, len(chosen) // ENOUGH)
    own = material is None and all(shipped.get(name) is kind for name, kind in chosen.items())
    if jobs < 2 or not own or any(CATALOGUE.get(rule.id) is not rule for rule in rules):
        yield from (work(mutant, here) for mutant in chosen.values())
        return
    ids = tuple(rule.id for rule in rules)
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_try, *zip(*((work, name, ids) for name in chosen), strict=True), chunksize=max(ENOUGH // 2, 1))


def _try(work: Work[T], name: str, ids: tuple[str, ...]) -> T:
    return work(mutants()[name], _trial(ids))


@cache
def _trial(ids: tuple[str, ...]) -> Trial:
    """The trial of this process: what is drawn, and what the reference makes of it, is found out once."""
    return trial((), [CATALOGUE[id] for id in ids], None)
