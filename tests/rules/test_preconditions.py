"""The shared selections and conditions: for each condition a run that meets it and one that does not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from flows import flow
from kept import ASKS, BARE, PER_CALL, STOPS, SUNNY, TOOLS
from talks import NEW_IDS, ONE_ID, SURPRISING, run, talk
from written import Written

from conformance.rules import preconditions
from conformance.rules.condition import Condition
from conformance.rules.execution_view import ExecutionView
from conformance.rules.preconditions import RequestView
from conformance.scenario.scenario import Respond, Restore, Run, Serialize
from conformance.scenario.specs import AgentSpec, ServiceSpec
from conformance.trace.adapter_events import Restored, Serialized
from conformance.trace.harness_events import Abandoned, Broke, Cancelled, ConversationsForgotten, HistoryFailed, Refused

# --- runs ---


def asked(kind: str = "local", *runs: Run, **agent: Any) -> Written:
    """The first run on t has sent its request."""
    return Written(talk(kind, *runs, **agent)).run("t").called("x")


def went(written: Written | None = None, id: str | None = None, *, agent: str = "a") -> Written:
    """A run on t succeeds, with an id or without one."""
    begun = written or Written(talk())
    return begun.run("t").called("x", agent=agent).replied("y", agent=agent, conversation_id=id).returned("y")


def on_hosted() -> Written:
    return went(Written(talk("hosted", service=NEW_IDS)), "a-1")


def failed(kind: str = "local", **agent: Any) -> Written:
    return asked(kind, **agent).failed().raised("service")


def storing() -> Written:
    return Written(talk("local", run("one", store=True), run("two"), service=ONE_ID))


def waits() -> Written:
    """The run waits for an answer, and gets one if the scenario goes on."""
    return asked("local", run("one"), Respond(), run("two"), tools=TOOLS).replied(ASKS).pending(id="c1")


def resumed() -> Written:
    return waits().answered(0).called("x", ASKS, SUNNY)


def stopped(agent: str = "a") -> Written:
    """A tool of an agent ends the loop."""
    return asked(tools=TOOLS).replied(STOPS).tool("c1", "stop", "stopped", terminated=True, agent=agent).returned(STOPS)


def limited(limit: int) -> Written:
    return asked(tools=TOOLS, limit=limit).replied(ASKS).tool("c1").called("x", ASKS, SUNNY).replied("y").returned("y")


def left_open(*runs: Run) -> Written:
    """The service fails between a call and its result, and the next run begins."""
    return asked("local", *runs, tools=TOOLS).replied(ASKS).failed().raised("service").run("t")


def without_history() -> Written:
    return asked().event(HistoryFailed, agent="a", key="k", operation="append", text="no").raised("provider")


def forked(kind: str = "local", **agent: Any) -> Written:
    """The thread t becomes data, of which u is made; t goes on before u does."""
    copy = Run(thread="u", say=("three",))
    scenario = talk(kind, run("one"), Serialize(thread="t"), Restore(thread="u", data="t"), run("two"), copy, **agent)
    written = went(Written(scenario)).step(2).event(Serialized, thread="t").step(3).event(Restored, thread="u", source="t")
    return went(written).run("u").called("x").replied("y").returned("y")


def then(first: Run, second: Run, *, b: AgentSpec | None = None, **agent: Any) -> Written:
    """Two runs succeed on t."""
    written = Written(talk("local", first, second, b=b, **agent))
    return went(went(written, agent=first.agent or "a"), agent=second.agent or "a")


ON_B = run("two", agent="b")

# --- conditions of runs ---

MET_AND_NOT: list[tuple[str, Written, Written]] = [
    ("on_local_thread", went(), on_hosted()),
    ("on_hosted_thread", on_hosted(), went()),
    ("on_adaptive_thread", went(Written(talk("adaptive"))), went(went(Written(talk("adaptive"))))),
    ("contradicting", storing().run("t").raised("conflict"), went()),
    ("after_a_contradiction", went(went(storing())), went(storing().run("t").raised("conflict"))),
    ("forked", forked(history="provider"), forked()),
    ("forked", forked("hosted", service=ONE_ID), forked("hosted", service=NEW_IDS)),
    ("forked", forked(service=ServiceSpec(keeps="one_id", surprising=True)), forked(service=ONE_ID)),
    ("interrupting", waits().run("t", step=3).called("x"), went(resumed().replied("y").returned("y"))),
    ("refused_while_one_waits", waits().run("t", step=3).raised("invalid"), waits().run("t", step=3).raised("conflict")),
    ("refused_while_one_waits", waits().run("t", step=3).raised("invalid"), waits().run("t", step=3).called("x")),
    ("refused_for_an_open_call", left_open().raised("invalid", "c1 is open"), left_open().raised("invalid", "no")),
    ("refused_for_an_open_call", left_open().raised("invalid", "weather"), left_open().called("x").raised("invalid", "weather")),
    ("surprising_service", asked(service=SURPRISING), asked(service=NEW_IDS)),
    ("callers_history", asked(**BARE), asked(**PER_CALL)),
    ("with_provider", asked(history="provider"), asked()),
    ("bounded_history", asked(reduces_to=2), asked()),
    ("persisted_per_run", asked(), asked(**PER_CALL)),
    ("persisted_per_run", asked("local", run("one", background=True), **PER_CALL), asked(**BARE)),
    ("persisted_per_call", asked(**PER_CALL), asked("local", run("one", background=True), **PER_CALL)),
    ("client_as_is", asked(client_as_is=True), asked()),
    ("failed_after_a_request", failed(), Written(talk()).run("t").raised("invalid")),
    ("brought_an_id", on_hosted(), went()),
    ("called_the_service", failed(), Written(talk()).run("t").raised("invalid")),
    ("succeeded", went(), failed()),
    ("resumed", resumed(), waits()),
    ("terminated", stopped(), stopped(agent="b")),
    ("cut_short", limited(1), limited(2)),
    ("ended_unknown", asked().event(Broke, cause="timeout", text="late"), failed()),
    ("inexpressible", Written(talk()).run("t").event(Refused, text="no word for it"), failed()),
    ("waiting", waits(), resumed()),
    ("abandoned", asked().event(Abandoned, chunks=1), asked().event(Cancelled)),
    ("history_failed", without_history(), failed()),
    ("failed_after_an_answer", resumed().failed().raised("service"), resumed().replied("y").returned("y")),
    ("failed_after_an_answer", resumed().event(Cancelled), failed()),
    ("failed_before_it_had_a_kind", failed("adaptive", **PER_CALL), failed("adaptive")),
    ("failed_before_it_had_a_kind", failed("adaptive", **PER_CALL), failed("local", **PER_CALL)),
    ("after_another_history", then(run("one"), ON_B, b=AgentSpec(history="provider")), then(run("one"), ON_B, b=AgentSpec())),
]


def met(name: str, written: Written) -> bool:
    """Whether the last run meets a condition."""
    view = written.view
    return getattr(preconditions, name)(view, view.runs[-1])


@pytest.mark.parametrize(("name", "so", "not_so"), MET_AND_NOT)
def test_a_condition_is_met_or_not(name, so, not_so):
    assert met(name, so)
    assert not met(name, not_so)


def test_a_run_is_overtaken_where_another_one_came_before_its_answer():
    later = waits().run("t", step=3).called("x").replied("y").returned("y").within(0, step=2).called("x", ASKS, SUNNY).view
    assert [preconditions.overtaken(later, each) for each in later.runs] == [True, False]


@pytest.mark.parametrize(
    ("forgetful", "named", "so"), [("a", None, True), ("a", "a-1", False), ("b", None, False)], ids=["anew", "in vain", "another's"]
)
def test_a_request_begins_anew_where_the_conversation_is_forgotten_and_none_is_named(forgetful, named, so):
    later = on_hosted().run("t").event(ConversationsForgotten, agent=forgetful).called("x", conversation_id=named).view
    (call,) = later.runs[-1].calls
    assert preconditions.begins_anew(later, RequestView(later.runs[-1], 0, call)) is so
    in_vain = preconditions.goes_on_in_vain(later, RequestView(later.runs[-1], 0, call))
    assert in_vain is (forgetful == "a" and not so)


def test_every_condition_is_tried():
    tried = {name for name, _, _ in MET_AND_NOT} | {
        "answered",
        "begins_anew",
        "failed_at_an_undeclared_time",
        "goes_on_in_vain",
        "overtaken",
    }
    shared = {name for name, value in vars(preconditions).items() if isinstance(value, Condition) and not name.startswith("_")}
    assert shared == tried


@pytest.mark.parametrize(
    ("written", "declared", "so"),
    [
        (failed(), (), True),
        (failed(), ("history.per_run",), False),
        (failed(), ("history.per_service_call",), True),
        (failed(**PER_CALL), ("history.per_run",), True),
        (failed(**PER_CALL), ("history.per_service_call",), False),
        (went(), (), False),
        (Written(talk()).run("t").raised("invalid"), (), False),
    ],
)
def test_a_run_fails_at_an_undeclared_time(written, declared, so):
    view = ExecutionView(written.scenario, msgspec.structs.replace(written.trace, capabilities=declared))
    assert preconditions.failed_at_an_undeclared_time(view, view.runs[-1]) == so


# --- conditions of earlier runs ---


@pytest.mark.parametrize(
    ("written", "after", "next_after"),
    [
        (went(went()), False, False),
        (went(failed()), True, True),
        (went(went(Written(talk("local", *map(run, "abc"))).run("t").raised("service"))), True, False),
        (failed(), False, False),
    ],
)
def test_a_condition_is_asked_of_earlier_runs(written, after, next_after):
    view, wrong = written.view, ~preconditions.succeeded
    assert preconditions.after(wrong)(view, view.runs[-1]) == after
    assert preconditions.next_after(wrong)(view, view.runs[-1]) == next_after


def test_what_is_asked_of_earlier_runs_says_so():
    assert preconditions.after(preconditions.waiting).name == "after waiting"
    assert preconditions.next_after(preconditions.waiting).name == "next after waiting"


@pytest.mark.parametrize(
    ("written", "known"),
    [
        (went(went()), True),
        (went(failed()), True),
        (went(storing()), True),
        (asked(**BARE), False),
        (forked(history="provider"), False),
        (went(asked().event(Abandoned, chunks=1)), False),
        (went(waits()), False),
        (then(run("one"), ON_B, b=AgentSpec(history="provider")), False),
    ],
)
def test_what_local_history_is_can_be_known_or_not(written, known):
    view = written.view
    assert preconditions.history_known(view, view.runs[-1]) == known


# --- requests ---


def test_the_requests_of_runs_on_threads_are_looked_at():
    view = resumed().replied("y").view
    found = list(preconditions.request(view))
    assert [(each.run.number, each.place, each.call.at) for each in found] == [(0, 0, 1), (0, 1, 4)]
    assert [preconditions.answered(view, each) for each in found] == [True, True]
    view = failed().view
    assert [preconditions.answered(view, each) for each in preconditions.request(view)] == [False]
    assert list(preconditions.request(Written(flow()).run().called("go").view)) == []


def test_a_condition_of_a_run_is_asked_of_its_requests():
    view = on_hosted().view
    local, hosted = preconditions.of_run(preconditions.on_local_thread, preconditions.on_hosted_thread)
    asking = RequestView(view.runs[0], 0, view.runs[0].calls[0])
    assert (local(view, asking), hosted(view, asking)) == (False, True)


def test_runs_on_threads_are_looked_at_where_the_adapter_could_express_them():
    assert [each.number for each in preconditions.thread_run(went(failed()).view)] == [0, 1]
    view = went(Written(talk()).run("t").event(Refused, text="no word for it")).view
    assert [each.number for each in preconditions.thread_run(view)] == [1]
    assert list(preconditions.thread_run(Written(flow()).run().view)) == []


def test_the_whole_execution_is_one_subject():
    view = went().view
    assert list(preconditions.whole_execution(view)) == [view]
