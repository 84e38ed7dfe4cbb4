"""Threads, continuation: with which conversation a hosted thread goes on (THR-41, THR-42)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView, states_after, states_at_end
from conformance.rules.model import is_forgotten, kind_after
from conformance.rules.parts import but_for_empty
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
from conformance.rules.run_view import CallView, RunView
from conformance.rules.wording import outcome, show
from conformance.trace.adapter_events import Raised
from conformance.trace.harness_events import ServiceReplied, Warned
from conformance.trace.messages import Part

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


@dataclass(frozen=True)
class InVain:
    """A run on a thread whose conversation its service no longer has. call: its first request since then."""

    run: RunView
    call: CallView

    @property
    def begins_anew(self) -> CallView | None:
        """The first request since then that names no conversation."""
        later = [view for view in self.run.calls if view.at >= self.call.at]
        return next((view for view in later if view.request.conversation_id is None), None)


@selection
def run_after_forgetting(execution: ExecutionView) -> Iterator[InVain]:
    """A run that calls a service which no longer has the thread's conversation."""
    for run in thread_run(execution):
        call = next((view for view in run.calls if is_forgotten(execution, run, view.at)), None)
        if call is not None:
            yield InVain(run, call)


@condition
def came_to_its_own_end(_: ExecutionView, each: InVain) -> bool:
    """The run came to an end of its own, well or with an error."""
    return each.run.ending in ("returned", "waiting", "raised")


@condition
def begun_anew(_: ExecutionView, each: InVain) -> bool:
    """The run begins a new conversation."""
    return each.begins_anew is not None


hosted_so_far: Condition[InVain] = on_hosted_thread.of(lambda each: each.run)
in_order: Condition[InVain] = (~contradicting).of(lambda each: each.run)


# --- the rules ---


@clause(each=thread_run, when=[succeeded, ~resumed, hosted_afterwards, ended_so])
def the_thread_shows_the_last_id_of_a_stream(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """After a run the thread has the last id that its latest reply named."""
    for at, state in states_after(execution, run):
        yield _goes_on(run, at, state.conversation_id, f"thread {run.thread!r} with", _naming([run]))


@clause(each=thread_run, when=[on_hosted_thread, ended_so, failed_after_answers, ~resumed, ~with_provider, ~contradicting])
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


@clause(each=run_after_forgetting, when=[hosted_so_far, in_order, begun_anew])
def a_new_conversation_holds_the_old_one(execution: ExecutionView, each: InVain) -> Iterator[Finding]:
    """A new conversation begins with the whole old one."""
    view, run = each.begins_anew or each.call, each.run
    done = [other for other in execution.earlier(run) if other.calls and other.succeeded]
    said = but_for_empty([part for other in done for part in other.happened(trailing=False)] + run.inputs)
    sent = execution.spoken(view.request.messages, run.agent)
    yield finding(
        _stands_in(said, sent),
        view.at,
        "history lost",
        expected=f"an error, or a new conversation that begins with the whole old one: {show(said)}",
        got=f"a request that names no conversation, with {show(sent)}",
        also=[other.at for other in done],
    )


@clause(each=run_after_forgetting, when=[hosted_so_far, in_order, begun_anew])
def a_new_conversation_is_told(_: ExecutionView, each: InVain) -> Iterator[Finding]:
    """Where a new conversation begins, there is one warning."""
    warned = [at for at, event in each.run.of(Warned) if _ABOUT_THE_CONVERSATION.search(event.text)]
    yield finding(
        len(warned) == 1,
        warned[-1] if warned else each.call.at,
        "not one warning",
        expected="one warning that the conversation is gone and another one begins",
        got=f"{len(warned)} warnings",
    )


@clause(each=run_after_forgetting, when=[hosted_so_far, in_order, came_to_its_own_end, ~begun_anew])
def the_thread_keeps_its_id(execution: ExecutionView, each: InVain) -> Iterator[Finding]:
    """A run that names a conversation in vain leaves the thread with its id."""
    before = execution.described(each.run.thread, before=each.call.at)
    had = before.conversation_id if before is not None else each.call.request.conversation_id
    for at, state in states_at_end(execution, each.run):
        got = state.conversation_id
        expected = f"thread {each.run.thread!r} with its id, {had!r}"
        yield finding(got == had, at, "id lost", expected=expected, got=f"conversation {got!r}", also=[each.run.at])


@rule(
    "THR-42",
    needs=["threads.hosted"],
    each=run_after_forgetting,
    when=[hosted_so_far, in_order, came_to_its_own_end, ~begun_anew],
    also=[the_thread_keeps_its_id, a_new_conversation_holds_the_old_one, a_new_conversation_is_told],
    aspects=["no error", "another error", "unnamed", "id lost", "history lost", "not one warning"],
    edition=2,
)
def a_conversation_that_is_gone_is_an_error(_: ExecutionView, each: InVain) -> Iterator[Finding]:
    """A run that names a conversation which its service no longer has raises an error that names it, and the thread keeps its id.

    The error is of kind service or conflict. A new conversation may begin instead, with one warning, only where its first request
    carries the whole old one.
    """
    id = each.call.request.conversation_id or ""
    at, error = each.run.raised or (each.call.at, None)
    yield finding(
        _how_it_ends(error, id) is None,
        at,
        _how_it_ends(error, id) or "",
        expected=f"an error of kind service or conflict that names conversation {id!r}",
        got=outcome(each.run),
        also=[each.call.at],
    )


# --- what they compare ---


def _how_it_ends(error: Raised | None, id: str) -> str | None:
    """The aspect in which the end of a run that named a conversation in vain is wrong."""
    if error is None:
        return "no error"
    if error.kind not in ("service", "conflict"):
        return "another error"
    named = re.search(rf"{re.escape(id)}(?!\d)", error.text)  # a-1 is not a-11, but conv_a-1 is
    return None if named else "unnamed"


def _stands_in(said: Sequence[Part], sent: Sequence[Part]) -> bool:
    """Whether all that was said is sent, in order."""
    left = iter(sent)
    return all(part in left for part in said)


_ABOUT_THE_CONVERSATION = re.compile(r"conversation|thread|session|history", re.I)


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
