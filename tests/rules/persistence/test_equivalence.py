"""PER-17 and PER-18 on traces written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from kept import ASKS, DECORATED, PER_CALL, STOPPED, STOPS, SUNNY, TOOLS
from talks import NEW_IDS
from written import Said, Written, broken, calls, holds, left_alone, results

from conformance.scenario.scenario import CreateThread, Run, Scenario
from conformance.scenario.specs import AgentSpec, ReplySpec, ServiceSpec
from conformance.trace.harness_events import Abandoned
from conformance.trace.messages import Message

THREE = (ReplySpec(), ReplySpec(), ReplySpec())
"""As many replies as a run needs here; what they say stands in the traces."""

OTHERS, RAINY = calls("c2", weather={}), results(c2="sunny")
"""The same call and its result, as the second thread's service numbers it."""


def pair(first: dict[str, Any], second: dict[str, Any], *said: str, kind: Any = "local", **run: Any) -> Scenario:
    """Threads t of agent a and u, of a kind, of agent b, with one script: a run that says "one" where nothing else is given."""
    agents = {name: AgentSpec(history="provider", tools=TOOLS, **spec) for name, spec in (("a", first), ("b", second))}
    made = (CreateThread(thread="t", agent="a"), CreateThread(thread="u", agent="b", kind=kind))
    runs = [Run(thread=thread, say=(each,), replies=THREE, **run) for each in said or ("one",) for thread in ("t", "u")]
    return Scenario(agents=agents, steps=(*made, *runs))


# --- PER-17 ---


def hosted_pair(*said: str, a: dict[str, Any] = PER_CALL, service: ServiceSpec = NEW_IDS, **run: Any) -> Written:
    """A local thread that is kept per call, and a hosted one; the trace ends before their runs."""
    return Written(pair(a, {"service": service}, *said, kind="hosted", **run))


def kept_by_service(written: Written) -> Written:
    """The run on u, with a tool, goes as it should: the service keeps the new input, both replies and the result between them."""
    written.run("u").called("one", agent="b").replied(OTHERS, agent="b", conversation_id="b-1", kept=True).tool("c2", agent="b")
    return written.called(RAINY, agent="b").replied("1", agent="b", conversation_id="b-2", kept=True).returned("1")


def stored(*appended: Said) -> Written:
    """The run on t stores this, the pair's what it should."""
    written = hosted_pair().run("t").called("one").replied(ASKS).tool("c1").called("one", ASKS, SUNNY).replied("1")
    return kept_by_service((written.appended(*appended) if appended else written).returned("1"))


def test_per_17_holds_where_what_is_stored_is_the_transcript():
    assert holds(stored("one", ASKS, SUNNY, "=1"), "PER-17")


@pytest.mark.parametrize(
    ("appended", "aspect"),
    [
        ((), "missing"),
        (("one", ASKS, "=1"), "missing"),
        (("one", "one", ASKS, SUNNY, "=1"), "repeated"),
        (("one", ASKS, SUNNY, "=1", Message(role="assistant")), "foreign"),
        (("one", "=1", ASKS, SUNNY), "order"),
    ],
)
def test_per_17_breaks(appended, aspect):
    assert broken(stored(*appended), "PER-17") == {aspect}


def test_per_17_breaks_where_a_result_is_stored_that_no_service_was_sent():
    written = hosted_pair(a=DECORATED).run("t").called("one").replied(STOPS).tool("c1", "stop", "stopped", terminated=True)
    written.appended("one", STOPS, STOPPED).returned(STOPS)
    asks = calls("c2", stop={})
    written.run("u").called("one", agent="b").replied(asks, agent="b", conversation_id="b-1", kept=True)
    written.tool("c2", "stop", "stopped", agent="b", terminated=True).returned(asks)
    assert broken(written, "PER-17") == {"trailing result"}


@pytest.mark.parametrize(("b", "aspects"), [({}, set()), (PER_CALL, {"foreign"})])
def test_per_17_compares_up_to_a_failure_where_the_hosted_thread_follows_ids_at_the_end_of_runs_only(b, aspects):
    written = Written(pair(PER_CALL, {"service": NEW_IDS, **b}, "one", "two", kind="hosted"))
    written.run("t").called("one").failed().raised("service")
    written.run("u").called("one", agent="b").failed(agent="b").raised("service")
    written.run("t").called("two").replied("2").appended("two", "=2").returned("2")
    nothing_is_kept = written.run("u").called("two", agent="b").replied("2", agent="b").returned("2")
    assert broken(nothing_is_kept, "PER-17") == aspects


def test_per_17_compares_no_threads_that_are_kept_otherwise():
    assert not kept_by_service(hosted_pair(a={}).run("t").called("one")).findings("PER-17")
    local = Written(pair(PER_CALL, {}))
    assert not kept_by_service(local.run("t").called("one")).findings("PER-17")


def both_ran(written: Written, end: Any = None, **begun: Any) -> Written:
    """A run on t, which ends like this, and one on u."""
    written = written.run("t", **begun).called("one")
    written = written.event(end, chunks=1) if end else written.replied("1").returned("1")
    return kept_by_service(written)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (both_ran(hosted_pair(service=ServiceSpec(keeps="new_ids", repeats_call_ids=True))), "number calls differently"),
        (both_ran(hosted_pair(), Abandoned), "cut off"),
        (both_ran(hosted_pair(load_fails=0)), "with a failing provider"),
        (both_ran(hosted_pair(append_fails=0)), "with a failing provider"),
        (both_ran(hosted_pair(background=True)), "partly in background"),
        (both_ran(hosted_pair(), supplied=SUNNY.results), "supplied differently"),
    ],
)
def test_per_17_leaves_alone(written, name):
    assert left_alone(written, "PER-17") == {name}


# --- PER-18 ---


def both_modes(*appended: Said, ending: Any = "returned", first: dict[str, Any] | None = None) -> Written:
    """A run on t, kept per run, stores what it should; the one on u, kept per call, stores this."""
    written = Written(pair(first or {}, PER_CALL)).run("t").called("one").replied(ASKS).tool("c1")
    written.called("one", ASKS, SUNNY).replied("1").appended("one", ASKS, SUNNY, "=1").returned("1")
    written.run("u").called("one", agent="b").replied(OTHERS, agent="b").tool("c2", agent="b")
    written.called(RAINY, agent="b").replied("1", agent="b")
    written = written.appended(*appended, agent="b", key="history-2") if appended else written
    return written.returned("1") if ending == "returned" else written.raised(ending)


def test_per_18_holds_where_both_modes_store_the_same():
    assert holds(both_modes("one", OTHERS, RAINY, "=1"), "PER-18")
    assert holds(both_modes("one", OTHERS, RAINY, "=1", first={"client_as_is": True}), "PER-18")


@pytest.mark.parametrize(
    ("appended", "aspect"),
    [
        ((), "missing"),
        (("one", OTHERS, RAINY, "=1", "=1"), "repeated"),
        (("one", OTHERS, RAINY, "=1", "=2"), "foreign"),
        (("one", "=1", OTHERS, RAINY), "order"),
    ],
)
def test_per_18_breaks(appended, aspect):
    assert broken(both_modes(*appended), "PER-18") == {aspect}


def test_per_18_compares_until_a_run_ends_otherwise():
    assert not both_modes(ending="service").findings("PER-18")


def test_per_18_compares_no_threads_of_other_cells():
    assert not both_modes(first=PER_CALL).findings("PER-18")
