"""The persistence rules: when chat history is appended, what must be in it, and what a conversation id in a reply means for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conformance.rules.case import Case
from conformance.rules.requests import show
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.scenario import AgentSpec
from conformance.trace import (
    Part,
    ServiceCalled,
    ServiceFailed,
    ThreadDescribed,
    ToolCalled,
    parts,
)


@rule("PER-01", needs=["history.provider", "history.per_run"])
def per_run_appends_once_at_the_end(case: Case) -> Iterator[Finding]:
    """With both settings off, a successful run makes exactly one append, after its last service call, with its input and response.

    Leaves alone: terminated runs (PER-15), runs that waited for approvals, services that return ids nobody asked for (PER-32 ff.).
    """
    for run, _, agent in _stored_locally(case):
        if case.persists(agent) != "per run" or agent.client_as_is or not run.succeeded or run.terminated or run.answered_requests:
            continue
        appends = run.stored
        last = max(view.replied_at or 0 for view in run.calls)
        expected = run.happened()
        right = len(appends) == 1 and appends[0][0] > last and case.heard(appends[0][1].messages) == expected
        yield finding(
            right,
            next((at for at, _ in appends), run.events[-1][0]),
            expected=f"one append after the last service call: {show(expected)}",
            got=f"{len(appends)} appends: {'; '.join(show(case.heard(event.messages)) for _, event in appends)}",
            also=[at for at, _ in appends[1:]],
        )


@rule("PER-02", needs=["history.provider", "history.per_service_call"])
def per_call_appends_after_every_call(case: Case) -> Iterator[Finding]:
    """With `per_service_call` there is one append after each service call, before the next tool runs or the next call starts.

    Leaves alone: services that return ids nobody asked for (PER-32 ff.), and what the appends hold (PER-09, PER-10, PER-17).
    """
    for run, _, agent in _stored_locally(case):
        if case.persists(agent) != "per call":
            continue
        appends = [at for at, _ in run.stored]
        goes_on = [at for at, event in run.events if isinstance(event, (ServiceCalled, ToolCalled))]
        replied = [view.replied_at for view in run.calls if view.replied_at is not None]
        for reply_at in replied:
            next_at = min((at for at in goes_on if at > reply_at), default=run.events[-1][0] + 1)
            between = [at for at in appends if reply_at < at < next_at]
            yield finding(
                len(between) == 1,
                between[1] if len(between) > 1 else reply_at,
                expected="exactly one append between this reply and what comes next",
                got=f"{len(between)} appends",
            )
        if replied:
            yield finding(
                len(appends) == len(replied),
                appends[-1] if appends else replied[-1],
                expected=f"{len(replied)} appends for {len(replied)} service calls",
                got=f"{len(appends)} appends",
            )


@rule("PER-09", needs=["history.provider"])
def no_message_is_appended_twice(case: Case) -> Iterator[Finding]:
    """No message is appended twice, within a run or across runs.

    Sameness is the logical message, not its text: a text that was said twice may be stored twice. Exercised where something was
    appended after an earlier append of the same thread. Leaves alone: order (PER-11), losses (PER-10).
    """
    for thread in threads_of(case):
        occurred = Counter(part for run in case.runs if run.thread == thread for part in run.happened())
        stored: Counter[Part] = Counter()
        first_at: dict[Part, int] = {}
        for place, (at, event) in enumerate(case.appends(thread)):
            new = case.heard(event.messages)
            stored.update(new)
            twice = [part for part in new if part in occurred and stored[part] > occurred[part]]
            if place:
                yield finding(
                    not twice,
                    at,
                    expected=f"what happened on thread {thread!r}, each message once",
                    got=f"appended again: {show(twice)}",
                    also=sorted({first_at[part] for part in twice if part in first_at}),
                )
            for part in new:
                first_at.setdefault(part, at)


@rule("PER-10", needs=["history.provider"])
def nothing_is_lost(case: Case) -> Iterator[Finding]:
    """After a successful run the appended messages are the run's input and response messages, all of them.

    Leaves alone: trailing results of a terminated run (PER-14, PER-15), the caller's own stack (PER-04).
    """
    for run, _, agent in _stored_locally(case):
        if case.persists(agent) == "not" or not run.succeeded:
            continue
        appended = Counter(case.heard(run.stored_messages))
        lost = Counter(run.happened(trailing=False)) - appended
        yield finding(
            not lost,
            run.events[-1][0],
            expected=f"appended: {show(run.happened(trailing=False))}",
            got=f"lost: {show(list(lost.elements()))}",
            also=[at for at, _ in run.stored],
        )


@rule("PER-14", needs=["history.provider", "history.per_service_call", "tools.terminate"])
def a_trailing_result_is_not_stored_per_call(case: Case) -> Iterator[Finding]:
    """With `per_service_call`, a terminated run does not store the trailing result: the assistant's calls are stored last.

    Leaves alone: per-run persistence, where it is a policy (PER-15).
    """
    for run, _, agent in _stored_locally(case):
        if case.persists(agent) != "per call" or not run.terminated or not run.succeeded:
            continue
        stored = case.heard(run.stored_messages)
        replies = [view.reply.message for view in run.calls if view.reply is not None]
        wanted = parts(replies[-1:])
        yield finding(
            bool(replies) and stored[-len(wanted) :] == wanted,
            run.stored[-1][0] if stored else run.events[-1][0],
            expected=f"stored last: {show(wanted)}",
            got=f"stored: {show(stored)}",
        )


@rule("PER-19", needs=["history.provider", "history.per_service_call"])
def a_failing_call_keeps_the_earlier_ones(case: Case) -> Iterator[Finding]:
    """With `per_service_call`, failing service call *k* leaves the messages of calls 1 to k-1 stored and raises its error.

    Leaves alone: failures that are not the service's (PER-24).
    """
    for run, _, agent in _stored_locally(case):
        failed = run.own(ServiceFailed)
        if case.persists(agent) != "per call" or not failed:
            continue
        stored = case.heard(run.stored_messages)
        expected = run.happened(trailing=False) if any(view.reply for view in run.calls) else []
        kind = run.raised[1].kind if run.raised else None
        yield finding(
            stored == expected and kind == "service",
            failed[-1][0],
            expected=f"stored: {show(expected)}, and an error of kind service",
            got=f"stored: {show(stored)}, and {f'an error of kind {kind}' if kind else 'no error'}",
            also=[at for at, _ in run.stored],
        )


@rule("PER-20", needs=["history.per_run"])
def a_failing_run_stores_nothing(case: Case) -> Iterator[Finding]:
    """With per-run persistence, a run in which any service call fails stores nothing, and the thread's messages are as before.

    Leaves alone: failures that are not the service's (PER-24).
    """
    for run, thread, agent in case.agent_runs():
        failed = run.own(ServiceFailed)
        if case.persists(agent) != "per run" or not failed or case.kind_before(run) != "local" or agent.service.surprising:
            continue
        appends = [at for at, _ in run.stored]
        grown = _grown(case, run, thread)
        yield finding(
            not appends and not grown,
            [*appends, *grown, failed[-1][0]][0],
            expected="nothing of the failed run is stored",
            got=f"{len(appends)} appends" if appends else "the thread's messages changed",
            also=[failed[-1][0]],
        )


def _stored_locally(case: Case) -> Iterator[tuple[RunView, str, AgentSpec]]:
    """Runs whose history a provider must keep: local, explicitly configured, and no service that keeps it unasked."""
    for run, thread, agent in case.agent_runs():
        local = case.kind_before(run) == "local" and agent.history == "provider" and not agent.service.surprising
        if local and run.calls and not run.contradicts and run.ending != "unknown":
            yield run, thread, agent


def threads_of(case: Case, kind: str = "local") -> list[str]:
    """The threads of a kind on which something ran."""
    found = dict.fromkeys(run.thread for run in case.runs if run.thread is not None)
    return [thread for thread in found if case.scenario.kind_of(thread) == kind]


def _grown(case: Case, run: RunView, thread: str) -> list[int]:
    """Where the thread shows other messages after the run than before it."""
    states = [(at, state) for at, state in case.of(ThreadDescribed) if state.thread == thread and state.messages is not None]
    step = case.trace.events[run.at].step
    before = [state.messages for _, state in states if state.step < step]
    return [at for at, state in states if state.step == step and before and state.messages != before[-1]]
