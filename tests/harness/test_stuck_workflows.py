"""Workflows that never come to an end: each scenario ends with a verdict in time, and the rest is judged all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from conformance.harness.containment import DEADLOCK
from conformance.harness.runner import perform
from conformance.implementation.protocol import Implementation
from conformance.implementation.subject import subject
from conformance.judging.baseline import Baseline, Deviation, KnownFailures, Table
from conformance.judging.judge import Judge
from conformance.judging.material import shipped
from conformance.judging.search import Profile
from conformance.judging.survey import GIVE_UP
from conformance.reference.implementation import Reference
from conformance.rules.catalogue import CATALOGUE
from conformance.scenario.files import encode
from conformance.scenario.scenario import RunWorkflow, Scenario
from conformance.scenario.specs import AgentSpec, ManagerSpec, ReplySpec, WorkflowSpec
from conformance.trace.adapter_events import Chunk, Output, Raised
from conformance.trace.exchange import ChunkSeen, OutputSeen, Turn, WorkflowSeen
from conformance.trace.harness_events import Broke, ServiceCalled
from conformance.world.chat_service import ChatService, Reply, Request
from conformance.world.event_log import MOST_EVENTS
from conformance.world.world import World

CHAT = Scenario(
    agents={"a": AgentSpec(), "b": AgentSpec()},
    workflows={"w": WorkflowSpec(pattern="group_chat", participants=("a", "b"), intermediate_outputs=True)},
    steps=(RunWorkflow(workflow="w", say=("go",), manager=ManagerSpec(picks=("a", "b"), answer="done")),) * 2,
)


class NeverIdle(Reference):
    """A workflow that goes on to wait for something after its last output."""

    name = "never-idle"

    async def run_workflow(self, workflow: Any, turn: Turn, *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        async for item in super().run_workflow(workflow, turn, stream=stream):
            yield item
            if isinstance(item, OutputSeen) and item.completed:
                await asyncio.Event().wait()


class Chatters(Reference):
    """A workflow that outputs forever and never lets anybody else have a turn."""

    name = "chatters"

    async def run_workflow(self, workflow: Any, turn: Turn, *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        while True:
            yield ChunkSeen(text="and")


class _Silent(ChatService):
    async def reply(self, request: Request) -> Reply:
        assert isinstance(self._log, World)
        if self.agent == "b" and self._log.scenario.workflows:
            await asyncio.Event().wait()
        return await super().reply(request)


class NeverAnswers(Reference):
    """A participant whose client waits for an answer that does not come."""

    name = "never-answers"

    async def open(self, world: World) -> None:
        await super().open(world)
        world.__dict__["_services"] = {name: _Silent(world, name, spec, "") for name, spec in world.scenario.agents.items()}


class AsksForever(Reference):
    """A workflow whose participant calls its service again and again."""

    name = "asks-forever"

    async def run_workflow(self, workflow: Any, turn: Turn, *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        while True:
            await self.world.service("a").reply(Request(messages=turn.messages))
        yield


COUNTED = f"no end after {MOST_EVENTS} events"


@pytest.mark.parametrize(
    ("implementation", "cause", "says", "kind"),
    [
        (NeverIdle, "deadlock", DEADLOCK, Output),
        (NeverAnswers, "deadlock", DEADLOCK, ServiceCalled),
        (Chatters, "timeout", COUNTED, Chunk),
        (AsksForever, "timeout", COUNTED, ServiceCalled),
    ],
)
def test_what_never_ends_is_cut_off_with_all_that_was_seen(implementation: type[Implementation], cause: str, says: str, kind: Any):
    trace = perform(CHAT, implementation)
    broken = trace.broken
    assert isinstance(broken, Broke)
    assert (broken.cause, broken.text) == (cause, says)
    assert any(isinstance(event, kind) for event in trace.events)
    assert all(event.step == 0 for event in trace.events)


@pytest.mark.parametrize("implementation", [NeverIdle, NeverAnswers, Chatters, AsksForever])
def test_it_ends_in_error_verdicts_and_the_other_areas_are_judged(implementation: type[Implementation]):
    rules = [CATALOGUE[id] for id in ("ORC-16", "ORC-01", "THR-01")]
    material = replace(shipped(), fixtures=lambda area: [("chat", CHAT)] if area == "orchestration" else [])
    effort = Profile("quick", explore=5, shrink=0)
    judge = Judge(subject(implementation), rules, effort=effort, material=material)
    verdicts = {rule.id: judge.verdict(rule) for rule in rules}
    assert verdicts["ORC-16"].verdict == verdicts["ORC-01"].verdict == "error"
    assert (DEADLOCK if implementation in (NeverIdle, NeverAnswers) else COUNTED) in (verdicts["ORC-16"].reason or "")
    assert verdicts["THR-01"].verdict == "pass"


class NeverEndsAlone(Reference):
    """A workflow that never ends where it is told to wait."""

    name = "never-ends-alone"

    async def run_workflow(self, workflow: Any, turn: Turn, *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        if turn.messages[-1].text == "wait":
            await asyncio.Event().wait()
        async for item in super().run_workflow(workflow, turn, stream=stream):
            yield item


def test_a_deadlock_violates_one_rule_and_the_others_judge_the_rest():
    stuck = msgspec.structs.replace(CHAT, steps=(*CHAT.steps[:1], RunWorkflow(workflow="w", say=("wait",))))
    rules = [CATALOGUE[id] for id in ("ORC-50", "ORC-16")]
    fixtures = [*((f"stuck {number}", stuck) for number in range(GIVE_UP + 1)), ("chat", CHAT)]
    material = replace(shipped(), fixtures=lambda _: fixtures)
    effort = Profile("quick", corpus=0, shrink=20)
    judge = Judge(subject(NeverEndsAlone), rules, effort=effort, material=material)
    verdicts = {rule.id: judge.verdict(rule) for rule in rules}
    (violation,) = verdicts["ORC-50"].violations
    assert (verdicts["ORC-50"].verdict, violation.aspect) == ("fail", "deadlock")
    assert isinstance(violation.counterexample.trace.events[violation.counterexample.at], Broke)
    assert (verdicts["ORC-16"].verdict, verdicts["ORC-16"].exercised) == ("pass", 2), "the run before the deadlock is not judged"
    table = Table(rule="ORC-50", aspect="deadlock", reason="it is told to", scenario=encode(stuck))
    declared = Baseline("known.toml", (Deviation(table, stuck),), KnownFailures())
    accepted = Judge(subject(NeverEndsAlone), rules, effort=effort, material=material, baseline=declared)
    assert accepted.verdict(rules[0]).verdict == "deviates"


def test_a_manager_that_picks_somebody_unknown_is_judged_and_the_next_run_goes_on():
    errs = RunWorkflow(
        workflow="w", say=("go",), manager=ManagerSpec(picks=("a",), errs=True), replies={"a": (ReplySpec(text="x"),)}
    )
    scenario = Scenario(agents=CHAT.agents, workflows=CHAT.workflows, steps=(errs, CHAT.steps[0]))
    trace = perform(scenario, Reference)
    assert trace.broken is None
    (raised,) = [event for event in trace.events if isinstance(event, Raised)]
    assert "stranger" in raised.text
    assert [event.step for event in trace.events if isinstance(event, Output) and event.completed] == [1]
    for id in ("ORC-05", "ORC-06"):
        judgement = CATALOGUE[id].judge(scenario, trace)
        assert judgement.exercised
        assert not judgement.violations
