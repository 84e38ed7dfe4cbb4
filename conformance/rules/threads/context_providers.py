"""The threads rules about context providers: whose state they get, when they are told of what, and where their messages go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

from conformance.rules.execution_view import ExecutionView, states_after
from conformance.rules.model import buildable, contradicts, kind_before
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.threads.checks import creations
from conformance.rules.wording import error, show
from conformance.trace.adapter_events import Raised
from conformance.trace.harness_events import ContextInvoked, ContextInvoking
from conformance.trace.messages import Part


@rule("THR-29", needs=["threads.context_state"])
def context_state_lives_on_the_thread(execution: ExecutionView) -> Iterator[Finding]:
    """A context provider's state lives on the thread under the provider's id, whatever the kind, and survives a round trip.

    What a provider left is shown by the thread and handed to it in the next run. Leaves alone state that has seen too much: another
    thread's (THR-25) or another provider's (THR-30).
    """
    for run, thread, _ in execution.agent_runs():
        for at, event in run.own(ContextInvoking):
            left = _left(execution, run, event.provider)
            if left is not None:
                got = _runs(event.state)
                expected = f"state of provider {event.provider!r} on thread {thread!r} that has seen {_runs(left)} runs"
                yield finding(got >= _runs(left), at, expected=expected, got=f"{got} runs")
        told = {event.provider: (at, event.state) for at, event in run.own(ContextInvoked)}
        asked = {event.provider: event.state for _, event in run.own(ContextInvoking)}
        for id, (at, left) in told.items():
            expected = f"in one run the state that {id!r} had when it was asked: {_runs(asked.get(id))} runs, and then this one"
            yield finding(_runs(left) > _runs(asked.get(id)), at, expected=expected, got=f"{_runs(left)} runs")
        for _, state in states_after(execution, run)[-1:]:
            for id, (at, left) in told.items():
                shown: Any = state.context.get(id, {})
                expected = f"on thread {thread!r}, under the id {id!r}: {left}"
                yield finding(_runs(shown) >= _runs(left), at, expected=expected, got=f"{state.context}")


@rule("THR-30", needs=["threads.context_state"])
def providers_do_not_share(execution: ExecutionView) -> Iterator[Finding]:
    """Each context provider gets its own state only, and two providers of one id are refused when their agent is built.

    As an error of kind invalid that names the id. Leaves alone one that is the only provider of its agent (THR-25, THR-29).
    """
    for step, at, event in creations(execution):
        ids = execution.scenario.agents[step.agent].provider_ids
        twice = next((id for id in ids if ids.count(id) > 1), None)
        if twice is not None:
            refused = isinstance(event, Raised) and event.kind == "invalid" and twice in event.text
            got = error(event) if isinstance(event, Raised) else "an agent, and a thread on it"
            yield finding(refused, at, expected=f"an error of kind invalid that names the id {twice!r}", got=got)
    for run, thread, agent in execution.agent_runs():
        if len(agent.context) < 2 or not buildable(execution.scenario, run.agent_name):
            continue
        for at, event in run.own(ContextInvoking):
            least = _left(execution, run, event.provider) or {}
            own = sum(
                1 for each in execution.earlier(run) for _, told in each.own(ContextInvoked) if told.provider == event.provider
            )
            expected = f"the state of provider {event.provider!r} on thread {thread!r}, which has seen {_runs(least)} runs"
            yield finding(_runs(event.state) <= own, at, expected=expected, got=f"{event.state}")


@rule("THR-31", needs=["threads.context_state"])
def providers_are_told_once(execution: ExecutionView) -> Iterator[Finding]:
    """`invoking` is called before the first service call and `invoked` after the run, once each a run, with the new messages only.

    In the order of the providers for invoking; on failure `invoked` gets the error and no response. Leaves alone: refused runs
    (THR-16), runs that wait, trailing results.
    """
    for run, _, agent in execution.agent_runs():
        if not agent.context or contradicts(execution, run) or not run.calls or run.ending in ("refused", "unknown", "waiting"):
            continue
        if run.answered_requests:
            continue
        order = agent.provider_ids
        asked = run.own(ContextInvoking)
        early = all(at < run.calls[0].at for at, _ in asked)
        given = all(execution.heard(event.messages) == run.inputs for _, event in asked)
        yield finding(
            [event.provider for _, event in asked] == order and early and given,
            asked[0][0] if asked else run.at,
            expected=f"before the first service call, in this order: {', '.join(order)}, with {show(run.inputs)}",
            got=f"{'' if early else 'too late, '}{_told(execution, asked) or 'nobody'}",
            also=[run.calls[0].at],
        )
        told = run.own(ContextInvoked)
        late = all(at > (run.calls[-1].replied_at or run.calls[-1].at) for at, _ in told)
        right = all(_rightly_told(execution, run, event) for _, event in told)
        new = f"with {show(run.happened())}" if run.succeeded else f"with {show(run.inputs)}, the error and no response"
        yield finding(
            sorted(event.provider for _, event in told) == sorted(order) and late and right,
            told[0][0] if told else run.events[-1][0],
            expected=f"after the run, each of {', '.join(order)} {new}",
            got=f"{'' if late else 'too early, '}{_told(execution, told) or 'nobody'}",
            also=[run.at],
        )


@rule("THR-32", level="SHOULD", needs=["threads.context_state"])
def injected_messages_are_sent_and_not_stored(execution: ExecutionView) -> Iterator[Finding]:
    """Messages that a context provider injected reach the model, but are not stored in a local thread unless that is declared.

    Leaves alone: what the service stores of a hosted thread, texts that the caller said too, and reducers.
    """
    for run, thread, agent in execution.agent_runs():
        adds = Counter(part for _, event in run.own(ContextInvoking) for part in execution.heard(event.adds))
        if not adds or not run.calls or contradicts(execution, run) or agent.reduces_to is not None:
            continue
        first = run.calls[0]
        sent = Counter(message.text for message in first.request.messages)
        wanted = Counter(part[1] for part in adds.elements())
        kept = execution.policies.injected_messages == "stored"
        wrong = [text for text, count in wanted.items() if sent[text] < count or (sent[text] > count and not kept)]
        expected = f"a request with what context providers added, once each: {show(list(adds))}"
        got = f"{', '.join(f'{text!r} {sent[text]} times' for text in wrong)}"
        yield finding(not wrong, first.at, expected=expected, got=got)
        if kind_before(execution, run) != "local" or kept:
            continue
        said = {part for each in [*execution.earlier(run), run] for part in each.happened()}
        held = [(at, part) for at, event in run.stored for part in execution.heard(event.messages)]
        held += [(at, part) for at, state in states_after(execution, run) for part in execution.heard(state.messages or ())]
        stored = [(at, part) for at, part in held if part in adds and part not in said]
        yield finding(
            not stored,
            stored[0][0] if stored else first.at,
            expected=f"nothing of it stored in thread {thread!r}",
            got=f"stored: {show([part for _, part in stored])}",
            also=[first.at],
        )


def _rightly_told(execution: ExecutionView, run: RunView, event: ContextInvoked) -> bool:
    got = execution.heard(event.messages)
    if run.succeeded:
        return event.error is None and got in (run.happened(), run.happened(trailing=False))
    return event.error is not None and got == run.inputs


def _left(execution: ExecutionView, run: RunView, provider: str) -> dict[str, Any] | None:
    """The state that a provider left on the run's thread in an earlier run."""
    told = [event.state for each in execution.earlier(run) for _, event in each.own(ContextInvoked) if event.provider == provider]
    return told[-1] if told else None


def _runs(state: Any) -> int:
    count: object = cast("dict[str, object]", state).get("runs", 0) if isinstance(state, dict) else 0
    return count if isinstance(count, int) else 0


def _told(execution: ExecutionView, events: list[tuple[int, Any]]) -> str:
    said: list[str] = []
    for _, event in events:
        parts: list[Part] = execution.heard(event.messages)
        said.append(f"{event.provider} with {show(parts)}")
    return "; ".join(said)
