"""Finding the implementation that somebody names: a built-in one, or `package.module:Name`, each with `?key=value&…` arguments."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from dataclasses import dataclass, replace
from importlib import util
from pathlib import Path
from typing import Any, cast, get_args, get_type_hints
from urllib.parse import parse_qsl

import msgspec

from conformance.errors import UsageError
from conformance.implementation.imports import named, shown
from conformance.implementation.methods import check_declared, check_methods
from conformance.implementation.protocol import AnyImplementation, Choice, Implementation
from conformance.implementation.subject import Subject, subject
from conformance.json_errors import misfit
from conformance.vocabulary import CAPABILITIES, EITHER_MODE, Capability, Policies, nearest

BASELINES = Path(__file__).parent.parent / "adapters" / "baselines"


@dataclass(frozen=True)
class BuiltIn:
    """An implementation that comes with the suite. framework: what must be installed for it; extra: what installs it."""

    path: str
    framework: str | None = None
    extra: str | None = None


BUILT_IN: dict[str, BuiltIn] = {
    "reference": BuiltIn("conformance.reference.implementation:Reference"),
    "agent-framework": BuiltIn("conformance.adapters.agent_framework.adapter:AgentFramework", "agent_framework", "agent-framework"),
    "agent-framework-openai": BuiltIn(
        "conformance.adapters.agent_framework.openai:AgentFrameworkOpenAI", "agent_framework.openai", "agent-framework"
    ),
}


def resolve(text: str) -> Subject:
    """The implementation that a text names, created once to see that it can be. Raises UsageError that says what to do."""
    path, _, query = text.partition("?")
    built_in = BUILT_IN.get(path)
    if built_in is not None:
        _check_installed(path, built_in)
    elif ":" not in path:
        raise UsageError(
            f"there is no built-in implementation {path!r}{nearest(path, BUILT_IN)} (your own is named package.module:Name)"
        )
    kind = _class(built_in.path if built_in else path)
    return _created(text, kind, _arguments(text, query))


def apart(text: str) -> tuple[str, str | None]:
    """What `NAME@INTERPRETER?key=value` says: `NAME?key=value`, and the interpreter, where one is named."""
    head, mark, query = text.partition("?")
    name, at, interpreter = head.partition("@")
    return name + mark + query, interpreter if at else None


def own_baseline(text: str) -> Path | None:
    """The baseline that a built-in implementation brings. Deviations of one set of arguments say nothing of another."""
    name, _ = apart(text)
    file = BASELINES / f"{name}.toml"
    return file if name in BUILT_IN and file.is_file() else None


def _check_installed(name: str, built_in: BuiltIn) -> None:
    if built_in.framework is None:
        return
    try:
        found = util.find_spec(built_in.framework) is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        install = f"pip install 'agent-tck[{built_in.extra}]'"
        raise UsageError(f"{name} needs the module {built_in.framework}, which is not installed; install it with: {install}")


def _class(path: str) -> type[AnyImplementation]:
    found: object = named(path, lambda value: isinstance(value, type), what="classes")
    if not (isinstance(found, type) and issubclass(found, Implementation)):
        raise UsageError(f"{path}: got {found!r}, expected a subclass of conformance.adapter.Implementation")
    kind = cast("type[AnyImplementation]", found)
    if inspect.isabstract(kind):
        missing = ", ".join(sorted(kind.__abstractmethods__))
        raise UsageError(f"{path}: not all methods of an implementation are there; write: {missing}")
    check_methods(path, kind)
    return kind


def _arguments(text: str, query: str) -> dict[str, str]:
    if not query:
        return {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise UsageError(f"{text}: got arguments {query!r}, expected key=value&key=value") from None
    keys = [key for key, _ in pairs]
    repeated = next((key for key in keys if keys.count(key) > 1), None)
    if repeated is not None:
        raise UsageError(f"{text}: the argument {repeated!r} is given {keys.count(repeated)} times, expected once")
    return dict(pairs)


def _check_arguments(text: str, kind: type[AnyImplementation], arguments: dict[str, str]) -> None:
    parameters = list(inspect.signature(kind).parameters.values())
    legal = [each.name for each in parameters]
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return
    for key in arguments:
        if key not in legal:
            raise UsageError(f"{text}: there is no argument {key!r}{nearest(key, legal) if legal else '; there is none'}")


def _created(text: str, kind: type[AnyImplementation], arguments: dict[str, str]) -> Subject:
    name: Any = getattr(kind, "name", None)
    if not isinstance(name, str) or not name:
        raise UsageError(f'{text}: the class has no name; give it one, as it shall stand in reports: name = "my-agents"')
    if isinstance(kind.capabilities, str):
        raise UsageError(f"{text}: its capabilities are {kind.capabilities!r}, expected a set of texts")
    _check_arguments(text, kind, arguments)
    try:
        found = subject(kind, arguments)
    except UsageError as error:  # what an argument names
        raise UsageError(f"{text}: {error}") from error
    except msgspec.ValidationError as error:  # policies given as arguments
        raise UsageError(f"{text}: {misfit(arguments, Policies, path='arguments') or error}") from error
    except (Exception, SystemExit) as error:
        given = f" with {arguments}" if arguments else ""
        raise UsageError(f"{text}: creating it{given} raised {shown(error)}") from error
    if not isinstance(cast("object", found.version), str):
        raise UsageError(f"{text}: its version is {found.version!r}, expected a text")
    for capability in found.capabilities:
        if capability not in CAPABILITIES:
            raise UsageError(
                f"{text}: it declares the capability {capability!r}, which does not exist{nearest(str(capability), CAPABILITIES)}"
            )
    _check_timing(text, found.capabilities)
    _check_policies(text, found.policies)
    _check_choices(text, found.choices)
    check_declared(text, kind, found.capabilities)
    return replace(found, asked=text)


def _check_timing(text: str, capabilities: Collection[Capability]) -> None:
    modes = [mode for mode in EITHER_MODE.capabilities if mode in capabilities]
    if modes and "history.incremental" in capabilities:
        raise UsageError(
            f"{text}: it declares 'history.incremental' and {' and '.join(map(repr, modes))}; declare the first only for a history "
            f"that is kept neither per run nor per service call, and without {'these' if modes[1:] else 'that'}"
        )


def _check_choices(text: str, choices: Collection[object]) -> None:
    for choice in choices:
        if not isinstance(choice, Choice):
            raise UsageError(f"{text}: among its choices is {choice!r}, expected a conformance.adapter.Choice")


def _check_policies(text: str, policies: object) -> None:
    if not isinstance(policies, Policies):
        raise UsageError(f"{text}: its policies are {policies!r}, expected a conformance.vocabulary.Policies")
    for name, hint in get_type_hints(Policies).items():
        legal = [str(word) for choice in get_args(hint) for word in get_args(choice)]
        value: object = getattr(policies, name)
        if value is not None and value not in legal:
            raise UsageError(f"{text}: it declares the policy {name}={value!r}{nearest(str(value), legal)}")
