"""THR-41 on traces written by hand."""

from __future__ import annotations

import pytest
from talks import NEW_IDS, SURPRISING, hosted_run, hosted_turn, run, talk
from written import Written, broken, calls, holds

from conformance.scenario.scenario import Respond, Scenario
from conformance.scenario.specs import ToolSpec
from conformance.trace.adapter_events import RequestPending
from conformance.trace.harness_events import Abandoned

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
