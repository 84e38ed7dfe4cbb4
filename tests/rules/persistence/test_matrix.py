"""PER-01 to PER-08 on traces written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from kept import AS_IS, ASKS, BARE, DECORATED, PER_CALL, STOPPED, STOPS, SUNNY, TOOLS, begun, kept, stopped, turn
from talks import ONE_ID, SURPRISING, run
from written import Said, Written, broken, calls, holds, left_alone, message, results, taken_away

from conformance.scenario.scenario import CreateThread, Respond, Run, Scenario
from conformance.scenario.specs import AgentSpec, ReplySpec, ServiceSpec
from conformance.trace.adapter_events import AgentCreated, Observed
from conformance.trace.harness_events import Abandoned, Cancelled, HistoryFailed

WHOLE: tuple[Said, ...] = ("one", ASKS, SUNNY, "=1")
"""What a run with a tool comes to."""


def let_through(**agent: Any) -> Written:
    """Two runs with results, the first of which contradicts the thread and was let through all the same."""
    return turn(turn(begun(kept(run("one", store=True), run("two"), **agent)), "one", "1"), "two", "2")


def surprised(**agent: Any) -> Written:
    """A service names a conversation on a local thread."""
    return turn(begun(kept(service=SURPRISING, **agent)), "one", "1", conversation_id="a-1", kept=True)


def waited(written: Written, *early: Said) -> Written:
    """A run that waits for an answer, goes on with it, and appends this, or nothing, before its last call."""
    written.run("t").called("one").replied(ASKS).pending(id="c1").within(0, step=2).tool("c1")
    written = written.appended(*early) if early else written
    return written.called("one", ASKS, SUNNY).replied("1")


# --- PER-01 and PER-03: once, at the end ---

AT_THE_END = [("PER-01", {}), ("PER-03", AS_IS)]


def asked(agent: dict[str, Any], *appended: Said) -> Written:
    """A run with a tool, which appends this at its end, where it is anything."""
    written = begun(kept(**agent)).run("t").loaded().called("one").replied(ASKS).tool("c1").called("one", ASKS, SUNNY).replied("1")
    return (written.appended(*appended) if appended else written).returned("1")


@pytest.mark.parametrize(("rule", "agent"), AT_THE_END)
def test_once_at_the_end_holds(rule, agent):
    assert holds(asked(agent, *WHOLE), rule)
    assert holds(waited(begun(kept(**agent))).appended(*WHOLE).returned("1"), rule)


@pytest.mark.parametrize(("rule", "agent"), AT_THE_END)
@pytest.mark.parametrize(
    ("appended", "aspect"),
    [
        ((), "no append"),
        (WHOLE[:3], "missing"),
        ((*WHOLE, "=1"), "repeated"),
        ((*WHOLE, "=2"), "foreign"),
        (("=1", "one", ASKS, SUNNY), "order"),
    ],
)
def test_once_at_the_end_breaks(rule, agent, appended, aspect):
    assert broken(asked(agent, *appended), rule) == {aspect}


@pytest.mark.parametrize(("rule", "agent"), AT_THE_END)
def test_once_at_the_end_breaks_at_another_time(rule, agent):
    assert broken(asked(agent, "one", ASKS).appended(SUNNY, "=1"), rule) == {"several appends"}
    early = begun(kept(**agent)).run("t").called("one").appended("one", "=1").replied("1").returned("1")
    assert broken(early, rule) == {"early"}
    twice = waited(begun(kept(**agent))).appended("one", ASKS).appended(SUNNY, "=1").returned("1")
    assert broken(twice, rule) == {"several appends"}
    assert broken(waited(begun(kept(**agent)), "one", ASKS).appended(SUNNY, "=1").returned("1"), rule) == {"early"}


@pytest.mark.parametrize(("rule", "agent"), AT_THE_END)
def test_once_at_the_end_leaves_alone(rule, agent):
    assert {"contradicting", "after a contradiction"} <= taken_away(let_through(**agent), rule)
    assert "under a conversation" in taken_away(surprised(**agent), rule)
    assert "resumed" in taken_away(waited(begun(kept(**agent))).appended(*WHOLE).returned("1"), rule)
    assert "terminated" in taken_away(stopped(begun(kept(**agent)), "one", STOPS, STOPPED), rule)
    limited = begun(kept(limit=1, **agent)).run("t").called("one").replied(ASKS).tool("c1").appended("one", ASKS, SUNNY)
    assert "cut short" in taken_away(limited.returned(ASKS), rule)


@pytest.mark.parametrize(("rule", "agent"), AT_THE_END)
def test_once_at_the_end_leaves_resumed_runs_alone(rule, agent):
    through = turn(begun(kept(run("one", store=True), run("two"), **agent)), "one", "1")
    through.run("t").called("two").replied(ASKS).pending(id="c1").within(1, step=3).tool("c1")
    through.called("two", ASKS, SUNNY).replied("2").appended("two", ASKS, SUNNY, "=2").returned("2")
    assert left_alone(through, rule) == {"contradicting", "after a contradiction"}
    surprising = begun(kept(service=SURPRISING, **agent)).run("t").called("one").replied(ASKS, conversation_id="a-1")
    surprising.pending(id="c1").within(0, step=2).tool("c1").called("one", ASKS, SUNNY).replied("1").returned("1")
    assert left_alone(surprising, rule) == {"under a conversation"}


# --- PER-03: nothing injected ---


def test_per_03_breaks_where_something_is_injected():
    named = begun(kept(**AS_IS)).run("t").loaded().called("one", conversation_id="local").replied("1").appended("one", "=1")
    assert broken(named.returned("1"), "PER-03") == {"names a conversation"}
    again = begun(kept(**AS_IS)).run("t").loaded().called("one").replied(ASKS).tool("c1").loaded().called("one", ASKS, SUNNY)
    assert broken(again.replied("1").appended(*WHOLE).returned("1"), "PER-03") == {"loaded again"}


def pair(first: dict[str, Any], second: dict[str, Any], *replies: ReplySpec, **more: Any) -> Scenario:
    """Two threads, t of agent a and u of agent b, which are asked the same."""
    agents = {name: AgentSpec(**{"history": "provider", "tools": TOOLS, **each}) for name, each in (("a", first), ("b", second))}
    script = {"say": ("one",), "replies": replies or (ReplySpec(text="1"),), **more}
    made = (CreateThread(thread="t", agent="a"), CreateThread(thread="u", agent="b"))
    return Scenario(agents=agents, steps=(*made, Run(thread="t", **script), Run(thread="u", **script)))


def both(scenario: Scenario, *sent: Said, answer: str = "1", **asks: Any) -> Written:
    """The run on t goes as it should; the one on u sends this and gets this answer."""
    written = Written(scenario).created("t", "local").created("u", "local", step=1)
    written.run("t").called("one").replied("1").appended("one", "=1").returned("1")
    written.run("u").called(*sent, agent="b", **asks).replied("1", agent="b").appended("one", "=1", agent="b", key="history-2")
    return written.returned(answer)


def test_per_03_compares_requests_with_those_of_an_agent_without_the_setting():
    scenario = pair({}, AS_IS)
    assert holds(both(scenario, "one"), "PER-03")
    assert broken(both(scenario, "one", store=False), "PER-03") == {"other requests"}
    assert broken(both(scenario, "one", "two"), "PER-03") == {"other requests"}
    assert not broken(both(pair({}, {**AS_IS, "service": ONE_ID}), "one", store=False), "PER-03")


def test_per_01_leaves_runs_in_the_background_to_per_40():
    for agent in ({}, PER_CALL):
        assert left_alone(turn(begun(kept(run("one", background=True), **agent)), "one", "1"), "PER-01") == {"in background"}


@pytest.mark.parametrize(("rule", "agent"), [("PER-01", {}), ("PER-03", AS_IS), ("PER-10", {})])
def test_nobody_says_whether_an_empty_reply_is_kept(rule, agent):
    def empty(*appended: Said) -> Written:
        return turn(begun(kept(run("one"), **agent)), "one", "", *appended)

    assert holds(empty("one", "="), rule)
    assert holds(empty("one"), rule)
    assert broken(empty("="), rule) in ({"missing"}, {"missing input"})


# --- PER-02 and PER-05: after each reply ---

AFTER_EACH = [("PER-02", PER_CALL), ("PER-05", DECORATED)]


def call_by_call(
    agent: dict[str, Any], *, before: int = 0, first: int = 1, late: int = 0, last: int = 1, scenario: Scenario | None = None
) -> Written:
    """A run with a tool, which appends so often before it begins, after its first reply, after its tool, and at its end."""

    def appends(count: int, *said: Said) -> None:
        for _ in range(count):
            written.appended(*said)

    written = begun(scenario or kept(**agent)).run("t").loaded()
    appends(before, "one")
    written.called("one").replied(ASKS)
    appends(first, "one", ASKS)
    written.tool("c1")
    appends(late, "one", ASKS)
    written.loaded("one", ASKS).called("one", ASKS, SUNNY).replied("1")
    appends(last, SUNNY, "=1")
    return written.returned("1")


@pytest.mark.parametrize(("rule", "agent"), AFTER_EACH)
def test_after_each_reply_holds(rule, agent):
    assert holds(call_by_call(agent), rule)


@pytest.mark.parametrize(("rule", "agent"), AFTER_EACH)
@pytest.mark.parametrize(
    ("times", "aspect"),
    [
        ({"first": 0}, "no append"),
        ({"last": 0}, "no append"),
        ({"last": 2}, "several appends"),
        ({"first": 0, "late": 1}, "late"),
        ({"before": 1}, "elsewhere"),
        ({"late": 1}, "elsewhere"),
    ],
)
def test_after_each_reply_breaks(rule, agent, times, aspect):
    assert broken(call_by_call(agent, **times), rule) == {aspect}


@pytest.mark.parametrize(("rule", "agent"), AFTER_EACH)
def test_after_each_reply_leaves_alone(rule, agent):
    assert {"contradicting", "after a contradiction"} <= taken_away(let_through(**agent), rule)
    assert "under a conversation" in taken_away(surprised(**agent), rule)
    asking = lambda: begun(kept(**agent)).run("t").loaded().called("one").replied("1")  # noqa: E731
    assert {"last where abandoned", "abandoned"} <= taken_away(asking().event(Abandoned, chunks=1), rule)
    failed = asking().event(HistoryFailed, agent="a", key="history-1", operation="append", text="no").raised("provider")
    assert {"last where history failed", "history failed"} <= taken_away(failed, rule)
    cancelled = call_by_call(agent).run("t").loaded("one", ASKS, SUNNY, "=1").called("two").replied(ASKS).appended("two", ASKS)
    assert "cancelled in a call" in taken_away(cancelled.tool("c1").called("x").event(Cancelled), rule)


def test_per_05_breaks_where_it_warns():
    warned = call_by_call(DECORATED).warned("the stack has no decorator that persists per service call")
    assert broken(warned, "PER-05") == {"unasked warning"}


# --- what is warned of: PER-04 and PER-05 ---

TEXT = "the client stack has no decorator: history is not persisted"


def bare(warnings: int = 1, *appended: Said, late: int = 0, scenario: Scenario | None = None) -> Written:
    """A plain run in the caller's own stack, with warnings before and after its call."""
    written = begun(scenario or kept(**BARE))
    for _ in range(warnings):
        written.warned(TEXT)
    written.run("t").called("one").replied("1")
    for _ in range(late):
        written.warned(TEXT)
    return (written.appended(*appended) if appended else written).returned("1")


def test_per_04_holds_with_one_warning_and_nothing_appended():
    assert holds(bare(), "PER-04")
    conflict = begun(kept(**BARE)).warned(TEXT).run("t").called("one").replied("1", conversation_id="a-1").raised("conflict")
    assert holds(conflict, "PER-04")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (bare(0), "no warning"),
        (bare(2), "several warnings"),
        (bare(0, late=1), "late warning"),
        (bare(1, "one", "=1"), "appended"),
        (begun(kept(**BARE)).warned(TEXT).run("t").raised("unsupported"), "raised"),
    ],
)
def test_per_04_breaks(written, aspect):
    assert broken(written, "PER-04") == {aspect}


def test_per_04_breaks_where_the_thread_itself_keeps_a_run():
    written = bare(scenario=kept(history="default", **BARE)).described("t", "local", "one", "=1")
    assert broken(written, "PER-04") == {"appended"}


@pytest.mark.parametrize(
    "written",
    [
        begun(kept(**BARE)).warned(TEXT).run("t").called("one").failed().raised("service"),
        begun(kept(run("one", store=True), **BARE)).warned(TEXT).run("t").raised("conflict"),
        begun(kept(limit=1, **BARE)).warned(TEXT).run("t").called("one").replied(ASKS).tool("c1").raised("other"),
    ],
)
def test_per_04_asks_no_run_to_work_that_has_a_reason_to_raise(written):
    assert not broken(written, "PER-04")


def test_per_04_leaves_conflicts_on_surprising_services_alone():
    scenario = kept(service=SURPRISING, **BARE)
    written = begun(scenario).run("t").called("one").replied("1", conversation_id="a-1").raised("conflict")
    assert taken_away(written, "PER-04") == {"beside a surprising service"}
    assert holds(written, "PER-04")


@pytest.mark.parametrize(("rule", "agent"), [("PER-04", BARE), ("PER-05", DECORATED)])
@pytest.mark.parametrize(
    ("runs", "service", "name"),
    [
        ((run("one", per_service_call=False),), ServiceSpec(), "beside a rebuilt agent"),
        ((run("one", background=True),), ServiceSpec(), "beside a run in the background"),
        ((run("one"),), SURPRISING, "beside a surprising service"),
    ],
)
def test_warnings_that_may_be_of_something_else_are_left_alone(rule, agent, runs, service, name):
    assert name in taken_away(bare(scenario=kept(*runs, service=service, **agent)), rule)


def undecorated(*texts: str, built: bool = True) -> Written:
    """Two agents without the decorator: what is warned of before both are called; b is made first, and runs last."""
    agents = {"a": AgentSpec(history="provider", **BARE), "b": AgentSpec(history="provider", **BARE)}
    made = (CreateThread(thread="u", agent="b"), CreateThread(thread="t", agent="a"))
    scenario = Scenario(agents=agents, steps=(*made, run("one"), Run(thread="u", say=("two",))))
    written = Written(scenario).step(1)
    for text in texts:
        written.warned(text)
    written = written.event(AgentCreated, agent="a") if built else written
    return written.run("t").called("one").replied("1").returned("1")


def later_undecorated(written: Written, *texts: str) -> Written:
    """Then b is called, and warned of before that."""
    written.run("u")
    for text in texts:
        written.warned(text)
    return written.called("two", agent="b").replied("2", agent="b").returned("2")


def test_per_04_tells_whose_a_warning_is():
    assert holds(later_undecorated(undecorated(TEXT), TEXT), "PER-04")
    assert holds(later_undecorated(undecorated(TEXT, built=False), TEXT), "PER-04")
    assert holds(later_undecorated(undecorated(f"'a': {TEXT}", f"'b': {TEXT}")), "PER-04")
    assert holds(later_undecorated(undecorated(TEXT, f"'b': {TEXT}")), "PER-04")
    assert broken(later_undecorated(undecorated(TEXT, TEXT)), "PER-04") == {"several warnings", "no warning"}
    assert broken(later_undecorated(undecorated(f"'b': {TEXT}"), f"'a': {TEXT}"), "PER-04") == {"late warning"}
    assert broken(later_undecorated(undecorated(), TEXT, TEXT), "PER-04") == {"several warnings", "no warning"}


def test_per_05_leaves_warnings_alone_that_are_of_another_agent():
    scenario = kept(b=AgentSpec(**BARE), **DECORATED)
    beside = Scenario(agents=scenario.agents, steps=(CreateThread(thread="u", agent="b"), *scenario.steps))
    assert taken_away(begun(beside).warned(TEXT).run("t").called("one"), "PER-05") == {"beside an undecorated agent"}


# --- PER-06 ---


def test_per_06_holds_where_cells_come_to_the_same():
    assert holds(both(pair({}, PER_CALL), "one"), "PER-06")
    assert holds(twice_on_both(("one", "=1", "one"), ("one",)), "PER-06")


def twice_on_both(*sent: tuple[Said, ...]) -> Written:
    """The same is said twice on t and on u, where the second runs send this."""
    made = pair({}, PER_CALL)
    again = tuple(Run(thread=thread, say=("one",), replies=(ReplySpec(text="1"),)) for thread in "tu")
    written = both(Scenario(agents=made.agents, steps=(*made.steps, *again)), "one")
    for thread, agent, asked in (("t", "a", sent[0]), ("u", "b", sent[1])):
        written = written.run(thread).called(*asked, agent=agent).replied("1", agent=agent).returned("1")
    return written


def test_per_06_compares_all_that_follows_the_history():
    whole: tuple[Said, ...] = ("one", "=1", "one")
    assert holds(twice_on_both(whole, whole), "PER-06")
    assert broken(twice_on_both(whole, ("one", "=1", "^be kind", "new", "one")), "PER-06") == {"other requests"}
    scenario = pair({}, PER_CALL)
    assert broken(both(scenario, "new", "one"), "PER-06") == {"other requests"}
    assert broken(both(scenario, "one", "one"), "PER-06") == {"other requests"}


def test_per_06_breaks():
    scenario = pair({}, PER_CALL)
    assert broken(both(scenario, "one", answer="2"), "PER-06") == {"other response"}
    assert broken(both(scenario, "two"), "PER-06") == {"other requests"}
    failed = Written(scenario).created("t", "local").created("u", "local", step=1)
    failed.run("t").called("one").replied("1").appended("one", "=1").returned("1")
    assert broken(failed.run("u").raised("other"), "PER-06") == {"other ending"}


def test_per_06_compares_no_threads_outside_of_the_matrix():
    assert not both(pair({}, {}), "two").findings("PER-06")
    assert not both(pair({}, {"service": SURPRISING, **PER_CALL}), "two").findings("PER-06")
    assert not both(pair({}, {"history": "default", **PER_CALL}), "two").findings("PER-06")


def test_per_06_compares_no_requests_of_resumed_runs_where_nothing_is_stored():
    one = pair({}, BARE, ReplySpec(text="0"), ReplySpec(text="1"))
    written = Written(Scenario(agents=one.agents, steps=(*one.steps, Respond(), Respond())))
    written.created("t", "local").created("u", "local", step=1)
    for number, thread, agent, sent in ((0, "t", "a", "one"), (1, "u", "b", "two")):
        written.run(thread).called(sent, agent=agent).replied(ASKS, agent=agent).pending(id="c1")
        written.within(number, step=4 + number).called(sent, agent=agent).replied("1", agent=agent).returned("1")
    assert holds(written, "PER-06")


def twice(*, stops: bool = False, supplied: bool = False) -> Written:
    """Two runs on each thread of a pair, of which the first is terminated where it `stops`; u is `supplied` a result then."""
    one = pair({}, PER_CALL, ReplySpec(text="1"))
    again = tuple(Run(thread=thread, say=("two",), replies=(ReplySpec(text="2"),), supplies=True) for thread in "tu")
    written = Written(Scenario(agents=one.agents, steps=(*one.steps, *again))).created("t", "local").created("u", "local", step=1)
    for thread, agent in (("t", "a"), ("u", "b")):
        written.run(thread).called("one", agent=agent).replied(STOPS if stops else "1", agent=agent)
        if stops:
            written.tool("c1", "stop", "stopped", agent=agent, terminated=True)
        written.returned(STOPS if stops else "1")
    written.run("t", step=4).called("two").replied("2").returned("2")
    handed = STOPPED.results if supplied else ()
    return written.run("u", step=5, supplied=handed).called("other", agent="b").replied("2", agent="b").returned("2")


def test_per_06_compares_up_to_where_the_cells_may_differ():
    assert broken(twice(), "PER-06") == {"other requests"}
    assert holds(twice(supplied=True), "PER-06")
    assert holds(twice(stops=True), "PER-06")


# --- PER-07 ---


def looked(*said: Said) -> Written:
    """A tool sees these messages on the thread."""
    written = begun().described("t", "local").run("t").called("one").replied(ASKS)
    messages = tuple(map(message, said))
    return written.event(Observed, agent="a", moment="within", messages=messages).tool("c1").called("x").replied("1").returned("1")


def test_per_07_holds_where_nothing_is_kept_before_the_end():
    assert holds(asked({}, *WHOLE), "PER-07")
    assert holds(looked(), "PER-07")
    assert holds(waited(begun(), "one", ASKS).returned("1"), "PER-07")


def test_per_07_breaks():
    assert broken(call_by_call({}), "PER-07") == {"early"}
    assert broken(looked("one", ASKS), "PER-07") == {"seen early"}
    warned = begun().run("t").warned(TEXT).called("one").replied("1").returned("1")
    assert broken(warned, "PER-07") == {"unasked warning"}


def test_per_07_leaves_alone():
    assert left_alone(turn(begun(kept(run("one", store=True))), "one", "1"), "PER-07") == {"contradicting"}
    assert left_alone(surprised(), "PER-07") == {"brought an id"}
    rebuilt = kept(run("one", per_service_call=False), run("two"), history="default")
    assert left_alone(turn(turn(begun(rebuilt), "one", "1"), "two", "2"), "PER-07") == {"rebuilt", "after rebuilt"}
    behind = kept(run("one", background=True), run("two"))
    assert left_alone(turn(turn(begun(behind), "one", "1"), "two", "2"), "PER-07") == {"in background", "after in background"}


# --- PER-08 ---


def second(*sent: Said, loads: bool = True, scenario: Scenario | None = None, kind: Any = "local") -> Written:
    """The second run loads history, and sends this."""
    written = begun(scenario or kept(**PER_CALL), kind).run("t").loaded().called("one").replied("1").appended("one", "=1")
    written.returned("1").run("t")
    return (written.loaded("one", "=1") if loads else written).called(*sent).replied("2").appended("two", "=2").returned("2")


def test_per_08_holds_where_history_is_loaded_before_every_call():
    assert holds(second("one", "=1", "two"), "PER-08")
    assert holds(call_by_call(PER_CALL), "PER-08")


@pytest.mark.parametrize(
    ("sent", "loads", "aspect"),
    [
        (("one", "=1", "two"), False, "not loaded"),
        (("two",), True, "missing"),
        (("one", "=1", "one", "=1", "two"), True, "repeated"),
        (("one", "=1", "three", "two"), True, "foreign"),
        (("two", "one", "=1"), True, "order"),
    ],
)
def test_per_08_breaks(sent, loads, aspect):
    assert broken(second(*sent, loads=loads), "PER-08") == {aspect}


def ahead(*sent: Said, asks: bool = True) -> Written:
    """A run that appends its input, and its results, before it loads the history and sends it once."""
    written = begun(kept(run("one"), **PER_CALL)).run("t").appended("one").loaded("one").called("one").replied(ASKS)
    written = written.appended(ASKS).tool("c1").appended(SUNNY).loaded("one", ASKS, SUNNY)
    return written.called(*sent).replied("1").appended("=1").returned("1")


def test_per_08_lets_what_is_new_be_stored_ahead():
    assert holds(ahead("one", ASKS, SUNNY), "PER-08")
    assert broken(ahead("one", ASKS, SUNNY, SUNNY), "PER-08") == {"repeated"}
    assert broken(ahead("one", ASKS), "PER-08") == {"missing"}
    again = lambda: (  # noqa: E731
        begun(kept(run("one"), run("one"), **PER_CALL)).run("t").loaded().called("one").failed().appended("one").raised("service")
    )
    assert holds(again().run("t").loaded("one").called("one", "one"), "PER-08")
    assert broken(again().run("t").loaded("one").called("one"), "PER-08") == {"missing"}


def repairing(*sent: Said) -> Written:
    """A run fails between a call and its results; the next one sends this."""
    asks = calls("c1", "c2", weather={}, map={})
    written = begun(kept(run("one"), run("two"), **PER_CALL)).run("t").loaded().called("one").replied(asks).appended("one", asks)
    written = written.tool("c1").raised("other").run("t").loaded("one", asks)
    return written.called(*(asks if said == "calls" else said for said in sent)).replied("2").appended("two", "=2").returned("2")


def test_per_08_lets_a_history_be_repaired():
    assert holds(repairing("one", "calls", "two"), "PER-08")
    assert holds(repairing("one", "calls", results(c1="sunny", c2="interrupted"), "two"), "PER-08")
    assert holds(repairing("one", calls("c1", weather={}), results(c1="interrupted"), "two"), "PER-08")
    assert holds(repairing("one", "two"), "PER-08")
    assert broken(repairing("one", "calls", results(c1="sunny"), results(c1="sunny"), "two"), "PER-08") == {"repeated"}
    assert broken(repairing("one", "calls", "two", results(c1="sunny", c2="interrupted")), "PER-08") == {"order"}
    assert broken(repairing("one", results(c1="sunny", c2="interrupted"), "two"), "PER-08") == {"missing"}
    assert broken(repairing("calls", "two"), "PER-08") == {"missing"}


def test_per_08_leaves_alone():
    assert left_alone(let_through(**PER_CALL), "PER-08") == {"contradicting", "after a contradiction"}
    assert left_alone(surprised(**PER_CALL), "PER-08") == {"under a conversation"}
    assert left_alone(second("two", scenario=kept(reduces_to=1, **PER_CALL)), "PER-08") == {"bounded history"}
    adaptive = kept(run("one"), kind="adaptive", **PER_CALL)
    assert left_alone(turn(begun(adaptive, "adaptive"), "one", "1"), "PER-08") == {"on adaptive thread"}
    other = kept(run("one"), run("two", agent="b"), b=AgentSpec(history="provider", **PER_CALL), **PER_CALL)
    written = begun(other).run("t").loaded().called("one").replied("1").appended("one", "=1").returned("1").run("t")
    gone_on = written.loaded(agent="b", key="history-2").called("one", "=1", "two", agent="b")
    assert taken_away(gone_on, "PER-08") == {"after another history"}
