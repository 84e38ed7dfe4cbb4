"""Streaming pairs: two threads of one scenario with equal scripts, of which one streams and the other does not (THR-27)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import msgspec

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView, states_after
from conformance.rules.run_view import CallView, RunView
from conformance.scenario.scenario import Run
from conformance.trace.adapter_events import RunReturned
from conformance.trace.harness_events import ServiceReplied


@dataclass(frozen=True)
class StreamingPair:
    """The runs of two threads. plain: those of the thread that never streams. streamed: those of the one that always does."""

    plain: tuple[RunView, ...]
    streamed: tuple[RunView, ...]


@selection
def streaming_pair(execution: ExecutionView) -> Iterator[StreamingPair]:
    """Two threads that were created alike, one of which streams all of its runs and the other none."""
    runs: dict[str, list[RunView]] = {}
    for run, thread, _ in execution.agent_runs():
        runs.setdefault(thread, []).append(run)
    for (first, plain), (second, streamed) in product(runs.items(), repeat=2):
        apart = _stream(plain, False) and _stream(streamed, True)
        if apart and _creation(execution, first) == _creation(execution, second) is not None:
            yield StreamingPair(tuple(plain), tuple(streamed))


@condition
def asked_alike(_: ExecutionView, pair: StreamingPair) -> bool:
    """The runs of both say, choose and script the same."""
    plain, streamed = ([_but_for_streaming(run) for run in runs] for runs in (pair.plain, pair.streamed))
    return plain == streamed


@condition
def script_ran_out(_: ExecutionView, pair: StreamingPair) -> bool:
    """A service was called more often than is scripted, and went on with texts that are never the same."""
    return any(_ran_out(run) for run in (*pair.plain, *pair.streamed))


def differences(execution: ExecutionView, plain: RunView, streamed: RunView) -> dict[str, tuple[str, str]]:
    """What depends on streaming and must not, by its name: as it is without streaming, and as it is with it."""
    told = [_told(execution, run) for run in (plain, streamed)]
    return {what: (told[0][what], told[1][what]) for what in told[0] if told[0][what] != told[1][what]}


def _stream(runs: list[RunView], stream: bool) -> bool:
    return all(isinstance(run.spec, Run) and run.spec.stream is stream for run in runs)


def _creation(execution: ExecutionView, thread: str) -> tuple[object, ...] | None:
    """How a thread was created; None where it was restored, and with it what was said before."""
    if execution.origin(thread) is not None:
        return None
    step = execution.scenario.creation_of(thread)
    return step.agent, step.kind, step.with_id


def _but_for_streaming(run: RunView) -> object:
    assert isinstance(run.spec, Run)
    return msgspec.structs.replace(run.spec, thread="", stream=False)


def _ran_out(run: RunView) -> bool:
    assert isinstance(run.spec, Run)
    scripted = sum(len(replies) for replies in run.spec.inner.values())
    return len(run.calls) > len(run.spec.replies) or len(run.inner_calls) > scripted


def _told(execution: ExecutionView, run: RunView) -> dict[str, str]:
    """What must not depend on streaming, with ids by their order on the thread."""
    requests = [(view.request.store, view.request.conversation_id, execution.heard(view.request.messages)) for view in run.calls]
    returned = [execution.heard(event.messages) for _, event in run.of(RunReturned)]
    left = [
        (each.kind, each.conversation_id, each.messages and execution.heard(each.messages))
        for _, each in states_after(execution, run)
    ]
    ending = run.raised[1].kind if run.raised else run.ending
    return {
        "requests": _by_order(execution, run, repr(requests)),
        "ending": ending,
        "response": _by_order(execution, run, repr(returned)),
        "thread": _by_order(execution, run, repr(left)),
    }


_QUOTED = re.compile(r"'[^']*'")


def _by_order(execution: ExecutionView, run: RunView, text: str) -> str:
    """A text in which the ids of a thread's calls and conversations are numbered by their order on the thread."""
    calls, ids = _ids_of(execution, run)
    names = {id: f"'conversation {place}'" for place, id in enumerate(dict.fromkeys(ids))}
    names |= {id: f"'call {place}'" for place, id in enumerate(dict.fromkeys(calls))}
    return _QUOTED.sub(lambda found: names.get(found[0][1:-1], found[0]), text)


def _ids_of(execution: ExecutionView, run: RunView) -> tuple[list[str], list[str]]:
    """The ids of calls and of conversations that came up on the run's thread by its end, in order."""
    mine = [*execution.earlier(run), run]
    calls = [call.id for each in mine for reply in _replies([*each.calls, *each.inner_calls]) for call in reply.message.calls]
    ids = [execution.id_given(run.thread or "")]
    for each in mine:
        ids += [each.named_id, *(reply.conversation_id for reply in _replies(each.calls))]
    return calls, [id for id in ids if id]


def _replies(calls: list[CallView]) -> list[ServiceReplied]:
    return [view.reply for view in calls if view.reply]
