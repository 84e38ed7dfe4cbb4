"""The results file: what every rule says of every implementation, as data that other tools can read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from conformance.errors import UsageError
from conformance.implementation.protocol import Choice
from conformance.json_errors import misfit
from conformance.judging.floor import Shortfall
from conformance.judging.search import ProfileName
from conformance.judging.snapshots import Snapshots
from conformance.judging.unexpected import UnexpectedError
from conformance.judging.verdicts import BothWays, CellResult, RuleVerdict, Trouble
from conformance.vocabulary import Capability, Data, Policies

FORMAT = "conformance-results/2"


class Suite(Data, frozen=True, kw_only=True, omit_defaults=False):
    """The suite that judged, how much it tried, and where.

    material: the digest of everything frozen. explored: scenarios drawn anew, an area, with this seed. python, platform: of this
    process. command: as it was given.
    """

    name: Literal["agent-tck"] = "agent-tck"
    version: str
    profile: ProfileName = "default"
    material: str = ""
    explored: int = 0
    seed: int | None = None
    python: str = ""
    platform: str = ""
    command: str = ""


class ImplementationResults(Data, frozen=True, kw_only=True, omit_defaults=False):
    """One implementation: what it declares, and what every rule says of it. asked: the words by which a command finds it.

    choices: what its adapter does not leave to its framework.

    cells: what came of the configuration matrix, where the whole persistence area was asked for. both_ways: with the profile
    `thorough`. unexpected: the commonest errors that no neutral kind fits. shortfalls: what the gate asks for beside the rules and
    was not reached.
    """

    name: str
    asked: str = ""
    version: str = ""
    capabilities: tuple[Capability, ...] = ()
    policies: Policies = Policies()
    choices: tuple[Choice, ...] = ()
    rules: tuple[RuleVerdict, ...] = ()
    cells: tuple[CellResult, ...] = ()
    both_ways: BothWays | None = None
    snapshots: Snapshots | None = None
    unexpected: tuple[UnexpectedError, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()
    scenarios: int = 0
    seconds: float = 0.0

    def verdict(self, rule: str) -> RuleVerdict | None:
        """What a rule says of it; None where it was not asked."""
        return next((verdict for verdict in self.rules if verdict.rule == rule), None)


class Results(Data, frozen=True, kw_only=True, omit_defaults=False):
    """All results. complete: false while rules are still being judged, and for ever where that was cut short."""

    format: Literal["conformance-results/2"] = FORMAT
    complete: bool = False
    suite: Suite
    implementations: tuple[ImplementationResults, ...] = ()

    @property
    def verdicts(self) -> Iterable[RuleVerdict]:
        """Every verdict on every implementation."""
        return (verdict for implementation in self.implementations for verdict in implementation.rules)

    @property
    def troubles(self) -> Iterator[Trouble]:
        """Everything that breaks the gate."""
        for implementation in self.implementations:
            for verdict in implementation.rules:
                yield from verdict.troubles
            for cell in implementation.cells:
                if cell.trouble is not None:
                    yield cell.trouble
            for shortfall in implementation.shortfalls:
                yield shortfall.trouble


def write(results: Results, path: Path) -> None:
    """Replace the file as a whole: whoever reads it finds the old one or the new one."""
    text = json.dumps(msgspec.to_builtins(results), indent=1, ensure_ascii=False) + "\n"
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None


def read(path: Path) -> Results:
    """Read a results file strictly. Raises UsageError that names file and field."""
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"results {path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"results {path}: not JSON: {error}") from None
    try:
        return msgspec.convert(data, Results)
    except msgspec.ValidationError as error:
        raise UsageError(f"results {path}: {misfit(data, Results) or error}") from None
