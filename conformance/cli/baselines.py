"""The options of `agent-tck run` that change baselines."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.judging.plan import Request
    from conformance.judging.results import Results
    from conformance.judging.verdicts import Trouble


@dataclass(frozen=True)
class BaselineOptions:
    """update: new violations are accepted. prune: what is not so any more is taken out. files: the baseline of each."""

    update: bool
    prune: bool
    files: dict[str, Path]

    @classmethod
    def of(cls, arguments: argparse.Namespace, request: Request) -> BaselineOptions:
        """What is asked for, checked before anything is judged. Raises UsageError."""
        from conformance.errors import UsageError
        from conformance.implementation.loading import own_baseline
        from conformance.judging.baseline_change import HEAD

        made = cls(arguments.baseline_update, arguments.baseline_prune, {})
        if not (made.update or made.prune):
            return made
        option = "--baseline-update" if made.update else "--baseline-prune"
        if os.environ.get("CI") and made.update:
            raise UsageError(f"{option}: nothing is accepted where CI is set; run it at your desk, and commit what it writes")
        if arguments.no_baseline or request.effort.corpus is not None:
            raise UsageError(f"{option} needs the baseline and all frozen scenarios: leave out --no-baseline and the profile quick")
        for asked in request.implementations:
            file = request.baseline or own_baseline(asked)
            if file is None:
                raise UsageError(f"{option}: {asked} has no baseline of its own; name the file to write with --baseline FILE")
            if not file.exists() and made.update:
                file.write_text(f"# {HEAD}\n", encoding="utf-8")
            made.files[asked] = file
        return made

    def make(self, results: Results) -> Collection[Trouble]:
        """Change the files, and tell how; the troubles that are settled by it."""
        from conformance.judging.baseline_change import change
        from conformance.rules.catalogue import CATALOGUE

        shared = len(results.implementations) > len(set(self.files.values()))
        for found in results.implementations if self.files else ():
            told = change(self.files[found.asked], found, CATALOGUE, update=self.update, prune=self.prune, shared=shared)
            for line in told.lines():
                print(line)
        settled: list[Trouble] = ["violation"] if self.update else []
        return [*settled, "stale deviation"] if self.prune else settled
