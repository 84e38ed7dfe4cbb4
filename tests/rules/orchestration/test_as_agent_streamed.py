"""ORC-44 on traces written by hand."""

from __future__ import annotations

from flows import by, flow, run, spoken
from written import Written, broken, calls, holds, results, taken_away

from conformance.scenario.specs import AgentSpec, ExecutorSpec, ManagerSpec, ToolSpec
from conformance.trace.messages import Message

LOOKS = {"a": AgentSpec(tools={"weather": ToolSpec()})}
ANSWER = (by("a", "A"), by("b", "B"))


def both_ways(*streamed: Message, pattern: str = "sequential", whole: tuple[Message, ...] = ANSWER) -> Written:
    """A run as an agent with intermediates on, and its repetition as a stream, with these responses."""
    scenario = flow(pattern, runs=(run(as_agent=True), run(as_agent=True, stream=True)), intermediate_outputs=True)
    return spoken(spoken(Written(scenario)).returned(*whole)).returned(*streamed)


def with_a_tool(*messages: Message | str) -> Written:
    """A sequence as an agent in which a calls a tool, with this response."""
    written = Written(flow(runs=(run(as_agent=True),), agents=LOOKS, intermediate_outputs=True)).run()
    written.spoke("a", calls("c1", weather={}), "go").tool("c1").spoke("a", "A", "go").spoke("b", "B", "go")
    return written.returned(*messages)


LOOKED = (calls("c1", weather={}, author="a"), results(c1="sunny"), *ANSWER)


def test_orc_44_holds():
    assert holds(both_ways(*ANSWER), "ORC-44")
    assert holds(with_a_tool(*LOOKED), "ORC-44")
    said_nothing = Written(flow(runs=(run(as_agent=True),))).run().spoke("a", "A", "go").spoke("b", "", "go")
    assert holds(said_nothing.returned(by("b", "")), "ORC-44")


def test_orc_44_breaks():
    assert broken(both_ways(by("a", "A"), by("a", "B")), "ORC-44") == {"another author"}
    assert broken(both_ways(by("b", "B"), by("a", "A")), "ORC-44") == {"order", "answer not last"}
    assert broken(with_a_tool(LOOKED[1], LOOKED[0], *ANSWER), "ORC-44") == {"result before its call"}
    assert broken(with_a_tool(*LOOKED[:2], by("b", "B"), by("a", "A")), "ORC-44") == {"answer not last"}
    assert broken(with_a_tool(by("a", ""), *LOOKED), "ORC-44") == {"empty message"}


def test_orc_44_leaves_what_is_said_to_others():
    assert holds(both_ways(by("b", "B")), "ORC-44"), "ORC-25 compares what is said"
    assert holds(with_a_tool(results(c1="sunny"), by("b", "B")), "ORC-44"), "ORC-24 asks for the call"


def test_orc_44_leaves_alone():
    assert taken_away(both_ways(*reversed(ANSWER), pattern="concurrent"), "ORC-44") == {"either side by side"}
    manager = ManagerSpec(picks=("a", "b"), answer="A")
    scenario = flow("group_chat", runs=(run(as_agent=True, manager=manager),), max_rounds=1, intermediate_outputs=True)
    over = Written(scenario).run().spoke("a", "A", "go").returned(by("a", "A"), by("manager", "it is over"))
    assert taken_away(over, "ORC-44") == {"limited"}
    parts = {"stages": (("x", "b"),), "executors": {"x": ExecutorSpec(completes="X")}, "intermediate_outputs": True}
    beside = flow("custom", "b", runs=(run(as_agent=True),), **parts)
    written = Written(beside).run().spoke("b", "B", "go").returned(by("x", "X"), by("b", "B"))
    assert taken_away(written, "ORC-44") == {"others output beside"}
