"""Which threads of a scenario are pairs, on traces written by hand."""

from __future__ import annotations

import pytest
from talks import run, talk
from written import Written

from conformance.rules.pairs import by_order, thread_pair
from conformance.scenario.scenario import CreateThread, Restore, Run, Scenario, Serialize
from conformance.scenario.specs import AgentSpec, ReplySpec
from conformance.trace.adapter_events import Restored, Serialized

YES = (ReplySpec(text="yes"),)


def two(first: Run, second: Run, **b: object) -> Written:
    """A run on t, of agent a, and one on u, of agent b."""
    scenario = talk("local", first, CreateThread(thread="u", agent="b"), second, b=AgentSpec(**b))
    written = Written(scenario).run("t").called("one").replied("yes").returned("yes")
    return written.run("u").called("one", agent="b").replied("yes", agent="b").returned("yes")


def on_u(*say: str, **options: object) -> Run:
    return Run(thread="u", say=say, replies=YES, **options)


@pytest.mark.parametrize(
    ("second", "b", "pairs"),
    [
        (on_u("one"), {}, True),
        (on_u("one", stream=True), {}, True),
        (on_u("one"), {"per_service_call": True}, True),
        (on_u("one"), {"history": "provider"}, True),
        (on_u("two"), {}, False),
        (on_u("one", store=False), {}, False),
        (on_u("one"), {"limit": 3}, False),
        (Run(thread="u", say=("one",)), {}, False),
    ],
)
def test_pairs_have_one_script_and_differ_in_settings_history_or_service(second, b, pairs):
    view = two(run("one", replies=YES), second, **b).view
    found = [(pair.first.thread, pair.second.thread) for pair in thread_pair(view)]
    assert found == ([("t", "u"), ("u", "t")] if pairs else [])


def test_a_restored_thread_is_in_no_pair():
    made = talk("local", run("one", replies=YES), b=AgentSpec())
    steps = (*made.steps, Serialize(thread="t"), Restore(thread="u", data="t", agent="b"), on_u("one"))
    written = Written(Scenario(agents=made.agents, steps=steps)).run("t").called("one").replied("yes").returned("yes")
    written.step(2).event(Serialized, thread="t").step(3).event(Restored, thread="u", source="t")
    written.run("u").called("one", "=yes", "one", agent="b").replied("yes", agent="b").returned("yes")
    assert list(thread_pair(written.view)) == []


def test_calls_are_named_by_their_order():
    first = [("user", "one"), ("call", "c7", "pay", "{}"), ("result", "c7")]
    assert by_order([first, [("call", "c9", "pay", "{}"), ("result", "c7", "wrong")]]) == [
        [("user", "one"), ("call", "0", "pay", "{}"), ("result", "0")],
        [("call", "1", "pay", "{}"), ("result", "0", "wrong")],
    ]
