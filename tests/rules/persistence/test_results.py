"""PER-49, PER-50 and PER-51 on traces written by hand."""

from __future__ import annotations

import pytest
from kept import ASKS as ASKS_WEATHER
from kept import PER_CALL, begun, kept
from talks import run, talk
from written import Said, Written, broken, calls, holds, left_alone, results

from conformance.scenario.scenario import Respond
from conformance.scenario.specs import AgentSpec, ToolSpec
from conformance.trace.messages import Message, Result

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
    twice = begun(kept(run("one"), run("two"))).run("t").called("one").replied(ASKS).called("one", ASKS, FORWARDS).returned()
    again = twice.run("t").called("two", ASKS, BACKWARDS).replied(ASKS).returned(ASKS)
    assert [*again.findings("PER-50"), *again.findings("PER-51")] == [], "an id may come back"
    supplied = begun(kept(run("one"), run("two", supplies=True))).run("t").called("one").replied(ASKS).tool("c2").returned(ASKS)
    supplied = supplied.run("t", supplied=results(c1="sunny").results).called("one", ASKS, BACKWARDS, "two").replied("2")
    assert left_alone(supplied, "PER-50") == {"supplied by the caller"}
    assert left_alone(supplied, "PER-51") == {"supplied by the caller"}


# --- PER-49 ---

MAP, PAY = calls("c1", map={}), calls("c1", pay={})
RAISES = kept(run("one"), run("two"), tools={"map": ToolSpec(raises="no map"), "weather": ToolSpec(returns="sunny")})


def failure(value: str = "no map", *, error: bool = False) -> Message:
    """The result of a tool that raised."""
    return Message(role="tool", results=(Result(id="c1", value=value, error=error),))


TOLD = failure()


def raised(sent: Message = TOLD, *, stored: Message = TOLD, returned: Message = TOLD, again: Message = TOLD) -> Written:
    """A tool raises, and the next turn is told of it."""
    written = begun(RAISES).run("t").called("one").replied(MAP).tool_raised("c1", "map").called("one", MAP, sent).replied("1")
    written = written.appended("one", MAP, stored, "=1").returned(MAP, returned, "1").run("t").loaded("one", MAP, stored, "=1")
    return written.called("one", MAP, again, "=1", "two").replied("2").returned("2")


def rejected(told: Message, *requests: str | None) -> Written:
    """Calls are rejected."""
    steps = [Respond(approve=False) for _ in requests]
    scenario = talk("local", run("one"), *steps, tools={"pay": ToolSpec(approval=True, returns="paid")})
    written = begun(scenario).run("t").called("one").replied(PAY)
    for number, call in enumerate(requests):
        written = written.pending(id=str(number), tool="pay", call=call)
    return written.returned(PAY).answered(0).called("one", PAY, told)


def asked_inside(value: str, *, error: bool = False) -> Written:
    """An agent that is a tool answers."""
    scenario = talk("local", run("one"), tools={"ask": ToolSpec(agent="b")}, b=AgentSpec())
    asks = calls("c1", ask={"task": "x"})
    return (
        begun(scenario)
        .run("t")
        .called("one")
        .replied(asks)
        .spoke("b", "from b", "x")
        .called("one", asks, failure(value, error=error))
    )


def test_per_49_holds():
    flagged = failure("done", error=True)
    assert holds(raised(), "PER-49")
    assert holds(raised(flagged, stored=flagged, returned=flagged, again=flagged), "PER-49")
    assert holds(rejected(failure("rejected"), "c1"), "PER-49")
    assert holds(asked_inside("from b"), "PER-49")


@pytest.mark.parametrize("silent", ["", " ", "done"])
def test_per_49_as_a_success(silent: str):
    assert broken(raised(failure(silent)), "PER-49") == {"sent as a success"}
    assert broken(raised(again=failure(silent)), "PER-49") == {"sent as a success"}
    assert broken(raised(stored=failure(silent)), "PER-49") == {"kept as a success"}
    assert broken(raised(returned=failure(silent)), "PER-49") == {"returned as a success"}


def test_per_49_reads_which_call_was_rejected():
    assert broken(rejected(failure("paid"), "c1"), "PER-49") == {"sent as a success"}
    assert broken(rejected(failure("paid"), None), "PER-49") == {"sent as a success"}
    assert not rejected(failure("paid"), "another").findings("PER-49")


def test_per_49_in_two_ways():
    flagged = failure(error=True)
    assert broken(raised(again=flagged), "PER-49") == {"sent in two ways"}
    assert broken(raised(returned=flagged), "PER-49") == {"kept in two ways"}
    assert holds(raised(stored=flagged, returned=flagged), "PER-49")


def test_per_49_told_as_a_failure():
    written = (
        begun(RAISES).run("t").called("one").replied(ASKS_WEATHER).tool("c1").called("one", ASKS_WEATHER, failure("no", error=True))
    )
    assert broken(written, "PER-49") == {"told as a failure"}
    assert broken(asked_inside("from b", error=True), "PER-49") == {"told as a failure"}
    assert broken(asked_inside("aborted"), "PER-49") == {"told as a failure"}


def test_per_49_lets_a_later_run_say_that_a_result_was_lost():
    written = begun(RAISES).run("t").called("one").replied(ASKS_WEATHER).tool("c1").called("one", ASKS_WEATHER, results(c1="sunny"))
    written = written.failed().raised("service").run("t").called("one", ASKS_WEATHER, failure("interrupted", error=True), "two")
    assert holds(written, "PER-49")


def test_per_49_says_nothing_of_ids_that_come_back():
    again = raised().replied(MAP)
    assert not again.findings("PER-49")
