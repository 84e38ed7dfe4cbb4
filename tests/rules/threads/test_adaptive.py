"""THR-18 to THR-20 on traces written by hand."""

from __future__ import annotations

import pytest
from talks import BY_DEFAULT, ONE_ID, run, talk
from written import Written, broken, calls, holds, left_alone, results, taken_away

from conformance.scenario.scenario import Damage, Respond, Restore, Scenario, Serialize
from conformance.scenario.specs import ToolSpec
from conformance.trace.adapter_events import RequestPending, Restored, Serialized

ASKS, PAID = calls("c1", pay={}), results(c1="paid")
PLAIN, STORING = talk("adaptive"), talk("adaptive", service=BY_DEFAULT)


def begun(scenario: Scenario = PLAIN) -> Written:
    return Written(scenario).created("t", "adaptive").run("t").called("one")


def local(kind="local", *said: str, **state) -> Written:
    return begun().replied("1").returned("1").described("t", kind, *(said or ("one", "=1")), **state)


def hosted(kind="hosted", *said: str, id="a-1") -> Written:
    replied = begun(STORING).replied("1", conversation_id="a-1", kept=True).returned("1")
    return replied.described("t", kind, *said, hidden=not said, conversation_id=id)


def failed(kind="adaptive", *said: str, **state) -> Written:
    return begun().failed().raised("service").described("t", kind, *said, **state)


def test_thr_18_holds():
    assert holds(local(), "THR-18")
    assert holds(hosted(), "THR-18")
    assert holds(failed(), "THR-18")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (local("hosted"), "wrong kind"),
        (local(conversation_id="a-1"), "id kept"),
        (local("local", "=1"), "turn lost"),
        (hosted("local"), "wrong kind"),
        (hosted(id="a-0"), "another id"),
        (hosted("hosted", "one", "=1"), "turn kept twice"),
        (failed("local"), "fixed by a failure"),
        (failed(conversation_id="a-1"), "id kept"),
        (failed("adaptive", "one"), "turn kept twice"),
    ],
)
def test_thr_18_breaks(written, aspect):
    assert broken(written, "THR-18") == {aspect}


def test_thr_18_finds_the_turn_in_a_history_store_and_asks_for_none_where_it_cannot_be_seen():
    provider = begun(talk("adaptive", history="provider")).replied("1").appended("one", "=1").returned("1")
    assert holds(provider.described("t", "local", hidden=True), "THR-18")
    assert holds(begun().replied("1").returned("1").described("t", "local", hidden=True), "THR-18")


def test_thr_18_leaves_open_what_trails_a_run_that_reached_its_limit():
    scenario = talk("adaptive", run("one"), tools={"pay": ToolSpec()}, limit=1)
    ended = lambda: begun(scenario).replied(ASKS).tool("c1", "pay", "paid").returned(ASKS)  # noqa: E731
    assert holds(ended().described("t", "local", "one", ASKS), "THR-18")
    assert holds(ended().described("t", "local", "one", ASKS, PAID), "THR-18")
    assert broken(ended().described("t", "local", "one"), "THR-18") == {"turn lost"}


def test_thr_18_leaves_alone_runs_that_wait_or_are_ended_by_a_tool():
    waiting = begun().replied(calls("c1", pay={})).event(RequestPending, id="c1").described("t", "adaptive", "one")
    assert left_alone(waiting, "THR-18") == {"waiting"}
    scenario = talk("adaptive", run("one"), tools={"stop": ToolSpec(terminates=True)})
    ended = begun(scenario).replied(calls("c1", stop={})).tool("c1", "stop", terminated=True).returned().described("t", "local")
    assert left_alone(ended, "THR-18") == {"terminated"}


def waits(kind="local", *said) -> Written:
    """The first run on the thread waits for an answer; how the thread is described then is to be said."""
    scenario = talk("adaptive", run("one"), run("two"), Respond())
    pending = begun(scenario).replied(ASKS).event(RequestPending, id="c1")
    return pending.described("t", kind, *(said or ("one", ASKS)))


def test_thr_18_looks_at_the_thread_when_the_answer_has_come():
    goes_on = lambda: waits().answered(0).tool("c1", "pay", "paid").called("one", ASKS, PAID).replied("1").returned("1")  # noqa: E731
    assert holds(goes_on().described("t", "local", "one", ASKS, PAID, "=1"), "THR-18")
    assert broken(goes_on().described("t", "local", "one", ASKS, "=1"), "THR-18") == {"turn lost"}
    assert broken(goes_on(), "THR-18") == {"turn lost"}


def test_thr_18_leaves_alone_who_interrupts_a_run_that_waits_and_what_failed_after_an_answer():
    refused = waits().run("t").raised("invalid").described("t", "local", "one", ASKS)
    assert left_alone(refused, "THR-18") == {"waiting", "interrupting"}
    failed_then = waits().answered(0).called("one", ASKS, PAID).failed().raised("service").described("t", "local", "one", ASKS)
    assert left_alone(failed_then, "THR-18") == {"failed after an answer"}
    next_one = failed_then.run("t").called("one", ASKS, "two").failed().raised("service").described("t", "local", "one", ASKS)
    assert left_alone(next_one, "THR-18") == {"failed after an answer", "after failed after an answer"}


def test_thr_19_holds():
    assert holds(local().run("t").called("two").replied("2", conversation_id="a-1").described("t", "local"), "THR-19")
    assert holds(hosted().run("t").called("two").replied("2").described("t", "hosted", conversation_id="a-1"), "THR-19")


def test_thr_19_breaks():
    later = lambda written: written.run("t").called("two").replied("2")  # noqa: E731
    assert broken(later(local()).described("t", "hosted"), "THR-19") == {"wrong kind"}
    assert broken(later(local()).described("t", "local", conversation_id="a-1"), "THR-19") == {"id appeared"}
    assert broken(later(hosted()).described("t", "hosted"), "THR-19") == {"id lost"}


def test_thr_19_leaves_contradictions_alone():
    scenario = talk("adaptive", run("one"), run("two", store=True), run("three"), service=ONE_ID)
    settled = begun(scenario).replied("1").returned("1").described("t", "local", "one", "=1")
    contradicted = settled.run("t").called("two", store=True).replied("2").described("t", "hosted")
    later = contradicted.run("t").called("three").described("t", "hosted")
    assert left_alone(later, "THR-19") == {"contradicting", "after contradicting"}


def restored(kind="adaptive", *, id=None, damage=None, **state) -> Written:
    made = PLAIN.steps[0]
    scenario = Scenario(agents=PLAIN.agents, steps=(made, Serialize(thread="t"), Restore(thread="u", data="t", damage=damage)))
    written = Written(scenario).created("t", "adaptive").step(1).event(Serialized, thread="t")
    return written.step(2).event(Restored, thread="u", source="t").described("u", kind, conversation_id=id)


def test_thr_20():
    assert holds(restored(), "THR-20")
    assert broken(restored("local"), "THR-20") == {"wrong kind"}
    assert broken(restored(id="a-1"), "THR-20") == {"id appeared"}
    assert restored(damage=Damage()).findings("THR-20") == []
    assert taken_away(restored(), "THR-20") == set()
