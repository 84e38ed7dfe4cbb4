"""Do the rules say what they said before? Stored executions, judged again: the proof of a change that may change no finding.

`python benchmarks/findings.py record FOLDER` performs every fixture, the matrices and 300 drawn scenarios an area on the reference
under three sets of policies and on agent-framework, natively and over the wire, and the material of its own area on every mutant.
It stores each different execution once, with what every rule found: where, and whether it held there. It wants some minutes and no
change of the code meanwhile. Keep the folder outside of the repository.

`python benchmarks/findings.py compare FOLDER [--rule ID ...] [--area AREA] [--show N]` judges the stored executions by the rules as
they are now, prints each rule whose findings differ with the first executions in which they do, and exits with 1 where one does.
Findings on material of the rule's own area must be equal; on that of other areas a rule must not find more violations than it did,
on the implementations that were recorded there (the reference and agent-framework).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import msgspec

from conformance.harness.execution import performed
from conformance.harness.runner import STEP_TIMEOUT
from conformance.implementation.loading import resolve
from conformance.implementation.subject import Subject, subject
from conformance.judging.material import shipped
from conformance.judging.search import draw, key
from conformance.judging.soundness import POLICY_SETS, SEED
from conformance.judging.survey import GIVE_UP
from conformance.mutants.mutant import mutants
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.execution_view import ExecutionView
from conformance.rules.rule import Rule
from conformance.scenario.requirements import can_perform
from conformance.scenario.scenario import Scenario
from conformance.trace.trace import Trace
from conformance.vocabulary import AREAS, Area

DRAWN = 300
"""Generated scenarios an area."""

IMPLEMENTATIONS = (*POLICY_SETS, "agent-framework", "agent-framework-openai")
"""What is performed in all areas; the reference first, so that its executions bear its name."""

Found = list[tuple[int, bool]]
"""The findings of a rule in one execution, sorted: where, and whether it held."""


class Execution(msgspec.Struct):
    """One stored execution. by: who performed it first. area: of the material. findings: rule by rule. raised: these rules did."""

    by: str
    area: Area
    scenario: Scenario
    trace: Trace
    findings: dict[str, Found] = {}
    raised: list[str] = []


def main(arguments: Sequence[str]) -> int:
    """Record, or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("record").add_argument("folder", type=Path)
    judging = commands.add_parser("compare")
    judging.add_argument("folder", type=Path)
    judging.add_argument("--rule", nargs="*", default=[], metavar="ID")
    judging.add_argument("--area", choices=AREAS)
    judging.add_argument("--show", type=int, default=1, metavar="N", help="so many differing executions a rule")
    given = parser.parse_args(arguments)
    if given.command == "record":
        return record(given.folder)
    ids = tuple(given.rule) or tuple(rule.id for rule in CATALOGUE.values() if given.area in (None, rule.area))
    return compare(given.folder, ids, given.area, given.show)


def record(folder: Path) -> int:
    """Perform and judge everything, and store what is different."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(name, area) for name in IMPLEMENTATIONS for area in AREAS]
    jobs += [(f"mutant {name}", kind.area()) for name, kind in mutants().items()]
    stored: dict[Area, set[bytes]] = {area: set() for area in AREAS}
    with ExitStack() as opened, _pool() as pool:
        files = {area: opened.enter_context(gzip.open(folder / f"{area}.jsonl.gz", "wb", 3)) for area in AREAS}
        for done, (name, area, lines) in enumerate(pool.map(_performed, jobs), start=1):
            for digest, line in lines:
                if digest not in stored[area]:
                    stored[area].add(digest)
                    files[area].write(line + b"\n")
            print(f"{done}/{len(jobs)} {name} {area}: {len(stored[area])} different executions", flush=True)
    return 0


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn"))


@cache
def _material(area: Area, under_test: str) -> list[Scenario]:
    """What a subject performs in an area; mutants are asked what the reference is."""
    asked = resolve(under_test)
    scenarios = [scenario for _, scenario in shipped().fixtures(area)]
    scenarios += shipped().matrix(area, asked.capabilities, asked.policies)
    draw(shipped().scenarios(area, asked.capabilities), DRAWN, scenarios.append, seed=SEED)
    return scenarios


def _performed(job: tuple[str, Area]) -> tuple[str, Area, list[tuple[bytes, bytes]]]:
    name, area = job
    mutant = mutants()[name.removeprefix("mutant ")] if name.startswith("mutant ") else None
    under_test = subject(mutant) if mutant else resolve(name)
    lines: dict[bytes, bytes] = {}
    for scenario, trace in _traces(under_test, _material(area, "reference" if mutant else name)):
        digest = hashlib.sha256(key(scenario) + msgspec.json.encode(_anonymous(trace))).digest()
        rules = [rule for rule in CATALOGUE.values() if not mutant or rule.area == area]
        execution = Execution(name, area, scenario, trace)
        execution.findings, execution.raised = judged(execution, rules)
        lines.setdefault(digest, msgspec.json.encode(execution))
    return name, area, list(lines.items())


def _anonymous(trace: Trace) -> Trace:
    return msgspec.structs.replace(trace, implementation="", version="")


def _traces(under_test: Subject, scenarios: Iterable[Scenario]) -> Iterator[tuple[Scenario, Trace]]:
    broken = 0
    for scenario in scenarios:
        if can_perform(scenario, under_test.capabilities) and broken < GIVE_UP:
            trace = performed(scenario, under_test, STEP_TIMEOUT)
            if trace.broken is None:
                yield scenario, trace
            else:
                broken += 1


def judged(execution: Execution, rules: Iterable[Rule]) -> tuple[dict[str, Found], list[str]]:
    """What rules find in an execution; and which of them raised."""
    view = ExecutionView(execution.scenario, execution.trace)
    findings: dict[str, Found] = {}
    raised: list[str] = []
    for rule in rules:
        if rule.missing(execution.trace.capabilities, execution.trace.policies):
            continue
        try:
            found = sorted((finding.at, finding.holds) for finding in rule.findings(view))
        except Exception:
            raised.append(rule.id)
            continue
        if found:
            findings[rule.id] = found
    return findings, raised


def compare(folder: Path, ids: Sequence[str], area: Area | None, show: int) -> int:
    """Judge what is stored again."""
    differing: dict[str, list[str]] = {}
    compared: Counter[str] = Counter()
    with _pool() as pool:
        slices = [(folder / f"{each}.jsonl.gz", tuple(ids), part) for each in AREAS if area in (None, each) for part in range(JOBS)]
        for counts, differences in pool.map(_compared, slices):
            compared += counts
            for rule, shown in differences:
                differing.setdefault(rule, []).append(shown)
    for rule in sorted(differing):
        print(f"{rule}: {len(differing[rule])} executions differ")
        print("\n".join(differing[rule][:show]))
    print(f"{compared['executions']} executions, {compared['findings']} findings; {len(differing)} of {len(ids)} rules differ")
    return 1 if differing else 0


JOBS = 2
"""Into so many parts the executions of an area are cut."""


def _compared(slice: tuple[Path, tuple[str, ...], int]) -> tuple[Counter[str], list[tuple[str, str]]]:
    path, ids, part = slice
    rules = {id: CATALOGUE[id] for id in ids}
    counts: Counter[str] = Counter()
    differences: list[tuple[str, str]] = []
    decoder = msgspec.json.Decoder(Execution)
    with gzip.open(path, "rb") as file:
        for number, line in enumerate(file):
            if number % JOBS != part:
                continue
            execution = decoder.decode(line)
            own = not execution.by.startswith("mutant ")
            judging = [rule for rule in rules.values() if own or rule.area == execution.area]
            findings, raised = judged(execution, judging)
            counts["executions"] += 1
            counts["findings"] += sum(len(found) for found in findings.values())
            for rule in judging:
                before, now = _said(rule, execution.findings, execution.raised), _said(rule, findings, raised)
                if before != now and (rule.area == execution.area or _worse(before, now)):
                    differences.append((rule.id, _shown(path, number, execution, before, now)))
    return counts, differences


def _said(rule: Rule, findings: dict[str, Found], raised: list[str]) -> Found | None:
    return None if rule.id in raised else findings.get(rule.id, [])


def _worse(before: Found | None, now: Found | None) -> bool:
    if now is None:
        return before is not None
    return {at for at, holds in now if not holds} > {at for at, holds in before or () if not holds}


def _shown(path: Path, number: int, execution: Execution, before: Found | None, now: Found | None) -> str:
    what = f"  {path.name}:{number + 1} {execution.by}, {execution.scenario.title or 'a generated scenario'}"
    gone = sorted((Counter(before or ()) - Counter(now or ())).elements())
    new = sorted((Counter(now or ()) - Counter(before or ())).elements())
    raises = " now it raises" if now is None else ""
    return f"{what}\n    {msgspec.json.encode(execution.scenario).decode()}\n    no longer: {gone}, new: {new}{raises}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
