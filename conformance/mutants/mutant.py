"""What a mutant is: a small, deliberate fault in the reference that certain rules, and only those, have to catch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import ClassVar

from conformance.mutants.variation import Variation, variations
from conformance.rules.rule import Rule
from conformance.vocabulary import AREAS, Area, nearest


class Mutant(Variation):
    """A faulty reference. The docstring of the subclass says what is wrong with it.

    breaks: the rule that the fault is the first to break and the aspect in which it does, as `RULE/aspect`; the mutant stands in
    the module of that rule's section. imitates: the real bug, a URL of a public issue where there is one. expected: the rules that
    kill it, all of them.
    """

    name = "mutant"
    breaks: ClassVar[str] = ""
    imitates: ClassVar[str] = ""
    expected: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def fault(cls) -> str:
        """What is wrong with it: the first line of its docstring."""
        return (cls.__doc__ or "").strip().split("\n")[0]

    @classmethod
    def area(cls) -> Area:
        """The area that it is written for: a module, or a package of modules, of `conformance.mutants`; else the first."""
        path = cls.__module__.split(".")
        return min(AREAS, key=lambda area: path.index(area) if area in path else len(path))


def mutants() -> dict[str, type[Mutant]]:
    """Every mutant by its name, area by area, in the order in which they are written down."""
    return variations(Mutant, _modules())


def _modules() -> Iterator[ModuleType]:
    """The module of each area; where that is a package, the modules in it, by name."""
    for area in AREAS:
        module = import_module(f"conformance.mutants.{area}")
        yield module
        for inner in sorted(each.name for each in iter_modules(getattr(module, "__path__", ()))):
            yield import_module(f"{module.__name__}.{inner}")


def rules_of(ways: Iterable[str]) -> frozenset[str]:
    """The rules that are broken in these ways, each as `RULE/aspect`."""
    return frozenset(way.partition("/")[0] for way in ways)


def check(mutant: type[Mutant], rules: Collection[Rule]) -> None:
    """Check that a mutant says what it has to say. Raises ValueError."""
    said = {"imitates": mutant.imitates, "breaks": mutant.breaks, "expected": mutant.expected}
    for what, given in {"docstring": vars(mutant).get("__doc__"), **said}.items():
        if not given:
            raise ValueError(f"mutant {mutant.name!r} has no {what}")
    aspects = {rule.id: rule.aspects for rule in rules}
    for rule in mutant.expected:
        if rule not in aspects:
            raise ValueError(f"mutant {mutant.name!r} expects {rule!r}, which is no rule{nearest(rule, aspects)}")
    rule, _, aspect = mutant.breaks.partition("/")
    if rule not in mutant.expected or aspect not in aspects[rule]:
        known = ", ".join(f"{rule}/{aspect}" for rule in sorted(mutant.expected) for aspect in aspects[rule])
        raise ValueError(f"mutant {mutant.name!r} breaks {mutant.breaks!r}, expected one of: {known}")
