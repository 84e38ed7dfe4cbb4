"""Steps on threads: what they do to an implementation, and what the trace says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from conformance.harness.runner import perform
from conformance.implementation.protocol import Implementation
from conformance.reference.implementation import Reference
from conformance.scenario.scenario import CreateThread, Damage, Restore, Run, Scenario, Serialize, Step, Tamper
from conformance.scenario.specs import AgentSpec, ReplySpec, ServiceSpec, ToolSpec
from conformance.trace.adapter_events import Raised, Restored, Serialized, ThreadDescribed
from conformance.trace.exchange import ThreadState
from conformance.trace.harness_events import Broke, Cancelled, ConversationExists, Damaged, DataChanged, Refused, ServiceCalled
from conformance.trace.trace import Trace

STORING = AgentSpec(service=ServiceSpec(keeps="new_ids"))
CREATED = CreateThread(thread="t", agent="a")
SAID = Run(thread="t", say=("one",))


def performed(*steps: Step, by: type[Implementation] = Reference, agents: Mapping[str, AgentSpec] | None = None) -> Trace:
    return perform(Scenario(agents=dict(agents or {"a": AgentSpec()}), steps=steps), by)


def of(trace: Trace, kind: Any) -> list[Any]:
    return [event for event in trace.events if isinstance(event, kind)]


class Sloppy(Reference):
    """Its data is whatever the test wants, and so is the thread that is made from it."""

    data: Any = None

    async def serialize_thread(self, agent: Any, thread: Any) -> Any:
        return self.data

    async def restore_thread(self, agent: Any, data: Any) -> Any:
        return await self.create_thread(agent, "local")


@pytest.mark.parametrize(("data", "flaw"), [(object(), "TypeError"), ((1, 2), "another value"), ({1: 2}, "another value")])
def test_what_is_not_plain_data_is_recorded_as_a_flaw_and_not_as_data(data: Any, flaw: str):
    kind = type("Kind", (Sloppy,), {"data": data})
    (event,) = of(performed(CREATED, Serialize(thread="t"), by=kind), Serialized)
    assert event.data is None
    assert flaw in event.flaw


def test_random_ids_in_data_are_renamed_in_order_of_appearance():
    kind = type(
        "Kind", (Sloppy,), {"data": {"id": "1b4e28ba-2fa1-11d2-883f-0016d3cca427", "text": "of 0016d3cca42700163cca42700163cca4"}}
    )
    (event,) = of(performed(CREATED, Serialize(thread="t"), by=kind), Serialized)
    assert event.data == {"id": "id-1", "text": "of id-2"}


def test_every_restore_gets_the_very_same_data_and_a_change_of_it_is_seen_once():
    class Writing(Reference):
        """Writes into the data that it is given."""

        given: list[int] = []

        async def restore_thread(self, agent: Any, data: Any) -> Any:
            self.given.append(id(data))
            data["note"] = "seen"
            return await self.create_thread(agent, "local")

    steps = (CREATED, Serialize(thread="t"), Restore(thread="u", data="t"), Restore(thread="v", data="t"))
    trace = performed(*steps, by=Writing)
    assert len(set(Writing.given)) == 1
    assert [(event.source, event.step) for event in of(trace, DataChanged)] == [("t", 2)]


def test_a_thread_out_of_damaged_data_is_described_or_said_to_be_none_and_cannot_be_used():
    class Trusting(Sloppy):
        """Takes anything."""

        data = {"kind": "local"}

        async def describe_thread(self, agent: Any, thread: Any) -> ThreadState:
            if thread.key == "thread 2":
                raise KeyError("kind")
            return await super().describe_thread(agent, thread)

    steps = (CREATED, Serialize(thread="t"), Restore(thread="u", data="t", damage=Damage()), Run(thread="u", say=("hi",)))
    trace = performed(*steps, by=Trusting)
    assert [event.path for event in of(trace, Damaged)] == ["$.kind"]
    assert [event.flaw for event in of(trace, Restored)] == ["KeyError: 'kind'"]
    assert [event.text for event in of(trace, Refused)] == ["there is no thread 'u'"]
    assert not of(trace, Broke)


def test_a_damage_for_which_there_is_no_place_is_refused():
    kind = type("Kind", (Sloppy,), {"data": {"blob": "xyz"}})
    trace = performed(CREATED, Serialize(thread="t"), Restore(thread="u", data="t", damage=Damage()), by=kind)
    assert "no place" in of(trace, Refused)[0].text


def test_a_thread_with_an_id_continues_a_conversation_that_the_service_has():
    trace = performed(CreateThread(thread="t", agent="a", kind="hosted", with_id=True), SAID, agents={"a": STORING})
    (existing,) = of(trace, ConversationExists)
    assert of(trace, ServiceCalled)[0].conversation_id == existing.conversation_id
    assert of(trace, ThreadDescribed)[0].conversation_id == existing.conversation_id


@pytest.mark.parametrize("stream", [False, True])
def test_a_cancelled_run_ends_at_once_and_the_next_step_goes_on(stream: bool):
    cancelled = Run(thread="t", say=("one",), stream=stream, replies=(ReplySpec(cancelled=True),))
    trace = performed(CREATED, cancelled, SAID)
    assert [event.run for event in of(trace, Cancelled)] == [0]
    assert not of(trace, (Broke, Raised))
    assert [event.run for event in of(trace, ServiceCalled)] == [0, 1]


def test_agents_that_are_tools_are_built_first_and_handed_over_under_the_names_of_the_tools():
    class Asking(Reference):
        """Notes what it is given."""

        given: list[tuple[str, list[str]]] = []

        async def create_agent(self, name: str, spec: AgentSpec, inner: Any) -> Any:
            self.given.append((name, sorted(inner)))
            return await super().create_agent(name, spec, inner)

    performed(CREATED, by=Asking, agents={"a": AgentSpec(tools={"ask": ToolSpec(agent="b")}), "b": AgentSpec()})
    assert Asking.given == [("b", []), ("a", ["ask"])]


def test_what_an_implementation_cannot_do_is_refused():
    class Plain(Sloppy):
        """Has none of it."""

        serialize_thread = Implementation.serialize_thread
        tamper = Implementation.tamper

    steps = (CREATED, Serialize(thread="t"), Restore(thread="u", data="t"), Tamper(thread="t"))
    assert [event.step for event in of(performed(*steps, by=Plain), Refused)] == [1, 2, 3]
