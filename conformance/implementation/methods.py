"""Whether the methods of an implementation fit the protocol, and what it declares."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Collection, Iterator, Mapping
from itertools import chain

from conformance.errors import UsageError
from conformance.implementation.protocol import AnyImplementation, Implementation
from conformance.vocabulary import Capability

_ITERATED = ("stream", "stream_answer", "run_workflow", "answer_workflow")
_PLAIN = ("error_kind",)
_METHODS = {name: value for name, value in vars(Implementation).items() if inspect.isfunction(value) and not name.startswith("_")}
_AWAITED = tuple(name for name in _METHODS if name not in (*_ITERATED, *_PLAIN))

METHODS: Mapping[Capability, tuple[str, ...]] = {
    "clients.hosted_flag": ("supports_hosted",),
    "threads.with_id": ("continue_conversation",),
    "threads.serialize": ("serialize_thread", "restore_thread"),
    "runs.tamper": ("tamper",),
    "runs.streaming": ("stream",),
    "tools.approval": ("answer",),
    "workflows": ("create_workflow", "run_workflow"),
    "workflows.requests": ("answer_workflow",),
    "workflows.as_agent": ("workflow_as_agent",),
}
"""The optional methods, and the capability that makes the harness call each of them."""


def check_methods(path: str, kind: type[AnyImplementation]) -> None:
    """Refuse what would only look like a fault of the framework. Raises UsageError that says how a method has to be written."""
    wrong = next(_misfits(kind), None)
    if wrong is not None:
        raise UsageError(f"{path}: {wrong}")


def check_declared(path: str, kind: type[AnyImplementation], capabilities: Collection[Capability]) -> None:
    """Hold the declared capabilities against the methods that are there. Raises UsageError for the first that do not agree."""
    wrong = next(chain(_without_service(capabilities), _undeclared(kind, capabilities)), None)
    if wrong is not None:
        raise UsageError(f"{path}: {wrong}")


def _misfits(kind: type[AnyImplementation]) -> Iterator[str]:
    for name in _AWAITED:
        method = getattr(kind, name)
        if inspect.isasyncgenfunction(method) or not inspect.iscoroutinefunction(method):
            yield f"{name} is not a coroutine function; write: async def {name}"
    for name in _ITERATED:
        if inspect.iscoroutinefunction(getattr(kind, name)):
            yield f"{name} is a coroutine function; write an async generator: async def {name}, with yield"
    for name, method in _METHODS.items():
        if not _takes_the_same(getattr(kind, name), method):
            written = ", ".join(inspect.signature(getattr(kind, name)).parameters)
            expected = ", ".join(inspect.signature(method).parameters)
            yield f"{name} takes ({written}), expected ({expected})"
    yield from _mistyped(kind)
    if "{agent}" not in kind.handoff_tool:
        yield f"handoff_tool is {kind.handoff_tool!r}, expected a text with {{agent}} in it"


def _takes_the_same(written: object, method: object) -> bool:
    """Whether a method can be called as the harness calls the protocol's."""
    if not callable(written) or not callable(method):
        return False
    parameters = inspect.signature(method).parameters.values()
    given = [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY]
    named = {each.name: None for each in parameters if each.kind is each.KEYWORD_ONLY}
    try:
        inspect.signature(written).bind(*given, **named)
    except TypeError:
        return False
    return True


def _mistyped(kind: type[AnyImplementation]) -> Iterator[str]:
    """Methods that are nearly called like one of the protocol's that is not there: nobody would ever call them."""
    for name, value, absent in _written(kind):
        if name not in _METHODS and not name.startswith("_") and inspect.isfunction(value):
            near = difflib.get_close_matches(name, absent, n=1, cutoff=0.8)
            if near:
                yield f"there is no method {name!r}; did you mean {near[0]!r}? A helper of yours begins with an underscore"


def _undeclared(kind: type[AnyImplementation], capabilities: Collection[Capability]) -> Iterator[str]:
    if {"tools.approval", "runs.streaming"} <= set(capabilities) and not _own(kind, "stream_answer"):
        yield "it declares 'tools.approval' and 'runs.streaming', but has no method stream_answer; write it, or do not declare both"
    for capability, methods in METHODS.items():
        for name in methods:
            if capability in capabilities and not _own(kind, name):
                yield f"it declares the capability {capability!r}, but has no method {name}; write it, or do not declare that"
            if capability not in capabilities and name in _beside_the_declaration(kind):
                yield f"it has a method {name} without the capability {capability!r}; declare that, or take the method out"


def _without_service(capabilities: Collection[Capability]) -> Iterator[str]:
    """An implementation without any kind of chat service can be asked for nothing: every agent talks to one."""
    if not any(each.startswith("service.") for each in capabilities):
        yield "it declares no kind of chat service that its agents can talk to; declare at least 'service.stateless'"


def _beside_the_declaration(kind: type[AnyImplementation]) -> Collection[str]:
    """The methods of the class that declares the capabilities: a subclass may well declare less than it inherits."""
    declaring = next((each for each in kind.__mro__ if "capabilities" in vars(each)), kind)
    return () if declaring is Implementation else vars(declaring)


def _own(kind: type[AnyImplementation], name: str) -> bool:
    return getattr(kind, name) is not _METHODS[name]


def _written(kind: type[AnyImplementation]) -> Iterator[tuple[str, object, list[str]]]:
    """What each class up to the protocol defines, with the methods of the protocol that this class does not."""
    for each in kind.__mro__:
        if each is Implementation:
            return
        absent = [name for name in _METHODS if name not in vars(each)]
        yield from ((name, value, absent) for name, value in vars(each).items())
