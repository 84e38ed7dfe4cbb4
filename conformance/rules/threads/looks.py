"""Looks of middleware and callbacks at a run's thread, before the run and after it (THR-35)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import kind_after, kind_before
from conformance.rules.preconditions import thread_run
from conformance.rules.run_view import RunView
from conformance.trace.adapter_events import Observed
from conformance.trace.harness_events import Observing
from conformance.vocabulary import ThreadKind


@dataclass(frozen=True)
class Look:
    """Somebody begins to look at a run's thread, or has seen it; and where in the trace."""

    run: RunView
    at: int
    event: Observing | Observed


@selection
def begun_look(execution: ExecutionView) -> Iterator[Look]:
    """The beginning of a look at a run's thread."""
    for run in thread_run(execution):
        yield from (Look(run, at, event) for at, event in run.own(Observing))


@selection
def seen_thread(execution: ExecutionView) -> Iterator[Look]:
    """A run's thread as somebody saw it before or after the run."""
    for run in thread_run(execution):
        yield from (Look(run, at, event) for at, event in run.own(Observed) if event.moment != "within")


def of_look(*conditions: Condition[RunView]) -> list[Condition[Look]]:
    """The same conditions, asked of the run whose thread is looked at."""
    return [each.of(lambda look: look.run) for each in conditions]


@condition
def hosted_then(execution: ExecutionView, look: Look) -> bool:
    """The thread is hosted when it is looked at."""
    return kind_then(execution, look) == "hosted"


@condition
def local_then(execution: ExecutionView, look: Look) -> bool:
    """The thread is local when it is looked at."""
    return kind_then(execution, look) == "local"


def kind_then(execution: ExecutionView, look: Look) -> ThreadKind:
    """The kind of a run's thread when it is looked at."""
    return kind_before(execution, look.run) if look.event.moment == "before" else kind_after(execution, look.run)
