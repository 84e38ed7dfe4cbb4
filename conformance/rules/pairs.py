"""Pairs: two threads of one scenario that must come to the same, because their runs have the same script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.persistence.history import threads_of
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import Respond, Run
from conformance.scenario.specs import AgentSpec
from conformance.trace.messages import Part
from conformance.vocabulary import ThreadKind


@dataclass(frozen=True)
class PairedThread:
    """A thread with its runs. name: of its agent. streams: which of the runs stream. script: what they were asked for."""

    thread: str
    name: str
    agent: AgentSpec
    kind: ThreadKind
    runs: tuple[RunView, ...]
    streams: tuple[bool, ...]
    script: tuple[object, ...]


@dataclass(frozen=True)
class ThreadPair:
    """Two threads of one scenario with one script, on agents that differ in settings, history or service only."""

    first: PairedThread
    second: PairedThread


@selection
def thread_pair(execution: ExecutionView) -> Iterator[ThreadPair]:
    """Two threads with one script, on agents that differ in settings, history or service only; either way round."""
    threads = threads_of(execution)
    candidates = [each for thread in threads if len(threads) > 1 and (each := _candidate(execution, thread)) is not None]
    for first in candidates:
        for second in candidates:
            if first is not second and first.script == second.script and _alike(first.agent, second.agent):
                yield ThreadPair(first, second)


@condition
def on_one_agent_and_of_one_kind(_: ExecutionView, pair: ThreadPair) -> bool:
    """The two threads are of one agent and of one kind."""
    return pair.first.name == pair.second.name and pair.first.kind == pair.second.kind


@condition
def one_streams_and_the_other_does_not(_: ExecutionView, pair: ThreadPair) -> bool:
    """The second thread streams in every run, the first one in none."""
    return not any(pair.first.streams) and all(pair.second.streams)


def by_order(sequences: Sequence[Sequence[Part]]) -> list[list[Part]]:
    """The same parts with calls named by their order of appearance: each thread of a pair has calls of its own."""
    names: dict[str, str] = {}

    def named(part: Part) -> Part:
        if part[0] not in ("call", "result"):
            return part
        return (part[0], names.setdefault(part[1], str(len(names))), *part[2:])

    return [[named(part) for part in said] for said in sequences]


def _candidate(execution: ExecutionView, thread: str) -> PairedThread | None:
    """The thread, where its script says all: no options that contradict it, no text that the service made up."""
    runs = [run for run in execution.runs if run.thread == thread]
    specs = [run.spec for run in runs if isinstance(run.spec, Run)]
    if execution.origin(thread) is not None or not all(map(_told_by_its_script, runs)):
        return None
    return PairedThread(
        thread=thread,
        name=execution.scenario.agent_name(thread),
        agent=runs[0].agent,
        kind=execution.scenario.kind_of(thread),
        runs=tuple(runs),
        streams=tuple(spec.stream for spec in specs),
        script=tuple((msgspec.structs.replace(run.spec, thread="", stream=False), _answers(execution, run)) for run in runs),
    )


def _told_by_its_script(run: RunView) -> bool:
    """Whether nothing but its script decides what a run comes to, and the adapter can express it."""
    spec = run.spec
    assert isinstance(spec, Run)
    inner = bool(spec.inner or run.inner_calls)
    return len(run.calls) <= len(spec.replies) and not inner and run.ending != "refused" and not _has_options(spec)


def _has_options(spec: Run) -> bool:
    named = spec.conversation_id or spec.agent
    return spec.store is not None or spec.per_service_call is not None or bool(named)


def _answers(execution: ExecutionView, run: RunView) -> tuple[bool, ...]:
    """How the requests of a run were answered."""
    steps = dict.fromkeys(event.step for _, event in run.events)
    answers = [execution.scenario.steps[step] for step in steps]
    return tuple(answer.approve for answer in answers if isinstance(answer, Respond))


def _alike(first: AgentSpec, second: AgentSpec) -> bool:
    same = ("tools", "context", "limit", "on_conflict", "reduces_to", "observed")
    return all(getattr(first, field) == getattr(second, field) for field in same)
