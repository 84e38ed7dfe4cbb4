"""What the kit and a process that performs scenarios say to each other: the methods, and the data of each.

| method | params | result |
| --- | --- | --- |
| `initialize` | `Initialize` | `Initialized` |
| `describe` | `Describe` | `Description` |
| `perform` | `Perform` | a `Trace` |

Requests come one at a time. The process ends where its standard input does.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import msgspec

import conformance
from conformance.implementation.protocol import Choice
from conformance.scenario.scenario import Scenario
from conformance.vocabulary import Capability, Policies

PROTOCOL = 1
"""Grows with every change of a message that an older side would misunderstand."""


class Kit(msgspec.Struct, frozen=True, kw_only=True):
    """An installed agent-tck. digest: of its code, which must be the same on both sides of a comparison."""

    version: str
    digest: str


class Initialize(msgspec.Struct, frozen=True, kw_only=True):
    """The first message. Its form and that of its result never change, so that any two versions understand it."""

    protocol: int = PROTOCOL


class Initialized(msgspec.Struct, frozen=True, kw_only=True):
    """What performs there. kit: None where that is no agent-tck."""

    protocol: int = PROTOCOL
    kit: Kit | None = None


class Describe(msgspec.Struct, frozen=True, kw_only=True):
    """Load an implementation, to be performed from now on. It is named as `loading.resolve` understands it.

    folders: of the project that asks, in which its own modules are found.
    """

    implementation: str
    folders: tuple[str, ...] = ()


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """An implementation as it declares itself. label: its name, with the arguments that it was given."""

    label: str
    version: str = ""
    capabilities: tuple[Capability, ...] = ()
    policies: Policies = Policies()
    choices: tuple[Choice, ...] = ()


class Perform(msgspec.Struct, frozen=True, kw_only=True):
    """Perform a scenario on a fresh instance. timeout: seconds that a step may take."""

    scenario: Scenario
    timeout: float


@cache
def kit() -> Kit:
    """This agent-tck."""
    folder = Path(conformance.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py"), key=lambda each: each.relative_to(folder).as_posix()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return Kit(version=conformance.__version__, digest=digest.hexdigest()[:16])
