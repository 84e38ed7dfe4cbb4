"""An execution as rules read it, on traces written by hand."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from flows import PAYS, flow
from flows import run as flow_run
from kept import ASKS, TOOLS
from talks import NEW_IDS, ONE_ID, run, talk
from written import Said, Written, calls, message, results

from conformance.rules.execution_view import ExecutionView, change, same_data, states_after
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import Respond, Restore, Run, Scenario, Serialize, Tamper, Together
from conformance.scenario.specs import AgentSpec, ContextSpec
from conformance.trace.adapter_events import Restored, Serialized, ThreadDescribed
from conformance.trace.harness_events import Cancelled, ConversationExists, Tampered


def went(written: Written | None = None, thread: str = "t") -> Written:
    """A run on a thread succeeds: four events."""
    begun = written or Written(talk())
    return begun.run(thread).called("x").replied("y").returned("y")


def last(written: Written) -> tuple[ExecutionView, RunView]:
    view = written.view
    return view, view.runs[-1]


def numbers(runs: list[RunView]) -> list[int]:
    return [each.number for each in runs]


# --- what is declared, and events ---


def test_what_is_declared():
    written = went(Written(talk(), store_conflict="ignore"))
    trace = msgspec.structs.replace(written.trace, capabilities=("tools",))
    view = ExecutionView(written.scenario, trace)
    assert view.policies.store_conflict == "ignore"
    assert view.can("tools")
    assert not view.can("runs.store")


def test_events_by_kind_are_in_order():
    written = went().described("t", "local").event(Cancelled).described("u", "hosted")
    assert [(at, state.thread) for at, state in written.view.of(ThreadDescribed)] == [(4, "t"), (6, "u")]
    assert written.view.of(Restored) == []


# --- what is heard ---


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ((), []),
        (("one", "=1"), [("user", "one"), ("assistant", "1")]),
        (("^be kind",), [("system", "be kind")]),
        ((calls("c1", text="look", pay={"sum": "1"}),), [("assistant", "look"), ("call", "c1", "pay", '{"sum": "1"}')]),
        (("=", calls("c1", pay={})), [("call", "c1", "pay", "{}")]),
        ((message("=", author="a"), calls("c1", pay={})), [("assistant", ""), ("call", "c1", "pay", "{}")]),
        (("=", "=1"), [("assistant", ""), ("assistant", "1")]),
        ((results(c10="x", c9="y"),), [("result", "c9"), ("result", "c10")]),
        (
            (results(c2="x"), results(c1="y"), "one", results(c0="z")),
            [("result", "c1"), ("result", "c2"), ("user", "one"), ("result", "c0")],
        ),
    ],
)
def test_what_is_heard_in_messages(said: tuple[Said, ...], heard):
    assert went().view.heard([message(each) for each in said]) == heard


def returned(*, raised: bool = False) -> Written:
    """A tool returned `sunny` for c1; or another call of that id raised."""
    written = Written(talk(tools=TOOLS)).run("t").called("x").replied(ASKS).tool("c1")
    return written.tool_raised("c1") if raised else written


@pytest.mark.parametrize(
    ("written", "value", "right"),
    [
        (returned(), "sunny", True),
        (returned(), '{"text": "sunny"}', True),
        (returned(), "rainy", False),
        (returned(), "", False),
        (returned().tool("c1", value="rainy"), "rainy", True),
        (returned().tool("c1", value="rainy"), "cold", False),
        (returned(raised=True), "cold", True),
        (went(), "cold", True),
    ],
)
def test_a_result_holds_what_its_tool_returned(written, value, right):
    got = written.view.heard([results(c1=value)])
    assert (got == [("result", "c1")]) == right
    assert got[0][:2] == ("result", "c1")


def test_each_result_of_an_id_that_came_back_is_heard_for_itself():
    twice = returned().called("again").replied(calls("c1", weather={})).tool("c1", value="rainy").view
    assert twice.heard([results(c1="cold"), results(c1="rainy")])[1] == ("result", "c1")


def test_nobody_knows_the_results_of_an_id_that_came_back_where_a_call_was_not_run():
    closed = Written(talk(tools=TOOLS)).run("t").called("one").replied(ASKS).run("t").called("two")
    again = closed.replied(ASKS).tool("c1").view
    assert again.heard([results(c1="not approved")]) == [("result", "c1")]


@pytest.mark.parametrize(("approve", "tool", "right"), [(True, "pay", False), (False, "pay", True), (False, "weather", False)])
def test_nobody_knows_the_result_of_a_call_that_was_perhaps_rejected(approve, tool, right):
    scenario = talk("local", run("one"), Respond(approve=approve), tools={**TOOLS, **PAYS})
    written = Written(scenario).run("t").called("one").replied(calls("c1", **{tool: {}})).tool("c1", tool, "done")
    assert (written.view.heard([results(c1="refused")]) == [("result", "c1")]) == right


@pytest.mark.parametrize(
    ("policy", "spoken"),
    [
        (None, [("user", "one"), ("user", "of b")]),
        ("dropped", [("user", "one"), ("user", "of b")]),
        ("stored", [("user", "one")]),
    ],
)
def test_what_is_spoken_is_without_instructions_and_what_providers_add(policy, spoken):
    b = AgentSpec(context={"q": ContextSpec(adds=("of b",))})
    scenario = talk(b=b, context={"p": ContextSpec(adds=("of a", "too"))})
    view = Written(scenario, injected_messages=policy).run("t").view
    said = [message(each) for each in ("^be kind", "of a", "too", "one", "of b")]
    assert view.spoken(said, scenario.agents["a"]) == spoken


# --- runs ---


def test_runs_are_in_order_with_their_steps():
    view = went(went()).view
    assert [(each.number, each.at, each.spec) for each in view.runs] == [(0, 0, run("one")), (1, 4, run("two"))]


def test_runs_at_once_are_told_apart_by_thread_or_workflow():
    on_t, on_u, whole = run("one"), Run(thread="u", say=("two",)), flow_run()
    both = Scenario(agents={}, steps=(Together(runs=(on_t, whole, on_u)),))
    written = Written(both).run("u", step=0).run(workflow="w", step=0).run("t", step=0).called("x").within(0).called("z")
    view = written.view
    assert [each.spec for each in view.runs] == [on_u, whole, on_t]
    assert [[at for at, _ in each.events] for each in view.runs] == [[0, 4], [1], [2, 3]]


def test_runs_on_threads_and_of_workflows_are_told_apart():
    scenario = talk("local", run("one"))
    mixed = Scenario(agents={**scenario.agents, **flow().agents}, workflows=flow().workflows, steps=(*scenario.steps, flow_run()))
    view = went(Written(mixed)).run().view
    assert [(each.number, thread, agent) for each, thread, agent in view.agent_runs()] == [(0, "t", mixed.agents["a"])]
    assert [(each.number, spec) for each, spec in view.workflow_runs()] == [(1, flow_run())]


# --- threads of one origin ---


def family(*, restored: bool = True, **agent: Any) -> Written:
    """On t two runs, between them it became data, of which u was made; u runs, becomes data, and v is made of that and runs."""
    second, third = (Run(thread=name, say=("x",)) for name in ("u", "v"))
    first = (run("one"), Serialize(thread="t"), Restore(thread="u", data="t"), run("two"), second)
    scenario = talk("local", *first, Serialize(thread="u"), Restore(thread="v", data="u"), third, **agent)
    written = went(Written(scenario)).step(2).event(Serialized, thread="t")
    if restored:
        written.step(3).event(Restored, thread="u", source="t")
    went(went(written), "u").step(6).event(Serialized, thread="u").step(7).event(Restored, thread="v", source="u")
    return went(written, "v")


def test_a_thread_has_runs_of_its_own_and_those_of_its_origin():
    view = family().view
    assert [numbers(view.earlier(each)) for each in view.runs] == [[], [0], [0], [0, 2]]
    assert [numbers(view.inherited(thread)) for thread in "tuv"] == [[], [0], [0, 2]]
    assert [view.origin(thread) for thread in "tuv"] == [None, ("t", 4), ("u", 14)]


def copied_while_it_waits() -> Written:
    """On t a run waits; t becomes data, of which u is made; t has another run, its first one gets its answer, then u has a run."""
    on_u = Run(thread="u", say=("x",))
    steps = (run("one"), Serialize(thread="t"), Restore(thread="u", data="t"), run("two"), Respond(), on_u)
    written = Written(talk("local", *steps, tools=TOOLS)).run("t").called("x").replied(ASKS).pending(id="c1")
    written.step(2).event(Serialized, thread="t").step(3).event(Restored, thread="u", source="t")
    return went(went(written).answered(0).called("x").replied("y").returned("y"), "u")


def test_an_earlier_run_is_what_it_was_when_a_run_began():
    view = copied_while_it_waits().view
    assert [each.ending for each in view.runs] == ["returned", "returned", "returned"]
    assert [[other.ending for other in view.earlier(each)] for each in view.runs] == [[], ["waiting"], ["waiting"]]
    assert [each.ending for each in view.inherited("u")] == ["waiting"]
    assert [len(each.calls) for each in view.inherited("u")] == [1]


def test_a_thread_is_forked_where_an_answer_came_to_its_original():
    scenario = copied_while_it_waits()
    one_id = msgspec.structs.replace(scenario.scenario, agents={"a": AgentSpec(service=ONE_ID, tools=TOOLS)})
    view = ExecutionView(one_id, scenario.trace)
    assert view.forked(view.runs[-1])


def test_data_is_the_same_where_a_number_is_none():
    nan = {"memory": {"weight": float("nan")}}
    assert same_data(nan, {"memory": {"weight": float("nan")}})
    assert not same_data(nan, {"memory": {"weight": None}})
    said = calls("c1", weather={"at": float("nan")})
    assert same_data((said,), (calls("c1", weather={"at": float("nan")}),))
    assert not same_data((said,), (calls("c2", weather={"at": float("nan")}),))


def test_a_thread_that_was_not_restored_has_no_origin():
    view = family(restored=False).view
    assert [numbers(view.earlier(each)) for each in view.runs] == [[], [0], [], [2]]
    assert view.origin("u") is None
    assert Written(talk()).event(Restored, thread="u", source="t").view.origin("u") is None


def test_a_thread_comes_from_the_latest_data():
    steps = (run("one"), Serialize(thread="t"), run("two"), Serialize(thread="t"), Restore(thread="u", data="t"))
    written = went(Written(talk("local", *steps))).step(2).event(Serialized, thread="t")
    went(written).step(4).event(Serialized, thread="t").step(5).event(Restored, thread="u", source="t")
    assert written.view.origin("u") == ("t", 9)
    assert numbers(written.view.inherited("u")) == [0, 1]


def test_threads_of_one_origin_are_related():
    view = family().view
    assert view.related("t", "t")
    assert view.related("t", "v")
    assert view.related("v", "u")
    assert not view.related("t", "w")


@pytest.mark.parametrize(
    ("agent", "forks"),
    [
        ({}, [False, False, False, False]),
        ({"service": NEW_IDS}, [False, False, False, False]),
        ({"history": "provider"}, [False, False, True, True]),
        ({"service": ONE_ID}, [False, False, True, True]),
    ],
)
def test_a_run_is_forked_where_another_thread_went_on_with_the_same(agent, forks):
    view = family(**agent).view
    assert [view.forked(each) for each in view.runs] == forks


@pytest.mark.parametrize(("thread", "place", "so"), [("t", 1, True), ("t", 2, False), ("w", 1, False)])
def test_a_caller_tampers_before_a_run(thread, place, so):
    steps = [run("one"), run("two")]
    steps.insert(place, Tamper(thread=thread))
    written = went(Written(talk("local", *steps)))
    if place == 1:
        written.step(2).event(Tampered, thread=thread, text="z")
    went(written)
    if place == 2:
        written.step(3).event(Tampered, thread=thread, text="z")
    view, second = last(written)
    assert view.tampered(second) == so


# --- how threads are described ---


def described() -> Written:
    """A thread that gets one id, then another; between them somebody describes u."""
    written = Written(talk("hosted", service=NEW_IDS)).created("t", "hosted")
    went(written).described("t", "hosted", conversation_id="a-1").described("u", "local")
    return went(written).described("t", "hosted", conversation_id="a-2")


def test_how_a_thread_is_described():
    view = described().view
    assert [view.id_before(each) for each in view.runs] == [None, "a-1"]
    assert view.described("t", before=0) is None
    assert view.described("u", before=99) == ThreadDescribed(step=1, thread="u", kind="local", messages=())
    assert [[at for at, _ in states_after(view, each)] for each in view.runs] == [[5], [11]]


def test_the_id_of_a_conversation_that_was_there():
    given = Written(talk("hosted", with_id=True)).event(ConversationExists, thread="t", agent="a", conversation_id="a-7")
    assert given.view.id_given("t") == "a-7"
    assert described().view.id_given("t") is None


def test_a_restored_thread_goes_on_with_the_given_id_of_its_original():
    scenario = talk("hosted", Serialize(thread="t"), Restore(thread="u", data="t"), with_id=True)
    given = Written(scenario).event(ConversationExists, thread="t", agent="a", conversation_id="a-7")
    assert given.view.id_given("u") == "a-7"


BEFORE: dict[str, Any] = {"kind": "local", "conversation_id": None, "said": ("one",), "context": {"p": {"runs": 1}}}


@pytest.mark.parametrize(
    ("after", "facts", "changed"),
    [
        ({}, None, []),
        ({"kind": "hosted"}, None, [2]),
        ({"conversation_id": "a-1"}, None, [2]),
        ({"said": ("one", "two")}, None, [2]),
        ({"context": {"p": {"runs": 2}}}, None, [2]),
        ({"context": {"p": {"runs": 1}, "q": {}}}, None, []),
        ({"kind": "hosted"}, ("messages",), []),
        ({"said": ()}, ("kind", "messages"), [2]),
    ],
)
def test_a_thread_changes_in_a_run(after, facts, changed):
    def shown(written: Written, said: tuple[str, ...], kind: Any, **fields: Any) -> Written:
        return written.described("t", kind, *said, **fields)

    written = shown(shown(Written(talk()), **BEFORE).run("t"), **{**BEFORE, **after})
    view, one = last(written)
    assert change(view, one, "t", *([facts] if facts else [])) == changed


def test_nothing_changes_on_a_thread_that_was_not_described_before():
    view, one = last(went().described("t", "hosted"))
    assert change(view, one, "t") == []


def test_the_appends_of_all_runs_on_a_thread():
    scenario = talk("local", run("one"), Run(thread="u", say=("x",)), run("two"), history="provider")
    written = Written(scenario).run("t").appended("one").run("u").appended("x").run("t").appended().appended("two")
    assert [(at, event.messages) for at, event in written.view.appends("t")] == [(1, (message("one"),)), (6, (message("two"),))]
