"""What no rule can see of the reference: its serialized form, its reducer, and whether its caller really can do damage."""

from __future__ import annotations

import json
from dataclasses import fields
from importlib.resources import files
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance import reference
from conformance.harness.runner import perform
from conformance.json_errors import path_to
from conformance.reference import thread_json
from conformance.reference.client import closed
from conformance.reference.errors import Invalid
from conformance.reference.history_stores import reduced
from conformance.reference.implementation import Caller, Reference
from conformance.reference.thread import Stretch, Thread
from conformance.reference.thread_json import ThreadData, ThreadForm
from conformance.scenario.scenario import CreateThread, Respond, Run, Scenario, Serialize, Step
from conformance.scenario.specs import AgentSpec, CallSpec, ContextSpec, ReplySpec, ServiceSpec, ToolSpec
from conformance.trace.adapter_events import Raised, Serialized, ThreadDescribed
from conformance.trace.exchange import Response, Turn
from conformance.trace.harness_events import Cancelled, ContextInvoked, ServiceCalled
from conformance.trace.messages import Call, Message, Result
from conformance.trace.trace import Trace

FORM = ThreadForm()


def test_the_reference_can_be_read_in_one_sitting():
    lines = sum(
        len(path.read_text(encoding="utf-8").splitlines()) for path in files(reference).iterdir() if path.name.endswith(".py")
    )
    assert lines <= 2600


def _traced(agents: dict[str, AgentSpec], *steps: Step) -> Trace:
    trace = perform(Scenario(agents=agents, steps=steps), Reference)
    assert trace.broken is None
    return trace


# the serialized form


def _documents() -> list[Any]:
    """Data of real threads: with calls and context state; hosted; adaptive; waiting and half decided; shared by two agents."""
    weather = ReplySpec(text="let me see", calls=(CallSpec(tool="weather", arguments={"city": "Paris"}),))
    pay = CallSpec(tool="pay")
    agents = {
        "a": AgentSpec(tools={"weather": ToolSpec(), "pay": ToolSpec(approval=True)}, context={"m": ContextSpec()}),
        "h": AgentSpec(service=ServiceSpec(keeps="new_ids"), context={"m": ContextSpec(), "n": ContextSpec()}),
        "p": AgentSpec(history="provider"),
    }
    steps = (
        CreateThread(thread="t", agent="a"),
        Run(thread="t", say=("how is it in Paris?",), replies=(weather,)),
        Serialize(thread="t"),
        CreateThread(thread="u", agent="h", kind="hosted"),
        Run(thread="u", say=("hello",)),
        Serialize(thread="u"),
        CreateThread(thread="v", agent="h", kind="adaptive"),
        Serialize(thread="v"),
        CreateThread(thread="w", agent="a"),
        Run(thread="w", say=("pay twice",), replies=(ReplySpec(calls=(pay, pay)),)),
        Respond(request=0),
        Serialize(thread="w"),
        CreateThread(thread="x", agent="p"),
        Run(thread="x", say=("one",)),
        Run(thread="x", say=("two",), agent="a"),
        Serialize(thread="x"),
    )
    trace = _traced(agents, *steps)
    return [event.data for event in trace.events if isinstance(event, Serialized)]


DOCUMENTS = _documents()
_LEGAL: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(["kind", "key", "role", "text", "id", "tool", "value"], (str,)),
    **dict.fromkeys(["conversation_id", "service", "author", "place"], (str, type(None))),
    **dict.fromkeys(["messages", "trail", "waiting", "calls", "results"], (list,)),
    **dict.fromkeys(["context", "decisions", "arguments", "open"], (dict,)),
    **dict.fromkeys(["fixed", "detached", "error"], (bool,)),
    "count": (int,),
}
"""The JSON types that a field may have."""
_WORDS = {"kind": ("local", "hosted", "adaptive"), "role": ("system", "user", "assistant", "tool")}
_OPEN = ("context", "decisions", "arguments", "open")
"""Fields whose own fields may be called anything."""

Path = tuple[str | int, ...]


def _objects(node: Any, path: Path = ()) -> list[tuple[Path, dict[str, Any]]]:
    """Every object with fields of the form's own, with its path."""
    if isinstance(node, list):
        return [found for place, item in enumerate(node) for found in _objects(item, (*path, place))]
    if not isinstance(node, dict):
        return []
    inside = [found for key, value in node.items() if key not in _OPEN for found in _objects(value, (*path, key))]
    return [(path, node), *inside]


@st.composite
def damaged_documents(draw: st.DrawFn) -> tuple[Any, str, str]:
    """A real document with one fault, what was done to it, and the path by which an error must call the place."""
    document = json.loads(json.dumps(draw(st.sampled_from(DOCUMENTS))))
    path, node = draw(st.sampled_from(_objects(document)))
    words = [field for field in ("kind", "role") if field in node]
    how = draw(st.sampled_from(["dropped", "cut", "retyped", "extra", *(["unknown"] if words else [])]))
    field = draw(st.sampled_from(list(node)))
    match how:
        case "dropped":
            del node[field]
        case "cut":
            for gone in list(node)[list(node).index(field) :]:
                del node[gone]
        case "retyped":
            values = [None, True, 7, 1.5, "text", [], {}, [1], {"a": 1}]
            node[field] = draw(st.sampled_from([value for value in values if type(value) not in _LEGAL[field]]))
        case "unknown":
            field = words[0]
            node[field] = draw(st.text().filter(lambda word: word not in _WORDS[field]))
        case _:
            field = draw(st.text().filter(lambda name: name not in node))
            node[field] = draw(st.sampled_from([None, 1, "text"]))
    place = "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return document, how, path_to(place, field)


@settings(max_examples=1000, deadline=None)
@given(damaged_documents())
def test_damaged_thread_data_is_refused_and_the_field_is_named(damaged: tuple[Any, str, str]) -> None:
    document, how, place = damaged
    with pytest.raises(Invalid) as refused:
        FORM.read(document)
    assert f"{place}: " in str(refused.value), how


@pytest.mark.parametrize("data", [None, True, 3, "thread", [], {}, [{}], b"thread", {1: 2}, {"kind": {1, 2}}, Thread(key="t")])
def test_what_is_no_thread_data_at_all_is_refused(data: Any) -> None:
    with pytest.raises(Invalid):
        FORM.read(data)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"conversation_id": "a-1"}, r"\$\.conversation_id"),
        ({"service": "a"}, r"\$\.service"),
        ({"kind": "hosted"}, r"\$\.service"),
        ({"kind": "adaptive", "fixed": True}, r"\$\.fixed"),
        ({"trail": [{"place": None, "count": -1}]}, r"\$\.trail\[0\]\.count"),
        ({"decisions": {"call-9": True}}, r"\$\.decisions\['call-9'\]"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(Invalid, match=named):
        FORM.read({**DOCUMENTS[0], **changed})


TEXT = st.text(max_size=8)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner))
CALLS = st.builds(Call, id=TEXT, tool=TEXT, arguments=st.dictionaries(TEXT, JSON, max_size=2))
MESSAGES = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    text=TEXT,
    author=st.none() | TEXT,
    calls=st.lists(CALLS, max_size=2).map(tuple),
    results=st.lists(st.builds(Result, id=TEXT, value=TEXT, error=st.booleans()), max_size=2).map(tuple),
)


@st.composite
def threads(draw: st.DrawFn) -> Thread:
    """Any thread that can be."""
    kind = draw(st.sampled_from(["local", "hosted", "adaptive"]))
    waiting = draw(st.lists(CALLS, max_size=2))
    return Thread(
        key=draw(TEXT),
        kind=kind,
        conversation_id=draw(st.none() | TEXT) if kind == "hosted" else None,
        service=draw(TEXT) if kind == "hosted" else None,
        messages=draw(st.lists(MESSAGES, max_size=3)),
        trail=draw(st.lists(st.builds(Stretch, st.none() | TEXT, st.integers(0, 9)), max_size=2)),
        context=draw(st.dictionaries(TEXT, st.dictionaries(TEXT, JSON, max_size=2), max_size=2)),
        fixed=kind != "adaptive" and draw(st.booleans()),
        detached=draw(st.booleans()),
        waiting=waiting,
        decisions={call.id: draw(st.booleans()) for call in waiting[:1]},
        open=draw(st.dictionaries(TEXT, st.lists(TEXT, max_size=2), max_size=2)),
    )


@given(threads())
def test_a_thread_survives_the_round_trip_whole_and_as_plain_json(thread: Thread) -> None:
    data = FORM.write(thread)
    assert json.loads(json.dumps(data)) == data
    assert FORM.read(data) == thread


def test_every_field_of_a_thread_is_written_and_documented() -> None:
    assert {field.name for field in fields(Thread)} == {field.name for field in msgspec.structs.fields(ThreadData)}
    forms = [ThreadData, thread_json.MessageData, thread_json.CallData, thread_json.ResultData, thread_json.StretchData]
    every = [field for form in forms for field in msgspec.structs.fields(form)]
    assert [field.name for field in every if f"`{field.name}`" not in (thread_json.__doc__ or "")] == []
    assert [field.name for field in every if not field.required] == []


def test_neither_the_thread_nor_the_data_changes_with_the_other() -> None:
    state = {"m": {"seen": [1]}}
    arguments = {"cities": ["Paris"]}
    thread = Thread(
        key="t", context=state, messages=[Message(role="assistant", calls=(Call(id="1", tool="x", arguments=arguments),))]
    )
    data = FORM.write(thread)
    text = json.dumps(data)
    state["m"]["seen"].append(2)
    arguments["cities"].append("Rome")
    assert json.dumps(data) == text
    restored = FORM.read(data)
    restored.context["m"]["seen"].append(3)
    restored.messages[0].calls[0].arguments["cities"].append("Oslo")
    assert json.dumps(data) == text


# the reducer


@st.composite
def histories(draw: st.DrawFn) -> list[Message]:
    """A well-formed history: inputs, answers, and calls with one or two results, in one message or in two."""
    history: list[Message] = []
    for turn in range(draw(st.integers(0, 5))):
        history.append(Message(role="user", text=f"input {turn}"))
        for call in range(draw(st.integers(0, 2))):
            ids = [f"{turn}.{call}.{place}" for place in range(draw(st.integers(1, 2)))]
            history.append(Message(role="assistant", calls=tuple(Call(id=id, tool="x") for id in ids)))
            together = draw(st.booleans())
            results = [Result(id=id) for id in ids]
            history += [
                Message(role="tool", results=tuple(each)) for each in ([results] if together else [[one] for one in results])
            ]
        history.append(Message(role="assistant", text=f"answer {turn}"))
    return history


@given(histories(), st.integers(1, 3), st.integers(1, 12))
def test_a_reduced_history_is_a_bounded_end_that_splits_no_call_from_its_result(
    history: list[Message], inputs: int, most: int
) -> None:
    new = [Message(role="user", text="now")] * inputs
    kept = list(reduced(history, new, most))
    assert kept == history[len(history) - len(kept) :]
    assert len(kept) + len(new) <= max(most, len(new))
    assert {call.id for message in kept for call in message.calls} == {each.id for message in kept for each in message.results}
    if len(history) + len(new) <= most:
        assert kept == history


def test_a_call_that_the_new_input_answers_is_kept_although_there_is_no_room() -> None:
    history = [Message(role="user", text="go"), Message(role="assistant", calls=(Call(id="1", tool="x"),))]
    assert reduced(history, [Message(role="tool", results=(Result(id="1"),))], 1) == (history[1],)


def test_a_call_whose_id_comes_back_is_not_closed_by_the_result_of_the_later_one() -> None:
    asks = Message(role="assistant", calls=(Call(id="1", tool="x"),))
    answers = Message(role="tool", results=(Result(id="1", value="done"),))
    lost = Message(role="tool", results=(Result(id="1", value="interrupted", error=True),))
    assert closed([asks, asks, answers], []) == [asks, lost, asks, answers]
    assert closed([asks, asks], [answers]) == [asks, lost, asks]
    assert closed([asks, answers, asks, answers], []) == [asks, answers, asks, answers]


# runs


def test_a_thread_that_agents_with_different_stores_share_keeps_its_order() -> None:
    agents = {"a": AgentSpec(history="provider"), "b": AgentSpec(), "c": AgentSpec(history="provider", per_service_call=True)}
    turns = [Run(thread="t", say=(f"input {place}",), agent=agent) for place, agent in enumerate("abcabcb")]
    trace = _traced(agents, CreateThread(thread="t", agent="a"), *turns)
    last = [event for event in trace.events if isinstance(event, ServiceCalled)][-1]
    assert [message.text for message in last.messages if message.role == "user"] == [f"input {place}" for place in range(7)]
    assert len(last.messages) == 13


def test_a_service_that_stops_naming_the_conversation_within_a_first_run_does_not_pass_for_none() -> None:
    replies = (ReplySpec(calls=(CallSpec(tool="weather"),)), ReplySpec(text="sunny", without_id=True))
    agent = AgentSpec(service=ServiceSpec(keeps="new_ids", stores_by_default=True), tools={"weather": ToolSpec()})
    trace = _traced(
        {"a": agent}, CreateThread(thread="t", agent="a", kind="adaptive"), Run(thread="t", say=("hello",), replies=replies)
    )
    assert [event.kind for event in trace.events if isinstance(event, Raised)] == ["service"]
    assert [event.kind for event in trace.events if isinstance(event, ThreadDescribed)] == ["adaptive", "adaptive"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_cancelled_run_is_over_when_its_caller_hears_of_it(stream: bool) -> None:
    step = Run(thread="t", say=("hello",), stream=stream, replies=(ReplySpec(cancelled=True),))
    trace = _traced({"a": AgentSpec(context={"m": ContextSpec()})}, CreateThread(thread="t", agent="a"), step)
    told = [type(event) for event in trace.events if isinstance(event, (ContextInvoked, Cancelled))]
    assert told == [ContextInvoked, Cancelled]


def test_the_caller_really_changes_what_it_owns_and_nothing_that_is_recorded() -> None:
    """A tampering that changes nothing would let every thread pass."""
    caller, thread = Caller(), Thread(key="t")
    asked = caller.asks(thread, Turn(messages=(Message(role="user", text="hello"),)))
    response = Response(messages=(Message(role="tool", results=(Result(id="1", value="sunny"),)),))
    seen = caller.got(thread, asked, response)
    caller.tamper(thread, "x")
    assert asked.messages[0].text == response.messages[0].text == response.messages[0].results[0].value == "x"
    assert seen.messages[0].results[0].value == "sunny"
    assert seen.given == Turn(messages=(Message(role="user", text="hello"),))
