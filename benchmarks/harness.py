"""What the harness costs: scenarios performed by it, against the same runs on the bare reference.

Run with `python benchmarks/harness.py`. Both sides are timed in turn in one process, so that the ratio holds where the machine's
speed drifts; the absolute figures do not travel.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import suppress

from conformance.harness.runner import perform
from conformance.reference.implementation import Reference
from conformance.reference.thread import Thread
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.execution_view import ExecutionView
from conformance.scenario.files import load
from conformance.scenario.requirements import needs
from conformance.scenario.scenario import CreateThread, Run, Scenario
from conformance.trace.adapter_events import Raised
from conformance.trace.exchange import Turn
from conformance.trace.messages import Message
from conformance.vocabulary import AREAS, Capability
from conformance.world.script import Script
from conformance.world.world import World

ROUNDS = 7


BEYOND: frozenset[Capability] = frozenset({"runs.cancel", "agents.as_tool", "threads.shared", "threads.with_id"})
"""What the bare side does without."""


def plain_scenarios() -> list[Scenario]:
    """The fixtures that only create threads and run on them, and in which every thread can be created."""
    every = [scenario for area in AREAS for _, scenario in load(area)]
    threads = [s for s in every if s.steps and all(isinstance(step, CreateThread | Run) for step in s.steps)]
    return [s for s in threads if not needs(s) & BEYOND and all_created(s)]


def all_created(scenario: Scenario) -> bool:
    """Whether no step but runs ends in an error."""
    return not any(isinstance(event, Raised) and event.run is None for event in perform(scenario, Reference).events)


def bare(scenarios: list[Scenario]) -> None:
    """The reference on the same fakes, without stage, descriptions, warnings and guard."""

    async def one(scenario: Scenario) -> None:
        reference = Reference()
        world = World(scenario)
        await reference.open(world)
        threads: dict[str, tuple[str, Thread]] = {}
        agents = {name: await reference.create_agent(name, spec, {}) for name, spec in scenario.agents.items()}
        for step in scenario.steps:
            if isinstance(step, CreateThread):
                threads[step.thread] = step.agent, await reference.create_thread(agents[step.agent], step.kind)
            elif isinstance(step, Run):
                name, thread = threads[step.thread]
                script = Script(len(world.scripts), {name: step.replies})
                world.scripts.append(script)
                turn = Turn(messages=tuple(Message(role="user", text=text) for text in step.say), store=step.store)
                with world.during(script), suppress(Exception):  # scripted failures are part of the scenarios
                    await reference.run(agents[name], thread, turn)

    for scenario in scenarios:
        asyncio.run(one(scenario))


def harness(scenarios: list[Scenario]) -> None:
    """The stage, as the suite uses it."""
    for scenario in scenarios:
        perform(scenario, Reference)


def judged(scenarios: list[Scenario]) -> None:
    """The stage and every rule."""
    rules = CATALOGUE.values()
    for scenario in scenarios:
        trace = perform(scenario, Reference)
        execution = ExecutionView(scenario, trace)
        for rule in rules:
            rule.examine(execution)


def seconds(work: Callable[[list[Scenario]], None], scenarios: list[Scenario]) -> float:
    began = time.perf_counter()
    work(scenarios)
    return time.perf_counter() - began


def main() -> None:
    import warnings

    warnings.simplefilter("ignore")
    scenarios = plain_scenarios()
    for work in (bare, harness, judged):
        work(scenarios)
    rounds = [[seconds(work, scenarios) for work in (bare, harness, judged)] for _ in range(ROUNDS)]
    print(f"{len(scenarios)} scenarios, {ROUNDS} rounds")
    for name, place in (("performed by the stage", 1), ("performed and judged by every rule", 2)):
        ratios = [times[place] / times[0] for times in rounds]
        each = statistics.median(times[place] for times in rounds) / len(scenarios) * 1000
        print(
            f"{name}: {statistics.median(ratios):.2f} times the bare reference"
            f" (min {min(ratios):.2f}, max {max(ratios):.2f}), {each:.2f} ms a scenario"
        )


if __name__ == "__main__":
    main()
