"""Persistence, recovery: how a thread goes on after a run that ended between a call and its results (PER-46)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView
from conformance.rules.parts import open_calls
from conformance.rules.preconditions import (
    RequestView,
    callers_history,
    contradicting,
    forked,
    history_failed,
    interrupting,
    of_run,
    request,
    thread_run,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import quoted
from conformance.trace.messages import Call, parts

# --- what the rule looks at, and leaves alone ---


@condition
def after_an_interruption(execution: ExecutionView, run: RunView) -> bool:
    """An earlier run on the thread ended between a call and its results."""
    return bool(_left_open(execution, run))


@condition
def refused_at_once(_: ExecutionView, run: RunView) -> bool:
    """The run raised an error before any service call, which is no conflict."""
    return run.raised is not None and not run.calls and not run.refused_as_conflict


@condition
def kept_without_its_name(execution: ExecutionView, run: RunView) -> bool:
    """The service kept a reply on the thread that carried no conversation id: whether it did nobody was told (THR-11)."""
    replies = [view.reply for each in [*execution.earlier(run), run] for view in each.calls if view.reply is not None]
    return any(reply.kept and reply.conversation_id is None for reply in replies)


# --- the rule ---


@clause(
    each=thread_run,
    when=[after_an_interruption, refused_at_once],
    leaves_alone=[contradicting, interrupting, history_failed],
)
def a_refusal_names_the_open_call(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A run that is refused for that is refused with an error that names the open call."""
    assert run.raised is not None
    at, error = run.raised
    calls = _left_open(execution, run)
    yield finding(
        any(name in error.text for call in calls for name in (call.id, call.tool)),
        at,
        "refused without a name",
        expected=f"a run that goes on, or an error that names an open call: {quoted([call.id for call in calls])}",
        got=f"an error of kind {error.kind}: {error.text!r}",
    )


@rule(
    "PER-46",
    needs=["tools"],
    each=request,
    when=of_run(after_an_interruption),
    leaves_alone=of_run(interrupting, forked, callers_history, kept_without_its_name),
    also=[a_refusal_names_the_open_call],
    aspects=["call without a result", "result without a call", "refused without a name"],
    edition=2,
)
def an_interruption_poisons_no_thread(_: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """After a run that ended between a call and its results, the requests of the next runs hold no call without a result.

    Nor a result without a call, by whatever repair: the known result, one that says so, the call left out. Or the next run is
    refused before any service call, with an error that names the open call. A request holds what it sends and what the service has.
    """
    asked = request.call.request
    said = parts([*asked.held, *asked.messages])
    called = {part[1] for part in said if part[0] == "call"}
    left = open_calls(said)
    unanswered = [id for id in left if id in called and _results(said, id) == 0]
    yield finding(
        not left,
        request.call.at,
        "call without a result" if unanswered else "result without a call",
        expected="each call with one result, each result after its call",
        got=f"left over: {quoted(left)}",
    )


# --- what it compares ---


def _left_open(execution: ExecutionView, run: RunView) -> list[Call]:
    """The calls that earlier runs of the thread ended at: those of their last reply."""
    return [call for other in execution.earlier(run) if other.ending not in ("waiting", "unknown") for call in _last_calls(other)]


def _last_calls(run: RunView) -> Sequence[Call]:
    replies = [view.reply.message for view in run.calls if view.reply is not None]
    return replies[-1].calls if replies else ()


def _results(said: Sequence[tuple[str, ...]], id: str) -> int:
    return sum(1 for part in said if part[:2] == ("result", id))
