"""Looks of middleware and callbacks at a run's thread, before the run and after it (THR-35)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import kind_after, kind_before
from conformance.rules.preconditions import failed_after_an_answer, thread_run
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


@condition
def of_no_certain_kind(execution: ExecutionView, look: Look) -> bool:
    """The thread was created without a kind, and an earlier run waited for an answer and then failed: it may have fixed one."""
    adaptive = execution.scenario.kind_of(look.run.thread or "") == "adaptive"
    return adaptive and any(failed_after_an_answer(execution, other) for other in execution.earlier(look.run))


@condition
def shows_no_messages(execution: ExecutionView, look: Look) -> bool:
    """Nobody is shown the messages of the thread: neither who looks at it, nor who describes it."""
    described = execution.described(look.run.thread, before=look.at)
    return isinstance(look.event, Observed) and look.event.messages is None and described is not None and described.messages is None


def kind_then(execution: ExecutionView, look: Look) -> ThreadKind:
    """The kind of a run's thread when it is looked at."""
    return kind_before(execution, look.run) if look.event.moment == "before" else kind_after(execution, look.run)
