"""Damage to the data of a thread: only where the data certainly holds the thread's own state, and always visible."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.harness.serialization import damaged
from conformance.scenario.scenario import Damage
from conformance.trace.exchange import ThreadState
from conformance.trace.messages import Call, Message

DATA = {
    "version": 1,
    "sort": "local",
    "log": [{"who": "user", "text": "one"}, {"who": "assistant", "calls": [{"ref": "call-1", "arguments": {"say": "one"}}]}],
    "memory": {"last": "one"},
}
STATE = ThreadState(
    kind="local",
    messages=(Message(role="user", text="one"), Message(role="assistant", calls=(Call(id="call-1", tool="ask"),))),
)


def places(how: Any, data: Any = DATA) -> list[str]:
    """Every place that this damage can be done to, until it begins again with the first."""
    found: list[str] = []
    while True:
        done = damaged(data, Damage(how=how, at=len(found)), STATE, ["memory"])
        assert done is not None
        if done.path in found:
            return found
        found.append(done.path)


def test_only_what_the_harness_knows_to_be_the_threads_is_taken_out():
    known = ["$.sort", "$.log", "$.log[0].who", "$.log[0].text", "$.log[1].who", "$.log[1].calls", "$.log[1].calls[0].ref"]
    assert places("drop") == known
    assert places("cut") == known


def test_values_get_another_type_at_every_depth():
    assert places("retype")[0] == "$"
    assert "$.log[1].calls[0]" in places("retype")
    assert not [path for path in places("retype") if "arguments" in path or "memory" in path or "version" in path]


def test_only_one_of_a_few_legal_words_becomes_an_unknown_one():
    assert places("unknown") == ["$.sort", "$.log[0].who", "$.log[1].who"]


@pytest.mark.parametrize(
    ("damage", "fields", "left"),
    [
        (Damage(how="drop", at=0), ("sort",), {key: value for key, value in DATA.items() if key != "sort"}),
        (Damage(how="cut", at=0), ("sort", "log", "memory"), {"version": 1}),
        (Damage(how="unknown", at=0), ("sort",), {**DATA, "sort": "unheard-of"}),
        (Damage(how="extra", at=0), ("surprise",), {**DATA, "surprise": 1}),
        (Damage(how="retype", at=0), (), "text"),
        (Damage(how="retype", at=1), ("sort",), {**DATA, "sort": {}}),
    ],
)
def test_damage_says_what_it_did_and_spares_the_original(damage: Damage, fields: tuple[str, ...], left: Any):
    before = repr(DATA)
    done = damaged(DATA, damage, STATE, ["memory"])
    assert done is not None
    assert (done.data, done.fields) == (left, fields)
    assert repr(DATA) == before


def test_data_in_which_nothing_is_known_cannot_be_damaged():
    assert damaged({"blob": "xyz"}, Damage(), STATE, []) is None
    assert damaged("local", Damage(how="drop"), STATE, []) is None
