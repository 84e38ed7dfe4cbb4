"""Where a mutant can differ from the reference at all: the methods that it replaces, and whether a scenario calls any of them.

A mutant performs a scenario in which the reference calls none of these just as the reference does. Where it cannot be told what a
mutant replaces, nothing is concluded: it has to perform everything. What differs in some calls only is an override that is marked:
`where` gives its condition, `aside` says that it does nothing by itself, `pure` has it asked. A class that is made of others says
the same in a class method `differs`, by the names of methods.
"""

from __future__ import annotations

import threading
from abc import ABC
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cache, wraps
from inspect import getattr_static, signature
from types import FrameType, FunctionType
from typing import Any, Generic, TypeVar, cast

from conformance.implementation.subject import Subject, subject
from conformance.mutants.mutant import Mutant
from conformance.mutants.variation import Variation
from conformance.reference.implementation import Caller, Reference
from conformance.reference.workflow_run import WorkflowRun
from conformance.vocabulary import plain

Condition = Callable[[Any, Mapping[str, Any]], bool]
"""Whether a call is one of those in which a replaced method differs: of the object and the arguments that it is called with.

It is asked of the reference: what only a mutant notes is not there.
"""


@dataclass(frozen=True)
class Point:
    """A method of the reference. kind: the class of the object that it is called on; for a run, that of its workflow.

    when: the calls that count; None for all of them. of_run: it is called on a run.
    """

    kind: type
    name: str
    when: Condition | None = None
    of_run: bool = False


@classmethod
def nowhere(_cls: type) -> Mapping[str, Condition | None]:
    """The `differs` of a class that only notes something, for another one: by itself it does what the reference does."""
    return {}


_F = TypeVar("_F", bound=Callable[..., Any])


def where(when: Condition) -> Callable[[_F], _F]:
    """An override for some calls only: in all others the method that it overrides is called."""
    return lambda method: cast("_F", _Where(cast("FunctionType", method), when))


class _Where:
    def __init__(self, method: FunctionType, when: Condition) -> None:
        self._method = method
        self._when = when

    def __set_name__(self, owner: type[Any], name: str) -> None:
        names = signature(self._method)

        @wraps(self._method)
        def chosen(this: Any, *arguments: Any, **named: Any) -> Any:
            given = names.bind(this, *arguments, **named)
            given.apply_defaults()
            if self._when(this, given.arguments):
                return self._method(this, *arguments, **named)
            above = cast("Any", super)(owner, this)
            return getattr(above, name)(*arguments, **named)

        vars(chosen)["differs_where"] = self._when
        setattr(owner, name, chosen)


def aside(method: _F) -> _F:
    """An override that by itself does what the reference does: it notes something, or heeds what another one noted."""
    vars(method)["differs_where"] = None
    return method


def pure(method: _F) -> _F:
    """An override that does nothing but return something: it counts where that is something else.

    What it returns has to be all that matters: not whether it is the very same object.
    """
    vars(method)["differs_where"] = _Otherwise
    return method


@dataclass(frozen=True)
class _Otherwise:
    """Whether a method of ours returns something else than that of the reference."""

    ours: type[Any]
    kind: type[Any]
    name: str

    def __call__(self, this: object, given: Mapping[str, Any]) -> bool:
        """Ask both, ours on an object of its own that has all that this one has."""
        other: object = object.__new__(self.ours)
        vars(other).update(vars(this))
        arguments = {name: given[name] for name in _parameters(getattr(self.kind, self.name))}
        return _comparable(getattr(other, self.name)(**arguments)) != _comparable(getattr(this, self.name)(**arguments))


@cache
def _parameters(method: FunctionType) -> tuple[str, ...]:
    return tuple(signature(method).parameters)[1:]


def _comparable(returned: Any) -> Any:
    return list(cast("Sequence[Any]", returned)) if isinstance(returned, (list, tuple)) else returned


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
    if when is _Otherwise:
        yield replace(point, when=_Otherwise(ours, point.kind, point.name))
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


@contextmanager
def watching(asked: Collection[Point]) -> Generator[set[Point]]:
    """Which points are called in threads that begin while this is open: a performance is in one of its own."""
    found: set[Point] = set()
    left: dict[tuple[str, type, bool], list[Point]] = {}
    for point in asked:
        left.setdefault((point.name, point.kind, point.of_run), []).append(point)
    names = {point.name for point in asked}

    def look(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event != "call" or code.co_name not in names or code.co_varnames[:1] != ("self",):
            return
        arguments = frame.f_locals
        place = code.co_name, *_kind(arguments)
        met = [point for point in left.get(place, ()) if point.when is None or _counts(point.when, arguments)]
        if met:
            found.update(met)
            left[place] = [point for point in left[place] if point not in met]

    before = threading.gettrace()
    threading.settrace(look)  # not `setprofile`: that would look at every return too, and at every call of a built-in function
    try:
        yield found
    finally:
        threading.settrace(before)  # pyright: ignore[reportArgumentType]


def _kind(arguments: Mapping[str, Any]) -> tuple[type, bool]:
    this: object = arguments["self"]
    if not isinstance(this, WorkflowRun):
        return type(this), False
    workflow: object = vars(this).get("workflow", arguments.get("workflow"))  # `__init__` is called before it has one
    return type(workflow), True


def _counts(when: Condition, arguments: Mapping[str, Any]) -> bool:
    try:
        return when(arguments["self"], arguments)
    except Exception:  # an error here would end the watching: then it counts
        return True
