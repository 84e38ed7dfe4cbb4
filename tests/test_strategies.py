"""Random scenarios: valid, within what is allowed, worth performing, and small once they are shrunk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from conformance.cast import runs_of
from conformance.needs import needs
from conformance.reference import Reference
from conformance.rules.rule import catalogue
from conformance.scenario import (
    AgentSpec,
    CreateThread,
    ManagerSpec,
    Restore,
    Run,
    RunWorkflow,
    Scenario,
    Serialize,
    ServiceSpec,
    Step,
    Tamper,
    Together,
    WorkflowSpec,
)
from conformance.scenario_file import check, encode
from conformance.stage import perform
from conformance.strategies import scenarios
from conformance.trace import Raised, Refused, RunStarted, Trace
from conformance.vocabulary import AREAS, CAPABILITIES, Area, Capability

ALL = frozenset(CAPABILITIES)
NO_LIMITS = settings(deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))


def drawn(area: Area, count: int = 100) -> list[Scenario]:
    found: list[Scenario] = []

    @settings(NO_LIMITS, max_examples=count, phases=[Phase.generate])
    @given(scenarios(area, ALL))
    def collect(scenario: Scenario) -> None:
        found.append(scenario)

    collect()
    return found


def smallest(area: Area, proves: Callable[[Scenario], bool]) -> Scenario:
    return find(scenarios(area, ALL), proves, settings=settings(NO_LIMITS, max_examples=2000), random=Random(1))


@pytest.mark.parametrize("area", AREAS)
@settings(NO_LIMITS, max_examples=200)
@given(data=st.data())
def test_a_scenario_is_sound_and_needs_only_what_is_allowed(area: Area, data: st.DataObject) -> None:
    without = data.draw(st.sets(st.sampled_from(CAPABILITIES), max_size=6))
    scenario = data.draw(scenarios(area, ALL - without))
    check(scenario)
    assert needs(scenario) <= ALL - without


@pytest.mark.parametrize("area", AREAS)
@settings(NO_LIMITS, max_examples=100)
@given(data=st.data())
def test_a_scenario_is_sound_where_little_is_allowed(area: Area, data: st.DataObject) -> None:
    allowed = data.draw(st.sets(st.sampled_from(CAPABILITIES), max_size=8))
    scenario = data.draw(scenarios(area, allowed))
    check(scenario)
    assert needs(scenario) <= allowed


@pytest.mark.parametrize("area", AREAS)
def test_without_capabilities_nothing_is_to_be_done(area: Area) -> None:
    assert smallest(area, lambda _: True).title == ""
    assert find(scenarios(area, ()), lambda _: True) == Scenario()


@pytest.mark.parametrize("area", AREAS)
def test_hardly_a_scenario_is_drawn_twice(area: Area) -> None:
    assert len({encode(scenario) for scenario in drawn(area)}) >= 90


@pytest.mark.parametrize(("area", "count", "least"), [("threads", 300, 5), ("persistence", 100, 3), ("orchestration", 100, 3)])
def test_scenarios_perform_and_exercise_every_rule(area: Area, count: int, least: int) -> None:
    exercised: Counter[str] = Counter()
    rules = [rule for rule in catalogue().values() if rule.area == area]
    for scenario in drawn(area, count):
        trace = perform(scenario, Reference)
        assert trace.broken is None, encode(scenario)
        assert [event for event in trace.events if isinstance(event, Refused) and has_thread(scenario, trace, event)] == []
        exercised.update(rule.id for rule in rules if rule.judge(scenario, trace).exercised)
    assert {rule.id: exercised[rule.id] for rule in rules if exercised[rule.id] < least} == {}


def has_thread(scenario: Scenario, trace: Trace, refused: Refused) -> bool:
    """Whether the thread that a refused step is about was made: what could not be made cannot be used."""
    step = scenario.steps[refused.step]
    if not isinstance(step, (Run, Serialize, Restore)):
        return True
    begun = scenario.steps.index(scenario.beginning_of(step.data if isinstance(step, Restore) else step.thread))
    return not any(isinstance(event, Raised) and event.step == begun for event in trace.events)


@pytest.mark.parametrize(
    "policies", [{"store_conflict": "ignore", "unsupported_thread": "at_run"}, {"store_conflict": "transform"}]
)
def test_under_every_policy_the_reference_holds_every_rule_on_random_threads(policies: dict[str, str]) -> None:
    rules = [rule for rule in catalogue().values() if rule.area == "threads"]
    for scenario in drawn("threads", 200):
        trace = perform(scenario, partial(Reference, **policies))
        assert [rule.id for rule in rules if rule.judge(scenario, trace).violations] == [], encode(scenario)


def test_scenarios_of_the_threads_area_are_small() -> None:
    steps = sorted(len(scenario.steps) for scenario in drawn("threads", 300))
    assert steps[150] <= 7
    assert steps[-1] <= 40


@pytest.mark.parametrize("area", AREAS)
def test_most_runs_come_to_a_good_end(area: Area) -> None:
    events = [event for scenario in drawn(area) for event in perform(scenario, Reference).events]
    started = sum(isinstance(event, RunStarted) for event in events)
    raised = sum(isinstance(event, Raised) for event in events)
    assert started > 100
    assert raised < 0.4 * started


@pytest.mark.parametrize("area", ["threads", "persistence"])
def test_texts_are_sometimes_equal(area: Area) -> None:
    def says_twice(scenario: Scenario) -> bool:
        said = [text for step in scenario.steps for run in runs_of(step) for text in run.say]
        return len(set(said)) < len(said)

    found = sum(map(says_twice, drawn(area)))
    assert 5 <= found <= 95


def test_twins_say_stream_and_reply_the_same() -> None:
    threads = Counter(
        repr([(run.say, run.stream, run.replies) for step in scenario.steps for run in runs_of(step) if run.thread == thread])
        for scenario in drawn("persistence")
        for thread in "tu"
        if any(isinstance(step, CreateThread) and step.kind == "hosted" for step in scenario.steps)
    )
    assert sum(count == 2 and "ReplySpec" in script for script, count in threads.items()) >= 5


def test_a_plain_run_is_the_smallest_scenario() -> None:
    expected = Scenario(agents={"a": AgentSpec()}, steps=(CreateThread(thread="t", agent="a"), Run(thread="t", say=("one",))))
    assert smallest("threads", lambda _: True) == expected


def test_a_counterexample_on_a_later_turn_shrinks_to_two_turns() -> None:
    def continues_by_id(scenario: Scenario) -> bool:
        hosted = [step.thread for step in scenario.steps if isinstance(step, CreateThread) and step.kind == "hosted"]
        runs = [run for step in scenario.steps for run in runs_of(step)]
        return any(sum(run.thread == thread for run in runs) > 1 and runs[-1].stream for thread in hosted)

    expected = Scenario(
        agents={"a": AgentSpec(service=ServiceSpec(keeps="new_ids"))},
        steps=(
            CreateThread(thread="t", agent="a", kind="hosted"),
            Run(thread="t", say=("one",)),
            Run(thread="t", say=("two",), stream=True),
        ),
    )
    assert smallest("threads", continues_by_id) == expected


def has(kind: type[Step]) -> Callable[[Scenario], bool]:
    return lambda scenario: any(isinstance(step, kind) for step in scenario.steps)


def some_run(proves: Callable[[Run], object]) -> Callable[[Scenario], bool]:
    return lambda scenario: any(proves(run) for run in scenario.runs())


def some_speaker(proves: Callable[[AgentSpec], object]) -> Callable[[Scenario], bool]:
    return lambda scenario: any(proves(scenario.agents[scenario.agent_name(run.thread)]) for run in scenario.runs())


def goes_on_restored(scenario: Scenario) -> bool:
    return any(isinstance(scenario.beginning_of(run.thread), Restore) for run in scenario.runs())


def has_an_option(scenario: Scenario) -> bool:
    """On the only thread: twins are two, and nothing smaller is like them."""
    return {run.thread for run in scenario.runs()} == {"t"} and any(run.store is not None for run in scenario.runs())


def has_damage(scenario: Scenario) -> bool:
    return any(isinstance(step, Restore) and step.damage for step in scenario.steps)


def continues_a_conversation(scenario: Scenario) -> bool:
    return any(isinstance(step, CreateThread) and step.with_id for step in scenario.steps)


def has_one_id_twice(scenario: Scenario) -> bool:
    contexts = [agent.context for agent in scenario.agents.values()]
    return any(len({spec.id or name for name, spec in context.items()}) < len(context) for context in contexts)


@pytest.mark.parametrize(
    ("proves", "steps"),
    [
        pytest.param(goes_on_restored, [CreateThread, Serialize, Restore, Run], id="restored"),
        pytest.param(has_damage, [CreateThread, Serialize, Restore], id="damaged"),
        pytest.param(has(Tamper), [CreateThread, Run, Tamper, Run], id="tampered"),
        pytest.param(has(Together), [CreateThread, CreateThread, Together], id="together"),
        pytest.param(some_run(lambda run: run.agent), [CreateThread, Run], id="elsewhere"),
        pytest.param(some_run(lambda run: run.inner), [CreateThread, Run], id="inner"),
        pytest.param(has_an_option, [CreateThread, Run], id="option"),
        pytest.param(some_run(lambda run: run.replies and run.replies[-1].cancelled), [CreateThread, Run], id="cancelled"),
        pytest.param(continues_a_conversation, [CreateThread, Run], id="with id"),
        pytest.param(some_speaker(lambda agent: len(agent.context) > 1), [CreateThread, Run], id="providers"),
        pytest.param(has_one_id_twice, [CreateThread], id="one id twice"),
        pytest.param(some_speaker(lambda agent: agent.observed and agent.reduces_to), [CreateThread, Run], id="watched"),
    ],
)
def test_what_comes_up_shrinks_to_its_simplest_form(proves: Callable[[Scenario], bool], steps: list[type[Step]]) -> None:
    shrunk = smallest("threads", proves)
    assert [type(step) for step in shrunk.steps] == steps
    assert sum(len(run.replies) for run in shrunk.runs()) <= 2


def test_twins_of_the_threads_area_differ_in_streaming_alone() -> None:
    def streams(scenario: Scenario, thread: str) -> list[bool]:
        return [run.stream for run in scenario.runs() if run.thread == thread]

    def script(scenario: Scenario, thread: str) -> str:
        return repr([(run.say, run.store, run.replies, run.inner) for run in scenario.runs() if run.thread == thread])

    twins = [
        scenario
        for scenario in drawn("threads")
        if script(scenario, "t") == script(scenario, "u") != "[]" and all(run.replies for run in scenario.runs())
    ]
    assert sum(not any(streams(each, "t")) and all(streams(each, "u")) for each in twins) >= 5


def test_a_failure_within_a_loop_shrinks_to_one_call_and_the_error() -> None:
    def fails_late(scenario: Scenario) -> bool:
        runs = [run for step in scenario.steps for run in runs_of(step)]
        return any(len(run.replies) > 1 and run.replies[-1].error for run in runs) and needs(scenario) >= {
            "history.per_service_call"
        }

    shrunk = smallest("persistence", fails_late)
    assert [type(step) for step in shrunk.steps] == [CreateThread, Run]
    run = shrunk.steps[1]
    assert isinstance(run, Run)
    assert [len(reply.calls) for reply in run.replies] == [1, 0]
    assert list(shrunk.agents) == ["a"]


def test_a_workflow_shrinks_to_plain_participants() -> None:
    def chats_as_an_agent(scenario: Scenario) -> bool:
        chats = [name for name, workflow in scenario.workflows.items() if workflow.pattern == "group_chat"]
        return any(isinstance(step, RunWorkflow) and step.as_agent and step.workflow in chats for step in scenario.steps)

    expected = Scenario(
        agents={"a": AgentSpec()},
        workflows={"w": WorkflowSpec(pattern="group_chat", participants=("a",))},
        steps=(RunWorkflow(workflow="w", say=("one",), as_agent=True, manager=ManagerSpec(picks=("a",))),),
    )
    assert smallest("orchestration", chats_as_an_agent) == expected


def test_an_order_of_finishing_shrinks_to_one_plain_run() -> None:
    def finishes_out_of_order(scenario: Scenario) -> bool:
        return any(isinstance(step, RunWorkflow) and list(step.finish) != sorted(step.finish) for step in scenario.steps)

    shrunk = smallest("orchestration", finishes_out_of_order)
    assert len(shrunk.steps) == 1
    assert all(agent == AgentSpec() for agent in shrunk.agents.values())


def test_an_approval_shrinks_to_one_request() -> None:
    wanted: frozenset[Capability] = frozenset({"workflows.requests"})
    shrunk = smallest("orchestration", lambda scenario: needs(scenario) >= wanted)
    run = shrunk.steps[0]
    assert isinstance(run, RunWorkflow)
    assert len(shrunk.steps) == 2
    assert sum(len(replies) for replies in run.replies.values()) == 1
