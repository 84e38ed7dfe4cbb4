"""The threads rules about kinds: what a local and a hosted thread mean for a request, and for each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from conformance.rules.case import Case
from conformance.rules.requests import (
    accepted,
    created_hosted,
    history_known,
    hosted_request,
    latest_id,
    local_request,
    outcome,
    show,
    strayed,
)
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.scenario import CreateThread, Run
from conformance.trace import (
    ContextInvoking,
    Part,
    Raised,
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

    Each message once, in order, then the new input. Leaves alone: contradicting options (THR-12, THR-15) and what follows on them,
    services that return an id nobody asked for (PER-32 ff.), stacks whose history is the caller's business (PER-04), runs after one
    that was terminated (PER-16) or waits, or that failed where the time of persisting is not declared.
    """
    for run, _, agent in case.agent_runs():
        if case.kind_before(run) != "local" or run.contradicts or agent.service.surprising or not history_known(case, run, agent):
            continue
        history = case.local_history(run)
        yield from _unasked(run)
        for view in run.calls:
            expected = history + run.happened(before=view.request.call)
            yield from local_request(case, view, agent, expected)


@rule("THR-06", needs=["threads.hosted"])
def hosted_requests_carry_what_is_new(case: Case) -> Iterator[Finding]:
    """Every request of a run on a hosted thread says to store, names the thread's conversation and carries only what is new.

    Leaves alone: contradicting options (THR-13, THR-14) and what follows on one that was let through, and what a request must carry
    after a reply without an id (THR-10); threads that were created local, and the first request after a run that did not succeed.
    """
    for run, _, agent in case.agent_runs():
        well_formed = not run.contradicts and not accepted(case, run)
        if case.kind_before(run) == "hosted" and created_hosted(case, run) and well_formed:
            if all(view.reply is None or view.reply.conversation_id for other in case.earlier(run) for view in other.calls):
                yield from _unasked(run)
            for place, view in enumerate(run.calls):
                if place or not any(other.ending != "returned" for other in case.earlier(run)):
                    yield from hosted_request(case, run, place, view, agent)


@rule("THR-07", needs=["threads.hosted"])
def hosted_threads_follow_the_id(case: Case) -> Iterator[Finding]:
    """A hosted thread takes its id from the first reply and uses the latest id from then on, also within the same run.

    Leaves alone: local threads on services that return an id nobody asked for (PER-34, PER-36), and the first request after a run
    that failed or waits (PER-28, PER-29).
    """
    for run, thread, agent in case.agent_runs():
        surprised = agent.service.surprising and not created_hosted(case, run)
        if case.kind_before(run) != "hosted" or run.contradicts or surprised:
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

    What it sees is the request plus, for a conversation id, what the service holds under it. Leaves alone: stacks whose history is
    the caller's, messages of failed turns (they may be seen, once), requests that the service refuses, trailing results (PER-14,
    PER-15), a `conversation_id` that contradicts (THR-14, THR-15).
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


def _unasked(run: RunView) -> Iterator[Finding]:
    """A well-formed run that ends in an error before any request: nothing that the service said or a tool did can be its reason."""
    if not run.calls and run.raised is not None:
        yield finding(False, run.raised[0], expected="a request, since nothing is wrong with this run", got=outcome(run))


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
