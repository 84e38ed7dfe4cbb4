"""The persistence rules about conversation ids: the sentinel that is none, and the ids of a service that manages the history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from conformance.rules.execution_view import ExecutionView, states_after
from conformance.rules.model import contradicts, kind_before, overtaken, persistence_of, timing_of, undisputed
from conformance.rules.persistence.history import calls_waited_for, kept_runs, kept_unnamed, stored_by_end
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import outcome, show
from conformance.scenario.scenario import Respond
from conformance.scenario.specs import ToolSpec
from conformance.trace.adapter_events import Observed, Restored, ThreadDescribed
from conformance.trace.harness_events import HistoryLoaded, ServiceFailed, ToolCalled
from conformance.trace.messages import Part

_SORTS = ("call", "result")


@rule("PER-26", needs=["history.per_service_call"])
def the_sentinel_stays_inside(execution: ExecutionView) -> Iterator[Finding]:
    """The sentinel never reaches the service, in any request of any run.

    Every conversation id in a request must be one that the service issued. Exercised from the second request of a thread on.
    """
    for run, _, agent in execution.agent_runs():
        if persistence_of(agent) != "per call":
            continue
        for place, view in enumerate(run.calls):
            id = view.request.conversation_id
            issued = id is None or not id.startswith("foreign-")
            if place or execution.earlier(run) or not issued:
                yield finding(
                    issued,
                    view.at,
                    expected="no conversation id, or one that the service issued",
                    got=f"the made-up id {id!r}",
                )


@rule("PER-27", needs=["history.provider", "history.per_service_call"])
def the_sentinel_is_no_id(execution: ExecutionView) -> Iterator[Finding]:
    """The sentinel never passes for a service's id: the thread is still local, and its next run loads and raises no conflict.

    A serialized and restored thread likewise. Leaves alone runs that fail for another reason, and loads where a service keeps by
    default without naming the conversation: a client may rely on it, and has no sentinel then (PER-08).
    """
    for run, _, agent in execution.agent_runs():
        named = any(each.brought_id for each in [*execution.earlier(run), run])
        if timing_of(run) != "per call" or named or not undisputed(execution, run) or run.ending in ("unknown", "refused"):
            continue
        if run.calls and kind_before(execution, run) == "local":
            restored = [(at, state) for at, state in execution.of(ThreadDescribed) if _fresh_from(execution, state, run)]
            for at, state in [*states_after(execution, run), *_states_at_end(execution, run), *_looks(run), *restored]:
                yield finding(
                    state.kind in ("local", None) and state.conversation_id is None,
                    at,
                    expected="a local thread without a conversation id",
                    got=f"a thread of kind {state.kind} with conversation {state.conversation_id!r}",
                    also=[run.at],
                )
        before = execution.earlier(run)
        loads = agent.history == "provider" and kind_before(execution, run) == "local" and not kept_unnamed(execution, run)
        if loads and any(timing_of(each) == "per call" and each.calls for each in before):
            first = run.calls[0].at if run.calls else run.events[-1][0]
            loads = [at for at, _ in run.own(HistoryLoaded) if at < first]
            conflict = run.raised is not None and run.raised[1].kind == "conflict"
            expected = not run.calls or bool(loads)
            yield finding(
                expected and not conflict,
                run.sign,
                expected="history loaded before the first service call, and no conflict",
                got=outcome(run) if conflict else "no load",
                also=[before[-1].at],
            )


@rule("PER-28", needs=["history.per_service_call", "threads.hosted"])
def ids_are_updated_after_each_call(execution: ExecutionView) -> Iterator[Finding]:
    """With `per_service_call` and a service that returns ids, the thread's id is updated right after each call.

    So a tool that looks at it within the run sees the id of the latest reply, and a failure at call *k* leaves the id of call k-1.
    """
    for run in _managed(execution):
        if timing_of(run) != "per call":
            continue
        before = execution.id_before(run)
        for at, look in _looks(run):
            expected = _latest(execution, run, before, at)
            yield _id_is(expected, look.conversation_id, at, run, "while a tool runs")
        if run.calls and run.ending != "waiting" and not overtaken(execution, run):
            expected = _latest(execution, run, before, run.events[-1][0])
            for at, state in _states_at_end(execution, run):
                got = state.conversation_id
                if run.ending == "abandoned" and got == _latest(execution, run, before, run.calls[-1].at):
                    expected = got  # the reply that its consumer left may not have been taken in
                yield _id_is(expected, got, at, run, f"after the run, which {run.ending}")


@rule("PER-29", needs=["history.per_run", "threads.hosted"])
def ids_are_updated_at_the_end(execution: ExecutionView) -> Iterator[Finding]:
    """Without `per_service_call` the thread's id is updated at the end of a run that succeeds; a failed run leaves the old id.

    Leaves alone runs that were resumed: each part of them has an end.
    """
    for run in _managed(execution):
        if run.agent.per_service_call or not run.calls:
            continue
        before = execution.id_before(run)
        for at, look in _looks(run) if not run.answered_requests else ():
            yield _id_is(before, look.conversation_id, at, run, "while a tool runs")
        if run.ending in ("raised", "cancelled", "returned"):
            expected = _latest(execution, run, before, run.events[-1][0]) if run.succeeded else before
            for at, state in _states_at_end(execution, run) if run.succeeded or not run.answered_requests else ():
                yield _id_is(expected, state.conversation_id, at, run, f"after the run, which {run.ending}")


@rule("PER-30", needs=["threads.hosted"])
def a_managed_conversation_gets_what_is_new(execution: ExecutionView) -> Iterator[Finding]:
    """Where the service manages the history, requests carry the latest id and only new messages; nothing is sent twice.

    Leaves alone what context providers add.
    """
    for run in _managed(execution):
        before = execution.id_before(run)
        for place, view in enumerate(run.calls):
            new = run.new_in(place)
            id = _latest(execution, run, before, view.at)
            got = execution.spoken(view.request.messages, run.agent)
            yield finding(
                view.request.conversation_id == id and got == new,
                view.at,
                expected=f"conversation id {id}, and only what is new: {show(new)}",
                got=f"conversation id {view.request.conversation_id}, messages {show(got)}",
            )


@rule("PER-31", needs=["tools.approval"])
def an_approved_call_is_sent_once(execution: ExecutionView) -> Iterator[Finding]:
    """Resuming after an approval sends each function call once and each result once; a rejected call is not run.

    In every cell and on hosted threads, in the request that resumes and in all later ones of the thread; what is stored holds each
    once too, also a rejection. Where storing is the caller's responsibility (PER-04) nothing is sent or stored twice. Leaves alone
    runs that another one of the thread overtook, and services whose call ids come back: there is no telling the calls apart.
    """
    for run, _, agent in execution.agent_runs():
        asked = calls_waited_for(run)
        if (
            not asked
            or not run.answered_requests
            or contradicts(execution, run)
            or run.of(ServiceFailed)
            or run.ending == "unknown"
        ):
            continue
        if agent.service.repeats_call_ids:
            continue
        ids = {call.id for call in asked}
        answers = _answers(execution, run)
        if len(answers) < len({call.id for call in asked if _needs_approval(agent.tools, call.tool)}):
            continue  # some of them still wait
        if overtaken(execution, run):
            continue
        yield from _once_in_later_runs(execution, run, ids)
        alone = timing_of(run) == "not" and kind_before(execution, run) != "hosted"
        resumed_at = next(at for at, event in run.events if event.step != execution.trace.events[run.at].step)
        later = [view for view in run.calls if view.at > resumed_at]
        for view in later:
            decided = {call.id for call in calls_waited_for(run, before=view.at)}
            seen = Counter(_of(decided, execution.heard([*view.request.held, *view.request.messages])))
            yield _once(seen, decided, view.at, "sent", at_most=alone)
        if any(each is run for each in kept_runs(execution)) and timing_of(run) != "not" and run.succeeded:
            yield _once(Counter(_of(ids, stored_by_end(execution, run))), ids, run.events[-1][0], "stored")
        ran = [(at, event) for at, event in run.own(ToolCalled) if event.id in ids and _needs_approval(agent.tools, event.tool)]
        yield finding(
            len(ran) == sum(answers),
            ran[-1][0] if ran else resumed_at,
            expected=f"{sum(answers)} calls run, as so many answers were yes",
            got=f"{len(ran)} calls run",
            also=[resumed_at],
        )


def _managed(execution: ExecutionView) -> Iterator[RunView]:
    """Runs on threads that were created hosted, on services that name the conversation, and that nothing contradicts."""
    for run, thread, _ in execution.agent_runs():
        if execution.scenario.kind_of(thread) != "hosted" or run.ending in ("unknown", "refused"):
            continue
        if not undisputed(execution, run) or execution.forked(run):
            continue
        replies = [view.reply for each in [*execution.earlier(run), run] for view in each.calls if view.reply]
        if all(reply.conversation_id is not None for reply in replies):
            yield run


def _fresh_from(execution: ExecutionView, state: ThreadDescribed, run: RunView) -> bool:
    """Whether a thread was just restored from the run's, as that was when the run was over."""
    origin = execution.origin(state.thread)
    made = any(event.thread == state.thread and event.step == state.step for _, event in execution.of(Restored))
    if not made or origin is None or origin[0] != run.thread or origin[1] < run.events[-1][0]:
        return False
    return not any(other.thread == run.thread and run.at < other.at < origin[1] for other in execution.runs)


def _states_at_end(execution: ExecutionView, run: RunView) -> list[tuple[int, ThreadDescribed]]:
    """How the run's thread is described when the step is over in which the run ended."""
    step = run.events[-1][1].step
    return [(at, state) for at, state in execution.of(ThreadDescribed) if state.thread == run.thread and state.step <= step][-1:]


def _latest(execution: ExecutionView, run: RunView, before: str | None, at: int) -> str | None:
    """The id of the latest reply on the run's thread since the run began, before a position; `before` where there is none.

    Also one of another run: while this one waits for an approval, the conversation may go on.
    """
    calls = [view for other in execution.runs if other.thread == run.thread for view in other.calls]
    replied = [(view.replied_at, view.reply) for view in calls if view.replied_at is not None and view.reply is not None]
    since = [(where, reply) for where, reply in replied if run.at < where < at]
    return max(since, key=lambda each: each[0])[1].conversation_id if since else before


def _looks(run: RunView) -> list[tuple[int, Observed]]:
    return [(at, look) for at, look in run.own(Observed) if look.moment == "within"]


def _id_is(expected: str | None, got: str | None, at: int, run: RunView, when: str) -> Finding:
    return finding(got == expected, at, expected=f"conversation id {expected} {when}", got=f"conversation id {got}", also=[run.at])


def _once_in_later_runs(execution: ExecutionView, run: RunView, ids: set[str]) -> Iterator[Finding]:
    """The calls that a run waited for are there once in every later request of its thread too."""
    if not run.succeeded or run.agent.reduces_to is not None or timing_of(run) == "not":
        return
    for later in execution.runs:
        after = later.thread is not None and any(each is run for each in execution.earlier(later))
        if after and later.agent_name == run.agent_name and timing_of(later) != "not" and undisputed(execution, later):
            for view in later.calls:
                seen = Counter(_of(ids, execution.heard([*view.request.held, *view.request.messages])))
                yield _once(seen, ids, view.at, "sent")


def _answers(execution: ExecutionView, run: RunView) -> list[bool]:
    """The answers that the run got, in order."""
    steps = [execution.scenario.steps[step] for step in dict.fromkeys(event.step for _, event in run.events)]
    return [step.approve for step in steps if isinstance(step, Respond)]


def _needs_approval(tools: Mapping[str, ToolSpec], tool: str) -> bool:
    return tool in tools and tools[tool].approval


def _of(ids: set[str], said: list[Part]) -> list[Part]:
    return [part for part in said if part[0] in ("call", "result") and part[1] in ids]


def _once(seen: Counter[Part], ids: set[str], at: int, what: str, *, at_most: bool = False) -> Finding:
    """Whether each call and each result is there once; `at_most`: or not at all."""
    counts = {(sort, id): sum(count for part, count in seen.items() if part[:2] == (sort, id)) for id in ids for sort in _SORTS}
    fine = (0, 1) if at_most else (1,)
    wrong = [f"{sort} {id} {count} times" for (sort, id), count in sorted(counts.items()) if count not in fine]
    return finding(not wrong, at, expected=f"{what}: each call and each result once", got=", ".join(wrong) or show([]))
