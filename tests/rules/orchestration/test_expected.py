"""What the answer of an orchestration is and what ends it, on workflows and traces written by hand."""

from __future__ import annotations

import pytest
from flows import flow, spoken
from written import Written

from conformance.rules.orchestration.expected import Spell, answer_of, conversation, ended_by
from conformance.scenario.specs import ExecutorSpec, ManagerSpec, WorkflowSpec

CUSTOM = {"x": ExecutorSpec(completes="x1", again="x2"), "y": ExecutorSpec(), "z": ExecutorSpec(completes="z1")}


@pytest.mark.parametrize(
    ("pattern", "more", "answer"),
    [
        ("sequential", {}, ["B"]),
        ("concurrent", {}, ["A", "B"]),
        ("concurrent", {"aggregates": "all of it"}, ["all of it"]),
        ("group_chat", {}, ["the manager's answer"]),
        ("magentic", {}, ["the manager's answer"]),
        ("handoff", {}, []),
        ("custom", {"executors": CUSTOM, "stages": (("z",), ("y", "x"))}, ["z1", "x1", "x2"]),
    ],
)
def test_the_answer_of_a_workflow(pattern, more, answer):
    scenario = flow(pattern, **more)
    view = spoken(Written(scenario)).view
    assert answer_of(view, view.runs[0], scenario.workflows["w"]) == [("assistant", text) for text in answer]


def test_the_answer_of_a_sequence_that_ends_in_a_handoff_is_what_its_participants_said():
    scenario = flow("sequential", "a", "h", others={"h": WorkflowSpec(pattern="handoff", participants=("b", "c"))})
    written = Written(scenario).run().spoke("a", "A", "go").spoke("b", "B", "go", "=A").spoke("c", "C", "go", "=A", "=B")
    view = written.view
    assert answer_of(view, view.runs[0], scenario.workflows["w"]) == [("assistant", "B"), ("assistant", "C")]


EMPTY, TEXT, CALL = ("assistant", ""), ("assistant", "A"), ("call", "c1", "pay", "{}")


@pytest.mark.parametrize(
    ("spells", "heard"),
    [
        ([Spell("a", [EMPTY]), Spell("a", [CALL])], [CALL]),
        ([Spell("a", [EMPTY]), Spell("b", [CALL])], [EMPTY, CALL]),
        ([Spell("a", [TEXT, CALL])], [TEXT, CALL]),
        ([Spell("a", [CALL, EMPTY])], [CALL, EMPTY]),
        ([], []),
    ],
)
def test_an_empty_text_before_a_call_of_the_same_agent_says_nothing(spells, heard):
    assert conversation(spells) == heard


@pytest.mark.parametrize(
    ("limits", "picks", "stalls", "end"),
    [
        ({}, 3, (), "answer"),
        ({"max_rounds": 3}, 2, (), "answer"),
        ({"max_rounds": 2}, 2, (), "either"),
        ({"max_rounds": 2}, 3, (), "limit"),
        ({"max_stalls": 0}, 2, (0,), "answer"),
        ({"max_stalls": 0, "max_resets": 0}, 2, (), "either"),
        ({"max_stalls": 0, "max_resets": 0}, 2, (1,), "limit"),
        ({"max_stalls": 0, "max_resets": 1}, 2, (0,), "either"),
        ({"max_stalls": 0, "max_resets": 2}, 2, (0,), "answer"),
        ({"max_stalls": 0, "max_resets": 1}, 3, (0, 1), "limit"),
        ({"max_stalls": 1, "max_resets": 0}, 3, (0, 2), "either"),
        ({"max_stalls": 1, "max_resets": 0}, 3, (0, 1), "limit"),
        ({"max_stalls": 0, "max_rounds": 2}, 3, (0,), "either"),
    ],
)
def test_the_manager_or_a_limit_ends_a_run(limits, picks, stalls, end):
    manager = ManagerSpec(picks=("a",) * picks, stalls=stalls)
    assert ended_by(manager, WorkflowSpec(pattern="magentic", participants=("a",), **limits)) == end
