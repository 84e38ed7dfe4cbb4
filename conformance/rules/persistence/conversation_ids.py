"""Persistence, conversation ids: the sentinel that is none, the ids of a service, and approvals (PER-26 to PER-31)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView, states_after, states_at_end
from conformance.rules.model import kind_before, persistence_of, timing_of
from conformance.rules.parts import how_they_differ
from conformance.rules.persistence.approvals import (
    LaterRequest,
    Told,
    after_the_answer,
    callers_history_in_between,
    decided_on,
    each_once,
    later_request,
    needs_approval,
    of_later,
    of_waited,
    on_the_same_agent,
    partly_answered,
    resumed_at,
)
from conformance.rules.persistence.history import (
    calls_waited_for,
    created_hosted,
    kept_without_a_name,
    recurring_call_ids,
    service_failed,
    stored_by_end,
    under_a_conversation,
)
from conformance.rules.preconditions import (
    DISPUTED,
    RequestView,
    abandoned,
    after_a_contradiction,
    begins_anew,
    bounded_history,
    called_the_service,
    callers_history,
    failed_after_an_answer,
    forked,
    of_run,
    on_local_thread,
    overtaken,
    persisted_per_call,
    request,
    resumed,
    succeeded,
    thread_run,
    waiting,
    with_provider,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import outcome, show
from conformance.trace.adapter_events import Observed, Restored, ThreadDescribed
from conformance.trace.harness_events import HistoryLoaded, ToolCalled
from conformance.trace.messages import Part

# --- what the rules of this section look at, and leave alone ---


@condition
def set_to_persist_per_call(_: ExecutionView, run: RunView) -> bool:
    """The agent's local history is appended after each service call, unless a run of it is in the background."""
    return persistence_of(run.agent) == "per call"


@condition
def without_per_service_call(_: ExecutionView, run: RunView) -> bool:
    """The agent has not `per_service_call`."""
    return not run.agent.per_service_call


@condition
def later_on_the_thread_or_made_up(execution: ExecutionView, request: RequestView) -> bool:
    """A request or a run went before on the thread, or the request names an id that no service issued."""
    return bool(request.place or execution.earlier(request.run)) or _made_up(request)


@condition
def after_a_run_per_call(execution: ExecutionView, run: RunView) -> bool:
    """An earlier run on the thread called the service and was persisted after each call."""
    return any(timing_of(each) == "per call" and each.calls for each in execution.earlier(run))


@condition
def with_nameless_replies(execution: ExecutionView, run: RunView) -> bool:
    """A reply carried no conversation id, in the run or before it on its thread."""
    replies = [view.reply for each in [*execution.earlier(run), run] for view in each.calls if view.reply]
    return any(reply.conversation_id is None for reply in replies)


UNMANAGED = (*DISPUTED, forked, with_nameless_replies)
"""Where a hosted thread may have another id than that of its latest reply."""

UNTOLD = (service_failed, recurring_call_ids, partly_answered, overtaken)
"""Where nobody can tell which calls were decided, and what became of them."""


# --- the rules ---


@rule(
    "PER-26",
    needs=["history.per_service_call"],
    each=request,
    when=[*of_run(set_to_persist_per_call), later_on_the_thread_or_made_up],
    aspects=["at once", "within a run", "across runs"],
)
def the_sentinel_stays_inside(execution: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """The sentinel, the made-up id of per-service-call persistence, never reaches the service, in any request of any run.

    Every conversation id in a request must be one that the service issued. Exercised from the second request of a thread on.
    """
    before = "across runs" if execution.earlier(request.run) else "at once"
    yield finding(
        not _made_up(request),
        request.call.at,
        "within a run" if request.place else before,
        expected="no conversation id, or one that the service issued",
        got=f"the made-up id {request.call.request.conversation_id!r}",
    )


@clause(
    each=thread_run,
    when=[with_provider, on_local_thread, persisted_per_call, after_a_run_per_call],
    leaves_alone=[*DISPUTED, under_a_conversation, kept_without_a_name],
)
def the_next_run_loads(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """The next run on the thread loads its history from the provider, and raises no conflict."""
    first = run.calls[0].at if run.calls else run.events[-1][0]
    loaded = any(at < first for at, _ in run.own(HistoryLoaded))
    conflict = run.raised is not None and run.raised[1].kind == "conflict"
    yield finding(
        (loaded or not run.calls) and not conflict,
        run.sign,
        "conflict" if conflict else "not loaded",
        expected="history loaded before the first service call, and no conflict",
        got=outcome(run) if conflict else "no load",
        also=[execution.earlier(run)[-1].at],
    )


@rule(
    "PER-27",
    needs=["history.provider", "history.per_service_call"],
    each=thread_run,
    when=[on_local_thread, persisted_per_call, called_the_service],
    leaves_alone=[*DISPUTED, under_a_conversation],
    also=[the_next_run_loads],
    aspects=["shown", "restored", "another kind", "not loaded", "conflict"],
)
def the_sentinel_is_no_id(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """The sentinel, the made-up id of per-service-call persistence, leaves a thread local: its next run loads, with no conflict.

    It never passes for a service's id. A thread that is serialized and restored is local, too.
    """
    restored = [(at, state) for at, state in execution.of(ThreadDescribed) if _fresh_from(execution, state, run)]
    for at, state in [*states_after(execution, run), *states_at_end(execution, run), *_looks(run), *restored]:
        shown = "shown" if state.conversation_id else "another kind"
        yield finding(
            state.kind in ("local", None) and state.conversation_id is None,
            at,
            "restored" if (at, state) in restored else shown,
            expected="a local thread without a conversation id",
            got=f"a thread of kind {state.kind} with conversation {state.conversation_id!r}",
            also=[run.at],
        )


@clause(each=thread_run, when=[created_hosted, persisted_per_call], leaves_alone=[*UNMANAGED, overtaken])
def the_latest_id_stays(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """After a run, which may have failed, the thread has the id of its latest reply."""
    before, last = execution.id_before(run), run.calls[-1].at if run.calls else run.at
    latest = _latest(execution, run, before, run.events[-1][0])
    for at, state in states_at_end(execution, run):
        got = state.conversation_id
        # the reply that its consumer left may not have been taken in
        left = run.ending == "abandoned" and got == _latest(execution, run, before, last)
        aspect = "not taken" if got == before else _no_or_another(got)
        yield _id_is(got if left else latest, got, at, aspect, run=run, when=f"after the run, which {run.ending}")


@rule(
    "PER-28",
    needs=["history.per_service_call", "threads.hosted"],
    each=thread_run,
    when=[created_hosted, persisted_per_call],
    leaves_alone=[after_a_contradiction, forked, with_nameless_replies],
    also=[the_latest_id_stays],
    aspects=["late", "not taken", "no id", "another id"],
)
def ids_are_updated_after_each_call(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """With `per_service_call` and a service that returns ids, the thread's id is updated right after each call.

    So a tool that looks at it within the run sees the id of the latest reply, and a failure at call *k* leaves the id of call k-1.
    """
    before = execution.id_before(run)
    for at, look in _looks(run):
        got = look.conversation_id
        aspect = "late" if got == before else _no_or_another(got)
        yield _id_is(_latest(execution, run, before, at), got, at, aspect, run=run, when="while a tool runs")


@clause(
    each=thread_run,
    when=[created_hosted, without_per_service_call, called_the_service],
    leaves_alone=[*UNMANAGED, waiting, abandoned, failed_after_an_answer],
)
def only_success_takes_the_id(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A run that succeeds leaves the latest id on the thread, one that fails the old one."""
    before = execution.id_before(run)
    expected = _latest(execution, run, before, run.events[-1][0]) if run.succeeded else before
    for at, state in states_at_end(execution, run):
        got = state.conversation_id
        aspect = ("not taken" if got == before else "") if run.succeeded else ("taken on failure" if got in _ids_of(run) else "")
        yield _id_is(expected, got, at, aspect or _no_or_another(got), run=run, when=f"after the run, which {run.ending}")


@rule(
    "PER-29",
    needs=["history.per_run", "threads.hosted"],
    each=thread_run,
    when=[created_hosted, without_per_service_call],
    leaves_alone=[after_a_contradiction, resumed],
    also=[only_success_takes_the_id],
    aspects=["early", "not taken", "taken on failure", "no id", "another id"],
)
def ids_are_updated_at_the_end(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Without `per_service_call` the thread's id is updated at the end of a run that succeeds; a failed run leaves the old id."""
    before = execution.id_before(run)
    for at, look in _looks(run):
        got = look.conversation_id
        aspect = "early" if got in _ids_of(run) else _no_or_another(got)
        yield _id_is(before, got, at, aspect, run=run, when="while a tool runs")


@rule(
    "PER-30",
    needs=["threads.hosted"],
    each=request,
    when=of_run(created_hosted),
    leaves_alone=[*of_run(*UNMANAGED), begins_anew],
    aspects=["no id", "another id", "missing", "history prepended", "repeated", "foreign", "order"],
)
def a_managed_conversation_gets_what_is_new(execution: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """Where the service manages the history, requests carry the latest id and only new messages; nothing is sent twice.

    A call that the conversation had left open may be closed by one result that says so (PER-46).
    """
    run, asked = request.run, request.call.request
    new, got = run.new_in(request.place), execution.spoken(run.sent_in(request.call), run.agent)
    id = _latest(execution, run, execution.id_before(run), request.call.at)
    right = asked.conversation_id == id
    yield finding(
        right and got == new,
        request.call.at,
        _how_it_is_sent(execution, run, got, new) if right else _no_or_another(asked.conversation_id),
        expected=f"conversation id {id}, and only what is new: {show(new)}",
        got=f"conversation id {asked.conversation_id}, messages {show(got)}",
    )


@clause(
    each=later_request,
    when=[*of_waited(succeeded), on_the_same_agent],
    leaves_alone=[*of_waited(recurring_call_ids, bounded_history), callers_history_in_between, *of_later(*DISPUTED)],
)
def later_runs_send_it_once(execution: ExecutionView, later: LaterRequest) -> Iterator[Finding]:
    """The calls and the results are there once in every later request of the thread, too."""
    asked, ids = later.request.call.request, {call.id for call in calls_waited_for(later.waited)}
    yield each_once(execution.heard([*asked.held, *asked.messages]), ids, later.request.call.at, "sent")


@clause(
    each=thread_run,
    when=[with_provider, resumed, succeeded],
    leaves_alone=[recurring_call_ids, overtaken, after_a_contradiction, under_a_conversation, callers_history],
)
def it_is_stored_once(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Each call and each result is stored once, also a rejection."""
    ids = {call.id for call in calls_waited_for(run)}
    yield each_once(stored_by_end(execution, run), ids, run.events[-1][0], "stored")


@clause(each=thread_run, when=[resumed], leaves_alone=UNTOLD)
def it_runs_where_approved(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """The calls are run that were approved: these, or of each tool so many where nobody says which."""
    ran, decided = _ran_of_those_asked_for(run), decided_on(execution, run)
    each = Told.of([request for request, _ in decided])
    approved = Counter(each.asked(request) for request, approve in decided if approve)
    got = Counter(each.run(event) for _, event in ran)
    resumed = resumed_at(run)
    yield finding(
        got == approved,
        ran[-1][0] if ran else resumed,
        _how_it_runs([event for _, event in ran], got, approved, each),
        expected=f"run, as the answers were yes: {_counted(approved)}",
        got=f"run: {_counted(got)}",
        also=[resumed],
    )


@rule(
    "PER-31",
    needs=["tools.approval"],
    each=request,
    when=[after_the_answer],
    leaves_alone=of_run(*UNTOLD),
    also=[later_runs_send_it_once, it_is_stored_once, it_runs_where_approved],
    aspects=["not sent", "sent again", "not stored", "stored again", "not run", "run again", "rejected call run"],
)
def an_approved_call_is_sent_once(execution: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """Resuming after an approval sends each function call once and each result once; a rejected call is not run.

    In every cell and on hosted threads, in the request that resumes and in all later ones of the thread; what is stored holds each
    once too, also a rejection. Where storing is the caller's responsibility (PER-04) nothing is sent or stored twice.
    """
    run, view = request.run, request.call
    decided = {call.id for call in calls_waited_for(run, before=view.at)}
    said = execution.heard([*view.request.held, *view.request.messages])
    alone = timing_of(run) == "not" and kind_before(execution, run) != "hosted"
    yield each_once(said, decided, view.at, "sent", at_most=alone)


# --- what they compare ---


def _ran_of_those_asked_for(run: RunView) -> list[tuple[int, ToolCalled]]:
    """The calls that waited for a decision and were run."""
    asked = {call.id for call in calls_waited_for(run) if needs_approval(run, call)}
    return [(at, event) for at, event in run.own(ToolCalled) if event.id in asked]


def _made_up(request: RequestView) -> bool:
    """Whether a request names a conversation id that no service issued."""
    return (request.call.request.conversation_id or "").startswith("foreign-")


def _fresh_from(execution: ExecutionView, state: ThreadDescribed, run: RunView) -> bool:
    """Whether a thread was just restored from the run's, as that was when the run was over."""
    origin = execution.origin(state.thread)
    made = any(event.thread == state.thread and event.step == state.step for _, event in execution.of(Restored))
    if not made or origin is None or origin[0] != run.thread or origin[1] < run.events[-1][0]:
        return False
    return not any(other.thread == run.thread and run.at < other.at < origin[1] for other in execution.runs)


def _latest(execution: ExecutionView, run: RunView, before: str | None, at: int) -> str | None:
    """The id of the latest reply on the run's thread since the run began, before a position; `before` where there is none.

    Also one of another run: while this one waits for an approval, the conversation may go on.
    """
    calls = [view for other in execution.runs if other.thread == run.thread for view in other.calls]
    replied = [(view.replied_at, view.reply) for view in calls if view.replied_at is not None and view.reply is not None]
    since = [(where, reply) for where, reply in replied if run.at < where < at]
    return max(since, key=lambda each: each[0])[1].conversation_id if since else before


def _looks(run: RunView) -> list[tuple[int, Observed]]:
    """How the run's thread looks while a tool runs."""
    return [(at, look) for at, look in run.own(Observed) if look.moment == "within"]


def _ids_of(run: RunView) -> set[str]:
    """The conversation ids that the replies of the run carry."""
    return {view.reply.conversation_id for view in run.calls if view.reply and view.reply.conversation_id}


def _no_or_another(id: str | None) -> str:
    return "no id" if id is None else "another id"


def _id_is(expected: str | None, got: str | None, at: int, aspect: str, *, run: RunView, when: str) -> Finding:
    return finding(
        got == expected, at, aspect, expected=f"conversation id {expected} {when}", got=f"conversation id {got}", also=[run.at]
    )


def _how_it_is_sent(execution: ExecutionView, run: RunView, got: Sequence[Part], new: Sequence[Part]) -> str:
    """The aspect in which a request carries something else than what is new."""
    more = set(got) - set(new)
    earlier = {part for each in execution.earlier(run) for part in each.happened()}
    if set(new) <= set(got) and more and more <= earlier | set(run.happened()):
        return "history prepended" if more & earlier else "repeated"
    return how_they_differ(got, new)


def _how_it_runs(ran: Sequence[ToolCalled], got: Counter[str], approved: Counter[str], each: Told) -> str:
    """The aspect in which other calls are run than were approved, where they are."""
    ids = {name: {event.id for event in ran if each.run(event) == name} for name in got - approved}
    if any(len(ids[name]) > approved[name] for name in ids):
        return "rejected call run"
    return "run again" if ids else "not run"


def _counted(names: Counter[str]) -> str:
    """How many calls of what, in words."""
    return ", ".join(f"{count} of {name}" for name, count in sorted(names.items())) or "none"
