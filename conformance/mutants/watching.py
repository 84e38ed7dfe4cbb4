"""The reference, watched: it does what it does, and notes which points are called on the way, and which policies it asks for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial, wraps
from inspect import getattr_static
from types import FunctionType
from typing import Any, cast

from conformance.harness.execution import performed
from conformance.harness.runner import STEP_TIMEOUT
from conformance.implementation.subject import Subject
from conformance.mutants.difference import Point
from conformance.mutants.overrides import Arguments, Condition
from conformance.reference.implementation import Reference
from conformance.reference.parts import Parts
from conformance.reference.workflow import Workflow
from conformance.scenario.scenario import Scenario
from conformance.trace.trace import Trace
from conformance.vocabulary import Pattern, Policies


@dataclass(frozen=True)
class Seen:
    """A trace of the reference, the points that it called, and the policies that it asked for: another one of these is no other."""

    trace: Trace
    called: frozenset[Point]
    asked: frozenset[str]


class Watched:
    """A reference in which every method of a point looks at its calls first. points: all of them."""

    def __init__(self, points: Collection[Point]) -> None:
        self.points = frozenset(points)
        self._looking = False
        self._called: set[Point] = set()
        self._asked: set[str] = set()
        self._methods: dict[tuple[type, bool], dict[str, list[Point]]] = {}
        for point in self.points:
            self._methods.setdefault((point.kind, point.of_run), {}).setdefault(point.name, []).append(point)
        self._left: list[tuple[list[Point], list[Point]]] = []
        parts = {part.name: self._watch(getattr(Reference.parts, part.name)) for part in fields(Reference.parts)}
        members: dict[str, Any] = {
            "__init__": self._made,
            "agent_type": self._watch(Reference.agent_type),
            "agent_wrapper": self._watch(Reference.agent_wrapper),
            "parts": Parts(**parts),
            "patterns": {pattern: self._watch_pattern(pattern) for pattern in Reference.patterns},
        }
        self._kind = cast("type[Reference]", type("Reference", (self._watch(Reference),), members))

    def performed(self, scenario: Scenario, reference: Subject) -> Seen:
        """What a reference does, and what it calls and asks for on the way."""
        self._called.clear()
        self._asked.clear()
        for every, left in self._left:
            left[:] = every
        arguments = cast("partial[Reference]", reference.origin).keywords
        trace = performed(scenario, replace(reference, origin=partial(self._kind, **arguments)), STEP_TIMEOUT)
        return Seen(trace, frozenset(self._called), frozenset(self._asked))

    @property
    def _made(self) -> Callable[..., None]:
        def made(reference: Reference, **arguments: Any) -> None:
            Reference.__init__(reference, **arguments)
            reference.conduct = cast("Policies", _Asking(reference.policies, self._asked))

        return made

    def _watch_pattern(self, pattern: Pattern) -> type[Workflow]:
        kind = Reference.patterns[pattern]
        run_type = self._watch(kind.run_type, self._methods.get((kind, True), {}))
        return cast("type[Workflow]", type(kind.__name__, (self._watch(kind),), {"run_type": run_type}))

    def _watch(self, kind: type[Any], methods: Mapping[str, list[Point]] | None = None) -> type[Any]:
        methods = self._methods.get((kind, False), {}) if methods is None else methods
        return type(kind.__name__, (kind,), {name: self._watched(kind, name, points) for name, points in methods.items()})

    def _watched(self, kind: type, name: str, points: list[Point]) -> Any:
        member = getattr_static(kind, name)
        method = cast("FunctionType", member.fget if isinstance(member, property) else member)
        left = list(points)
        self._left.append((points, left))
        given = Arguments(method)

        @wraps(method)
        def looking(*arguments: Any, **named: Any) -> Any:
            if left and not self._looking:
                self._look(left, lambda: given(*arguments, **named))
            return method(*arguments, **named)

        return property(looking) if isinstance(member, property) else looking

    def _look(self, left: list[Point], given: Callable[[], Mapping[str, Any]]) -> None:
        """Note those that this call is one of; what is called for that is not the reference's own doing."""
        self._looking = True
        try:
            arguments = given()
            met = [point for point in left if point.when is None or _counts(point.when, arguments)]
            self._called.update(met)
            left[:] = [point for point in left if point not in met]
        finally:
            self._looking = False


class _Asking:
    """Policies that note which of them somebody asks for."""

    def __init__(self, policies: Policies, asked: set[str]) -> None:
        self._policies = policies
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        self._asked.add(name)
        return getattr(self._policies, name)


def _counts(when: Condition, given: Mapping[str, Any]) -> bool:
    try:
        return when(given["self"], given)
    except Exception:  # it cannot be told: then it counts
        return True
