"""How small counterexamples get: the steps of the shrunk scenario that proves each mutant of an area, and their median.

Run it with `python benchmarks/counterexamples.py [AREA ...]`. Each mutant is judged by the first rule of the area that it names.
"""

from __future__ import annotations

import sys
from statistics import median

from conformance.implementation.subject import subject
from conformance.judging.judge import Judge
from conformance.judging.search import profile
from conformance.mutants.mutant import mutants
from conformance.report.counterexample import scenario_lines
from conformance.rules.catalogue import CATALOGUE
from conformance.vocabulary import AREAS


def main(areas: list[str]) -> None:
    """Print the sizes, area by area, largest last, and the largest scenario."""
    rules = CATALOGUE
    for area in areas:
        sizes: dict[str, int] = {}
        largest: list[str] = []
        for name, kind in mutants().items():
            expected = sorted(id for id in kind.expected if rules[id].area == area)
            if not expected:
                continue
            verdict = Judge(subject(kind), [rules[expected[0]]], effort=profile("quick")).verdict(rules[expected[0]])
            if verdict.counterexample is None:
                print(f"{name}: {expected[0]} has no counterexample")
                continue
            sizes[name] = len(verdict.counterexample.scenario.steps)
            if sizes[name] == max(sizes.values()):
                largest = [f"{name} ({expected[0]})", *scenario_lines(verdict.counterexample.scenario)]
        print(f"{area}: {len(sizes)} mutants, counterexamples of {median(sizes.values()):g} steps in the median")
        print("\n".join(largest))


if __name__ == "__main__":
    main(sys.argv[1:] or list(AREAS))
