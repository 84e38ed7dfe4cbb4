"""ORC-50 on traces written by hand."""

from __future__ import annotations

from flows import flow, in_turn, left_to_author, run, waited
from written import Written, broken, holds, taken_away

from conformance.trace.harness_events import Abandoned, Broke, Refused


def stuck(written: Written, cause: str = "deadlock") -> Written:
    return written.event(Broke, cause=cause, text="it waits")


def test_orc_50_holds():
    assert holds(in_turn(flow()).completed("B"), "ORC-50")
    assert holds(in_turn(flow(runs=(run(as_agent=True),))).returned("B"), "ORC-50")
    assert holds(Written(flow()).run().called("go").failed().raised(), "ORC-50")
    assert holds(Written(flow()).run().called("go").pending(tool="pay"), "ORC-50")
    assert holds(waited().completed("B"), "ORC-50")


def test_orc_50_breaks():
    assert broken(stuck(Written(flow()).run().called("go")), "ORC-50") == {"deadlock"}
    assert broken(stuck(waited()), "ORC-50") == {"deadlock"}
    assert broken(Written(flow()).run().called("go").failed().idle(), "ORC-50") == {"empty-handed"}
    left = Written(flow(runs=(run(stream=True, abandons=1),))).run().called("go").chunk("A").event(Abandoned, chunks=1)
    assert broken(stuck(left), "ORC-50") == {"deadlock"}


def test_orc_50_says_nothing_of_runs_that_nobody_awaits():
    assert not Written(flow()).run().event(Refused, text="no").findings("ORC-50")
    assert not Written(flow(runs=(run(stream=True, abandons=1),))).run().event(Abandoned, chunks=1).findings("ORC-50")


def test_orc_50_leaves_alone():
    assert {finding.holds for finding in left_to_author().findings("ORC-50")} == {True}
    assert taken_away(left_to_author(), "ORC-50") == {"left to author"}
