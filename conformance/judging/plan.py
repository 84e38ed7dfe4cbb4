"""What somebody asks to be judged: which implementations, by which rules, how hard, and what is known already."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import SystemRandom
from typing import cast

from conformance import __version__
from conformance.errors import UsageError, known
from conformance.harness.performers.interpreter import subject_in
from conformance.implementation.loading import apart, own_baseline, resolve
from conformance.implementation.subject import Subject
from conformance.judging.baseline import Baseline, read
from conformance.judging.floor import Floor, floor
from conformance.judging.judge import Judge
from conformance.judging.material import shipped
from conformance.judging.results import Suite
from conformance.judging.search import PROFILES, Profile, ProfileName, profile
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.rule import Rule
from conformance.vocabulary import AREAS, Area


def subject_of(text: str) -> Subject:
    """The implementation that a text names, `NAME@INTERPRETER` in another environment. Raises UsageError that says what to do."""
    name, interpreter = apart(text)
    return resolve(text) if interpreter is None else subject_in(interpreter, name, text)


@dataclass(frozen=True)
class Request:
    """implementations: as `subject_of` understands them. areas, rules: empty for all.

    explore, seed: how many scenarios an area are drawn anew, instead of what the profile says, and from which seed: a number,
    `random`, or, where nothing is said, one that follows from the material. required: capabilities that must be declared, areas of
    which something must be exercised. baseline: a file for all of these implementations; where there is none, `own_baselines` says
    whether the built-in ones use theirs.
    """

    implementations: Sequence[str] = ("reference",)
    areas: Sequence[str] = ()
    rules: Sequence[str] = ()
    profile: str = "default"
    explore: int | None = None
    seed: str | None = None
    required: Sequence[str] = ()
    baseline: Path | None = None
    own_baselines: bool = True

    def selected(self) -> list[Rule]:
        """The rules that were asked for, in the order of the specification. Raises UsageError."""
        every = CATALOGUE
        known(self.areas, AREAS, "area")
        known(self.rules, every, "rule")
        chosen = [
            rule
            for rule in every.values()
            if (not self.areas or rule.area in self.areas) and (not self.rules or rule.id in self.rules)
        ]
        if not chosen:
            raise UsageError(f"no rule is left: {', '.join(self.rules)} and the area {', '.join(self.areas)} have none in common")
        return chosen

    def judges(self) -> list[Judge]:
        """A judge for each implementation, in the order in which they were named. Raises UsageError."""
        rules, effort = self.selected(), self.effort
        judges: list[Judge] = []
        for text in dict.fromkeys(self.implementations):
            judge = Judge(subject_of(text), rules, effort=effort, baseline=self._baseline(text))
            if judge.subject.label in (other.subject.label for other in judges):
                raise UsageError(f"two implementations are called {judge.subject.label!r}; give them names of their own")
            judges.append(judge)
        if not judges:
            raise UsageError("no implementation is named")
        return judges

    @cached_property
    def effort(self) -> Profile:
        """How much is tried. Raises UsageError."""
        known([self.profile], PROFILES, "profile")
        asked = profile(cast("ProfileName", self.profile))
        if self.explore is not None and self.explore < 0:
            raise UsageError(f"explore: got {self.explore}, expected a number of scenarios an area, 0 or more")
        explored = asked.explore if self.explore is None else self.explore
        return replace(asked, explore=explored, seed=self._seed() if explored else 0)

    def _seed(self) -> int:
        match self.seed:
            case None:
                return int(shipped().digest, 16) % 2**32
            case "random":
                return SystemRandom().getrandbits(32)
            case text if text.isdecimal():
                return int(text)
            case text:
                raise UsageError(f"seed: got {text!r}, expected a whole number or 'random'")

    def floor(self) -> Floor:
        """What has to be exercised at least: something of each area that is named, by itself, by a rule, or as required."""
        named: list[Area] = [
            area for area in AREAS if area in self.areas or any(CATALOGUE[rule].area == area for rule in self.rules)
        ]
        return floor(self.required, named)

    def suite(self) -> Suite:
        """What judges, how, and where, as results say it."""
        effort = self.effort
        return Suite(
            version=__version__,
            profile=effort.name,
            material=shipped().digest,
            explored=effort.explore,
            seed=effort.seed if effort.explore else None,
            python=platform.python_version(),
            platform=f"{platform.system()} {platform.machine()}",
            command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        )

    def _baseline(self, text: str) -> Baseline:
        file = self.baseline or (own_baseline(text) if self.own_baselines else None)
        return read(file, CATALOGUE) if file else Baseline()
