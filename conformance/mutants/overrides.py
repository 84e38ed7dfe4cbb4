"""Overrides that say in which calls they differ from the method that they override.

The fault stands in such an override alone: its condition decides both whether it is called, and where a mutant can differ at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from inspect import signature
from types import FunctionType
from typing import Any, TypeVar, cast

Condition = Callable[[Any, Mapping[str, Any]], bool]
"""Whether a call is one of those in which a replaced method differs: of the object and the arguments that it is called with.

It is asked of the reference: what only a mutant notes is not there.
"""


@classmethod
def nowhere(_cls: type) -> Mapping[str, Condition | None]:
    """The `differs` of a class that only notes something, for another one: by itself it does what the reference does."""
    return {}


_F = TypeVar("_F", bound=Callable[..., Any])


def where(when: Condition) -> Callable[[_F], _F]:
    """An override for some calls only: in all others the method that it overrides is called."""
    return lambda method: cast("_F", _Where(cast("FunctionType", method), when))


class Arguments:
    """What a method is called with, by the names of its parameters, that it is called on among them."""

    def __init__(self, method: FunctionType) -> None:
        parameters = signature(method).parameters.values()
        self._names = tuple(each.name for each in parameters)
        self._defaults = {each.name: each.default for each in parameters if each.default is not each.empty}

    def __call__(self, *arguments: Any, **named: Any) -> Mapping[str, Any]:
        """Those of one call."""
        return {**self._defaults, **dict(zip(self._names, arguments, strict=False)), **named}


class _Where:
    def __init__(self, method: FunctionType, when: Condition) -> None:
        self._method = method
        self._when = when

    def __set_name__(self, owner: type[Any], name: str) -> None:
        given = Arguments(self._method)

        @wraps(self._method)
        def chosen(this: Any, *arguments: Any, **named: Any) -> Any:
            if self._when(this, given(this, *arguments, **named)):
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
    vars(method)["differs_where"] = Otherwise
    return method


@dataclass(frozen=True)
class Otherwise:
    """Whether a method of ours returns something else than that of the reference."""

    ours: type[Any]
    kind: type[Any]
    name: str

    def __call__(self, this: object, given: Mapping[str, Any]) -> bool:
        """Ask both, each on an object of its own that has all that this one has: what a method notes on it, it notes once."""
        arguments = {name: given[name] for name in _parameters(getattr(self.kind, self.name))}
        ours, theirs = (_comparable(getattr(_like(this, kind), self.name)(**arguments)) for kind in (self.ours, self.kind))
        return ours != theirs


def _like(this: object, kind: type[Any]) -> Any:
    other: object = object.__new__(kind)
    vars(other).update(vars(this))
    return other


@cache
def _parameters(method: FunctionType) -> tuple[str, ...]:
    return tuple(signature(method).parameters)[1:]


def _comparable(returned: Any) -> Any:
    return list(cast("Sequence[Any]", returned)) if isinstance(returned, (list, tuple)) else returned
