"""Both ways of running: the same scenario with streaming flipped, and whether the same rules are violated."""

from __future__ import annotations

import msgspec

from conformance.cast import runs_of, workflow_runs_of
from conformance.scenario import Respond, Run, RunWorkflow, Scenario, Step, Together


def flipped(scenario: Scenario) -> Scenario | None:
    """The scenario with streaming flipped in every run and every answer.

    None where there is nothing to flip, and where a consumer leaves a stream early: without streaming there is nothing to leave.
    """
    if any(run.abandons is not None for step in scenario.steps for run in (*runs_of(step), *workflow_runs_of(step))):
        return None
    steps = tuple(_step(step) for step in scenario.steps)
    return msgspec.structs.replace(scenario, steps=steps) if steps != scenario.steps else None


def _step(step: Step) -> Step:
    match step:
        case Run() | RunWorkflow() | Respond():
            return msgspec.structs.replace(step, stream=not step.stream)
        case Together():
            return msgspec.structs.replace(
                step, runs=tuple(msgspec.structs.replace(run, stream=not run.stream) for run in step.runs)
            )
        case _:
            return step
