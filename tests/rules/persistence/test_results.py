"""PER-50 and PER-51 on traces written by hand."""

from __future__ import annotations

from kept import PER_CALL, begun, kept
from talks import run
from written import Said, Written, broken, calls, holds, left_alone, results, taken_away

from conformance.scenario.specs import ServiceSpec
from conformance.trace.messages import Message

# --- PER-50 and PER-51 ---

ASKS = Message(role="assistant", calls=(*calls("c1", weather={}).calls, *calls("c2", weather={"city": "Oslo"}).calls))
FORWARDS, BACKWARDS = results(c1="sunny", c2="rain"), results(c2="rain", c1="sunny")


def two_turns(sent: Said = FORWARDS, again: Said = FORWARDS, *, stored: Said = FORWARDS, returned: Said = FORWARDS) -> Written:
    """A run with two calls in one reply, and another one, which is sent what was stored."""
    written = begun().run("t").called("one").replied(ASKS).tool("c1").tool("c2")
    written = written.called("one", ASKS, sent).replied("1").appended("one", ASKS, stored, "=1").returned(ASKS, returned, "1")
    return written.run("t").called("one", ASKS, again, "=1", "two").replied("2").appended("two", "=2").returned("2")


def test_per_50():
    assert holds(two_turns(), "PER-50")
    assert broken(two_turns(again=BACKWARDS), "PER-50") == {"sent in two orders"}
    assert broken(two_turns(stored=BACKWARDS), "PER-50") == {"kept otherwise than sent"}
    assert broken(two_turns(returned=BACKWARDS), "PER-50") == {"returned otherwise than sent"}
    loaded = two_turns().loaded("one", ASKS, BACKWARDS, "=1")
    assert broken(loaded, "PER-50") == {"kept in two orders", "kept otherwise than sent"}


def test_per_50_reads_results_in_several_messages():
    apart = begun().run("t").called("one").replied(ASKS).tool("c1").tool("c2")
    apart = apart.called("one", ASKS, results(c1="sunny"), results(c2="rain")).replied("1").returned(BACKWARDS, "1")
    assert broken(apart, "PER-50") == {"returned otherwise than sent"}


def test_per_50_lets_what_is_kept_in_several_steps_stand_as_it_came():
    written = begun(kept(run("one"), **PER_CALL)).run("t").called("one").replied(ASKS).tool("c2").tool("c1")
    written = written.appended("one", ASKS).appended(results(c2="rain")).appended(results(c1="sunny"))
    written = written.called("one", ASKS, FORWARDS).replied("1").appended("=1").returned(ASKS, FORWARDS, "1")
    assert holds(written, "PER-50")
    assert holds(written, "PER-51")


def test_per_51():
    assert holds(two_turns(), "PER-51")
    turned = two_turns(BACKWARDS, BACKWARDS, stored=BACKWARDS, returned=BACKWARDS)
    assert broken(turned, "PER-51") == {"order"}
    assert holds(turned, "PER-50")


def test_per_50_and_per_51_leave_alone():
    again = kept(run("one"), run("two"), service=ServiceSpec(repeats_call_ids=True))
    written = two_turns()
    written.scenario = again
    assert taken_away(written, "PER-50") == {"recurring call ids"}
    assert left_alone(written, "PER-51") == {"recurring call ids"}
    supplied = begun(kept(run("one"), run("two", supplies=True))).run("t").called("one").replied(ASKS).tool("c2").returned(ASKS)
    supplied = supplied.run("t", supplied=results(c1="sunny").results).called("one", ASKS, BACKWARDS, "two").replied("2")
    assert left_alone(supplied, "PER-50") == {"supplied by the caller"}
    assert left_alone(supplied, "PER-51") == {"supplied by the caller"}
