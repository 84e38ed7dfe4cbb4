"""One performance: a scenario with the trace that an implementation left, checked to be what a trace must be."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn
from unittest.mock import patch

import msgspec

from conformance.harness.runner import perform
from conformance.implementation.subject import Performer, Subject
from conformance.json_errors import flaw
from conformance.rules.execution_view import ExecutionView
from conformance.rules.rule import Finding, Rule
from conformance.scenario.scenario import Scenario
from conformance.trace.harness_events import Broke
from conformance.trace.trace import AnyEvent, Trace


@dataclass(frozen=True)
class Performed:
    """A scenario with its trace. name: of the fixture, or what else it is."""

    name: str
    scenario: Scenario
    trace: Trace

    @cached_property
    def view(self) -> ExecutionView:
        """As rules read it."""
        return ExecutionView(self.scenario, self.trace)


def performed(scenario: Scenario, subject: Subject, timeout: float) -> Trace:
    """The trace of a scenario. Never raises for what an implementation does."""
    if isinstance(subject.origin, Performer):
        return subject.origin.perform(scenario, timeout)
    with _staying():
        return sound(perform(scenario, subject.origin, timeout=timeout))


def violation(rule: Rule, performed: Performed, aspect: str) -> Finding | None:
    """The first violation of a rule in one aspect in one performance; None where it cannot judge, or itself fails."""
    if not rule.judges(performed.trace):
        return None
    try:
        return next((each for each in rule.examine(performed.view).violations if each.aspect == aspect), None)
    except Exception:
        return None


@contextmanager
def _staying() -> Generator[None]:
    """Make `os._exit` an ordinary exit: with 0 it would end the whole process as if the gate held."""
    leave, here = os._exit, os.getpid()

    def stay(status: int) -> NoReturn:
        if os.getpid() != here:  # a child process, which may end as it likes
            leave(status)
        raise SystemExit(f"os._exit({status})")

    with patch.object(os, "_exit", stay):
        yield


def sound(trace: Trace) -> Trace:
    """The trace as it reads from its JSON form: by value, and with nothing in it that the types do not allow.

    Where an adapter handed over something else, the events before that and a `broke` event that says what it was.
    """
    try:
        return msgspec.json.decode(msgspec.json.encode(trace), type=Trace)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        pass
    events: list[AnyEvent] = []
    step, run = 0, None
    for event in trace.events:
        step, run = event.step, event.run
        wrong = flaw(event)
        if wrong is not None:
            text = f"malformed {type(event).__struct_config__.tag} event: {wrong}"
            events.append(Broke(step=step, run=run, cause="malformed", text=text, blame="adapter"))
            break
        events.append(event)
    else:
        events.append(
            Broke(
                step=step,
                run=run,
                cause="malformed",
                text="what the implementation declares of itself is malformed",
                blame="adapter",
            )
        )
        return Trace(implementation=str(trace.implementation), events=tuple(events))
    return msgspec.structs.replace(trace, events=tuple(events))
