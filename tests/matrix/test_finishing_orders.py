"""Every order in which four participants can finish is reached, and none of them changes the answer."""

from __future__ import annotations

from itertools import permutations

import pytest

from conformance.harness.runner import perform
from conformance.matrix.finishing_orders import PARTICIPANTS, scenarios
from conformance.reference.implementation import Reference
from conformance.rules.catalogue import CATALOGUE
from conformance.scenario.files import check
from conformance.scenario.scenario import RunWorkflow
from conformance.trace.adapter_events import Output
from conformance.trace.harness_events import ServiceReplied

SCENARIOS = list(scenarios(Reference().capabilities))


def test_there_is_one_scenario_for_each_of_the_24_orders():
    finished = []
    for scenario in SCENARIOS:
        check(scenario)
        first, second = scenario.steps
        assert isinstance(first, RunWorkflow)
        assert isinstance(second, RunWorkflow)
        assert first.finish == ()
        finished.append(second.finish)
    assert sorted(finished) == sorted(permutations(PARTICIPANTS))


def test_without_concurrent_workflows_there_is_none():
    assert list(scenarios(Reference().capabilities - {"workflows.concurrent"})) == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: "".join(scenario.steps[1].finish))
def test_they_finish_in_that_order_and_answer_alike(scenario):
    trace = perform(scenario, Reference)
    replied = [event.agent for event in trace.events if isinstance(event, ServiceReplied) and event.step == 1]
    assert tuple(replied) == scenario.steps[1].finish
    answers = [event.messages for event in trace.events if isinstance(event, Output) and event.completed]
    assert answers[0] == answers[1]
    assert [message.author for message in answers[0]] == list(PARTICIPANTS)
    judgement = CATALOGUE["ORC-32"].judge(scenario, trace)
    assert judgement.exercised
    assert not judgement.violations
