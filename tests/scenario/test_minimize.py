"""Reducing a scenario: what the proof does not need is gone, and what is left is whole."""

from __future__ import annotations

from conformance.scenario.files import check, load
from conformance.scenario.minimize import reduced
from conformance.scenario.scenario import CreateThread, Damage, Restore, Run, RunWorkflow, Scenario, Serialize, Tamper, Together
from conformance.scenario.specs import AgentSpec, CallSpec, ReplySpec, ServiceSpec, ToolSpec, WorkflowSpec
from conformance.vocabulary import AREAS

CROWDED = Scenario(
    title="much ado",
    agents={"a": AgentSpec(service=ServiceSpec(keeps="one_id")), "b": AgentSpec(tools={"t": ToolSpec(returns="x")})},
    steps=(
        CreateThread(thread="t", agent="a", kind="hosted"),
        CreateThread(thread="u", agent="b"),
        Run(thread="u", say=("one", "two"), stream=True, replies=(ReplySpec(text="1"),)),
        Together(runs=(Run(thread="t", say=("three",), stream=True), Run(thread="u", say=("four",))), order=(1, 0)),
    ),
)


def test_only_what_proves_it_is_left():
    def streams_on_t(scenario: Scenario) -> bool:
        return any(run.thread == "t" and run.stream and scenario.kind_of("t") == "hosted" for run in scenario.runs())

    assert reduced(CROWDED, streams_on_t, tries=500) == Scenario(
        agents={"a": AgentSpec(service=ServiceSpec(keeps="one_id"))},
        steps=(CreateThread(thread="t", agent="a", kind="hosted"), Run(thread="t", say=("three",), stream=True)),
    )


def test_a_participant_leaves_with_everything_that_names_it():
    crowd = Scenario(
        agents={name: AgentSpec() for name in "abc"},
        workflows={"w": WorkflowSpec(pattern="concurrent", participants=("a", "b", "c"))},
        steps=(RunWorkflow(workflow="w", say=("go",), replies={"c": (ReplySpec(text="C"),)}, finish=("c", "b", "a")),),
    )
    small = reduced(crowd, lambda scenario: "b" in scenario.agents and bool(scenario.steps), tries=500)
    assert small.agents == {"b": AgentSpec()}


FAMILY = Scenario(
    agents={"a": AgentSpec(tools={"ask": ToolSpec(agent="b")}), "b": AgentSpec()},
    steps=(
        CreateThread(thread="t", agent="a"),
        Run(thread="t", say=("one",), replies=(ReplySpec(calls=(CallSpec(tool="ask", arguments={"task": "x"}),)),)),
        Serialize(thread="t"),
        Restore(thread="u", data="t"),
        Serialize(thread="u"),
        Restore(thread="v", data="u", agent="b"),
        Restore(thread="w", data="u", damage=Damage(how="cut", at=2)),
        Run(thread="v", say=("two",)),
        Run(thread="u", say=("three",)),
        Tamper(thread="t"),
    ),
)


def test_a_thread_leaves_with_those_that_were_restored_from_it():
    lone = Scenario(
        agents={**FAMILY.agents, "c": AgentSpec()},
        steps=(*FAMILY.steps, CreateThread(thread="z", agent="c"), Run(thread="z", say=("four",))),
    )
    asked: list[Scenario] = []

    def of_z(scenario: Scenario) -> bool:
        asked.append(scenario)
        return any(run.thread == "z" for run in scenario.runs())

    small = reduced(lone, of_z, tries=500)
    assert small == Scenario(agents={"c": AgentSpec()}, steps=(CreateThread(thread="z", agent="c"), Run(thread="z", say=("four",))))
    assert [getattr(step, "thread", None) for step in asked[0].steps] == ["z", "z"]


def test_an_agent_leaves_with_the_tools_that_it_is():
    small = reduced(FAMILY, lambda scenario: any(run.thread == "t" for run in scenario.runs()), tries=500)
    assert small == Scenario(agents={"a": AgentSpec()}, steps=(CreateThread(thread="t", agent="a"), Run(thread="t", say=("one",))))


def test_a_thread_need_not_be_restored_to_be_there():
    small = reduced(FAMILY, lambda scenario: any(run.say == ("two",) for run in scenario.runs()), tries=500)
    assert small == Scenario(agents={"b": AgentSpec()}, steps=(CreateThread(thread="v", agent="b"), Run(thread="v", say=("two",))))


def test_damage_stays_where_it_is_needed():
    small = reduced(FAMILY, lambda scenario: any(getattr(step, "damage", None) for step in scenario.steps), tries=500)
    assert small.steps == (
        CreateThread(thread="u", agent="a"),
        Serialize(thread="u"),
        Restore(thread="w", data="u", damage=Damage()),
    )


def test_it_asks_no_more_often_than_it_may():
    asked: list[Scenario] = []
    reduced(CROWDED, lambda scenario: bool(asked.append(scenario)), tries=5)
    assert len(asked) == 5


def test_every_candidate_is_whole():
    def whole(scenario: Scenario) -> bool:
        check(scenario)
        return False

    for area in AREAS:
        for _, scenario in load(area):
            reduced(scenario, whole, tries=100)
