"""THR-01 to THR-04 on traces written by hand."""

from __future__ import annotations

import pytest
from talks import BY_DEFAULT, NEW_IDS, ONE_ID, hosted_turn, run, talk
from written import Written, broken, calls, holds, left_alone, taken_away

from conformance.scenario.scenario import Scenario
from conformance.scenario.specs import AgentSpec, ContextSpec
from conformance.trace.adapter_events import AgentCreated

TWO_OF_ONE_ID = {"x": ContextSpec(id="same"), "y": ContextSpec(id="same")}


def agent_built(scenario: Scenario, *, hosted: bool | None, **policies) -> Written:
    return Written(scenario, **policies).event(AgentCreated, outside=True, agent="a", hosted=hosted)


def refusal(
    scenario: Scenario, kind="unsupported", text="the client of agent 'a' supports no hosted thread", **policies
) -> Written:
    return Written(scenario, **policies).step(0).raised(kind, text)


# --- THR-01 ---


def test_thr_01():
    assert holds(Written(talk()).created("t", "local"), "THR-01")
    assert holds(Written(talk()).created("t"), "THR-01")
    assert broken(Written(talk()).created("t", "hosted"), "THR-01") == {"wrong kind"}
    assert broken(refusal(talk()), "THR-01") == {"refused"}


def test_thr_01_leaves_agents_that_cannot_be_built_alone():
    assert left_alone(refusal(talk(context=TWO_OF_ONE_ID), "invalid"), "THR-01") == {"agent cannot be built"}


# --- THR-02 ---

STATELESS = talk("hosted")
AT_CREATION, AT_RUN = {"unsupported_thread": "at_creation"}, {"unsupported_thread": "at_run"}


def test_thr_02_at_creation():
    assert holds(refusal(STATELESS, **AT_CREATION), "THR-02")
    assert broken(refusal(STATELESS, "invalid", **AT_CREATION), "THR-02") == {"wrong kind of error"}
    assert broken(refusal(STATELESS, text="no", **AT_CREATION), "THR-02") == {"not named"}
    assert broken(Written(STATELESS, **AT_CREATION).created("t", "local"), "THR-02") == {"not refused"}


def test_thr_02_at_the_first_run():
    created = lambda: Written(STATELESS, **AT_RUN).created("t", "hosted").run("t")  # noqa: E731
    text = "the client of agent 'a' supports no hosted thread"
    assert holds(created().raised("unsupported", text), "THR-02")
    assert broken(created().raised("invalid", text), "THR-02") == {"wrong kind of error"}
    assert broken(created().raised("unsupported", "no"), "THR-02") == {"not named"}
    assert broken(created().called("one", store=True).raised("unsupported", text), "THR-02") == {"after a request"}
    assert broken(created().returned("1"), "THR-02") == {"not refused"}
    assert broken(refusal(STATELESS, **AT_RUN), "THR-02") == {"at another time"}


def test_thr_02_asks_nothing_of_a_thread_that_is_not_run_on_or_contradicted_too():
    never = Scenario(agents=STATELESS.agents, steps=STATELESS.steps[:1])
    assert Written(never, **AT_RUN).created("t", "hosted").findings("THR-02") == []
    contradicted = talk("hosted", run("one", store=False))
    assert Written(contradicted, **AT_RUN).created("t", "hosted").run("t").raised("conflict").findings("THR-02") == []


def test_thr_02_leaves_agents_alone_that_cannot_be_built():
    impossible = refusal(talk("hosted", context=TWO_OF_ONE_ID), "invalid", **AT_CREATION)
    assert left_alone(impossible, "THR-02") == {"agent cannot be built"}


# --- THR-03 ---

HOSTED = talk("hosted", service=ONE_ID)


def supported(**policies) -> Written:
    return agent_built(HOSTED, hosted=True, **policies).created("t", "hosted")


def test_thr_03_holds():
    kept = supported().run("t").called("one", store=True).replied("1", conversation_id="a-1", kept=True)
    assert holds(kept.returned("1"), "THR-03")
    assert holds(agent_built(talk(), hosted=False).created("t", "local").run("t").called("one", store=False), "THR-03")


def test_thr_03_breaks():
    assert broken(agent_built(HOSTED, hosted=None), "THR-03") == {"no flag"}
    assert broken(agent_built(HOSTED, hosted=True).step(0).raised("unsupported"), "THR-03") == {"refused"}
    assert broken(supported().run("t").raised("unsupported"), "THR-03") == {"refused"}
    assert broken(supported().run("t").called("one").replied("1"), "THR-03") == {"not kept"}
    asking = agent_built(talk(), hosted=False).created("t", "local").run("t").called("one", store=True)
    assert broken(asking, "THR-03") == {"stores"}


def test_thr_03_leaves_alone_what_is_contradicted_otherwise():
    asks = talk("hosted", run("one", store=False), service=ONE_ID)
    refused = agent_built(asks, hosted=True).created("t", "hosted").run("t").raised("conflict")
    assert "contradicted otherwise" in taken_away(refused, "THR-03")
    through = agent_built(asks, hosted=True).created("t", "hosted").run("t").called("one", store=False).replied("1")
    assert "contradicted otherwise" in taken_away(through, "THR-03")


def waiting(scenario: Scenario) -> Written:
    """A run on a hosted thread waits for an answer."""
    made = agent_built(scenario, hosted=True).created("t", "hosted").run("t").called("one", store=True)
    return made.replied(calls("c1", pay={}), conversation_id="a-1", kept=True).pending(id="c1")


def test_thr_03_leaves_alone_who_interrupts_a_run_that_waits():
    refused = waiting(HOSTED).run("t").raised("invalid")
    assert taken_away(refused, "THR-03") == {"interrupting"}
    assert holds(refused, "THR-03")
    through = waiting(HOSTED).run("t").called("two", store=True).replied("2")
    assert broken(through, "THR-03") == {"not kept"}


def test_thr_03_asks_nothing_of_agents_that_cannot_be_built():
    impossible = talk("hosted", service=ONE_ID, context=TWO_OF_ONE_ID)
    assert len(agent_built(impossible, hosted=True).step(0).raised("invalid").findings("THR-03")) == 1


# --- THR-04 ---


def moved(service=NEW_IDS, **options) -> Written:
    return hosted_turn(
        talk("hosted", run("one"), run("two", agent="b", **options), service=service, b=AgentSpec(service=BY_DEFAULT))
    )


@pytest.mark.parametrize("kind", ["unsupported", "conflict"])
def test_thr_04_holds_where_the_run_is_refused(kind):
    assert holds(moved().run("t").raised(kind), "THR-04")


def test_thr_04_breaks():
    assert broken(moved().run("t").raised("other"), "THR-04") == {"wrong kind of error"}
    assert broken(moved().run("t").called("two", agent="b").failed(agent="b").raised("service"), "THR-04") == {"after a request"}
    assert broken(moved().run("t").returned("2"), "THR-04") == {"not refused"}


def test_thr_04_leaves_alone_who_is_refused_while_one_waits():
    scenario = talk("hosted", run("one"), run("two"), run("three", agent="b"), service=NEW_IDS, b=AgentSpec(service=NEW_IDS))
    waits = hosted_turn(scenario).run("t").called("two", store=True, conversation_id="a-1")
    waits.replied(calls("c1", pay={}), conversation_id="a-2", kept=True).pending(id="c1").run("t")
    assert broken(waits.called("three", agent="b"), "THR-04") == {"not refused"}
    waits.events.pop()
    assert left_alone(waits.raised("invalid"), "THR-04") == {"refused while one waits"}
