"""What happens in the middle of a run: faults of the history store, abandoned streams, cancelled calls, limits, looks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from conformance.harness.runner import perform
from conformance.implementation.protocol import Implementation
from conformance.reference.implementation import Reference
from conformance.scenario.files import ScenarioError, check
from conformance.scenario.scenario import CreateThread, Respond, Run, Scenario, Step
from conformance.scenario.specs import AgentSpec, CallSpec, ReplySpec, ServiceSpec, ToolSpec
from conformance.trace.adapter_events import Chunk, Observed, Raised, RunReturned
from conformance.trace.exchange import ChunkSeen, Response, ThreadState, Turn
from conformance.trace.harness_events import (
    Abandoned,
    Cancelled,
    ConversationsForgotten,
    HistoryAppended,
    HistoryFailed,
    RunStarted,
    ServiceCalled,
    ServiceReplied,
    ToolCalled,
    ToolReturned,
    Warned,
)
from conformance.trace.messages import Message, Result
from conformance.trace.trace import Trace

CREATED = CreateThread(thread="t", agent="a")
KEEPING = AgentSpec(history="provider", tools={"weather": ToolSpec(returns="sunny")})
PER_CALL = AgentSpec(history="provider", per_service_call=True, tools={"weather": ToolSpec(returns="sunny")})
WEATHER = ReplySpec(calls=(CallSpec(tool="weather"),))


def performed(agent: AgentSpec, *steps: Step, by: type[Implementation] = Reference) -> Trace:
    return perform(Scenario(agents={"a": agent}, steps=(CREATED, *steps)), by)


def of(trace: Trace, kind: Any) -> list[Any]:
    return [event for event in trace.events if isinstance(event, kind)]


def test_the_store_fails_at_the_load_that_the_run_names():
    trace = performed(PER_CALL, Run(thread="t", say=("one",), replies=(WEATHER,), load_fails=1))
    failed = of(trace, HistoryFailed)
    assert [(event.operation, event.agent) for event in failed] == [("load", "a")]
    assert len(of(trace, ServiceCalled)) == 1
    assert of(trace, Raised)[0].kind == "provider"


def test_the_store_fails_at_the_append_that_the_run_names_and_keeps_nothing_of_it():
    trace = performed(KEEPING, Run(thread="t", say=("one",), append_fails=0), Run(thread="t", say=("two",)))
    (failed,) = of(trace, HistoryFailed)
    assert [message.text for message in failed.messages] == ["one", "a answers 1.1"]
    assert of(trace, Raised)[0].kind == "provider"
    (appended,) = of(trace, HistoryAppended)
    assert [message.text for message in appended.messages] == ["two", "a answers 2.1"]
    assert len(of(trace, ServiceCalled)[-1].messages) == 1


def test_the_positions_of_faults_are_counted_run_by_run():
    runs = [Run(thread="t", say=(text,), append_fails=1) for text in ("one", "two")]
    assert of(performed(KEEPING, *runs), HistoryFailed) == []


@pytest.mark.parametrize("chunks", [1, 2])
def test_a_consumer_leaves_a_stream_after_so_many_chunks(chunks: int):
    trace = performed(PER_CALL, Run(thread="t", say=("one",), stream=True, abandons=chunks))
    assert len(of(trace, Chunk)) == chunks
    assert of(trace, Abandoned)[0].chunks == chunks
    assert of(trace, RunReturned) == of(trace, Raised) == []


def test_a_stream_that_is_shorter_comes_to_its_own_end():
    trace = performed(PER_CALL, Run(thread="t", say=("one",), stream=True, abandons=9))
    assert of(trace, Abandoned) == []
    assert len(of(trace, RunReturned)) == 1


def test_an_abandoned_stream_is_closed_before_the_next_step():
    closed: list[str] = []

    class Chatty(Reference):
        async def stream(self, agent: Any, thread: Any, turn: Turn) -> AsyncIterator[ChunkSeen | Response]:
            try:
                for text in ("a", "b", "c"):
                    yield ChunkSeen(text=text)
            finally:
                closed.append(turn.messages[0].text)

    steps = [Run(thread="t", say=(text,), stream=True, abandons=1) for text in ("one", "two")]
    trace = performed(PER_CALL, *steps, by=Chatty)
    assert closed == ["one", "two"]
    assert len(of(trace, Abandoned)) == 2


def test_the_reference_goes_no_further_than_its_consumer():
    replies = (ReplySpec(text="wait", calls=WEATHER.calls), ReplySpec(text="fine"))
    trace = performed(PER_CALL, Run(thread="t", say=("one",), stream=True, replies=replies, abandons=1))
    assert of(trace, ToolCalled) == []
    assert len(of(trace, ServiceCalled)) == 1


def test_a_call_whose_caller_cancels_begins_and_never_returns():
    cancelled = ReplySpec(calls=(CallSpec(tool="weather", cancelled=True),))
    trace = performed(KEEPING, Run(thread="t", say=("one",), replies=(cancelled,)), Run(thread="t", say=("two",)))
    assert len(of(trace, ToolCalled)) == 1
    assert of(trace, ToolReturned) == []
    assert len(of(trace, Cancelled)) == 1
    assert len(of(trace, RunReturned)) == 1


def test_a_tool_looks_at_the_thread_of_its_run():
    agent = AgentSpec(tools={"watch": ToolSpec(looks=True)}, service=ServiceSpec(keeps="new_ids"), per_service_call=True)
    hosted = CreateThread(thread="h", agent="a", kind="hosted")
    replies = (ReplySpec(calls=(CallSpec(tool="watch"),)),)
    trace = performed(agent, hosted, Run(thread="h", say=("one",), replies=replies))
    (look,) = of(trace, Observed)
    assert (look.moment, look.kind) == ("within", "hosted")
    assert look.conversation_id == of(trace, ServiceReplied)[0].conversation_id


def test_a_request_that_forbids_tools_gets_none():
    replies = (WEATHER, WEATHER, WEATHER)
    limited = AgentSpec(tools=KEEPING.tools, limit=1)
    trace = performed(limited, Run(thread="t", say=("one",), replies=replies))
    assert [event.forbids_tools for event in of(trace, ServiceCalled)] == [False, True]
    assert of(trace, ServiceReplied)[-1].message == Message(role="assistant", text="without tools")


def test_of_equal_calls_the_rejected_one_is_not_taken_for_the_one_that_runs():
    pay = CallSpec(tool="pay")
    agent = AgentSpec(tools={"pay": ToolSpec(returns="paid", approval=True)})
    asking = Run(thread="t", say=("one",), replies=(ReplySpec(calls=(pay, pay)),))
    trace = performed(agent, asking, Respond(approve=False), Respond())
    assert [event.id for event in of(trace, ToolReturned)] == ["call-2"]


def test_call_ids_come_back_where_the_service_numbers_them_anew():
    for repeats, ids in ((False, ["call-1", "call-2"]), (True, ["call-1", "call-1"])):
        agent = AgentSpec(tools=KEEPING.tools, service=ServiceSpec(repeats_call_ids=repeats))
        trace = performed(agent, *(Run(thread="t", say=(text,), replies=(WEATHER,)) for text in ("one", "two")))
        assert [event.id for event in of(trace, ToolReturned)] == ids


STOPPING = {"stop": ToolSpec(returns="stopped", terminates=True)}
STOP = ReplySpec(calls=(CallSpec(tool="stop"),))


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        (AgentSpec(history="provider", per_service_call=True, tools=STOPPING), "local"),
        (AgentSpec(service=ServiceSpec(keeps="one_id"), tools=STOPPING), "hosted"),
    ],
)
def test_the_caller_supplies_the_results_that_the_history_lacks(agent: AgentSpec, kind: Any):
    thread = CreateThread(thread="h", agent="a", kind=kind)
    steps = (Run(thread="h", say=("one",), replies=(STOP,)), Run(thread="h", say=("two",), supplies=True))
    trace = performed(agent, thread, *steps)
    assert of(trace, RunStarted)[-1].supplied == (Result(id="call-1", value="stopped"),)
    new = of(trace, ServiceCalled)[-1].messages[-2:]
    assert new == (Message(role="tool", results=(Result(id="call-1", value="stopped"),)), Message(role="user", text="two"))


def test_nothing_is_supplied_where_nothing_is_lacking():
    keeping = AgentSpec(history="provider", tools=STOPPING)
    steps = (Run(thread="t", say=("one",), replies=(STOP,)), Run(thread="t", say=("two",), supplies=True))
    assert of(performed(keeping, *steps), RunStarted)[-1].supplied == ()


def test_an_agent_is_rebuilt_with_the_other_setting_for_one_run():
    built: list[tuple[str, bool]] = []

    class Noting(Reference):
        async def create_agent(self, name: str, spec: AgentSpec, inner: Any) -> Any:
            built.append((name, spec.per_service_call))
            return await super().create_agent(name, spec, inner)

    runs = [Run(thread="t", say=(text,), per_service_call=setting) for text, setting in (("1", True), ("2", False), ("3", True))]
    trace = performed(KEEPING, *runs, by=Noting)
    assert built == [("a", False), ("a", True)]
    assert [message.text for message in of(trace, ServiceCalled)[-1].messages] == ["1", "a answers 1.1", "2", "a answers 2.1", "3"]


def test_a_run_in_the_background_is_told_to_the_implementation():
    seen: list[bool] = []

    class Noting(Reference):
        async def run(self, agent: Any, thread: Any, turn: Turn) -> Response:
            seen.append(turn.background)
            return await super().run(agent, thread, turn)

    runs = [Run(thread="t", say=("one",), background=True), Run(thread="t", say=("two",))]
    trace = performed(PER_CALL, *runs, by=Noting)
    assert seen == [True, False]
    assert len(of(trace, Warned)) == 1


class Unavailable(Exception):
    """What only this implementation raises."""


def test_a_thread_that_cannot_be_described_within_a_run_ends_in_an_event():
    class Shy(Reference):
        looked = False

        async def describe_thread(self, agent: Any, thread: Any) -> ThreadState:
            if any(isinstance(event, ToolCalled) for event in self.world.events) and not self.looked:
                self.looked = True
                raise Unavailable("not now")
            return await super().describe_thread(agent, thread)

    agent = AgentSpec(tools={"watch": ToolSpec(looks=True)})
    trace = performed(agent, Run(thread="t", say=("one",), replies=(ReplySpec(calls=(CallSpec(tool="watch"),)),)), by=Shy)
    assert [event.text for event in of(trace, Raised)] == ["not now"]


@pytest.mark.parametrize(
    ("run", "error"),
    [
        (
            Run(thread="t", say=("one",), abandons=1),
            r"\$\.steps\[1\]\.abandons: only a stream can be left; expected 'stream': true",
        ),
        (Run(thread="t", say=("one",), stream=True, abandons=0), r"\$\.steps\[1\]\.abandons: got 0, expected at least 1"),
        (Run(thread="t", say=("one",), load_fails=-1), r"\$\.steps\[1\]\.load_fails: got -1, expected a position, from 0"),
        (Run(thread="t", say=("one",), append_fails=-2), r"\$\.steps\[1\]\.append_fails: got -2, expected a position, from 0"),
    ],
)
def test_faults_that_nobody_could_mean_are_named(run: Run, error: str):
    with pytest.raises(ScenarioError, match=error):
        check(Scenario(agents={"a": AgentSpec()}, steps=(CREATED, run)))


def test_a_limit_of_nothing_is_named():
    with pytest.raises(ScenarioError, match=r"\$\.agents\.a\.limit: got 0, expected at least 1"):
        check(Scenario(agents={"a": AgentSpec(limit=0)}, steps=(CREATED,)))


def test_a_service_forgets_its_conversations_when_the_run_begins():
    service = ServiceSpec(keeps="one_id")
    scenario = Scenario(
        agents={"a": AgentSpec(service=service)},
        steps=(
            CreateThread(thread="t", agent="a", kind="hosted"),
            Run(thread="t", say=("one",)),
            Run(thread="t", say=("two",), forgotten=True),
        ),
    )
    trace = perform(scenario, Reference)
    (at,) = [place for place, event in enumerate(trace.events) if isinstance(event, ConversationsForgotten)]
    assert isinstance(trace.events[at - 1], RunStarted)
    assert (trace.events[at].step, trace.events[at].run) == (2, 1)
    assert [event.text for event in trace.events if isinstance(event, Raised)] == ["no conversation 'a-1'"]
