"""Persistence, equivalence: threads with one script come to the same, whoever keeps them and whenever (PER-17, PER-18)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import persistence_of
from conformance.rules.pairs import PairedThread, ThreadPair, by_order, thread_pair
from conformance.rules.parts import how_they_differ
from conformance.rules.persistence.cells import cell_of
from conformance.rules.persistence.history import gained, plain
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import show
from conformance.scenario.scenario import Run
from conformance.scenario.specs import AgentSpec
from conformance.trace.messages import Part

# --- what the rules of this section look at, and leave alone ---


@condition
def kept_per_call_beside_a_hosted_one(_: ExecutionView, pair: ThreadPair) -> bool:
    """The first thread's history provider is appended to after each service call, and the second thread is hosted."""
    return cell_of(pair.first) in _PER_CALL and pair.second.kind == "hosted"


@condition
def kept_per_run_beside_one_per_call(_: ExecutionView, pair: ThreadPair) -> bool:
    """The first thread's history provider is appended to at the end of each run, the second one's after each service call."""
    return cell_of(pair.first) in _PER_RUN and cell_of(pair.second) in _PER_CALL


_PER_RUN, _PER_CALL = ("M1", "M3"), ("M2", "M4")
"""The cells of the configuration matrix in which the implementation appends, by when it does."""


@condition
def number_calls_differently(_: ExecutionView, pair: ThreadPair) -> bool:
    """The service of one of the two threads numbers its function calls anew in every run."""
    return pair.first.agent.service.repeats_call_ids != pair.second.agent.service.repeats_call_ids


@condition
def cut_off(_: ExecutionView, pair: ThreadPair) -> bool:
    """The caller cancelled or abandoned a run on one of the two threads, or nobody can say how it ended."""
    runs = [*pair.first.runs, *pair.second.runs]
    return not all(run.ending in ("returned", "waiting", "raised") for run in runs)


@condition
def with_a_failing_provider(_: ExecutionView, pair: ThreadPair) -> bool:
    """The history provider is scripted to fail, of which the storing service knows nothing."""
    return any(spec.load_fails is not None or spec.append_fails is not None for spec in _specs(pair.first))


@condition
def partly_in_background(_: ExecutionView, pair: ThreadPair) -> bool:
    """The service may work on a run in the background (PER-40)."""
    return any(spec.background for spec in _specs(pair.first))


@dataclass(frozen=True)
class PairedRuns:
    """A run on one thread of a pair, and the one at its place on the other. before: all that came before these two."""

    pair: ThreadPair
    one: RunView
    other: RunView
    before: tuple[RunView, ...]


@selection
def paired_runs(execution: ExecutionView) -> Iterator[PairedRuns]:
    """A run on one thread of a pair, and the one at its place on the other; either way round."""
    for pair in thread_pair(execution):
        for place, (one, other) in enumerate(zip(pair.first.runs, pair.second.runs, strict=True)):
            yield PairedRuns(pair, one, other, (*pair.first.runs[:place], *pair.second.runs[:place]))


def of_pair(*conditions: Condition[ThreadPair]) -> list[Condition[PairedRuns]]:
    """The same conditions, asked of the two threads."""
    return [each.of(lambda runs: runs.pair) for each in conditions]


@condition
def came_to_their_own_end(_: ExecutionView, runs: PairedRuns) -> bool:
    """Both runs and all before them succeeded, and no tool and no limit ended their loops."""
    return all(map(plain, (*runs.before, runs.one, runs.other)))


@condition
def supplied_differently(_: ExecutionView, pair: ThreadPair) -> bool:
    """A caller supplied results on one thread that were not lacking on the other, where the calls had been closed otherwise."""
    return any(len(one.supplied) != len(other.supplied) for one, other in zip(pair.first.runs, pair.second.runs, strict=False))


# --- the rules ---


@rule(
    "PER-17",
    needs=["history.provider", "history.per_service_call", "threads.hosted"],
    each=thread_pair,
    when=[kept_per_call_beside_a_hosted_one],
    leaves_alone=[number_calls_differently, cut_off, with_a_failing_provider, partly_in_background, supplied_differently],
    aspects=["missing", "trailing result", "repeated", "foreign", "order"],
)
def stored_history_equals_the_services_transcript(execution: ExecutionView, pair: ThreadPair) -> Iterator[Finding]:
    """With `per_service_call`, framework-stored history equals the transcript that the storing service keeps for the same script.

    Judged on pairs within one scenario: a local thread with per-service-call persistence and a hosted one on a storing service:
    in success, in failure at any call, under termination.
    """
    local, hosted = pair.first, pair.second
    count = _comparable(hosted)
    stored = [part for run in local.runs[:count] for part in gained(execution, run)]
    transcript = _transcript(execution, hosted.runs[:count], hosted.agent)
    expected, got = _named(transcript), _named(stored)
    appends = [at for run in local.runs[:count] for at, _ in run.stored]
    yield finding(
        got == expected,
        max(appends, default=local.runs[-1].events[-1][0]),
        "trailing result" if _has_results_beside(got, expected) else how_they_differ(got, expected),
        expected=f"as the service keeps on thread {hosted.thread!r}: {show(transcript)}",
        got=f"stored for thread {local.thread!r}: {show(stored)}",
    )


@rule(
    "PER-18",
    needs=["history.provider", "history.per_run", "history.per_service_call"],
    each=paired_runs,
    when=[*of_pair(kept_per_run_beside_one_per_call), came_to_their_own_end],
    aspects=["missing", "repeated", "foreign", "order"],
)
def both_modes_end_with_the_same_history(execution: ExecutionView, runs: PairedRuns) -> Iterator[Finding]:
    """Where a run succeeds and is not terminated, per-run and per-service-call persistence end with the same stored history.

    Judged on pairs within one scenario, run by run until one of them ends otherwise.
    """
    stored = [gained(execution, run) for run in (runs.one, runs.other)]
    expected, got = map(_named, stored)
    yield finding(
        got == expected,
        runs.other.events[-1][0],
        how_they_differ(got, expected),
        expected=f"as stored at the end of the run on thread {runs.pair.first.thread!r}: {show(stored[0])}",
        got=f"stored call by call on thread {runs.pair.second.thread!r}: {show(stored[1])}",
        also=[runs.one.events[-1][0]],
    )


# --- what they compare ---


def _specs(member: PairedThread) -> list[Run]:
    return [run.spec for run in member.runs if isinstance(run.spec, Run)]


def _named(said: Sequence[Part]) -> list[Part]:
    """The same with calls named by their order of appearance: each thread of a pair has calls of its own."""
    return by_order([said])[0]


def _has_results_beside(got: Sequence[Part], expected: Sequence[Part]) -> bool:
    """Whether there are results beside what is expected, and nothing else is wrong: those of a loop that ended there."""
    more = [part for part in got if part not in expected]
    return all(part[0] == "result" for part in more) and [part for part in got if part in expected] == expected


def _comparable(hosted: PairedThread) -> int:
    """How many runs compare: none from one on that was refused, as it may be after an interruption (PER-46).

    Where ids are followed only at the end of a run, what comes after a failed one rightly differs, too.
    """
    failed = [place for place, run in enumerate(hosted.runs) if run.ending == "raised"]
    refused = [place for place in failed if not hosted.runs[place].calls]
    late = [place + 1 for place in failed] if persistence_of(hosted.agent) != "per call" else []
    return min([*refused, *late, len(hosted.runs)])


def _transcript(execution: ExecutionView, runs: Sequence[RunView], agent: AgentSpec) -> list[Part]:
    """What the service kept of a thread's runs: with every exchange, what was new in it, without what context providers added.

    Nor what closes calls that the conversation had left open. Also of a failed run whose id the thread did not take over (PER-28,
    PER-29), so that a failure can be compared at all.
    """
    views = [(run, view) for run in runs for view in run.calls if view.reply is not None and view.reply.kept]
    said = [each for run, view in views if view.reply for each in (*run.sent_in(view), view.reply.message)]
    return execution.spoken(said, agent)
