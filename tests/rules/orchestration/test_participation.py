"""ORC-39 and ORC-41 on traces written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from flows import by, flow, run
from written import Said, Written, broken, calls, holds, left_alone, results, taken_away

from conformance.scenario.specs import AgentSpec, ExecutorSpec, ManagerSpec, ServiceSpec, ToolSpec, WorkflowSpec

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


# --- what they hear ---

SHARES = {"sequential_shares": "conversation"}
A, B, C = by("a", "A"), by("b", "B"), by("c", "C")
WORKS: Any = {"agents": {"a": AgentSpec(tools={"weather": ToolSpec(returns="sunny")})}}


def chain(*hears: tuple[Said, ...], pattern: str = "sequential", policies: Any = SHARES, **scenario: Any) -> Written:
    """a, b and c are asked, one after another, with these messages, and say their names."""
    written = Written(flow(pattern, *THREE, **scenario), **policies).run()
    for name, messages in zip(THREE, hears, strict=False):
        written = written.spoke(name, name.upper(), *messages)
    return written


def picked(*turns: tuple[str, str, tuple[Said, ...]], **scenario: Any) -> Written:
    """In a group chat these are asked, one after another, with these messages: who says what to what."""
    picks = tuple(name for name, _, _ in turns)
    written = Written(flow("group_chat", *THREE, runs=(run(manager=ManagerSpec(picks=picks)),), **scenario)).run()
    for name, said, messages in turns:
        written = written.spoke(name, said, *messages)
    return written


@pytest.mark.parametrize(
    "written",
    [
        chain(("go",), ("go", A), ("go", A, B)),
        chain(("go",), (A,), (B,), policies={"sequential_shares": "last"}),
        chain(("go",), ("go", A), ("go", B), policies={"sequential_shares": "last"}),
        chain(("go",), ("go",), ("go",), pattern="concurrent"),
        chain(("go",), ("anything",), ("at all",), policies={}),
        chain(("go",), ("go", "a said: A"), ("The task: go", "A", 'and b:\n"B"')),
        chain(("go",), ("The conversation so far. user: go; a: A. It is your turn.",), ("go / A / B",)),
        picked(("a", "A", ("go",)), ("a", "A2", ("go", "=A")), ("b", "B", ("go", A, by("a", "A2")))),
    ],
    ids=[
        "conversation",
        "last",
        "last with the input",
        "concurrent",
        "nothing is declared",
        "as the user's",
        "in a frame",
        "group chat",
    ],
)
def test_orc_41_holds(written):
    assert holds(written, "ORC-41")


def test_orc_41_counts_what_the_service_has():
    keeps = {"agents": {"a": AgentSpec(service=ServiceSpec(keeps="one_id", stores_by_default=True))}}
    scenario = flow("group_chat", *THREE, runs=(run(manager=ManagerSpec(picks=("a", "b", "a"))),), **keeps)
    begun = Written(scenario).run().spoke("a", "A", "go").spoke("b", "B", "go", A)
    assert holds(begun.spoke("a", "A2", B, held=("go", "=A"), conversation_id="a-1"), "ORC-41")
    again = Written(scenario).run().spoke("a", "A", "go").spoke("b", "B", "go", A)
    assert broken(again.spoke("a", "A2", "go", A, B, held=("go", "=A"), conversation_id="a-1"), "ORC-41") == {"twice"}


@pytest.mark.parametrize(
    ("aspect", "written"),
    [
        ("nothing", picked(("a", "A", ("go",)), ("a", "A2", ()))),
        ("nothing", picked(("a", "A", ("go",)), ("a", "A2", ("^be kind",)))),
        ("own words", chain(("go",), ("go", "=A"), ("go", A, B))),
        ("own words", chain(("go",), ("go", by("b", "A")))),
        ("missing", chain(("go",), ("go",))),
        ("missing", chain(("go",), (A,))),
        ("missing", picked(("a", "A", ("go",)), ("b", "B", ("go", A)), ("a", "A2", ("go", "=A")))),
        ("not due", chain(("go",), ("go", A), pattern="concurrent")),
        ("not due", chain(("go",), (A,), (A, B), policies={"sequential_shares": "last"})),
        ("twice", chain(("go",), ("go", A, A))),
        ("twice", chain(("go", "go"))),
        ("twice", chain(("go",), ("go", A, "in short: go, and A"))),
        ("order", chain(("go",), (A, "go"))),
        ("order", chain(("go",), ("go", A), ("go", B, A))),
    ],
)
def test_orc_41_breaks(aspect, written):
    assert broken(written, "ORC-41") == ({"nothing", "missing"} if aspect == "nothing" else {aspect})


def worked(*hears: Said, then: tuple[Said, ...] = ("go", calls("c1", weather={}), results(c1="sunny"))) -> Written:
    """a calls a tool and speaks; `then`: what it is sent with the result. b is sent this."""
    called = Written(flow("sequential", *THREE, **WORKS), **SHARES).run().spoke("a", calls("c1", weather={}), "go").tool("c1")
    return called.spoke("a", "A", *then).spoke("b", "B", *hears)


def test_orc_41_keeps_calls_and_results_together():
    call, result = calls("c1", weather={}, author="a"), results(c1="sunny")
    assert holds(worked("go", A), "ORC-41"), "neither"
    assert holds(worked("go", call, result, A), "ORC-41"), "both"
    assert broken(worked("go", result, A), "ORC-41") == {"calls"}
    assert broken(worked("go", call, A), "ORC-41") == {"calls"}
    assert broken(worked("go", call, result, call, result, A), "ORC-41") == {"calls"}
    assert broken(worked("go", calls("c1", weather={}), result, A), "ORC-41") == {"own words"}
    assert broken(worked("go", A, then=("go", calls("c1", weather={}))), "ORC-41") == {"calls"}
    assert broken(worked("go", A, then=("go",)), "ORC-41") == {"calls"}


def test_orc_41_wants_the_calls_of_earlier_turns():
    scenario = flow("group_chat", *THREE, runs=(run(manager=ManagerSpec(picks=("a", "a"))),), **WORKS)

    def twice(*hears: Said) -> Written:
        called = Written(scenario).run().spoke("a", calls("c1", weather={}), "go").tool("c1")
        return called.spoke("a", "A", "go", calls("c1", weather={}), results(c1="sunny")).spoke("a", "A2", *hears)

    assert holds(twice("go", calls("c1", weather={}), results(c1="sunny"), "=A"), "ORC-41")
    assert broken(twice("go", "=A"), "ORC-41") == {"calls"}


def test_orc_41_lets_a_tool_end_a_turn():
    scenario = flow("group_chat", *THREE, runs=(run(manager=ManagerSpec(picks=("a", "b", "a"))),), **WORKS)
    call, result = calls("c1", weather={}), results(c1="sunny")
    ended = Written(scenario).run().spoke("a", call, "go").tool("c1", terminated=True).spoke("b", "B", "go")
    assert holds(ended.spoke("a", "A2", "go", call, result, B), "ORC-41")


def test_orc_41_asks_little_where_it_is_not_said_what_is_due():
    chat = flow("magentic", *THREE, runs=(run(manager=ManagerSpec(picks=("a", "b"))),))
    assert holds(Written(chat).run().spoke("a", "A", "work").spoke("b", "B", "go on"), "ORC-41")
    assert broken(Written(chat).run().spoke("a", "A", "work").spoke("b", "B"), "ORC-41") == {"nothing"}
    assert broken(Written(chat).run().spoke("a", "A", "work").spoke("b", "B", "=A"), "ORC-41") == {"own words"}


def test_orc_41_lets_earlier_runs_be_remembered():
    two = flow(runs=(run(), run()))
    first = Written(two, **SHARES).run().spoke("a", "A", "go").spoke("b", "B", "go", A).completed("B")
    assert holds(first.run().spoke("a", "A2", "go", "=A", "go").spoke("b", "B2", "go", A, "=B", "go", by("a", "A2")), "ORC-41")


def inside(pattern: str, *says: tuple[str, str, tuple[Said, ...]], **child: Any) -> Written:
    """A child x of a and b, and after it c."""
    members = () if pattern == "custom" else ("a", "b")
    others = {"x": WorkflowSpec(pattern=pattern, **{"participants": members, **child})}  # pyright: ignore[reportArgumentType]
    one = run(manager=ManagerSpec(picks=("a", "b"), answer="M"))
    written = Written(flow("sequential", "x", "c", others=others, runs=(one,)), **SHARES).run()
    for name, said, messages in says:
        written = written.spoke(name, said, *messages)
    return written


@pytest.mark.parametrize(
    ("pattern", "b_hears", "answers", "spec"),
    [
        ("sequential", ("go", A), ("=B",), {}),
        ("concurrent", ("go",), ("=A", "=B"), {}),
        ("concurrent", ("go",), ("=both",), {"aggregates": "both"}),
        ("group_chat", ("go", A), ("=M",), {}),
        ("handoff", ("go", A), ("=A", "=B"), {}),
    ],
)
def test_orc_41_hears_the_answer_of_a_child(pattern, b_hears, answers, spec):
    told = [by("x", each[1:]) for each in answers]
    said = ("a", "A", ("go",)), ("b", "B", b_hears)
    assert holds(inside(pattern, *said, ("c", "C", ("go", *told)), **spec), "ORC-41")
    assert broken(inside(pattern, *said, ("c", "C", ("go",)), **spec), "ORC-41") == {"missing"}
    assert broken(inside(pattern, *said, ("c", "C", ("go", *told, *told)), **spec), "ORC-41") == {"twice"}


def test_orc_41_hears_what_an_author_wrote():
    written = {"stages": (("a", "w"),), "executors": {"w": ExecutorSpec(completes="W")}, "participants": ("a",)}
    assert holds(inside("custom", ("a", "A", ("go",)), ("c", "C", ("go", by("x", "W"))), **written), "ORC-41")


def test_orc_41_leaves_alone():
    twice = flow("sequential", "a", "x", others={"x": WorkflowSpec(pattern="sequential", participants=("a", "b"))})
    assert taken_away(asked(Written(twice, **SHARES).run(), "a"), "ORC-41") == {"shares agents"}
    written = {"stages": (("a", "w"),), "executors": {"w": ExecutorSpec()}, "participants": ("a",)}
    assert taken_away(inside("custom", ("a", "A", ("go",)), **written), "ORC-41") == set(), (
        "where it is an author's, nothing is due"
    )
    assert taken_away(inside("custom", ("c", "C", ("go",)), **written), "ORC-41") == {"left to author"}
    beside = flow("sequential", "x", "c", others={"x": WorkflowSpec(pattern="concurrent", participants=("a", "b"))})
    left_out = asked(Written(beside, failing_participant="left_out", **SHARES).run(), "a").called("go", agent="b").failed(agent="b")
    assert taken_away(left_out, "ORC-41") == {"child left out"}
    fails = asked(Written(beside, failing_participant="fails", **SHARES).run(), "a").called("go", agent="b").failed(agent="b")
    assert not taken_away(fails, "ORC-41")
    assert taken_away(inside("group_chat", ("a", "A", ("go",)), max_rounds=1), "ORC-41") == {"child with a limit"}
    again = run(manager=ManagerSpec(picks=("x", "c", "x")))
    chat = flow("group_chat", "x", "c", others={"x": WorkflowSpec(pattern="sequential", participants=("a",))}, runs=(again,))
    assert taken_away(asked(Written(chat, **SHARES).run(), "a"), "ORC-41") == {"child picked again"}
    nobody = {"x": WorkflowSpec(pattern="sequential", participants=("y",)), "y": WorkflowSpec(pattern="group_chat")}
    silent = flow("sequential", "x", "c", others=nobody)
    assert taken_away(Written(silent, **SHARES).run().spoke("c", "C", "go"), "ORC-41") == {"silent child"}
