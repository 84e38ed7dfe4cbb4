"""A subject: an implementation under test, made ready to be created anew for every scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from conformance.implementation.protocol import AnyImplementation
from conformance.vocabulary import Capability, Policies


@dataclass(frozen=True)
class Subject:
    """label: its name in reports, with the arguments that it was given. create: a fresh instance.

    version, capabilities, policies: as a fresh instance declares them. asked: the words by which a command finds it.
    """

    label: str
    create: Callable[[], AnyImplementation]
    version: str = ""
    capabilities: frozenset[Capability] = field(default_factory=frozenset[Capability])
    policies: Policies = field(default_factory=Policies)
    asked: str = ""

    @property
    def name(self) -> str:
        """The implementation's own name, without arguments."""
        return self.label.partition("?")[0]


def subject(kind: type[AnyImplementation], arguments: Mapping[str, Any] | None = None) -> Subject:
    """The subject of a class. Raises whatever creating an instance raises."""
    create = partial(kind, **(arguments or {}))
    instance = create()
    given = "&".join(f"{key}={value}" for key, value in (arguments or {}).items())
    return Subject(
        label=instance.name + (f"?{given}" if given else ""),
        create=create,
        version=str(instance.version),
        capabilities=frozenset(instance.capabilities),
        policies=instance.policies,
    )
