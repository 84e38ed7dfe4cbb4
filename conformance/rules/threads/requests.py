"""The threads rules about conversations: what a request carries on a local and on a hosted thread, and where a turn is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import contradicts, kind_after, kind_before, local_history, persistence_of
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.threads.checks import (
    history_known,
    hosted_request,
    latest_id,
    local_request,
    made_local,
    once_in_order,
    outcome,
    show,
    states_after,
    undisputed,
)
from conformance.trace.adapter_events import ThreadDescribed
from conformance.trace.messages import Part


@rule("THR-05")
def local_requests_carry_everything(execution: ExecutionView) -> Iterator[Finding]:
    """Every request of a run on a local thread says not to store, names no conversation and carries the whole conversation.

    Each message once, in order, then the new input. Leaves alone: contradicting options (THR-12, THR-15) and what follows on them,
    services that return an id nobody asked for (PER-32 ff.), stacks whose history is the caller's business (PER-04), reducers
    (THR-34), runs after one that was terminated (PER-16) or waits, or that failed where the time of persisting is not declared, and
    what a careless caller wrote over (THR-36).
    """
    for run, _, agent in execution.agent_runs():
        plain = undisputed(execution, run) and not agent.service.surprising
        if kind_before(execution, run) != "local" or not plain or not history_known(execution, run):
            continue
        history = local_history(execution, run)
        yield from _unasked(run)
        for view in run.calls:
            expected = history + run.happened(before=view.request.call)
            yield from local_request(execution, view, agent, expected)


@rule("THR-06", needs=["threads.hosted"])
def hosted_requests_carry_what_is_new(execution: ExecutionView) -> Iterator[Finding]:
    """Every request of a run on a hosted thread says to store, names the thread's conversation and carries only what is new.

    Leaves alone: contradicting options (THR-13, THR-14) and what follows on one that was let through, and what a request must carry
    after a reply without an id (THR-10); services that keep what nobody asked them to keep, and the first request after a run
    that called the service and did not succeed.
    """
    for run, _, agent in execution.agent_runs():
        surprised = agent.service.surprising and made_local(execution, run)
        if kind_before(execution, run) != "hosted" or surprised or not undisputed(execution, run):
            continue
        if all(view.reply is None or view.reply.conversation_id for other in execution.earlier(run) for view in other.calls):
            yield from _unasked(run)
        for place, view in enumerate(run.calls):
            if place or not any(other.calls and other.ending != "returned" for other in execution.earlier(run)):
                yield from hosted_request(execution, run, place, view, agent)


@rule("THR-07", needs=["threads.hosted"])
def hosted_threads_follow_the_id(execution: ExecutionView) -> Iterator[Finding]:
    """A hosted thread takes its id from the first reply and uses the latest id from then on, also within the same run.

    Leaves alone: local threads on services that return an id nobody asked for (PER-34, PER-36), and the first request after a run
    that failed or waits (PER-28, PER-29).
    """
    for run, thread, agent in execution.agent_runs():
        surprised = agent.service.surprising and made_local(execution, run)
        if kind_before(execution, run) != "hosted" or surprised or not undisputed(execution, run):
            continue
        latest = latest_id(execution.earlier(run))
        known = all(other.succeeded or not other.calls for other in execution.earlier(run))
        for view in run.calls:
            if latest is not None and known:
                got = view.request.conversation_id
                yield finding(
                    got == latest,
                    view.at,
                    expected=f"a request that names conversation {latest!r}, the latest id of thread {thread!r}",
                    got=f"conversation {got!r}",
                )
            if view.reply is not None and view.reply.conversation_id is not None:
                latest, known = view.reply.conversation_id, True
        for at, state in states_after(execution, run) if run.succeeded and run.brought_id and not run.answered_requests else ():
            yield finding(
                state.conversation_id == latest,
                at,
                expected=f"thread {thread!r} with conversation {latest!r}, the latest id",
                got=f"conversation {state.conversation_id!r}",
                also=[run.at],
            )


@rule("THR-08", needs=["threads.hosted", "threads.with_id"])
def a_given_id_is_sent_at_once(execution: ExecutionView) -> Iterator[Finding]:
    """A hosted thread that is created with a conversation id sends that id in its first request."""
    for run, thread, _ in execution.agent_runs():
        id = execution.id_given(thread)
        if id is None or contradicts(execution, run) or any(other.calls for other in execution.earlier(run)):
            continue
        got = run.calls[0].request.conversation_id if run.calls else None
        yield finding(
            got == id,
            run.sign,
            expected=f"a first request that names conversation {id!r}",
            got=f"conversation {got!r}" if run.calls else outcome(run),
        )


@rule("THR-09")
def a_turn_has_one_home(execution: ExecutionView) -> Iterator[Finding]:
    """After a successful run every message of the turn is kept in one place: by the thread, its history provider, or the service.

    Neither in both nor in none. Also where the options contradicted the thread and were let through. Leaves alone: trailing results
    (PER-14, PER-15), a declared copy that a provider writes and never loads, services that keep what nobody asked them to keep
    (PER-32 ff.), stacks whose history is the caller's, threads that do not show their messages, runs that waited for approvals.
    """
    for run, _, agent in execution.agent_runs():
        if (
            not run.succeeded
            or run.answered_requests
            or agent.service.surprising
            or persistence_of(agent) == "not"
            or not run.calls
        ):
            continue
        after = states_after(execution, run)
        if not after or (agent.history == "default" and after[-1][1].messages is None and kind_after(execution, run) == "local"):
            continue
        turn = run.happened(trailing=False)
        local = _gained(execution, run, after[-1][1])
        # what the service keeps under a name that nobody was told is nobody's home
        named = [view for view in run.calls if view.reply and (view.reply.conversation_id or view.request.conversation_id)]
        kept = [view for view in named if view.reply and view.reply.kept]
        service = execution.heard(
            [message for view in kept if view.reply for message in (*view.request.messages, view.reply.message)]
        )
        copy = execution.policies.provider_copy == "written" and agent.history == "provider"
        twice = [part for part in turn if part in local and part in service and not copy]
        nowhere = [part for part in turn if part not in local and part not in service]
        yield finding(
            not twice and not nowhere,
            after[-1][0],
            expected="every message of the turn in one place",
            got=f"in both: {show(twice)}" if twice else f"in none: {show(nowhere)}",
            also=[run.at],
        )


@rule("THR-10")
def the_model_sees_every_earlier_turn(execution: ExecutionView) -> Iterator[Finding]:
    """On every later turn the model sees each message of the successful earlier turns exactly once, in order.

    What it sees is the request plus, for a conversation id, what the service holds under it. Leaves alone: stacks whose history is
    the caller's, messages of failed turns (they may be seen, once), requests that the service refuses, trailing results (PER-14,
    PER-15), a `conversation_id` that contradicts (THR-14, THR-15), reducers (THR-34), other agents (THR-04, THR-33).
    """
    for run, thread, agent in execution.agent_runs():
        before = [other for other in execution.earlier(run) if other.calls]
        done = [other for other in before if other.succeeded]
        elsewhere = any(other.named_id and contradicts(execution, other) for other in [*before, run])
        others = any(other.agent_name != run.agent_name for other in before) or execution.forked(run) or execution.tampered(run)
        if not done or elsewhere or others or persistence_of(agent) == "not" or agent.reduces_to is not None:
            continue
        if any(other.ending == "unknown" for other in before):
            continue
        required = [part for other in done for part in other.happened(trailing=False)]
        optional = Counter(part for other in before for part in other.happened())
        for view in run.calls:
            if view.reply is None:
                continue
            now = run.happened(before=view.request.call)
            seen = execution.spoken([*view.request.held, *view.request.messages], agent)
            yield finding(
                once_in_order(seen, required + now, optional + Counter(now)),
                view.at,
                expected=f"thread {thread!r} so far, each message once and in order: {show(required + now)}",
                got=f"the model sees {show(seen)}",
                also=[other.at for other in done],
            )


@rule("THR-11", needs=["threads.hosted", "service.without_id"])
def a_missing_id_is_an_error(execution: ExecutionView) -> Iterator[Finding]:
    """A reply without a conversation id, on a hosted thread that has one, is an error of kind conflict or service; the id stays.

    Leaves alone: threads that have no id yet (THR-10), which of the ids stays that came within the run, services that keep
    what nobody asked them to keep (PER-32 ff.).
    """
    for run, thread, _ in execution.agent_runs():
        if kind_before(execution, run) != "hosted" or run.agent.service.surprising or not undisputed(execution, run):
            continue
        before = execution.id_before(run)
        ids = {before} - {None}
        for view in run.calls:
            if view.reply is None:
                continue
            if view.reply.conversation_id is not None:
                ids.add(view.reply.conversation_id)
            elif ids:
                kind = run.raised[1].kind if run.raised else None
                lost = [at for at, state in states_after(execution, run) if state.conversation_id not in {before, *ids}]
                yield finding(
                    kind in ("conflict", "service") and not lost,
                    lost[0] if lost else view.replied_at or view.at,
                    expected=f"an error of kind conflict or service, and thread {thread!r} with its id",
                    got=f"another id on the thread than {sorted(filter(None, ids))}" if lost else outcome(run),
                    also=[view.at],
                )
                break


def _unasked(run: RunView) -> Iterator[Finding]:
    """A well-formed run that ends in an error before any request: nothing that the service said or a tool did can be its reason."""
    if not run.calls and run.raised is not None:
        yield finding(False, run.raised[0], expected="a request, since nothing is wrong with this run", got=outcome(run))


def _gained(execution: ExecutionView, run: RunView, after: ThreadDescribed) -> Counter[Part]:
    """What a run added to local history: on the thread itself or by appends of a provider."""
    before = execution.described(run.thread, before=run.at)
    own = Counter(execution.heard(after.messages or ()))
    own.subtract(execution.heard(before.messages or ()) if before else ())
    return +own + Counter(execution.heard(run.stored_messages))
