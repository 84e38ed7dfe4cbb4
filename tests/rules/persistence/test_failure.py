"""PER-19 to PER-25 on traces written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from kept import ASKS, BARE, PER_CALL, STOPS, SUNNY, begun, kept, stopped, turn
from talks import SURPRISING, run, talk
from written import Said, Written, broken, calls, holds, left_alone, message, results, taken_away

from conformance.scenario.scenario import Respond, Scenario
from conformance.scenario.specs import ContextSpec
from conformance.trace.harness_events import Abandoned, Cancelled, ContextInvoked, ContextInvoking, HistoryFailed

FIRST: tuple[Said, ...] = ("one", ASKS)
"""What the first of two calls comes to."""


def appending(written: Written, *said: Said) -> Written:
    """This is appended, where it is anything."""
    return written.appended(*said) if said else written


def loop(*appended: Said, scenario: Scenario | None = None) -> Written:
    """A run with a tool, which appends this after its first call, up to its second one."""
    written = begun(scenario or kept(**PER_CALL)).run("t").called("one").replied(ASKS)
    return appending(written, *appended).tool("c1").called("one", ASKS, SUNNY)


def responding(scenario: Scenario, answers: int = 1) -> Scenario:
    """The same, and somebody answers at last."""
    return Scenario(agents=scenario.agents, steps=(*scenario.steps, *(Respond() for _ in range(answers))))


def let_through(**agent: Any) -> Written:
    """A run that contradicts the thread and was let through, before the second one begins."""
    return turn(begun(kept(run("one", store=True), run("two"), **agent)), "one", "1").run("t").called("two")


def contradicting(**agent: Any) -> Written:
    """A run begins that contradicts the thread."""
    return begun(kept(run("one", store=True), **agent)).run("t").called("one")


def named(*appended: Said, **agent: Any) -> Written:
    """A service names a conversation on a local thread in the first of two calls."""
    written = begun(kept(service=SURPRISING, **agent)).run("t").called("one").replied(ASKS, conversation_id="a-1")
    return appending(written, *appended).tool("c1").called(SUNNY)


# --- PER-19 ---


def failing(*appended: Said, kind: Any = "service") -> Written:
    written = loop(*appended).failed()
    return written.raised(kind) if kind else written.returned()


def test_per_19_holds():
    assert holds(failing(*FIRST), "PER-19")
    assert holds(begun(kept(**PER_CALL)).run("t").called("one").failed().raised("service"), "PER-19")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (failing("one"), "missing"),
        (failing(*FIRST, SUNNY), "failed input"),
        (failing(*FIRST, "one"), "repeated"),
        (failing(*FIRST, "=1"), "foreign"),
        (failing(ASKS, "one"), "order"),
        (failing(*FIRST, kind=None), "not raised"),
        (failing(*FIRST, kind="other"), "wrong kind of error"),
        (begun(kept(**PER_CALL)).run("t").called("one").failed().appended("one").raised("service"), "failed input"),
    ],
)
def test_per_19_breaks(written, aspect):
    assert broken(written, "PER-19") == {aspect}


@pytest.mark.parametrize("appended", [FIRST, (*FIRST, SUNNY)])
def test_per_19_leaves_open_whether_the_input_of_a_cancelled_call_is_stored(appended):
    assert holds(loop(*appended).event(Cancelled), "PER-19")


@pytest.mark.parametrize(
    ("appended", "aspect"), [(("one",), "missing"), ((*FIRST, "one"), "repeated"), (("=1", *FIRST), "foreign")]
)
def test_per_19_breaks_where_a_cancelled_call_costs_what_came_before(appended, aspect):
    assert broken(loop(*appended).event(Cancelled), "PER-19") == {aspect}


ELSEWHERE = [
    (contradicting, "contradicting"),
    (let_through, "after a contradiction"),
    (named, "under a conversation"),
]
"""Runs that have called the service and whose turn may be kept elsewhere, and why they are left alone."""


@pytest.mark.parametrize(("begins", "name"), ELSEWHERE)
def test_per_19_leaves_alone(begins, name):
    assert left_alone(begins(**PER_CALL).failed().raised("service"), "PER-19") == {name}
    assert left_alone(begins(**PER_CALL).event(Cancelled), "PER-19") == {name}


# --- PER-20 ---


def failed_per_run(*, before: tuple[Said, ...] = (), after: tuple[Said, ...] = (), shown: tuple[str, ...] = ()) -> Written:
    """A run fails in its second call; it appends this before and after that, and then the thread shows this."""
    written = loop(*before, scenario=kept()).failed()
    return appending(written, *after).raised("service").described("t", "local", *shown)


def test_per_20():
    assert holds(failed_per_run(), "PER-20")
    assert broken(failed_per_run(before=FIRST), "PER-20") == {"appended before"}
    assert broken(failed_per_run(after=("one",)), "PER-20") == {"appended afterwards"}
    assert broken(failed_per_run(shown=("one",)), "PER-20") == {"thread changed"}
    assert holds(loop(scenario=kept()).event(Cancelled), "PER-20")
    assert broken(loop(scenario=kept()).event(Cancelled).appended("one"), "PER-20") == {"appended afterwards"}


def test_per_20_takes_of_a_resumed_run_only_the_part_that_failed():
    pays = calls("c1", pay={})
    scenario = responding(kept(run("one")))
    written = begun(scenario).run("t").called("one").replied(pays).appended("one", pays).pending(id="c1").answered(0)
    assert holds(written.tool("c1", "pay").called(SUNNY).failed().raised("service").described("t", "local", "one"), "PER-20")


def test_per_20_looks_at_no_messages_of_threads_that_a_service_keeps():
    scenario = talk("local", service=SURPRISING)
    assert holds(begun(scenario).run("t").called("one").failed().raised("service").described("t", "hosted", "one"), "PER-20")


def test_per_20_leaves_runs_in_the_background_alone():
    behind = begun(kept(run("one", background=True))).run("t").called("one").failed().raised("service")
    assert left_alone(behind, "PER-20") == {"in background"}


# --- PER-21 ---

NOTES = {"notes": ContextSpec()}


def asked(scenario: Scenario | None = None) -> Written:
    """The context provider is asked, and the service fails."""
    written = begun(scenario or talk(context=NOTES)).run("t").event(ContextInvoking, agent="a", provider="notes", state={})
    return written.called("one").failed("overloaded")


def told(*said: Said, error: str = "overloaded", times: int = 1, **more: Any) -> Written:
    """It is told of that so often, with these messages."""
    written = asked(**more)
    for _ in range(times):
        written.event(ContextInvoked, agent="a", provider="notes", state={}, error=error, messages=tuple(map(message, said)))
    return written


def test_per_21():
    assert holds(told("one").raised("service"), "PER-21")
    assert broken(told(times=0).raised("service"), "PER-21") == {"not told"}
    assert broken(told("one", times=2).raised("service"), "PER-21") == {"told again"}
    assert broken(told("one", error="no idea").raised("service", "overloaded"), "PER-21") == {"another error"}
    assert broken(told().raised("service"), "PER-21") == {"other messages"}
    assert broken(told("two").raised("service"), "PER-21") == {"other messages"}
    kept_too = told("one", scenario=kept(context=NOTES)).raised("service").appended("one")
    assert broken(kept_too, "PER-21") == {"appended afterwards"}


def test_per_21_leaves_contradictions_alone():
    assert left_alone(told(scenario=talk("local", run("one", store=True), context=NOTES)).raised(), "PER-21") == {"contradicting"}


def test_per_21_speaks_of_failures_and_of_providers_that_were_asked():
    assert not asked().returned().findings("PER-21")
    assert not begun(talk(context=NOTES)).run("t").called("one").failed().raised("service").findings("PER-21")


def resumed_with_notes(answers: int = 1) -> Written:
    """A run asks the provider and waits; then it is resumed."""
    scenario = responding(talk("local", run("one"), context=NOTES, history="provider"), answers)
    written = begun(scenario).run("t").event(ContextInvoking, agent="a", provider="notes", state={}).called("one")
    written = written.replied(calls("c1", pay={})).event(ContextInvoked, agent="a", provider="notes", state={}).pending(id="c1")
    return written.answered(0).event(ContextInvoking, agent="a", provider="notes", state={})


def test_per_21_judges_each_part_that_raised():
    lost = resumed_with_notes().called("one", calls("c1", pay={}), results(c1="paid")).failed("lost")
    telling = {"agent": "a", "provider": "notes", "state": {}, "error": "lost"}
    assert broken(lost.raised("service", "lost"), "PER-21") == {"not told"}
    raised = resumed_with_notes(2).called("one", calls("c1", pay={}), results(c1="paid")).failed("lost")
    raised = raised.event(ContextInvoked, messages=(results(c1="paid"),), **telling).raised("service", "lost")
    assert holds(raised.answered(0).raised("invalid", "nothing waits"), "PER-21")
    twice = resumed_with_notes(2).event(ContextInvoked, messages=(results(c1="paid"),), **telling).raised("other", "lost")
    again = twice.answered(0).event(ContextInvoking, agent="a", provider="notes", state={}).raised("other", "lost")
    assert broken(again, "PER-21") == {"not told"}


def test_per_21_asks_for_nothing_stored_between_the_failure_and_its_error():
    kept_too = told("one", scenario=kept(context=NOTES)).appended("one").raised("service", "overloaded")
    assert broken(kept_too, "PER-21") == {"appended afterwards"}
    handled = begun(kept(context=NOTES)).run("t").event(ContextInvoking, agent="a", provider="notes", state={}).called("one")
    handled = handled.replied(calls("c1", map={})).tool_raised("c1", "map", "no map").appended("one", calls("c1", map={}))
    handled = handled.called(results(c1="no map")).failed("overloaded")
    handled = handled.event(ContextInvoked, agent="a", provider="notes", state={}, error="overloaded", messages=(message("one"),))
    assert holds(handled.raised("service", "overloaded"), "PER-21")


# --- PER-22 ---


def after_failure(*appended: Said, lost: tuple[Said, ...] = (), scenario: Scenario | None = None) -> Written:
    """A run fails, having stored this, and the next one stores this."""
    written = begun(scenario or kept()).run("t").called("one").failed()
    appending(written, *lost).raised("service").run("t").called("two").replied("2")
    return appending(written, *appended).returned("2")


def test_per_22_holds():
    assert holds(after_failure("two", "=2"), "PER-22")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (after_failure("one", "two", "=2"), "failed run"),
        (after_failure("two"), "missing"),
        (after_failure("two", "two", "=2"), "repeated"),
        (after_failure("two", "=2", lost=("one", "one")), "repeated"),
        (after_failure("two", "=2", "=3"), "foreign"),
        (after_failure("=2", "two"), "order"),
    ],
)
def test_per_22_breaks(written, aspect):
    assert broken(written, "PER-22") == {aspect}


def test_per_22_lets_a_call_that_was_left_open_be_closed():
    def closing(*appended: Said) -> Written:
        return turn(loop("one", ASKS).failed().raised("service"), "two", "2", *appended)

    assert holds(closing(SUNNY, "two", "=2"), "PER-22")
    assert broken(closing(SUNNY, SUNNY, "two", "=2"), "PER-22") == {"failed run"}
    assert broken(closing(ASKS, SUNNY, "two", "=2"), "PER-22") == {"failed run"}


def failed_first(*runs: Any, **agent: Any) -> Written:
    """A run fails, and another one may begin."""
    return begun(kept(*runs, **agent)).run("t").called("one").failed().raised("service")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (turn(failed_first(run("one"), run("two", store=True)), "two", "2"), "contradicting"),
        (turn(failed_first(service=SURPRISING), "two", "2", conversation_id="a-1"), "under a conversation"),
        (turn(failed_first(**BARE), "two", "2"), "callers history"),
        (stopped(failed_first(), "two", STOPS, said="two"), "terminated"),
        (turn(failed_first(limit=0), "two", "2"), "cut short"),
        (
            turn(turn(begun(kept(run("zero", store=True), run("one"), run("two"))), "zero", "0").run("t").called("one").failed()
                 .raised("service"), "two", "2"),
            "after a contradiction",
        ),
    ],
)  # fmt: skip
def test_per_22_leaves_alone(written, name):
    assert left_alone(written, "PER-22") == {name}


def test_per_22_compares_runs_of_one_timing():
    assert not turn(failed_first(run("one"), run("two", per_service_call=True)), "two", "2").findings("PER-22")


# --- PER-23 ---

WHOLE: tuple[Said, ...] = ("one", ASKS, SUNNY, "=1")


def tool_raised(*appended: Said, ending: Any = None, scenario: Scenario | None = None, replied: Any = None) -> Written:
    """A tool raises; the run goes on, or fails, and stores this."""
    written = begun(scenario or kept()).run("t").called("one").replied(ASKS, **(replied or {})).tool_raised("c1")
    if ending:
        return appending(written, *appended).raised(ending)
    return appending(written.called("one", ASKS, SUNNY).replied("1"), *appended).returned("1")


def test_per_23_holds():
    assert holds(tool_raised(*WHOLE), "PER-23")
    assert holds(tool_raised(ending="tool"), "PER-23")
    assert holds(tool_raised(*FIRST, ending="tool", scenario=kept(**PER_CALL)), "PER-23")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (tool_raised("one", ASKS, "=1"), "missing result"),
        (tool_raised(), "missing"),
        (tool_raised("one", *WHOLE), "repeated"),
        (tool_raised(*WHOLE, "=2"), "foreign"),
        (tool_raised("=1", "one", ASKS, SUNNY), "order"),
        (tool_raised(*FIRST, ending="tool"), "stored on failure"),
        (tool_raised("one", ending="tool", scenario=kept(**PER_CALL)), "missing"),
    ],
)
def test_per_23_breaks(written, aspect):
    assert broken(written, "PER-23") == {aspect}


def raises_after(written: Written) -> Written:
    """A tool raises in a run that had begun, and the run fails."""
    return written.replied(ASKS).tool_raised("c1").raised("tool")


def broke_down() -> Written:
    """A tool raises, and then the history provider fails."""
    raised = begun().run("t").called("one").replied(ASKS).tool_raised("c1").called("one", ASKS, SUNNY).replied("1")
    return raised.event(HistoryFailed, agent="a", key="k", operation="append", text="no").raised("provider")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (raises_after(contradicting()), "contradicting"),
        (raises_after(let_through()), "after a contradiction"),
        (tool_raised(scenario=kept(service=SURPRISING), replied={"conversation_id": "a-1"}), "under a conversation"),
        (tool_raised(scenario=kept(**BARE)), "callers history"),
        (begun().run("t").called("one").replied(calls("c1", "c2", weather={}, stop={})).tool_raised("c1")
         .tool("c2", "stop", "stopped", terminated=True).returned(), "terminated"),
        (tool_raised(scenario=kept(limit=1)), "cut short"),
        (begun().run("t").called("one").replied(ASKS).tool_raised("c1").called(SUNNY).failed().raised("service"), "service failed"),
        (broke_down(), "history failed"),
    ],
)  # fmt: skip
def test_per_23_leaves_alone(written, name):
    assert left_alone(written, "PER-23") == {name}


def test_per_23_speaks_of_runs_that_came_to_an_end():
    assert not begun().run("t").called("one").replied(ASKS).tool_raised("c1").event(Abandoned, chunks=1).findings("PER-23")


def waited(*appended: Said, **agent: Any) -> Written:
    """A call waits and is approved; then a tool raises, and the run."""
    pays, paid = calls("c1", pay={}), results(c1="paid")
    scenario = responding(kept(run("one"), **agent))
    written = begun(scenario).run("t").called("one").replied(pays).appended("one", pays).pending(id="c1").answered(0)
    written = written.tool("c1", "pay", "paid").called("one", pays, paid).replied(calls("c2", weather={}))
    if agent:
        written.appended(paid, calls("c2", weather={}))
    return appending(written.tool_raised("c2").raised("tool", "no weather"), *appended)


def test_per_23_asks_for_nothing_of_the_part_that_failed():
    assert holds(waited(), "PER-23")
    assert holds(waited(**PER_CALL), "PER-23")
    assert broken(waited(results(c1="paid"), calls("c2", weather={})), "PER-23") == {"stored on failure"}


def test_per_23_takes_no_late_answer_for_the_failure_of_a_tool():
    written = begun(responding(kept(run("one"), run("two")))).run("t").called("one").replied(ASKS).tool_raised("c1")
    pays = calls("c2", pay={})
    written = written.called("one", ASKS, SUNNY).replied(pays).appended("one", ASKS, SUNNY, pays).pending(id="c2")
    closed = turn(written, "two", "2", results(c2="not approved"), "two", "=2", before=("one", ASKS, SUNNY, pays))
    assert not closed.answered(0).raised("invalid", "nothing waits").findings("PER-23")


# --- PER-24 ---


def load_fails() -> Written:
    return begun().run("t").event(HistoryFailed, agent="a", key="k", operation="load", text="no history")


def append_fails() -> Written:
    written = begun().run("t").called("one").replied("1")
    return written.event(HistoryFailed, agent="a", key="k", operation="append", text="disk full")


@pytest.mark.parametrize(
    "written",
    [load_fails().raised("provider"), append_fails().raised("provider"), append_fails().event(Abandoned, chunks=1)],
)
def test_per_24_holds(written):
    assert holds(written, "PER-24")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (append_fails().returned("1"), "not raised"),
        (load_fails().called("one").replied("1").returned("1"), "not raised"),
        (append_fails().raised("other"), "wrong kind of error"),
        (load_fails().called("one").replied("1").raised("provider"), "service called"),
        (append_fails().appended("one").raised("provider"), "appended afterwards"),
        (append_fails().appended("one").event(Abandoned, chunks=1), "appended afterwards"),
    ],
)
def test_per_24_breaks(written, aspect):
    assert broken(written, "PER-24") == {aspect}


# --- PER-25 ---


def left(*appended: Said, first: tuple[Said, ...] = (), reply: str | None = None, scenario: Scenario | None = None) -> Written:
    """A consumer leaves the stream in the second call, which may have been answered; what is appended before and after that."""
    written = loop(*first, scenario=scenario)
    return appending(written.replied(reply) if reply else written, *appended).event(Abandoned, chunks=1)


@pytest.mark.parametrize(
    "written",
    [
        left(SUNNY, first=FIRST),
        left(SUNNY, "=so", first=FIRST, reply="so far"),
        left(scenario=kept()),
        left(*WHOLE, scenario=kept(), reply="1"),
        begun(kept(**PER_CALL)).run("t").event(Abandoned, chunks=0),
    ],
)
def test_per_25_holds(written):
    assert holds(written, "PER-25")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (left(first=FIRST), "input in flight"),
        (left(SUNNY, "=2", first=FIRST, reply="so far"), "never said"),
        (left(*FIRST, scenario=kept()), "partly stored"),
    ],
)
def test_per_25_breaks(written, aspect):
    assert broken(written, "PER-25") == {aspect}


def test_per_25_breaks_where_the_next_run_stores_it_again():
    assert holds(turn(left(*WHOLE, scenario=kept(), reply="1"), "two", "2"), "PER-25")
    again = turn(left(*WHOLE, scenario=kept(), reply="1"), "two", "2", "one", "two", "=2")
    assert broken(again, "PER-25") == {"stored again"}


def test_per_25_breaks_where_a_later_run_stores_it_again():
    scenario = kept(run("one"), run("two"), run("three"))
    after_one = lambda: turn(left(*WHOLE, scenario=scenario, reply="1"), "two", "2")  # noqa: E731
    assert holds(turn(after_one(), "three", "3"), "PER-25")
    assert broken(turn(after_one(), "three", "3", "one", "three", "=3"), "PER-25") == {"stored again"}


def test_per_25_forgives_no_second_copy_of_a_reply():
    assert broken(left(SUNNY, "=so far", "=so far", first=FIRST, reply="so far"), "PER-25") == {"never said"}
    assert broken(left(SUNNY, "=so far", "=so", first=FIRST, reply="so far"), "PER-25") == {"never said"}


@pytest.mark.parametrize(("begins", "name"), ELSEWHERE)
def test_per_25_leaves_alone(begins, name):
    assert left_alone(begins(**PER_CALL).event(Abandoned, chunks=1), "PER-25") == {name}


def test_per_25_leaves_contradictions_alone_per_run_too():
    assert left_alone(contradicting().event(Abandoned, chunks=1), "PER-25") == {"contradicting"}


def test_per_25_leaves_a_failing_provider_alone():
    failing = loop(*FIRST).event(HistoryFailed, agent="a", key="k", operation="append", text="no")
    assert left_alone(failing.event(Abandoned, chunks=1), "PER-25") == {"history failed"}


def test_per_25_leaves_what_comes_after_a_contradiction_alone():
    scenario = kept(run("zero", store=True), run("one"), run("two"), **PER_CALL)
    written = turn(begun(scenario), "zero", "0").run("t").called("one").event(Abandoned, chunks=1)
    assert taken_away(turn(written, "two", "2"), "PER-25") == {"after a contradiction"}
