"""Rules on author-written workflows that complete more than once, or never: somebody has to say so."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.rules.answers import completing
from conformance.rules.case import Case
from conformance.rules.outputs import completed
from conformance.rules.plays import cut_off, direct, faulty
from conformance.rules.rule import Finding, finding, rule
from conformance.trace import Raised, Warned


@rule("ORC-07", needs=["workflows", "workflows.custom"])
def several_completions_are_detected(case: Case) -> Iterator[Finding]:
    """A custom workflow in which several executors complete is detected: a warning or an error names the executors.

    One after another, in the same superstep, or one of them twice.
    """
    for run, _, workflow in direct(case):
        names = completing(workflow) if workflow.pattern == "custom" else []
        if len(names) < 2 or run.ending == "waiting" or cut_off(run) or faulty(run):
            continue
        told = [(at, event.text) for at, event in run.events if isinstance(event, (Warned, Raised))]
        named = {name for name in names for _, text in told if name in text}
        failed_fast = run.raised is not None and len(named) > 1
        yield finding(
            named == set(names) or failed_fast,
            told[0][0] if told else run.events[-1][0],
            expected=f"a warning or an error that names {', '.join(dict.fromkeys(names))}",
            got=f"{len(told)} warnings and errors, which name {', '.join(sorted(named)) or 'none of them'}",
        )


@rule("ORC-08", level="SHOULD", needs=["workflows", "workflows.custom"])
def an_end_without_completion_is_reported(case: Case) -> Iterator[Finding]:
    """A custom workflow that ends without completing is reported: a warning, or an implementation-made completion."""
    for run, _, workflow in direct(case):
        if workflow.pattern != "custom" or completing(workflow) or not run.succeeded or faulty(run):
            continue
        reported = [at for at, _ in (*run.of(Warned), *completed(run))]
        yield finding(
            bool(reported),
            reported[0] if reported else run.events[-1][0],
            expected="a warning, or a run-completed output made by the implementation",
            got="an end that nobody can tell from a run that is still to be completed",
        )
