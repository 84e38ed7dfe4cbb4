"""Persistence, the configuration matrix: when history is loaded and appended, once a run or call by call (PER-01 to PER-08)."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView
from conformance.rules.pairs import ThreadPair, by_order, thread_pair
from conformance.rules.parts import how_they_differ
from conformance.rules.persistence.append_times import (
    as_many_as_replies,
    once_after_the_reply,
    once_at_the_end,
    once_in_each_part,
)
from conformance.rules.persistence.cell_runs import how_they_tell, told, until_they_may_differ
from conformance.rules.persistence.cells import (
    BuiltAgent,
    as_is_alone,
    beside_a_rebuilt_agent,
    beside_a_run_in_the_background,
    beside_a_surprising_service,
    beside_an_undecorated_agent,
    built_agent,
    called_or_failed,
    cancelled_in_a_call,
    cell_of,
    decorated,
    failures_without_reason,
    got_a_reply,
    has_the_decorator,
    in_two_cells,
    lacks_the_decorator,
    last_where,
    plain_and_as_is,
    warned_of,
    warnings_about_persisting,
    was_called,
    with_equal_services,
    without_settings,
)
from conformance.rules.persistence.history import (
    KEPT,
    NOT_KEPT,
    grown,
    in_background,
    rebuilt,
    under_a_conversation,
)
from conformance.rules.persistence.sent_history import begins, stored_and_new
from conformance.rules.preconditions import (
    RequestView,
    abandoned,
    after,
    after_a_contradiction,
    after_another_history,
    answered,
    bounded_history,
    brought_an_id,
    called_the_service,
    callers_history,
    client_as_is,
    contradicting,
    cut_short,
    history_failed,
    of_run,
    on_adaptive_thread,
    on_local_thread,
    persisted_per_call,
    persisted_per_run,
    request,
    resumed,
    succeeded,
    terminated,
    thread_run,
    with_provider,
)
from conformance.rules.repairs import repaired
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import show
from conformance.trace.adapter_events import Observed, RequestPending
from conformance.trace.harness_events import HistoryAppended, HistoryLoaded, ServiceCalled, ToolCalled, Warned

# --- once at the end of a run: M1 and M3 ---


@clause(
    each=thread_run,
    when=[with_provider, persisted_per_run, ~client_as_is, resumed],
    leaves_alone=[after_a_contradiction, under_a_conversation, in_background],
)
def per_run_appends_once_in_each_part(_: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Each part of a run that waited for answers ends with no more than one append."""
    yield from once_in_each_part(run)


@rule(
    "PER-01",
    needs=["history.provider", "history.per_run"],
    each=thread_run,
    when=[with_provider, persisted_per_run, ~client_as_is, succeeded],
    leaves_alone=[*NOT_KEPT, resumed, terminated, cut_short, in_background],
    also=[per_run_appends_once_in_each_part],
    aspects=["no append", "several appends", "early", "missing", "repeated", "foreign", "order"],
)
def per_run_appends_once_at_the_end(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """With both settings off, a successful run makes exactly one append, after its last service call, with its input and response.

    Each part of a run that waited for answers ends with one append at most. Replies that hold nothing need not be among it.
    """
    yield once_at_the_end(execution, run)


@clause(each=thread_run, when=[with_provider, as_is_alone, resumed], leaves_alone=[after_a_contradiction, under_a_conversation])
def as_is_appends_once_in_each_part(_: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Each part of a run that waited for answers ends with no more than one append."""
    yield from once_in_each_part(run)


@clause(each=thread_run, when=[*KEPT, as_is_alone], leaves_alone=NOT_KEPT)
def nothing_is_injected(_: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Requests carry no made-up conversation id, and history is loaded once, before the first of them."""
    named = [view.at for view in run.calls if view.request.conversation_id is not None]
    loads = [at for at, _ in run.own(HistoryLoaded)]
    late = [at for at in loads if not run.answered_requests and run.calls and run.calls[0].at < at < run.calls[-1].at]
    yield finding(
        not (named or late),
        [*named, *late, run.at][0],
        "names a conversation" if named else "loaded again",
        expected="one load before the first request, and requests without a conversation id",
        got=f"{len(loads)} loads, {len(named)} requests with a conversation id",
    )


@clause(each=thread_pair, when=[plain_and_as_is, with_equal_services])
def as_is_sends_the_same(execution: ExecutionView, both: ThreadPair) -> Iterator[Finding]:
    """An agent without the setting leaves the service the same requests for the same script."""
    for one, other in zip(both.first.runs, both.second.runs, strict=True):
        stores = [[view.request.store for view in run.calls] for run in (one, other)]
        sent = [by_order([execution.heard(view.request.messages) for view in run.calls]) for run in (one, other)]
        yield finding(
            sent[0] == sent[1] and stores[0] == stores[1],
            other.sign,
            "other requests",
            expected=f"requests as on thread {both.first.thread!r}: {'; '.join(map(show, sent[0]))}",
            got=f"requests on thread {both.second.thread!r}: {'; '.join(map(show, sent[1]))}",
            also=[one.sign],
        )


@rule(
    "PER-03",
    needs=["history.provider", "history.per_run", "history.client_as_is"],
    each=thread_run,
    when=[with_provider, as_is_alone, succeeded],
    leaves_alone=[*NOT_KEPT, resumed, terminated, cut_short],
    also=[as_is_appends_once_in_each_part, nothing_is_injected, as_is_sends_the_same],
    aspects=[
        *("no append", "several appends", "early", "missing", "repeated", "foreign", "order"),
        *("names a conversation", "loaded again", "other requests"),
    ],
)
def as_is_persists_per_run(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """With `client_as_is` alone, a successful run makes one append after its last service call, and nothing is injected.

    So its requests carry no made-up conversation id, history is loaded once, before the first of them, and where an agent without
    the setting runs the same script on equal terms, its requests are the same.
    """
    yield once_at_the_end(execution, run)


# --- after each service call: M2, and M4 with the decorator ---


@clause(
    each=thread_run,
    when=[*KEPT, persisted_per_call, ~client_as_is, got_a_reply],
    leaves_alone=[*NOT_KEPT, abandoned, history_failed, cancelled_in_a_call],
)
def per_call_appends_as_often_as_it_calls(_: ExecutionView, run: RunView) -> Iterator[Finding]:
    """There are as many appends as service calls."""
    yield as_many_as_replies(run)


@rule(
    "PER-02",
    needs=["history.provider", "history.per_service_call"],
    each=request,
    when=[*of_run(*KEPT, persisted_per_call, ~client_as_is), answered],
    leaves_alone=[*of_run(*NOT_KEPT), last_where(abandoned), last_where(history_failed)],
    also=[per_call_appends_as_often_as_it_calls],
    aspects=["no append", "several appends", "late", "elsewhere"],
)
def per_call_appends_after_every_call(_: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """With `per_service_call` there is one append after each service call, before the next tool runs or the next call starts."""
    yield once_after_the_reply(request)


@clause(
    each=thread_run,
    when=[*KEPT, persisted_per_call, decorated, got_a_reply],
    leaves_alone=[*NOT_KEPT, abandoned, history_failed, cancelled_in_a_call],
)
def the_decorator_appends_as_often_as_it_calls(_: ExecutionView, run: RunView) -> Iterator[Finding]:
    """There are as many appends as service calls."""
    yield as_many_as_replies(run)


@clause(
    each=built_agent,
    when=[has_the_decorator, was_called],
    leaves_alone=[
        beside_an_undecorated_agent,
        beside_a_rebuilt_agent,
        beside_a_run_in_the_background,
        beside_a_surprising_service,
    ],
)
def the_decorator_is_seen(execution: ExecutionView, agent: BuiltAgent) -> Iterator[Finding]:
    """There is no warning."""
    warned = warnings_about_persisting(execution.of(Warned))
    at = [*warned, *agent.called][0]
    yield finding(not warned, at, "unasked warning", expected="no warning", got=f"{len(warned)} warnings")


@rule(
    "PER-05",
    needs=["history.provider", "history.per_service_call", "history.client_as_is", "history.decorated"],
    each=request,
    when=[*of_run(*KEPT, persisted_per_call, decorated), answered],
    leaves_alone=[*of_run(*NOT_KEPT), last_where(abandoned), last_where(history_failed)],
    also=[the_decorator_appends_as_often_as_it_calls, the_decorator_is_seen],
    aspects=["no append", "several appends", "late", "elsewhere", "unasked warning"],
)
def as_is_with_the_decorator_persists_per_call(_: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """With both settings and the decorator in the caller's stack there is no warning, and one append after each service call."""
    yield once_after_the_reply(request)


# --- nothing: M4 without the decorator ---


@clause(each=built_agent, when=[lacks_the_decorator, called_or_failed], leaves_alone=[beside_a_rebuilt_agent])
def as_is_without_the_decorator_works_and_appends_nothing(execution: ExecutionView, agent: BuiltAgent) -> Iterator[Finding]:
    """The framework itself appends nothing, in success or failure, and the run works."""
    appends = [*_appends_of(execution, agent), *_growth_of(execution, agent)]
    failed = failures_without_reason(execution, agent)
    yield finding(
        not (appends or failed),
        [*appends, *failed, *agent.called][0],
        "appended" if appends else "raised",
        expected="no append, and runs that work",
        got=f"{len(appends)} appends" if appends else "a run that raised",
    )


@rule(
    "PER-04",
    needs=["history.provider", "history.per_service_call", "history.client_as_is"],
    each=built_agent,
    when=[lacks_the_decorator, called_or_failed],
    leaves_alone=[beside_a_rebuilt_agent, beside_a_run_in_the_background, beside_a_surprising_service],
    also=[as_is_without_the_decorator_works_and_appends_nothing],
    aspects=["no warning", "several warnings", "late warning", "appended", "raised"],
)
def as_is_without_the_decorator_warns_and_appends_nothing(execution: ExecutionView, agent: BuiltAgent) -> Iterator[Finding]:
    """With both settings and no decorator there is exactly one warning, before the first call, and the framework appends nothing.

    The run still works. A warning is of the agent that it names, or that is built or run where it is given.
    """
    alike = [other.name for other in built_agent(execution) if other.lacks_the_decorator]
    warned = warnings_about_persisting(execution.of(Warned))
    mine = [at for at in warned if warned_of(execution, at, alike) == agent.name]
    first = [*agent.called, *failures_without_reason(execution, agent)][0]
    early = all(at < first for at in mine)
    yield finding(
        early and len(mine) == 1,
        [*mine[1:], *mine, first][0],
        "several warnings" if mine[1:] else "late warning" if mine else "no warning",
        expected=f"one warning for agent {agent.name!r}, before its first service call",
        got=f"{len(mine)} warnings of it" + ("" if early else ", too late"),
        also=[first],
    )


def _appends_of(execution: ExecutionView, agent: BuiltAgent) -> list[int]:
    """Where something was appended to the history provider of an agent."""
    return [at for at, event in execution.of(HistoryAppended) if event.agent == agent.name and event.messages]


def _growth_of(execution: ExecutionView, agent: BuiltAgent) -> list[int]:
    """Where local threads show more messages after a run of an agent than before it."""
    local = [run for run in agent.runs if run.calls and on_local_thread(execution, run) and callers_history(execution, run)]
    return [at for run in local for at in grown(execution, run)]


# --- what all cells have in common ---


@rule(
    "PER-06",
    needs=["history.provider", "history.per_run"],
    each=thread_pair,
    when=[in_two_cells],
    aspects=["other ending", "other response", "other requests"],
)
def all_cells_give_the_same_response(execution: ExecutionView, both: ThreadPair) -> Iterator[Finding]:
    """All cells of the matrix give the caller the same response for the same script, and leave the service the same requests.

    Requests are compared from where the history before them ends, and runs up to the first one that fails or is terminated: after
    it the cells rightly differ in what they know.
    """
    bare = "M4 bare" in (cell_of(both.first), cell_of(both.second))
    for one, other in until_they_may_differ(both):
        requests = not (bare and one.answered_requests)  # there, a resumed run has only what is stored
        first, second = (told(execution, run, requests=requests) for run in (one, other))
        aspect = how_they_tell(first, second)
        yield finding(
            not aspect,
            other.events[-1][0],
            aspect,
            expected=f"as on thread {both.first.thread!r}: {first}",
            got=f"on thread {both.second.thread!r}: {second}",
            also=[one.events[-1][0]],
        )


@rule(
    "PER-07",
    needs=["history.per_run"],
    each=thread_run,
    when=[on_local_thread, without_settings, called_the_service],
    leaves_alone=[contradicting, brought_an_id, rebuilt, in_background, after(rebuilt), after(in_background)],
    aspects=["early", "seen early", "unasked warning"],
)
def both_settings_default_to_false(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Both settings default to false: an agent built without them keeps nothing before the end of a run.

    Neither in an explicit provider nor, as a tool that looks sees, on the thread itself; and it warns of nothing.
    """
    early, seen = ([], []) if run.of(RequestPending) else (_early_appends(run), _early_looks(execution, run))
    warned = warnings_about_persisting(run.of(Warned))
    yield finding(
        not (early or seen or warned),
        min([*early, *seen, *warned], default=run.at),
        "early" if early else "seen early" if seen else "unasked warning",
        expected="nothing kept before the last service call, and no warning",
        got=f"{len(early)} appends, {len(seen)} looks at messages of this run, {len(warned)} warnings",
    )


@rule(
    "PER-08",
    needs=["history.provider", "history.per_service_call"],
    each=request,
    when=of_run(*KEPT, persisted_per_call),
    leaves_alone=of_run(*NOT_KEPT, bounded_history, on_adaptive_thread, after_another_history),
    aspects=["not loaded", "missing", "repeated", "foreign", "order"],
)
def history_is_loaded_before_every_call(execution: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """With `per_service_call`, history is loaded before every service call: the stored history, then what is new, each once.

    What is new may be stored ahead of the call. A call of the history that has no result may be sent with one that is made up, or
    left out.
    """
    run, view = request.run, request.call
    loaded = any(begins(request) < at < view.at for at, _ in run.own(HistoryLoaded))
    got = execution.spoken(view.request.messages, run.agent)
    expected = repaired(stored_and_new(execution, request), got)
    yield finding(
        loaded and got == expected,
        view.at,
        how_they_differ(got, expected) if loaded else "not loaded",
        expected=f"a load, then a request with {show(expected)}",
        got=f"{'' if loaded else 'no load, '}{show(got)}",
    )


# --- what they compare ---


def _early_appends(run: RunView) -> list[int]:
    """Where something is appended before the run's last service call or tool."""
    last = max(at for at, event in run.events if isinstance(event, (ServiceCalled, ToolCalled)))
    return [at for at, _ in run.stored if at < last]


def _early_looks(execution: ExecutionView, run: RunView) -> list[int]:
    """Where a tool that looks at the thread sees other messages than before the run."""
    before = execution.described(run.thread, before=run.at)
    known = before.messages if before else None
    return [at for at, look in run.own(Observed) if look.moment == "within" and look.messages and look.messages != known]
