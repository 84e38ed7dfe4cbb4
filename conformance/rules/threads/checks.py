"""What threads rules ask of a single request or run: the shared checks behind several rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import local_history
from conformance.rules.parts import but_for_empty, how_they_differ
from conformance.rules.preconditions import RequestView
from conformance.rules.repairs import repaired
from conformance.rules.rule import Finding, finding
from conformance.rules.run_view import CallView, RunView, latest_id
from conformance.rules.wording import outcome, show
from conformance.scenario.scenario import CreateThread
from conformance.scenario.specs import AgentSpec
from conformance.trace.adapter_events import Raised, ThreadDescribed
from conformance.trace.harness_events import ServiceCalled, Warned
from conformance.trace.messages import Part

_ABOUT_STORING = re.compile(r"store|conversation|thread|session|local|hosted", re.I)


def local_request(execution: ExecutionView, run: RunView, view: CallView, expected: Sequence[Part]) -> Finding:
    """What THR-05 asks of one request; expected: all that it has to carry. A call that stayed open may be repaired in it."""
    request = view.request
    got = but_for_empty(execution.spoken(request.messages, run.agent))
    expected = repaired(but_for_empty(expected), got)
    kept, named = stores(request, run.agent), request.conversation_id is not None
    return finding(
        not kept and not named and got == expected,
        view.at,
        "stores" if kept else "names a conversation" if named else how_they_differ(got, expected),
        expected=f"store off, no conversation id, and the whole conversation: {show(expected)}",
        got=f"store={request.store}, conversation id {request.conversation_id}, messages {show(got)}",
    )


def hosted_request(execution: ExecutionView, request: RequestView) -> Finding:
    """What THR-06 asks of one request."""
    asked, run = request.call.request, request.run
    assert run.thread is not None
    has_id = latest_id([*execution.earlier(run), run], before=asked.call) or execution.id_given(run.thread)
    sent = execution.spoken(run.sent_in(request.call), run.agent)
    answered = not request.place or run.calls[request.place - 1].reply is not None
    new = run.new_in(request.place) if answered else sent
    aspect = ""
    if not stores(asked, run.agent):
        aspect = "does not store"
    elif has_id:
        aspect = "no id" if asked.conversation_id is None else how_they_differ(sent, new) if sent != new else ""
    return finding(
        not aspect,
        request.call.at,
        aspect,
        expected=f"store on, the thread's conversation id, and only what is new: {show(new)}",
        got=f"store={asked.store}, conversation id {asked.conversation_id}, messages {show(sent)}",
    )


def stores(request: ServiceCalled, agent: AgentSpec) -> bool:
    """Whether a request asks the service to keep the conversation, explicitly or by leaving it to the service's default."""
    return agent.service.stores_by_default if request.store is None else request.store


def transition(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """What THR-12 and THR-15 ask of a run that makes a local thread hosted."""
    if not run.calls or not run.succeeded:
        at = run.raised[0] if run.raised else run.at
        yield finding(False, at, "no transition", expected="a transition", got=outcome(run))
        return
    yield _transition_request(execution, run)
    yield from _transition_states(execution, run)
    if execution.policies.provider_copy != "written":
        copied = [at for at, _ in execution.appends(run.thread or "") if at > run.at]
        yield finding(
            not copied,
            copied[0] if copied else run.at,
            "still copied",
            expected="nothing more in the history provider, once the service keeps the conversation",
            got=f"{len(copied)} more appends",
        )


def _transition_request(execution: ExecutionView, run: RunView) -> Finding:
    """Whether the first request takes the whole local history to the service."""
    first, named = run.calls[0], run.named_id
    got = but_for_empty(execution.spoken(first.request.messages, run.agent))
    expected = repaired(but_for_empty(local_history(execution, run) + run.inputs), got)
    return finding(
        stores(first.request, run.agent) and first.request.conversation_id == named and got == expected,
        first.at,
        "wrong transition",
        expected=f"a transition request with store on, conversation id {named} and the whole local history: {show(expected)}",
        got=f"store={first.request.store}, conversation id {first.request.conversation_id}, messages {show(got)}",
    )


def _transition_states(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Whether the thread is hosted from then on, and its local messages no longer grow."""
    step, id = execution.trace.events[run.at].step, latest_id([run])
    kept = len(local_history(execution, run))
    for at, state in execution.of(ThreadDescribed):
        if state.thread != run.thread or state.step < step:
            continue
        as_told = state.step > step or (state.kind in ("hosted", None) and state.conversation_id == id)
        grown = len(execution.spoken(state.messages or (), run.agent)) > kept
        yield finding(
            as_told and not grown,
            at,
            "still stored locally" if grown else "not hosted",
            expected=f"a hosted thread with conversation {id!r} whose local messages no longer grow",
            got=f"a thread of kind {state.kind} with conversation {state.conversation_id!r}"
            + (" that went on storing locally" if grown else ""),
            also=[run.at],
        )


def refused(run: RunView, what: str) -> Finding:
    """Whether a run was refused before any effect."""
    conflict = run.raised is not None and run.raised[1].kind == "conflict"
    return finding(
        conflict and not run.calls,
        run.sign,
        "not refused" if run.raised is None else "after a request" if run.calls else "wrong kind of error",
        expected=f"an error of kind conflict before any service call, for {what}",
        got=outcome(run),
    )


def warned(run: RunView, what: str) -> Finding:
    """Whether a run went on with a warning."""
    return finding(
        any(_ABOUT_STORING.search(event.text) for _, event in run.of(Warned)) and bool(run.calls),
        run.raised[0] if run.raised else run.at,
        "no warning" if run.calls else "refused",
        expected=f"a warning, and a run in which the thread wins, for {what}",
        got="no warning" if run.calls else outcome(run),
    )


def creations(execution: ExecutionView) -> Iterator[tuple[CreateThread, int, Raised | ThreadDescribed]]:
    """The steps that create threads, each with the event that tells how it ended."""
    for number, step in enumerate(execution.scenario.steps):
        if isinstance(step, CreateThread):
            for at, event in enumerate(execution.trace.events):
                if event.step == number and isinstance(event, (Raised, ThreadDescribed)):
                    yield step, at, event
                    break
