"""PER-26 to PER-31 on traces written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from kept import ASKS, BARE, PER_CALL, SUNNY, TOOLS, begun, kept, turn
from talks import BY_DEFAULT, NEW_IDS, SURPRISING, run, talk
from written import Said, Written, broken, calls, holds, left_alone, results, taken_away

from conformance.scenario.scenario import Respond, Restore, Run, Scenario, Serialize, Step
from conformance.scenario.specs import AgentSpec, ServiceSpec, ToolSpec
from conformance.trace.adapter_events import Observed, Restored, Serialized
from conformance.trace.harness_events import Abandoned
from conformance.trace.messages import Call, Message

MADE_UP = "foreign-1"
"""How the harness renames an id that no service issued."""


def more(scenario: Scenario, *steps: Step) -> Scenario:
    """The same, with further steps."""
    return Scenario(agents=scenario.agents, steps=(*scenario.steps, *steps))


# --- PER-26 ---


def test_per_26():
    assert holds(begun(kept(**PER_CALL)).run("t").called("one").replied(ASKS).called(SUNNY), "PER-26")
    at_once = begun(kept(**PER_CALL)).run("t").called("one", conversation_id=MADE_UP)
    assert broken(at_once, "PER-26") == {"at once"}
    within = begun(kept(**PER_CALL)).run("t").called("one").replied(ASKS).called(SUNNY, conversation_id=MADE_UP)
    assert broken(within, "PER-26") == {"within a run"}
    across = turn(begun(kept(**PER_CALL)), "one", "1").run("t").called("two", conversation_id=MADE_UP)
    assert broken(across, "PER-26") == {"across runs"}


def test_per_26_is_exercised_by_what_follows_on_agents_that_persist_per_call():
    assert not begun(kept(**PER_CALL)).run("t").called("one").findings("PER-26")
    assert not begun(kept()).run("t").called("one", conversation_id=MADE_UP).findings("PER-26")


# --- PER-27 ---


def shown(kind: Any = "local", id: str | None = None, scenario: Scenario | None = None) -> Written:
    """A run after which the thread is described so."""
    return turn(begun(scenario or kept(**PER_CALL)), "one", "1").described("t", kind, conversation_id=id)


def loading(*, loads: bool = True, ends: str | None = None) -> Written:
    """A second run on a local thread."""
    written = shown().run("t")
    written = (written.loaded("one", "=1") if loads else written).called("one", "=1", "two")
    return written.raised(ends) if ends else written.replied("2").returned("2")


def round_trip(kind: Any = "local", id: str | None = None, *, again: bool = False) -> Written:
    """A run on t, a second one where it runs again, and a thread u that was restored from that, described so."""
    runs: tuple[Run, ...] = (run("one"), run("two")) if again else (run("one"),)
    scenario = more(kept(*runs, **PER_CALL), Serialize(thread="t"), Restore(thread="u", data="t"))
    written = turn(begun(scenario), "one", "1")
    written = turn(written, "two", "2") if again else written
    written.step(len(runs) + 1).event(Serialized, thread="t").step(len(runs) + 2).event(Restored, thread="u", source="t")
    return written.described("u", kind, conversation_id=id)


def test_per_27_holds():
    assert holds(shown(), "PER-27")
    assert holds(loading(), "PER-27")
    assert holds(round_trip(), "PER-27")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (shown("hosted", MADE_UP), "shown"),
        (shown("hosted"), "another kind"),
        (begun(kept(**PER_CALL)).run("t").called("one").replied(ASKS)
         .event(Observed, agent="a", moment="within", kind="local", conversation_id=MADE_UP), "shown"),
        (round_trip("hosted", MADE_UP), "restored"),
        (loading(loads=False), "not loaded"),
        (loading(ends="conflict"), "conflict"),
    ],
)  # fmt: skip
def test_per_27_breaks(written, aspect):
    assert broken(written, "PER-27") == {aspect}


def test_per_27_looks_at_what_was_restored_from_the_last_run():
    assert broken(round_trip("hosted", MADE_UP, again=True).described("t", "local"), "PER-27") >= {"restored"}
    scenario = more(kept(run("one"), **PER_CALL), Serialize(thread="t"), Restore(thread="u", data="t"))
    early = Written(scenario).created("t", "local").step(2).event(Serialized, thread="t")
    early.step(3).event(Restored, thread="u", source="t").described("u", "hosted", conversation_id=MADE_UP)
    assert holds(turn(early, "one", "1"), "PER-27")


def test_per_27_leaves_alone():
    asks = kept(run("one", store=True), run("two"), **PER_CALL)
    again = turn(turn(begun(asks), "one", "1"), "two", "2").described("t", "local")
    assert left_alone(again, "PER-27") == {"contradicting", "after a contradiction"}
    surprising = turn(begun(kept(service=SURPRISING, **PER_CALL)), "one", "1", conversation_id="a-1")
    assert left_alone(surprising, "PER-27") == {"under a conversation"}
    later = kept(run("one"), run("two", store=True), **PER_CALL)
    assert taken_away(turn(turn(begun(later), "one", "1"), "two", "2"), "PER-27") == {"contradicting"}
    named = turn(turn(begun(kept(service=SURPRISING, **PER_CALL)), "one", "1"), "two", "2", conversation_id="a-1")
    assert taken_away(named, "PER-27") == {"under a conversation"}
    silent = kept(kind="adaptive", service=BY_DEFAULT, **PER_CALL)
    unnamed = turn(turn(begun(silent, "adaptive"), "one", "1", kept=True), "two", "2", kept=True)
    assert taken_away(unnamed, "PER-27") == {"kept without a name"}


# --- PER-28 and PER-29 ---

WITH_IDS: dict[str, Any] = {"kind": "hosted", "service": NEW_IDS}
LOOKS = calls("c1", look={})


def looked(seen: str | None, scenario: Scenario) -> Written:
    """A run on a hosted thread, in which a tool sees this id after the first reply."""
    return looking(begun(scenario, "hosted"), seen)


def looking(written: Written, seen: str | None) -> Written:
    """The next run, in which a tool sees this id after the first reply; then all is as it should be."""
    written.run("t").called("one").replied(LOOKS, conversation_id="a-1")
    written.event(Observed, agent="a", moment="within", kind="hosted", conversation_id=seen)
    return written.called(SUNNY).replied("1", conversation_id="a-2").returned("1").described("t", "hosted", conversation_id="a-2")


def second(*, ends: str | None = None, id: str | None, scenario: Scenario) -> Written:
    """A second run on a hosted thread, which may end in an error in its second call; then the thread has this id."""
    written = turn(begun(scenario, "hosted"), "one", "1", conversation_id="a-1").described("t", "hosted", conversation_id="a-1")
    written.run("t").called("two").replied(LOOKS, conversation_id="a-2").called(SUNNY)
    written = written.failed().raised(ends) if ends else written.replied("2", conversation_id="a-3").returned("2")
    return written.described("t", "hosted", conversation_id=id)


PER_CALL_WITH_IDS, PER_RUN_WITH_IDS = kept(**WITH_IDS, **PER_CALL), kept(**WITH_IDS)


def test_per_28_holds():
    assert holds(looked("a-1", PER_CALL_WITH_IDS), "PER-28")
    assert holds(second(id="a-3", scenario=PER_CALL_WITH_IDS), "PER-28")
    assert holds(second(ends="service", id="a-2", scenario=PER_CALL_WITH_IDS), "PER-28")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (looked(None, PER_CALL_WITH_IDS), "late"),
        (looked("a-9", PER_CALL_WITH_IDS), "another id"),
        (second(ends="service", id="a-1", scenario=PER_CALL_WITH_IDS), "not taken"),
        (second(ends="service", id=None, scenario=PER_CALL_WITH_IDS), "no id"),
        (second(id="a-9", scenario=PER_CALL_WITH_IDS), "another id"),
    ],
)
def test_per_28_breaks(written, aspect):
    assert broken(written, "PER-28") == {aspect}


@pytest.mark.parametrize("id", ["a-1", "a-2"])
def test_per_28_leaves_open_whether_the_reply_was_taken_in_that_its_consumer_left(id):
    written = begun(PER_CALL_WITH_IDS, "hosted").run("t").called("one").replied(LOOKS, conversation_id="a-1").called(SUNNY)
    written.replied("1", conversation_id="a-2").event(Abandoned, chunks=1)
    assert holds(written.described("t", "hosted", conversation_id=id), "PER-28")


def test_per_28_asks_nothing_of_a_run_that_was_abandoned_before_any_call():
    written = begun(PER_CALL_WITH_IDS, "hosted").run("t").event(Abandoned, chunks=0)
    assert holds(written.described("t", "hosted"), "PER-28")


def test_per_29_holds():
    assert holds(looked(None, PER_RUN_WITH_IDS), "PER-29")
    assert holds(second(id="a-3", scenario=PER_RUN_WITH_IDS), "PER-29")
    assert holds(second(ends="service", id="a-1", scenario=PER_RUN_WITH_IDS), "PER-29")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (looked("a-1", PER_RUN_WITH_IDS), "early"),
        (looked("a-9", PER_RUN_WITH_IDS), "another id"),
        (second(id="a-1", scenario=PER_RUN_WITH_IDS), "not taken"),
        (second(id=None, scenario=PER_RUN_WITH_IDS), "no id"),
        (second(ends="service", id="a-2", scenario=PER_RUN_WITH_IDS), "taken on failure"),
        (second(ends="service", id=None, scenario=PER_RUN_WITH_IDS), "no id"),
    ],
)
def test_per_29_breaks(written, aspect):
    assert broken(written, "PER-29") == {aspect}


# --- what the rules on ids leave alone ---


def contradiction(**agent: Any) -> Written:
    """A run that contradicts its hosted thread and was let through."""
    scenario = kept(run("one", store=False), run("two"), **WITH_IDS, **agent)
    return turn(begun(scenario, "hosted"), "one", "1", conversation_id="a-1").described("t", "hosted", conversation_id="a-1")


def nameless(**agent: Any) -> Written:
    """A run on a hosted thread whose reply carries no id."""
    return turn(begun(kept(**WITH_IDS, **agent), "hosted"), "one", "1").described("t", "hosted")


def forked(**agent: Any) -> Written:
    """Another thread goes on with what a thread had, before the run that is asked about."""
    scenario = kept(run("one"), **WITH_IDS, **agent)
    steps = (Serialize(thread="t"), Restore(thread="u", data="t"), Run(thread="u", say=("two",)), run("three"))
    written = turn(begun(more(scenario, *steps), "hosted"), "one", "1", conversation_id="a-1")
    written.step(2).event(Serialized, thread="t").step(3).event(Restored, thread="u", source="t")
    return written.run("u").called("two").replied("2", conversation_id="a-2").returned("2").described("t", "hosted")


@pytest.mark.parametrize(
    ("rule", "agent", "first", "names"),
    [
        ("PER-28", PER_CALL, contradiction, {"contradicting", "after a contradiction"}),
        ("PER-28", PER_CALL, nameless, {"with nameless replies"}),
        ("PER-28", PER_CALL, forked, {"forked"}),
        ("PER-29", {}, contradiction, {"contradicting", "after a contradiction"}),
        ("PER-29", {}, nameless, {"with nameless replies"}),
        ("PER-29", {}, forked, {"forked"}),
        ("PER-30", {}, contradiction, {"contradicting", "after a contradiction"}),
        ("PER-30", {}, nameless, {"with nameless replies"}),
        ("PER-30", {}, forked, {"forked"}),
    ],
)
def test_ids_are_left_alone(rule, agent, first, names):
    assert taken_away(looking(first(**agent), "a-9"), rule) == names


def waited(scenario: Scenario, **replied: Any) -> Written:
    """A run that waits for an approval."""
    written = begun(scenario, scenario.kind_of("t")).run("t").called("one").replied(PAYS, **replied)
    return written.pending(id="c1", tool="pay")


PAYS, PAID = calls("c1", pay={}), results(c1="paid")


def test_ids_of_runs_that_wait_are_left_alone_where_they_are_taken_at_the_end():
    assert taken_away(waited(kept(**WITH_IDS), conversation_id="a-1").described("t", "hosted"), "PER-29") == {"waiting"}
    left = begun(PER_RUN_WITH_IDS, "hosted").run("t").called("one").replied("1", conversation_id="a-1")
    assert taken_away(left.event(Abandoned, chunks=1).described("t", "hosted"), "PER-29") == {"abandoned"}
    resumed = waited(more(kept(run("one"), **WITH_IDS), Respond()), conversation_id="a-1").answered(0)
    failed = resumed.called(PAID, conversation_id="a-1").failed().raised("service").described("t", "hosted")
    assert left_alone(failed, "PER-29") == {"resumed", "failed after an answer"}


def test_ids_of_runs_that_were_overtaken_are_left_alone_per_call():
    scenario = more(kept(run("one"), run("two"), history="default", **WITH_IDS, **PER_CALL), Respond())
    written = waited(scenario, conversation_id="a-1").run("t").called("two").replied("2", conversation_id="a-2").returned("2")
    written.answered(0).called(PAID).replied("1", conversation_id="a-3").returned("1").described("t", "hosted")
    assert "overtaken" in taken_away(written, "PER-28")


# --- PER-30 ---

TWICE = kept(run("one", "two"), run("three", "four"), **WITH_IDS)


def sent(*said: Said, id: str | None = "a-1") -> Written:
    """The second run on a hosted thread sends this in its first request."""
    first = begun(TWICE, "hosted").run("t").called("one", "two").replied("1", conversation_id="a-1").returned("1")
    first.described("t", "hosted", conversation_id="a-1")
    return first.run("t").called(*said, conversation_id=id).replied("2", conversation_id="a-2").returned("2")


def test_per_30_holds():
    assert holds(sent("three", "four"), "PER-30")
    assert holds(sent("^be kind", "three", "four"), "PER-30")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (sent("three", "four", id=None), "no id"),
        (sent("three", "four", id="a-0"), "another id"),
        (sent("three"), "missing"),
        (sent("one", "two", "=1", "three", "four"), "history prepended"),
        (sent("three", "four", "three"), "repeated"),
        (sent("three", "four", "five"), "foreign"),
        (sent("four", "three"), "order"),
    ],
)
def test_per_30_breaks(written, aspect):
    assert broken(written, "PER-30") == {aspect}


def test_per_30_breaks_where_a_loop_sends_again_what_it_has_sent():
    written = begun(TWICE, "hosted").run("t").called("one", "two").replied(ASKS, conversation_id="a-1").tool("c1")
    assert broken(written.called("one", "two", ASKS, SUNNY, conversation_id="a-1"), "PER-30") == {"repeated"}


# --- PER-31 ---


def approving(*runs: Run, approve: bool = True, scenario: Scenario | None = None, **agent: Any) -> Scenario:
    """A run that asks for approval, somebody's answer to it, and further runs."""
    return more(scenario or kept(run("one"), **agent), Respond(approve=approve), *runs)


def resumed(
    *said: Said, ran: int = 1, appended: tuple[Said, ...] = ("one", PAYS, PAID, "=1"), scenario: Scenario | None = None
) -> Written:
    """The run goes on after an answer: the tool runs so often, then this is sent, and this appended."""
    written = waited(scenario or approving()).answered(0)
    for _ in range(ran):
        written.tool("c1", "pay", "paid")
    written.called(*(said or ("one", PAYS, PAID))).replied("1")
    return (written.appended(*appended) if appended else written).returned("1")


NO = results(c1="rejected")
REJECTED: tuple[Said, ...] = ("one", PAYS, NO)


def test_per_31_holds():
    assert holds(resumed(), "PER-31")
    rejected = resumed(*REJECTED, ran=0, appended=(*REJECTED, "=1"), scenario=approving(approve=False))
    assert holds(rejected, "PER-31")
    later = resumed(scenario=approving(run("two"))).run("t").called("one", PAYS, PAID, "=1", "two").replied("2")
    assert holds(later.appended("two", "=2").returned("2"), "PER-31")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (resumed("one", PAYS), "not sent"),
        (resumed("one", PAYS, PAID, PAYS, PAID), "sent again"),
        (resumed(appended=("one", PAYS, "=1")), "not stored"),
        (resumed(appended=("one", PAYS, PAID, PAYS, PAID, "=1")), "stored again"),
        (resumed(ran=0), "not run"),
        (resumed(ran=2), "run again"),
        (resumed(*REJECTED, ran=1, appended=(*REJECTED, "=1"), scenario=approving(approve=False)), "rejected call run"),
    ],
)
def test_per_31_breaks(written, aspect):
    assert broken(written, "PER-31") == {aspect}


def chosen(*tools: str) -> Written:
    """Two calls of two tools wait, the first of which is approved and the second rejected; calls of these tools are run."""
    both = calls("c1", "c2", pay={}, send={})
    tools_of = {"pay": ToolSpec(approval=True), "send": ToolSpec(approval=True)}
    scenario = more(kept(run("one"), tools=tools_of), Respond(), Respond(approve=False))
    written = begun(scenario).run("t").called("one").replied(both).appended("one", both)
    written = written.pending(tool="pay", id="r1").pending(tool="send", id="r2").answered(0).returned().answered(0)
    for tool in tools:
        written.tool("c1" if tool == "pay" else "c2", tool, "done")
    done = results(c1="done", c2="done")
    return written.called("one", both, done).replied("1").appended(done, "=1").returned("1")


def test_per_31_compares_which_calls_are_run():
    assert holds(chosen("pay"), "PER-31")
    assert broken(chosen("send"), "PER-31") == {"rejected call run"}
    assert broken(chosen("pay", "send"), "PER-31") == {"rejected call run"}
    assert broken(chosen("pay", "pay"), "PER-31") == {"run again"}
    assert broken(chosen(), "PER-31") == {"not run"}


def test_per_31_compares_which_calls_of_one_tool_are_run_where_requests_say_it():
    both = Message(role="assistant", calls=(Call(id="c1", tool="pay"), Call(id="c2", tool="pay")))
    scenario = more(kept(run("one"), tools={"pay": ToolSpec(approval=True)}), Respond(), Respond(approve=False))

    def ran(*ids, says=True):
        written = begun(scenario).run("t").called("one").replied(both).appended("one", both)
        for id in ("c1", "c2"):
            written.pending(tool="pay", call=id if says else None, id=f"r-{id}")
        written.answered(0).returned().answered(0)
        for id in ids:
            written.tool(id, "pay", "done")
        done = results(c1="done", c2="done")
        return written.called("one", both, done).replied("1").appended(done, "=1").returned("1")

    assert holds(ran("c1"), "PER-31")
    assert broken(ran("c2"), "PER-31") == {"rejected call run"}
    assert broken(ran("c1", "c1"), "PER-31") == {"run again"}
    assert broken(ran(), "PER-31") == {"not run"}
    assert holds(ran("c2", says=False), "PER-31")


def test_per_31_breaks_in_later_runs():
    again = resumed(scenario=approving(run("two"))).run("t").called("one", PAYS, PAID, PAYS, PAID, "=1", "two")
    assert broken(again, "PER-31") == {"sent again"}


def test_per_31_asks_of_what_nobody_keeps_only_that_nothing_is_sent_twice():
    bare = approving(**BARE)
    assert holds(resumed(PAID, appended=(), scenario=bare), "PER-31")
    assert broken(resumed(PAID, PAID, appended=(), scenario=bare), "PER-31") == {"sent again"}


def test_per_31_sees_what_a_service_has():
    hosted = approving(kind="hosted", service=NEW_IDS)
    written = waited(hosted, conversation_id="a-1").answered(0).tool("c1", "pay", "paid")
    written.called(PAID, held=("one", PAYS), conversation_id="a-1").replied("1", conversation_id="a-2")
    assert holds(written.returned("1"), "PER-31")
    assert "under a conversation" in taken_away(written, "PER-31")


def test_per_31_compares_what_other_agents_see_of_a_thread_with_nothing():
    scenario = approving(run("two", agent="b"), b=AgentSpec(history="provider"))
    assert holds(resumed(scenario=scenario).run("t").called("two", agent="b"), "PER-31")


def followed(**agent: Any) -> Written:
    """A run that goes on after an answer, and a later one that sees nothing of it."""
    return resumed(scenario=approving(run("two"), **agent)).run("t").called("two")


def test_per_31_leaves_agents_alone():
    recurring = resumed(scenario=approving(service=ServiceSpec(repeats_call_ids=True)))
    assert left_alone(recurring, "PER-31") == {"recurring call ids"}
    assert taken_away(followed(service=ServiceSpec(repeats_call_ids=True)), "PER-31") == {"recurring call ids"}
    assert taken_away(followed(reduces_to=9), "PER-31") == {"bounded history"}
    assert taken_away(followed(**BARE), "PER-31") == {"callers history", "callers history in between"}


def test_per_31_leaves_later_contradictions_alone():
    asks = resumed(scenario=approving(run("two", store=True))).run("t").called("two")
    assert taken_away(asks, "PER-31") == {"contradicting"}
    scenario = more(kept(run("zero", store=True), run("one")), Respond(), run("two"))
    written = turn(begun(scenario), "zero", "0").run("t").called("one").replied(PAYS).pending(id="c1", tool="pay").answered(1)
    written.tool("c1", "pay", "paid").called("one", PAYS, PAID).replied("1").returned("1")
    assert taken_away(written.run("t").called("two"), "PER-31") == {"after a contradiction"}


def test_per_31_leaves_alone_what_nobody_can_tell():
    failed = waited(approving()).answered(0).tool("c1", "pay", "paid").called("one", PAYS, PAID).failed().raised("service")
    assert left_alone(failed, "PER-31") == {"service failed"}
    two = Message(role="assistant", calls=(*PAYS.calls, *calls("c2", pay={}).calls))
    partly = begun(approving()).run("t").called("one").replied(two).pending(id="c1", tool="pay").answered(0)
    partly.tool("c1", "pay", "paid").called("one", two, PAID).raised("other")
    assert left_alone(partly, "PER-31") == {"partly answered"}


def test_per_31_leaves_overtaken_runs_alone():
    scenario = more(kept(run("one"), run("two")), Respond())
    written = waited(scenario).run("t").called("two").replied("2").returned("2").answered(0)
    written.tool("c1", "pay", "paid").called("one", PAYS, PAID).replied("1").returned("1")
    assert "overtaken" in taken_away(written, "PER-31")


def test_per_31_speaks_of_threads_that_keep_their_messages_themselves():
    assert holds(resumed(appended=(), scenario=approving(scenario=talk("local", run("one"), tools=TOOLS))), "PER-31")
