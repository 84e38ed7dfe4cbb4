"""The selections, preconditions and exclusions that rules of several areas share.

Those of one area stand in its folder, beside its sections.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from conformance.rules import model
from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.run_view import CallView, RunView
from conformance.trace.harness_events import HistoryFailed

# --- what rules look at ---


@selection
def whole_execution(execution: ExecutionView) -> Iterator[ExecutionView]:
    """The performed scenario as a whole."""
    yield execution


@selection
def thread_run(execution: ExecutionView) -> Iterator[RunView]:
    """A run on a thread, which the adapter could express."""
    yield from (run for run, _, _ in execution.agent_runs() if run.ending != "refused")


@dataclass(frozen=True)
class RequestView:
    """A service call of a run, and its place among the run's, from 0."""

    run: RunView
    place: int
    call: CallView


@selection
def request(execution: ExecutionView) -> Iterator[RequestView]:
    """A request of a run on a thread."""
    for run, _, _ in execution.agent_runs():
        yield from (RequestView(run, place, call) for place, call in enumerate(run.calls))


def of_run(*conditions: Condition[RunView]) -> list[Condition[RequestView]]:
    """The same conditions, asked of a request's run."""
    return [each.of(lambda request: request.run) for each in conditions]


# --- the thread ---


@condition
def on_local_thread(execution: ExecutionView, run: RunView) -> bool:
    """The thread is local when the run begins."""
    return model.kind_before(execution, run) == "local"


@condition
def on_hosted_thread(execution: ExecutionView, run: RunView) -> bool:
    """The thread is hosted when the run begins."""
    return model.kind_before(execution, run) == "hosted"


@condition
def on_adaptive_thread(execution: ExecutionView, run: RunView) -> bool:
    """The thread has no kind yet when the run begins."""
    return model.kind_before(execution, run) == "adaptive"


@condition
def contradicting(execution: ExecutionView, run: RunView) -> bool:
    """The run cannot be: its agent cannot be built, or cannot serve the thread as it is, with these options."""
    return model.contradicts(execution, run)


@condition
def interrupting(execution: ExecutionView, run: RunView) -> bool:
    """An earlier run of the thread waits for someone's answer when this one begins (PER-42)."""
    return model.interrupts(execution, run)


@condition
def refused_while_one_waits(execution: ExecutionView, run: RunView) -> bool:
    """The run was refused before any request, as no conflict, while an earlier run of the thread waits for an answer (PER-42)."""
    return run.refused_at_once and model.interrupts(execution, run)


@condition
def refused_for_an_open_call(execution: ExecutionView, run: RunView) -> bool:
    """The run was refused before any request because an earlier one ended between a call and its results: the error names it."""
    return run.refused_at_once and model.names_an_open_call(execution, run)


@condition
def after_a_contradiction(execution: ExecutionView, run: RunView) -> bool:
    """An earlier run on the thread contradicted it and was let through all the same."""
    return bool(model.accepted(execution, run))


@condition
def forked(execution: ExecutionView, run: RunView) -> bool:
    """Another thread went on with what this run continues: a conversation under one id, or a provider's history."""
    return model.forked(execution, run)


# --- the agent and its service ---


@condition
def surprising_service(_: ExecutionView, run: RunView) -> bool:
    """The agent's service keeps what nobody asked it to keep (PER-32 ff.)."""
    return run.agent.service.surprising


@condition
def callers_history(_: ExecutionView, run: RunView) -> bool:
    """The history is the caller's business: its own stack, per service call, without the decorator (PER-04)."""
    return model.persistence_of(run.agent) == "not"


@condition
def with_provider(_: ExecutionView, run: RunView) -> bool:
    """The agent has an explicitly configured history provider."""
    return run.agent.history == "provider"


@condition
def bounded_history(_: ExecutionView, run: RunView) -> bool:
    """The agent bounds how much of its history a request carries (THR-34)."""
    return run.agent.reduces_to is not None


@condition
def persisted_per_run(_: ExecutionView, run: RunView) -> bool:
    """The run's history is appended once, at its end."""
    return model.timing_of(run) == "per run"


@condition
def persisted_per_call(_: ExecutionView, run: RunView) -> bool:
    """The run's history is appended after each service call."""
    return model.timing_of(run) == "per call"


# --- the run ---


@condition
def brought_an_id(_: ExecutionView, run: RunView) -> bool:
    """A reply of the run carried a conversation id."""
    return run.brought_id


@condition
def answered(_: ExecutionView, request: RequestView) -> bool:
    """The service answered the request."""
    return request.call.reply is not None


@condition
def begins_anew(execution: ExecutionView, request: RequestView) -> bool:
    """The request names no conversation, and the service has forgotten the one of the thread (THR-42)."""
    return request.call.request.conversation_id is None and model.is_forgotten(execution, request.run, request.call.at)


@condition
def goes_on_in_vain(execution: ExecutionView, request: RequestView) -> bool:
    """The request names a conversation, and the service has forgotten the one of the thread (THR-42): it will be refused."""
    return request.call.request.conversation_id is not None and model.is_forgotten(execution, request.run, request.call.at)


@condition
def called_the_service(_: ExecutionView, run: RunView) -> bool:
    """The run sent a request."""
    return bool(run.calls)


@condition
def succeeded(_: ExecutionView, run: RunView) -> bool:
    """The run came to its own end, and its caller got all of its response."""
    return run.succeeded


@condition
def resumed(_: ExecutionView, run: RunView) -> bool:
    """The run waited for answers and got one."""
    return bool(run.answered_requests)


@condition
def terminated(_: ExecutionView, run: RunView) -> bool:
    """A tool ended the loop of the run (PER-14, PER-15)."""
    return run.terminated


@condition
def cut_short(_: ExecutionView, run: RunView) -> bool:
    """The run reached the iteration limit of its agent (PER-44)."""
    return run.cut_short


@condition
def ended_unknown(_: ExecutionView, run: RunView) -> bool:
    """Nobody can say how the run ended."""
    return run.ending == "unknown"


@condition
def inexpressible(_: ExecutionView, run: RunView) -> bool:
    """The adapter cannot express the run."""
    return run.ending == "refused"


@condition
def waiting(_: ExecutionView, run: RunView) -> bool:
    """The run waits for an answer that nobody gave."""
    return run.ending == "waiting"


@condition
def abandoned(_: ExecutionView, run: RunView) -> bool:
    """The run's consumer left the stream."""
    return run.ending == "abandoned"


@condition
def history_failed(_: ExecutionView, run: RunView) -> bool:
    """The history provider failed in the run (PER-24)."""
    return bool(run.own(HistoryFailed))


@condition
def overtaken(execution: ExecutionView, run: RunView) -> bool:
    """Another run on the thread came before the run, which waited, was over."""
    return model.overtaken(execution, run)


def after(earlier: Condition[RunView]) -> Condition[RunView]:
    """The condition that an earlier run of the thread meets another one."""

    def test(execution: ExecutionView, run: RunView) -> bool:
        return any(earlier(execution, other) for other in execution.earlier(run))

    return Condition(f"after {earlier.name}", f"of an earlier run on the thread: {earlier.text}", test)


def next_after(earlier: Condition[RunView]) -> Condition[RunView]:
    """The condition that the run before this one, on its thread, meets another one."""

    def test(execution: ExecutionView, run: RunView) -> bool:
        return any(earlier(execution, other) for other in execution.earlier(run)[-1:])

    return Condition(f"next after {earlier.name}", f"of the run before, on its thread: {earlier.text}", test)


# --- what local history is when a run begins ---


@condition
def failed_at_an_undeclared_time(execution: ExecutionView, run: RunView) -> bool:
    """The run failed after a request, and the implementation does not say when it persists, or does so in steps of its own."""
    return not run.succeeded and bool(run.calls) and not says_when_it_persists(execution, run)


def says_when_it_persists(execution: ExecutionView, run: RunView) -> bool:
    """Whether the implementation declares when the local history of such a run is persisted, in one of the two modes."""
    return execution.can("history.per_service_call" if model.persistence_of(run.agent) == "per call" else "history.per_run")


@condition
def failed_after_an_answer(_: ExecutionView, run: RunView) -> bool:
    """The run failed after it had waited and got an answer."""
    return not run.succeeded and bool(run.answered_requests)


@condition
def failed_before_it_had_a_kind(execution: ExecutionView, run: RunView) -> bool:
    """The run failed on a thread without a kind, whose history is appended after each call: it counts for no kind."""
    return run.ending != "returned" and run.agent.per_service_call and model.kind_before(execution, run) == "adaptive"


@condition
def after_another_history(execution: ExecutionView, run: RunView) -> bool:
    """An earlier run on the thread, by another agent, found another history than this one does."""
    return not all(model.one_history(run, other) for other in execution.earlier(run))


@condition
def client_as_is(_: ExecutionView, run: RunView) -> bool:
    """The caller built the client stack (`client_as_is`)."""
    return run.agent.client_as_is


@condition
def failed_after_a_request(_: ExecutionView, run: RunView) -> bool:
    """The run sent a request, and then failed or was cancelled."""
    return run.ending in ("raised", "cancelled") and bool(run.calls)


UNKNOWN_HISTORY = (
    callers_history,
    bounded_history,
    forked,
    history_failed,
    after(abandoned),
    after(terminated),
    after(history_failed),
    after(failed_at_an_undeclared_time),
    after(failed_after_an_answer),
    after(failed_before_it_had_a_kind),
    after_another_history,
)
"""Where the configuration matrix does not say what local history is when a run begins."""

_AFTER_WAITING = after(waiting)


def history_known(execution: ExecutionView, run: RunView) -> bool:
    """Whether the configuration matrix says what local history is when a run begins, also of a run that contradicts its thread."""
    return not any(each(execution, run) for each in (*UNKNOWN_HISTORY, _AFTER_WAITING))


DISPUTED = (contradicting, after_a_contradiction)
"""Where something contradicts the thread: the run itself, or an earlier one that was let through."""
