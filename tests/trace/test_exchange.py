"""What an adapter hands over has the fields of the event that the harness makes of it."""

from __future__ import annotations

import msgspec
import pytest

from conformance.trace.adapter_events import Chunk, Failed, Idle, Output, RequestPending, ThreadDescribed
from conformance.trace.exchange import ChunkSeen, FailedSeen, IdleSeen, OutputSeen, Pending, ThreadState


@pytest.mark.parametrize(
    ("seen", "event", "own"),
    [
        (ChunkSeen, Chunk, set()),
        (OutputSeen, Output, set()),
        (Pending, RequestPending, set()),
        (IdleSeen, Idle, set()),
        (FailedSeen, Failed, set()),
        (ThreadState, ThreadDescribed, {"thread"}),
    ],
)
def test_what_is_seen_and_its_event_have_the_same_fields(seen, event, own):
    fields = {field.name for field in msgspec.structs.fields(event)} - {"step", "run"} - own
    assert {field.name for field in msgspec.structs.fields(seen)} == fields
