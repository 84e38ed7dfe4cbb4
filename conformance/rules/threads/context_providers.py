"""Threads, context providers: whose state they get, when they are told of what, and where their messages go (THR-29 to THR-32)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView, states_after
from conformance.rules.preconditions import (
    bounded_history,
    called_the_service,
    contradicting,
    on_local_thread,
    resumed,
    thread_run,
    waiting,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.threads.kinds import Creation, agent_cannot_be_built, created_thread
from conformance.rules.wording import error, show
from conformance.trace.adapter_events import Raised, ThreadDescribed
from conformance.trace.harness_events import ContextInvoked, ContextInvoking
from conformance.trace.messages import Part

# --- what the rules of this section look at, and leave alone ---


@dataclass(frozen=True)
class ProviderCall:
    """A context provider of a run's agent was asked for messages, or told of the run's end; and where in the trace."""

    run: RunView
    at: int
    event: ContextInvoking | ContextInvoked


@selection
def asked_provider(execution: ExecutionView) -> Iterator[ProviderCall]:
    """A context provider that was asked for messages."""
    for run, _, _ in execution.agent_runs():
        yield from (ProviderCall(run, at, event) for at, event in run.own(ContextInvoking))


@selection
def told_provider(execution: ExecutionView) -> Iterator[ProviderCall]:
    """A context provider that was told of the end of a run, for the last time in it."""
    for run, _, _ in execution.agent_runs():
        last = {event.provider: (at, event) for at, event in run.own(ContextInvoked)}
        yield from (ProviderCall(run, at, event) for at, event in last.values())


def of_call(*conditions: Condition[RunView]) -> list[Condition[ProviderCall]]:
    """The same conditions, asked of the run in which a context provider was called."""
    return [each.of(lambda call: call.run) for each in conditions]


@condition
def left_state_before(execution: ExecutionView, call: ProviderCall) -> bool:
    """The provider left state on the thread before: in an earlier run, or before this one waited for an answer."""
    return bool(_told_before(execution, call))


@condition
def with_providers(_: ExecutionView, run: RunView) -> bool:
    """The agent has context providers."""
    return bool(run.agent.context)


@condition
def with_several_providers(_: ExecutionView, run: RunView) -> bool:
    """The agent has several context providers."""
    return len(run.agent.context) > 1


@condition
def was_given_messages(execution: ExecutionView, run: RunView) -> bool:
    """A context provider answered with messages when it was asked."""
    return bool(_added(execution, run))


@condition
def declared_to_be_stored(execution: ExecutionView, _: RunView) -> bool:
    """The implementation declares that it stores what context providers add."""
    return execution.policies.injected_messages == "stored"


# --- the rules ---


@clause(each=told_provider)
def state_goes_through_a_run(_: ExecutionView, call: ProviderCall) -> Iterator[Finding]:
    """Within a run a context provider goes on with the state that it had when it was asked."""
    asked = {event.provider: event.state for _, event in call.run.own(ContextInvoking)}
    before, left = _runs(asked.get(call.event.provider)), _runs(call.event.state)
    expected = f"in one run the state that {call.event.provider!r} had when it was asked: {before} runs, and then this one"
    yield finding(left > before, call.at, "lost within the run", expected=expected, got=f"{left} runs")


@clause(each=told_provider)
def state_is_shown(execution: ExecutionView, call: ProviderCall) -> Iterator[Finding]:
    """After a run the thread shows what a context provider left, under its id."""
    id, left = call.event.provider, call.event.state
    expected = f"on thread {call.run.thread!r}, under the id {id!r}: {left}"
    # a run that waited for an answer ends in the step that gives it
    states = [state for _, state in execution.of(ThreadDescribed) if state.step == call.event.step]
    for state in [state for state in states if state.thread == call.run.thread][-1:]:
        shown = _runs(state.context.get(id)) >= _runs(left)
        yield finding(shown, call.at, "not on the thread", expected=expected, got=f"{state.context}")


@rule(
    "THR-29",
    needs=["threads.context_state"],
    each=asked_provider,
    when=[left_state_before],
    also=[state_goes_through_a_run, state_is_shown],
    aspects=["lost between runs", "lost in the data", "lost within the run", "not on the thread"],
)
def context_state_lives_on_the_thread(execution: ExecutionView, call: ProviderCall) -> Iterator[Finding]:
    """A context provider's state lives on the thread under the provider's id, whatever the kind, and survives a round trip.

    What a provider left is shown by the thread and handed to it in the next run. State that has seen too much is another thread's
    (THR-25) or another provider's (THR-30).
    """
    last, told = _told_before(execution, call)[-1]
    left, got = _runs(told.state), _runs(call.event.state)
    yield finding(
        got >= left,
        call.at,
        "lost between runs" if last.thread == call.run.thread else "lost in the data",
        expected=f"state of provider {call.event.provider!r} on thread {call.run.thread!r} that has seen {left} runs",
        got=f"{got} runs",
    )


@clause(each=created_thread, when=[agent_cannot_be_built])
def equal_ids_are_refused(execution: ExecutionView, creation: Creation) -> Iterator[Finding]:
    """An agent with two context providers of one id is refused, as an error of kind invalid that names the id."""
    ids, event = execution.scenario.agents[creation.step.agent].provider_ids, creation.event
    twice = next(id for id in ids if ids.count(id) > 1)
    raised = isinstance(event, Raised)
    aspect = "wrong kind of error" if raised and event.kind != "invalid" else "not named" if raised else "not refused"
    yield finding(
        raised and event.kind == "invalid" and twice in event.text,
        creation.at,
        aspect,
        expected=f"an error of kind invalid that names the id {twice!r}",
        got=error(event) if isinstance(event, Raised) else "an agent, and a thread on it",
    )


@rule(
    "THR-30",
    needs=["threads.context_state"],
    each=asked_provider,
    when=of_call(with_several_providers),
    also=[equal_ids_are_refused],
    aspects=["shared", "not refused", "wrong kind of error", "not named"],
)
def providers_do_not_share(execution: ExecutionView, call: ProviderCall) -> Iterator[Finding]:
    """Each context provider gets its own state only, and two providers of one id are refused when their agent is built.

    Of one that is the only provider of its agent speak THR-25 and THR-29.
    """
    own = len(_told_before(execution, call))
    expected = f"the state of provider {call.event.provider!r} on thread {call.run.thread!r}, which has seen {own} runs"
    yield finding(_runs(call.event.state) <= own, call.at, "shared", expected=expected, got=f"{call.event.state}")


@clause(each=thread_run, when=[with_providers, called_the_service], leaves_alone=[contradicting, waiting, resumed])
def invoked_is_called_after_the_run(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """`invoked` is called after the run, once for each provider, with what is new in it; on failure with the error alone."""
    order, told = run.agent.provider_ids, run.own(ContextInvoked)
    end = run.calls[-1].replied_at or run.calls[-1].at
    early = any(at <= end for at, _ in told)
    wrong = _how_called(sorted(event.provider for _, event in told), sorted(order), "not told")
    aspect = wrong or ("wrong moment" if early else _wrongly_told(execution, run, [event for _, event in told]))
    new = f"with {show(run.happened())}" if run.succeeded else f"with {show(run.inputs)}, the error and no response"
    yield finding(
        not aspect,
        told[0][0] if told else run.events[-1][0],
        aspect,
        expected=f"after the run, each of {', '.join(order)} {new}",
        got=f"{'too early, ' if early else ''}{_calls_in_words(execution, told)}",
        also=[run.at],
    )


@rule(
    "THR-31",
    needs=["threads.context_state"],
    each=thread_run,
    when=[with_providers, called_the_service],
    leaves_alone=[contradicting, resumed],
    also=[invoked_is_called_after_the_run],
    aspects=["not asked", "not told", "repeated", "order", "wrong moment", "wrong messages", "wrong outcome"],
)
def providers_are_told_once(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """`invoking` is called before the first service call and `invoked` after the run, once each a run, with the new messages only.

    In the order of the providers for invoking; on failure `invoked` gets the error and no response. The results that trail a run
    which a tool ended may be told or not.
    """
    order, asked = run.agent.provider_ids, run.own(ContextInvoking)
    late = any(at >= run.calls[0].at for at, _ in asked)
    given = all(execution.heard(event.messages) == run.inputs for _, event in asked)
    wrong = _how_called([event.provider for _, event in asked], order, "not asked")
    aspect = wrong or ("wrong moment" if late else "" if given else "wrong messages")
    yield finding(
        not aspect,
        asked[0][0] if asked else run.at,
        aspect,
        expected=f"before the first service call, in this order: {', '.join(order)}, with {show(run.inputs)}",
        got=f"{'too late, ' if late else ''}{_calls_in_words(execution, asked)}",
        also=[run.calls[0].at],
    )


@clause(
    each=thread_run,
    when=[was_given_messages, called_the_service, on_local_thread],
    leaves_alone=[declared_to_be_stored],
)
def injected_messages_are_not_stored(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """What context providers add is not stored in a local thread, unless that is declared."""
    adds = _added(execution, run)
    said = {part for each in [*execution.earlier(run), run] for part in each.happened()}
    stored = [(at, part) for at, part in _held(execution, run) if part in adds and part not in said]
    yield finding(
        not stored,
        stored[0][0] if stored else run.calls[0].at,
        "stored",
        expected=f"nothing of it stored in thread {run.thread!r}",
        got=f"stored: {show([part for _, part in stored])}",
        also=[run.calls[0].at],
    )


@rule(
    "THR-32",
    level="SHOULD",
    needs=["threads.context_state"],
    each=thread_run,
    when=[was_given_messages, called_the_service],
    leaves_alone=[bounded_history],
    also=[injected_messages_are_not_stored],
    aspects=["not sent", "repeated", "stored"],
)
def injected_messages_are_sent_and_not_stored(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Messages that a context provider injected reach the model, but are not stored in a local thread unless that is declared.

    What a service stores of a hosted thread is its own business; what the caller said too may stand in a thread.
    """
    first, adds = run.calls[0], _added(execution, run, first=True)
    sent = Counter(execution.heard(first.request.messages))
    lacking = adds - sent
    # where it is stored, what earlier runs added is sent again
    again = Counter[Part]() if declared_to_be_stored(execution, run) else Counter({part: sent[part] for part in adds}) - adds
    yield finding(
        not (lacking or again),
        first.at,
        "not sent" if lacking else "repeated",
        expected=f"a request with what context providers added, once each: {show(list(adds))}",
        got=", ".join(f"{part[1]!r} {sent[part]} times" for part in [*lacking, *again]),
    )


# --- what they compare ---


def _told(run: RunView, provider: str) -> list[ContextInvoked]:
    """How a provider was told of the end of a run."""
    return [event for _, event in run.own(ContextInvoked) if event.provider == provider]


def _told_before(execution: ExecutionView, call: ProviderCall) -> list[tuple[RunView, ContextInvoked]]:
    """How a provider was told of what was on the thread before: of earlier runs, and of this one until it waited for an answer."""
    runs = [*execution.earlier(call.run), call.run]
    told = [(run, event) for run in runs for event in _told(run, call.event.provider)]
    return [(run, event) for run, event in told if run is not call.run or event.step < call.event.step]


def _runs(state: Any) -> int:
    """How many runs a state has seen, if it is one that the harness's provider made."""
    count: object = cast("dict[str, object]", state).get("runs", 0) if isinstance(state, dict) else 0
    return count if isinstance(count, int) else 0


def _added(execution: ExecutionView, run: RunView, *, first: bool = False) -> Counter[Part]:
    """What context providers answered in a run. first: in its first step, before it waited for any answer."""
    begun = execution.trace.events[run.at].step
    asked = [event for _, event in run.own(ContextInvoking) if not first or event.step == begun]
    return Counter(part for event in asked for part in execution.heard(event.adds))


def _held(execution: ExecutionView, run: RunView) -> Iterator[tuple[int, Part]]:
    """What a run appended to local history, then what its thread shows afterwards, each part with its place in the trace."""
    kept = [(at, event.messages) for at, event in run.stored]
    shown = [(at, state.messages or ()) for at, state in states_after(execution, run)]
    yield from ((at, part) for at, messages in (*kept, *shown) for part in execution.heard(messages))


def _how_called(got: Sequence[str], order: Sequence[str], missing: str) -> str:
    """The aspect in which the calls of providers are not one each, in order; empty where they are."""
    if Counter(order) - Counter(got):
        return missing
    if len(got) > len(order):
        return "repeated"
    return "order" if list(got) != list(order) else ""


def _wrongly_told(execution: ExecutionView, run: RunView, told: Sequence[ContextInvoked]) -> str:
    """What is wrong in what providers are told; empty where nothing is."""
    if any((event.error is None) is not run.succeeded for event in told):
        return "wrong outcome"
    new = (run.happened(), run.happened(trailing=False)) if run.succeeded else (run.inputs,)
    return "" if all(execution.heard(event.messages) in new for event in told) else "wrong messages"


def _calls_in_words(execution: ExecutionView, events: Sequence[tuple[int, ContextInvoking | ContextInvoked]]) -> str:
    return "; ".join(f"{event.provider} with {show(execution.heard(event.messages))}" for _, event in events) or "nobody"
