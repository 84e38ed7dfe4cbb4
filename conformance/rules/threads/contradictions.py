"""The threads rules about contradictions: what `store` and `conversation_id` may say against a thread."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView, change, states_after
from conformance.rules.model import (
    contradicting_options,
    contradicts,
    history_known,
    kind_before,
    local_history,
    made_local,
    misplaced,
    unsupported,
)
from conformance.rules.preconditions import RequestView
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView, latest_id
from conformance.rules.threads.checks import hosted_request, local_request, refused, stores, transition, warned
from conformance.rules.wording import outcome
from conformance.scenario.scenario import Run
from conformance.scenario.specs import AgentSpec
from conformance.trace.adapter_events import Chunk
from conformance.trace.harness_events import ContextInvoked, ContextInvoking, HistoryAppended, ServiceCalled


@rule("THR-12", needs=["runs.store"], policies=("store_conflict",))
def store_on_a_local_thread(execution: ExecutionView) -> Iterator[Finding]:
    """A run with `store` true on a local thread is refused, overruled with a warning or makes the thread hosted, as declared.

    Leaves alone: services that keep nothing under `transform` (THR-02), surprising ones, transitions that fail in the service, and
    `store` together with a contradicting conversation id.
    """
    for run, thread, agent in execution.agent_runs():
        spec = run.spec
        if not isinstance(spec, Run) or spec.store is not True or spec.conversation_id or agent.service.surprising:
            continue
        if kind_before(execution, run) == "local":
            yield from _on_a_local_thread(execution, run, thread, agent, "store=True")


@rule("THR-13", needs=["runs.store", "threads.hosted"], policies=("store_conflict",))
def no_store_on_a_hosted_thread(execution: ExecutionView) -> Iterator[Finding]:
    """A run with `store` false on a hosted thread is refused, or overruled with a warning, as declared.

    `transform` would need the service's transcript, which no adapter can produce yet: it means refused, once there is one. Leaves
    alone threads that a transition made hosted, and under `transform` those that have no conversation in the service yet.
    """
    for run, _, _ in execution.agent_runs():
        spec = run.spec
        if (
            not isinstance(spec, Run)
            or spec.store is not False
            or spec.conversation_id
            or misplaced(execution, run)
            or unsupported(execution, run)
        ):
            continue
        if kind_before(execution, run) != "hosted" or made_local(execution, run):
            continue
        declared = hosted_conflict(execution)
        if declared == "ignore":
            yield warned(run, "a hosted thread with store=False")
            for place, view in enumerate(run.calls):
                if all(other.succeeded for other in execution.earlier(run)):
                    yield hosted_request(execution, RequestView(run, place, view))
        elif declared == "raise" or execution.id_before(run) is not None:
            yield refused(run, "a hosted thread with store=False")


@rule("THR-14", needs=["runs.conversation_id", "threads.hosted"])
def a_conversation_id_must_be_the_threads(execution: ExecutionView) -> Iterator[Finding]:
    """A `conversation_id` that differs from a hosted thread's is refused before any service call; an equal one changes nothing.

    Leaves alone: threads that have no id yet, and `store` options that contradict at the same time.
    """
    for run, thread, _ in execution.agent_runs():
        spec = run.spec
        if (
            not isinstance(spec, Run)
            or spec.conversation_id is None
            or spec.store is False
            or misplaced(execution, run)
            or unsupported(execution, run)
        ):
            continue
        id = (
            execution.id_before(run)
            or latest_id([other for other in execution.earlier(run) if other.succeeded])
            or execution.id_given(thread)
        )
        if kind_before(execution, run) != "hosted" or id is None:
            continue
        if spec.conversation_id == "other":
            yield refused(run, f"another conversation id than {id!r}, the one of thread {thread!r}")
        else:
            first = run.calls[0].request.conversation_id if run.calls else None
            yield finding(
                first == id,
                run.raised[0] if run.raised else run.calls[0].at if run.calls else run.at,
                expected=f"the run goes on in conversation {id!r}, as without the option",
                got=outcome(run) if not run.calls else f"a request for conversation {first!r}",
            )


@rule("THR-15", needs=["runs.conversation_id"], policies=("store_conflict",))
def a_conversation_id_on_a_local_thread(execution: ExecutionView) -> Iterator[Finding]:
    """A `conversation_id` given to a run on a local thread is refused, overruled with a warning or makes it hosted, as declared.

    Hosted in that conversation, then. Leaves alone what THR-12 does, `store` true beside the id, and false under `transform`.
    """
    for run, thread, agent in execution.agent_runs():
        spec = run.spec
        if not isinstance(spec, Run) or spec.conversation_id != "other" or spec.store is True or agent.service.surprising:
            continue
        if spec.store is False and execution.policies.store_conflict == "transform":
            continue
        if kind_before(execution, run) == "local":
            yield from _on_a_local_thread(execution, run, thread, agent, "a conversation_id")


@rule("THR-16", needs=["runs.store"])
def a_refused_run_leaves_no_mark(execution: ExecutionView) -> Iterator[Finding]:
    """A refused run requests and appends nothing, tells no provider and changes no thread, and the next one is not refused.

    Refused for its options or its thread; the next one that is well formed. A load or a look leaves no mark. Leaves alone what an
    implementation does not refuse (THR-04, THR-12 … THR-15), and surprising services, whose ids are refused after a call (PER-32).
    """
    marks = (ServiceCalled, HistoryAppended, ContextInvoking, ContextInvoked, Chunk)
    for run, thread, agent in execution.agent_runs():
        refused_kind = run.raised is not None and run.raised[1].kind in ("conflict", "unsupported", "invalid")
        if not contradicts(execution, run) or not refused_kind or agent.service.surprising:
            continue
        left = [at for at, event in run.events if isinstance(event, marks)]
        changed = change(execution, run, thread)
        later = [
            other
            for other in execution.runs
            if other.thread == thread and other.number > run.number and not contradicts(execution, other)
        ]
        settled = all(other.succeeded for other in execution.earlier(run) if not contradicts(execution, other))
        after = later[0] if later and settled else None
        refused_next = after is not None and not after.calls and after.raised is not None
        trouble = [*left, *changed, *([after.at] if after and refused_next else [])]
        yield finding(
            not trouble,
            trouble[0] if trouble else run.at,
            expected="nothing but the error: no request, no append, no provider call, the thread as before",
            got="the refused run left a mark" if left or changed else "the next well-formed run is refused too",
            also=trouble[1:],
        )


@rule("THR-17", needs=["runs.store"], policies=("store_conflict",))
def one_policy_everywhere(execution: ExecutionView) -> Iterator[Finding]:
    """What a contradiction leads to is the declared policy in both directions, streaming or not, on the first and on later turns.

    Unless one is declared for hosted threads apart. Judges which side wins, not whether all is done as that side demands (THR-12 …
    THR-15). Leaves alone: another conversation's id on a hosted thread (THR-14) or beside `store` false, services that keep nothing
    or too much, runs that fail in the service, `transform` on hosted threads that have no conversation yet.
    """
    for run, _, agent in execution.agent_runs():
        odd_service = agent.service.surprising or agent.service.keeps == "nothing"
        if (
            not contradicting_options(execution, run)
            or misplaced(execution, run)
            or odd_service
            or run.ending in ("refused", "unknown", "cancelled")
        ):
            continue
        local = kind_before(execution, run) == "local"
        declared = execution.policies.store_conflict if local else hosted_conflict(execution)
        if local and declared == "transform" and run.named_id and run.store is False:
            continue
        if not local and (run.named_id or (declared == "transform" and execution.id_before(run) is None)):
            continue
        conduct = _local_conduct(execution, run, agent) if local else _hosted_conduct(run, agent)
        expected = "raise" if declared == "transform" and not local else declared
        if conduct is not None:
            yield finding(conduct == expected, run.sign, expected=f"what the policy {expected} means", got=conduct, also=[run.at])


def hosted_conflict(execution: ExecutionView) -> str | None:
    """The policy for hosted threads with `store` false."""
    return execution.policies.store_conflict_hosted or execution.policies.store_conflict


def _on_a_local_thread(execution: ExecutionView, run: RunView, thread: str, agent: AgentSpec, option: str) -> Iterator[Finding]:
    """What the declared policy asks of a run whose option contradicts its local thread."""
    match execution.policies.store_conflict:
        case "raise":
            yield refused(run, f"a local thread with {option}")
        case "ignore":
            yield warned(run, f"a local thread with {option}")
            if history_known(execution, run):
                for view in run.calls:
                    expected = local_history(execution, run) + run.happened(before=view.request.call)
                    yield local_request(execution, run, view, expected)
        case "transform" if agent.service.keeps != "nothing" and history_known(execution, run):
            # a service that fails, gives no id or is not waited for is no fault of the transition
            if run.ending != "cancelled" and run.answered_with_ids:
                yield from transition(execution, run, thread, agent)
        case _:
            pass


def _local_conduct(execution: ExecutionView, run: RunView, agent: AgentSpec) -> str | None:
    """Which side won on a local thread; None where that cannot be told."""
    if not run.calls:
        return "raise" if run.raised is not None and run.raised[1].kind == "conflict" else "neither: an error that is no conflict"
    if not any(stores(view.request, agent) or view.request.conversation_id for view in run.calls):
        return "ignore"
    if not run.succeeded and (run.ending == "cancelled" or not run.answered_with_ids):
        return None
    states = states_after(execution, run)
    hosted = all(state.conversation_id is not None and state.kind in ("hosted", None) for _, state in states)
    return (
        "transform" if hosted and stores(run.calls[0].request, agent) else "neither: the option counts, and the thread stays local"
    )


def _hosted_conduct(run: RunView, agent: AgentSpec) -> str | None:
    """Which side won on a hosted thread."""
    if not run.calls:
        return "raise" if run.raised is not None and run.raised[1].kind == "conflict" else None
    kept = all(stores(view.request, agent) for view in run.calls)
    return "ignore" if kept else "neither: the option counts, and the thread stays hosted"
