"""Runs in which something failed: where, what context providers are told of it, and how a run goes on without its history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import stored_after, stored_by, timing_of
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


@condition
def a_tool_raised(_: ExecutionView, run: RunView) -> bool:
    """A tool raised in the run."""
    return bool(run.own(ToolRaised))


@condition
def returned_or_failed_there(_: ExecutionView, run: RunView) -> bool:
    """The run came to its own end, or raised in the part in which the tool did."""
    return run.succeeded or failed_with_a_tool(run) is not None


@dataclass(frozen=True)
class FailedPart:
    """A part of a run that raised: all of it, or what followed an answer that it had waited for.

    failed_at: where what it raises of happened, else where it raised. reasons: what an error may say.
    """

    run: RunView
    step: int
    failed_at: int
    reasons: tuple[str, ...]

    @property
    def begins(self) -> bool:
        """Whether the run began with it."""
        return self.step == self.run.trace.events[self.run.at].step

    @property
    def places(self) -> list[int]:
        """Its service calls, by their places among those of the run."""
        return [place for place, view in enumerate(self.run.calls) if view.request.step == self.step]

    @property
    def stored_afterwards(self) -> list[int]:
        """Where something was appended after it had failed."""
        return [at for at, event in self.run.stored if event.step == self.step and at > self.failed_at]


@dataclass(frozen=True)
class ProviderOfAFailedRun:
    """A context provider that was asked in a part of a run that raised. told: of which failures it was told in that part."""

    part: FailedPart
    provider: str
    told: tuple[tuple[int, ContextInvoked], ...]

    @property
    def run(self) -> RunView:
        """The run."""
        return self.part.run


@selection
def provider_of_a_failed_run(execution: ExecutionView) -> Iterator[ProviderOfAFailedRun]:
    """A context provider that was asked in the part of a run that raised."""
    for run, _, agent in execution.agent_runs():
        for at, error in run.of(Raised):
            part = _failed_part(run, at, error)
            asked = {event.provider for _, event in run.own(ContextInvoking) if event.step == part.step}
            yield from (_told(part, provider) for provider in agent.provider_ids if provider in asked)


_Trouble = ServiceFailed | HistoryFailed | ToolRaised
_KINDS: Mapping[str, type[_Trouble]] = {"service": ServiceFailed, "provider": HistoryFailed, "tool": ToolRaised}
"""What happened where an error of a kind is raised."""


def _failed_part(run: RunView, raised_at: int, error: Raised) -> FailedPart:
    troubles: list[tuple[int, _Trouble]] = [*run.own(ServiceFailed), *run.own(HistoryFailed), *run.own(ToolRaised)]
    mine = [(at, event) for at, event in troubles if event.step == error.step and at < raised_at]
    causes = [at for at, event in mine if event.text in error.text or type(event) is _KINDS.get(error.kind)]
    return FailedPart(run, error.step, max(causes, default=raised_at), (*(event.text for _, event in mine), error.text))


def _told(part: FailedPart, provider: str) -> ProviderOfAFailedRun:
    ends = [(at, event) for at, event in part.run.own(ContextInvoked) if (event.step, event.provider) == (part.step, provider)]
    return ProviderOfAFailedRun(part, provider, tuple(end for end in ends if end[1].error is not None))


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
    if not any(reason in error for reason in provider.part.reasons):
        return "another error"
    return "" if _is_request(provider.part, said[0]) else "other messages"


def _is_request(part: FailedPart, said: list[Part]) -> bool:
    """Whether messages are those of a request of this part of the run, its first or its last, and none of its replies."""
    run, places = part.run, part.places
    answers = [run.calls[place].reply for place in places]
    replies = set(parts([reply.message for reply in answers if reply is not None]))
    first = run.inputs if part.begins else []
    last = run.new_in(places[-1]) if places else first
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


def failed_with_a_tool(run: RunView) -> int | None:
    """The step in which a tool of the run raised, and the run too."""
    raised = {event.step for _, event in run.of(Raised)}
    return next((event.step for _, event in run.own(ToolRaised) if event.step in raised), None)


def whole_beside_a_tools_error(run: RunView) -> list[list[Part]]:
    """What may be stored of a run in which a tool raised."""
    failed = failed_with_a_tool(run)
    if failed is None or run.succeeded:
        return [run.happened()]
    if timing_of(run) == "per call":
        return [stored_after(run)]
    if timing_of(run) == "incremental":
        return [stored_by(run, run.events[-1][0] + 1)]
    before = run.until(next(at for at, event in run.events if event.step == failed))
    return [before.happened(trailing=each) for each in (False, True)] if before.calls else [[]]
