"""The persistence rules about the settings: when history is loaded and appended, once a run or at every service call."""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import contradicts, kind_before, overtaken, timing_of
from conformance.rules.pairs import Member, by_order, pairs
from conformance.rules.parts import by_number
from conformance.rules.persistence.history import decorated, gained, grown, kept_runs, plain, stored_before
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import CallView, RunView
from conformance.rules.wording import show
from conformance.scenario.scenario import CreateThread, Restore, Run
from conformance.trace.adapter_events import Observed, RequestPending, RunReturned
from conformance.trace.harness_events import (
    HistoryAppended,
    HistoryFailed,
    HistoryLoaded,
    ServiceCalled,
    ServiceFailed,
    ToolCalled,
    ToolRaised,
    Warned,
)
from conformance.trace.messages import Part

ABOUT_PERSISTING = re.compile(r"per.?service.?call|persist|decorator", re.I)
"""How a warning sounds that is about when history is persisted."""


@rule("PER-01", needs=["history.provider", "history.per_run"])
def per_run_appendsonce_at_the_end(execution: ExecutionView) -> Iterator[Finding]:
    """With both settings off, a successful run makes exactly one append, after its last service call, with its input and response.

    Leaves alone: terminated runs (PER-15), runs that waited for approvals or reached a limit (PER-44), services that return ids
    nobody asked for (PER-32 ff.).
    """
    for run in kept_runs(execution):
        if timing_of(run) == "per run" and not run.agent.client_as_is:
            yield from once_at_the_end(execution, run)


@rule("PER-02", needs=["history.provider", "history.per_service_call"])
def per_call_appends_after_every_call(execution: ExecutionView) -> Iterator[Finding]:
    """With `per_service_call` there is one append after each service call, before the next tool runs or the next call starts.

    Leaves alone: services that return ids nobody asked for (PER-32 ff.), what the appends hold (PER-09, PER-10, PER-17), an append
    that fails (PER-24), and the call in which a stream is abandoned (PER-25).
    """
    for run in kept_runs(execution):
        if timing_of(run) == "per call" and not run.agent.client_as_is:
            yield from once_after_each_call(run)


@rule("PER-03", needs=["history.provider", "history.per_run", "history.client_as_is"])
def as_is_persists_per_run(execution: ExecutionView) -> Iterator[Finding]:
    """With `client_as_is` alone, a successful run makes one append after its last service call, and nothing is injected.

    So its requests carry no made-up conversation id, history is loaded once, before the first of them, and where an agent without
    the setting runs the same script on equal terms, its requests are the same.
    """
    for run in kept_runs(execution):
        if timing_of(run) != "per run" or not run.agent.client_as_is or run.agent.per_service_call:
            continue
        yield from once_at_the_end(execution, run)
        foreign = [view.at for view in run.calls if view.request.conversation_id is not None]
        loads = [at for at, _ in run.own(HistoryLoaded)]
        late = [at for at in loads if not run.answered_requests and run.calls and run.calls[0].at < at < run.calls[-1].at]
        yield finding(
            not foreign and not late,
            [*foreign, *late, run.at][0],
            expected="one load before the first request, and requests without a conversation id",
            got=f"{len(loads)} loads, {len(foreign)} requests with a conversation id",
        )
    for first, second in pairs(execution):
        if _cell(first) == "M1" and _cell(second) == "M3" and _equal_terms(first, second):
            yield from _same_requests(execution, first, second)


@rule("PER-04", needs=["history.provider", "history.per_service_call", "history.client_as_is"])
def as_is_without_the_decorator_warns_and_appends_nothing(execution: ExecutionView) -> Iterator[Finding]:
    """With both settings and no decorator there is exactly one warning, before the first call, and the framework appends nothing.

    The run still works. Leaves alone, on surprising services: warnings, which may be of conflicts in the same words, and conflicts.
    """
    bare = [name for name in _built(execution) if _is_bare(execution, name)]
    warned = [at for at, event in execution.of(Warned) if ABOUT_PERSISTING.search(event.text)]
    if not bare or _has_special_runs(execution):
        return
    for place, name in enumerate(bare):
        raised = [run.raised for run in _runs_of(execution, name) if run.raised is not None and _untroubled(execution, run)]
        broken = [at for at, error in raised if _only_settings(execution) or error.kind != "conflict"]
        called = [at for at, event in execution.of(ServiceCalled) if event.agent == name] or broken
        if not called:
            continue
        if _only_settings(execution):
            early = place < len(warned) and warned[place] < called[0]
            yield finding(
                early and len(warned) == len(bare),
                warned[place] if place < len(warned) else called[0],
                expected=f"one warning for agent {name!r}, before its first service call",
                got=f"{len(warned)} warnings for {len(bare)} such agents" + ("" if early else ", too late for this one"),
                also=[called[0]],
            )
        appends = [at for at, event in execution.of(HistoryAppended) if event.agent == name and event.messages]
        for run in _runs_of(execution, name):
            if run.calls and kind_before(execution, run) == "local" and timing_of(run) == "not":
                appends += grown(execution, run)
        yield finding(
            not appends and not broken,
            [*appends, *broken, called[0]][0],
            expected="no append, and runs that work",
            got=f"{len(appends)} appends" if appends else "a run that raised",
        )


@rule("PER-05", needs=["history.provider", "history.per_service_call", "history.client_as_is", "history.decorated"])
def as_is_with_the_decorator_persists_per_call(execution: ExecutionView) -> Iterator[Finding]:
    """With both settings and the decorator in the caller's stack there is no warning, and one append after each service call."""
    for run in kept_runs(execution):
        if timing_of(run) == "per call" and decorated(run.agent):
            yield from once_after_each_call(run)
    if any(_is_bare(execution, name) for name in _built(execution)) or not _only_settings(execution):
        return
    warned = [at for at, event in execution.of(Warned) if ABOUT_PERSISTING.search(event.text)]
    for name in _built(execution):
        called = [at for at, event in execution.of(ServiceCalled) if event.agent == name]
        if decorated(execution.scenario.agents[name]) and execution.scenario.agents[name].per_service_call and called:
            yield finding(not warned, [*warned, *called][0], expected="no warning", got=f"{len(warned)} warnings")


@rule("PER-06", needs=["history.provider", "history.per_run"])
def all_cells_give_the_same_response(execution: ExecutionView) -> Iterator[Finding]:
    """All cells of the matrix give the caller the same response for the same script, and leave the service the same requests.

    Up to where history is prepended, and up to the first run that fails or is terminated: after it the cells rightly differ in what
    they know. Judged on threads of one scenario with a history provider, on equal services, with one script.
    """
    for first, second in pairs(execution):
        if _cell(first) is None or _cell(first) == _cell(second) or not _equal_terms(first, second):
            continue
        for one, other in zip(first.runs, second.runs, strict=True):
            if one.supplied != other.supplied and by_order([one.inputs]) != by_order([other.inputs]):
                break
            bare = "M4 bare" in (_cell(first), _cell(second)) and one.answered_requests  # a resumed run has only what is stored
            told = [(_responses(execution, run), [] if bare else _own_parts(execution, run)) for run in (one, other)]
            same = [by_order([*responses, *requests]) for responses, requests in told]
            yield finding(
                same[0] == same[1] and one.ending == other.ending,
                other.events[-1][0],
                expected=f"as on thread {first.thread!r}: {_shown(told[0])}, and it {one.ending}",
                got=f"on thread {second.thread!r}: {_shown(told[1])}, and it {other.ending}",
                also=[one.events[-1][0]],
            )
            if not plain(one):
                break


@rule("PER-07", needs=["history.per_run"])
def both_settings_default_to_false(execution: ExecutionView) -> Iterator[Finding]:
    """Both settings default to false: an agent built without them keeps nothing before the end of a run.

    Neither in an explicit provider nor, as a tool that looks sees, on the thread itself; and it warns of nothing.
    """
    for run, _, agent in execution.agent_runs():
        local = kind_before(execution, run) == "local" and not run.brought_id
        if (
            agent.client_as_is
            or agent.per_service_call
            or contradicts(execution, run)
            or not local
            or not run.calls
            or _rebuilt(execution, run)
        ):
            continue
        goes_on = max(at for at, event in run.events if isinstance(event, (ServiceCalled, ToolCalled)))
        early = [at for at, _ in run.stored if at < goes_on and not run.of(RequestPending)]
        before = execution.described(run.thread, before=run.at)
        known = before.messages if before else None
        seen = [at for at, look in run.own(Observed) if look.moment == "within" and look.messages and look.messages != known]
        warned = [at for at, event in run.of(Warned) if ABOUT_PERSISTING.search(event.text)]
        wrong = [*early, *(seen if not run.of(RequestPending) else ()), *warned]
        yield finding(
            not wrong,
            min(wrong, default=run.at),
            expected="nothing kept before the last service call, and no warning",
            got=f"{len(early)} appends, {len(seen)} looks at messages of this run, {len(warned)} warnings",
        )


@rule("PER-08", needs=["history.provider", "history.per_service_call"])
def history_is_loaded_before_every_call(execution: ExecutionView) -> Iterator[Finding]:
    """With `per_service_call`, history is loaded before every service call: the stored history, then what is new, each once.

    Leaves alone the first run of an adaptive thread, of which nobody knows yet whether there will be any, and reducers.
    """
    for run in kept_runs(execution):
        if timing_of(run) != "per call" or run.agent.reduces_to is not None or kind_before(execution, run) == "adaptive":
            continue
        for place, view in enumerate(run.calls):
            since = _previous(run, place)
            loaded = any(since < at < view.at for at, _ in run.own(HistoryLoaded))
            stored = execution.spoken(stored_before(execution, run, view.at), run.agent)
            expected = by_number([*stored, *run.new_in(place)])
            got = execution.spoken(view.request.messages, run.agent)
            yield finding(
                loaded and got == expected,
                view.at,
                expected=f"a load, then a request with {show(expected)}",
                got=f"{'' if loaded else 'no load, '}{show(got)}",
            )


def once_at_the_end(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """What PER-01 asks of a successful run."""
    if run.answered_requests and not run.in_background:
        yield from _once_in_each_part(run)
    if not plain(run) or run.answered_requests or not run.calls:
        return
    last = max(view.replied_at or 0 for view in run.calls)
    expected = run.happened()
    right = len(run.stored) == 1 and run.stored[0][0] > last and gained(execution, run) == expected
    yield finding(
        right,
        next((at for at, _ in run.stored), run.events[-1][0]),
        expected=f"one append after the last service call: {show(expected)}",
        got=f"{len(run.stored)} appends: {'; '.join(show(execution.heard(event.messages)) for _, event in run.stored)}",
        also=[at for at, _ in run.stored[1:]],
    )


def _once_in_each_part(run: RunView) -> Iterator[Finding]:
    """Each part of a run that waited for answers has its own end, and nothing is appended before it."""
    for step in dict.fromkeys(event.step for _, event in run.events):
        called = [at for at, event in run.events if event.step == step and isinstance(event, ServiceCalled)]
        mine = [at for at, event in run.stored if event.step == step]
        early = [at for at in mine if called and at < called[-1]]
        if called:
            yield finding(
                not early and len(mine) < 2,
                [*early, *mine, called[-1]][0],
                expected="no more than one append, after the last service call of this part of the run",
                got=f"{len(mine)} appends, {len(early)} of them before that",
            )


def once_after_each_call(run: RunView) -> Iterator[Finding]:
    """What PER-02 asks of a run."""
    goes_on = [at for at, event in run.events if isinstance(event, (ServiceCalled, ToolCalled))]
    replied = [view.replied_at for view in run.calls if view.replied_at is not None]
    whole = run.ending != "abandoned" and not run.own(HistoryFailed)
    for reply_at in replied if whole else replied[:-1]:
        next_at = min((at for at in goes_on if at > reply_at), default=run.events[-1][0] + 1)
        between = [at for at, _ in run.stored if reply_at < at < next_at]
        yield finding(
            len(between) == 1,
            between[1] if len(between) > 1 else reply_at,
            expected="exactly one append between this reply and what comes next",
            got=f"{len(between)} appends",
        )
    in_flight = run.ending == "cancelled" and run.calls[-1].reply is None
    if replied and whole and not in_flight:
        yield finding(
            len(run.stored) == len(replied),
            run.stored[-1][0] if run.stored else replied[-1],
            expected=f"{len(replied)} appends for {len(replied)} service calls",
            got=f"{len(run.stored)} appends",
        )


def _previous(run: RunView, place: int) -> int:
    before: list[CallView] = run.calls[:place]
    return before[-1].replied_at or before[-1].at if before else run.at


def _rebuilt(execution: ExecutionView, run: RunView) -> bool:
    """Whether the run or an earlier one of its thread is of an agent that was rebuilt, or runs in the background."""
    specs = [each.spec for each in [*execution.earlier(run), run] if isinstance(each.spec, Run)]
    return any(spec.per_service_call is not None or spec.background for spec in specs)


def _same_requests(execution: ExecutionView, first: Member, second: Member) -> Iterator[Finding]:
    """Whether two siblings leave the service the same requests."""
    for one, other in zip(first.runs, second.runs, strict=True):
        sent = [
            [(view.request.store, execution.heard(view.request.messages), view.request.conversation_id) for view in run.calls]
            for run in (one, other)
        ]
        heard = [by_order([said for _, said, _ in each]) for each in sent]
        stores = [[store for store, _, _ in each] for each in sent]
        yield finding(
            heard[0] == heard[1] and stores[0] == stores[1],
            other.sign,
            expected=f"requests as on thread {first.thread!r}: {'; '.join(map(show, heard[0]))}",
            got=f"requests on thread {second.thread!r}: {'; '.join(map(show, heard[1]))}",
            also=[one.sign],
        )


def _cell(member: Member) -> str | None:
    """The cell of the matrix, where the thread is local and an explicit history provider keeps it."""
    agent = member.agent
    if member.kind != "local" or agent.history != "provider" or agent.service.surprising:
        return None
    if agent.client_as_is and agent.per_service_call:
        return "M4" if agent.decorated else "M4 bare"
    return "M3" if agent.client_as_is else "M2" if agent.per_service_call else "M1"


def _equal_terms(first: Member, second: Member) -> bool:
    return first.agent.service == second.agent.service and first.streams == second.streams and _cell(second) is not None


def _responses(execution: ExecutionView, run: RunView) -> list[list[Part]]:
    return [execution.heard(event.messages) for _, event in run.of(RunReturned)]


def _own_parts(execution: ExecutionView, run: RunView) -> list[list[Part]]:
    """What each request says of its own run: its end, without the history before it."""
    said = [execution.spoken(view.request.messages, run.agent) for view in run.calls]
    own = [run.happened(before=view.request.call) for view in run.calls]
    return [request[-len(mine) :] for request, mine in zip(said, own, strict=True)]


def _shown(told: tuple[list[list[Part]], list[list[Part]]]) -> str:
    responses, requests = ("; ".join(map(show, each)) or "none" for each in told)
    return f"responses {responses} and requests that end in {requests}"


def _built(execution: ExecutionView) -> list[str]:
    """The agents of threads, in the order in which they are first needed."""
    made = [step.agent for step in execution.scenario.steps if isinstance(step, (CreateThread, Restore))]
    return list(dict.fromkeys(name for name in made if name is not None))


def _is_bare(execution: ExecutionView, name: str) -> bool:
    agent = execution.scenario.agents[name]
    return agent.client_as_is and agent.per_service_call and not agent.decorated


def _only_settings(execution: ExecutionView) -> bool:
    """Whether a warning about persisting can only be about the settings: no surprising service, no run in the background."""
    return not _has_special_runs(execution) and not any(agent.service.surprising for agent in execution.scenario.agents.values())


def _has_special_runs(execution: ExecutionView) -> bool:
    """Whether an agent was rebuilt with the other setting, or runs in the background."""
    runs = [run.spec for run in execution.runs if isinstance(run.spec, Run)]
    return any(run.background or run.per_service_call is not None for run in runs)


def _runs_of(execution: ExecutionView, agent: str) -> list[RunView]:
    return [run for run, _, _ in execution.agent_runs() if run.agent_name == agent]


def _untroubled(execution: ExecutionView, run: RunView) -> bool:
    """Whether there is no reason to raise: nothing fails, and no earlier run waits for an answer."""
    failed = run.of(ServiceFailed) or run.of(ToolRaised) or run.of(HistoryFailed)
    waits = any(each.of(RequestPending) for each in execution.earlier(run))
    named = [view.reply is not None and view.reply.conversation_id is not None for view in run.calls]
    hosted = kind_before(execution, run) == "hosted"
    misnamed = not all(named) if hosted else any(named)  # an id is missing, or comes unasked
    return not (contradicts(execution, run) or failed or waits or overtaken(execution, run) or run.cut_short or misnamed)
