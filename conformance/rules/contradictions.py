"""The threads rules about contradictions: what `store` and `conversation_id` may say against a thread."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.rules.case import Case
from conformance.rules.requests import (
    change,
    created_hosted,
    history_known,
    hosted_request,
    latest_id,
    local_request,
    outcome,
    refused,
    transition,
    warned,
)
from conformance.rules.rule import Finding, finding, rule
from conformance.scenario import Run
from conformance.trace import (
    ContextInvoked,
    ContextInvoking,
    HistoryAppended,
    ServiceCalled,
)


@rule("THR-12", needs=["runs.store"], policies=("store_conflict",))
def store_on_a_local_thread(case: Case) -> Iterator[Finding]:
    """A run with `store` true on a local thread is refused, overruled with a warning or makes the thread hosted, as declared.

    Leaves alone: services that keep nothing under `transform` (THR-02), surprising ones, transitions that fail in the service, and
    `store` together with a contradicting conversation id.
    """
    for run, thread, agent in case.agent_runs():
        spec = run.spec
        if not isinstance(spec, Run) or spec.store is not True or spec.conversation_id or agent.service.surprising:
            continue
        if case.kind_before(run) != "local":
            continue
        match case.policies.store_conflict:
            case "raise":
                yield refused(run, "a local thread with store=True")
            case "ignore":
                yield warned(run, "a local thread with store=True")
                if history_known(case, run, agent):
                    for view in run.calls:
                        expected = case.local_history(run) + run.happened(before=view.request.call)
                        yield from local_request(case, view, agent, expected)
            case "transform" if agent.service.keeps != "nothing" and run.succeeded and history_known(case, run, agent):
                yield from transition(case, run, thread, agent)
            case _:
                pass


@rule("THR-13", needs=["runs.store", "threads.hosted"], policies=("store_conflict",))
def no_store_on_a_hosted_thread(case: Case) -> Iterator[Finding]:
    """A run with `store` false on a hosted thread is refused, or overruled with a warning, as declared.

    `transform` would need the service's transcript, which no adapter can produce yet: it means refused, once there is one. Leaves
    alone threads that a transition made hosted, and under `transform` those that have no conversation in the service yet.
    """
    for run, _, agent in case.agent_runs():
        spec = run.spec
        if not isinstance(spec, Run) or spec.store is not False or spec.conversation_id or not created_hosted(case, run):
            continue
        if case.policies.store_conflict == "ignore":
            yield warned(run, "a hosted thread with store=False")
            for place, view in enumerate(run.calls):
                if all(other.succeeded for other in case.earlier(run)):
                    yield from hosted_request(case, run, place, view, agent)
        elif case.policies.store_conflict == "raise" or case.id_before(run) is not None:
            yield refused(run, "a hosted thread with store=False")


@rule("THR-14", needs=["runs.conversation_id", "threads.hosted"])
def a_conversation_id_must_be_the_threads(case: Case) -> Iterator[Finding]:
    """A `conversation_id` that differs from a hosted thread's is refused before any service call; an equal one changes nothing.

    Leaves alone: threads that have no id yet, and `store` options that contradict at the same time.
    """
    for run, thread, _ in case.agent_runs():
        spec = run.spec
        if not isinstance(spec, Run) or spec.conversation_id is None or spec.store is False:
            continue
        id = case.id_before(run) or latest_id([other for other in case.earlier(run) if other.succeeded])
        if case.kind_before(run) != "hosted" or id is None:
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


@rule("THR-16", needs=["runs.store"])
def a_refused_run_leaves_no_mark(case: Case) -> Iterator[Finding]:
    """A run that is refused for its options makes no request, appends nothing, tells no provider and changes no thread.

    And the next well-formed run is not refused. A load leaves no mark. Leaves alone what an implementation does not refuse
    (THR-12 … THR-15), and surprising services, whose ids are refused after a call (PER-32).
    """
    marks = (ServiceCalled, HistoryAppended, ContextInvoking, ContextInvoked)
    for run, thread, agent in case.agent_runs():
        refused_kind = run.raised is not None and run.raised[1].kind in ("conflict", "unsupported", "invalid")
        if not run.contradicts or not refused_kind or agent.service.surprising:
            continue
        left = [at for at, event in run.events if isinstance(event, marks)]
        changed = change(case, run, thread)
        later = [other for other in case.runs if other.thread == thread and other.number > run.number and not other.contradicts]
        settled = all(other.succeeded for other in case.earlier(run) if not other.contradicts)
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
