"""What a scenario demands: exactly what it uses."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.scenario.requirements import can_perform, needs
from conformance.scenario.scenario import (
    CreateThread,
    Respond,
    Restore,
    Run,
    RunWorkflow,
    Scenario,
    Serialize,
    Step,
    Tamper,
    Together,
)
from conformance.scenario.specs import (
    AgentSpec,
    CallSpec,
    ContextSpec,
    ExecutorSpec,
    OnConflict,
    ReplySpec,
    ServiceSpec,
    ToolSpec,
    WorkflowSpec,
)
from conformance.vocabulary import OneOf

PAY = AgentSpec(tools={"pay": ToolSpec(approval=True)})
ASKS = (ReplySpec(calls=(CallSpec(tool="pay"),)),)


def on_thread(agent: AgentSpec, *steps: Step, kind: Any = "local") -> Scenario:
    return Scenario(agents={"a": agent}, steps=(CreateThread(thread="t", agent="a", kind=kind), *steps))


def of_agent(**settings: Any) -> Scenario:
    return on_thread(AgentSpec(**settings))


def of_run(**options: Any) -> Scenario:
    return on_thread(AgentSpec(), Run(thread="t", say=("one",), **options))


def of_service(**settings: Any) -> Scenario:
    return on_thread(AgentSpec(service=ServiceSpec(**settings)))


PLAIN = {"service.stateless"}


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        (of_service(), PLAIN),
        (of_service(strict=True), PLAIN),
        (of_service(keeps="one_id"), {"service.one_id", "service.stores_on_request"}),
        (of_service(keeps="new_ids", stores_by_default=True), {"service.new_ids", "service.stores_by_default"}),
        (of_service(keeps="new_ids", surprising=True), {"service.new_ids", "service.stores_on_request", "service.surprising"}),
        (on_thread(AgentSpec(), kind="hosted"), PLAIN | {"threads.hosted"}),
        (of_agent(history="provider"), PLAIN | {"history.provider", OneOf(("history.per_run", "history.incremental"))}),
        (
            of_agent(history="provider", client_as_is=True),
            PLAIN | {"history.provider", "history.client_as_is", "history.per_run"},
        ),
        (of_agent(per_service_call=True), PLAIN | {"history.per_service_call"}),
        (of_agent(history="provider", per_service_call=True), PLAIN | {"history.provider", "history.per_service_call"}),
        (of_agent(client_as_is=True), PLAIN | {"history.client_as_is"}),
        (of_agent(decorated=True), PLAIN | {"history.client_as_is", "history.decorated"}),
        (of_agent(limit=1), PLAIN | {"tools.limit"}),
        (of_agent(tools={"watch": ToolSpec(looks=True)}), PLAIN | {"tools"}),
        (of_run(supplies=True), PLAIN | {"runs.results"}),
        (of_run(background=True), PLAIN | {"runs.background"}),
        (of_run(per_service_call=False), PLAIN | {"history.per_run", "history.per_service_call"}),
        (of_run(stream=True, abandons=1), PLAIN | {"runs.streaming"}),
        (of_agent(on_conflict=OnConflict()), PLAIN),
        (of_agent(on_conflict=OnConflict(warn=False)), PLAIN | {"history.conflict_switches"}),
        (of_agent(context={"memory": ContextSpec()}), PLAIN | {"threads.context_state"}),
        (of_agent(context={"memory": ContextSpec(), "notes": ContextSpec(id="memory")}), PLAIN | {"threads.context_state"}),
        (of_agent(observed=True), PLAIN | {"threads.observe"}),
        (of_agent(reduces_to=2), PLAIN | {"threads.reducer"}),
        (on_thread(AgentSpec(), kind="adaptive"), PLAIN | {"threads.adaptive"}),
        (on_thread(AgentSpec(), Serialize(thread="t")), PLAIN | {"threads.serialize"}),
        (on_thread(AgentSpec(), Restore(thread="u", data="t")), PLAIN | {"threads.serialize"}),
        (on_thread(AgentSpec(), Tamper(thread="t")), PLAIN | {"runs.tamper"}),
        (of_run(replies=(ReplySpec(cancelled=True),)), PLAIN | {"runs.cancel"}),
        (of_run(agent="a"), PLAIN),
        (of_agent(tools={"weather": ToolSpec()}), PLAIN | {"tools"}),
        (of_agent(tools={"stop": ToolSpec(terminates=True)}), PLAIN | {"tools", "tools.terminate"}),
        (on_thread(PAY), PLAIN | {"tools", "tools.approval"}),
        (of_run(), PLAIN),
        (of_run(stream=True), PLAIN | {"runs.streaming"}),
        (of_run(store=False), PLAIN | {"runs.store"}),
        (of_run(conversation_id="own"), PLAIN | {"runs.conversation_id"}),
        (of_run(replies=(ReplySpec(text="yes", without_id=True),)), PLAIN | {"service.without_id"}),
        (of_run(replies=(ReplySpec(text="yes", id_in="last"),)), PLAIN | {"service.id_in_chunks"}),
        (
            on_thread(AgentSpec(), Together(runs=(Run(thread="t", say=("one",), stream=True),))),
            PLAIN | {"runs.interleaved", "runs.streaming"},
        ),
        (
            on_thread(PAY, Run(thread="t", say=("one",), replies=ASKS), Respond(stream=True)),
            PLAIN | {"tools", "tools.approval", "runs.streaming"},
        ),
    ],
)
def test_threads_and_runs_demand_what_they_use(scenario: Scenario, expected: set[str]) -> None:
    assert needs(scenario) == expected


HOSTED_WITH_ID = CreateThread(thread="t", agent="a", kind="hosted", with_id=True)
ASKING = {"ask": ToolSpec(agent="b")}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((HOSTED_WITH_ID,), PLAIN | {"threads.hosted", "threads.with_id"}),
        ((CreateThread(thread="t", agent="a"), Run(thread="t", agent="a", say=())), PLAIN),
        ((CreateThread(thread="t", agent="a"), Run(thread="t", agent="c", say=())), PLAIN | {"threads.shared", "service.one_id"}),
        (
            (CreateThread(thread="t", agent="a"), Serialize(thread="t"), Restore(thread="u", data="t", agent="a")),
            PLAIN | {"threads.serialize"},
        ),
        (
            (CreateThread(thread="t", agent="a"), Serialize(thread="t"), Restore(thread="u", data="t", agent="c")),
            PLAIN | {"threads.serialize", "threads.shared", "service.one_id"},
        ),
        (
            (CreateThread(thread="t", agent="a"), Together(runs=(Run(thread="t", agent="c", say=()),))),
            PLAIN | {"threads.shared", "service.one_id", "runs.interleaved"},
        ),
        (
            (CreateThread(thread="t", agent="b"), Run(thread="t", say=(), inner={"c": (ReplySpec(cancelled=True),)})),
            PLAIN | {"tools", "agents.as_tool", "runs.cancel", "service.one_id"},
        ),
        (
            (CreateThread(thread="t", agent="d"),),
            PLAIN | {"tools", "agents.as_tool", "service.one_id"},
        ),
    ],
)
def test_threads_and_agents_that_meet_demand_it(steps: tuple[Step, ...], expected: set[str]) -> None:
    agents = {
        "a": AgentSpec(),
        "b": AgentSpec(tools={"ask": ToolSpec(agent="c")}),
        "c": AgentSpec(service=ServiceSpec(keeps="one_id", stores_by_default=True)),
        "d": AgentSpec(tools=ASKING),
    }
    met = {"service.stores_by_default"} if "service.one_id" in expected else set[str]()
    assert needs(Scenario(agents=agents, steps=steps)) == expected | met


def of_workflow(*steps: Step, agents: dict[str, AgentSpec], **workflows: WorkflowSpec) -> Scenario:
    return Scenario(agents=agents, workflows=workflows, steps=steps)


SEQUENTIAL = WorkflowSpec(pattern="sequential", participants=("a",))
RUN = RunWorkflow(workflow="w", say=("go",))


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        (of_workflow(RUN, agents={"a": AgentSpec()}, w=SEQUENTIAL), PLAIN | {"workflows", "workflows.sequential"}),
        (
            of_workflow(
                RunWorkflow(workflow="w", say=("go",), as_agent=True, stream=True), agents={"a": AgentSpec()}, w=SEQUENTIAL
            ),
            PLAIN | {"workflows", "workflows.sequential", "workflows.as_agent", "runs.streaming"},
        ),
        (
            of_workflow(
                RUN,
                agents={"a": AgentSpec(), "b": PAY, "unused": AgentSpec(history="provider")},
                w=WorkflowSpec(pattern="concurrent", participants=("child", "b"), intermediate_outputs=True),
                child=SEQUENTIAL,
                unused_too=WorkflowSpec(pattern="handoff", participants=("unused",)),
            ),
            PLAIN
            | {
                "tools",
                "tools.approval",
                "workflows",
                "workflows.sequential",
                "workflows.concurrent",
                "workflows.nested",
                "workflows.intermediate_outputs",
            },
        ),
        (
            of_workflow(RUN, w=WorkflowSpec(pattern="custom", stages=(("x",),), executors={"x": ExecutorSpec()}), agents={}),
            {"workflows", "workflows.custom"},
        ),
        (
            of_workflow(RunWorkflow(workflow="w", say=("go",), replies={"a": ASKS}), agents={"a": PAY}, w=SEQUENTIAL),
            PLAIN | {"tools", "tools.approval", "workflows", "workflows.sequential", "workflows.requests"},
        ),
        (
            of_workflow(
                RunWorkflow(workflow="w", say=("go",), as_agent=True, thread="t", stream=True, abandons=1),
                agents={"a": AgentSpec()},
                w=SEQUENTIAL,
            ),
            PLAIN | {"workflows", "workflows.sequential", "workflows.as_agent", "workflows.threads", "runs.streaming"},
        ),
        (
            of_workflow(Together(runs=(RUN,)), agents={"a": AgentSpec()}, w=SEQUENTIAL),
            PLAIN | {"workflows", "workflows.sequential", "runs.interleaved"},
        ),
        (
            of_workflow(
                RUN, agents={"a": AgentSpec()}, w=WorkflowSpec(pattern="concurrent", participants=("a",), aggregates="all")
            ),
            PLAIN | {"workflows", "workflows.concurrent", "workflows.aggregator"},
        ),
        (
            of_workflow(
                RUN,
                agents={"a": AgentSpec()},
                w=WorkflowSpec(pattern="magentic", participants=("a",), max_rounds=1, max_stalls=1),
            ),
            PLAIN | {"workflows", "workflows.magentic", "workflows.limits", "workflows.resets"},
        ),
        (
            of_workflow(
                RUN,
                w=WorkflowSpec(pattern="custom", stages=(("x",),), executors={"x": ExecutorSpec(asks=True)}),
                agents={},
            ),
            {"workflows", "workflows.custom", "workflows.requests"},
        ),
        (
            of_workflow(RUN, Respond(), agents={"a": AgentSpec()}, w=SEQUENTIAL),
            PLAIN | {"workflows", "workflows.sequential", "workflows.requests"},
        ),
    ],
)
def test_workflows_demand_what_they_use(scenario: Scenario, expected: set[str]) -> None:
    assert needs(scenario) == expected


@pytest.mark.parametrize(
    ("timing", "settings", "performed"),
    [
        ("history.per_run", {}, True),
        ("history.incremental", {}, True),
        ("history.per_service_call", {}, False),
        ("history.incremental", {"client_as_is": True}, False),
        ("history.incremental", {"per_service_call": True}, False),
    ],
)
def test_an_agent_without_settings_persists_in_its_framework_s_own_way(timing, settings, performed):
    declared = {"service.stateless", "history.provider", "history.client_as_is", timing}
    assert can_perform(of_agent(history="provider", **settings), declared) == performed
