"""ORC-11 to ORC-19 on traces written by hand."""

from __future__ import annotations

import pytest
from flows import by, flow, in_turn, left_to_author, run
from written import Written, broken, calls, holds, left_alone, message, results, taken_away

from conformance.scenario.specs import AgentSpec, ExecutorSpec, ManagerSpec, ReplySpec, ToolSpec, WorkflowSpec
from conformance.trace.harness_events import Abandoned

ANSWER = "the manager's answer"
MANAGED = ("group_chat", "magentic")
PICKS = ManagerSpec(picks=("a", "b"))
STREAMED = (run(stream=True),)
WEATHER = {"a": AgentSpec(tools={"weather": ToolSpec()})}


def child(pattern: str = "sequential", *participants: str, **workflow) -> dict[str, WorkflowSpec]:
    """A child, of b where nobody else is named."""
    return {"child": WorkflowSpec(pattern=pattern, participants=participants or ("b",), **workflow)}


def child_of_an_author() -> dict[str, WorkflowSpec]:
    """A child in which nobody completes."""
    return child("custom", "b", stages=(("b",),))


def chat(pattern: str = "group_chat", *, manager: ManagerSpec = PICKS, **workflow) -> Written:
    """Both participants have spoken in a run with a manager."""
    return in_turn(flow(pattern, runs=(run(manager=manager),), **workflow))


# --- ORC-11 ---


def test_orc_11_holds_for_responses():
    assert holds(in_turn(flow()).completed(by("b", "B")), "ORC-11")
    assert holds(in_turn(flow()).completed(by("w", "B")), "ORC-11")
    assert holds(in_turn(flow("handoff")).completed(), "ORC-11")


def test_orc_11_breaks():
    assert broken(in_turn(flow()).completed(by("b", "B"), payload="messages"), "ORC-11") == {"no response"}
    assert broken(in_turn(flow("handoff")).completed("B", executor="b"), "ORC-11") == {"not empty"}
    assert broken(in_turn(flow()).completed("B"), "ORC-11") == {"no author"}
    assert broken(in_turn(flow()).completed(by("a", "B")), "ORC-11") == {"another author"}


def test_orc_11_leaves_alone_what_an_author_outputs():
    assert left_alone(left_to_author().completed("draft", payload="text"), "ORC-11") == {"custom"}


# --- ORC-12 ---


def test_orc_12_holds_for_the_answer_alone():
    assert holds(in_turn(flow()).completed("B"), "ORC-12")
    assert holds(in_turn(flow(runs=(run("B"),))).completed("B"), "ORC-12")


def test_orc_12_breaks():
    assert broken(in_turn(flow()).completed(message("go"), "B"), "ORC-12") == {"prompt"}
    assert broken(in_turn(flow()).completed(by("w", "go"), "A", "B"), "ORC-12") == {"prompt"}
    assert broken(in_turn(flow()).completed("A", "B"), "ORC-12") == {"work as answer"}


def test_orc_12_takes_what_a_participant_said_too_for_the_prompt_only_where_the_user_says_it():
    asked_for_it = flow(runs=(run("A"),))
    assert broken(in_turn(asked_for_it).completed("A", "B"), "ORC-12") == {"work as answer"}
    assert broken(in_turn(asked_for_it).completed(message("A"), "B"), "ORC-12") == {"prompt"}


def test_orc_12_sees_calls_and_results():
    scenario = flow("sequential", agents=WEATHER)
    written = Written(scenario).run().spoke("a", calls("1", weather={}), "go").tool("1").spoke("a", "A").spoke("b", "B", "=A")
    assert broken(written.completed(calls("1", weather={}), "B"), "ORC-12") == {"work as answer"}
    assert holds(last_says(look(), SUNNY, "A"), "ORC-12")
    own = Written(flow("sequential", "b", "a", agents=WEATHER)).run().spoke("b", "B", "go").spoke("a", look(), "=B").tool("1")
    assert broken(own.spoke("a", "A").completed(SUNNY, "A", results(**{"2": "rain"})), "ORC-12") == {"work as answer"}


def test_orc_12_is_asked_of_authors_and_handoffs_too():
    assert broken(left_to_author().completed("go"), "ORC-12") == {"prompt"}
    assert broken(in_turn(flow("handoff")).completed("A", "B"), "ORC-12") == {"work as answer"}
    assert holds(in_turn(flow("handoff")).completed(), "ORC-12")


# --- ORC-13 ---


def last_says(*said: str) -> Written:
    """The last participant of a sequence says something between two calls."""
    scenario = flow("sequential", "b", "a", agents=WEATHER)
    written = Written(scenario).run().spoke("b", "B", "go").spoke("a", calls("1", text="I look", weather={}), "go", "=B").tool("1")
    return written.called("go", "=B").replied("A").completed(*said)


def look(text: str = "I look"):
    return calls("1", text=text, weather={})


def test_orc_13_holds_for_all_of_the_last_response():
    assert holds(in_turn(flow()).completed("B"), "ORC-13")
    assert holds(last_says(look(), results(**{"1": "sunny"}), "A"), "ORC-13")


def test_orc_13_breaks():
    assert broken(in_turn(flow()).completed(), "ORC-13") == {"missing"}
    assert broken(in_turn(flow()).completed("B", "B"), "ORC-13") == {"repeated"}
    assert broken(in_turn(flow()).completed("A", "B"), "ORC-13") == {"foreign"}
    assert broken(last_says("A", look(), results(**{"1": "sunny"})), "ORC-13") == {"order"}


def test_orc_13_says_nothing_of_others_and_of_what_fails():
    assert not in_turn(flow("concurrent")).completed("X").findings("ORC-13")
    assert not in_turn(flow()).completed("X").raised().findings("ORC-13")


def nested(children: dict[str, WorkflowSpec], pattern: str = "sequential", **options) -> Written:
    """A child answers after a, or beside it."""
    return in_turn(flow(pattern, "a", "child", others=children, runs=(run(**options),)))


@pytest.mark.parametrize(("rule", "pattern"), [("ORC-13", "sequential"), ("ORC-14", "concurrent")])
def test_orc_13_and_orc_14_leave_alone(rule, pattern):
    failed = Written(flow(pattern)).run().called("go").failed()
    assert left_alone(failed.completed("X"), rule) == {"faulty"}
    chats = nested(child("group_chat", max_rounds=1), pattern, manager=PICKS)
    assert left_alone(chats.completed("a limit is reached"), rule) == {"limited"}
    assert left_alone(nested(child_of_an_author(), pattern).completed("X"), rule) == {"left to author"}


# --- ORC-14 ---


@pytest.mark.parametrize("answer", [("B", "A"), ("A", "B")])
def test_orc_14_holds_in_the_order_of_participants_or_of_names(answer):
    written = Written(flow("concurrent", "b", "a")).run().spoke("a", "A", "go").spoke("b", "B", "go")
    assert holds(written.completed(*answer), "ORC-14")
    assert holds(written.completed(*(by(text.lower(), text) for text in answer)), "ORC-14")


def test_orc_14_holds_for_what_the_aggregator_returns():
    assert holds(in_turn(flow("concurrent", aggregates="both")).completed(by("w", "both")), "ORC-14")


def test_orc_14_holds_whoever_signs_what_a_child_answers():
    assert holds(nested(child(), "concurrent").completed(by("w", "A"), by("w", "B")), "ORC-14")


@pytest.mark.parametrize(
    ("answer", "aspect"),
    [
        (("A",), "missing"),
        (("A", "B", "B"), "repeated"),
        (("A", "X", "B"), "foreign"),
        (("B", "A"), "order"),
        ((by("b", "A"), by("a", "B")), "another author"),
    ],
)
def test_orc_14_breaks(answer, aspect):
    assert broken(in_turn(flow("concurrent")).completed(*answer), "ORC-14") == {aspect}


def test_orc_14_breaks_where_the_aggregator_is_passed_by():
    assert broken(in_turn(flow("concurrent", aggregates="both")).completed("A", "B"), "ORC-14") == {"missing"}


def test_orc_14_says_nothing_of_others_and_of_what_fails():
    assert not in_turn(flow()).completed("X").findings("ORC-14")
    assert not in_turn(flow("concurrent")).completed("X").raised().findings("ORC-14")


# --- ORC-15 ---


def handed_over(*shown: str, stream: bool = False) -> Written:
    """a hands over to b, which answers; outputs show this."""
    written = Written(flow("handoff", runs=(run(stream=stream),))).run()
    written.spoke("a", calls("1", text="A", to_b={}), "go").spoke("b", "B", "go")
    for said in shown:
        written.output(said)
    return written


HANDOFF = calls("1", text="A", to_b={})


def test_orc_15_holds_where_everything_is_intermediate():
    assert holds(handed_over(HANDOFF, "B").completed(), "ORC-15")
    assert holds(handed_over(HANDOFF, results(**{"1": "done"}), "B").completed(), "ORC-15")
    assert holds(handed_over(stream=True).chunk("A", "a").chunk("B", "b").completed(), "ORC-15")


@pytest.mark.parametrize(
    ("shown", "aspect"),
    [
        (("B",), "missing"),
        ((HANDOFF, "B", "B"), "repeated"),
        ((HANDOFF, "X", "B"), "foreign"),
        (("B", HANDOFF), "order"),
        ((HANDOFF, by("a", "B")), "another author"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_orc_15_breaks_where_outputs_are_others(shown, aspect, stream):
    assert broken(handed_over(*shown, stream=stream).completed(), "ORC-15") == {aspect}


def test_orc_15_breaks_where_chunks_are_others():
    assert broken(handed_over(stream=True).chunk("A", "a").completed(), "ORC-15") == {"missing"}
    assert broken(handed_over(stream=True).chunk("B", "b").chunk("A", "a").completed(), "ORC-15") == {"order"}


def test_orc_15_breaks_where_chunks_are_more_than_was_said():
    assert broken(handed_over(stream=True).chunk("A", "a").chunk("X", "a").chunk("B", "b").completed(), "ORC-15") == {"foreign"}
    assert broken(handed_over(stream=True).chunk("A", "a").chunk("B", "b").chunk("B", "b").completed(), "ORC-15") == {"repeated"}
    whole = handed_over(HANDOFF, "B", stream=True)
    assert holds(whole.chunk("B", "b").completed(), "ORC-15")
    assert broken(whole.chunk("X", "b"), "ORC-15") == {"missing"}
    signed = handed_over(HANDOFF, by("a", "B"), stream=True).chunk("A", "a").chunk("B", "b")
    assert broken(signed.completed(), "ORC-15") == {"another author"}


def test_orc_15_breaks_in_its_completion():
    assert broken(handed_over(HANDOFF, "B"), "ORC-15") == {"no completion"}
    assert broken(handed_over(HANDOFF, "B").completed().completed(), "ORC-15") == {"several completions"}
    assert broken(handed_over(HANDOFF, "B").completed("B", executor="b"), "ORC-15") == {"not empty"}


def test_orc_15_says_nothing_of_others_and_of_what_fails():
    assert not in_turn(flow()).findings("ORC-15")
    assert not handed_over().raised().findings("ORC-15")


# --- ORC-16 and ORC-17 ---

RULES = list(zip(("ORC-16", "ORC-17"), MANAGED, strict=True))


@pytest.mark.parametrize(("rule", "pattern"), RULES)
def test_orc_16_and_orc_17(rule, pattern):
    assert holds(chat(pattern).completed(ANSWER), rule)
    assert broken(chat(pattern).completed("B"), rule) == {"missing"}
    assert broken(chat(pattern).completed(ANSWER, ANSWER), rule) == {"repeated"}
    assert broken(chat(pattern).completed("A", "B", ANSWER), rule) == {"foreign"}


@pytest.mark.parametrize(("rule", "pattern"), RULES)
def test_orc_16_and_orc_17_hold_whatever_an_authors_child_does(rule, pattern):
    scenario = flow(pattern, "a", "child", others=child_of_an_author(), runs=(run(manager=PICKS),))
    assert holds(in_turn(scenario).completed(ANSWER), rule)


@pytest.mark.parametrize(("rule", "pattern"), RULES)
def test_orc_16_and_orc_17_say_nothing_of_others_and_of_what_fails(rule, pattern):
    assert not in_turn(flow()).completed("X").findings(rule)
    assert not chat(pattern).completed("X").raised().findings(rule)


@pytest.mark.parametrize(("rule", "pattern"), RULES)
def test_orc_16_and_orc_17_leave_alone(rule, pattern):
    lost = ManagerSpec(picks=("a", "b"), errs=True)
    assert left_alone(chat(pattern, manager=lost).completed("nobody is called so"), rule) == {"faulty"}
    assert left_alone(chat(pattern, max_rounds=1).completed("a limit is reached"), rule) == {"limited"}


# --- ORC-18 ---

NOTICE = "the limit of rounds is reached"


def at_its_limit(policy: str = "notice", *, stream: bool = False, **workflow) -> Written:
    """One of two picks has spoken, and no more may."""
    scenario = flow("group_chat", runs=(run(manager=PICKS, stream=stream),), max_rounds=1, **workflow)
    return Written(scenario, limit_answer=policy).run().spoke("a", "A", "go")


def test_orc_18_holds_for_what_is_declared():
    assert holds(at_its_limit().completed(NOTICE), "ORC-18")
    assert holds(at_its_limit("manager").completed(ANSWER), "ORC-18")


def test_orc_18_holds_where_resets_are_the_limit():
    manager = ManagerSpec(picks=("a", "b"), stalls=(0,))
    scenario = flow("magentic", runs=(run(manager=manager),), max_stalls=0, max_resets=0)
    assert holds(Written(scenario, limit_answer="notice").run().completed("too many resets"), "ORC-18")


def test_orc_18_breaks():
    assert broken(at_its_limit().raised(), "ORC-18") == {"raised"}
    assert broken(at_its_limit(), "ORC-18") == {"no completion"}
    assert broken(at_its_limit().completed(NOTICE).completed(NOTICE), "ORC-18") == {"several completions"}
    assert broken(at_its_limit().spoke("b", "B", "go").completed(NOTICE), "ORC-18") == {"more rounds"}


@pytest.mark.parametrize(
    ("policy", "answer"),
    [
        ("notice", ANSWER),
        ("notice", "A"),
        ("notice", "that is all"),
        ("notice", "it went around in circles, and reached nobody"),
        ("manager", NOTICE),
    ],
)
def test_orc_18_breaks_where_the_answer_is_another(policy, answer):
    assert broken(at_its_limit(policy).completed(answer), "ORC-18") == {"another answer"}


def test_orc_18_takes_nothing_that_anybody_said_for_a_notice():
    runs = (run("mind the limit of rounds", manager=PICKS), run(manager=PICKS, replies={"a": (ReplySpec(text="no more rounds"),)}))
    scenario = flow("group_chat", runs=runs, max_rounds=1)
    for answer in ("mind the limit of rounds", "no more rounds"):
        first = Written(scenario, limit_answer="notice").run().spoke("a", "A", "mind the limit of rounds").completed(answer)
        assert "another answer" in broken(first.run().spoke("a", "no more rounds", "go").completed(NOTICE), "ORC-18")


def test_orc_18_says_nothing_where_the_manager_ends_the_run():
    assert not chat().findings("ORC-18")
    assert not in_turn(flow()).findings("ORC-18")


def test_orc_18_leaves_alone():
    within = flow("group_chat", "a", "child", others=child("sequential", "b", "c"), runs=(run(manager=PICKS),), max_rounds=1)
    inner = Written(within).run().spoke("b", "B", "go").spoke("c", "C", "go", "=B")
    assert left_alone(inner.completed(NOTICE), "ORC-18") == {"nests"}
    assert left_alone(at_its_limit().called("go", agent="b").failed(agent="b").raised(), "ORC-18") == {"faulty"}
    assert left_alone(at_its_limit().pending(tool="pay"), "ORC-18") == {"waiting"}
    assert left_alone(at_its_limit(stream=True).event(Abandoned, chunks=1), "ORC-18") == {"cut off"}
    assert broken(at_its_limit(stream=True).chunk(NOTICE, completed=True), "ORC-18") == {"no completion"}


def test_orc_18_leaves_alone_later_runs_that_raise():
    scenario = flow("group_chat", runs=(run(manager=PICKS), run(manager=PICKS)), max_rounds=1)
    first = Written(scenario, limit_answer="notice").run().spoke("a", "A", "go").completed(NOTICE)
    assert taken_away(first.run().raised(), "ORC-18") == {"later run that raised"}


# --- ORC-19 ---


def one(*said: str) -> Written:
    """The only participant of a sequence answers with two messages, one of which calls a tool."""
    scenario = flow("sequential", "a", agents=WEATHER)
    return Written(scenario).run().spoke("a", look(), "go").tool("1").called("go").replied("A").completed(*said)


SUNNY = results(**{"1": "sunny"})


def test_orc_19_holds_where_nothing_is_lost():
    assert holds(one(look(), SUNNY, "A"), "ORC-19")
    empty = Written(flow("concurrent")).run().spoke("a", "", "go").spoke("b", "B", "go")
    assert holds(empty.completed("", "B"), "ORC-19")
    alone = Written(flow("handoff", "a")).run().spoke("a", "A", "go").output("A")
    assert holds(alone, "ORC-19")


@pytest.mark.parametrize(
    ("said", "aspect"),
    [
        (("A",), "missing"),
        ((look(), SUNNY, "A", "A"), "repeated"),
        ((look(), SUNNY, "A", "X"), "foreign"),
        (("A", look(), SUNNY), "order"),
    ],
)
def test_orc_19_breaks(said, aspect):
    assert broken(one(*said), "ORC-19") == {aspect}


def test_orc_19_breaks_where_one_of_several_completions_is_wrong():
    assert broken(one(look(), SUNNY, "A").completed("A"), "ORC-19") == {"missing"}


def test_orc_19_breaks_in_a_handoff():
    written = Written(flow("handoff", "a", agents=WEATHER)).run().spoke("a", look(), "go").tool("1").called("go").replied("A")
    assert broken(written.output("A").completed(), "ORC-19") == {"missing"}


def test_orc_19_breaks_where_one_participant_is_too_few():
    assert broken(Written(flow("concurrent", "a")).run().raised(text="at least two"), "ORC-19") == {"raised"}


def test_orc_19_says_nothing_of_usual_sizes_and_where_nothing_is_answered():
    assert not in_turn(flow()).completed("X").findings("ORC-19")
    assert not handed_over("X").completed().findings("ORC-19")
    assert not Written(flow("sequential", "a")).run().spoke("a", "A", "go").findings("ORC-19")


def test_orc_19_leaves_alone():
    alone = Written(flow("sequential", "a")).run().called("go").failed()
    assert left_alone(alone.completed("X"), "ORC-19") == {"faulty"}
    chats = flow("sequential", "child", others=child("group_chat", max_rounds=1), runs=(run(manager=PICKS),))
    assert left_alone(Written(chats).run().spoke("b", "B", "go").completed(NOTICE), "ORC-19") == {"limited"}
    drafts = flow("sequential", "child", others=child_of_an_author())
    assert left_alone(Written(drafts).run().spoke("b", "B", "go").completed("X"), "ORC-19") == {"left to author"}
    streamed = Written(flow("handoff", "a", runs=STREAMED)).run().spoke("a", "A", "go").chunk("A", "a")
    assert left_alone(streamed.completed(), "ORC-19") == {"streamed handoff"}


def test_orc_19_leaves_errors_alone():
    alone = Written(flow("sequential", "a")).run().called("go").failed()
    assert left_alone(alone.raised(), "ORC-19") == {"faulty"}
    chats = flow("sequential", "child", others=child("group_chat", max_rounds=1), runs=(run(manager=PICKS),))
    assert left_alone(Written(chats).run().spoke("b", "B", "go").raised(text="out of rounds"), "ORC-19") == {"limited"}
    twice = ExecutorSpec(completes="done", again="done again")
    drafts = flow("sequential", "child", others=child("custom", stages=(("x",),), executors={"x": twice}))
    assert left_alone(Written(drafts).run().raised(text="x completes twice"), "ORC-19") == {"left to author"}
    before = Written(flow("sequential", "a", runs=(run(), run()))).run().spoke("a", "A", "go").completed("A")
    assert taken_away(before.run().raised(), "ORC-19") == {"later run that raised"}
