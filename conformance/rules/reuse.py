"""Rules on a workflow that is used again: after success, failure, a dropped request, or a stream that its consumer left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from conformance.rules.case import Case
from conformance.rules.completion import SIGNAL
from conformance.rules.outputs import completed
from conformance.rules.plays import cut_off, faulty, left_to_author, played
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.rules.texts import heard_texts, told
from conformance.scenario import RunWorkflow
from conformance.trace import Chunk, Output, RunReturned

_ABOUT_RUNS = re.compile(r"\brun|progress|abandon|busy|restart|state|cancel", re.I)


@rule("ORC-06", needs=["workflows"], policies=SIGNAL)
def runs_do_not_leak_into_each_other(case: Case) -> Iterator[Finding]:
    """The second run on the same workflow has its own completion, with nothing of the first run's answer.

    A failed or suspended-and-dropped first run does not poison it. Leaves alone: how many completions there are (ORC-01), what
    participants are sent (ORC-35), runs after one whose consumer left its stream (ORC-38), and texts that both runs say.
    """
    runs = list(played(case))
    for place, (run, spec, _) in enumerate(runs):
        earlier = [other for other, its, _ in runs[:place] if its.workflow == spec.workflow and other.events[-1][0] < run.at]
        left = any(cut_off(other) for other in earlier)
        if not earlier or left or faulty(run) or cut_off(run) or left_to_author(case, spec.workflow):
            continue
        found = _ends(run, spec)
        expected = any(_ends(other, its) for other, its, _ in runs[:place] if other in earlier and its.stream == spec.stream)
        leaked = _leaked(case, run, earlier, found)
        own = run.ending == "waiting" or (run.succeeded and (bool(found) or not expected))
        yield finding(
            own and not leaked,
            leaked[0] if leaked else run.raised[0] if run.raised else run.events[-1][0],
            expected="a completion of its own, with nothing of an earlier run in it",
            got=f"{len(leaked)} answers with texts of earlier runs" if own else f"{len(found)} completions; the run {run.ending}",
            also=[earlier[-1].events[-1][0]],
        )


@rule("ORC-38", needs=["workflows", "runs.streaming"], policies=SIGNAL)
def an_abandoned_workflow_can_be_used_again(case: Case) -> Iterator[Finding]:
    """A consumer that abandons a workflow's stream can use the workflow again, or is told clearly that it cannot.

    Told: an error that speaks of runs or of the workflow's state. Leaves alone: runs that fail by their own script, and how many
    completions there are (ORC-01).
    """
    runs = list(played(case))
    for place, (run, spec, _) in enumerate(runs):
        earlier = [other for other, its, _ in runs[:place] if its.workflow == spec.workflow]
        if not any(other.ending == "abandoned" for other in earlier) or faulty(run) or left_to_author(case, spec.workflow):
            continue
        if cut_off(run):
            continue
        found = _ends(run, spec)
        leaked = _leaked(case, run, earlier, found)
        refused = run.raised is not None and bool(_ABOUT_RUNS.search(run.raised[1].text)) and not found
        shown = bool(found) or bool(run.of(Chunk))
        done = run.ending == "waiting" or (run.succeeded and shown and not leaked)
        yield finding(
            done or refused,
            leaked[0] if leaked else run.raised[0] if run.raised else run.events[-1][0],
            expected="a run with a completion of its own, or an error that tells of the earlier one",
            got=f"{len(run.calls)} service calls, {len(found)} completions, {len(leaked)} with texts of the abandoned run",
            also=[earlier[-1].events[-1][0]],
        )


def _ends(run: RunView, spec: RunWorkflow) -> list[tuple[int, Output | RunReturned]]:
    """What a run ended with: its run-completed outputs, or its last response as an agent."""
    return [*(run.of(RunReturned)[-1:] if spec.as_agent else completed(run))]


def _leaked(case: Case, run: RunView, earlier: Sequence[RunView], found: Sequence[tuple[int, Output | RunReturned]]) -> list[int]:
    """Where texts that only earlier runs said are in what a run ended with."""
    foreign = {text for other in earlier for text in told(other)} - set(told(run))
    return [at for at, end in found if foreign & set(heard_texts(case, end.messages))]
