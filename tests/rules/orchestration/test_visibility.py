"""ORC-20 to ORC-22 on traces written by hand."""

from __future__ import annotations

import pytest
from flows import by, faulty, flow, in_turn, left_to_author, run, spoken
from written import Written, broken, calls, holds, left_alone, results

from conformance.scenario.scenario import Respond
from conformance.scenario.specs import ExecutorSpec, WorkflowSpec

ON = {"intermediate_outputs": True}
CHILD = {"child": WorkflowSpec(pattern="sequential", participants=("b",))}
SHOWN = WorkflowSpec(pattern="sequential", participants=("a", "b"), intermediate_outputs=True)


# --- ORC-20 ---


def test_orc_20_holds_where_the_completion_is_alone():
    assert holds(in_turn(flow()).chunk("B", "b").completed("B", executor="b"), "ORC-20")


def test_orc_20_breaks():
    assert broken(in_turn(flow()).output("A", executor="a").completed("B"), "ORC-20") == {"output"}
    assert broken(in_turn(flow()).chunk("A", "a").completed("B"), "ORC-20") == {"chunk"}


def test_orc_20_leaves_alone():
    assert left_alone(in_turn(flow("handoff")).output("A").completed(), "ORC-20") == {"handoff"}
    assert left_alone(left_to_author().output("draft"), "ORC-20") == {"left to author"}


# --- ORC-21 ---


@pytest.mark.parametrize(("pattern", "shown"), [("sequential", ("A", "B")), ("sequential", ("A",)), ("concurrent", ("B", "A"))])
def test_orc_21_holds_where_each_response_is_shown_once(pattern, shown):
    assert holds(in_turn(flow(pattern, **ON)).output(*shown).completed("B"), "ORC-21")


def test_orc_21_holds_where_chunks_show_each_response():
    streamed = in_turn(flow("concurrent", runs=(run(stream=True),), **ON))
    assert holds(streamed.chunk("B", "b").chunk("A", "a").completed("A", "B"), "ORC-21")


def test_orc_21_holds_where_executors_are_shown():
    executors = {"x": ExecutorSpec(emits=("draft",), completes="done")}
    written = Written(flow("custom", stages=(("x",),), executors=executors, **ON)).run()
    assert holds(written.output("draft", executor="x").completed("done", executor="x"), "ORC-21")


def executors_show(*shown: str) -> Written:
    """Two executors work side by side, and one after them: planner (one, two), writer (three), editor (four)."""
    emits = {"planner": ("one", "two"), "writer": ("three",), "editor": ("four",)}
    executors = {name: ExecutorSpec(emits=texts) for name, texts in emits.items()} | {"last": ExecutorSpec(completes="done")}
    stages = (("planner", "writer"), ("editor",), ("last",))
    written = Written(flow("custom", stages=stages, executors=executors, **ON)).run()
    for text in shown:
        written.output(text, executor=next((name for name, texts in emits.items() if text in texts), None))
    return written.completed("done", executor="last")


@pytest.mark.parametrize("shown", [("one", "two", "three"), ("three", "one", "two"), ("one", "three", "two")])
def test_orc_21_holds_whoever_of_several_side_by_side_is_first(shown):
    assert holds(executors_show(*shown, "four"), "ORC-21")


@pytest.mark.parametrize("shown", [("two", "one", "three", "four"), ("four", "one", "two", "three")])
def test_orc_21_breaks_where_an_executor_or_a_superstep_is_out_of_order(shown):
    assert broken(executors_show(*shown), "ORC-21") == {"order"}


def test_orc_21_breaks_where_chunks_are_in_another_order():
    streamed = in_turn(flow(runs=(run(stream=True),), **ON))
    assert broken(streamed.chunk("B", "b").chunk("A", "a").completed("B"), "ORC-21") == {"order"}
    beside = Written(flow("concurrent", runs=(run(stream=True),), **ON)).run().spoke("a", "one", "go").spoke("b", "two", "go")
    for text, name in (("ne", "a"), ("two", "b"), ("o", "a")):
        beside.chunk(text, name)
    assert broken(beside.completed("one", "two"), "ORC-21") == {"order"}


@pytest.mark.parametrize(
    ("shown", "aspect"),
    [(("B",), "missing"), (("A", "A", "B"), "repeated"), (("A", "X", "B"), "foreign"), (("B", "A"), "order")],
)
def test_orc_21_breaks(shown, aspect):
    assert broken(in_turn(flow(**ON)).output(*shown).completed("B"), "ORC-21") == {aspect}


def test_orc_21_breaks_where_what_is_shown_is_right():
    assert broken(in_turn(flow(**ON)).output("A").completed("B").output("B"), "ORC-21") == {"late"}
    assert broken(in_turn(flow(**ON)).output("A", executor="b").completed("B"), "ORC-21") == {"another author"}
    assert broken(in_turn(flow(**ON)).output("A", "B").completed("B").completed("B"), "ORC-21") == {"several completions"}


def test_orc_21_lets_an_author_show_something_beside_the_completion():
    executors = {"x": ExecutorSpec(completes="done"), "y": ExecutorSpec(emits=("beside",))}
    beside = Written(flow("custom", stages=(("x", "y"),), executors=executors, **ON)).run().completed("done", executor="x")
    assert holds(beside.output("beside", executor="y"), "ORC-21")


@pytest.mark.parametrize(("pieces", "aspect"), [("B", "missing"), ("AABB", "repeated"), ("ABX", "foreign")])
def test_orc_21_breaks_where_chunks_are_all_that_is_shown(pieces, aspect):
    streamed = in_turn(flow(runs=(run(stream=True),), **ON))
    for piece in pieces:
        streamed.chunk(piece, "a")
    assert broken(streamed.completed("B"), "ORC-21") == {aspect}


@pytest.mark.parametrize(("pieces", "aspect"), [("B", ""), ("BB", "repeated"), ("X", "missing"), ("BX", "foreign")])
def test_orc_21_joins_chunks_beside_whole_outputs(pieces, aspect):
    """What is whole may have calls in it; of chunks nobody can see them."""
    asks = calls("c1", weather={}, text="looking")
    written = Written(flow(runs=(run(), Respond(stream=True)), **ON)).run().spoke("a", asks, "go")
    written.tool("c1", agent="a").spoke("a", "A", "go", asks, results(c1="sunny")).output(
        asks, results(c1="sunny"), "A", executor="a"
    )
    written.pending(tool="pay", id="r").answered(0).spoke("b", "B", "go")
    for piece in pieces:
        written.chunk(piece, "b")
    written.completed("B", executor="b")
    assert broken(written, "ORC-21") == {aspect} if aspect else holds(written, "ORC-21")


def test_orc_21_leaves_alone():
    assert broken(in_turn(flow("handoff", **ON)).completed(), "ORC-21") == {"missing"}
    assert left_alone(in_turn(flow("sequential", "a", "child", others=CHILD, **ON)).completed("B"), "ORC-21") == {"nests"}
    assert left_alone(faulty(shows=True).completed("B"), "ORC-21") == {"faulty"}
    assert left_alone(left_to_author(shows=True).output("draft"), "ORC-21") == {"left to author"}


def test_orc_21_leaves_alone_what_an_author_shows_of_participants():
    executors = {"x": ExecutorSpec(completes="done")}
    scenario = flow("custom", "a", stages=(("a",), ("x",)), executors=executors, **ON)
    written = Written(scenario).run().spoke("a", "A", "go").completed("done", executor="x")
    assert left_alone(written, "ORC-21") == {"custom with participants"}


# --- ORC-22 ---


def both(**workflow) -> Written:
    """The workflow without intermediate outputs has run and answered; the same with them begins."""
    scenario = flow(runs=(run(), run(workflow="v")), others={"v": SHOWN}, **workflow)
    return in_turn(scenario).completed("B", executor="b")


def test_orc_22_holds_where_showing_changes_nothing():
    assert holds(spoken(both()).output("A", executor="a").completed("B", executor="b"), "ORC-22")


@pytest.mark.parametrize(
    ("completions", "aspect"),
    [
        ([], "no completion"),
        ([("B",), ("B",)], "several completions"),
        ([()], "missing"),
        ([("B", "B")], "repeated"),
        ([("A", "B")], "foreign"),
        ([(by("a", "B"),)], "another author"),
    ],
)
def test_orc_22_breaks_where_the_payload_is_another(completions, aspect):
    written = spoken(both())
    for said in completions:
        written.completed(*said, executor="b")
    assert broken(written, "ORC-22") == {aspect}


def test_orc_22_breaks_where_the_order_is_another():
    scenario = flow(runs=(run(), run(workflow="v")), others={"v": SHOWN})
    written = in_turn(scenario).completed("B", "C", executor="b")
    assert broken(spoken(written).completed("C", "B", executor="b"), "ORC-22") == {"order"}


def test_orc_22_breaks_where_a_participant_is_sent_something_else():
    written = both().run().spoke("a", "A", "go").spoke("b", "B", "=A").completed("B", executor="b")
    assert broken(written, "ORC-22") == {"other requests"}


def test_orc_22_leaves_alone_what_the_service_makes_up():
    scenario = flow(runs=(run(replies={}), run(workflow="v", replies={})), others={"v": SHOWN})
    written = spoken(in_turn(scenario).completed("B")).completed("B")
    assert left_alone(written, "ORC-22") == {"either beyond its script"}


def test_orc_22_asks_what_participants_of_children_are_sent():
    shown = WorkflowSpec(pattern="sequential", participants=("a", "child"), intermediate_outputs=True)
    scenario = flow("sequential", "a", "child", runs=(run(), run(workflow="v")), others={"v": shown, **CHILD})
    written = in_turn(scenario).completed("B").run().spoke("a", "A", "other").spoke("b", "B").completed("B")
    assert broken(written, "ORC-22") == {"other requests"}
