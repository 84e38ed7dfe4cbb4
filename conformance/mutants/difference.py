"""Where a mutant can differ from the reference at all: the methods that it replaces, and whether a scenario calls any of them.

A mutant performs a scenario in which the reference calls none of these just as the reference does. Where it cannot be told what a
mutant replaces, nothing is concluded: it has to perform everything. What differs in some calls only is an override that is marked:
`where` gives its condition, `aside` says that it does nothing by itself, `pure` has it asked. A class that is made of others says
the same in a class method `differs`, by the names of methods.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from inspect import getattr_static
from types import FunctionType
from typing import Any, Generic, TypeVar

from conformance.implementation.subject import Subject, subject
from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import Condition, Otherwise
from conformance.mutants.variation import Variation
from conformance.reference.implementation import Caller, Reference
from conformance.vocabulary import plain


@dataclass(frozen=True)
class Point:
    """A method of the reference. kind: the class of the object that it is called on; for a run, that of its workflow.

    when: the calls that count; None for all of them. of_run: it is called on a run.
    """

    kind: type
    name: str
    when: Condition | None = None
    of_run: bool = False


class Doubt(Exception):
    """It cannot be told what a mutant replaces; the message says why."""


@cache
def points(mutant: type[Mutant]) -> frozenset[Point]:
    """The methods of the reference that a mutant replaces. Raises Doubt."""
    return frozenset(_points(mutant))


@cache
def stand_in(mutant: type[Mutant]) -> Subject:
    """The reference that declares what a mutant declares, and conducts itself so. Raises Doubt where there is none."""
    instance = mutant()
    in_steps = "history.incremental" in instance.capabilities
    arguments = {"history": "incremental" if in_steps else "modes", **plain(instance.policies)}
    parts = replace(mutant.parts, home=mutant.parts.incremental) if in_steps else mutant.parts
    expected = {**_made(Reference(**arguments)), "_built_of": parts, "caller": Caller}
    if {**_made(instance), "_built_of": vars(instance)["_built_of"], "caller": type(instance.caller)} != expected:
        raise Doubt(f"{mutant.name} is made otherwise than a reference")
    return subject(Reference, arguments)


def _made(instance: Reference) -> dict[str, Any]:
    return {**vars(instance), "capabilities": instance.capabilities, "policies": instance.policies}


def _points(mutant: type[Mutant]) -> Iterator[Point]:
    # how an instance is made does not matter where a reference stands in for it
    yield from _replaced(mutant, Reference, {"agent_type", "agent_wrapper", "patterns", "parts", "__init__", "name"})
    yield from _replaced(mutant.agent_type, Reference.agent_type)
    yield from _replaced(mutant.agent_wrapper, Reference.agent_wrapper)
    for part in fields(Reference.parts):
        yield from _replaced(getattr(mutant.parts, part.name), getattr(Reference.parts, part.name))
    if mutant.patterns.keys() != Reference.patterns.keys():
        raise Doubt(f"{mutant.name} has other patterns")
    for pattern, kind in Reference.patterns.items():
        yield from _replaced(mutant.patterns[pattern], kind, {"run_type"})
        yield from (replace(point, kind=kind, of_run=True) for point in _replaced(mutant.patterns[pattern].run_type, kind.run_type))


def _replaced(ours: type, kind: type, but: Collection[str] = ()) -> Iterator[Point]:
    """What a class replaces of the one that stood in its place. but: names that are looked at elsewhere."""
    own = ours.__mro__[: -len(kind.__mro__)]
    if ours.__mro__[len(own) :] != kind.__mro__:
        raise Doubt(f"{ours.__qualname__} is not {kind.__qualname__} with something in front")
    for each in own:
        if "differs" in vars(each):
            told: Mapping[str, Condition | None] = vars(each)["differs"].__get__(None, ours)()
            yield from (Point(kind, name, when) for name, when in told.items())
        elif each not in (Mutant, Variation):
            for name in set(_names(each, kind)).difference(but):
                if not (_is_method(vars(each)[name]) and _is_method(getattr_static(kind, name, None))):
                    raise Doubt(f"{each.__qualname__} replaces {name}, which is no method")
                yield from _marked(Point(kind, name), vars(each)[name], ours)


def _marked(point: Point, method: Any, ours: type) -> Iterator[Point]:
    """The calls of a method that count, as far as it is marked."""
    when = vars(method).get("differs_where", ...) if isinstance(method, FunctionType) else ...
    if when is Otherwise:
        yield replace(point, when=Otherwise(ours, point.kind, point.name))
    elif when is not None:
        yield point if when is ... else replace(point, when=when)


_T = TypeVar("_T")
_NOTHING = object()


class _Any(ABC, Generic[_T]):
    """Any class has what Python itself puts into this one, whichever version of Python it is."""

    annotated: _T


_OF_EVERY_CLASS = frozenset(vars(_Any))


def _names(each: type, kind: type) -> Iterator[str]:
    """What stands anew in a class. A name that the reference does not have is one that it never uses: only another method does."""
    for name in vars(each):
        if name not in _OF_EVERY_CLASS and (name.startswith("__") or getattr_static(kind, name, _NOTHING) is not _NOTHING):
            yield name


def _is_method(member: Any) -> bool:
    return isinstance(member.fget if isinstance(member, property) else member, FunctionType)
