"""ORC-29 to ORC-31 on traces written by hand."""

from __future__ import annotations

import pytest
from flows import DRAFTS, PAYS, flow, run
from written import Written, broken, calls, holds, left_alone, taken_away

from conformance.scenario.scenario import Respond
from conformance.scenario.specs import AgentSpec, ExecutorSpec, ManagerSpec, WorkflowSpec
from conformance.trace.harness_events import Abandoned

PAIR = WorkflowSpec(pattern="sequential", participants=("a", "b"))
OTHER = WorkflowSpec(pattern="sequential", participants=("c", "d"))
UNENDED = WorkflowSpec(pattern="custom", participants=("a",), stages=(("a",), ("x",)), executors=DRAFTS)
CHAT = WorkflowSpec(pattern="group_chat", participants=("a", "b"), max_rounds=1)
CUT = run(manager=ManagerSpec(picks=("a", "b")))


# --- ORC-29 ---


def followed(*heard: str, child: WorkflowSpec = PAIR, runs=(), **parent) -> Written:
    """A child of a and b has answered, and c, who comes after it, is sent this."""
    scenario = flow(parent.pop("pattern", "sequential"), "child", "c", runs=runs, others={"child": child}, **parent)
    return Written(scenario).run().spoke("a", "A", "go").spoke("b", "B", "go", "=A").spoke("c", "C", *heard)


def test_orc_29_holds_where_a_child_answers_who_comes_after_it():
    assert holds(followed("go", "=B").completed("C"), "ORC-29")


def test_orc_29_holds_in_stages_where_a_child_comes_after_a_child():
    executors = {"x": ExecutorSpec(completes="done")}
    children = {"child": PAIR, "other": OTHER}
    scenario = flow("custom", "child", "other", stages=(("child",), ("other",), ("x",)), executors=executors, others=children)
    written = Written(scenario).run().spoke("a", "A", "go").spoke("b", "B", "=A").spoke("c", "C", "go", "=B").spoke("d", "D", "=C")
    assert holds(written.completed("done"), "ORC-29")


def test_orc_29_breaks_where_a_child_completes_its_parent():
    assert broken(followed("go", "=B").completed("B").completed("C"), "ORC-29") == {"several completions"}


@pytest.mark.parametrize(
    ("heard", "aspect"), [(("go",), "missing"), (("go", "=B", "=B"), "repeated"), (("go", "=A", "=B"), "leaked")]
)
def test_orc_29_breaks(heard, aspect):
    assert broken(followed(*heard).completed("C"), "ORC-29") == {aspect}


def test_orc_29_leaves_alone():
    assert taken_away(followed().failed(agent="c").completed("C"), "ORC-29") == {"faulty"}
    assert taken_away(followed("go", child=CHAT, runs=(CUT,)).completed("C"), "ORC-29") == {"limited"}
    assert left_alone(followed("go", child=UNENDED).completed("C"), "ORC-29") == {"left to author", "author completes the child"}


def test_orc_29_says_nothing_of_a_child_that_nobody_follows():
    scenario = flow("sequential", "c", "child", others={"child": PAIR})
    assert not Written(scenario).run().spoke("c", "C", "go").findings("ORC-29")


# --- ORC-30 ---


def asking(*, child: WorkflowSpec = PAIR, approve: bool = True, **parent) -> Written:
    """Somebody in a child makes a call that needs approval."""
    agents = {"a": AgentSpec(tools=PAYS)}
    participants = ("child", *parent.pop("then", ("c",)))
    scenario = flow(
        parent.pop("pattern", "sequential"),
        *participants,
        runs=(run(), Respond(approve=approve)),
        others={"child": child},
        agents=agents,
        **parent,
    )
    return Written(scenario).run().spoke("a", calls("1", pay={}), "go")


def goes_on(written: Written) -> Written:
    """Everybody answers."""
    return written.spoke("a", "A").spoke("b", "B").spoke("c", "C").completed("C")


def asked(**options) -> Written:
    """The request has been answered."""
    return asking(**options).pending(tool="pay", id="r").answered(0)


def test_orc_30_holds_where_the_answer_reaches_the_child():
    assert holds(goes_on(asked().tool("1", "pay")), "ORC-30")
    assert holds(goes_on(asked(approve=False)), "ORC-30")


def test_orc_30_breaks():
    assert broken(goes_on(asking()), "ORC-30") == {"not asked"}
    assert broken(asking().completed("C").pending(tool="pay", id="r"), "ORC-30") == {"completed early"}
    assert broken(asked().raised(), "ORC-30") == {"raised"}
    assert broken(goes_on(asked()), "ORC-30") == {"not executed"}
    assert broken(goes_on(asked().called("go", agent="c").failed(agent="c")), "ORC-30") == {"not executed"}
    assert broken(goes_on(asked(approve=False).tool("1", "pay")), "ORC-30") == {"executed without approval"}


def questioning() -> Written:
    """An executor of a child asks."""
    child = WorkflowSpec(pattern="custom", stages=(("x",),), executors={"x": ExecutorSpec(asks=True, completes="done")})
    return Written(flow("sequential", "child", "c", others={"child": child})).run()


def test_orc_30_breaks_where_nobody_gets_an_executors_question():
    assert broken(questioning().spoke("c", "C", "=done").completed("C"), "ORC-30") == {"not asked"}
    assert not questioning().pending(executor="x", id="r").findings("ORC-30")


def test_orc_30_leaves_alone():
    assert left_alone(asking().called("go", agent="c").failed(agent="c"), "ORC-30") == {"faulty"}
    assert left_alone(questioning().called("go", agent="c").failed(agent="c"), "ORC-30") == {"faulty"}
    assert left_alone(asking().event(Abandoned, chunks=1), "ORC-30") == {"cut off"}
    assert holds(asking(child=UNENDED).pending(tool="pay", id="r"), "ORC-30")


# --- ORC-31 ---


def two_children(*heard: str, pattern: str = "sequential", child: WorkflowSpec = PAIR, runs=()) -> Written:
    """A child of a and b has answered, and then one of c and d, of which c heard this."""
    scenario = flow(pattern, "child", "other", runs=runs, others={"child": child, "other": OTHER})
    written = Written(scenario).run().spoke("a", "A", "go").spoke("b", "B", "go", "=A")
    return written.spoke("c", "C", *heard).spoke("d", "D", "=C")


def test_orc_31_holds_where_children_hear_answers_only():
    assert holds(two_children("go", "=B").completed("D"), "ORC-31")
    assert holds(two_children("go", pattern="concurrent").completed("B", "D"), "ORC-31")


def test_orc_31_breaks_where_one_child_hears_the_other():
    assert broken(two_children("go", "=A", "=B").completed("D"), "ORC-31") == {"overheard"}
    assert broken(two_children("go", "=B", pattern="concurrent").completed("B", "D"), "ORC-31") == {"overheard"}
    assert broken(two_children("go", "=A").failed(agent="c").completed("X"), "ORC-31") == {"overheard"}


@pytest.mark.parametrize(
    ("answer", "aspect"),
    [(("B",), "missing"), (("B", "D", "D"), "repeated"), (("B", "C", "D"), "foreign"), (("D", "B"), "order")],
)
def test_orc_31_breaks(answer, aspect):
    assert broken(two_children("go", pattern="concurrent").completed(*answer), "ORC-31") == {aspect}


def test_orc_31_leaves_alone():
    assert taken_away(two_children("go", "=B").failed(agent="c").completed("X"), "ORC-31") == {"faulty"}
    assert taken_away(two_children("go", child=UNENDED).completed("X"), "ORC-31") == {"left to author"}
    assert taken_away(two_children("go", "=A", child=CHAT, runs=(CUT,)).completed("X"), "ORC-31") == {"limited"}


def test_orc_31_asks_who_hears_what_whoever_completes():
    assert broken(two_children("go", "=A", child=UNENDED).completed("X"), "ORC-31") == {"overheard"}


def test_orc_31_breaks_where_a_child_works_twice():
    assert broken(two_children("go", "=B").spoke("c", "C2", "=B").spoke("d", "D2", "=C2").completed("D2"), "ORC-31") >= {
        "several completions"
    }
    picked = flow("group_chat", "child", "other", others={"child": PAIR, "other": OTHER})
    written = Written(picked).run().spoke("a", "A").spoke("b", "B").spoke("c", "C").spoke("d", "D").spoke("a", "A").spoke("b", "B")
    assert holds(written.completed("the manager's answer"), "ORC-31")


def test_orc_31_leaves_alone_who_takes_part_in_both_children():
    shared = WorkflowSpec(pattern="sequential", participants=("a", "d"))
    written = Written(flow("sequential", "child", "other", others={"child": PAIR, "other": shared})).run()
    assert holds(written.spoke("a", "A", "go").spoke("b", "B", "=A").spoke("a", "C", "=A").spoke("d", "D", "=C"), "ORC-31")
