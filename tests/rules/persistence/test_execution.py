"""PER-48 on traces written by hand."""

from __future__ import annotations

import pytest
from kept import ASKS, STOPPED, STOPS, SUNNY, TOOLS, begun, kept
from talks import run
from written import Said, Written, broken, calls, holds, left_alone, results

from conformance.scenario.scenario import Respond, Scenario
from conformance.scenario.specs import ToolSpec
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
