"""Traces of implementations that conform, and differ from all that are here: the exclusions that only they need, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flows import by, flow
from flows import run as runs
from talks import NEW_IDS, ONE_ID, SURPRISING, hosted_turn, local_turn, run, talk
from written import Written, calls, message, results

from conformance.judging.exclusions import Place
from conformance.scenario.scenario import Respond, Restore, Run, Scenario, Serialize
from conformance.scenario.specs import AgentSpec, ContextSpec, ExecutorSpec, ManagerSpec, ServiceSpec, ToolSpec, WorkflowSpec
from conformance.trace.adapter_events import AgentCreated, Observed, Restored, Serialized
from conformance.trace.harness_events import Abandoned, ContextInvoked, ContextInvoking, Moment, Observing
from conformance.trace.messages import Message, Result

# --- threads ---


def store_false_is_honoured() -> Written:
    """`store_conflict` is not declared: a run that asks not to store is kept on the thread, and sent with the next one."""
    scenario = talk("hosted", run("one"), run("two", store=False), run("three"), service=NEW_IDS)
    written = hosted_turn(scenario)
    written.events.insert(0, AgentCreated(step=0, agent="a", hosted=True))
    written.run("t").called("two", store=False, conversation_id="a-1", held=("one", "=1")).replied("2").returned("2")
    written.described("t", "hosted", "two", "=2", conversation_id="a-1")
    written.run("t").called("two", "=2", "three", store=True, conversation_id="a-1", held=("one", "=1"))
    written.replied("3", conversation_id="a-2", kept=True).returned("3")
    return written.described("t", "hosted", hidden=True, conversation_id="a-2")


def goes_on_by_id_without_asking_to_store() -> Written:
    """A thread that was created local goes on by the id that its service gave unasked; it need not ask to store what is stored."""
    written = Written(talk(service=SURPRISING)).created("t", "local").run("t").called("one", store=False)
    written.replied("1", conversation_id="a-1", kept=True).returned("1").described("t", "hosted", conversation_id="a-1")
    written.run("t").called("two", store=False, conversation_id="a-1", held=("one", "=1"))
    return written.replied("2", conversation_id="a-2", kept=True).returned("2").described("t", "hosted", conversation_id="a-2")


def becomes_local_before_it_has_a_conversation() -> Written:
    """With `transform`, a hosted thread without a conversation becomes local: there is no transcript that it would need."""
    scenario = talk("hosted", run("one", store=False), service=NEW_IDS)
    written = Written(scenario, store_conflict="transform").created("t", "hosted").run("t").called("one", store=False)
    return written.replied("1").returned("1").described("t", "local", "one", "=1")


def refused_for_its_service() -> Written:
    """A thread of another service is refused as a conflict (THR-04), whatever the policy says of its options."""
    moved = talk("hosted", run("one"), run("two", agent="b", store=False), service=NEW_IDS, b=AgentSpec(service=ONE_ID))
    return (
        hosted_turn(moved, store_conflict="ignore")
        .run("t")
        .raised("conflict")
        .described("t", "hosted", hidden=True, conversation_id="a-1")
    )


def reduces_what_was_added() -> Written:
    """A reducer may leave out what a context provider added: it is no new input."""
    scenario = talk("local", run("one"), reduces_to=1, context={"memory": ContextSpec(adds=("remember",))})
    seen, new, answer = {"runs": 1}, (message("one"),), message("=1")
    written = Written(scenario).created("t", "local").run("t")
    written.event(ContextInvoking, agent="a", provider="memory", state={}, messages=new, adds=(message("remember"),))
    written.called("one", store=False).replied("1")
    written.event(ContextInvoked, agent="a", provider="memory", state=seen, messages=(*new, answer))
    return written.returned("1").described("t", "local", "one", "=1", context={"memory": seen})


def sends_what_is_new_where_history_is_the_callers() -> Written:
    """Where history is the caller's business, the framework need not load any, so that there is nothing to reduce."""
    callers = {"client_as_is": True, "per_service_call": True}
    scenario = talk("local", run("one", per_service_call=False), run("two"), reduces_to=5, **callers)
    written = local_turn(scenario).run("t").warned("no decorator: history is the business of the caller")
    return written.called("two", store=False).replied("2").returned("2").described("t", "local", "one", "=1")


def keeps_no_more_than_it_sends() -> Written:
    """A reducer may also cut what the thread keeps."""
    written = Written(talk(reduces_to=2, observed=True)).created("t", "local")
    for before, said, answer in ((), "one", "1"), (("one", "=1"), "two", "2"):
        written.run("t")
        _looked(written, "before", *before).called(said, store=False).replied(answer)
        _looked(written, "after", said, f"={answer}").returned(answer).described("t", "local", said, f"={answer}")
    return written


def closes_a_call_that_another_thread_closed() -> Written:
    """Of two threads made from one's data each closes the call that it was left with; the conversation is one."""
    steps = (Serialize(thread="t"), Restore(thread="u", data="t"), Restore(thread="v", data="t"))
    later = (Run(thread="u", say=("two",)), Run(thread="v", say=("three",)))
    agent = {"service": ONE_ID, "reduces_to": 3, "per_service_call": True, "tools": {"weather": ToolSpec()}}
    scenario = talk("hosted", run("one"), *steps, *later, **agent)
    asks, sunny = calls("c1", weather={}), results(c1="sunny")
    lost = Message(role="tool", results=(Result(id="c1", value="interrupted", error=True),))
    kept = {"conversation_id": "a-1", "hidden": True}
    written = Written(scenario).created("t", "hosted", hidden=True).run("t").called("one", store=True)
    written = written.replied(asks, conversation_id="a-1", kept=True).tool("c1")
    written.called(sunny, store=True, conversation_id="a-1", held=("one", asks)).failed().raised("service")
    written.described("t", "hosted", **kept).step(2).event(Serialized, thread="t", data={"id": "a-1"})
    written.step(3).event(Restored, thread="u", source="t").described("u", "hosted", **kept)
    written.step(4).event(Restored, thread="v", source="t").described("v", "hosted", **kept)
    for thread, step, said, held in (("u", 5, "two", ()), ("v", 6, "three", (lost, "two", "=2"))):
        written.run(thread, step=step).called(lost, said, store=True, conversation_id="a-1", held=("one", asks, *held))
        answer = str(step - 3)
        written.replied(answer, conversation_id="a-1", kept=True).returned(answer).described(thread, "hosted", **kept)
    return written


def closes_a_call_again_after_a_reply_without_an_id() -> Written:
    """A service that names no conversation may have kept nothing: whoever goes on closes the call that was left open once more."""
    runs = [run(text) for text in ("one", "two", "three", "four")]
    asks, before = calls("c1", weather={}), ("one", "=1")
    lost = Message(role="tool", results=(Result(id="c1", value="interrupted", error=True),))
    known = {"store": True, "conversation_id": "a-1"}
    state = {"conversation_id": "a-1", "hidden": True}
    written = hosted_turn(talk("hosted", *runs, service=ONE_ID, tools={"weather": ToolSpec()})).run("t")
    written.called("two", **known, held=before).replied(asks, conversation_id="a-1", kept=True).tool("c1")
    written.called(results(c1="sunny"), **known, held=(*before, "two", asks)).failed().raised("service")
    written.described("t", "hosted", **state).run("t").called(lost, "three", **known, held=(*before, "two", asks))
    written.replied("3", kept=True).raised("service").described("t", "hosted", **state).run("t")
    written.called(lost, "four", **known, held=(*before, "two", asks, lost, "three", "=3"))
    return written.replied("4", conversation_id="a-1", kept=True).returned("4").described("t", "hosted", **state)


def _looked(written: Written, moment: Moment, *said: str) -> Written:
    written.event(Observing, agent="a", moment=moment)
    return written.event(Observed, agent="a", moment=moment, kind="local", messages=tuple(map(message, said)))


def goes_on_while_a_call_waits() -> Written:
    """New input goes on without the calls that wait; once these are answered, they go on after it."""
    pays = {"pay": ToolSpec(approval=True)}
    scenario = talk("local", run("one"), run("two"), run("three"), Respond(), tools=pays)
    asks, paid = calls("c1", pay={}), results(c1="paid")
    written = local_turn(scenario).run("t").called("one", "=1", "two", store=False).replied(asks)
    written.pending(tool="pay", call="c1", id="r").returned(asks).described("t", "local", "one", "=1", "two", asks)
    written.run("t").called("one", "=1", "two", "three", store=False).replied("3").returned("3")
    written.described("t", "local", "one", "=1", "two", "three", "=3", asks).answered(1).tool("c1", "pay", "paid")
    written.called("one", "=1", "two", "three", "=3", asks, paid, store=False).replied("2").returned(paid, "2")
    return written.described("t", "local", "one", "=1", "two", "three", "=3", asks, paid, "=2")


def names_on_another_agent_what_was_left_open() -> Written:
    """A call that an interrupted run left open is to be answered before another agent goes on with the thread."""
    scenario = talk("local", run("one"), run("two", agent="b"), tools=STOPPING, per_service_call=True, b=AgentSpec())
    asks = calls("c1", weather={})
    written = Written(scenario).created("t", "local").run("t").called("one", store=False).replied(asks).tool("c1")
    written = written.called("one", asks, SUNNY, store=False).failed().raised("service").described("t", "local", "one", asks)
    return written.run("t").raised("invalid", "c1 has no result").described("t", "local", "one", asks)


# --- persistence ---


def asks_again_after_an_empty_reply() -> Written:
    """A reply that holds nothing may be sent back: the model is asked once more."""
    written = Written(talk("local", run("one"))).created("t", "local").run("t").called("one", store=False).replied("")
    return written.called("one", "=", store=False).replied("1").returned("", "1").described("t", "local", "one", "=", "=1")


def leaves_a_late_answer_aside() -> Written:
    """New input answers the call that waits as not approved; who answers it later is told nothing, and nothing comes of it."""
    scenario = talk("local", run("one"), run("two"), Respond(), tools={"pay": ToolSpec(approval=True)})
    asks, refused = calls("c1", pay={}), results(c1="not approved")
    written = Written(scenario).created("t", "local").run("t").called("one", store=False).replied(asks)
    written.pending(tool="pay", call="c1", id="r").returned(asks).described("t", "local", "one", asks)
    written.run("t").called("one", asks, refused, "two", store=False).replied("2").returned("2")
    written.described("t", "local", "one", asks, refused, "two", "=2").answered(0).returned()
    return written.described("t", "local", "one", asks, refused, "two", "=2")


STOPPING = {"weather": ToolSpec(returns="sunny"), "stop": ToolSpec(returns="stopped", terminates=True)}
SEVERAL = Message(role="assistant", calls=(*calls("c1", weather={}).calls, *calls("c2", stop={}).calls))
SUNNY, STOPPED = results(c1="sunny"), results(c2="stopped")


def _stopped_before_its_sibling(*then: Run, **service: Any) -> Written:
    """A tool ended a loop, and the call before it was not run."""
    scenario = talk("local", run("one"), *then, tools=STOPPING, service=ServiceSpec(**service))
    written = Written(scenario).created("t", "local").run("t").called("one", store=False).replied(SEVERAL)
    written.tool("c2", "stop", "stopped", terminated=True).returned(SEVERAL, STOPPED)
    return written.described("t", "local", "one", SEVERAL, STOPPED)


def keeps_supplied_results_as_they_came() -> Written:
    """A result that the caller supplies is kept after the one that was there, and sent before it, as its call was."""
    written = _stopped_before_its_sibling(run("two", supplies=True)).run("t", supplied=SUNNY.results)
    written.called("one", SEVERAL, SUNNY, STOPPED, "two", store=False).replied("2").returned("2")
    return written.described("t", "local", "one", SEVERAL, STOPPED, SUNNY, "two", "=2")


def sends_supplied_results_as_they_came() -> Written:
    """A result that the caller supplies is sent after the one that was there."""
    written = _stopped_before_its_sibling(run("two", supplies=True)).run("t", supplied=SUNNY.results)
    written.called("one", SEVERAL, STOPPED, SUNNY, "two", store=False).replied("2").returned("2")
    return written.described("t", "local", "one", SEVERAL, STOPPED, SUNNY, "two", "=2")


def sends_results_alone_where_history_is_the_callers() -> Written:
    """Where history is the caller's business, a loop may send what is new alone: whoever keeps the call puts it before."""
    callers = {"client_as_is": True, "per_service_call": True}
    scenario = talk("local", run("one"), run("two"), tools=STOPPING, **callers)
    first, second, again = calls("c1", weather={}), calls("c2", weather={}), results(c2="sunny")
    written = Written(scenario).created("t", "local").run("t").warned("no decorator: history is the business of the caller")
    written = written.called("one", store=False).replied(first).tool("c1").called(SUNNY, store=False).failed().raised("service")
    written = written.described("t", "local").run("t").called("two", store=False).replied(second).tool("c2")
    return written.called(again, store=False).replied("2").returned(second, again, "2").described("t", "local")


# --- orchestration ---

PICKS = ManagerSpec(picks=("a", "b"))


def says_that_a_run_was_left() -> Written:
    """A workflow whose stream was left may tell clearly that it cannot be used again (ORC-38)."""
    return _left_and_refused(flow("sequential", "a", runs=(runs(stream=True), runs())))


def says_that_a_run_was_left_where_there_is_a_limit() -> Written:
    """The same where a limit would end the run."""
    managed = (runs(stream=True, manager=PICKS), runs(manager=PICKS))
    return _left_and_refused(flow("group_chat", "a", max_rounds=1, runs=managed))


def _left_and_refused(scenario: Scenario) -> Written:
    written = Written(scenario, limit_answer="notice").run().called("go").chunk("A", "a").event(Abandoned, chunks=1)
    return written.run().raised(text="a run of this workflow is in progress")


def refuses_two_completions() -> Written:
    """An error may name the executors that complete (ORC-07)."""
    twice = ExecutorSpec(completes="done", again="done again")
    child = {"child": WorkflowSpec(pattern="custom", stages=(("x",),), executors={"x": twice})}
    return Written(flow("sequential", "child", others=child)).run().raised(text="x completes twice")


def fails_where_a_child_reaches_its_limit() -> Written:
    """What the limit of a child means for its parent is left open (ORC-18): it may take it for a failure."""
    child = {"child": WorkflowSpec(pattern="group_chat", participants=("b",), max_rounds=1)}
    scenario = flow("sequential", "child", others=child, runs=(runs(manager=PICKS),))
    return Written(scenario).run().spoke("b", "B", "go").rested_failed().raised(text="the child is out of rounds")


def shows_what_is_said_beside_a_request() -> Written:
    """What somebody says beside a call that waits may stand in the response that asks, although it is not the answer."""
    pays = AgentSpec(tools={"pay": ToolSpec(approval=True)})
    later = runs("two", as_agent=True, thread="t")
    scenario = flow(runs=(runs("one", as_agent=True, thread="t"), later, Respond()), agents={"a": pays})
    written = Written(scenario).run().spoke("a", "A", "one").spoke("b", "B", "one", by("a", "A"))
    written.returned(by("b", "B"), author="w")
    asks, paid = calls("c1", pay={}, text="may I?", author="a"), results(c1="paid")
    written.run().spoke("a", asks, "one", "=B", "two").pending(tool="pay", id="r", executor="a").returned("may I?", author="w")
    written.answered(1).tool("c1", "pay", "paid").spoke("a", "C", "one", "=B", "two", asks, paid)
    return written.spoke("b", "D", "one", "=B", "two", asks, paid, by("a", "C")).returned(by("b", "D"), author="w")


def waits_for_others_before_it_fails() -> Written:
    """Others may be waited for before a failure ends the run."""
    scenario = flow("concurrent", "a", "b", agents={"b": AgentSpec(tools={"pay": ToolSpec(approval=True)})})
    written = Written(scenario, failing_participant="fails").run().called("go").failed().called("go", agent="b")
    return written.replied(calls("c1", pay={}), agent="b").pending(tool="pay", id="r", executor="b").idle(1)


def withdraws_requests_of_a_child_that_fails() -> Written:
    """A child fails while two wait in it: what the other one asked is open no more, and only what its sibling asked."""
    stages, asks = (("b", "x"),), {"x": ExecutorSpec(asks=True, raises="no ink")}
    child = {"child": WorkflowSpec(pattern="custom", participants=("b",), stages=stages, executors=asks)}
    pays = AgentSpec(tools={"pay": ToolSpec(approval=True)})
    agents, steps = {"a": pays, "b": pays}, (runs(), Respond(request=2))
    scenario = flow("concurrent", "a", "child", agents=agents, others=child, runs=steps)
    written = Written(scenario, failing_participant="left_out").run()
    written.called("go").replied(calls("c1", pay={})).called("go", agent="b").replied(calls("c2", pay={}), agent="b")
    written.pending(tool="pay", id="r1", executor="a").pending(tool="pay", id="r2", executor="b").pending(id="r3", executor="x")
    return written.idle(3).answered(0).idle(1)


def answers_in_other_turns_where_it_streams() -> Written:
    """Those who work side by side may stand in other turns in a stream (ORC-24, ORC-25)."""
    both = (runs(as_agent=True), runs(as_agent=True, stream=True))
    written = Written(flow("concurrent", intermediate_outputs=True, aggregates="both", runs=both))
    for number, said in enumerate([(by("a", "A"), by("b", "B")), (by("b", "B"), by("a", "A"))]):
        written.run().called("go").called("go", agent="b")
        for each in said:
            name = each.author or ""
            written.replied(each.text, agent=name, call=2 * number + "ab".index(name))
        if number:
            written.chunk("B", "b").chunk("A", "a").chunk("both", "w")
        written.returned(*said, by("w", "both"), author="w")
    return written


def shows_others_after_the_answer() -> Written:
    """In an author-written workflow whoever outputs beside the executor that completes may stand after it (ORC-24)."""
    parts = {"stages": (("x", "b"),), "executors": {"x": ExecutorSpec(completes="X")}, "intermediate_outputs": True}
    written = Written(flow("custom", "b", runs=(runs(as_agent=True),), **parts)).run().spoke("b", "B", "go")
    return written.returned(by("x", "X"), by("b", "B"), author="w")


def speaks_twice_for_a_sequence_in_a_sequence() -> Written:
    """An agent takes part by itself and in a child: it is asked for both (ORC-39)."""
    return _says(flow("sequential", "a", "x", others=_sequence("a", "b")), "a", "a", "b").completed(by("b", "B")).idle()


def speaks_twice_for_a_sequence_beside_it() -> Written:
    """The same side by side."""
    return _says(flow("concurrent", "a", "x", others=_sequence("a"), aggregates="both"), "a", "a").completed(by("w", "both")).idle()


def speaks_twice_for_a_sequence_that_is_picked() -> Written:
    """The same where a manager picks both."""
    picked = (runs(manager=ManagerSpec(picks=("a", "x"))),)
    return _says(flow("group_chat", "a", "x", others=_sequence("a", "b"), runs=picked), "a", "a", "b").completed(ANSWER).idle()


def hears_itself_in_a_sequence_in_a_sequence() -> Written:
    """Who takes part by itself and in a child hears there what it said: which place a request is for is open (ORC-41)."""
    scenario = flow("sequential", "a", "x", others=_sequence("a", "b"))
    written = Written(scenario, completion_signal="flag", sequential_shares="conversation").run().spoke("a", "A", "go")
    written.spoke("a", "A2", "go", by("a", "A")).spoke("b", "B", "go", by("a", "A"), by("a", "A2"))
    return written.completed(by("b", "B")).idle()


def hears_the_last_of_two_answers() -> Written:
    """Of an author-written child that completes twice the last answer may count, and be all that is heard of it (ORC-41)."""
    stages, twice = (("b",), ("w",)), ExecutorSpec(completes="X", again="Y")
    child = {"x": WorkflowSpec(pattern="custom", participants=("b",), stages=stages, executors={"w": twice})}
    written = Written(flow("sequential", "x", "c", others=child), completion_signal="flag", sequential_shares="conversation").run()
    written.spoke("b", "B", "go").warned("workflow 'x' is completed several times in one run, by its executor w")
    return written.spoke("c", "C", "go", by("x", "Y")).completed(by("c", "C")).idle()


def leaves_the_second_manager_without_a_pick() -> Written:
    """Two managers share one script: the first one has used it up (ORC-39)."""
    return _says(_two_chats("sequential"), "a").completed(ANSWER).idle()


def leaves_one_of_two_managers_without_a_pick() -> Written:
    """The same side by side."""
    return _says(_two_chats("concurrent"), "a").completed(ANSWER, ANSWER).idle()


def ends_with_the_last_reset_that_is_allowed() -> Written:
    """As many resets as are allowed may end a Magentic run before anybody is asked (ORC-18)."""
    stuck = ManagerSpec(picks=("a", "a"), stalls=(0,))
    scenario = flow("magentic", "a", max_stalls=0, max_resets=1, runs=(runs(manager=stuck),))
    return Written(scenario, completion_signal="flag").run().completed(by("manager", "out of resets")).idle()


ANSWER = by("manager", ManagerSpec().answer)


def _sequence(*names: str) -> dict[str, WorkflowSpec]:
    return {"x": WorkflowSpec(pattern="sequential", participants=names)}


def _two_chats(pattern: str) -> Scenario:
    chats = {name: WorkflowSpec(pattern="group_chat", participants=(agent,)) for name, agent in (("x", "a"), ("y", "b"))}
    return flow(pattern, "x", "y", others=chats, runs=(runs(manager=ManagerSpec(picks=("a",))),))


def _says(scenario: Scenario, *names: str) -> Written:
    written = Written(scenario, completion_signal="flag").run()
    for name in names:
        written = written.spoke(name, name.upper(), "go")
    return written


def keeps_a_providers_copy_on_the_thread() -> Written:
    """`provider_copy` is written, and the provider keeps its copies on the thread itself, not in a store of its own."""
    scenario = talk("hosted", run("one"), Serialize(thread="t"), service=ONE_ID, history="provider")
    written = Written(scenario, provider_copy="written").created("t", "hosted", hidden=True).run("t").called("one", store=True)
    written.replied("1", conversation_id="a-1", kept=True).appended("one", "=1").returned("1")
    written.described("t", "hosted", hidden=True, conversation_id="a-1")
    return written.step(2).event(Serialized, outside=True, thread="t", data={"id": "a-1", "copy": ["one", "1"]})


def keeps_what_it_asked_while_a_call_waits() -> Written:
    """While a call waits for its approval the data of a hosted thread holds the request that led to it."""
    asking = {"weather": ToolSpec(approval=True)}
    written = Written(talk("hosted", run("one"), Serialize(thread="t"), service=ONE_ID, tools=asking)).created("t", "hosted")
    written.run("t").called("one", store=True).replied(calls("c1", weather={}), conversation_id="a-1", kept=True)
    written.pending(id="c1", tool="weather").described("t", "hosted", hidden=True, conversation_id="a-1")
    return written.step(2).event(Serialized, outside=True, thread="t", data={"id": "a-1", "asked": "one", "waiting": "c1"})


def says_itself_that_it_was_stopped() -> Written:
    """At its limit of rounds the run ends in a sentence of its own, in place of another request."""
    tools = {"weather": ToolSpec()}
    written = Written(talk("local", run("one"), tools=tools, limit=1)).created("t", "local").run("t").called("one")
    asks, sunny, stopped = calls("c1", weather={}), results(c1="sunny"), "stopped after one round"
    written.replied(asks).tool("c1").returned(asks, sunny, stopped)
    return written.described("t", "local", "one", asks, sunny, f"={stopped}")


NOT_HERE: dict[Callable[[], Written], tuple[Place, ...]] = {
    store_false_is_honoured: (
        ("THR-03", 3, "contradicted otherwise"),
        ("THR-06", 0, "contradicting"),
        ("THR-06", 0, "after a contradiction"),
        ("THR-11", 0, "contradicting"),
    ),
    goes_on_by_id_without_asking_to_store: (("THR-06", 0, "surprised local thread"),),
    becomes_local_before_it_has_a_conversation: (
        ("THR-13", 0, "nothing to transform yet"),
        ("THR-17", 0, "nothing to transform yet"),
    ),
    refused_for_its_service: (("THR-17", 0, "on another agents conversation"),),
    keeps_a_providers_copy_on_the_thread: (("THR-44", 0, "copied by a provider"),),
    keeps_what_it_asked_while_a_call_waits: (("THR-44", 0, "a call waits"),),
    reduces_what_was_added: (("THR-32", 0, "bounded history"),),
    sends_what_is_new_where_history_is_the_callers: (("THR-34", 0, "callers history"),),
    goes_on_while_a_call_waits: (("THR-05", 0, "overtaken"), ("THR-10", 0, "overtaken")),
    keeps_no_more_than_it_sends: (("THR-35", 4, "bounded history"),),
    closes_a_call_again_after_a_reply_without_an_id: (("THR-10", 0, "perhaps closed untold"),),
    closes_a_call_that_another_thread_closed: (("THR-34", 1, "forked"),),
    names_on_another_agent_what_was_left_open: (("THR-33", 0, "refused for an open call"),),
    asks_again_after_an_empty_reply: (("PER-48", 0, "holds nothing"),),
    leaves_a_late_answer_aside: (("PER-48", 3, "overtaken"),),
    sends_results_alone_where_history_is_the_callers: (("PER-46", 0, "callers history"),),
    keeps_supplied_results_as_they_came: (("PER-50", 2, "supplied by the caller"),),
    sends_supplied_results_as_they_came: (("PER-51", 0, "supplied by the caller"),),
    says_that_a_run_was_left: (
        ("ORC-06", 0, "after one cut off"),
        ("ORC-19", 1, "later run that raised"),
        ("ORC-43", 0, "refused at once"),
    ),
    says_that_a_run_was_left_where_there_is_a_limit: (("ORC-18", 0, "later run that raised"),),
    refuses_two_completions: (("ORC-19", 1, "left to author"),),
    fails_where_a_child_reaches_its_limit: (("ORC-19", 1, "limited"),),
    shows_what_is_said_beside_a_request: (("ORC-28", 1, "waited"),),
    waits_for_others_before_it_fails: (("ORC-33", 0, "waiting"),),
    speaks_twice_for_a_sequence_in_a_sequence: (("ORC-39", 0, "shares agents"),),
    speaks_twice_for_a_sequence_beside_it: (("ORC-39", 1, "shares agents"),),
    speaks_twice_for_a_sequence_that_is_picked: (("ORC-39", 2, "shares agents"),),
    hears_itself_in_a_sequence_in_a_sequence: (("ORC-41", 1, "shares agents"),),
    hears_the_last_of_two_answers: (("ORC-41", 1, "left to author"),),
    leaves_the_second_manager_without_a_pick: (
        ("ORC-39", 0, "managers share a script"),
        ("ORC-39", 2, "managers share a script"),
    ),
    leaves_one_of_two_managers_without_a_pick: (("ORC-39", 1, "managers share a script"),),
    ends_with_the_last_reset_that_is_allowed: (("ORC-39", 2, "out of resets"),),
    withdraws_requests_of_a_child_that_fails: (("ORC-43", 0, "perhaps withdrawn"),),
    answers_in_other_turns_where_it_streams: (("ORC-44", 1, "either side by side"),),
    shows_others_after_the_answer: (("ORC-44", 3, "others output beside"),),
    says_itself_that_it_was_stopped: (("PER-52", 0, "cut short"),),
}
"""What an implementation does that conforms and is not here: the exclusions without which a rule would fire on it."""
