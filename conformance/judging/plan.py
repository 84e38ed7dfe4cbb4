"""What somebody asks to be judged: which implementations, by which rules, how hard, and what is known already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from conformance.errors import UsageError, known
from conformance.harness.performers.interpreter import subject_in
from conformance.implementation.loading import apart, own_baseline, resolve
from conformance.implementation.subject import Subject
from conformance.judging.baseline import Baseline, read
from conformance.judging.judge import Judge
from conformance.judging.search import PROFILES, ProfileName, profile
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.rule import Rule
from conformance.vocabulary import AREAS


def subject_of(text: str) -> Subject:
    """The implementation that a text names, `NAME@INTERPRETER` in another environment. Raises UsageError that says what to do."""
    name, interpreter = apart(text)
    return resolve(text) if interpreter is None else subject_in(interpreter, name, text)


@dataclass(frozen=True)
class Request:
    """implementations: as `subject_of` understands them. areas, rules: empty for all.

    baseline: a file for all of these implementations; where there is none, `own_baselines` says whether the built-in ones use
    theirs.
    """

    implementations: Sequence[str] = ("reference",)
    areas: Sequence[str] = ()
    rules: Sequence[str] = ()
    profile: str = "default"
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
        known([self.profile], PROFILES, "profile")
        rules, effort = self.selected(), profile(cast("ProfileName", self.profile))
        judges: list[Judge] = []
        for text in dict.fromkeys(self.implementations):
            judge = Judge(subject_of(text), rules, effort=effort, baseline=self._baseline(text))
            if judge.subject.label in (other.subject.label for other in judges):
                raise UsageError(f"two implementations are called {judge.subject.label!r}; give them names of their own")
            judges.append(judge)
        if not judges:
            raise UsageError("no implementation is named")
        return judges

    def _baseline(self, text: str) -> Baseline:
        file = self.baseline or (own_baseline(text) if self.own_baselines else None)
        return read(file, CATALOGUE) if file else Baseline()
