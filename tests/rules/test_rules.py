"""Every rule: says what it is, and judges any trace that could be stored without raising."""

from __future__ import annotations

import inspect

import msgspec
import pytest

from conformance.harness.runner import perform
from conformance.reference.implementation import Reference
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.execution_view import ExecutionView
from conformance.scenario.files import load
from conformance.scenario.scenario import Scenario
from conformance.trace.harness_events import ToolReturned
from conformance.trace.messages import Message, Result
from conformance.trace.trace import Trace
from conformance.vocabulary import AREAS

PLACES = 6
"""How many places of a trace are tried; the fixtures together show every sort of place."""

RULES = list(CATALOGUE.values())
FIXTURES = [pytest.param(scenario, id=f"{area}/{name}") for area in AREAS for name, scenario in load(area)]


def judge(scenario: Scenario, trace: Trace) -> None:
    execution = ExecutionView(scenario, trace)
    for rule in RULES:
        rule.examine(execution)


@pytest.mark.parametrize("scenario", FIXTURES)
def test_no_rule_raises_on_a_trace_that_was_cut_short_or_lacks_an_event(scenario: Scenario):
    for policy in ("raise", "transform"):
        trace = perform(scenario, lambda policy=policy: Reference(store_conflict=policy))
        for place in range(0, len(trace.events), 1 + len(trace.events) // PLACES):
            judge(scenario, msgspec.structs.replace(trace, events=trace.events[:place]))
            judge(scenario, msgspec.structs.replace(trace, events=trace.events[:place] + trace.events[place + 1 :]))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_reads_like_its_sentence(rule):
    assert inspect.getdoc(rule.clauses[0].check), f"{rule.id}'s check has no docstring: its first sentence is the rule"
    assert rule.title.endswith("."), f"{rule.id}'s first sentence does not end in a full stop: {rule.title}"
    assert 30 < len(rule.title) < 132, (
        f"{rule.id}'s first sentence has {len(rule.title)} characters, expected 31 to 131: {rule.title}"
    )


def test_a_result_with_another_value_is_not_that_result():
    execution = ExecutionView(
        Scenario(), Trace(implementation="x", events=(ToolReturned(step=0, agent="a", tool="t", value="sunny", id="call-1"),))
    )

    def heard(value: str) -> bool:
        return execution.heard([Message(role="tool", results=(Result(id="call-1", value=value),))]) == [("result", "call-1")]

    assert heard("sunny")
    assert heard('{"weather": "sunny"}')
    assert not heard("")
    assert not heard("rainy")
