"""Does each mutant do what the reference does wherever it is said that it cannot differ? Much of it, performed.

`python benchmarks/taken_over.py [--share N]` performs the mutants on every N-th frozen scenario (40 unless told) where what the
reference did is taken over. It prints where a mutant did something else, and ends with exit code 1 where one did. A share of 40
takes some five minutes of one core, all of it (1) three hours; `tests/mutants/test_difference.py` performs a small sample.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor

from conformance.harness.execution import performed
from conformance.harness.runner import STEP_TIMEOUT
from conformance.judging.material import shipped
from conformance.mutants.mutant import mutants
from conformance.mutants.trial import Suspect, Trial
from conformance.vocabulary import AREAS

JOBS = 8
"""So many parts of the work, each with scenarios of its own."""


def main() -> int:
    """Perform, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=int, default=40, metavar="N")
    share = parser.parse_args().share
    compared, wrong = 0, 0
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        for done, (count, differing) in enumerate(pool.map(_compared, [(job, share) for job in range(JOBS)]), start=1):
            compared, wrong = compared + count, wrong + len(differing)
            print(*differing, f"{done}/{JOBS}: {compared} compared, {wrong} differ", sep="\n", flush=True)
    return 1 if wrong else 0


def _compared(job: tuple[int, int]) -> tuple[int, list[str]]:
    """How many executions were compared in a job, and those in which a mutant differs."""
    number, share = job
    every = [Suspect(kind) for kind in mutants().values()]
    trial = Trial((), shipped(), frozenset(point for each in every for point in each.points or ()))
    compared, differing = 0, list[str]()
    for suspect in every:
        for area in AREAS:
            for name, scenario in trial.frozen(area, suspect.subject, all=True)[number :: JOBS * share]:
                known = trial.reference(suspect, scenario)
                if known is None or not trial.takes_over(suspect, scenario):
                    continue
                compared += 1
                if performed(scenario, suspect.subject, STEP_TIMEOUT).events != known.trace.events:
                    differing.append(f"{suspect.mutant.name} in {name}")
    return compared, differing


if __name__ == "__main__":
    sys.exit(main())
