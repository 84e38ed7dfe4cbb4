"""What needs each exclusion of each rule: a fixture on which, without it, the rule fires on something that conforms.

`python benchmarks/exclusions.py [--write]` performs every fixture on the reference, under its sets of policies, and on the benign
variants, and prints the exclusions that none of them needs. `--write` renews tests/rules/needed.json, by which
`tests/rules/test_exclusions.py` checks the rest: for each exclusion one implementation and one fixture. Some minutes on two cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec

from conformance.harness.execution import performed
from conformance.implementation.loading import resolve
from conformance.implementation.subject import subject
from conformance.judging.exclusions import Place, needed, places
from conformance.judging.soundness import SUBJECTS
from conformance.mutants.benign.variants import variants
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.execution_view import ExecutionView
from conformance.scenario.files import load
from conformance.scenario.requirements import can_perform
from conformance.vocabulary import AREAS

TABLE = Path(__file__).parent.parent / "tests" / "rules" / "needed.json"
TIMEOUT = 20.0

Witness = tuple[str, str, str]
"""An implementation, an area, and the name of a fixture there."""


def main() -> int:
    """Perform, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    found: dict[Place, Witness] = {}
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        for witnesses in pool.map(_witnesses, [*SUBJECTS, *(variant.name for variant in variants())]):
            found = witnesses | found
    every = [place for rule in CATALOGUE.values() for place in places(rule)]
    for place in every:
        if place not in found:
            print(*place)
    print(f"{len(found)} of {len(every)} exclusions are needed")
    if given.write:
        lines = [(*place, *found[place]) for place in every if place in found]
        TABLE.write_text("[\n" + ",\n".join(msgspec.json.encode(line).decode() for line in lines) + "\n]\n", encoding="utf-8")
    return 0


def _witnesses(name: str) -> dict[Place, Witness]:
    """What one implementation needs; of rules that fire on it anyhow, nothing."""
    variant = next((each for each in variants() if each.name == name), None)
    under_test = subject(variant) if variant else resolve(name)
    firing = variant.fires | variant.leaves if variant else frozenset[str]()
    rules = [rule for rule in CATALOGUE.values() if not rule.missing(under_test.capabilities, under_test.policies)]
    found: dict[Place, Witness] = {}
    for area in AREAS:
        for fixture, scenario in load(area):
            if can_perform(scenario, under_test.capabilities):
                view = ExecutionView(scenario, performed(scenario, under_test, TIMEOUT))
                for rule in rules if view.trace.broken is None else ():
                    if rule.id not in firing:
                        found = dict.fromkeys(needed(rule, view), (name, area, fixture)) | found
    return found


if __name__ == "__main__":
    sys.exit(main())
