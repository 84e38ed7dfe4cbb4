"""ORC-01 to ORC-10 on traces written by hand."""

from __future__ import annotations

import pytest
from flows import DRAFTS, by, faulty, flow, in_turn, left_to_author, limited, run, spoken, waited
from written import Written, broken, calls, holds, left_alone, taken_away

from conformance.scenario.scenario import Respond
from conformance.scenario.specs import ExecutorSpec, ManagerSpec, WorkflowSpec
from conformance.trace.harness_events import Abandoned
from conformance.vocabulary import Policies

ON = {"intermediate_outputs": True}
SIGNAL = {"completion_signal": "flag"}
STREAMED = (run(stream=True),)


def custom(*stages: tuple[str, ...], runs: tuple = (), **executors: ExecutorSpec) -> Written:
    """An author-written workflow begins."""
    return Written(flow("custom", stages=stages, executors=executors, runs=runs)).run()


# --- ORC-01 ---


def test_orc_01():
    assert holds(in_turn(flow()).completed("B"), "ORC-01")
    assert broken(in_turn(flow()).output("B"), "ORC-01") == {"no completion"}
    assert broken(in_turn(flow()).completed("B").completed("B"), "ORC-01") == {"several completions"}


def test_orc_01_says_nothing_of_runs_that_fail():
    assert not in_turn(flow()).raised().findings("ORC-01")


def test_orc_01_leaves_alone():
    assert left_alone(left_to_author().output("draft"), "ORC-01") == {"left to author"}


# --- ORC-02 ---


def test_orc_02():
    assert holds(in_turn(flow(**ON)).output("A").chunk("B", "b").completed("B"), "ORC-02")
    assert broken(in_turn(flow(**ON)).completed("B").output("A"), "ORC-02") == {"output"}
    assert broken(in_turn(flow()).completed("B").chunk("B", "b"), "ORC-02") == {"chunk"}
    assert broken(in_turn(flow()).completed("B").completed("B"), "ORC-02") == {"several completions"}


def test_orc_02_says_nothing_where_nothing_completes():
    assert not in_turn(flow()).output("B").findings("ORC-02")


def test_orc_02_holds_where_others_output_before_the_one_that_completes():
    written = custom(("y",), ("x",), x=ExecutorSpec(completes="done"), y=ExecutorSpec(emits=("draft",)))
    assert holds(written.output("draft", executor="y").completed("done", executor="x"), "ORC-02")


@pytest.mark.parametrize("stages", [(("x", "y"),), (("x",), ("y",))])
def test_orc_02_leaves_alone_what_others_output_beside_the_completion(stages):
    written = custom(*stages, x=ExecutorSpec(completes="done"), y=ExecutorSpec(emits=("draft",)))
    assert left_alone(written.completed("done").output("draft"), "ORC-02") == {"others output beside"}


def test_orc_02_leaves_alone():
    scenario = flow("custom", "a", stages=(("x",), ("a",)), executors={"x": ExecutorSpec(completes="done")})
    assert left_alone(Written(scenario).run().completed("done").output("A"), "ORC-02") == {"others output beside"}
    assert left_alone(left_to_author().completed("done").output("draft"), "ORC-02") == {"left to author"}


# --- ORC-03 ---


def test_orc_03():
    assert holds(in_turn(flow(), **SIGNAL).output("A").completed("B"), "ORC-03")
    assert broken(in_turn(flow(), **SIGNAL).output("A").output("B"), "ORC-03") == {"no signal"}
    assert broken(in_turn(flow(), completion_signal="none").output("B"), "ORC-03") == {"no signal"}
    assert broken(in_turn(flow(), **SIGNAL).chunk("B", "b", completed=True).completed("B"), "ORC-03") == {"signal on a chunk"}


def test_orc_03_says_nothing_of_runs_that_show_nothing_or_fail():
    assert not in_turn(flow()).findings("ORC-03")
    assert not in_turn(flow()).output("A").raised().findings("ORC-03")


def test_orc_03_leaves_alone():
    assert left_alone(left_to_author().output("draft"), "ORC-03") == {"left to author"}


# --- ORC-04 ---


def asks(ends: bool = True) -> Written:
    """A participant waits for approval; it is given in the next step, if it is."""
    steps = (run(), Respond()) if ends else (run(),)
    return Written(flow("sequential", "a", runs=steps)).run().called("go").replied(calls("1", pay={})).pending(tool="pay", id="1")


def test_orc_04_holds_where_the_completion_comes_at_the_end():
    assert holds(asks().output("so far").idle(1).answered(0).called("go").replied("A").completed("A").idle(), "ORC-04")
    assert holds(asks(ends=False).idle(1), "ORC-04")
    assert holds(asks().idle(1).answered(0).raised(), "ORC-04")
    assert holds(asks().raised().answered(0).idle(), "ORC-04"), "nothing waits any more"


def test_orc_04_breaks():
    assert broken(asks(ends=False).completed(""), "ORC-04") == {"completed early"}
    assert broken(asks().answered(0).completed("A").raised(), "ORC-04") == {"completed early"}
    assert broken(asks().idle().answered(0).completed("A"), "ORC-04") == {"idle without requests"}
    assert broken(asks().idle(1).answered(0).called("go").replied("A"), "ORC-04") == {"no completion"}
    assert broken(asks().idle(1).answered(0).completed("A").completed("A"), "ORC-04") == {"several completions"}


def test_orc_04_tells_an_early_completion_from_the_last_one():
    assert broken(asks().completed("").answered(0).called("go").replied("A").completed("A"), "ORC-04") == {"completed early"}


def test_orc_04_leaves_alone():
    scenario = flow("custom", stages=(("x",),), executors={"x": ExecutorSpec(asks=True)}, runs=(run(), Respond()))
    written = Written(scenario).run().pending(executor="x", id="1").answered(0).idle()
    assert taken_away(written, "ORC-04") == {"left to author"}
    assert holds(written, "ORC-04")


def test_orc_04_is_asked_of_what_fails_too():
    assert holds(asks().answered(0).called("go").failed().raised(), "ORC-04")
    assert holds(asks().answered(0).called("go").failed().completed("A"), "ORC-04")


# --- ORC-05 ---


def test_orc_05_holds_where_the_error_arrives():
    assert holds(faulty().raised(), "ORC-05")
    assert holds(faulty(as_agent=True).raised(), "ORC-05")


def test_orc_05_breaks():
    assert broken(faulty(), "ORC-05") == {"not raised"}
    assert broken(faulty().completed("A"), "ORC-05") == {"not raised"}
    assert broken(faulty().completed("A").raised(), "ORC-05") == {"both"}


def half_way(pattern: str, *, stream: bool = True, **workflow) -> Written:
    """The first participant has answered, and the service of the second one fails."""
    scenario = flow(pattern, runs=(run(stream=stream, manager=ManagerSpec(picks=("a", "b"))),), **workflow)
    return Written(scenario).run().spoke("a", "A", "go").called("go", "=A", agent="b").failed(agent="b")


@pytest.mark.parametrize(("pattern", "workflow"), [("sequential", ON), ("group_chat", ON), ("magentic", ON), ("handoff", {})])
def test_orc_05_keeps_what_was_said_until_then(pattern, workflow):
    assert broken(half_way(pattern, **workflow).raised(), "ORC-05") == {"withdrawn"}
    assert holds(half_way(pattern, **workflow).chunk("A", "a").raised(), "ORC-05")
    assert holds(half_way(pattern, **workflow).output("A", executor="a").raised(), "ORC-05")


def test_orc_05_keeps_nothing_that_was_not_to_be_seen_yet():
    assert holds(half_way("sequential", stream=False, **ON).raised(), "ORC-05")
    assert holds(half_way("sequential").raised(), "ORC-05")
    side_by_side = half_way("concurrent", **ON).raised()
    assert side_by_side.findings("ORC-05") == []  # undeclared, it might have answered without who failed
    side_by_side.policies = Policies(failing_participant="fails")
    assert holds(side_by_side, "ORC-05")
    children = {"child": WorkflowSpec(pattern="sequential", participants=("b",))}
    scenario = flow("sequential", "a", "child", runs=STREAMED, others=children, **ON)
    assert holds(Written(scenario).run().spoke("a", "A", "go").called("=A", agent="b").failed(agent="b").raised(), "ORC-05")


def test_orc_05_keeps_nothing_of_runs_that_waited():
    written = Written(flow(runs=(run(stream=True), Respond()), **ON)).run().called("go").replied(calls("1", text="A", pay={}))
    assert holds(written.pending(tool="pay", id="1").answered(0).called("go", agent="b").failed(agent="b").raised(), "ORC-05")


def test_orc_05_speaks_of_what_fails_by_its_script():
    raises = ExecutorSpec(emits=("draft",), raises="no")
    assert broken(custom(("x",), x=raises).output("draft"), "ORC-05") == {"not raised"}
    beside = custom(("x", "y"), x=raises, y=ExecutorSpec(completes="done"))
    assert holds(beside.completed("done", executor="y").raised(), "ORC-05")


def test_orc_05_lets_a_chat_go_on_where_its_manager_errs():
    lost = Written(flow("group_chat", runs=(run(manager=ManagerSpec(picks=("a",), errs=True)),))).run().spoke("a", "A", "go")
    assert holds(lost.completed("the manager's answer"), "ORC-05")
    assert broken(lost.raised(), "ORC-05") == {"both"}


def test_orc_05_asks_for_an_answer_where_a_chat_goes_on():
    lost = flow("group_chat", runs=(run(manager=ManagerSpec(picks=("a",), errs=True)),))
    assert broken(Written(lost).run().spoke("a", "A", "go"), "ORC-05") == {"not raised"}
    assert broken(Written(lost).run().called("go").failed().completed("the manager's answer"), "ORC-05") == {"not raised"}
    told_in_pieces = Written(lost).run().spoke("a", "A", "go").chunk("the manager's answer", completed=True)
    assert holds(told_in_pieces, "ORC-05")
    elsewhere = flow(
        "custom", stages=(("x",),), executors={"x": ExecutorSpec(raises="no")}, runs=(run(manager=ManagerSpec(errs=True)),)
    )
    assert broken(Written(elsewhere).run().completed("done"), "ORC-05") == {"not raised"}


def test_orc_05_speaks_of_no_failure_that_was_made_good():
    again = Written(flow()).run().called("go").failed().called("go").failed().spoke("a", "A", "go").spoke("b", "B", "go", "=A")
    assert not again.completed("B").findings("ORC-05")
    other = Written(flow()).run().called("go").failed().spoke("a", "A", "go", "please").completed("B")
    assert broken(other, "ORC-05") == {"not raised"}


def test_orc_05_leaves_alone():
    raises = {"x": ExecutorSpec(emits=("draft",)), "y": ExecutorSpec(raises="no"), "z": ExecutorSpec(asks=True)}
    assert left_alone(custom(("z",), ("y",), **raises).pending(executor="z", id="1"), "ORC-05") == {"waiting"}
    left = custom(("x",), ("y",), runs=STREAMED, **raises).output("draft").event(Abandoned, chunks=1)
    assert left_alone(left, "ORC-05") == {"cut off"}


# --- ORC-06 ---


def second(first: Written | None = None) -> Written:
    """A run has come to its answer, or to whatever is given, and the next one begins."""
    return (first or spoken(two_runs()).completed("B")).run().spoke("a", "C", "on").spoke("b", "D", "on", "=C")


def two_runs(*, runs: tuple = (), **workflow) -> Written:
    return Written(flow(runs=runs or (run(), run("on")), **workflow))


def test_orc_06_holds_where_the_second_run_answers_for_itself():
    assert holds(second().completed("D"), "ORC-06")
    assert holds(second(two_runs().run().called("go").failed().raised()).completed("D"), "ORC-06")
    assert holds(second(two_runs().run().called("go").pending(tool="pay")).completed("D"), "ORC-06")
    assert holds(second().pending(tool="pay"), "ORC-06")


def test_orc_06_holds_where_nothing_completes_at_all():
    assert holds(second(spoken(two_runs())), "ORC-06")


def test_orc_06_holds_as_an_agent():
    agents = two_runs(runs=(run(as_agent=True), run("on", as_agent=True)))
    assert holds(second(spoken(agents).returned("B")).returned("D"), "ORC-06")


def test_orc_06_holds_where_the_first_run_came_back_as_an_agent_with_nothing():
    mixed = Written(flow("custom", stages=(("x",),), executors={"x": ExecutorSpec()}, runs=(run(as_agent=True), run())))
    assert holds(mixed.run().returned().run(), "ORC-06")


def test_orc_06_breaks():
    assert broken(second().raised(), "ORC-06") == {"raised"}
    assert broken(second(), "ORC-06") == {"no completion"}
    assert broken(second().completed("B"), "ORC-06") == {"leaked"}


def test_orc_06_says_nothing_of_the_first_run():
    assert not spoken(two_runs()).raised().findings("ORC-06")


def test_orc_06_leaves_alone():
    left = second(two_runs().run().called("go").event(Abandoned, chunks=1))
    assert left_alone(left, "ORC-06") == {"after one cut off"}
    done = spoken(two_runs()).completed("B")
    assert left_alone(done.run().called("on").failed().raised(), "ORC-06") == {"faulty"}
    assert left_alone(second().event(Abandoned, chunks=1), "ORC-06") == {"cut off"}
    drafts = Written(flow("custom", stages=(("x",),), executors=DRAFTS, runs=(run(), run()))).run().output("draft")
    assert holds(drafts.run().output("draft"), "ORC-06")


# --- ORC-07 ---

BOTH = {"first": ExecutorSpec(completes="one"), "second": ExecutorSpec(completes="two")}


def several() -> Written:
    return custom(("first", "second"), **BOTH).completed("one", executor="first")


def test_orc_07_holds_where_the_executors_are_named():
    assert holds(several().completed("two", executor="second").warned("first and second both complete"), "ORC-07")
    assert holds(several().warned("first completes").warned("second completes too"), "ORC-07")


def test_orc_07_holds_where_an_error_names_those_that_completed_by_then():
    written = custom(("first", "second", "third"), third=ExecutorSpec(completes="three"), **BOTH)
    assert holds(written.raised(text="second completes after first"), "ORC-07")


def test_orc_07_breaks():
    assert broken(several().completed("two"), "ORC-07") == {"no warning"}
    assert broken(several().warned("several executors complete"), "ORC-07") == {"not named"}
    assert broken(several().raised(text="first completes again"), "ORC-07") == {"not named"}


def test_orc_07_takes_no_piece_of_a_word_for_a_name():
    short = {"on": ExecutorSpec(completes="one"), "at": ExecutorSpec(completes="two")}
    written = custom(("on", "at"), **short).completed("one", executor="on")
    assert broken(written.warned("one workflow was completed several times, at-sign"), "ORC-07") == {"not named"}
    assert holds(written.warned("several executors complete: 'on', 'at'"), "ORC-07")


def test_orc_07_speaks_of_one_that_completes_twice():
    assert broken(custom(("x",), x=ExecutorSpec(completes="one", again="two")), "ORC-07") == {"no warning"}
    assert not custom(("x",), x=ExecutorSpec(completes="one")).findings("ORC-07")


def test_orc_07_leaves_alone():
    asked = custom(("ask",), ("first", "second"), ask=ExecutorSpec(asks=True), **BOTH)
    assert left_alone(asked.pending(executor="ask", id="1"), "ORC-07") == {"waiting"}
    left = custom(("x",), ("first", "second"), runs=STREAMED, **DRAFTS, **BOTH).output("draft").event(Abandoned, chunks=1)
    assert left_alone(left, "ORC-07") == {"cut off"}
    failing = custom(("x", "first", "second"), x=ExecutorSpec(raises="no"), **BOTH)
    assert left_alone(failing.raised(), "ORC-07") == {"faulty"}


# --- ORC-08 ---


def test_orc_08():
    assert holds(left_to_author().output("draft").warned("nobody completes"), "ORC-08")
    assert holds(left_to_author().output("draft").completed("draft"), "ORC-08")
    assert broken(left_to_author().output("draft"), "ORC-08") == {"not reported"}
    assert broken(custom(("x",), x=ExecutorSpec(raises="no")), "ORC-08") == {"not reported"}


def test_orc_08_says_nothing_of_other_workflows():
    assert not in_turn(flow()).findings("ORC-08")
    assert not custom(("x",), x=ExecutorSpec(completes="done")).findings("ORC-08")
    assert not left_to_author().raised().findings("ORC-08")


# --- ORC-09 ---


def streamed(pattern: str = "sequential") -> Written:
    return in_turn(flow(pattern, runs=STREAMED))


def test_orc_09_holds_where_the_answer_is_whole():
    assert holds(streamed().completed("B"), "ORC-09")
    assert holds(streamed().chunk("B", "b").completed("B"), "ORC-09")
    assert holds(streamed("concurrent").chunk("A", "a").chunk("B", "b").completed("B", "A"), "ORC-09")


def test_orc_09_breaks():
    assert broken(streamed().chunk("B", "b"), "ORC-09") == {"no completion"}
    assert broken(streamed().completed(""), "ORC-09") == {"not whole"}
    assert broken(streamed().completed("B").completed(""), "ORC-09") == {"not whole"}
    assert broken(streamed().chunk("B", "b", completed=True).completed("B"), "ORC-09") == {"signal on a chunk"}
    assert broken(streamed().chunk("BB", "b").completed("B"), "ORC-09") == {"other chunks"}


def test_orc_09_says_nothing_of_runs_that_fail_or_do_not_stream():
    assert not in_turn(flow()).findings("ORC-09")
    assert not streamed().raised().findings("ORC-09")


def test_orc_09_leaves_alone():
    assert left_alone(waited(stream=True).completed(""), "ORC-09") == {"waited"}
    assert left_alone(faulty(stream=True).completed(""), "ORC-09") == {"faulty"}
    assert holds(streamed("handoff").completed(), "ORC-09")
    assert left_alone(left_to_author(stream=True), "ORC-09") == {"left to author"}
    assert left_alone(limited(stream=True).completed("a limit is reached"), "ORC-09") == {"limited"}


# --- ORC-10 ---


def again(*, shown: tuple[str, ...] = ("A",), answer: tuple[str, ...] = ("B",)) -> Written:
    """A run has shown and answered this; the same begins as a stream."""
    first = in_turn(flow(runs=(run(), run(stream=True)), **ON))
    for text in shown:
        first.output(text, executor="a")
    return spoken(first.completed(*answer, executor="b"))


def test_orc_10_holds_where_streaming_changes_nothing():
    assert holds(again().output("A", executor="a").completed("B", executor="b"), "ORC-10")
    assert holds(again(shown=("AA", "C")).chunk("A", "a").chunk("C", "c").chunk("A", "a").completed("B", executor="b"), "ORC-10")


@pytest.mark.parametrize(
    ("completions", "aspect"),
    [
        ([], "no completion"),
        ([("B",), ("B",)], "several completions"),
        ([()], "missing"),
        ([("B", "B")], "repeated"),
        ([("B", "X")], "foreign"),
        ([(by("a", "B"),)], "another author"),
    ],
)
def test_orc_10_breaks_where_the_payload_is_another(completions, aspect):
    written = again().output("A", executor="a")
    for said in completions:
        written.completed(*said, executor="b")
    assert broken(written, "ORC-10") == {aspect}


def test_orc_10_breaks_where_the_order_is_another():
    assert broken(again(answer=("B", "C")).output("A").completed("C", "B", executor="b"), "ORC-10") == {"order"}


@pytest.mark.parametrize(
    ("pieces", "aspect"), [("", "missing intermediate"), ("AA", "repeated intermediate"), ("AX", "foreign intermediate")]
)
def test_orc_10_breaks_where_intermediates_are_others(pieces, aspect):
    written = again()
    for piece in pieces:
        written.chunk(piece, "a")
    assert broken(written.completed("B", executor="b"), "ORC-10") == {aspect}


def test_orc_10_holds_where_chunks_of_the_answer_are_all_that_is_streamed_of_it():
    runs = (run(), run(stream=True))
    handoff = spoken(in_turn(flow("handoff", runs=runs)).output("A", executor="a").completed("B", executor="b"))
    assert holds(handoff.chunk("A", "a").chunk("B", "b").completed("B", executor="b"), "ORC-10")
    assert holds(again().chunk("A", "a").chunk("B", "b").completed("B", executor="b"), "ORC-10")
    assert broken(again().chunk("A", "a").chunk("B", "b").chunk("B", "b").completed("B", executor="b"), "ORC-10") == {
        "foreign intermediate"
    }


def half_streamed(first: bool, second: bool) -> Written:
    """The first of two runs is asked whole and the second streams; both wait once, and are answered streaming or not."""
    steps = (run(), Respond(stream=first), run(stream=True), Respond(stream=second))
    return Written(flow(runs=steps, **ON)).run().spoke("a", "A", "go").output("A", executor="a").pending(tool="pay", id="r")


def asked_again(written: Written) -> Written:
    """The second run shows a's work in chunks and as a whole, and waits."""
    streamed = written.run(step=2).spoke("a", "A", "go").chunk("A", "a").output("A", executor="a")
    return streamed.pending(tool="pay", id="s")


def test_orc_10_joins_chunks_beside_whole_outputs():
    shown_so = half_streamed(True, True).answered(0).spoke("b", "B", "go").chunk("B", "b").completed("B", executor="b")
    assert holds(asked_again(shown_so).answered(1).spoke("b", "B", "go").chunk("B", "b").completed("B", executor="b"), "ORC-10")
    unsigned = half_streamed(True, True).answered(0).spoke("b", "B", "go").chunk("B", "b")
    assert holds(asked_again(unsigned).answered(1).spoke("b", "B", "go").chunk("B", "b"), "ORC-10")
    more = half_streamed(True, True).answered(0).spoke("b", "B", "go").completed("B", executor="b")
    more = asked_again(more).answered(1).spoke("b", "B", "go").chunk("X", "b").completed("B", executor="b")
    assert broken(more, "ORC-10") == {"foreign intermediate"}


def test_orc_10_takes_chunks_of_the_answer_for_no_intermediates_whichever_run_streams_them():
    streamed = half_streamed(True, False).answered(0).spoke("b", "B", "go").chunk("B", "b").completed("B", executor="b")
    assert holds(asked_again(streamed).answered(1).spoke("b", "B", "go").completed("B", executor="b"), "ORC-10")


def test_orc_10_counts_no_chunk_that_a_whole_output_says_again():
    author = again().chunk("A", "a").output(by("a", "A"), executor="w").chunk("B", "b").completed("B", executor="b")
    assert holds(author, "ORC-10")
    nobody = again().chunk("A").output("A", executor="a").completed("B", executor="b")
    assert holds(nobody, "ORC-10")


def test_orc_10_misses_what_chunks_show_of_one_alone():
    both = again(shown=("A", "C")).chunk("A", "a").output("A", executor="a").completed("B", executor="b")
    assert broken(both, "ORC-10") == {"missing intermediate"}


def test_orc_10_takes_nothing_hidden_for_the_answer():
    equal = in_turn(flow(runs=(run(), run(stream=True)))).completed("B", executor="b")
    assert broken(spoken(equal).chunk("B", "a").chunk("B", "b").completed("B", executor="b"), "ORC-10") == {"foreign intermediate"}


def test_orc_10_quotes_what_was_said():
    (found,) = [each for each in again().completed("B", executor="b").findings("ORC-10") if not each.holds]
    assert (found.expected, found.got) == ("the same intermediate outputs: 'A'", "nothing")


def test_orc_10_leaves_alone_what_the_service_makes_up():
    written = in_turn(flow(runs=(run(replies={}), run(stream=True, replies={})))).completed("B")
    assert left_alone(spoken(written).completed("X"), "ORC-10") == {"either beyond its script"}
