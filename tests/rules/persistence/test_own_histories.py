"""PER-57 and PER-62 on traces written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from kept import ASKS, BARE, PER_CALL, STOPPED, STOPS, SUNNY, TOOLS, kept
from talks import NEW_IDS, run, talk
from written import ALL, Said, Written, broken, calls, holds, left_alone, results, taken_away

from conformance.rules.catalogue import CATALOGUE
from conformance.scenario.scenario import CreateThread, Respond, Run, Scenario
from conformance.scenario.specs import AgentSpec, ReplySpec, ServiceSpec, ToolSpec
from conformance.vocabulary import Capability, Policies

BOTH, RAIN = calls("c1", "c2", weather={}, map={}), results(c2="rain")
Appends = tuple[Said, ...]


def steps(scenario: Scenario | None = None) -> Written:
    """The thread of an implementation that keeps histories in steps of its own."""
    written = scenario or kept(run("one"), run("two"))
    return Written(written, incremental=True).created("t", "local")


def looped(*appends: Appends, before: Appends = (), written: Written | None = None) -> Written:
    """A run with a call of a tool, which appends this: with the first reply, after the tool, and with the last one."""
    first, second, third = (*appends, (), ())[:3]
    made = (written or steps()).run("t").called(*before, "one").replied(ASKS)
    made = made.appended(*first) if first else made
    made = made.tool("c1")
    made = (made.appended(*second) if second else made).called(*before, "one", ASKS, SUNNY).replied("1")
    return (made.appended(*third) if third else made).returned(ASKS, SUNNY, "1")


RIGHT: tuple[Appends, ...] = (("one", ASKS), (SUNNY,), ("=1",))

# --- PER-57 ---


@pytest.mark.parametrize("appends", [RIGHT, (("one",), (ASKS, SUNNY), ("=1",)), ((), (), ("one", ASKS, SUNNY, "=1"))])
def test_per_57(appends):
    assert holds(looped(*appends), "PER-57")


@pytest.mark.parametrize(
    ("appends", "aspects"),
    [
        (((ASKS,), (SUNNY,), ("one", "=1")), {"gap"}),
        ((("one",), (SUNNY,), ("=1",)), {"gap", "incomplete"}),
        ((("one", ASKS), (), ("=1", SUNNY)), {"order"}),
        (((ASKS, "one"), (SUNNY,), ("=1",)), {"order"}),
        ((("one", "one", ASKS), (SUNNY,), ("=1",)), {"repeated"}),
        ((("one", ASKS), (results(c1="snow"),), ("=1",)), {"foreign", "incomplete"}),
        ((("one", ASKS), (SUNNY, "=1"), ()), {"foreign"}),  # before it was said
        ((("one", ASKS), (SUNNY,), ()), {"incomplete"}),
    ],
)
def test_per_57_breaks_in_what_is_stored(appends, aspects):
    assert broken(looped(*appends), "PER-57") == aspects


def test_per_57_lets_the_results_of_one_reply_come_in_any_order():
    def parallel(*appends: Appends) -> Written:
        written = steps(kept(run("one"), tools={**TOOLS, "map": ToolSpec()})).run("t").called("one").replied(BOTH)
        written = written.appended("one", BOTH).tool("c2", "map", "rain").tool("c1")
        for said in appends:
            written = written.appended(*said)
        return written.called("one", BOTH, RAIN, SUNNY).replied("1").appended("=1").returned("1")

    assert holds(parallel((RAIN,), (SUNNY,)), "PER-57")
    assert holds(parallel((SUNNY,), (RAIN,)), "PER-57")
    assert "gap" in broken(parallel((RAIN,)), "PER-57")


def failed(*appends: Appends) -> Written:
    """A run whose second call fails."""
    written = steps().run("t").called("one").replied(ASKS).appended(*appends[0]).tool("c1")
    written = written.appended(*appends[1]) if appends[1:] else written
    return written.called("one", ASKS, SUNNY).failed().raised("service")


def then(written: Written, *asked: Said, appended: Appends = ("two", "=2")) -> Written:
    """The next run."""
    return written.run("t").called(*asked, "two").replied("2").appended(*appended).returned("2")


def test_per_57_of_a_failed_run_whatever_it_had_come_to_stays_and_is_sent():
    whole = failed(("one", ASKS), (SUNNY,))
    assert holds(then(whole, "one", ASKS, SUNNY), "PER-57")
    assert holds(then(failed(("one",)), "one"), "PER-57")
    assert broken(failed((ASKS,)), "PER-57") == {"gap"}


def test_per_57_lets_a_call_be_closed_that_a_failed_run_left_open():
    assert holds(then(failed(("one", ASKS)), "one", ASKS, SUNNY), "PER-57")
    assert holds(then(failed(("one", ASKS)), "one", ASKS, SUNNY, appended=(SUNNY, "two", "=2")), "PER-57")


@pytest.mark.parametrize(
    ("asked", "aspect"),
    [
        (("one", ASKS), "request missing"),
        (("one", "one", ASKS, SUNNY), "request repeated"),
        (("one", ASKS, SUNNY, "three"), "request foreign"),
        ((ASKS, SUNNY, "one"), "request order"),
    ],
)
def test_per_57_breaks_in_what_is_sent(asked, aspect):
    assert broken(then(failed(("one", ASKS), (SUNNY,)), *asked), "PER-57") == {aspect}


def test_per_57_is_judged_on_requests_where_no_provider_is():
    def asked(*before: Said) -> Written:
        written = steps(talk()).run("t").called("one").replied("1").returned("1").described("t", "local", "one", "=1")
        return written.run("t").called(*before, "two").replied("2").returned("2")

    assert holds(asked("one", "=1"), "PER-57")
    assert broken(asked(), "PER-57") == {"request missing"}


def test_per_57_says_nothing_of_requests_where_a_thread_hides_its_messages():
    written = Written(talk(), incremental=True).step(0).described("t", "local", hidden=True)
    assert written.run("t").called("two").replied("2").returned("2").findings("PER-57") == []


OTHER = AgentSpec(history="default")
ANEW = ServiceSpec(repeats_call_ids=True)


def test_per_57_leaves_alone_what_a_service_may_keep():
    written = steps(kept(service=NEW_IDS)).run("t").called("one").replied("1", conversation_id="a-1").appended("=1")
    assert left_alone(written.returned("1"), "PER-57") == {"under a conversation"}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (steps(kept(reduces_to=1)).run("t").called("one").replied("1").appended("one", "=1").returned("1"), "bounded history"),
        (
            steps(kept(run("one"), run("two", agent="b"), b=OTHER)).run("t").called("one").replied("1").appended("one", "=1"),
            "after another history",
        ),
    ],
)
def test_per_57_leaves_requests_alone_whose_history_nobody_knows(written: Written, name: str):
    agent = "b" if name == "after another history" else "a"
    gone = written.run("t").called("two", agent=agent).replied("2", agent=agent).returned("2")
    assert taken_away(gone, "PER-57", capabilities=gone.capabilities) == {name}


def test_per_57_is_not_supported_where_the_matrix_holds():
    declared: set[Capability] = {"history.provider", "history.per_run"}
    assert CATALOGUE["PER-57"].missing(declared, Policies()) == ["capability history.incremental"]
    assert CATALOGUE["PER-09"].missing(declared - {"history.per_run"} | {"history.incremental"}, Policies()) == []
    assert CATALOGUE["PER-01"].missing(ALL - {"history.per_run"}, Policies()) == ["capability history.per_run"]


# --- PER-62 ---


def thread(*shown: Said, agent: dict[str, Any] | None = None, incremental: bool = False, raises: bool = False) -> Written:
    """A run with a call of a tool on a thread that keeps its messages itself, and what it shows afterwards."""
    scenario = talk(**{"tools": TOOLS, **(agent or {})})
    written = Written(scenario, incremental=incremental).created("t", "local").run("t").called("one").replied(ASKS)
    written = written.tool_raised("c1") if raises else written.tool("c1")
    written = written.called("one", ASKS, SUNNY).replied("1").returned(ASKS, SUNNY, "1")
    return written.described("t", "local", *shown)


@pytest.mark.parametrize("incremental", [False, True])
def test_per_62(incremental):
    assert holds(thread("one", ASKS, SUNNY, "=1", incremental=incremental), "PER-62")


@pytest.mark.parametrize(
    ("shown", "aspects"),
    [
        (("one", ASKS, SUNNY, "=1", "=1"), {"repeated (PER-09)"}),
        (("one", ASKS, SUNNY), {"lost (PER-10)"}),
        (("one", ASKS, "=1"), {"lost (PER-10)", "open call (PER-13)"}),
        (("one", SUNNY, "=1"), {"lost (PER-10)", "open call (PER-13)"}),
        ((ASKS, SUNNY, "=1", "one"), {"order (PER-11)"}),
    ],
)
def test_per_62_breaks_on_the_thread(shown, aspects):
    assert broken(thread(*shown), "PER-62") == aspects


def test_per_62_in_steps_the_thread_shows_how_the_conversation_begins():
    assert "no beginning (PER-57)" in broken(thread("one", SUNNY, "=1", incremental=True), "PER-62")
    assert "no beginning (PER-57)" not in broken(thread("one", SUNNY, "=1"), "PER-62")


def lost(*shown: Said, incremental: bool = False) -> Written:
    """A run that fails after a call of a tool, and what its thread shows then."""
    written = Written(talk(tools=TOOLS), incremental=incremental).created("t", "local").run("t").called("one").replied(ASKS)
    written = written.tool("c1").called("one", ASKS, SUNNY).failed().raised("service")
    return written.described("t", "local", *shown)


def test_per_62_a_failed_run_leaves_nothing_at_the_end_of_a_run_and_a_beginning_in_steps():
    assert holds(lost(), "PER-62")
    assert broken(lost("one"), "PER-62") == {"failed run kept (PER-20)"}
    assert holds(lost("one", ASKS, SUNNY, incremental=True), "PER-62")
    assert holds(lost("one", ASKS, incremental=True), "PER-62")
    assert broken(lost("one", SUNNY, incremental=True), "PER-62") == {"no beginning (PER-57)"}


def next_one(written: Written, *shown: Said) -> Written:
    """A run that succeeds, and what its thread shows then."""
    return written.run("t").called("two").replied("2").returned("2").described("t", "local", *shown)


def test_per_62_a_run_after_a_failed_one_adds_its_own():
    assert holds(next_one(lost(), "two", "=2"), "PER-62")
    assert broken(next_one(lost(), "one", "two", "=2"), "PER-62") == {"after a failure (PER-22)"}
    left = ("one", ASKS)
    assert holds(next_one(lost(*left, incremental=True), *left, SUNNY, "two", "=2"), "PER-62")
    assert holds(next_one(lost(*left, incremental=True), *left, "two", "=2"), "PER-62")


def test_per_62_a_tool_that_raises_leaves_the_thread_whole():
    error = results(c1="no weather")
    assert holds(thread("one", ASKS, error, "=1", raises=True), "PER-62")
    assert "a tool's error (PER-23)" in broken(thread("one", ASKS, "=1", raises=True), "PER-62")


@pytest.mark.parametrize(
    ("incremental", "shown", "aspects"),
    [(False, (), set()), (False, ("one", ASKS), {"a tool's error (PER-23)"}), (True, ("one", ASKS), set())],
)
def test_per_62_a_tool_that_raises_may_fail_the_run(incremental, shown, aspects):
    written = Written(talk(tools=TOOLS), incremental=incremental).created("t", "local").run("t").called("one").replied(ASKS)
    written = written.tool_raised("c1").raised("tool").described("t", "local", *shown)
    assert broken(written, "PER-62") == aspects


def pair(*shown: Said, stream: bool = False, **second: Any) -> Written:
    """The same run on two threads, of which the second shows this."""
    said = {"say": ("one",), "replies": (ReplySpec(text="1"),)}
    name = "b" if second else "a"
    agents = {"a": AgentSpec(), **({"b": AgentSpec(**second)} if second else {})}
    made = (CreateThread(thread="t", agent="a"), CreateThread(thread="u", agent=name))
    runs = (Run(thread="t", **said), Run(thread="u", stream=stream, **said))
    written = Written(Scenario(agents=agents, steps=(*made, *runs))).created("t", "local").created("u", "local", step=1)
    written = written.run("t").called("one").replied("1").returned("1").described("t", "local", "one", "=1")
    written = written.run("u").called("one", agent=name).replied("1", agent=name).returned("1")
    return written.described("u", "local", *shown)


def test_per_62_streaming_shows_the_same():
    assert holds(pair("one", "=1", stream=True), "PER-62")
    assert "streaming (PER-38)" in broken(pair("one", stream=True), "PER-62")
    assert "streaming (PER-38)" not in broken(pair("one"), "PER-62")


def test_per_62_both_modes_show_the_same():
    assert holds(pair("one", "=1", **PER_CALL), "PER-62")
    assert "modes (PER-18)" in broken(pair("one", **PER_CALL), "PER-62")
    assert "modes (PER-18)" not in broken(pair("one", client_as_is=True), "PER-62")


def test_per_62_says_nothing_of_a_thread_that_shows_nothing_or_has_a_provider():
    written = Written(talk()).created("t", "local").run("t").called("one").replied("1").returned("1")
    assert written.described("t", "local", hidden=True).findings("PER-62") == []
    assert thread("one", "one", agent={"history": "provider"}).findings("PER-62") == []


@pytest.mark.parametrize(
    ("written", "names"),
    [
        (Written(talk("local", run("one", store=True), tools=TOOLS)), {"contradicting"}),
        (Written(talk(**BARE)), {"callers history"}),
        (Written(talk(service=NEW_IDS)), {"under a conversation"}),
    ],
)
def test_per_62_leaves_alone_what_its_thread_need_not_keep(written: Written, names: set[str]):
    id = "a-1" if "under a conversation" in names else None
    gone = written.created("t", "local").run("t").called("one").replied("1", conversation_id=id).returned("1")
    assert names <= taken_away(gone.described("t", "local"), "PER-62")


def test_per_62_leaves_alone_what_follows_a_contradiction():
    written = Written(talk("local", run("one", store=True), run("two"))).created("t", "local")
    gone = written.run("t").called("one").replied("1").returned("1").run("t").called("two").replied("2").returned("2")
    assert "after a contradiction" in taken_away(gone.described("t", "local", "two", "two", "=2"), "PER-62")


def test_per_62_lets_what_trails_a_loop_that_a_tool_ended_be_kept_or_not():
    def ended(*shown: Said) -> Written:
        written = lost().run("t").called("two").replied(STOPS).tool("c1", "stop", "stopped", terminated=True)
        return written.returned(STOPS, STOPPED).described("t", "local", *shown)

    assert holds(ended("two", STOPS), "PER-62")
    assert holds(ended("two", STOPS, STOPPED), "PER-62")
    assert broken(ended("two"), "PER-62") == {"lost (PER-10)", "after a failure (PER-22)"}


def waited(scenario: Scenario, *shown: Said) -> Written:
    """A run that waits for an approval."""
    written = Written(scenario).created("t", "local").run("t").called("one").replied(calls("p1", pay={}))
    return written.pending(id="x", tool="pay").described("t", "local", *shown)


def answered(*steps: Run | Respond) -> Scenario:
    made = CreateThread(thread="t", agent="a")
    return Scenario(agents={"a": AgentSpec(tools=TOOLS)}, steps=(made, *steps))


def test_per_62_says_nothing_of_a_run_beside_which_another_one_ran():
    written = waited(answered(run("one"), run("two"), Respond()))
    written = written.run("t").called("two").replied("2").returned("2").described("t", "local", "two", "=2")
    gone = written.answered(0).called("one").replied("1").returned("1").described("t", "local", "two", "=2")
    assert all(finding.holds for finding in gone.findings("PER-62"))


def test_per_62_leaves_the_parts_alone_that_were_answered_before_a_run_failed():
    part = waited(answered(run("one"), Respond()), "one").answered(0).called("one").failed().raised("service")
    assert "resumed" in taken_away(part.described("t", "local", "one"), "PER-62")
