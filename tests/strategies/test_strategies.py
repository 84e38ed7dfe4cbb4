"""Random scenarios: valid, within what is allowed, worth performing, and small once they are shrunk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
from drawing import ALL, ALWAYS_AN_ID, IN_STEPS, NO_LIMITS, NO_SWITCHES, comes_up, drawn, has, smallest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from msgspec import structs

from conformance.harness.runner import perform
from conformance.reference.implementation import Reference
from conformance.rules.catalogue import CATALOGUE
from conformance.scenario.files import check, encode
from conformance.scenario.requirements import can_perform, needs
from conformance.scenario.scenario import (
    CreateThread,
    Respond,
    Restore,
    Run,
    RunWorkflow,
    Scenario,
    Serialize,
    Tamper,
    Together,
    runs_of,
    workflow_runs_of,
)
from conformance.scenario.specs import AgentSpec, ReplySpec, ServiceSpec
from conformance.strategies import scenarios
from conformance.trace.adapter_events import Raised
from conformance.trace.harness_events import Broke, Refused, RunStarted
from conformance.trace.trace import Trace
from conformance.vocabulary import AREAS, CAPABILITIES, Area, Capability, lacking
from conformance.world.scheduling import Order


@pytest.mark.parametrize("area", AREAS)
@settings(NO_LIMITS, max_examples=200)
@given(data=st.data())
def test_a_scenario_is_sound_and_needs_only_what_is_allowed(area: Area, data: st.DataObject) -> None:
    without = data.draw(st.sets(st.sampled_from(CAPABILITIES), max_size=6))
    scenario = data.draw(scenarios(area, ALL - without))
    check(scenario)
    assert can_perform(scenario, ALL - without)


@pytest.mark.parametrize("area", AREAS)
@settings(NO_LIMITS, max_examples=100)
@given(data=st.data())
def test_a_scenario_is_sound_where_little_is_allowed(area: Area, data: st.DataObject) -> None:
    allowed = data.draw(st.sets(st.sampled_from(CAPABILITIES), max_size=8))
    scenario = data.draw(scenarios(area, allowed))
    check(scenario)
    assert can_perform(scenario, allowed)


@pytest.mark.parametrize("area", AREAS)
def test_without_capabilities_nothing_is_to_be_done(area: Area) -> None:
    assert find(scenarios(area, ()), lambda _: True) == Scenario()


@pytest.mark.parametrize("area", AREAS)
def test_hardly_a_scenario_is_drawn_twice(area: Area) -> None:
    assert len({encode(scenario) for scenario in drawn(area)}) >= 90


@pytest.mark.parametrize(
    ("area", "count", "least", "capabilities"),
    [
        pytest.param("threads", 300, 5, ALL, id="threads"),
        pytest.param("persistence", 300, 5, ALL, id="persistence"),
        pytest.param("persistence", 300, 5, NO_SWITCHES, id="persistence, no switches"),
        pytest.param("persistence", 300, 5, ALWAYS_AN_ID, id="persistence, always an id"),
        pytest.param("persistence", 300, 5, IN_STEPS, id="persistence, in steps"),
        pytest.param("persistence", 300, 5, IN_STEPS - {"history.provider"}, id="persistence, in steps on threads"),
        pytest.param("orchestration", 300, 5, ALL, id="orchestration"),
        pytest.param("orchestration", 300, 5, NO_SWITCHES, id="orchestration, no switches"),
    ],
)
def test_scenarios_perform_and_exercise_every_rule(area: Area, count: int, least: int, capabilities: frozenset[Capability]) -> None:
    exercised: Counter[str] = Counter()
    rules = [rule for rule in CATALOGUE.values() if rule.area == area and not lacking(rule.needs, capabilities)]
    create = partial(Reference, history="incremental" if "history.incremental" in capabilities else "modes")
    for scenario in drawn(area, count, capabilities):
        trace = perform(scenario, create)
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
    "least", ["tools", "tools.terminate", "tools.approval", "threads.hosted", "runs.streaming", "history.provider"]
)
def test_nothing_is_refused_where_a_capability_is_missing(least: Capability) -> None:
    for scenario in drawn("persistence", 100, ALL - {least}):
        events = perform(scenario, Reference).events
        assert [event for event in events if isinstance(event, (Refused, Broke))] == [], encode(scenario)


@pytest.mark.parametrize(
    "least",
    [
        "runs.streaming",
        "runs.interleaved",
        "tools",
        "workflows.concurrent",
        "workflows.magentic",
        "workflows.nested",
        "workflows.requests",
        "workflows.threads",
        "workflows.limits",
    ],
)
def test_no_workflow_is_refused_where_a_capability_is_missing(least: Capability) -> None:
    for scenario in drawn("orchestration", 100, ALL - {least}):
        events = perform(scenario, Reference).events
        assert [event for event in events if isinstance(event, (Refused, Broke))] == [], encode(scenario)


def test_every_order_of_finishing_can_be_fulfilled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Order, "give_up", lambda self: False)  # whoever waits for a turn that never comes hangs then
    ordered = [
        each for each in drawn("orchestration", 300) if any(run.finish for step in each.steps for run in workflow_runs_of(step))
    ]
    assert len(ordered) >= 30
    assert [encode(each) for each in ordered if perform(each, Reference).broken] == []


def test_scenarios_of_the_orchestration_area_are_small() -> None:
    steps = sorted(len(scenario.steps) for scenario in drawn("orchestration", 300))
    assert steps[150] <= 4
    assert steps[-1] <= 40


def test_most_scenarios_of_the_persistence_area_are_small() -> None:
    steps = sorted(len(scenario.steps) for scenario in drawn("persistence", 300))
    assert steps[150] <= 4
    assert steps[-1] <= 40


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


def replied(run: RunWorkflow) -> list[str]:
    """The texts that stand in the script of a run."""
    return [reply.text for replies in run.replies.values() for reply in replies if reply.text]


@pytest.mark.parametrize("area", AREAS)
def test_texts_are_sometimes_equal(area: Area) -> None:
    def says_twice(scenario: Scenario) -> bool:
        said = [text for step in scenario.steps for run in runs_of(step) for text in run.say]
        speeches = [[*run.say, *replied(run)] for step in scenario.steps for run in workflow_runs_of(step)]
        return any(len(set(texts)) < len(texts) for texts in (said, *speeches))

    found = sum(map(says_twice, drawn(area)))
    assert 5 <= found <= 95


def scripts(scenario: Scenario) -> dict[str, str]:
    """The script of each thread, whether it streams or not."""
    found: dict[str, str] = {}
    for run in scenario.runs():
        found[run.thread] = found.get(run.thread, "") + repr(structs.replace(run, thread="", stream=False))
    return found


def cell(agent: AgentSpec) -> tuple[bool, ...]:
    return agent.client_as_is, agent.per_service_call, agent.decorated


def other_cells(scenario: Scenario, threads: list[str]) -> bool:
    """Local threads with a history provider in different cells."""
    agents = [scenario.agents[scenario.agent_name(thread)] for thread in threads]
    local = all(scenario.kind_of(thread) == "local" for thread in threads)
    return local and all(agent.history == "provider" for agent in agents) and len(set(map(cell, agents))) > 1


def other_homes(scenario: Scenario, threads: list[str]) -> bool:
    return {scenario.kind_of(thread) for thread in threads} == {"local", "hosted"}


def other_streaming(scenario: Scenario, threads: list[str]) -> bool:
    streams = [{run.stream for run in scenario.runs() if run.thread == thread} for thread in threads]
    return len({scenario.agent_name(thread) for thread in threads}) == 1 and streams == [{False}, {True}]


@pytest.mark.parametrize("differ", [other_cells, other_homes, other_streaming])
def test_pairs_have_one_script_in_which_every_reply_stands(differ: Callable[[Scenario, list[str]], bool]) -> None:
    def pairs(scenario: Scenario) -> bool:
        script = scripts(scenario)
        spoken = all(run.replies and (run.replies[-1].calls or run.replies[-1] != ReplySpec()) for run in scenario.runs())
        return len(script) > 1 and len(set(script.values())) == 1 and spoken and differ(scenario, list(script))

    assert sum(map(pairs, drawn("persistence", 300))) >= 8


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


def some_run(proves: Callable[[Run], object]) -> Callable[[Scenario], bool]:
    return lambda scenario: any(proves(run) for run in scenario.runs())


def some_speaker(proves: Callable[[AgentSpec], object]) -> Callable[[Scenario], bool]:
    return lambda scenario: any(proves(scenario.agents[scenario.agent_name(run.thread)]) for run in scenario.runs())


def goes_on_restored(scenario: Scenario) -> bool:
    return any(isinstance(scenario.beginning_of(run.thread), Restore) for run in scenario.runs())


def has_an_option(scenario: Scenario) -> bool:
    """On the only thread: pairs are two, and nothing smaller is like them."""
    return {run.thread for run in scenario.runs()} == {"t"} and any(run.store is not None for run in scenario.runs())


def has_damage(scenario: Scenario) -> bool:
    return any(isinstance(step, Restore) and step.damage for step in scenario.steps)


def continues_a_conversation(scenario: Scenario) -> bool:
    return any(isinstance(step, CreateThread) and step.with_id for step in scenario.steps)


def has_one_id_twice(scenario: Scenario) -> bool:
    contexts = [agent.context for agent in scenario.agents.values()]
    return any(len({spec.id or name for name, spec in context.items()}) < len(context) for context in contexts)


@pytest.mark.parametrize(
    "proves",
    [
        pytest.param(goes_on_restored, id="restored"),
        pytest.param(has_damage, id="damaged"),
        pytest.param(has(Tamper), id="tampered"),
        pytest.param(has(Together), id="together"),
        pytest.param(some_run(lambda run: run.agent), id="elsewhere"),
        pytest.param(some_run(lambda run: run.inner), id="inner"),
        pytest.param(has_an_option, id="option"),
        pytest.param(some_run(lambda run: run.replies and run.replies[-1].cancelled), id="cancelled"),
        pytest.param(continues_a_conversation, id="with id"),
        pytest.param(some_run(lambda run: run.forgotten and run.stream), id="forgotten"),
        pytest.param(
            some_run(lambda run: run.stream and any(reply.id_in == "provisional" for reply in run.replies)), id="id in chunks"
        ),
        pytest.param(some_speaker(lambda agent: len(agent.context) > 1), id="providers"),
        pytest.param(has_one_id_twice, id="one id twice"),
        pytest.param(some_speaker(lambda agent: agent.observed and agent.reduces_to), id="watched"),
    ],
)
def test_comes_up_in_threads(proves: Callable[[Scenario], bool]) -> None:
    assert comes_up("threads", proves)


def reply_calls(run: Run, tool: str) -> bool:
    return any(call.tool == tool for reply in run.replies for call in reply.calls)


def supplied(scenario: Scenario) -> bool:
    runs = list(scenario.runs())
    ends = next((place for place, run in enumerate(runs) if reply_calls(run, "stop")), len(runs))
    return any(run.supplies for run in runs[ends + 1 :])


def rejected(scenario: Scenario) -> bool:
    return any(isinstance(step, Respond) and not step.approve for step in scenario.steps)


def conflict_on_a_later_turn(scenario: Scenario) -> bool:
    runs = [run for run in scenario.runs() if scenario.agents[scenario.agent_name(run.thread)].service.surprising]
    nameless = [any(reply.without_id for reply in run.replies) for run in runs]
    return len({run.thread for run in runs}) == 1 and nameless[:2] == [True, False] and scenario.kind_of(runs[0].thread) == "local"


def in_a_tool(run: Run) -> bool:
    return any(call.cancelled for reply in run.replies for call in reply.calls)


def fails_late(scenario: Scenario) -> bool:
    late = any(len(run.replies) > 1 and run.replies[-1].error for step in scenario.steps for run in runs_of(step))
    return late and "history.per_service_call" in needs(scenario)


@pytest.mark.parametrize(
    "proves",
    [
        pytest.param(some_run(lambda run: run.replies and run.replies[-1].error), id="fails"),
        pytest.param(some_run(lambda run: run.load_fails), id="load fails"),
        pytest.param(some_run(lambda run: run.append_fails is not None), id="append fails"),
        pytest.param(some_run(lambda run: run.abandons), id="abandoned"),
        pytest.param(some_run(in_a_tool), id="cancelled in a tool"),
        pytest.param(fails_late, id="fails after a call"),
        pytest.param(supplied, id="supplied"),
        pytest.param(has(Respond), id="approved"),
        pytest.param(rejected, id="rejected"),
        pytest.param(some_run(lambda run: run.per_service_call is not None), id="switched"),
        pytest.param(goes_on_restored, id="restored"),
        pytest.param(has(Together), id="together"),
        pytest.param(conflict_on_a_later_turn, id="later conflict"),
        pytest.param(some_speaker(lambda agent: agent.limit), id="limit"),
        pytest.param(some_speaker(lambda agent: agent.decorated), id="decorated"),
    ],
)
def test_comes_up_in_persistence(proves: Callable[[Scenario], bool]) -> None:
    assert comes_up("persistence", proves)


def test_pairs_of_the_threads_area_differ_in_streaming_alone() -> None:
    def streams(scenario: Scenario, thread: str) -> list[bool]:
        return [run.stream for run in scenario.runs() if run.thread == thread]

    def script(scenario: Scenario, thread: str) -> str:
        return repr([(run.say, run.store, run.replies, run.inner) for run in scenario.runs() if run.thread == thread])

    pairs = [
        scenario
        for scenario in drawn("threads")
        if script(scenario, "t") == script(scenario, "u") != "[]" and all(run.replies for run in scenario.runs())
    ]
    assert sum(not any(streams(each, "t")) and all(streams(each, "u")) for each in pairs) >= 5
