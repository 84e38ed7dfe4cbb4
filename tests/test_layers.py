"""Nothing on the left imports anything on the right: what the design draws in one direction stays in one direction."""

import ast
from pathlib import Path

import pytest

import conformance

PACKAGE = Path(conformance.__file__).parent
LAYERS = (
    ("", "vocabulary", "usage", "named", "data"),
    (
        "spec",
        "scenario",
        "cast",
        "misfit",
        "references",
        "scenario_file",
        "needs",
        "fixtures",
        "strategies",
        "cells",
        "switches",
        "orders",
    ),
    ("message", "evidence", "testimony", "trace", "exchange"),
    ("world",),
    ("implementation",),
    ("attempt", "damage", "archive"),
    ("witness", "ensemble"),
    ("stage", "reference", "adapters"),
    ("rules",),
    ("subject", "verdicts", "baseline", "search", "reduce"),
    ("performance", "registry"),
    ("tally", "outcomes", "both_ways", "survey"),
    ("breakage",),
    ("judge", "snapshots"),
    ("results", "request"),
    ("ledger", "mutants"),
    ("report",),
    ("suite", "plugin"),
    ("commands", "cli", "__main__"),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
MODULES = {
    ".".join(("conformance", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def imported(path: Path) -> set[str]:
    """Every module that a file imports at run time, also inside of functions; not what only a type checker sees."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unseen = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else str(node.module) for name in names}
    return found


def part(module: str) -> str:
    return module.removeprefix("conformance").removeprefix(".").partition(".")[0]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_nothing_to_its_right(module):
    ours = {name for name in imported(MODULES[module]) if name.split(".")[0] == "conformance"}
    assert not {name for name in ours if RANK[part(name)] > RANK[part(module)]}


@pytest.mark.parametrize(
    ("importers", "forbidden"),
    [
        ("rules", ("stage", "reference", "adapters", "implementation", "world")),
        ("adapters", ("rules", "stage", "reference")),
        ("reference", ("rules", "stage", "adapters")),
        ("stage", ("reference", "adapters")),
        ("strategies", ("trace", "world")),
    ],
)
def test_neighbours_that_must_not_know_each_other_do_not(importers, forbidden):
    concerned = [module for module in MODULES if part(module) == importers]
    assert concerned
    for module in concerned:
        assert not {name for name in imported(MODULES[module]) if part(name) in forbidden and name.startswith("conformance.")}


def test_only_the_plugin_and_the_suite_know_pytest():
    knowing = {
        module for module, path in MODULES.items() if {name.split(".")[0] for name in imported(path)} & {"pytest", "_pytest"}
    }
    assert {part(module) for module in knowing} == {"plugin", "suite"}


def test_the_plugin_module_imports_nothing_heavy():
    tree = ast.parse(MODULES["conformance.plugin"].read_text(encoding="utf-8"))
    at_once = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name)
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert at_once == {"__future__", "collections.abc", "pathlib", "pytest"}
