"""Runs in which something failed: where, what context providers are told of it, and how a run goes on without its history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.run_view import RunView
from conformance.trace.adapter_events import Raised, RunReturned
from conformance.trace.harness_events import (
    ContextInvoked,
    ContextInvoking,
    HistoryFailed,
    ServiceCalled,
    ServiceFailed,
    ToolRaised,
)
from conformance.trace.messages import Part, parts


@condition
def failed_or_cancelled(_: ExecutionView, run: RunView) -> bool:
    """A service call of the run failed, or its caller cancelled it after one."""
    return bool(failures(run))


Trouble = ServiceFailed | HistoryFailed | ToolRaised | Raised
"""What an error may be about."""


@dataclass(frozen=True)
class ProviderOfAFailedRun:
    """A context provider that was asked in the part of a run that raised.

    failed_at: where the run failed. reasons: what an error may say. told: of which failures the provider was told in that part.
    """

    run: RunView
    provider: str
    failed_at: int
    reasons: tuple[str, ...]
    told: tuple[tuple[int, ContextInvoked], ...]


@selection
def provider_of_a_failed_run(execution: ExecutionView) -> Iterator[ProviderOfAFailedRun]:
    """A context provider that was asked in the part of a run that raised."""
    for run, _, agent in execution.agent_runs():
        if run.raised is not None:
            asked = {event.provider for _, event in run.own(ContextInvoking) if event.step == run.events[-1][1].step}
            troubles = [*run.own(ServiceFailed), *run.own(HistoryFailed), *run.own(ToolRaised), run.raised]
            yield from (_told(run, provider, troubles) for provider in agent.provider_ids if provider in asked)


def _told(run: RunView, provider: str, troubles: Sequence[tuple[int, Trouble]]) -> ProviderOfAFailedRun:
    step = run.events[-1][1].step
    ends = [(at, event) for at, event in run.own(ContextInvoked) if event.step == step and event.provider == provider]
    failed_at = max((at for at, event in troubles if event.step == step), default=run.events[-1][0])
    reasons = tuple(event.text for _, event in troubles)
    return ProviderOfAFailedRun(run, provider, failed_at, reasons, tuple(end for end in ends if end[1].error is not None))


@dataclass(frozen=True)
class HistoryFailure:
    """A failure of a history provider in a run."""

    run: RunView
    at: int
    operation: str


@selection
def history_failure(execution: ExecutionView) -> Iterator[HistoryFailure]:
    """A failure of a history provider in a run on a thread."""
    for run, _, _ in execution.agent_runs():
        yield from (HistoryFailure(run, at, event.operation) for at, event in run.own(HistoryFailed))


def failures(run: RunView) -> list[int]:
    """Where service calls of the run failed, or its caller cancelled it after one."""
    failed = [at for at, _ in run.own(ServiceFailed)]
    return [*failed, run.events[-1][0]] if run.ending == "cancelled" and run.calls else failed


def kind_raised(run: RunView) -> str | None:
    """The kind of the error that the caller got."""
    return run.raised[1].kind if run.raised else None


def how_it_is_told(provider: ProviderOfAFailedRun, said: Sequence[list[Part]]) -> str:
    """The aspect in which a provider is told of a failure otherwise than it should be; empty where it is told well."""
    if len(said) != 1:
        return "told again" if said else "not told"
    error = provider.told[0][1].error or ""
    if not any(reason in error for reason in provider.reasons):
        return "another error"
    return "" if _is_request(provider.run, said[0]) else "other messages"


def _is_request(run: RunView, said: list[Part]) -> bool:
    """Whether messages are those of a request of the run, its first or its last, and none of its replies."""
    replies = {part for view in run.calls if view.reply for part in parts([view.reply.message])}
    first = [] if run.answered_requests else run.inputs
    last = run.new_in(len(run.calls) - 1) if run.calls else run.inputs
    whole = set(first) <= set(said) or set(last) <= set(said)
    return not replies & set(said) and whole and (bool(said) or not run.inputs)


def how_it_goes_on(failure: HistoryFailure) -> tuple[str, list[int]]:
    """The aspect in which a run goes on after its history provider failed, empty where it only raises that; and what follows."""
    run = failure.run
    called = [at for at, _ in run.own(ServiceCalled) if at > failure.at]
    appended = [at for at, _ in run.stored if at > failure.at]
    returned = [at for at, _ in run.of(RunReturned) if at > failure.at]
    aspect = _how_it_raises(run, returned) or ("service called" if called else "appended afterwards" if appended else "")
    return aspect, [*called, *appended, *returned]


def _how_it_raises(run: RunView, returned: Sequence[int]) -> str:
    left = run.ending == "abandoned"  # then there is nobody to raise to
    if returned or (run.raised is None and not left):
        return "not raised"
    return "" if left or kind_raised(run) == "provider" else "wrong kind of error"
