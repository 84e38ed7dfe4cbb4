"""PER-52 on traces written by hand."""

from __future__ import annotations

import pytest
from kept import ASKS, SUNNY, begun, kept
from talks import run
from written import Said, Written, broken, calls, holds, left_alone, message, results

from conformance.scenario.scenario import Respond
from conformance.trace.messages import Message

PAYS, PAID = calls("c1", text="I pay", pay={}), results(c1="paid")


def answering(*returned: Said) -> Written:
    """A run with a tool in it, which returns this."""
    written = begun(kept(run("one"))).run("t").called("one").replied(ASKS).tool("c1")
    return written.called("one", ASKS, SUNNY).replied("1").returned(*returned)


def going_on(*returned: Said, answered: bool = True) -> Written:
    """A run that waited for an approval and returns this after it."""
    written = begun(kept(run("one"), Respond())).run("t").called("one").replied(PAYS).pending(id="c1", tool="pay", call="c1")
    written.returned(PAYS).answered(0)
    if answered:
        written.tool("c1", "pay", "paid")
    return written.called("one", PAYS, PAID).replied("1").returned(*returned)


def test_per_52():
    assert holds(answering(ASKS, SUNNY, "1"), "PER-52")
    assert broken(answering("1"), "PER-52") == {"missing"}
    assert broken(answering(ASKS, "1"), "PER-52") == {"missing"}
    assert broken(answering(ASKS, SUNNY), "PER-52") == {"missing"}
    assert broken(answering(message("one"), ASKS, SUNNY, "1"), "PER-52") == {"not produced"}
    assert broken(answering(ASKS, SUNNY, "1", "1"), "PER-52") == {"twice"}
    assert broken(answering(ASKS, "1", SUNNY), "PER-52") == {"order"}


def test_per_52_takes_several_results_in_any_order():
    asks = Message(role="assistant", calls=(*ASKS.calls, *calls("c2", weather={"city": "Oslo"}).calls))
    written = begun(kept(run("one"))).run("t").called("one").replied(asks).tool("c2").tool("c1")
    written.called("one", asks, results(c2="sunny", c1="sunny")).replied("1")
    assert holds(written.returned(asks, results(c2="sunny"), results(c1="sunny"), "1"), "PER-52")


def test_per_52_of_a_run_that_a_tool_ended():
    asks, stopped = calls("c1", stop={}), results(c1="stopped")
    written = begun(kept(run("one"))).run("t").called("one").replied(asks).tool("c1", "stop", "stopped", terminated=True)
    assert holds(written.returned(asks, stopped), "PER-52")
    written = begun(kept(run("one"))).run("t").called("one").replied(asks).tool("c1", "stop", "stopped", terminated=True)
    assert broken(written.returned(asks), "PER-52") == {"missing"}


@pytest.mark.parametrize("answered", [True, False])
def test_per_52_of_a_run_that_went_on(answered: bool):
    assert holds(going_on(PAID, "1", answered=answered), "PER-52")
    assert holds(going_on(PAYS, PAID, "1", answered=answered), "PER-52"), "it may repeat what was before"
    assert broken(going_on("1", answered=answered), "PER-52") == {"missing"}
    assert broken(going_on(PAID, "1", PAYS, answered=answered), "PER-52") == {"what was before"}
    assert broken(going_on(PAYS, PAYS, PAID, "1", answered=answered), "PER-52") == {"twice"}


def test_per_52_lets_a_call_wait_unseen():
    waiting = begun(kept(run("one"))).run("t").called("one").replied(PAYS).pending(id="c1", tool="pay", call="c1")
    assert holds(waiting.returned("I pay"), "PER-52")


@pytest.mark.parametrize(("first", "then"), [((SUNNY,), ()), ((), (SUNNY,)), ((), ())], ids=["at once", "later", "never"])
def test_per_52_lets_what_ran_beside_a_waiting_call_be_told_with_it(first: tuple[Said, ...], then: tuple[Said, ...]):
    asks, paid = Message(role="assistant", calls=(*ASKS.calls, *calls("c2", pay={}).calls)), results(c2="paid")
    written = (
        begun(kept(run("one"), Respond())).run("t").called("one").replied(asks).tool("c1").pending(id="c2", tool="pay", call="c2")
    )
    written.returned(asks, *first).answered(0).tool("c2", "pay", "paid").called("one", asks, SUNNY, paid).replied("1")
    assert holds(written.returned(*then, paid, "1"), "PER-52")


def test_per_52_asks_for_the_last_reply_alone_where_responses_are_not_complete():
    for returned, aspects in ((("1",), set()), ((ASKS, SUNNY), {"missing"}), ((ASKS, SUNNY, "1"), set())):
        written = answering(*returned)
        written.capabilities -= {"responses.complete"}
        assert broken(written, "PER-52") == aspects


def test_per_52_leaves_alone():
    limited = begun(kept(run("one"), limit=1)).run("t").called("one").replied(ASKS).tool("c1")
    assert left_alone(limited.called("one", ASKS, SUNNY).replied("1").returned("I was stopped"), "PER-52") == {"cut short"}
