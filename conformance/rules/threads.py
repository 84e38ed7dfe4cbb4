"""The threads rules: local and hosted threads, and what `store` and `conversation_id` may say about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from conformance.rules.case import Case, RunView
from conformance.rules.requests import (
    accepted,
    change,
    created_hosted,
    history_known,
    hosted_request,
    latest_id,
    local_request,
    outcome,
    refused,
    show,
    strayed,
    transition,
    warned,
)
from conformance.rules.rule import Finding, finding, rule
from conformance.scenario import CreateThread, Run
from conformance.trace import (
    ContextInvoked,
    ContextInvoking,
    HistoryAppended,
    HistoryLoaded,
    Part,
    Raised,
    ServiceCalled,
    ThreadDescribed,
)


@rule("THR-01")
def local_threads_everywhere(case: Case) -> Iterator[Finding]:
    """A local thread can be created on every agent, whatever its chat client supports.

    Leaves alone what a local thread does afterwards (THR-05).
    """
    for number, step in enumerate(case.scenario.steps):
        if not (isinstance(step, CreateThread) and step.kind == "local"):
            continue
        for at, event in enumerate(case.trace.events):
            if event.step == number and isinstance(event, (Raised, ThreadDescribed)):
                created = isinstance(event, ThreadDescribed) and event.kind != "hosted"
                yield finding(created, at, expected=f"a local thread {step.thread!r} on agent {step.agent!r}", got=_end(event))
                break


@rule("THR-05")
def local_requests_carry_everything(case: Case) -> Iterator[Finding]:
    """Every request of a run on a local thread says not to store, names no conversation and carries the whole conversation.

    Each message once, in order, then the new input. Leaves alone: contradicting options (THR-12, THR-15), services that return an
    id nobody asked for (PER-32 ff.), stacks whose history is the caller's business (PER-04), runs after a terminated one (PER-16).
    """
    for run, _, agent in case.agent_runs():
        if case.kind_before(run) != "local" or run.contradicts or agent.service.surprising or not history_known(case, run, agent):
            continue
        history = case.local_history(run)
        for view in run.calls:
            expected = history + run.happened(before=view.request.call)
            yield from local_request(case, view, agent, expected)


@rule("THR-06", needs=["threads.hosted"])
def hosted_requests_carry_what_is_new(case: Case) -> Iterator[Finding]:
    """Every request of a run on a hosted thread says to store, names the thread's conversation and carries only what is new.

    Leaves alone: contradicting options (THR-13, THR-14) and what follows on one that was let through, and what a request must carry
    after a reply without an id (THR-10).
    """
    for run, _, agent in case.agent_runs():
        well_formed = not run.contradicts and not accepted(case, run)
        if case.kind_before(run) == "hosted" and created_hosted(case, run) and well_formed:
            for place, view in enumerate(run.calls):
                if place or not any(other.ending != "returned" for other in case.earlier(run)):
                    yield from hosted_request(case, run, place, view, agent)


@rule("THR-07", needs=["threads.hosted"])
def hosted_threads_follow_the_id(case: Case) -> Iterator[Finding]:
    """A hosted thread takes its id from the first reply and uses the latest id from then on, also within the same run.

    Leaves alone: the first request after a run that failed or waits (PER-28, PER-29).
    """
    for run, thread, _ in case.agent_runs():
        if case.kind_before(run) != "hosted" or run.contradicts:
            continue
        latest = latest_id(case.earlier(run))
        known = all(other.succeeded or not other.calls for other in case.earlier(run))
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


@rule("THR-10")
def the_model_sees_every_earlier_turn(case: Case) -> Iterator[Finding]:
    """On every later turn the model sees each message of the successful earlier turns exactly once, in order.

    What it sees is the request plus, for a conversation id, what the service holds under it. Leaves alone: messages of failed turns
    (they may be seen, once), requests that the service refuses, trailing results (PER-14, PER-15), a `conversation_id` that
    contradicts (THR-14, THR-15).
    """
    for run, thread, agent in case.agent_runs():
        before = [other for other in case.earlier(run) if other.calls]
        done = [other for other in before if other.succeeded]
        wrong_id = isinstance(run.spec, Run) and (run.spec.conversation_id == "other" or strayed(case, run))
        if not done or wrong_id or case.persists(agent) == "not" or any(other.ending == "unknown" for other in before):
            continue
        required = [part for other in done for part in other.happened(trailing=False)]
        optional = Counter(part for other in before for part in other.happened())
        for view in run.calls:
            if view.reply is None:
                continue
            now = run.happened(before=view.request.call)
            seen = case.spoken([*view.request.held, *view.request.messages], agent)
            yield finding(
                _once_in_order(seen, required + now, optional + Counter(now)),
                view.at,
                expected=f"thread {thread!r} so far, each message once and in order: {show(required + now)}",
                got=f"the model sees {show(seen)}",
                also=[other.at for other in done],
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
            case "transform" if agent.service.keeps != "nothing" and run.succeeded and not strayed(case, run):
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
        id = case.id_before(run)
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
    """A run that is refused for its options makes no request, appends nothing, calls no provider and changes no thread.

    And the next well-formed run is not refused. Leaves alone what an implementation does not refuse (THR-12 … THR-15), and
    surprising services, whose ids are refused after a call (PER-32).
    """
    marks = (ServiceCalled, HistoryLoaded, HistoryAppended, ContextInvoking, ContextInvoked)
    for run, thread, agent in case.agent_runs():
        refused_kind = run.raised is not None and run.raised[1].kind in ("conflict", "unsupported", "invalid")
        if not run.contradicts or not refused_kind or agent.service.surprising:
            continue
        left = [at for at, event in run.events if isinstance(event, marks)]
        changed = change(case, run, thread)
        after = next((other for other in case.runs if other.thread == thread and other.number > run.number), None)
        refused_next = after and not after.contradicts and not after.calls and after.raised and after.raised[1].kind == "conflict"
        trouble = [*left, *changed, *([after.at] if after and refused_next else [])]
        yield finding(
            not trouble,
            trouble[0] if trouble else run.at,
            expected="nothing but the error: no request, no append, no provider call, the thread as before",
            got="the refused run left a mark" if left or changed else "the next well-formed run is refused too",
            also=trouble[1:],
        )


@rule("THR-25")
def threads_are_isolated(case: Case) -> Iterator[Finding]:
    """Threads on one agent never see each other's messages, ids or context state, also when their runs interleave.

    Leaves alone: what a thread sees of itself (THR-05, THR-06, THR-10), and texts that were said on both.
    """
    for run, thread, agent in case.agent_runs():
        others = [other for other in case.runs if other.thread not in (None, thread) and _same_agent(case, other, thread)]
        foreign_ids = {view.reply.conversation_id for other in others for view in other.calls if view.reply} - {None}
        own_ids = {view.reply.conversation_id for own in [*case.earlier(run), run] for view in own.calls if view.reply}
        if not any(other.at < run.events[-1][0] for other in others):
            continue
        own = Counter(part for each in [*case.earlier(run), run] for part in each.happened())
        foreign = Counter(part for other in others for part in other.happened()) - own
        for view in run.calls:
            seen = Counter(case.spoken([*view.request.held, *view.request.messages], agent))
            strangers = [part for part in seen if part in foreign and not own[part]]
            id = view.request.conversation_id
            yield finding(
                not strangers and (id not in foreign_ids or id in own_ids),
                view.at,
                expected=f"a request with nothing of another thread than {thread!r}",
                got=f"messages of another thread: {show(strangers)}" if strangers else f"another thread's conversation {id!r}",
            )
        counted = sum(1 for each in [*case.earlier(run), run] if each.of(ContextInvoking))
        for at, event in run.of(ContextInvoking):
            runs = event.state.get("runs", 0)
            yield finding(
                runs < counted,
                at,
                expected=f"context state of thread {thread!r} alone: at most {counted - 1} earlier runs",
                got=f"a state that has seen {runs} runs",
            )


def _same_agent(case: Case, run: RunView, thread: str) -> bool:
    assert run.thread is not None
    return case.scenario.creation_of(run.thread).agent == case.scenario.creation_of(thread).agent


def _once_in_order(seen: Sequence[Part], required: Sequence[Part], allowed: Counter[Part]) -> bool:
    rest = iter(seen)
    return all(part in rest for part in required) and all(count <= allowed[part] for part, count in Counter(seen).items())


def _end(event: Raised | ThreadDescribed) -> str:
    if isinstance(event, Raised):
        return f"an error of kind {event.kind}: {event.text}"
    return f"a thread of kind {event.kind}"
