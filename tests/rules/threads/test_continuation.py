"""THR-41 and THR-42 on traces written by hand."""

from __future__ import annotations

import pytest
from talks import NEW_IDS, SURPRISING, hosted_run, hosted_turn, run, talk
from written import Written, broken, calls, holds, taken_away

from conformance.scenario.scenario import Respond, Scenario
from conformance.scenario.specs import ToolSpec
from conformance.trace.adapter_events import RequestPending
from conformance.trace.harness_events import Abandoned, Cancelled, ConversationExists, ConversationsForgotten

# --- THR-41 ---

HOSTED = talk("hosted", run("one"), run("two", stream=True), run("three"), service=NEW_IDS)


def streamed(scenario: Scenario = HOSTED, answer="2", **named) -> Written:
    """The second run of a hosted thread streams; nobody has heard of its end yet."""
    said = {"conversation_id": "a-2", "kept": True, "id_in": "last", **named}
    written = hosted_turn(scenario).run("t").called("two", store=True, conversation_id="a-1", stream=True)
    return written.replied(answer, **said)


def ended(written: Written, id: str | None) -> Written:
    return written.returned("2").described("t", "hosted", hidden=True, conversation_id=id)


@pytest.mark.parametrize("id_in", ["first", "middle", "last"])
def test_thr_41(id_in):
    assert holds(ended(streamed(id_in=id_in), "a-2"), "THR-41")
    assert broken(ended(streamed(id_in=id_in), "a-1"), "THR-41") == {"missed"}
    assert broken(ended(streamed(id_in=id_in), None), "THR-41") == {"missed"}


def test_thr_41_a_provisional_id():
    provisional = {"id_in": "provisional", "provisional_id": "a-3"}
    assert holds(ended(streamed(**provisional), "a-2"), "THR-41")
    assert broken(ended(streamed(**provisional), "a-3"), "THR-41") == {"provisional kept"}
    assert broken(ended(streamed(**provisional), "a-1"), "THR-41") == {"missed"}


def test_thr_41_in_requests():
    later = ended(streamed(), "a-2").run("t")
    assert holds(later.called("three", store=True, conversation_id="a-2"), "THR-41")
    later = ended(streamed(), "a-2").run("t")
    assert broken(later.called("three", store=True, conversation_id="a-1"), "THR-41") == {"missed"}
    tools = talk("hosted", run("one"), run("two", stream=True), service=NEW_IDS, tools={"weather": ToolSpec()})
    asks = streamed(tools, calls("c1", weather={}), id_in="provisional", provisional_id="a-3").tool("c1")
    assert broken(asks.called(store=True, conversation_id="a-3", stream=True), "THR-41") == {"provisional kept"}


def test_thr_41_a_run_that_fails_for_want_of_an_id():
    assert broken(streamed().raised("conflict"), "THR-41") == {"refused"}
    failed = streamed().called("more", store=True, conversation_id="a-2").failed().raised("service")
    assert holds(failed, "THR-41")
    provided = talk("hosted", run("one"), run("two"), service=NEW_IDS, history="provider")
    assert streamed(provided).raised().findings("THR-41") == []


def test_thr_41_an_adaptive_thread():
    scenario = talk("adaptive", run("one", stream=True), service=NEW_IDS)
    written = Written(scenario).created("t", "adaptive").run("t").called("one", stream=True)
    written = written.replied("1", conversation_id="a-1", kept=True, id_in="last")
    assert broken(written.returned("1").described("t", "local", "one", "=1"), "THR-41") == {"missed"}


def test_thr_41_says_nothing_of_other_streams():
    assert ended(streamed(id_in="every"), "a-1").findings("THR-41") == []
    left = streamed().event(Abandoned, chunks=1).described("t", "hosted", hidden=True, conversation_id="a-1")
    assert hosted_run(left, "three", "3", id="a-4", conversation_id="a-1").findings("THR-41") == []
    broke = hosted_turn(HOSTED).run("t").called("two", store=True, conversation_id="a-1", stream=True).failed().raised("service")
    assert broke.findings("THR-41") == []


def test_thr_41_says_nothing_of_a_local_thread():
    surprised = talk("local", run("one", stream=True), run("two"), service=SURPRISING, history="provider")
    written = Written(surprised).created("t", "local").run("t").called("one", stream=True)
    written = written.replied("1", conversation_id="a-1", kept=True, id_in="last").raised("conflict").described("t", "local")
    assert written.run("t").called("two").findings("THR-41") == []


def test_thr_41_says_nothing_of_how_a_thread_is_described_after_an_answer():
    tools = {"pay": ToolSpec(approval=True)}
    scenario = talk("hosted", run("one"), run("two", stream=True), Respond(), service=NEW_IDS, tools=tools)
    asks = streamed(scenario, calls("c1", pay={})).event(RequestPending, id="c1", tool="pay")
    asks = asks.described("t", "hosted", hidden=True, conversation_id="a-2").answered(1).tool("c1", "pay", "paid")
    asks = asks.called(store=True, conversation_id="a-2").replied("2", conversation_id="a-3", kept=True, id_in="first")
    assert holds(asks.returned("2"), "THR-41")


# --- THR-42 ---

GONE = talk("hosted", run("one"), run("two", forgotten=True), run("three"), service=NEW_IDS)


def asked_in_vain(scenario: Scenario = GONE) -> Written:
    """The second run of a hosted thread names a conversation that its service has forgotten, and is refused."""
    written = hosted_turn(scenario).run("t").event(ConversationsForgotten, agent="a")
    return written.called("two", store=True, conversation_id="a-1").failed("no conversation 'a-1'")


def refused(written: Written, kind="service", text="no conversation 'a-1'", *, id: str | None = "a-1") -> Written:
    return written.raised(kind, text).described("t", "hosted", hidden=True, conversation_id=id)


def anew(*said: str, warnings: int = 1) -> Written:
    written = asked_in_vain()
    for _ in range(warnings):
        written.warned("the service has no such conversation: another one begins")
    written.called(*said, store=True).replied("2", conversation_id="a-2", kept=True)
    return written.returned("2").described("t", "hosted", hidden=True, conversation_id="a-2")


def test_thr_42():
    assert holds(refused(asked_in_vain()), "THR-42")
    assert holds(refused(asked_in_vain(), "conflict", "conv_a-1 is gone"), "THR-42")
    assert broken(ended(asked_in_vain(), "a-1"), "THR-42") == {"no error"}
    assert broken(refused(asked_in_vain(), "other"), "THR-42") == {"another error"}
    assert broken(refused(asked_in_vain(), text="the service failed"), "THR-42") == {"unnamed"}
    assert broken(refused(asked_in_vain(), text="no conversation 'a-11'"), "THR-42") == {"unnamed"}
    assert broken(refused(asked_in_vain(), id=None), "THR-42") == {"id lost"}


def test_thr_42_in_later_runs():
    later = refused(asked_in_vain()).run("t").called("three", store=True, conversation_id="a-1").failed()
    assert broken(refused(later, "other"), "THR-42") == {"another error"}
    later = refused(asked_in_vain()).run("t").called("three", store=True).replied("3", conversation_id="a-2", kept=True)
    assert broken(later.returned("3"), "THR-42") == {"history lost", "not one warning"}


def test_thr_42_a_new_beginning():
    assert holds(anew("one", "=1", "two"), "THR-42")
    assert broken(anew("two"), "THR-42") == {"history lost"}
    assert broken(anew("one", "=1"), "THR-42") == {"history lost"}
    assert broken(anew("one", "=1", "two", warnings=0), "THR-42") == {"not one warning"}
    assert broken(anew("one", "=1", "two", warnings=2), "THR-42") == {"not one warning"}
    goes_on = anew("one", "=1", "two").run("t").called("three", store=True, conversation_id="a-2")
    assert len(goes_on.replied("3", conversation_id="a-3", kept=True).returned("3").findings("THR-42")) == 2


def test_thr_42_a_conversation_that_a_thread_continues():
    scenario = talk("hosted", run("one", forgotten=True), service=NEW_IDS, with_id=True)
    given = Written(scenario).event(ConversationExists, outside=True, thread="t", agent="a", conversation_id="a-7")
    given = given.created("t", "hosted", hidden=True, conversation_id="a-7").run("t").event(ConversationsForgotten, agent="a")
    asked = given.called("one", store=True, conversation_id="a-7").failed("no conversation 'a-7'")
    assert broken(refused(asked, text="it failed", id="a-7"), "THR-42") == {"unnamed"}


def test_thr_42_says_nothing_of_others():
    elsewhere = hosted_turn(GONE).run("t").event(ConversationsForgotten, agent="b").called("two", conversation_id="a-1").failed()
    assert elsewhere.raised("other").findings("THR-42") == []
    assert asked_in_vain().event(Cancelled).findings("THR-42") == []
    first = Written(GONE).created("t", "hosted", hidden=True).run("t").event(ConversationsForgotten, agent="a")
    assert first.called("one", store=True).failed().raised("other").findings("THR-42") == []
    local = Written(talk("local", run("one", forgotten=True))).created("t", "local").run("t")
    assert local.event(ConversationsForgotten, agent="a").called("one").failed().raised("other").findings("THR-42") == []
    asks = talk("hosted", run("one"), run("two", store=False, forgotten=True), service=NEW_IDS)
    assert refused(asked_in_vain(asks), "other").findings("THR-42") == []


@pytest.mark.parametrize("rule", ["THR-06", "THR-07", "PER-30"])
def test_a_new_beginning_is_for_thr_42_to_judge(rule):
    assert "begins anew" in taken_away(anew("one", "=1", "two"), rule)
    assert not broken(anew("one", "=1", "two"), rule)
