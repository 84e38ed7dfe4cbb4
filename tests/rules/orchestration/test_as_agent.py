"""ORC-23 to ORC-28 on traces written by hand."""

from __future__ import annotations

import pytest
from flows import DRAFTS, PAYS, by, faulty, flow, in_turn, left_to_author, limited, run, spoken, waited
from written import Written, broken, calls, holds, left_alone, results, taken_away

from conformance.scenario.scenario import Respond
from conformance.scenario.specs import AgentSpec, ExecutorSpec, ManagerSpec, ReplySpec, ToolSpec, WorkflowSpec
from conformance.trace.harness_events import Abandoned
from conformance.trace.messages import Call, Message

ON = {"intermediate_outputs": True}
CHILD = {"child": WorkflowSpec(pattern="sequential", participants=("b",))}
WEATHER = {"a": AgentSpec(tools={"weather": ToolSpec(returns="sunny")})}
UNCERTAIN = {"waited": waited, "faulty": faulty, "limited": limited, "left to author": left_to_author}


def wrapped(pattern: str = "sequential", *participants: str, stream: bool = False, **workflow) -> Written:
    """A run as an agent in which a and b have answered."""
    return in_turn(flow(pattern, *participants, runs=(run(as_agent=True, stream=stream),), **workflow))


def custom(stream: bool = False, **workflow) -> Written:
    """A run as an agent of an executor that emits and completes, after a participant."""
    executors = {"x": ExecutorSpec(emits=("draft",), completes="done")}
    runs = (run(as_agent=True, stream=stream),)
    scenario = flow("custom", "a", runs=runs, stages=(("a",), ("x",)), executors=executors, **workflow)
    return Written(scenario).run().spoke("a", "A", "go")


# --- ORC-23 ---


def test_orc_23_holds_where_the_answer_is_the_response():
    assert holds(wrapped().returned("B", author="w"), "ORC-23")
    assert holds(wrapped("concurrent").returned(by("a", "A"), by("b", "B"), author="w"), "ORC-23")
    assert holds(wrapped("concurrent", aggregates="both").returned(by("w", "both"), author="w"), "ORC-23")


@pytest.mark.parametrize(
    ("answer", "aspect"),
    [(("A",), "missing"), (("A", "B", "B"), "repeated"), (("A", "X", "B"), "foreign"), (("B", "A"), "order")],
)
def test_orc_23_breaks(answer, aspect):
    assert broken(wrapped("concurrent").returned(*answer, author="w"), "ORC-23") == {aspect}


def test_orc_23_breaks_where_the_answer_is_signed_by_somebody_else():
    assert broken(wrapped().returned("B"), "ORC-23") == {"response author"}
    assert broken(wrapped().returned(by("a", "B"), author="w"), "ORC-23") == {"message author"}
    assert broken(wrapped().returned(by("w", "B"), author="w"), "ORC-23") == {"message author"}


def test_orc_23_leaves_alone_what_has_no_answer():
    assert left_alone(wrapped("handoff").returned("A"), "ORC-23") == {"handoff"}


@pytest.mark.parametrize("name", UNCERTAIN)
def test_orc_23_leaves_alone(name):
    assert left_alone(UNCERTAIN[name](as_agent=True).returned("X"), "ORC-23") == {name}


# --- ORC-24 ---


def test_orc_24_holds_where_intermediates_come_first():
    assert holds(wrapped(**ON).returned("A", "B"), "ORC-24")
    assert holds(wrapped("concurrent", **ON).returned("A", "B"), "ORC-24")
    assert holds(wrapped("concurrent", aggregates="both", **ON).returned("B", "A", "both"), "ORC-24")
    assert holds(custom(**ON).returned("A", "draft", "done"), "ORC-24")


@pytest.mark.parametrize(
    ("answer", "aspect"),
    [(("B",), "missing"), (("A", "B", "B"), "repeated"), (("A", "X", "B"), "foreign"), (("B", "A"), "order")],
)
def test_orc_24_breaks(answer, aspect):
    assert broken(wrapped(**ON).returned(*answer), "ORC-24") == {aspect}


def completed_beside(*answer: str) -> Written:
    """An executor completes beside a participant, after another one; what the run as an agent returned."""
    executors = {"x": ExecutorSpec(emits=("draft",), completes="done")}
    stages = (("a",), ("x", "b"))
    scenario = flow("custom", "a", "b", runs=(run(as_agent=True),), stages=stages, executors=executors, **ON)
    return in_turn(scenario).returned(*answer)


@pytest.mark.parametrize("answer", [("A", "draft", "done", "B"), ("A", "draft", "B", "done"), ("A", "B", "draft", "done")])
def test_orc_24_lets_an_author_show_something_beside_the_completion(answer):
    assert holds(completed_beside(*answer), "ORC-24")


@pytest.mark.parametrize(
    ("answer", "aspect"),
    [
        (("A", "done", "draft", "B"), "order"),
        (("draft", "done", "A", "B"), "order"),
        (("A", "draft", "done"), "missing"),
        (("A", "draft", "done", "B", "B"), "repeated"),
    ],
)
def test_orc_24_breaks_where_an_author_shows_something_beside_the_completion(answer, aspect):
    assert broken(completed_beside(*answer), "ORC-24") == {aspect}


def test_orc_24_keeps_the_answer_last_where_nobody_speaks_beside_it():
    assert broken(custom(**ON).returned("A", "done", "draft"), "ORC-24") == {"order"}


def test_orc_24_is_asked_of_handoffs_too():
    assert broken(wrapped("handoff", **ON).returned("B"), "ORC-24") == {"missing"}


def test_orc_24_leaves_alone_what_children_show():
    assert left_alone(wrapped("sequential", "a", "child", others=CHILD, **ON).returned("B"), "ORC-24") == {"nests"}


@pytest.mark.parametrize("name", UNCERTAIN)
def test_orc_24_leaves_alone(name):
    assert left_alone(UNCERTAIN[name](shows=True, as_agent=True).returned("X"), "ORC-24") == {name}


# --- ORC-25 ---


def updates(written: Written, *texts: str) -> Written:
    """The response arrives in these pieces."""
    for text in texts:
        written.chunk(text)
    return written.returned("".join(texts))


def test_orc_25_holds_where_updates_join_to_the_response():
    assert holds(updates(wrapped(stream=True), "B"), "ORC-25")
    assert holds(updates(wrapped(stream=True, **ON), "A", "B"), "ORC-25")
    assert holds(updates(wrapped("handoff", stream=True), "A", "B"), "ORC-25")
    assert holds(updates(wrapped("concurrent", stream=True), "B", "A"), "ORC-25")


@pytest.mark.parametrize(
    ("texts", "aspect"), [(("A",), "missing"), (("A", "B", "B"), "repeated"), (("A", "X", "B"), "foreign"), (("B", "A"), "order")]
)
def test_orc_25_breaks(texts, aspect):
    assert broken(updates(wrapped(stream=True, **ON), *texts), "ORC-25") == {aspect}


def test_orc_25_keeps_the_order_of_each_of_several_side_by_side():
    assert broken(updates(concurrent_says("one", "two"), "two", "eno"), "ORC-25") == {"order"}
    assert holds(updates(concurrent_says("one", "two"), "t", "o", "wo", "ne"), "ORC-25")
    assert broken(updates(concurrent_says("one", "two", aggregates="both"), "both", "one", "two"), "ORC-25") == {"order"}
    assert holds(updates(concurrent_says("one", "two", aggregates="both"), "two", "one", "both"), "ORC-25")


def concurrent_says(first: str, second: str, **workflow) -> Written:
    """Two that speak side by side in a stream; both are shown."""
    scenario = flow("concurrent", runs=(run(as_agent=True, stream=True),), intermediate_outputs=True, **workflow)
    return Written(scenario).run().spoke("a", first, "go").spoke("b", second, "go")


def test_orc_25_holds_for_what_a_child_says_side_by_side():
    children = {"child": WorkflowSpec(pattern="concurrent", participants=("b", "c"))}
    scenario = flow("concurrent", "a", "child", others=children, runs=(run(as_agent=True, stream=True),))
    written = Written(scenario).run().spoke("a", "one", "go").spoke("b", "two", "go").spoke("c", "three", "go")
    assert holds(updates(written, "th", "two", "ree", "one"), "ORC-25")


def test_orc_25_holds_wherever_an_executor_completes_beside_others():
    beside = ExecutorSpec(completes="done")
    runs = (run(as_agent=True, stream=True),)
    scenario = flow("custom", "a", runs=runs, stages=(("a", "x"),), executors={"x": beside}, **ON)
    assert holds(updates(Written(scenario).run().spoke("a", "A", "go"), "done", "A"), "ORC-25")
    assert holds(updates(Written(scenario).run().spoke("a", "A", "go"), "A", "done"), "ORC-25")


def in_both_ways(**options) -> Written:
    """A run that does not stream is over; the same as a stream has told its only update."""
    runs = (run(as_agent=True, **options), run(as_agent=True, stream=True, **options))
    written = Written(flow("sequential", "a", runs=runs, agents=WEATHER)).run()
    return written.spoke("a", "A", "go").returned("A", author="w").run().spoke("a", "A", "go").chunk("A")


def test_orc_25_compares_both_ways_of_running():
    assert holds(in_both_ways().returned("A"), "ORC-25")
    assert broken(in_both_ways().returned(), "ORC-25") == {"missing"}


def test_orc_25_takes_calls_of_two_runs_for_the_same():
    scripted = {"a": (ReplySpec(), ReplySpec())}
    runs = tuple(run(as_agent=True, stream=stream, replies=scripted) for stream in (False, True))
    written = Written(flow("sequential", "a", runs=runs, agents=WEATHER))
    for id in ("1", "2"):
        call = calls(id, weather={})
        written.run().spoke("a", call, "go").tool(id).spoke("a", "A", "go", call, results(**{id: "sunny"}))
        if id == "2":
            written.chunk("A")
        written.returned(call, results(**{id: "sunny"}), "A", author="w")
    assert holds(written, "ORC-25")


def test_orc_25_leaves_alone_what_children_show():
    written = wrapped("sequential", "a", "child", stream=True, others=CHILD, **ON)
    assert left_alone(updates(written, "B"), "ORC-25") == {"nests and shows intermediates"}


@pytest.mark.parametrize("name", UNCERTAIN)
def test_orc_25_leaves_alone(name):
    assert left_alone(UNCERTAIN[name](as_agent=True, stream=True).chunk("X"), "ORC-25") == {name}


def test_orc_25_leaves_alone_what_the_service_makes_up():
    written = in_both_ways(replies={}).returned("B")
    assert taken_away(written, "ORC-25") == {"either beyond its script"}


# --- ORC-26 ---


def test_orc_26_holds_where_the_response_is_what_was_said():
    assert holds(wrapped("handoff").returned("A", "B"), "ORC-26")
    tried_again = Written(flow("handoff", runs=(run(as_agent=True),))).run().called("go").failed().spoke("a", "A", "go")
    assert holds(tried_again.returned("A"), "ORC-26")


@pytest.mark.parametrize(
    ("answer", "aspect"),
    [
        (("A",), "missing"),
        (("A", "B", "B"), "repeated"),
        (("A", "X", "B"), "foreign"),
        (("B", "A"), "order"),
        (("A", "B", ""), "empty message"),
    ],
)
def test_orc_26_breaks(answer, aspect):
    assert broken(wrapped("handoff").returned(*answer), "ORC-26") == {aspect}


def test_orc_26_leaves_alone():
    scenario = flow("handoff", runs=(run(as_agent=True),))
    assert left_alone(Written(scenario).run().pending(tool="pay").returned(), "ORC-26") == {"waited"}


# --- ORC-27 ---


def asking(approve: bool = True, **options) -> Written:
    """A participant of a workflow as an agent makes a call that needs approval."""
    workflow = {"pattern": "sequential", **options}
    scenario = flow(
        workflow.pop("pattern"),
        "a",
        runs=(run(as_agent=True, **workflow.pop("run", {})), Respond(approve=approve)),
        agents={"a": AgentSpec(tools=PAYS)},
        **workflow,
    )
    return Written(scenario).run().spoke("a", calls("1", pay={}), "go")


def asked(approve: bool = True, **options) -> Written:
    """The request has been answered."""
    return asking(approve, **options).pending(tool="pay", id="r").returned().answered(0)


def questioning() -> Written:
    """An executor of a workflow as an agent asks."""
    executors = {"x": ExecutorSpec(asks=True, completes="done")}
    return Written(flow("custom", runs=(run(as_agent=True),), stages=(("x",),), executors=executors)).run()


def test_orc_27_holds_where_a_request_is_answered():
    assert holds(asked().tool("1", "pay").spoke("a", "A", "go").returned("A"), "ORC-27")
    assert holds(asked(approve=False).spoke("a", "A", "go").returned("A"), "ORC-27")
    assert not questioning().pending(executor="x", id="r").findings("ORC-27")


def test_orc_27_breaks():
    assert broken(asking().spoke("a", "A", "go").returned("A"), "ORC-27") == {"not asked"}
    assert broken(questioning().returned("done"), "ORC-27") == {"not asked"}
    assert broken(asked().raised(), "ORC-27") == {"raised"}
    assert broken(asked().spoke("a", "A", "go").returned("A"), "ORC-27") == {"not executed"}
    assert broken(asked(approve=False).tool("1", "pay").spoke("a", "A").returned("A"), "ORC-27") == {"executed without approval"}
    assert broken(asked().tool("1", "pay").spoke("a", "A", "go").returned(), "ORC-27") == {"no answer"}


def both_ask(*, signed: bool = True) -> Written:
    """Two agents ask to pay; the first one may, the second one may not."""
    agents = {name: AgentSpec(tools=PAYS) for name in "ab"}
    scenario = flow("concurrent", runs=(run(as_agent=True), Respond(), Respond(approve=False)), agents=agents)
    written = Written(scenario).run().spoke("a", calls("1", pay={}), "go").spoke("b", calls("2", pay={}), "go")
    for name in "ab":
        written.pending(tool="pay", id=name, executor=name if signed else "somebody")
    return written.returned().answered(0).returned().answered(0)


def test_orc_27_tells_which_call_was_approved():
    assert holds(both_ask().tool("1", "pay", agent="a").spoke("a", "A").spoke("b", "B").returned("A", "B"), "ORC-27")
    wrong = both_ask().tool("2", "pay", agent="b").spoke("a", "A").spoke("b", "B").returned("A", "B")
    assert broken(wrong, "ORC-27") == {"executed without approval"}


def test_orc_27_tells_which_call_of_one_tool_was_approved_where_requests_say_it():
    agents = {"a": AgentSpec(tools=PAYS)}
    scenario = flow("sequential", "a", runs=(run(as_agent=True), Respond(), Respond(approve=False)), agents=agents)
    both = Message(role="assistant", calls=(Call(id="1", tool="pay"), Call(id="2", tool="pay")))

    def ran(id, *, says=True):
        written = Written(scenario).run().spoke("a", both, "go")
        for each in "12":
            written.pending(tool="pay", call=each if says else None, id=f"r{each}", executor="a")
        return written.returned().answered(0).returned().answered(0).tool(id, "pay").spoke("a", "A", "go").returned("A")

    assert holds(ran("1"), "ORC-27")
    assert broken(ran("2"), "ORC-27") == {"executed without approval"}
    assert holds(ran("2", says=False), "ORC-27")


def test_orc_27_counts_calls_where_requests_do_not_say_whose_they_are():
    unsigned = both_ask(signed=False).tool("2", "pay", agent="b").spoke("a", "A").spoke("b", "B").returned("A", "B")
    assert holds(unsigned, "ORC-27")


def test_orc_27_asks_for_approved_calls_whoever_decides_the_answer():
    unended = {"pattern": "custom", "stages": (("a",), ("x",)), "executors": DRAFTS}
    assert "not executed" in broken(asked(**unended).returned("X"), "ORC-27")


def test_orc_27_leaves_alone():
    assert left_alone(asking().called("go").failed(), "ORC-27") == {"faulty"}
    assert left_alone(questioning().called("go").failed(), "ORC-27") == {"faulty"}
    assert left_alone(asked().called("go").failed().raised(), "ORC-27") == {"faulty"}
    assert taken_away(asked().called("go").failed(), "ORC-27") == {"faulty"}
    assert left_alone(asking().event(Abandoned, chunks=1), "ORC-27") == {"cut off"}


def test_orc_27_leaves_alone_what_is_answered_where_a_limit_or_an_author_decides():
    unended = {"pattern": "custom", "stages": (("a",), ("x",)), "executors": DRAFTS}
    assert taken_away(asked(**unended).tool("1", "pay").returned("X"), "ORC-27") == {"left to author"}
    cut = {"pattern": "group_chat", "max_rounds": 1, "run": {"manager": ManagerSpec(picks=("a", "a"))}}
    assert taken_away(asked(**cut).tool("1", "pay").returned("X"), "ORC-27") == {"limited"}


# --- ORC-28 ---


def later(*answered: str, pattern: str = "sequential", **options) -> Written:
    """A run on a thread is over, with this response, and another one begins on it."""
    runs = tuple(run(text, as_agent=True, thread="t", **options.pop(text, {})) for text in ("one", "two"))
    return spoken(Written(flow(pattern, runs=(*runs, Respond()), **options)), "one").returned(*(answered or ("B",))).run()


def test_orc_28_holds_where_a_later_run_hears_the_earlier_one():
    assert holds(later().spoke("a", "C", "one", "=B", "two").spoke("b", "D", "=C").returned("D"), "ORC-28")
    assert holds(later("A", "B", **ON).spoke("a", "C", "one", "=A", "=B", "two").returned("C"), "ORC-28")


def test_orc_28_lets_somebody_remember_its_own_words_although_another_one_said_the_same():
    runs = [run(text, as_agent=True, thread="t") for text in ("one", "two")]
    first = Written(flow("sequential", "a", "b", "c", runs=runs)).run().spoke("a", "X", "one").spoke("b", "X", "one", "=X")
    again = first.spoke("c", "C", "one", "=X", "=X").returned("C").run()
    asked = again.spoke("a", "D", "one", "=X", "=C", "two").spoke("b", "E", "=D").spoke("c", "F", "=E")
    assert holds(asked.returned("F"), "ORC-28")


def test_orc_28_breaks():
    kept = ("one", "=B", "two")
    assert broken(later().spoke("a", "C", "two").spoke("b", "D", "=C").returned("D"), "ORC-28") == {"missing"}
    assert broken(later().spoke("b", "C", "=A", *kept).returned("C"), "ORC-28") == {"work as answer"}
    assert broken(later().spoke("a", "C", *kept).spoke("b", "D", "=C").returned("C", "D"), "ORC-28") == {"work as answer"}
    again = later().spoke("a", "C", *kept).spoke("b", "D", "=C").returned("B", "D")
    assert broken(again, "ORC-28") == {"earlier turn as answer"}


def test_orc_28_leaves_alone_what_the_response_is_where_others_decide():
    handoff = later("A", "B", pattern="handoff").spoke("a", "C", "one", "=A", "=B", "two").returned("A", "C")
    assert taken_away(handoff, "ORC-28") == {"handoff"}
    resumed = later().called("one", "=B", "two").pending(tool="pay", id="r").answered(1)
    assert taken_away(resumed.returned("A"), "ORC-28") == {"waited"}


def test_orc_28_is_asked_at_a_limit_and_after_a_failure_too():
    assert broken(later().called("one", "=B", "two").failed().returned("B"), "ORC-28") == {"earlier turn as answer"}
    picks = {"manager": ManagerSpec(picks=("a", "b"))}
    cut = later(pattern="group_chat", max_rounds=1, one=picks, two=picks)
    assert broken(cut.spoke("a", "C", "one", "two").returned("C"), "ORC-28") == {"work as answer"}


def test_orc_28_speaks_of_responses_that_an_author_decides():
    assert broken(drafts_on_a_thread().returned("draft"), "ORC-28") == {"work as answer"}
    assert holds(drafts_on_a_thread().returned(), "ORC-28")


def drafts_on_a_thread() -> Written:
    """A workflow that nobody completes has run on a thread; it runs there again."""
    runs = tuple(run(text, as_agent=True, thread="t") for text in ("one", "two"))
    scenario = flow("custom", runs=runs, stages=(("x",),), executors=DRAFTS)
    return Written(scenario).run().returned().run()


def test_orc_28_says_nothing_of_another_thread():
    runs = tuple(run(text, as_agent=True, thread=text) for text in ("one", "two"))
    assert not spoken(spoken(Written(flow(runs=runs)), "one").returned("B"), "two").returned("B").findings("ORC-28")
