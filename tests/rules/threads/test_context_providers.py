"""THR-29 to THR-32 on traces written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from talks import ONE_ID, run, talk
from written import Written, broken, calls, holds, left_alone, results, taken_away

from conformance.scenario.scenario import Respond, Restore, Run, Scenario, Serialize
from conformance.scenario.specs import ContextSpec, ToolSpec
from conformance.trace.adapter_events import RequestPending, Restored, Serialized
from conformance.trace.harness_events import ContextInvoked, ContextInvoking
from conformance.trace.messages import Message

ONE = {"memory": ContextSpec(adds=("remember",))}
TWO = {"memory": ContextSpec(), "diary": ContextSpec()}
SAME = {"memory": ContextSpec(id="same"), "diary": ContextSpec(id="same")}


def seen(runs: int) -> dict[str, Any]:
    """The state of a provider that has seen so many runs."""
    return {"runs": runs} if runs else {}


def said(*texts: str) -> tuple[Message, ...]:
    return tuple(Message(role="assistant", text=text[1:]) if text[0] == "=" else Message(role="user", text=text) for text in texts)


def asked(written: Written, *texts: str, provider="memory", runs=0, adds: tuple[str, ...] = ()) -> Written:
    return written.event(ContextInvoking, agent="a", provider=provider, state=seen(runs), messages=said(*texts), adds=said(*adds))


def told(written: Written, *texts: str, provider="memory", runs=1, error=None) -> Written:
    return written.event(ContextInvoked, agent="a", provider=provider, state=seen(runs), messages=said(*texts), error=error)


def begun(scenario: Scenario | None = None, **policies) -> Written:
    return Written(scenario or talk(context=ONE), **policies).created("t", "local").run("t")


def first(*, before=0, after=1, shown=1, scenario: Scenario | None = None) -> Written:
    """A turn; the numbers of runs that the provider's state has seen before it, after it, and as the thread shows it."""
    written = asked(begun(scenario), "one", runs=before).called("one").replied("1")
    written = told(written, "one", "=1", runs=after).returned("1")
    return written.described("t", "local", "one", "=1", context={"memory": seen(shown)})


# --- THR-29 ---


def test_thr_29():
    assert holds(first(), "THR-29")
    assert holds(asked(first().run("t"), "two", runs=1), "THR-29")
    assert broken(asked(first().run("t"), "two"), "THR-29") == {"lost between runs"}
    assert broken(first(before=1, after=1), "THR-29") == {"lost within the run"}
    assert broken(first(shown=0), "THR-29") == {"not on the thread"}


def test_thr_29_takes_for_no_state_what_is_none():
    odd = begun().event(ContextInvoked, agent="a", provider="memory", state={"runs": "many"})
    assert broken(odd, "THR-29") == {"lost within the run"}


def test_thr_29_breaks_where_the_data_lacks_the_state():
    made = talk("local", run("one"), context=ONE)
    steps = (*made.steps, Serialize(thread="t"), Restore(thread="u", data="t"), Run(thread="u", say=("two",)))
    written = first(scenario=Scenario(agents=made.agents, steps=steps)).step(2).event(Serialized, thread="t")
    written.step(3).event(Restored, thread="u", source="t").run("u")
    assert broken(asked(written, "two"), "THR-29") == {"lost in the data"}


# --- THR-30 ---


def test_thr_30_wants_state_that_others_do_not_see():
    both = lambda runs: asked(asked(begun(talk(context=TWO)), "one"), "one", provider="diary", runs=runs)  # noqa: E731
    assert holds(both(0), "THR-30")
    assert broken(both(1), "THR-30") == {"shared"}
    assert first(scenario=talk(context=ONE)).findings("THR-30") == []


def test_thr_30_counts_what_a_provider_has_seen_before():
    written = told(asked(begun(talk(context=TWO)), "one"), "one", "=1").returned("1").run("t")
    assert holds(asked(written, "two", runs=1), "THR-30")


def test_thr_30_wants_two_providers_of_one_id_to_be_refused():
    wrong = Written(talk(context=SAME)).step(0)
    assert holds(wrong.raised("invalid", "two context providers are called 'same'"), "THR-30")
    assert broken(Written(talk(context=SAME)).step(0).raised("other", "same"), "THR-30") == {"wrong kind of error"}
    assert broken(Written(talk(context=SAME)).step(0).raised("invalid", "no"), "THR-30") == {"not named"}
    assert broken(Written(talk(context=SAME)).created("t", "local"), "THR-30") == {"not refused"}


# --- runs that waited for an answer ---


def asked_again(*, before=1, shown=2, context: dict[str, ContextSpec] = ONE) -> Written:
    """A run that waits and goes on: what the provider has seen when it is asked again, and what the thread shows at last."""
    scenario = talk("local", run("one"), Respond(), context=context, tools={"pay": ToolSpec(approval=True)})
    written = asked(begun(scenario), "one", adds=("remember",)).called("remember", "one").replied(calls("c1", pay={}))
    told(written, "one").event(RequestPending, id="c1").described("t", "local", context={"memory": seen(1)}).answered(0)
    written.tool("c1", "pay", "paid")
    asked(written, runs=before, adds=("remember",)).called("remember", "one", calls("c1", pay={}), results(c1="paid")).replied("1")
    return told(written, "=1", runs=2).returned("1").described("t", "local", context={"memory": seen(shown)})


def test_a_provider_that_is_asked_again_after_an_answer_goes_on_with_what_it_left():
    assert holds(asked_again(), "THR-29")
    assert broken(asked_again(before=0), "THR-29") == {"lost between runs"}
    assert broken(asked_again(shown=1), "THR-29") == {"not on the thread"}
    assert holds(asked_again(context={**ONE, "diary": ContextSpec()}), "THR-30")
    assert broken(asked_again(before=2, context={**ONE, "diary": ContextSpec()}), "THR-30") == {"shared"}


def test_what_a_provider_adds_after_an_answer_need_not_be_in_the_first_request():
    assert holds(asked_again(), "THR-32")


# --- THR-31 ---


def turn(*, ask=("memory", "diary"), tell=("diary", "memory"), given="one", heard=("one", "=1"), error=None) -> Written:
    """A turn of an agent with two providers: who is asked and told, in this order, and what."""
    written = begun(talk(context=TWO))
    for provider in ask:
        asked(written, given, provider=provider)
    written.called("one").replied("1")
    for provider in tell:
        told(written, *heard, provider=provider, error=error)
    return written.returned("1")


def failing(*heard: str, error: str | None = "overloaded") -> Written:
    written = asked(begun(), "one").called("one").failed()
    return told(written, *heard, error=error).raised("service")


def test_thr_31_holds():
    assert holds(turn(), "THR-31")
    assert holds(failing("one"), "THR-31")


@pytest.mark.parametrize(
    ("written", "aspect"),
    [
        (turn(ask=("memory",)), "not asked"),
        (turn(ask=()), "not asked"),
        (turn(ask=("memory", "diary", "memory")), "repeated"),
        (turn(ask=("diary", "memory")), "order"),
        (turn(given="two"), "wrong messages"),
        (turn(tell=("memory",)), "not told"),
        (turn(tell=()), "not told"),
        (turn(tell=("memory", "diary", "memory")), "repeated"),
        (turn(heard=("zero", "one", "=1")), "wrong messages"),
        (turn(error="overloaded"), "wrong outcome"),
        (failing("one", error=None), "wrong outcome"),
        (failing("one", "=1"), "wrong messages"),
    ],
)
def test_thr_31_breaks(written, aspect):
    assert broken(written, "THR-31") == {aspect}


def test_thr_31_breaks_at_the_wrong_moment():
    late = told(asked(begun().called("one"), "one").replied("1"), "one", "=1").returned("1")
    assert broken(late, "THR-31") == {"wrong moment"}
    early = told(asked(begun(), "one").called("one"), "one", "=1").replied("1").returned("1")
    assert broken(early, "THR-31") == {"wrong moment"}


def test_thr_31_lets_trailing_results_be_told_or_not():
    stop = talk(context=ONE, tools={"stop": ToolSpec(terminates=True)})
    ended = asked(begun(stop), "one").called("one").replied(calls("c1", stop={})).tool("c1", "stop", terminated=True)
    event = dict(agent="a", provider="memory", state=seen(1))
    with_it = (*said("one"), calls("c1", stop={}), results(c1="sunny"))
    assert holds(ended.event(ContextInvoked, messages=with_it, **event).returned(), "THR-31")
    ended.events.pop(-2)
    assert holds(ended.event(ContextInvoked, messages=with_it[:2], **event), "THR-31")


def test_thr_31_asks_nothing_of_agents_without_providers_and_of_runs_without_a_request():
    assert begun(talk()).called("one").replied("1").returned("1").findings("THR-31") == []
    assert begun().raised().findings("THR-31") == []


def waited() -> Written:
    scenario = talk("local", run("one"), context=ONE, tools={"pay": ToolSpec(approval=True)})
    written = asked(begun(scenario), "one", adds=("remember",)).called("remember", "one").replied(calls("c1", pay={}))
    return written.event(RequestPending, id="c1")


def contradicted() -> Written:
    asks = talk("local", run("one", store=True), service=ONE_ID, context=ONE)
    return asked(begun(asks), "one", adds=("remember",)).called("one", store=True).replied("1").returned("1")


def test_thr_31_leaves_alone():
    assert taken_away(waited(), "THR-31") == {"waiting"}
    assert holds(waited(), "THR-31")
    answered = waited().described("t", "local").within(0, step=2).called("one").replied("1").returned("1")
    assert left_alone(answered, "THR-31") == {"resumed"}
    assert left_alone(contradicted(), "THR-31") == {"contradicting"}


# --- THR-32 ---


def adding(*sent: str, scenario: Scenario | None = None, left=("one", "=1"), **policies) -> Written:
    """A provider adds a message; what is sent, and what is on the thread afterwards, are to be said."""
    written = asked(begun(scenario, **policies), "one", adds=("remember",)).called(*sent).replied("1").returned("1")
    return written.described("t", "local", *left)


def test_thr_32():
    assert holds(adding("remember", "one"), "THR-32")
    assert broken(adding("one"), "THR-32") == {"not sent"}
    assert broken(adding("remember", "remember", "one"), "THR-32") == {"repeated"}
    assert broken(adding("remember", "one", left=("remember", "one", "=1")), "THR-32") == {"stored"}
    both = adding("remember", "remember", "one", left=("remember", "one", "=1"), injected_messages="stored")
    assert holds(both, "THR-32")


def test_thr_32_takes_no_instructions_for_what_was_added():
    assert holds(adding("^remember", "remember", "one"), "THR-32")
    assert broken(adding("^remember", "one"), "THR-32") == {"not sent"}


def test_thr_32_breaks_where_a_history_provider_stores_it():
    provider = talk(context=ONE, history="provider")
    written = asked(begun(provider), "one", adds=("remember",)).called("remember", "one").replied("1")
    stored = written.appended("remember", "one", "=1").returned("1")
    assert broken(stored, "THR-32") == {"stored"}


def test_thr_32_lets_be_stored_what_the_caller_said_too():
    same = talk("local", run("remember"), context=ONE)
    assert holds(adding("remember", scenario=same, left=("remember", "=1")), "THR-32")


def test_thr_32_asks_nothing_where_nothing_is_added_and_of_hosted_threads():
    assert begun().called("one").replied("1").returned("1").findings("THR-32") == []
    hosted = Written(talk("hosted", service=ONE_ID, context=ONE)).created("t", "hosted").run("t")
    asked(hosted, "one", adds=("remember",)).called("remember", "one", store=True).replied("1", conversation_id="a-1")
    assert holds(hosted.returned("1").described("t", "hosted", "remember", conversation_id="a-1"), "THR-32")


def test_thr_32_leaves_alone():
    assert taken_away(adding("one", scenario=talk(context=ONE, reduces_to=1)), "THR-32") == {"bounded history"}
    assert broken(contradicted(), "THR-32") == {"not sent"}
    assert taken_away(adding("remember", "one", injected_messages="stored"), "THR-32") == {"declared to be stored"}
