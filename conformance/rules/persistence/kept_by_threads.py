"""Histories that threads keep themselves: what they show before and after a run, where no history provider is configured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView, states_at_end
from conformance.rules.model import overtaken, timing_of
from conformance.rules.pairs import PairedThread, ThreadPair, thread_pair
from conformance.rules.parts import open_calls
from conformance.rules.persistence.history import all_came_to_their_own_end
from conformance.rules.preconditions import with_provider
from conformance.rules.run_view import RunView
from conformance.trace.messages import Part


@dataclass(frozen=True)
class KeptRun:
    """A run whose thread shows its messages. at: where it shows them when the run is over. before, after: what it shows then.

    Without what context providers injected, and without instructions.
    """

    run: RunView
    at: int
    before: list[Part]
    after: list[Part]

    @property
    def gained(self) -> list[Part]:
        """What the thread shows more than before the run."""
        known = Counter(self.before)
        found: list[Part] = []
        for part in self.after:
            if known[part] > 0:
                known[part] -= 1
            else:
                found.append(part)
        return found

    @property
    def own(self) -> list[Part]:
        """The same without results of calls that earlier runs had left open: these may be made up."""
        left_open = [id for id in open_calls(self.before) if id not in self.run.own_calls]
        return [part for part in self.gained if not (part[0] == "result" and part[1] in left_open)]


@selection
def kept_run(execution: ExecutionView) -> Iterator[KeptRun]:
    """A run without a history provider, on a thread that shows its messages and on which nothing else ran meanwhile."""
    for run, _, _ in execution.agent_runs():
        if not (run.ending == "refused" or with_provider(execution, run) or overtaken(execution, run)):
            yield from _shown(execution, run)


def _shown(execution: ExecutionView, run: RunView) -> Iterator[KeptRun]:
    begun = execution.described(run.thread, before=run.at)
    for at, state in states_at_end(execution, run):
        if state.messages is not None:
            before = execution.spoken((begun.messages if begun else None) or (), run.agent)
            yield KeptRun(run, at, before, execution.spoken(state.messages, run.agent))


def of_kept(*conditions: Condition[RunView]) -> list[Condition[KeptRun]]:
    """The same conditions, asked of the run."""
    return [each.of(lambda kept: kept.run) for each in conditions]


@condition
def kept_in_steps(execution: ExecutionView, _: RunView) -> bool:
    """The implementation keeps histories in steps of its own."""
    return execution.can("history.incremental")


@condition
def said_to_keep_at_the_end(execution: ExecutionView, run: RunView) -> bool:
    """The history is kept once, at the end of the run, as the implementation declares."""
    return execution.can("history.per_run") and timing_of(run) == "per run"


@dataclass(frozen=True)
class KeptPair:
    """A run on one thread of a pair, and the one at its place on the other; both threads show their messages."""

    pair: ThreadPair
    one: KeptRun
    other: KeptRun


@selection
def kept_pair(execution: ExecutionView) -> Iterator[KeptPair]:
    """Two runs at one place on two threads with one script, which show their messages; either way round."""
    shown = {kept.run.number: kept for kept in kept_run(execution)}
    for pair in thread_pair(execution):
        for one, other in zip(pair.first.runs, pair.second.runs, strict=True):
            if one.number in shown and other.number in shown:
                yield KeptPair(pair, shown[one.number], shown[other.number])


def of_the_pair(*conditions: Condition[ThreadPair]) -> list[Condition[KeptPair]]:
    """The same conditions, asked of the two threads."""
    return [each.of(lambda kept: kept.pair) for each in conditions]


@condition
def per_run_beside_per_call(execution: ExecutionView, kept: KeptPair) -> bool:
    """The first thread keeps its messages at the end of each run, the second one after each service call; both are local."""
    declared = execution.can("history.per_run") and execution.can("history.per_service_call")
    timings = [timing_of(each.run) for each in (kept.one, kept.other)]
    return declared and timings == ["per run", "per call"] and _both_local(kept.pair.first, kept.pair.second)


def _both_local(*threads: PairedThread) -> bool:
    return all(each.kind == "local" and not each.agent.service.surprising for each in threads)


@condition
def both_came_to_their_own_end(execution: ExecutionView, kept: KeptPair) -> bool:
    """Both runs and all before them on their threads came to their own end, and no tool and no limit ended their loops."""
    return all(all_came_to_their_own_end(execution, each.run) for each in (kept.one, kept.other))


def history_before(execution: ExecutionView, run: RunView) -> Sequence[Part] | None:
    """What a thread without a provider shows when a run begins; None where it shows nothing."""
    begun = execution.described(run.thread, before=run.at)
    return None if begun is None or begun.messages is None else execution.spoken(begun.messages, run.agent)
