"""ORC-39 on traces written by hand."""

from __future__ import annotations

from flows import flow, run
from written import Written, broken, holds, left_alone

from conformance.scenario.specs import ManagerSpec, WorkflowSpec

THREE = ("a", "b", "c")


def asked(written: Written, *names: str) -> Written:
    """These are asked, one after another, and say their names."""
    for name in names:
        written = written.spoke(name, name.upper(), "go")
    return written


def sequence(*names: str) -> Written:
    return asked(Written(flow("sequential", *THREE)).run(), *names).completed(names[-1].upper() if names else "")


def chat(*names: str, picks: tuple[str, ...], **workflow) -> Written:
    scenario = flow("group_chat", *THREE, runs=(run(manager=ManagerSpec(picks=picks)),), **workflow)
    return asked(Written(scenario).run(), *names).completed("the manager's answer")


def test_orc_39_holds():
    assert holds(sequence("a", "b", "c"), "ORC-39")
    assert holds(asked(Written(flow("concurrent", *THREE)).run(), "c", "a", "b").completed("C", "A", "B"), "ORC-39")
    assert holds(chat("b", "b", "c", picks=("b", "b", "c")), "ORC-39")
    assert holds(chat("b", "a", picks=("b", "a", "c"), max_rounds=2), "ORC-39")


def test_orc_39_breaks():
    assert broken(sequence("a", "c"), "ORC-39") == {"not asked"}
    assert broken(sequence("b", "a", "c"), "ORC-39") == {"order"}
    assert broken(sequence("a", "b", "a", "c"), "ORC-39") == {"not due"}
    assert broken(asked(Written(flow("concurrent", *THREE)).run(), "c", "a").completed("C", "A"), "ORC-39") == {"not asked"}
    assert broken(chat("b", "c", picks=("b", "b", "c")), "ORC-39") == {"not asked"}
    assert broken(chat("b", "a", "c", picks=("b", "a", "c"), max_rounds=2), "ORC-39") == {"not due"}


def nested(*names: str) -> Written:
    inner = WorkflowSpec(pattern="sequential", participants=("b", "c"))
    return asked(Written(flow("sequential", "a", "x", others={"x": inner})).run(), *names).completed("C")


def test_orc_39_looks_into_children():
    assert holds(nested("a", "b", "c"), "ORC-39")
    assert broken(nested("a", "b"), "ORC-39") == {"not asked"}
    assert broken(nested("b", "c"), "ORC-39") == {"not asked"}
    silent = WorkflowSpec(pattern="group_chat", participants=("b",))
    nobody = Written(flow("sequential", "a", "x", others={"x": silent})).run()
    assert holds(asked(nobody, "a").completed("the manager's answer"), "ORC-39"), "its manager picks nobody"


def test_orc_39_says_nothing_of_runs_that_wait_or_fail():
    assert not asked(Written(flow("sequential", *THREE)).run(), "a").pending(tool="pay").findings("ORC-39")
    assert not asked(Written(flow("sequential", *THREE)).run(), "a").raised().findings("ORC-39")


def test_orc_39_leaves_alone():
    failed = Written(flow("sequential", *THREE)).run().called("go").failed()
    assert left_alone(failed.completed("C"), "ORC-39") == {"faulty"}
    twice = flow("sequential", "a", "x", others={"x": WorkflowSpec(pattern="sequential", participants=("a", "b"))})
    assert left_alone(asked(Written(twice).run(), "a", "b").completed("B"), "ORC-39") == {"shares agents"}
    inner = WorkflowSpec(pattern="group_chat", participants=("b",))
    managers = flow("group_chat", "a", "x", others={"x": inner}, runs=(run(manager=ManagerSpec(picks=("a",))),))
    assert left_alone(asked(Written(managers).run(), "a").completed("A"), "ORC-39") == {"managers share a script"}
    resets = flow("magentic", "a", runs=(run(manager=ManagerSpec(picks=("a",))),), max_resets=0)
    assert left_alone(Written(resets).run().completed("over"), "ORC-39") == {"out of resets"}
    picking = {"x": WorkflowSpec(pattern="group_chat", participants=("b",))}
    beside = flow("concurrent", "a", "x", others=picking, runs=(run(manager=ManagerSpec(picks=("b", "b"))),))
    left_out = asked(Written(beside, failing_participant="left_out").run(), "a", "b").called("go", agent="b").failed(agent="b")
    assert left_alone(left_out.completed("A"), "ORC-39") == {"faulty", "child that may fail"}
