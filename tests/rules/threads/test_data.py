"""THR-44 on traces written by hand."""

from __future__ import annotations

from talks import ONE_ID, hosted_run, hosted_turn, local_turn, run, talk
from written import Written, broken, calls, holds, left_alone

from conformance.scenario.scenario import Scenario, Serialize
from conformance.scenario.specs import ContextSpec, ToolSpec
from conformance.trace.adapter_events import RequestPending, Serialized

RULE = "THR-44"


def hosted(*runs, **agent) -> Scenario:
    return talk("hosted", *(runs or (run("one"),)), Serialize(thread="t"), service=ONE_ID, **agent)


def as_data(written: Written, data) -> Written:
    return written.step(2).event(Serialized, outside=True, thread="t", data=data)


def test_the_id_alone():
    assert holds(as_data(hosted_turn(hosted()), {"kind": "hosted", "id": "a-1"}), RULE)


def test_a_message_of_any_role_anywhere_in_the_data():
    for text in ("one", "1"):
        assert broken(as_data(hosted_turn(hosted()), {"id": "a-1", "state": [{"said": {"text": text}}]}), RULE) == {
            "a message beside the id"
        }


def test_a_message_that_the_service_has_from_before():
    written = hosted_turn(hosted(run("one"), run("two")))
    written = (
        written.run("t")
        .called("two", store=True, conversation_id="a-1", held=("one", "=1"))
        .replied("2", conversation_id="a-1", kept=True)
    )
    written = written.returned("2").described("t", "hosted", hidden=True, conversation_id="a-1")
    assert broken(written.step(3).event(Serialized, outside=True, thread="t", data={"first": "one"}), RULE)


def test_a_key_or_a_name_is_no_message():
    named = talk("hosted", run("a"), Serialize(thread="t"), service=ONE_ID)
    written = Written(named).created("t", "hosted", hidden=True)
    assert holds(as_data(hosted_run(written, "a", "1"), {"id": "a-1", "of": "a", "1": None}), RULE)


def test_the_state_of_a_context_provider_may_hold_it():
    written = hosted_turn(hosted(context={"memory": ContextSpec()}))
    written = written.described("t", "hosted", hidden=True, conversation_id="a-1", context={"memory": {"heard": "one"}})
    assert holds(as_data(written, {"id": "a-1", "context": {"memory": {"heard": "one"}}}), RULE)


def test_where_the_service_keeps_nothing_nothing_is_asked():
    local = talk("local", run("one"), Serialize(thread="t"))
    assert not holds(as_data(local_turn(local), {"messages": ["one", "1"]}), RULE)


def test_the_local_part_of_a_thread_that_became_hosted():
    scenario = talk("local", run("one"), run("two", store=True), Serialize(thread="t"), service=ONE_ID)
    written = local_turn(scenario, store_conflict="transform")
    written = hosted_run(written, "two", "2")
    written = written.step(3).event(Serialized, outside=True, thread="t", data={"messages": ["one", "1"]})
    assert left_alone(written, RULE) == {"was local"}


def test_a_declared_copy_of_a_provider():
    scenario = hosted(history="provider")
    assert left_alone(as_data(hosted_turn(scenario, provider_copy="written"), {"copy": ["one", "1"]}), RULE) == {
        "copied by a provider"
    }
    assert broken(as_data(hosted_turn(scenario, provider_copy="none"), {"copy": ["one", "1"]}), RULE)


def test_a_call_that_waits():
    scenario = hosted(tools={"weather": ToolSpec(approval=True)})
    asked = Written(scenario).created("t", "hosted", hidden=True).run("t").called("one", store=True)
    asked = asked.replied(calls("c1", weather={}), conversation_id="a-1", kept=True)
    waits = asked.event(RequestPending, id="c1", tool="weather").described("t", "hosted", hidden=True, conversation_id="a-1")
    assert left_alone(as_data(waits, {"id": "a-1", "for": "one"}), RULE) == {"a call waits"}
