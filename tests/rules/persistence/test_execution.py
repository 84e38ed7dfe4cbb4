"""PER-47 and PER-48 on traces written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from kept import ASKS, STOPPED, STOPS, SUNNY, TOOLS, begun, kept
from talks import run, talk
from written import Said, Written, broken, calls, holds, left_alone, results

from conformance.scenario.scenario import Respond, Scenario
from conformance.scenario.specs import AgentSpec, ToolSpec
from conformance.trace.messages import Message

# --- PER-48 ---

WITH_TOOLS = kept(run("one"))
ASKS_AGAIN = calls("c2", weather={})
BOTH = Message(role="assistant", calls=(*ASKS.calls, *calls("c2", stop={}).calls))


def looped(scenario: Scenario = WITH_TOOLS) -> Written:
    """A run that asked for a tool, which ran."""
    return begun(scenario).run("t").called("one").replied(ASKS).tool("c1")


def answered(written: Written) -> Written:
    """The run sends the result, and gets its answer."""
    return written.called("one", ASKS, SUNNY).replied("1")


def terminated(*shown: Said, ran: bool = True) -> Written:
    """A run that a tool ended beside another call."""
    written = begun(WITH_TOOLS).run("t").called("one").replied(BOTH)
    written = written.tool("c1") if ran else written
    return written.tool("c2", "stop", "stopped", terminated=True).returned(BOTH, *shown)


def test_per_48_holds():
    assert holds(answered(looped()).returned("1"), "PER-48")
    assert holds(begun(WITH_TOOLS).run("t").called("one").replied(STOPS).tool("c1", "stop", terminated=True).returned(), "PER-48")
    assert holds(looped(kept(run("one"), limit=1)).returned(ASKS, SUNNY), "PER-48")
    assert holds(
        looped(kept(run("one"), limit=1)).called("one", ASKS, SUNNY, forbids_tools=True).replied("1").returned("1"), "PER-48"
    )


def test_per_48_after_an_answer():
    assert broken(answered(looped()).called("one", ASKS, SUNNY, "=1").replied("2").returned("2"), "PER-48") == {"after an answer"}


def test_per_48_after_a_terminating_tool():
    written = begun(WITH_TOOLS).run("t").called("one").replied(STOPS).tool("c1", "stop", "stopped", terminated=True)
    assert broken(written.called("one", STOPS, STOPPED).replied("1").returned("1"), "PER-48") == {"after a terminating tool"}


def test_per_48_at_the_limit():
    limited = kept(run("one"), limit=1)
    assert broken(answered(looped(limited)).returned("1"), "PER-48") == {"tools allowed at the limit"}
    written = looped(limited).called("one", ASKS, SUNNY, forbids_tools=True).replied(ASKS_AGAIN)
    written = written.called("one", ASKS, SUNNY, forbids_tools=True).replied("1").returned("1")
    assert broken(written, "PER-48") == {"beyond the limit"}


def test_per_48_counts_the_limit_anew_after_an_answer():
    scenario = kept(run("one"), Respond(), limit=2)
    asks, paid = calls("c1", pay={}), results(c1="done")
    written = begun(scenario).run("t").called("one").replied(asks).pending(id="r", tool="pay").returned(asks)
    written = written.answered(0).tool("c1", "pay", "done").called("one", asks, paid).replied(ASKS_AGAIN).tool("c2")
    assert holds(written.called("one", asks, paid, ASKS_AGAIN, results(c2="sunny")).replied("1").returned("1"), "PER-48")


def test_per_48_ends_early():
    assert broken(looped().returned(ASKS, SUNNY), "PER-48") == {"ends early"}
    forbidden = looped().called("one", ASKS, SUNNY, forbids_tools=True).replied("1").returned("1")
    assert broken(forbidden, "PER-48") == {"tools forbidden early"}


@pytest.mark.parametrize("end", [lambda written: written.raised(), lambda written: written.pending(id="r", tool="pay")])
def test_per_48_lets_runs_fail_and_wait(end):
    assert not end(looped()).findings("PER-48")


def test_per_48_siblings_of_a_terminating_call():
    whole = results(c1="sunny", c2="stopped")
    assert holds(terminated(whole), "PER-48")
    assert holds(terminated(), "PER-48")
    assert holds(terminated(results(c2="stopped"), ran=False), "PER-48")
    assert holds(terminated(results(c1="skipped", c2="stopped"), ran=False), "PER-48")
    assert broken(terminated(results(c2="stopped")), "PER-48") == {"sibling without its result"}
    assert broken(terminated(whole, ran=False), "PER-48") == {"result of a sibling that did not run"}
    stored = terminated().appended("one", BOTH, results(c2="stopped"))
    assert broken(stored, "PER-48") == {"sibling without its result"}


def test_per_48_says_nothing_of_tools_that_the_agent_does_not_have():
    written = begun(kept(run("one"), tools={"stop": TOOLS["stop"]})).run("t").called("one").replied(ASKS).returned(ASKS)
    assert not written.findings("PER-48")


def test_per_48_leaves_alone():
    empty = begun(WITH_TOOLS).run("t").called("one").replied("").called("one").replied("").returned("")
    assert left_alone(empty, "PER-48") == {"holds nothing"}
    scenario = kept(run("one"), run("two"), Respond(), tools={"pay": ToolSpec(approval=True)})
    asks = calls("c1", pay={})
    written = begun(scenario).run("t").called("one").replied(asks).pending(id="r", tool="pay").returned(asks)
    written = written.run("t").called("one", asks, results(c1="not approved"), "two").failed().raised("service")
    assert left_alone(written.answered(0).returned(), "PER-48") == {"overtaken"}


# --- PER-47 ---

OSLO, ROME = calls("c1", weather={"city": "Oslo"}), calls("c2", weather={"city": "Rome"})
PAY = calls("c1", pay={})
BESIDE = calls("c1", "c2", weather={}, pay={})


def ran(written: Written, id: str = "c1", tool: str = "weather", **fields: Any) -> Written:
    """A tool runs to its end; its arguments are what else is given."""
    return written.tool(id, tool, agent=fields.pop("agent", "a"), arguments=fields)


def waited(asks: Message = PAY, *steps: Respond) -> Written:
    """A run whose call waits for an approval."""
    written = begun(kept(run("one"), *(steps or (Respond(),)), run("two"))).run("t").called("one").replied(asks)
    return written.pending(id="r", tool="pay", call=asks.calls[-1].id).returned(asks)


def nested() -> Written:
    """An agent that is a tool asks for a call that needs an approval."""
    scenario = talk("local", run("one"), Respond(), tools={"ask": ToolSpec(agent="b")}, b=AgentSpec(tools=TOOLS))
    written = begun(scenario).run("t").called("one").replied(calls("c1", ask={"task": "x"}))
    return written.spoke("b", calls("c2", pay={}), "x")


def test_per_47_holds():
    assert holds(answered(looped()).returned("1"), "PER-47")
    again = looped(kept(run("one"), run("two"))).returned().run("t").called("two").replied(ASKS_AGAIN).tool("c2")
    assert holds(again, "PER-47")
    assert holds(ran(waited().answered(0), tool="pay").called("one", PAY, results(c1="done")), "PER-47")
    assert holds(ran(nested().pending(id="r", tool="pay", call="c2").answered(0), "c2", "pay", agent="b"), "PER-47")


def test_per_47_counts_equal_calls():
    both = Message(role="assistant", calls=(*ASKS.calls, *ASKS_AGAIN.calls))
    written = begun(WITH_TOOLS).run("t").called("one").replied(both).tool("c1")
    assert holds(written.tool("c2").called("one", both, results(c1="sunny", c2="sunny")), "PER-47")
    once = begun(WITH_TOOLS).run("t").called("one").replied(both).tool("c1")
    assert broken(once.called("one", both, results(c1="sunny", c2="sunny")), "PER-47") == {"not run"}


def test_per_47_run_again():
    assert broken(looped().tool("c1"), "PER-47") == {"run again"}
    retried = begun(kept(run("one"))).run("t").called("one").replied(ASKS).tool_raised("c1").tool_raised("c1")
    assert broken(retried, "PER-47") == {"run again"}
    sibling = waited(BESIDE).within(0, step=1).tool("c1").answered(0).tool("c1").tool("c2", "pay")
    assert broken(sibling, "PER-47") == {"run again"}


def test_per_47_in_a_later_run():
    written = begun(kept(run("one"), run("two"))).run("t").called("one").replied(ASKS).raised("service").run("t")
    assert broken(written.tool("c1"), "PER-47") == {"in a later run"}


def test_per_47_lets_a_later_run_execute_what_waits():
    assert holds(waited(BESIDE).run("t").tool("c1"), "PER-47")
    assert broken(waited(BESIDE).run("t").tool("c1").tool("c1"), "PER-47") == {"in a later run"}


def test_per_47_never_asked_for():
    written = begun(WITH_TOOLS).run("t").called("one").replied(OSLO)
    assert broken(ran(written, city="Rome"), "PER-47") == {"never asked for"}
    assert holds(ran(begun(WITH_TOOLS).run("t").called("one").replied(OSLO), city="Oslo"), "PER-47")


def test_per_47_not_approved():
    assert broken(ran(waited(), tool="pay"), "PER-47") == {"not approved"}
    assert broken(ran(nested(), "c2", "pay", agent="b"), "PER-47") == {"not approved"}


def test_per_47_an_approval_counts_for_its_own_call():
    two = Message(role="assistant", calls=(*calls("c1", pay={"to": "Ann"}).calls, *calls("c2", pay={"to": "Bob"}).calls))
    scenario = kept(run("one"), Respond())

    def decided(*names: str | None) -> Written:
        written = begun(scenario).run("t").called("one").replied(two)
        for number, name in enumerate(names):
            written = written.pending(id=str(number), tool="pay", call=name)
        return written.returned(two).answered(0)

    assert holds(ran(decided("c1", "c2"), "c1", "pay", to="Ann"), "PER-47")
    assert broken(ran(decided("c1", "c2"), "c2", "pay", to="Bob"), "PER-47") == {"not approved"}
    assert holds(ran(decided(None, None), "c2", "pay", to="Bob"), "PER-47")
    assert broken(ran(ran(decided(None, None), "c1", "pay", to="Ann"), "c2", "pay", to="Bob"), "PER-47") == {"not approved"}


def test_per_47_an_approval_counts_on_its_own_thread():
    """Calls of equal ids wait on two threads."""
    scenario = kept(run("one"), run("two"), Respond(request=1), tools={"pay": ToolSpec(approval=True)})
    written = begun(scenario)
    for _ in range(2):
        written = written.run("t").called("one").replied(PAY).pending(id="r", tool="pay", call="c1").returned(PAY)
    assert holds(ran(written.answered(1), tool="pay"), "PER-47")
    other = begun(scenario)
    for _ in range(2):
        other = other.run("t").called("one").replied(PAY).pending(id="r", tool="pay", call="c1").returned(PAY)
    assert broken(ran(other.answered(0), tool="pay"), "PER-47") == {"not approved"}


def test_per_47_rejected_call_run():
    assert broken(ran(waited(PAY, Respond(approve=False)).answered(0), tool="pay"), "PER-47") == {"rejected call run"}


def test_per_47_not_run():
    assert broken(begun(WITH_TOOLS).run("t").called("one").replied(ASKS).called("one", ASKS, SUNNY), "PER-47") == {"not run"}


def test_per_47_says_nothing_of_what_a_run_does_not_go_past():
    assert not begun(WITH_TOOLS).run("t").called("one").replied(ASKS).returned(ASKS).findings("PER-47")
    unknown = begun(kept(run("one"), tools={})).run("t").called("one").replied(ASKS).called("one", ASKS, results(c1="no such tool"))
    assert not unknown.findings("PER-47")


def test_per_47_leaves_alone():
    rejected = waited(PAY, Respond(approve=False)).answered(0).called("one", PAY, results(c1="rejected"))
    assert left_alone(rejected, "PER-47") == {"perhaps rejected"}
