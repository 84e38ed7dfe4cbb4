"""What the design draws in one direction stays in one direction, and what nobody shares stays inside what uses it."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest

import conformance

PACKAGE = Path(conformance.__file__).parent
ORDER = (
    "vocabulary",
    "errors",
    "json_errors",
    "trace",
    "scenario",
    "strategies",
    "world",
    "implementation",
    "adapter",
    "rules",
    "matrix",
    "reference",
    "adapters",
    "harness",
    "judging",
    "mutants",
    "report",
    "suite",
    "plugin",
    "cli",
    "__main__",
)
"""The folders and modules of the package; each imports only from those before it."""

STRANGERS = {
    "strategies": {"trace", "world", "implementation"},
    "rules": {"world", "implementation", "adapter", "adapters", "reference", "harness", "strategies"},
    "matrix": {"rules", "trace", "world"},
    "reference": {"rules", "matrix", "adapters", "adapter"},
    "adapters": set(ORDER) - {"adapter", "adapters"},
    "harness": {"reference", "adapters", "matrix", "strategies"},
    "report": {"mutants", "reference", "adapters", "strategies", "world", "harness"},
}
"""Neighbours that must not know each other although the order would let them."""

NOUNS = {
    "harness.blame": "whose code an exception came from",
    "harness.event_loop": "the event loop that sees when nothing is left to do",
    "harness.handles": "the threads, agents and workflows of one performance",
    "harness.performers.interpreter": "an implementation in another Python environment",
    "harness.performers.process": "a process at the other end of a pipe",
    "harness.recorder": "what the harness writes down of a run",
    "harness.serialization": "data of threads: whether it is plain, stays what it is, and how it is damaged",
    "implementation.methods": "whether methods fit the protocol and what is declared",
    "matrix.conflict_switches": "the combinations of the conflict switches",
    "matrix.finishing_orders": "the orders in which participants finish",
    "rules.records": "the decision records that rules come from",
    "report.coverage": "what exercised each rule",
    "report.markdown": "the report as Markdown",
    "report.mutants": "what killed the mutants as Markdown",
    "report.replayed": "a replay as text",
    "report.scenario_text": "scenarios and events as a person reads them",
    "scenario.minimize": "smaller scenarios that still prove something",
    "scenario.validation": "the references within a scenario that must hold",
    "judging.baseline_change": "what a baseline gains and loses by what was found",
    "judging.comparison": "what is declared of a rule, compared with what was found",
    "suite.embedded": "pytest underneath the command",
    "world.network_guard": "no connection leaves loopback",
    "world.http.responses_output": "replies in the wire's words",
    "world.http.server": "the loopback server",
}
"""Modules that exactly one other imports, and the noun that each is. Modules of a list need no entry: see `listed`."""

MODULES = {
    ".".join(("conformance", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def imported(path: Path) -> set[str]:
    """Every module that a file imports: at run time, inside of functions, and for a type checker only."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}, line {node.lineno}: import by the whole name, `from conformance...`"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else str(node.module) for name in names}
    return found


def part(module: str) -> str:
    return module.removeprefix("conformance").removeprefix(".").partition(".")[0]


def listed(module: str) -> bool:
    """Whether a module is one of many alike, which one list names: rules, mutants, commands, adapters, patterns of strategies."""
    path = module.split(".")[1:]
    return path[0] in ("mutants", "cli", "adapters", "__main__", "plugin") or (path[0] in ("rules", "strategies") and len(path) > 2)


OURS = {module: {name for name in imported(path) if name.split(".")[0] == "conformance"} for module, path in MODULES.items()}


def test_every_folder_has_its_place_in_the_order():
    parts = {part(module) for module in MODULES} - {""}
    assert parts == set(ORDER), "; ".join(
        [f"{each} has no place in ORDER: add it after all that it imports" for each in sorted(parts - set(ORDER))]
        + [f"ORDER names {each}, which does not exist: take it out" for each in sorted(set(ORDER) - parts)]
    )


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"conformance"}))
def test_a_module_imports_nothing_to_its_right(module):
    here = ORDER.index(part(module))
    wrong = sorted(name for name in OURS[module] if part(name) and ORDER.index(part(name)) > here)
    assert not wrong, "; ".join(f"{module} may not import {name}: {part(name)} stands later in ORDER" for name in wrong)


@pytest.mark.parametrize("folder", STRANGERS)
def test_neighbours_that_must_not_know_each_other_do_not(folder):
    concerned = [module for module in MODULES if part(module) == folder]
    assert concerned
    for module in concerned:
        wrong = sorted(name for name in OURS[module] if part(name) in STRANGERS[folder])
        assert not wrong, f"{module} may not import {', '.join(wrong)}: strangers to {folder}, see STRANGERS"


def test_no_modules_import_each_other_in_a_circle():
    sorter = graphlib.TopologicalSorter({module: names & set(MODULES) for module, names in OURS.items()})
    circle: list[str] = []
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        circle = error.args[1]
    assert not circle, f"{' is imported by '.join(circle)}: move what they share to a module of its own"


def test_a_module_that_one_other_imports_is_a_noun_of_its_own():
    importers = {module: [other for other, names in OURS.items() if module in names] for module in MODULES}
    alone = {module for module, found in importers.items() if len(found) == 1 and not listed(module)}
    found = {module.removeprefix("conformance."): importers[module][0] for module in alone}
    assert set(found) == set(NOUNS), "; ".join(
        [
            f"only {found[each]} imports {each}: add it to NOUNS with its noun, or merge it into that"
            for each in found.keys() - NOUNS.keys()
        ]
        + [f"NOUNS names {each}, which not exactly one module imports: take it out" for each in NOUNS.keys() - found.keys()]
    )


def test_only_the_plugin_and_the_suite_know_pytest():
    knowing = {
        module for module, path in MODULES.items() if {name.split(".")[0] for name in imported(path)} & {"pytest", "_pytest"}
    }
    wrong = sorted(module for module in knowing if part(module) not in ("plugin", "suite"))
    assert not wrong, f"{', '.join(wrong)} may not import pytest: who only judges need not have it"
    assert {part(module) for module in knowing} == {"plugin", "suite"}


def test_the_plugin_module_imports_nothing_heavy():
    tree = ast.parse(MODULES["conformance.plugin"].read_text(encoding="utf-8"))
    at_once = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name)
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    light = {"__future__", "collections.abc", "pathlib", "pytest"}
    assert at_once == light, (
        f"import {', '.join(at_once - light)} inside of a function: every run of pytest loads conformance/plugin.py"
    )
