"""Threads, continuation: with which conversation a hosted thread goes on (THR-41)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView, states_after
from conformance.rules.model import kind_after
from conformance.rules.preconditions import (
    RequestView,
    contradicting,
    of_run,
    on_hosted_thread,
    request,
    resumed,
    succeeded,
    thread_run,
    with_provider,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import outcome
from conformance.trace.harness_events import ServiceReplied

# --- what the rules of this section look at, and leave alone ---


@condition
def named_by_some_chunks(execution: ExecutionView, request: RequestView) -> bool:
    """The latest reply before it that named a conversation was streamed whole, and did not name it in each of its chunks."""
    runs = [*execution.earlier(request.run), request.run]
    latest = _naming(runs, before=request.call.request.call)
    own = latest in [view.reply for view in request.run.calls]
    certain = own or all(other.succeeded or not other.calls for other in execution.earlier(request.run))
    return certain and latest is not None and latest.id_in != "every"


@condition
def ended_so(_: ExecutionView, run: RunView) -> bool:
    """The latest reply of the run that named a conversation did not do so in each of its chunks."""
    latest = _naming([run])
    return latest is not None and latest.id_in != "every"


@condition
def hosted_afterwards(execution: ExecutionView, run: RunView) -> bool:
    """The thread is hosted when the run is over."""
    return kind_after(execution, run) == "hosted"


@condition
def failed_after_answers(_: ExecutionView, run: RunView) -> bool:
    """The caller got an error, although every service call of the run got a reply that named a conversation."""
    return run.ending == "raised" and bool(run.calls) and run.answered_with_ids


# --- the rules ---


@clause(each=thread_run, when=[succeeded, ~resumed, hosted_afterwards, ended_so])
def the_thread_shows_the_last_id_of_a_stream(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """After a run the thread has the last id that its latest reply named."""
    for at, state in states_after(execution, run):
        yield _goes_on(run, at, state.conversation_id, f"thread {run.thread!r} with", _naming([run]))


@clause(each=thread_run, when=[on_hosted_thread, ended_so, failed_after_answers, ~with_provider, ~contradicting])
def a_stream_that_names_its_conversation_is_no_error(_: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A run does not fail for want of an id that some chunk named."""
    yield finding(False, run.raised[0] if run.raised else run.at, "refused", expected="a response", got=outcome(run))


@rule(
    "THR-41",
    needs=["threads.hosted", "runs.streaming", "service.id_in_chunks"],
    each=request,
    when=[*of_run(on_hosted_thread), named_by_some_chunks],
    also=[the_thread_shows_the_last_id_of_a_stream, a_stream_that_names_its_conversation_is_no_error],
    aspects=["missed", "provisional kept", "refused"],
    edition=2,
)
def the_last_id_of_a_stream_counts(execution: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """Streaming: the thread goes on under the last id that any chunk of the finished reply named, first, middle or last.

    Where each chunk names the same one, THR-07 says it.
    """
    runs = [*execution.earlier(request.run), request.run]
    latest = _naming(runs, before=request.call.request.call)
    yield _goes_on(request.run, request.call.at, request.call.request.conversation_id, "a request that names", latest)


# --- what they compare ---


def _goes_on(run: RunView, at: int, got: str | None, what: str, latest: ServiceReplied | None) -> Finding:
    assert latest is not None
    id, provisional = latest.conversation_id, latest.provisional_id
    return finding(
        got == id,
        at,
        "provisional kept" if got is not None and got == provisional else "missed",
        expected=f"{what} conversation {id!r}, which the stream named {_PLACES[latest.id_in]}",
        got=f"conversation {got!r}" + (", which the stream named first" if got is not None and got == provisional else ""),
        also=[run.at],
    )


_PLACES = {
    "every": "throughout",
    "first": "in its first chunk",
    "middle": "in a middle chunk",
    "last": "in its last chunk",
    "provisional": "in its last chunk",
}


def _naming(runs: Sequence[RunView], *, before: int | None = None) -> ServiceReplied | None:
    """The latest reply that named a conversation; `before`: of a call number."""
    replies = [view.reply for run in runs for view in run.calls if before is None or view.request.call < before]
    named = [reply for reply in replies if reply is not None and reply.conversation_id is not None]
    return named[-1] if named else None
