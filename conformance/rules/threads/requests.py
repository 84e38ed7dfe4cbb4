"""Threads, requests: what a request carries on a local and on a hosted thread, and where a turn is kept (THR-05 to THR-11)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView, states_after
from conformance.rules.model import contradicts, kept_without_an_id, kind_after, local_history, made_local, perhaps_open
from conformance.rules.parts import but_for_empty, how_they_differ, once_in_order
from conformance.rules.preconditions import (
    DISPUTED,
    UNKNOWN_HISTORY,
    RequestView,
    after,
    answered,
    begins_anew,
    bounded_history,
    brought_an_id,
    called_the_service,
    callers_history,
    contradicting,
    forked,
    of_run,
    on_hosted_thread,
    on_local_thread,
    overtaken,
    refused_for_an_open_call,
    request,
    resumed,
    succeeded,
    surprising_service,
    thread_run,
)
from conformance.rules.repairs import repair
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import CallView, RunView, latest_id
from conformance.rules.threads.checks import hosted_request, local_request
from conformance.rules.wording import outcome, show
from conformance.trace.adapter_events import ThreadDescribed
from conformance.trace.messages import Part

# --- what the rules of this section look at, and leave alone ---


@condition
def surprised_local_thread(execution: ExecutionView, run: RunView) -> bool:
    """The thread was created local, and its service keeps what nobody asked it to keep (PER-34, PER-36)."""
    return run.agent.service.surprising and made_local(execution, run)


@condition
def first_after_a_run_gone_wrong(execution: ExecutionView, request: RequestView) -> bool:
    """The request is the first one after a run that called the service and did not succeed."""
    return not request.place and any(other.calls and not other.succeeded for other in execution.earlier(request.run))


@condition
def given_an_id(execution: ExecutionView, run: RunView) -> bool:
    """The thread was created with the id of a conversation."""
    return run.thread is not None and execution.id_given(run.thread) is not None


@condition
def first_to_call(execution: ExecutionView, run: RunView) -> bool:
    """No earlier run on the thread sent a request."""
    return not any(other.calls for other in execution.earlier(run))


@condition
def described_afterwards(execution: ExecutionView, run: RunView) -> bool:
    """The thread is described after the run."""
    return bool(states_after(execution, run))


@condition
def hides_its_messages(execution: ExecutionView, run: RunView) -> bool:
    """The thread keeps its messages itself, and does not show them."""
    state = states_after(execution, run)[-1][1]
    return run.agent.history == "default" and state.messages is None and kind_after(execution, run) == "local"


@condition
def after_a_success(execution: ExecutionView, run: RunView) -> bool:
    """An earlier run on the thread called the service and succeeded."""
    return any(other.calls and other.succeeded for other in execution.earlier(run))


@condition
def entered_another_conversation(execution: ExecutionView, run: RunView) -> bool:
    """This run or an earlier one contradicts the thread by naming a conversation (THR-14, THR-15)."""
    so_far = [*(other for other in execution.earlier(run) if other.calls), run]
    return any(other.named_id and contradicts(execution, other) for other in so_far)


@condition
def after_another_agent(execution: ExecutionView, run: RunView) -> bool:
    """Another agent called its service on the thread before (THR-04, THR-33)."""
    return any(other.calls and other.agent_name != run.agent_name for other in execution.earlier(run))


@condition
def names_are_known(execution: ExecutionView, request: RequestView) -> bool:
    """The latest id is known: of this run, or of the thread where no earlier run failed or waits (PER-28, PER-29)."""
    own = latest_id([request.run], before=request.call.request.call) is not None
    certain = all(other.succeeded or not other.calls for other in execution.earlier(request.run))
    return own or (certain and _latest_before(execution, request) is not None)


@condition
def lost_its_id(execution: ExecutionView, run: RunView) -> bool:
    """A reply carried no conversation id although the thread has one."""
    return any(True for _ in _replies_that_lose_an_id(execution, run))


@condition
def perhaps_closed_untold(execution: ExecutionView, run: RunView) -> bool:
    """An earlier run may have left a call open, and the service kept a reply without saying so: whether it is closed is unknown."""
    return bool(perhaps_open(execution, run)) and kept_without_an_id(execution, run)


# --- the rules ---


@rule(
    "THR-05",
    each=thread_run,
    when=[on_local_thread],
    leaves_alone=[*DISPUTED, surprising_service, overtaken, *UNKNOWN_HISTORY, refused_for_an_open_call],
    aspects=["refused", "stores", "names a conversation", "missing", "repeated", "foreign", "order"],
)
def local_requests_carry_everything(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """Every request of a run on a local thread says not to store, names no conversation and carries the whole conversation.

    Each message once, in order, then the new input. A call that no result ever answered may be closed by one, or left out (PER-46).
    """
    yield from _refused_without_reason(run)
    history = local_history(execution, run)
    for view in run.calls:
        yield local_request(execution, run, view, history + run.happened(before=view.request.call))


@clause(each=thread_run, when=[on_hosted_thread], leaves_alone=[contradicting, refused_for_an_open_call])
def hosted_runs_are_not_refused(_: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A run on a hosted thread sends a request, where nothing is wrong with it."""
    yield from _refused_without_reason(run)


@rule(
    "THR-06",
    needs=["threads.hosted"],
    each=request,
    when=of_run(on_hosted_thread),
    leaves_alone=[*of_run(*DISPUTED, surprised_local_thread), first_after_a_run_gone_wrong, begins_anew],
    also=[hosted_runs_are_not_refused],
    aspects=["refused", "does not store", "no id", "missing", "repeated", "foreign", "order"],
)
def hosted_requests_carry_what_is_new(execution: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """Every request of a run on a hosted thread says to store, names the thread's conversation and carries only what is new.

    A call that the conversation had left open may be closed by one result that says so (PER-46).
    """
    yield hosted_request(execution, request)


@clause(
    each=thread_run,
    when=[on_hosted_thread, succeeded, brought_an_id],
    leaves_alone=[resumed],
)
def hosted_threads_show_the_latest_id(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """After a run the thread has the latest id."""
    latest = latest_id([*execution.earlier(run), run])
    for at, state in states_after(execution, run):
        yield finding(
            state.conversation_id == latest,
            at,
            "not taken",
            expected=f"thread {run.thread!r} with conversation {latest!r}, the latest id",
            got=f"conversation {state.conversation_id!r}",
            also=[run.at],
        )


@rule(
    "THR-07",
    needs=["threads.hosted"],
    each=request,
    when=[*of_run(on_hosted_thread), names_are_known],
    leaves_alone=[begins_anew],
    also=[hosted_threads_show_the_latest_id],
    aspects=["not sent", "not taken"],
)
def hosted_threads_follow_the_id(execution: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """A hosted thread takes its id from the first reply and uses the latest id from then on, also within the same run."""
    latest = _latest_before(execution, request)
    got = request.call.request.conversation_id
    yield finding(
        got == latest,
        request.call.at,
        "not sent",
        expected=f"a request that names conversation {latest!r}, the latest id of thread {request.run.thread!r}",
        got=f"conversation {got!r}",
    )


@rule(
    "THR-08",
    needs=["threads.hosted", "threads.with_id"],
    each=thread_run,
    when=[given_an_id, first_to_call],
    leaves_alone=[contradicting],
    aspects=["refused", "no id", "another id"],
)
def a_given_id_is_sent_at_once(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A hosted thread that is created with a conversation id sends that id in its first request."""
    id = execution.id_given(run.thread or "")
    got = run.calls[0].request.conversation_id if run.calls else None
    yield finding(
        got == id,
        run.sign,
        "refused" if not run.calls else "another id" if got else "no id",
        expected=f"a first request that names conversation {id!r}",
        got=f"conversation {got!r}" if run.calls else outcome(run),
    )


@rule(
    "THR-09",
    each=thread_run,
    when=[succeeded, called_the_service, described_afterwards],
    leaves_alone=[resumed, surprising_service, callers_history, hides_its_messages],
    aspects=["twice", "nowhere"],
)
def a_turn_has_one_home(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """After a successful run every message of the turn is kept in one place: by the thread, its history provider, or the service.

    Neither in both nor in none. Also where the options contradicted the thread and were let through. Trailing results may be
    anywhere (PER-14, PER-15); a declared copy that a provider writes and never loads is no home.
    """
    at, state = states_after(execution, run)[-1]
    local, service = _gained(execution, run, state), _kept(execution, run)
    homes = {part: (part in local) + (part in service) for part in but_for_empty(run.happened(trailing=False))}
    nowhere = [part for part, count in homes.items() if not count]
    twice = [] if _copied(execution, run) else [part for part, count in homes.items() if count == 2]
    yield finding(
        not (twice or nowhere),
        at,
        "twice" if twice else "nowhere",
        expected="every message of the turn in one place",
        got=f"in both: {show(twice)}" if twice else f"in none: {show(nowhere)}",
        also=[run.at],
    )


@rule(
    "THR-10",
    each=request,
    when=[answered, *of_run(after_a_success)],
    leaves_alone=of_run(
        overtaken,
        entered_another_conversation,
        after_another_agent,
        forked,
        callers_history,
        after(callers_history),
        bounded_history,
        perhaps_closed_untold,
    ),
    aspects=["missing", "repeated", "foreign", "order"],
)
def the_model_sees_every_earlier_turn(execution: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """On every later turn the model sees each message of the successful earlier turns exactly once, in order.

    What it sees is the request plus, for a conversation id, what the service holds under it. Messages of failed turns and trailing
    results (PER-14, PER-15) may be seen, once, and so may a result that closes a call which nobody answered; or that call is left
    out (PER-46).
    """
    run, asked = request.run, request.call.request
    done = _successful(execution, run)
    now = run.happened(before=asked.call)
    earlier = [other for other in execution.earlier(run) if other.calls]
    seen = but_for_empty(execution.spoken([*asked.held, *asked.messages], run.agent))
    required = repair(but_for_empty([part for other in done for part in other.happened(trailing=False)] + now), seen).kept
    made_up = repair(_surely_kept(earlier) + now, seen).answers.values()
    allowed = Counter(now) + Counter(part for other in earlier for part in other.happened()) + Counter(made_up)
    yield finding(
        once_in_order(seen, required, allowed),
        request.call.at,
        _how_it_sees(seen, required, allowed),
        expected=f"thread {run.thread!r} so far, each message once and in order: {show(required)}",
        got=f"the model sees {show(seen)}",
        also=[other.at for other in done],
    )


def _surely_kept(runs: list[RunView]) -> list[Part]:
    """What runs left in a history. One that failed with its run may have lost the result of any of its calls."""
    return [part for run in runs for part in run.happened(trailing=False) if run.succeeded or part[0] != "result"]


@rule(
    "THR-11",
    needs=["threads.hosted", "service.without_id"],
    each=thread_run,
    when=[on_hosted_thread, lost_its_id],
    leaves_alone=[contradicting],
    aspects=["ignored", "another id"],
)
def a_missing_id_is_an_error(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A reply without a conversation id, on a hosted thread that has one, is an error of kind conflict or service; the id stays.

    Which of the ids stays that came within the run is left open.
    """
    view, ids = next(_replies_that_lose_an_id(execution, run))
    kind = run.raised[1].kind if run.raised else None
    known = {execution.id_before(run), *ids}
    lost = [at for at, state in states_after(execution, run) if state.conversation_id not in known]
    yield finding(
        kind in ("conflict", "service") and not lost,
        lost[0] if lost else view.replied_at or view.at,
        "another id" if lost else "ignored",
        expected=f"an error of kind conflict or service, and thread {run.thread!r} with its id",
        got=f"another id on the thread than {sorted(ids)}" if lost else outcome(run),
        also=[view.at],
    )


# --- what they compare ---


def _refused_without_reason(run: RunView) -> Iterator[Finding]:
    """A well-formed run that ends in an error before any request: nothing that the service said or a tool did can be its reason."""
    if not run.calls and run.raised is not None:
        expected = "a request, since nothing is wrong with this run"
        yield finding(False, run.raised[0], "refused", expected=expected, got=outcome(run))


def _latest_before(execution: ExecutionView, request: RequestView) -> str | None:
    """The latest id of the thread when a request is made."""
    return latest_id([*execution.earlier(request.run), request.run], before=request.call.request.call)


def _successful(execution: ExecutionView, run: RunView) -> list[RunView]:
    """The earlier runs on the thread that called the service and succeeded."""
    return [other for other in execution.earlier(run) if other.calls and other.succeeded]


def _how_it_sees(seen: list[Part], required: list[Part], allowed: Counter[Part]) -> str:
    """The aspect in which what a model sees is wrong; what may be seen beside what must be does not count."""
    return how_they_differ([part for part in seen if part in required or part not in allowed], required)


def _copied(execution: ExecutionView, run: RunView) -> bool:
    """Whether a history provider is declared to receive a copy of what the service keeps."""
    return execution.policies.provider_copy == "written" and run.agent.history == "provider"


def _gained(execution: ExecutionView, run: RunView, after: ThreadDescribed) -> Counter[Part]:
    """What a run added to local history: on the thread itself or by appends of a provider."""
    before = execution.described(run.thread, before=run.at)
    own = Counter(execution.heard(after.messages or ()))
    own.subtract(execution.heard(before.messages or ()) if before else ())
    return +own + Counter(execution.heard(run.stored_messages))


def _kept(execution: ExecutionView, run: RunView) -> list[Part]:
    """What the service kept of a run, under a name that somebody was told."""
    kept = [(view.request, view.reply) for view in run.calls if view.reply is not None and view.kept_under_a_name]
    return execution.heard([message for asked, reply in kept for message in (*asked.messages, reply.message)])


def _replies_that_lose_an_id(execution: ExecutionView, run: RunView) -> Iterator[tuple[CallView, set[str]]]:
    """The replies without a conversation id where the thread has one, each with the ids that it had by then."""
    ids = {id for id in [execution.id_before(run)] if id}
    for view in run.calls:
        if view.reply is not None and view.reply.conversation_id is not None:
            ids.add(view.reply.conversation_id)
        elif view.reply is not None and ids:
            yield view, ids
