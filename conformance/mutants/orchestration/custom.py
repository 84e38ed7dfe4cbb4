"""Faults of author-written workflows: what their authors do wrong is not reported."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.reference.patterns import PATTERNS, Completion, Custom
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import Response


class SeveralCompletionsPassUnnoticed(Mutant):
    """An author-written workflow in which several executors complete goes without a warning."""

    imitates = "a flag that nothing checks"
    expected = frozenset({"ORC-07"})

    class _Custom(Custom):
        def settle(self, run: WorkflowRun, completions: Sequence[Completion]) -> Response | None:
            """Take the last one."""
            return completions[-1][1] if completions else None

    patterns = {**PATTERNS, "custom": _Custom}


class WarningNamesNobody(Mutant):
    """That several executors of an author-written workflow complete is warned of without a name."""

    imitates = "a warning that is of no help: nothing in it says where to look"
    expected = frozenset({"ORC-07"})

    class _Custom(Custom):
        def settle(self, run: WorkflowRun, completions: Sequence[Completion]) -> Response | None:
            """Take the last one, and warn."""
            if len(completions) > 1:
                warnings.warn("a workflow is completed several times in one run", stacklevel=2)
            return super().settle(run, completions[-1:])

    patterns = {**PATTERNS, "custom": _Custom}


class OneAfterAnotherUnnoticed(Mutant):
    """Several completions are noticed only where they come from one superstep."""

    imitates = "https://github.com/shanevcantwell/langgraph-agentic-scaffold/issues/142"
    expected = frozenset({"ORC-07"})

    class _Custom(Custom):
        def settle(self, run: WorkflowRun, completions: Sequence[Completion]) -> Response | None:
            """Look at the last superstep that completed alone."""
            last = next((stage for stage in self.spec.stages if completions and completions[-1][0] in stage), ())
            return super().settle(run, [(name, response) for name, response in completions if name in last])

    patterns = {**PATTERNS, "custom": _Custom}


class AgainUnnoticed(Mutant):
    """An executor of an author-written workflow that completes twice is counted once."""

    imitates = "completions that are counted by the names of their executors"
    expected = frozenset({"ORC-07"})

    class _Custom(Custom):
        def settle(self, run: WorkflowRun, completions: Sequence[Completion]) -> Response | None:
            """Keep one of each executor."""
            return super().settle(run, list(dict(completions).items()))

    patterns = {**PATTERNS, "custom": _Custom}


class EndsSilently(Mutant):
    """An author-written workflow that ends without completing is not reported."""

    imitates = "https://github.com/microsoft/agent-framework/issues/1730"
    expected = frozenset({"ORC-08"})

    class _Custom(Custom):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Complete where there is an answer."""
            if answer is not None:
                super().complete(run, answer)

    patterns = {**PATTERNS, "custom": _Custom}
