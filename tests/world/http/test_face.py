"""The chat services over HTTP, on a loopback port and in process, and a real client on top of them."""

import asyncio
import gc
import socket
import subprocess
import sys
import warnings
from typing import ClassVar

import httpx
import openai
import pytest

from conformance.adapters.agent_framework.openai import AgentFrameworkOpenAI
from conformance.harness.runner import perform
from conformance.reference.implementation import Reference
from conformance.scenario.scenario import CreateThread, Run, Scenario, Together
from conformance.scenario.specs import AgentSpec, CallSpec, ReplySpec, ServiceSpec, ToolSpec
from conformance.trace.adapter_events import Chunk, Raised, RunReturned, ThreadDescribed
from conformance.trace.harness_events import Broke, ServiceCalled, ServiceReplied, ToolReturned
from conformance.trace.messages import Message, parts
from conformance.world.http.face import RUN_HEADER, HttpFace
from conformance.world.scheduling import Order
from conformance.world.script import Script
from conformance.world.world import World

WEATHER = {"weather": ToolSpec(returns="sunny")}
ASK = ReplySpec(calls=(CallSpec(tool="weather", arguments={"city": "Oslo"}), CallSpec(tool="weather", arguments={"city": "Rome"})))
STORING = ServiceSpec(keeps="new_ids", stores_by_default=True)


def world_with(*replies, service=STORING, runs=1):
    world = World(Scenario(agents={"a": AgentSpec(service=service), "b": AgentSpec()}))
    world.scripts += [Script(number, {"a": replies}) for number in range(runs)]
    return world


@pytest.fixture
async def world():
    world = world_with(ReplySpec(text="hello there"), ReplySpec(text="bye"), ReplySpec(error="overloaded"))
    yield world
    await world.close()


def sdk(base_url):
    return openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0)


def of(world, kind):
    return [event for event in world.events if isinstance(event, kind)]


async def test_the_official_sdk_talks_to_a_service_plain_and_streaming(world):
    async with sdk(await world.http.url("a")) as client:
        first = await client.responses.create(model="m", input="hi")
        assert (first.id, first.output_text) == ("resp_a-1", "hello there")
        stream = await client.responses.create(model="m", input="and now?", previous_response_id=first.id, stream=True)
        async with stream:
            last = [event async for event in stream][-1]
        assert (last.type, last.response.id, last.response.output_text) == ("response.completed", "resp_a-2", "bye")
    called = of(world, ServiceCalled)
    assert [(event.conversation_id, event.stream, event.store) for event in called] == [(None, False, None), ("a-1", True, None)]
    assert called[1].held == (Message(role="user", text="hi"), Message(role="assistant", text="hello there"))


async def test_a_scripted_error_is_of_a_status_that_the_sdk_does_not_retry(world):
    world.scripts.append(Script(1, {"a": (ReplySpec(error="overloaded"), ReplySpec(error="overloaded again"))}))
    async with openai.AsyncOpenAI(base_url=await world.http.url("a"), api_key="none", max_retries=2) as client:
        for stream in (False, True):
            with pytest.raises(openai.BadRequestError, match="overloaded"):
                await client.responses.create(model="m", input="hi", stream=stream)
    assert len(of(world, ServiceCalled)) == 2


async def test_an_unkept_response_has_an_id_that_the_service_does_not_know(world):
    async with sdk(await world.http.url("a")) as client:
        response = await client.responses.create(model="m", input="hi", store=False)
        assert response.id == "resp_unkept-1"
        with pytest.raises(openai.BadRequestError, match="no conversation 'foreign-1'"):
            await client.responses.create(model="m", input="hi", previous_response_id=response.id)
    assert world.name_of(response.id, "foreign") == "foreign-1"


async def test_a_service_with_one_id_is_continued_by_its_conversation():
    world = world_with(service=ServiceSpec(keeps="one_id", stores_by_default=True))
    async with sdk(await world.http.url("a")) as client:
        first = await client.responses.create(model="m", input="hi")
        second = await client.responses.create(model="m", input="again", conversation=first.conversation.id)
    await world.close()
    assert first.conversation.id == second.conversation.id == "conv_a-1"
    assert first.id != second.id
    assert [event.conversation_id for event in of(world, ServiceCalled)] == [None, "a-1"]
    assert world.name_of("conv_a-1", "foreign") == "a-1"


async def test_a_request_belongs_to_the_run_that_its_header_names_else_to_the_latest():
    world = world_with(runs=3)
    async with httpx.AsyncClient(trust_env=False, base_url=await world.http.url("a")) as client:
        for headers in ({RUN_HEADER: "0"}, {}, {RUN_HEADER: "1"}):
            await client.post("responses", json={"input": "hi"}, headers=headers)
        wrong = await client.post("responses", json={"input": "hi"}, headers={RUN_HEADER: "3"})
    await world.close()
    assert [event.run for event in of(world, ServiceReplied)] == [0, 2, 1]
    assert wrong.status_code == 400
    assert "the runs so far are 0 to 2" in of(world, Broke)[0].text


@pytest.mark.parametrize(
    ("method", "path", "content", "complaint"),
    [
        ("POST", "responses", b"{", "Input data was truncated"),
        ("POST", "chat/completions", b"{}", "only POST /agents/<agent>/v1/responses is served"),
        ("GET", "responses", b"", "only POST /agents/<agent>/v1/responses is served"),
        ("POST", "../../c/v1/responses", b'{"input": "hi"}', "there is no agent 'c'; one of: a, b"),
    ],
)
async def test_a_request_that_cannot_be_served_ends_the_performance_and_says_why(world, method, path, content, complaint):
    async with httpx.AsyncClient(trust_env=False, base_url=await world.http.url("a")) as client:
        response = await client.request(method, path, content=content)
    assert response.status_code == 400
    assert complaint in response.json()["error"]["message"]
    assert [(event.cause, complaint in event.text) for event in of(world, Broke)] == [("malformed", True)]


async def test_httpx_clients_are_answered_in_process_without_a_connection(world):
    with world.http.mock("a"):
        async with httpx.AsyncClient() as client:
            plain = await client.post("https://api.openai.com/v1/responses", json={"input": "hi"})
            body = {"input": "x", "stream": True, "previous_response_id": plain.json()["id"]}
            async with client.stream("POST", "https://api.openai.com/v1/responses", json=body) as streamed:
                lines = [line async for line in streamed.aiter_lines() if line.startswith("event: ")]
            failed = await client.post("https://api.openai.com/v1/responses", json={"input": "hi"})
            with pytest.raises(AssertionError, match="not mocked"):
                await client.post("https://api.openai.com/v1/embeddings", json={})
    assert plain.json()["output"][0]["content"][0]["text"] == "hello there"
    assert streamed.headers["content-type"] == "text/event-stream"
    assert (lines[0], lines[-1]) == ("event: response.created", "event: response.completed")
    assert (failed.status_code, failed.json()["error"]["message"]) == (400, "overloaded")
    assert [event.conversation_id for event in of(world, ServiceReplied)] == ["a-1", "a-2"]


async def test_closing_cuts_off_what_is_still_being_answered(caplog):
    world = world_with()
    world.scripts.append(Script(1, {}, order=Order(["never", "late"]), label="late"))
    async with httpx.AsyncClient(trust_env=False, base_url=await world.http.url("a")) as client:
        asked = asyncio.create_task(client.post("responses", json={"input": "hi"}))
        async with asyncio.timeout(0.5):
            while not of(world, ServiceCalled):  # noqa: ASYNC110
                await asyncio.sleep(0)
            await world.close()
            assert (await asked).status_code == 400
    assert of(world, ServiceReplied) == []
    assert caplog.records == []


class Forgetful(Reference):
    """Leaves its connections open and its run unfinished."""

    left: ClassVar[list[httpx.AsyncClient]] = []

    async def run(self, agent, thread, turn):
        client = httpx.AsyncClient(trust_env=False, base_url=await self.world.http.url("a"))
        self.left.append(client)
        await client.post("responses", json={"input": "hi"})
        await asyncio.sleep(60)


def test_the_server_ends_with_the_scenario_whatever_happened():
    scenario = Scenario(agents={"a": AgentSpec()}, steps=(CreateThread(thread="t", agent="a"), Run(thread="t", say=("x",))))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trace = perform(scenario, Forgetful, timeout=2.0)
        port = Forgetful.left.pop().base_url.port
        gc.collect()
    assert trace.broken is not None
    assert trace.broken.cause == "timeout"
    assert [str(one.message) for one in caught if f"laddr=('127.0.0.1', {port})" in str(one.message)] == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_scenarios_without_http_never_import_a_server():
    code = (
        "import sys; from conformance.harness.runner import perform; from conformance.reference import Reference;"
        "from conformance.scenario.scenario import *;"
        "perform(Scenario(agents={'a': AgentSpec()}, steps=(CreateThread(thread='t', agent='a'),)), Reference);"
        "print([name for name in ('uvicorn', 'starlette', 'respx', 'httpx') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def perform_wire(*steps, service=STORING, **agent):
    scenario = Scenario(agents={"a": AgentSpec(service=service, tools=WEATHER, **agent)}, steps=steps)
    trace = perform(scenario, AgentFrameworkOpenAI)
    assert trace.broken is None
    return trace.events


def requests(events):
    return [event for event in events if isinstance(event, ServiceCalled)]


@pytest.mark.parametrize(
    ("id_in", "new_ids", "one_id"),
    [
        ("first", ["resp_a-1"] * 3, ["conv_a-1"] * 3),
        ("middle", ["resp_unkept-2", "resp_unkept-2", "resp_a-1"], [None, None, "conv_a-1"]),
        ("last", ["resp_unkept-2", "resp_unkept-2", "resp_a-1"], [None, None, "conv_a-1"]),
        ("provisional", ["resp_a-2", "resp_a-2", "resp_a-1"], ["conv_a-2", "conv_a-2", "conv_a-1"]),
    ],
)
async def test_the_events_of_a_stream_name_its_conversation_where_the_script_says_so(id_in, new_ids, one_id):
    for keeps, expected in (("new_ids", new_ids), ("one_id", one_id)):
        service = ServiceSpec(keeps=keeps, stores_by_default=True)
        world = world_with(ReplySpec(text="hello", id_in=id_in), service=service)
        answered = await world.http.answer("a", b'{"input": "x", "stream": true}', None)
        responses = [event["response"] for event in answered.events if "response" in event]
        named = responses if keeps == "new_ids" else [each["conversation"] for each in responses]
        assert [each and each["id"] for each in named] == expected
        assert keeps == "new_ids" or {each["id"] for each in responses} == {"resp_unkept-1"}
        await world.close()


@pytest.mark.parametrize("stream", [False, True])
def test_a_real_client_keeps_a_local_thread_over_the_wire(stream):
    events = perform_wire(
        CreateThread(thread="t", agent="a"),
        Run(thread="t", say=("one",), stream=stream, replies=(ASK, ReplySpec(text="1"))),
        Run(thread="t", say=("two",), stream=stream),
    )
    returned = [(event.id, event.value) for event in events if isinstance(event, ToolReturned)]
    assert returned == [("call-1", "sunny"), ("call-2", "sunny")]
    sent = requests(events)
    assert [(event.store, event.conversation_id, event.stream) for event in sent] == [(False, None, stream)] * 3
    assert parts(sent[2].messages) == [
        ("user", "one"),
        ("call", "call-1", "weather", '{"city": "Oslo"}'),
        ("call", "call-2", "weather", '{"city": "Rome"}'),
        *[("result", "call-1"), ("result", "call-2")],
        *[("assistant", "1"), ("user", "two")],
    ]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("keeps", ["new_ids", "one_id"])
def test_a_real_client_continues_a_hosted_thread_over_the_wire(stream, keeps):
    events = perform_wire(
        CreateThread(thread="t", agent="a", kind="hosted"),
        Run(thread="t", say=("one",), stream=stream, replies=(ASK, ReplySpec(text="1"))),
        Run(thread="t", say=("two",), stream=stream, conversation_id="own"),
        service=ServiceSpec(keeps=keeps, stores_by_default=True, strict=True),
    )
    ids = [event.conversation_id for event in events if isinstance(event, ServiceReplied)]
    assert ids == (["a-1", "a-2", "a-3"] if keeps == "new_ids" else ["a-1"] * 3)
    assert [(event.store, event.conversation_id) for event in requests(events)] == [(None, id) for id in (None, *ids[:2])]
    assert parts(requests(events)[2].messages) == [("user", "two")]
    described = [event.conversation_id for event in events if isinstance(event, ThreadDescribed)]
    assert described == [None, ids[1], ids[2]]
    assert any(isinstance(event, Chunk) for event in events) is stream


@pytest.mark.parametrize("stream", [False, True])
def test_a_failing_service_fails_the_run_over_the_wire(stream):
    events = perform_wire(
        CreateThread(thread="t", agent="a"),
        Run(thread="t", say=("one",), stream=stream, replies=(ASK, ReplySpec(error="overloaded"))),
    )
    raised = next(event for event in events if isinstance(event, Raised))
    assert (raised.kind, "overloaded" in raised.text, len(requests(events))) == ("service", True, 2)


def test_two_runs_at_once_each_get_their_own_replies_over_the_wire():
    events = perform_wire(
        CreateThread(thread="t", agent="a"),
        CreateThread(thread="u", agent="a"),
        Together(
            runs=(
                Run(thread="t", say=("one",), replies=(ASK, ReplySpec(text="first"))),
                Run(thread="u", say=("two",), stream=True, replies=(ReplySpec(text="second"),)),
            ),
            order=(0, 1, 0),
        ),
    )
    said = {event.run: event.messages[-1].text for event in events if isinstance(event, RunReturned)}
    assert said == {0: "first", 1: "second"}
    assert [event.run for event in events if isinstance(event, ServiceReplied)] == [0, 1, 0]


@pytest.mark.parametrize("stream", [False, True])
def test_what_happens_in_runs_side_by_side_does_not_depend_on_whose_request_arrives_first(stream, monkeypatch):
    both = (Run(thread=thread, say=(thread,), stream=stream, replies=(ASK,)) for thread in ("t", "u"))
    steps = (
        CreateThread(thread="t", agent="a"),
        CreateThread(thread="u", agent="a"),
        Together(runs=tuple(both), order=(1, 0, 0, 1)),
    )
    answer = HttpFace.answer

    def delayed(seconds):
        async def late(self, agent, data, run):
            await asyncio.sleep(seconds[int(run)])
            answered = await answer(self, agent, data, run)
            await asyncio.sleep(seconds[int(run)])
            return answered

        monkeypatch.setattr(HttpFace, "answer", late)
        return perform_wire(*steps)

    first = delayed((0, 0.05))
    assert first == delayed((0.05, 0))
    assert [event.run for event in first if isinstance(event, ServiceCalled)] == [0, 1, 1, 0]
    assert [event.run for event in first if isinstance(event, ServiceReplied)] == [1, 0, 0, 1]
