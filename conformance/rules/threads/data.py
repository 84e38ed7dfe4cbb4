"""Threads, data: what the data of a thread may hold beside its description (THR-44)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import kind_after, kind_before
from conformance.rules.preconditions import with_provider
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import CallView, RunView
from conformance.rules.wording import quoted
from conformance.trace.adapter_events import Serialized
from conformance.trace.messages import Message

# --- what the rules of this section look at, and leave alone ---


@dataclass(frozen=True)
class DataOfThread:
    """The data that a thread became. at: where in the trace. runs: those that the thread had had by then, as they were then."""

    at: int
    event: Serialized
    runs: Sequence[RunView]


@selection
def thread_data(execution: ExecutionView) -> Iterator[DataOfThread]:
    """The data of a thread that had run."""
    for at, event in execution.of(Serialized):
        runs = execution.runs_until(event.thread, at)
        if runs and event.flaw is None:
            yield DataOfThread(at, event, runs)


@condition
def kept_by_the_service(execution: ExecutionView, data: DataOfThread) -> bool:
    """The thread is hosted, and the service keeps some of what was said on it."""
    return kind_after(execution, data.runs[-1]) == "hosted" and bool(_kept(data))


@condition
def was_local(execution: ExecutionView, data: DataOfThread) -> bool:
    """The thread was local before it became hosted (THR-12)."""
    return any(kind_before(execution, run) == "local" for run in data.runs)


@condition
def copied_by_a_provider(execution: ExecutionView, data: DataOfThread) -> bool:
    """A history provider writes a copy, as `provider_copy` declares; it may keep that on the thread."""
    return execution.policies.provider_copy == "written" and any(with_provider(execution, run) for run in data.runs)


@condition
def a_call_waits(_: ExecutionView, data: DataOfThread) -> bool:
    """A call waits for its approval: it has to be in the data (THR-39)."""
    return any(run.ending == "waiting" for run in data.runs)


# --- the rules ---


@rule(
    "THR-44",
    needs=["threads.hosted", "threads.serialize"],
    each=thread_data,
    when=[kept_by_the_service],
    leaves_alone=[was_local, copied_by_a_provider, a_call_waits],
    aspects=["a message beside the id"],
    edition=2,
)
def the_data_of_a_hosted_thread_holds_no_message(execution: ExecutionView, data: DataOfThread) -> Iterator[Finding]:
    """What a hosted thread is serialized to holds, as a value, no message of the conversation that the service keeps.

    The state of context providers is theirs, and may hold what it likes.
    """
    state = execution.described(data.event.thread, before=data.at)
    theirs = {*_texts(state.context if state else {}), *_names(execution)}
    kept = _kept(data) - theirs
    held = [text for text in _texts(data.event.data) if text in kept]
    yield finding(
        not held,
        data.at,
        "a message beside the id",
        expected="the conversation's id, and none of its messages",
        got=f"also {quoted(dict.fromkeys(held))}",
        also=[data.runs[-1].at],
    )


def _kept(data: DataOfThread) -> set[str]:
    """The texts that the service keeps, under a name that somebody was told."""
    calls = [view for run in data.runs for view in run.calls if view.kept_under_a_name]
    return {message.text for view in calls for message in _said(view) if message.text}


def _said(view: CallView) -> Iterator[Message]:
    """What a service call is about: what the service had, what it was sent, what it said."""
    yield from (*view.request.held, *view.request.messages)
    if view.reply is not None:
        yield view.reply.message


def _texts(value: Any) -> Iterator[str]:
    """The texts that stand somewhere in JSON data as a value, not as a key."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in cast("dict[str, Any]", value).values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _texts(each)


def _names(execution: ExecutionView) -> Iterator[str]:
    """What the scenario calls things, which somebody may also have said."""
    yield from execution.scenario.agents
    for step in execution.scenario.steps:
        yield getattr(step, "thread", None) or ""
