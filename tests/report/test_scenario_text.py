"""Scenarios and events of threads in plain words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from conformance.report.event_text import event_line
from conformance.report.scenario_text import cast_lines, step_lines
from conformance.scenario.files import decode
from conformance.trace.adapter_events import Observed, RunReturned, Serialized
from conformance.trace.exchange import Turn
from conformance.trace.harness_events import Damaged
from conformance.trace.messages import Message

AGENTS: dict[str, Any] = {
    "a": {
        "tools": {"ask": {"agent": "b"}},
        "context": {"memory": {"adds": ["remember"]}, "notes": {"id": "memory"}},
        "observed": True,
        "reduces_to": 3,
    },
    "b": {"service": {"keeps": "one_id"}, "reduces_to": 1},
}
STEPS: Sequence[dict[str, Any]] = (
    {"do": "create_thread", "thread": "t", "agent": "a", "kind": "adaptive"},
    {"do": "create_thread", "thread": "h", "agent": "b", "kind": "hosted", "with_id": True},
    {"do": "run", "thread": "t", "say": ["one"], "agent": "b", "replies": [{"text": "1"}, {"cancelled": True}]},
    {
        "do": "run",
        "thread": "t",
        "say": ["two"],
        "replies": [{"calls": [{"tool": "ask", "arguments": {"task": "this"}}]}],
        "inner": {"b": [{"error": "overloaded"}]},
    },
    {"do": "serialize", "thread": "t"},
    {"do": "restore", "thread": "u", "data": "t"},
    {"do": "restore", "thread": "v", "data": "t", "agent": "b", "damage": {"how": "retype", "at": 2}},
    {"do": "tamper", "thread": "t"},
)


def test_threads_and_agents_read_in_plain_words() -> None:
    scenario = decode(json.dumps({"agents": AGENTS, "steps": STEPS}))
    assert list(cast_lines(scenario)) == [
        "agent a: a service that keeps nothing, tool ask is agent b, context provider memory that adds 'remember', "
        "context provider notes with the id 'memory', something that looks at its threads before and after every run, "
        "a reducer to 3 messages",
        "agent b: a service that keeps conversations under one id, a reducer to 1 message",
    ]
    assert list(step_lines(scenario)) == [
        "create the adaptive thread t on agent a",
        "create the hosted thread h on agent b, with the id of a conversation that its service has already",
        "run t on agent b with 'one'; the service replies '1', then nothing, as the caller cancels the run",
        "run t with 'two'; the service replies call ask{task: 'this'}; inside, agent b replies with the error 'overloaded'",
        "turn t into data",
        "restore u from the data of t",
        "restore v on agent b from the data of t, with a value of another type (place 2)",
        "change every message that the caller handed over to runs on t or got from them",
    ]


def test_events_of_threads_read_in_plain_words() -> None:
    said = (Message(role="user", text="one"),)
    assert event_line(RunReturned(step=1, run=0, messages=said, given=Turn(messages=said, store=True))) == (
        "run returned (messages: [user: 'one']; given: {messages: [user: 'one'], store: yes})"
    )
    assert event_line(Observed(step=1, agent="a", moment="before", kind="local", messages=())) == (
        "observed (agent: 'a'; moment: 'before'; kind: 'local'; messages: [])"
    )
    assert event_line(Serialized(step=1, thread="t", data={"kind": "local", "id": None})) == (
        "serialized (thread: 't'; data: {kind: 'local', id: none})"
    )
    assert event_line(Damaged(step=2, source="t", how="drop", path="$.kind", fields=("kind",))) == (
        "damaged (source: 't'; how: 'drop'; path: '$.kind'; fields: ['kind'])"
    )


def test_where_ids_stand_and_what_is_forgotten_reads_in_plain_words() -> None:
    steps = [
        {"do": "create_thread", "thread": "t", "agent": "a"},
        {
            "do": "run",
            "thread": "t",
            "say": ["one"],
            "replies": [{"text": "1", "id_in": "last"}, {"text": "2", "without_id": True}],
        },
        {"do": "run", "thread": "t", "say": ["two"], "forgotten": True, "replies": [{"text": "3", "id_in": "provisional"}]},
    ]
    told = list(step_lines(decode(json.dumps({"agents": {"a": {}}, "steps": steps}))))
    assert told[1:] == [
        "run t with 'one'; the service replies '1' with its id in the last chunk, then '2' without an id",
        "run t with 'two', its service having forgotten every conversation; the service replies '3' with a provisional id in the "
        "first chunk and its own in the last",
    ]
