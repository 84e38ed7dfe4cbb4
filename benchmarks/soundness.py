"""Does the reference hold every rule on fresh scenarios? The proof that the rules are true, at length.

`python benchmarks/soundness.py [--scenarios N] [--seed S]` draws N scenarios (20,000 unless told) over areas, sets of policies and
ways of keeping histories with a seed, random unless told, judges the reference on each by the rules of all areas, and prints what
fires, with the scenario as JSON, made smaller. Exit code 1 where anything does. 20,000 take some minutes on two cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product

import msgspec

from conformance.implementation.loading import resolve
from conformance.judging.soundness import SUBJECTS, Unsound, judged, unsound
from conformance.scenario.minimize import reduced
from conformance.scenario.scenario import Scenario
from conformance.vocabulary import AREAS, Area

SLICE = 250
"""Scenarios of one job."""

TRIES = 1_000
"""How many smaller scenarios are tried for a finding."""

Job = tuple[Area, str, int, int]


def main() -> int:
    """Draw, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", type=int, default=20_000, metavar="N")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), metavar="S")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    kinds = list(product(AREAS, SUBJECTS))
    count = max(given.scenarios // SLICE, 1)
    jobs: list[Job] = [(*kinds[place % len(kinds)], min(SLICE, given.scenarios), given.seed + place) for place in range(count)]
    found = 0
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        for done, wrong in enumerate(pool.map(_fires, jobs), start=1):
            found += len(wrong)
            for each in wrong:
                print(f"{each.rule} on {each.under_test}: {each.what}\n  {msgspec.json.encode(each.scenario).decode()}")
            print(f"{done}/{count}: {found} findings", flush=True)
    print(f"{count * min(SLICE, given.scenarios)} scenarios, seed {given.seed}: {found} findings")
    return 1 if found else 0


def _fires(job: Job) -> list[Unsound]:
    area, under_test, drawn, seed = job
    return [_smaller(each) for each in unsound(area, under_test, drawn, seed=seed, only_drawn=True)]


def _smaller(found: Unsound) -> Unsound:
    """The same with a scenario that holds nothing which it does not need."""

    subject = resolve(found.under_test)

    def proves(scenario: Scenario) -> bool:
        return any(each.rule == found.rule for each in judged(subject, scenario))

    smaller = reduced(found.scenario, proves, tries=TRIES)
    return next(each for each in judged(subject, smaller) if each.rule == found.rule)


if __name__ == "__main__":
    sys.exit(main())
