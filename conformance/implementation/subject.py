"""A subject: an implementation under test, made ready to be created anew for every scenario."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from conformance.implementation.protocol import AnyImplementation, Choice
from conformance.scenario.scenario import Scenario
from conformance.trace.trace import Trace
from conformance.vocabulary import Capability, Policies


class Performer(ABC):
    """What performs scenarios on an implementation that is not in this process. output: what that printed in the latest one."""

    output: str = ""

    @abstractmethod
    def perform(self, scenario: Scenario, timeout: float) -> Trace:
        """The trace of a scenario on a fresh instance. timeout: seconds that a step may take. Never raises."""


@dataclass(frozen=True)
class Subject:
    """label: its name in reports, with the arguments that it was given.

    origin: what creates a fresh instance in this process, or what performs scenarios on one elsewhere. asked: the words by which a
    command finds it. version, capabilities, policies, choices: as a fresh instance declares them.
    """

    label: str
    origin: Callable[[], AnyImplementation] | Performer
    version: str = ""
    capabilities: frozenset[Capability] = field(default_factory=frozenset[Capability])
    policies: Policies = field(default_factory=Policies)
    choices: tuple[Choice, ...] = ()
    asked: str = ""

    @property
    def name(self) -> str:
        """The implementation's own name, without arguments and without where it is performed."""
        return own_name(self.label)


def own_name(label: str) -> str:
    """The name in a label such as `my-agents@1.2?store_conflict=ignore`."""
    return label.partition("?")[0].partition("@")[0]


def subject(kind: type[AnyImplementation], arguments: Mapping[str, Any] | None = None) -> Subject:
    """The subject of a class. Raises whatever creating an instance raises."""
    create = partial(kind, **(arguments or {}))
    instance = create()
    given = "&".join(f"{key}={value}" for key, value in (arguments or {}).items())
    return Subject(
        label=instance.name + (f"?{given}" if given else ""),
        origin=create,
        version=str(instance.version),
        capabilities=frozenset(instance.capabilities),
        policies=instance.policies,
        choices=tuple(instance.choices),
    )
