"""ORC-32 to ORC-34 on traces written by hand."""

from __future__ import annotations

import pytest
from flows import DRAFTS, by, flow, in_turn, run
from written import Written, broken, calls, holds, left_alone

from conformance.scenario.scenario import Together
from conformance.scenario.specs import AgentSpec, ExecutorSpec, ToolSpec, WorkflowSpec
from conformance.trace.harness_events import Abandoned

TOGETHER = (Together(runs=(run("one"), run("two", workflow="v"))),)

# --- ORC-32 ---


def first_order(*, scripted: bool = True) -> Written:
    """Of two runs that differ in the order of finishing, the first one is over: a finished before b."""
    script = {} if scripted else {"replies": {}}
    scenario = flow("concurrent", runs=(run(finish=("a", "b"), **script), run(finish=("b", "a"), **script)))
    return finishing(Written(scenario), a=0, b=1).completed("A", "B")


def finishing(written: Written, **order: int) -> Written:
    """The next run begins, both are asked, and they answer in this order; the numbers are those of their calls."""
    written = written.run().called("go", agent="a").called("go", agent="b")
    for name, call in order.items():
        written.replied(name.upper(), agent=name, call=call)
    return written


def test_orc_32_holds_where_the_order_does_not_matter():
    assert holds(finishing(first_order(), b=3, a=2).completed("A", "B"), "ORC-32")


@pytest.mark.parametrize(
    ("completions", "aspect"),
    [
        ([], "no completion"),
        ([("A", "B"), ("A", "B")], "several completions"),
        ([("A",)], "missing"),
        ([("A", "B", "B")], "repeated"),
        ([("A", "B", "X")], "foreign"),
        ([("B", "A")], "order"),
        ([("A", by("a", "B"))], "another author"),
    ],
)
def test_orc_32_breaks(completions, aspect):
    written = finishing(first_order(), b=3, a=2)
    for said in completions:
        written.completed(*said)
    assert broken(written, "ORC-32") == {aspect}


def test_orc_32_says_nothing_where_they_did_not_finish_so():
    assert not finishing(first_order(), a=2, b=3).completed("B", "A").findings("ORC-32")


def test_orc_32_leaves_alone():
    written = finishing(first_order(scripted=False), b=3, a=2).completed("A", "X")
    assert left_alone(written, "ORC-32") == {"either beyond its script"}


# --- ORC-33 ---


def failing(policy: str, *, nested: bool = False, **agents: AgentSpec) -> Written:
    """The service of a fails in a run of a and b."""
    child = {"child": WorkflowSpec(pattern="sequential", participants=("b",))} if nested else {}
    scenario = flow("concurrent", "a", "child" if nested else "b", others=child, agents=agents)
    return Written(scenario, failing_participant=policy).run().called("go").failed()


def test_orc_33_holds_where_the_run_fails():
    assert holds(failing("fails").raised(), "ORC-33")


def test_orc_33_says_nothing_where_the_service_was_tried_again():
    assert not failing("fails").spoke("a", "A", "go").spoke("b", "B", "go").completed("A", "B").findings("ORC-33")
    assert not failing("left_out").spoke("a", "A", "go").spoke("b", "B", "go").completed("A", "B").findings("ORC-33")


def test_orc_33_breaks_where_the_run_has_to_fail():
    assert broken(failing("fails").spoke("b", "B", "go").completed("B"), "ORC-33") == {"not raised"}
    assert broken(failing("fails").spoke("b", "B", "go").completed("B").raised(), "ORC-33") == {"both"}


def test_orc_33_holds_where_the_others_answer():
    assert holds(failing("left_out").spoke("b", "B", "go").completed("B"), "ORC-33")


def test_orc_33_holds_where_nobody_is_left_to_answer():
    assert holds(failing("left_out").called("go", agent="b").failed(agent="b").raised(), "ORC-33")


def test_orc_33_breaks_where_the_others_have_to_answer():
    assert broken(failing("left_out").spoke("b", "B", "go").raised(), "ORC-33") == {"raised"}
    assert broken(failing("left_out").spoke("b", "B", "go").completed("B").raised(), "ORC-33") == {"both"}
    assert broken(failing("left_out").spoke("b", "B", "go"), "ORC-33") == {"no completion"}
    assert broken(failing("left_out").spoke("b", "B", "go").completed("B").completed("B"), "ORC-33") == {"several completions"}
    nobody = failing("left_out").called("go", agent="b").failed(agent="b")
    assert broken(nobody.completed("nothing"), "ORC-33") == {"answer of nobody"}


def test_orc_33_breaks_where_what_the_failing_one_said_is_in_the_answer():
    scenario = flow("concurrent", agents={"a": AgentSpec(tools={"weather": ToolSpec()})})
    written = Written(scenario, failing_participant="left_out").run()
    written.spoke("a", calls("1", weather={}, text="I look"), "go").tool("1").called("go").failed().spoke("b", "B", "go")
    assert broken(written.completed("I look", "B"), "ORC-33") == {"words of the failed"}


@pytest.mark.parametrize("policy", ["fails", "left_out"])
def test_orc_33_leaves_alone(policy):
    if policy == "left_out":
        assert left_alone(failing(policy, nested=True).completed("B"), "ORC-33") == {"nests"}
    assert left_alone(failing(policy).pending(tool="pay"), "ORC-33") == {"waiting"}
    assert left_alone(failing(policy).event(Abandoned, chunks=1), "ORC-33") == {"cut off"}


# --- ORC-34 ---


def in_flight() -> Written:
    """Two workflows are run in one step: w of a, and v of b."""
    v = {"v": WorkflowSpec(pattern="sequential", participants=("b",))}
    return Written(flow("sequential", "a", runs=TOGETHER, others=v))


def beside(written: Written, *heard: str) -> Written:
    """Both runs are over; w heard and answered as it should, and v heard this."""
    written.run(workflow="w", step=0).spoke("a", "A", "one").completed("A")
    return written.run(workflow="v", step=0).spoke("b", "B", *heard)


def test_orc_34_holds_where_each_answers_for_itself():
    assert holds(beside(in_flight(), "two").completed("B"), "ORC-34")


def test_orc_34_breaks():
    assert broken(beside(in_flight(), "two").completed("A"), "ORC-34") == {"answer"}
    assert broken(beside(in_flight(), "two", "=A").completed("B"), "ORC-34") == {"request"}


def test_orc_34_is_asked_of_what_fails_too():
    written = in_flight().run(workflow="w", step=0).called("one").failed()
    written.run(workflow="v", step=0).called("two", agent="b").failed(agent="b")
    assert holds(written, "ORC-34")


def test_orc_34_looks_at_intermediate_outputs_and_chunks():
    assert broken(beside(in_flight(), "two").output("A").completed("B"), "ORC-34") == {"intermediate"}
    assert broken(beside(in_flight(), "two").chunk("A", "a").completed("B"), "ORC-34") == {"intermediate"}
    assert holds(beside(in_flight(), "two").output("B").chunk("B", "b").completed("B"), "ORC-34")


def test_orc_34_speaks_of_what_no_executor_completes():
    v = {"v": WorkflowSpec(pattern="custom", stages=(("x",),), executors={"x": ExecutorSpec(emits=("plan",))})}
    scenario = flow("custom", runs=TOGETHER, others=v, stages=(("x",),), executors=DRAFTS)
    written = Written(scenario).run(workflow="w", step=0).output("draft").run(workflow="v", step=0)
    assert broken(written.output("draft"), "ORC-34") == {"intermediate"}


def test_orc_34_says_nothing_of_runs_one_after_another():
    assert not in_turn(flow()).completed("X").findings("ORC-34")
