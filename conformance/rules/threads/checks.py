"""What threads rules ask of a single request or run: the shared checks behind several rules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import contradicts, kind_before, local_history, persistence_of
from conformance.rules.rule import Finding, finding
from conformance.rules.run_view import CallView, RunView
from conformance.scenario.scenario import CreateThread
from conformance.scenario.specs import AgentSpec
from conformance.trace.adapter_events import Raised, ThreadDescribed
from conformance.trace.harness_events import HistoryFailed, ServiceCalled, Warned
from conformance.trace.messages import Part

_ABOUT_STORING = re.compile(r"store|conversation|thread|session|local|hosted", re.I)


def local_request(execution: ExecutionView, view: CallView, agent: AgentSpec, expected: Sequence[Part]) -> Iterator[Finding]:
    """What THR-05 asks of one request."""
    request = view.request
    got = execution.spoken(request.messages, agent)
    yield finding(
        not stores(request, agent) and request.conversation_id is None and got == list(expected),
        view.at,
        expected=f"store off, no conversation id, and the whole conversation: {show(expected)}",
        got=f"store={request.store}, conversation id {request.conversation_id}, messages {show(got)}",
    )


def hosted_request(execution: ExecutionView, run: RunView, place: int, view: CallView, agent: AgentSpec) -> Iterator[Finding]:
    """What THR-06 asks of one request; `place`: its position in the run."""
    request = view.request
    assert run.thread is not None
    has_id = latest_id([*execution.earlier(run), run], before=view.request.call) or execution.id_given(run.thread)
    sent = execution.spoken(request.messages, agent)
    if place == 0:
        new = run.inputs
    else:
        reply = run.calls[place - 1].reply
        new = [("result", call.id) for call in reply.message.calls] if reply else sent
    repeats = bool(has_id) and sent != new
    yield finding(
        stores(request, agent) and (request.conversation_id is not None or not has_id) and not repeats,
        view.at,
        expected=f"store on, the thread's conversation id, and only what is new: {show(new)}",
        got=f"store={request.store}, conversation id {request.conversation_id}, messages {show(sent)}",
    )


def stores(request: ServiceCalled, agent: AgentSpec) -> bool:
    """Whether a request asks the service to keep the conversation, explicitly or by leaving it to the service's default."""
    return agent.service.stores_by_default if request.store is None else request.store


def transition(execution: ExecutionView, run: RunView, thread: str, agent: AgentSpec) -> Iterator[Finding]:
    """What THR-12 and THR-15 ask of a run that makes a local thread hosted."""
    if not run.calls or not run.succeeded:
        yield finding(False, run.raised[0] if run.raised else run.at, expected="a transition", got=outcome(run))
        return
    first = run.calls[0]
    expected = local_history(execution, run) + run.inputs
    got = execution.spoken(first.request.messages, agent)
    named = run.named_id
    yield finding(
        first.request.store is True and first.request.conversation_id == named and got == expected,
        first.at,
        expected=f"a transition request with store on, conversation id {named} and the whole local history: {show(expected)}",
        got=f"store={first.request.store}, conversation id {first.request.conversation_id}, messages {show(got)}",
    )
    step = execution.trace.events[run.at].step
    for at, state in execution.of(ThreadDescribed):
        if state.thread == thread and state.step >= step:
            id = latest_id([run])
            as_told = state.step > step or (state.kind in ("hosted", None) and state.conversation_id == id)
            grown = len(execution.spoken(state.messages or (), agent)) > len(local_history(execution, run))
            yield finding(
                as_told and not grown,
                at,
                expected=f"a hosted thread with conversation {id!r} whose local messages no longer grow",
                got=f"a thread of kind {state.kind} with conversation {state.conversation_id!r}"
                + (" that went on storing locally" if grown else ""),
                also=[run.at],
            )
    copied = [at for later in execution.runs if later.thread == thread and later.number >= run.number for at, _ in later.stored]
    if execution.policies.provider_copy != "written":
        yield finding(
            not copied,
            copied[0] if copied else run.at,
            expected="nothing more in the history provider, once the service keeps the conversation",
            got=f"{len(copied)} more appends",
        )


def refused(run: RunView, what: str) -> Finding:
    """Whether a run was refused before any effect."""
    refused = run.raised is not None and run.raised[1].kind == "conflict" and not run.calls
    return finding(
        refused,
        run.sign,
        expected=f"an error of kind conflict before any service call, for {what}",
        got=outcome(run),
    )


def warned(run: RunView, what: str) -> Finding:
    """Whether a run went on with a warning."""
    return finding(
        any(_ABOUT_STORING.search(event.text) for _, event in run.of(Warned)) and bool(run.calls),
        run.raised[0] if run.raised else run.at,
        expected=f"a warning, and a run in which the thread wins, for {what}",
        got=outcome(run) if not run.calls else "no warning",
    )


def outcome(run: RunView) -> str:
    """How a run ended, in words."""
    called = f"{len(run.calls)} service calls, then " if run.calls else ""
    if run.raised:
        return called + error(run.raised[1])
    return f"{called}the run {run.ending}"


def history_known(execution: ExecutionView, run: RunView) -> bool:
    """Whether the matrix says what local history is when this run begins."""
    timing = persistence_of(run.agent)
    alone = (
        not execution.forked(run) and not execution.tampered(run) and run.agent.reduces_to is None and not run.own(HistoryFailed)
    )
    return timing != "not" and alone and all(_known(execution, run, other) for other in execution.earlier(run))


def _known(execution: ExecutionView, run: RunView, other: RunView) -> bool:
    """Whether the matrix says what an earlier run added to the history that a run finds."""
    timing = persistence_of(run.agent)
    declared = execution.can("history.per_service_call" if timing == "per call" else "history.per_run")
    if other.ending in ("unknown", "waiting", "abandoned") or other.terminated or other.own(HistoryFailed):
        return False
    if not other.succeeded and ((other.calls and not declared) or other.answered_requests):
        return False
    if other.ending != "returned" and other.agent.per_service_call and kind_before(execution, other) == "adaptive":
        return False  # what a first run that failed had appended by then counts for no kind
    return _one_history(run, other) and persistence_of(other.agent) == timing


def _one_history(run: RunView, other: RunView) -> bool:
    """Whether two runs find the same local history: on one agent, or where the thread itself keeps it."""
    return run.agent_name == other.agent_name or {run.agent.history, other.agent.history} == {"default"}


def accepted(execution: ExecutionView, run: RunView) -> list[RunView]:
    """The earlier runs on the same thread that contradicted it and were let through all the same."""
    return [other for other in execution.earlier(run) if contradicts(execution, other) and other.calls]


def undisputed(execution: ExecutionView, run: RunView) -> bool:
    """Whether nothing contradicts the thread: neither this run nor an earlier one that was let through."""
    return not contradicts(execution, run) and not accepted(execution, run)


def made_local(execution: ExecutionView, run: RunView) -> bool:
    """Whether the run is on a thread that was created local, whatever became of it."""
    return run.thread is not None and execution.scenario.kind_of(run.thread) == "local"


def latest_id(runs: Sequence[RunView], *, before: int | None = None) -> str | None:
    """The conversation id of the latest reply that carried one; `before`: of a call number."""
    ids = [
        view.reply.conversation_id
        for run in runs
        for view in run.calls
        if view.reply and view.reply.conversation_id and (before is None or view.request.call < before)
    ]
    return ids[-1] if ids else None


def states_after(execution: ExecutionView, run: RunView) -> list[tuple[int, ThreadDescribed]]:
    """How the run's thread is described at the end of the run's first step."""
    step = execution.trace.events[run.at].step
    return [(at, state) for at, state in execution.of(ThreadDescribed) if state.thread == run.thread and state.step == step]


def change(
    execution: ExecutionView, run: RunView, thread: str, facts: Sequence[str] = ("kind", "conversation_id", "messages", "context")
) -> list[int]:
    """Where a thread is described otherwise after the run than before it, if it is."""
    before = execution.described(thread, before=run.at)
    if before is None:
        return []
    return [at for at, state in states_after(execution, run) if any(_of(state, each) != _of(before, each) for each in facts)]


def _of(state: ThreadDescribed, fact: str) -> object:
    """A fact of a thread; that a context provider has no state yet can be told in two ways."""
    return {id: left for id, left in state.context.items() if left} if fact == "context" else getattr(state, fact)


def creations(execution: ExecutionView) -> Iterator[tuple[CreateThread, int, Raised | ThreadDescribed]]:
    """The steps that create threads, each with the event that tells how it ended."""
    for number, step in enumerate(execution.scenario.steps):
        if isinstance(step, CreateThread):
            for at, event in enumerate(execution.trace.events):
                if event.step == number and isinstance(event, (Raised, ThreadDescribed)):
                    yield step, at, event
                    break


def within(parts: Sequence[Part], whole: Sequence[Part]) -> bool:
    """Whether parts stand in a whole in this order, each as often."""
    rest = iter(whole)
    return all(part in rest for part in parts)


def once_in_order(seen: Sequence[Part], required: Sequence[Part], allowed: Counter[Part]) -> bool:
    """Whether everything required is seen in order, and nothing more often than it happened."""
    return within(required, seen) and all(count <= allowed[part] for part, count in Counter(seen).items())


def error(raised: Raised) -> str:
    """An error, in words."""
    return f"an error of kind {raised.kind}: {raised.text}"


def show(said: Sequence[Part]) -> str:
    """Parts as a person reads them."""
    return "[" + ", ".join(" ".join(word for word in part if word != "{}") for part in said) + "]"
