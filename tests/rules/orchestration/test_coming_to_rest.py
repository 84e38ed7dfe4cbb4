"""ORC-43 and ORC-50 on traces written by hand."""

from __future__ import annotations

import pytest
from flows import PAYS, flow, in_turn, left_to_author, run, spoken, waited
from written import ALL, Written, broken, calls, holds, left_alone, taken_away

from conformance.rules.catalogue import CATALOGUE
from conformance.scenario.scenario import Respond
from conformance.scenario.specs import AgentSpec, ExecutorSpec, ManagerSpec, WorkflowSpec
from conformance.trace.harness_events import Abandoned, Broke, Refused
from conformance.vocabulary import Policies

# --- ORC-43 ---

PAYING = {name: AgentSpec(tools=PAYS) for name in "ab"}
SIGNAL = {"completion_signal": "flag"}


def failed(**options) -> Written:
    """The first participant's service fails."""
    return Written(flow(runs=(run(**options),))).run().called("go").failed()


def asks(*later, approve: bool = True) -> Written:
    """A participant asks; it is answered in the next step, and then the workflow runs again, perhaps."""
    return Written(flow(runs=(run(), Respond(approve=approve), *later))).run().called("go").pending(tool="pay", id="r")


def two_ask(**policies) -> Written:
    """Two that work side by side ask; both are answered, one after the other."""
    scenario = flow("concurrent", runs=(run(), Respond(), Respond()))
    return Written(scenario, **policies).run().pending(tool="pay", id="r1").pending(tool="pay", id="r2")


def silent(approve: bool | None = None, **policies) -> Written:
    """A call waits for its approval, and nobody is told."""
    steps = (run(),) if approve is None else (run(), Respond(approve=approve))
    written = Written(flow("sequential", "a", runs=steps, agents=PAYING), **{**SIGNAL, **policies}).run()
    return written.called("go").replied(calls("c1", pay={}))


def test_orc_43_holds_where_a_run_completes_waits_or_fails():
    assert holds(in_turn(flow()).completed("B").idle(), "ORC-43")
    assert holds(asks().idle(1).answered(0).completed("A").idle(), "ORC-43")
    assert holds(failed().rested_failed().raised(), "ORC-43")
    assert holds(asks().idle(1).answered(0).called("go").failed().rested_failed().raised(), "ORC-43")
    assert holds(left_to_author().output("draft").idle(), "ORC-43")


def test_orc_43_asks_for_a_word_at_each_rest():
    assert broken(in_turn(flow()).completed("B"), "ORC-43") == {"not said"}
    assert broken(failed().raised(), "ORC-43") == {"not said"}
    assert broken(asks().answered(0).completed("A").idle(), "ORC-43") == {"not said"}
    assert broken(asks().idle(1).answered(0).completed("A"), "ORC-43") == {"not said"}


def test_orc_43_notices_an_answer_that_leads_to_nothing():
    (first, second) = asks().idle(1).findings("ORC-43")
    assert (first.holds, second.aspect) == (True, "not said")


def test_orc_43_asks_for_one_word():
    assert broken(in_turn(flow()).completed("B").idle().idle(), "ORC-43") == {"said twice"}
    assert broken(asks().idle(1).idle(1).answered(0).completed("A").idle(), "ORC-43") == {"said twice"}


def test_orc_43_asks_for_the_truth():
    assert broken(asks().idle().answered(0).completed("A").idle(), "ORC-43") == {"idle while it waits"}
    assert broken(asks().idle(1).answered(0).completed("A").idle(1), "ORC-43") == {"waiting for nothing"}
    assert broken(in_turn(flow()).completed("B").idle(None), "ORC-43") == {"waiting for nothing"}
    assert broken(failed().idle().raised(), "ORC-43") == {"idle after a failure"}
    assert broken(failed().rested_failed().idle().raised(), "ORC-43") == {"idle after a failure"}
    assert broken(in_turn(flow()).completed("B").rested_failed(), "ORC-43") == {"failed without a failure"}
    assert broken(asks().rested_failed().answered(0).completed("A").idle(), "ORC-43") == {"failed without a failure"}


def test_orc_43_knows_of_a_failure_that_nobody_raised():
    assert broken(failed().idle(), "ORC-43") == {"idle after a failure"}
    assert holds(failed().rested_failed(), "ORC-43")
    answered = Written(flow("concurrent"), failing_participant="left_out").run().called("go").failed()
    assert holds(answered.spoke("b", "B", "go").completed("B").idle(), "ORC-43")
    errs = ManagerSpec(picks=(), errs=True)
    goes_on = Written(flow("group_chat", runs=(run(manager=errs),))).run()
    assert holds(goes_on.completed("the end").idle(), "ORC-43")


def test_orc_43_compares_the_number_where_one_is_given():
    def answered(first: int | None, second: int | None) -> Written:
        return two_ask().idle(first).answered(0).idle(second).answered(0).completed("A", "B").idle()

    assert holds(answered(2, 1), "ORC-43")
    assert holds(answered(None, None), "ORC-43")
    assert broken(answered(1, 1), "ORC-43") == {"another number"}
    assert broken(answered(2, 2), "ORC-43") == {"another number"}
    again = two_ask().idle(2).answered(0).pending(tool="pay", id="r2").idle(1).answered(0).completed("A", "B").idle()
    assert holds(again, "ORC-43")


def test_orc_43_knows_of_a_call_that_waits_although_nobody_is_told():
    assert broken(silent().idle(), "ORC-43") == {"idle while it waits"}
    assert holds(silent().idle(1), "ORC-43")
    assert holds(silent().tool("c1", "pay").called("go").replied("A").completed("A").idle(), "ORC-43")
    assert holds(silent(approve=False).pending(tool="pay", id="r").idle(1).answered(0).idle(), "ORC-43")
    assert holds(silent().completed("A").idle(), "ORC-43")
    assert holds(silent(completion_signal="none").idle(), "ORC-43")
    asking = flow("custom", stages=(("x",), ("y",)), executors={"x": ExecutorSpec(asks=True), "y": ExecutorSpec(completes="1")})
    assert broken(Written(asking, **SIGNAL).run().idle(), "ORC-43") == {"idle while it waits"}
    assert holds(Written(asking, **SIGNAL).run().output("1", executor="y").idle(), "ORC-43")


@pytest.mark.parametrize("as_agent", [False, True])
def test_orc_43_lets_requests_of_earlier_runs_count_or_not(as_agent):
    def later(*, answered: bool = False) -> Written:
        steps = (run(as_agent=as_agent), *([Respond()] if answered else []), run())
        asked = Written(flow(runs=steps)).run().called("go").pending(tool="pay", id="r")
        asked = asked.returned() if as_agent else asked.idle(1)
        if answered:
            asked.answered(0)
            asked = asked.returned("A") if as_agent else asked.completed("A").idle()
        return spoken(asked).completed("B")

    assert holds(later().idle(), "ORC-43")
    assert holds(later().idle(1), "ORC-43")
    assert holds(later().idle(None), "ORC-43")
    assert broken(later().idle(2), "ORC-43") == {"another number"}
    assert broken(later(answered=True).idle(1), "ORC-43") == {"waiting for nothing"}


def test_orc_43_counts_requests_of_other_workflows_for_nothing():
    other = {"v": WorkflowSpec(pattern="sequential", participants=("a", "b"))}
    written = Written(flow(runs=(run(workflow="v"), run()), others=other)).run().pending(tool="pay", id="r").idle(1)
    assert broken(spoken(written).completed("B").idle(1), "ORC-43") == {"waiting for nothing"}


def test_orc_43_asks_for_the_word_at_the_end():
    assert broken(in_turn(flow()).idle().completed("B"), "ORC-43") == {"said early"}
    assert broken(failed().rested_failed().completed("").raised(), "ORC-43") == {"said early"}


def test_orc_43_is_over_when_the_run_failed():
    over = asks().called("go", agent="b").failed(agent="b").rested_failed().raised().answered(0).raised("invalid", "nothing waits")
    assert holds(over, "ORC-43")


def test_orc_43_says_nothing_of_runs_as_agents():
    assert not in_turn(flow(runs=(run(as_agent=True),))).returned("B").findings("ORC-43")


def test_orc_43_needs_the_status():
    assert CATALOGUE["ORC-43"].missing(ALL - {"workflows.status"}, Policies()) == ["capability workflows.status"]


def test_orc_43_leaves_alone_what_nobody_can_hear():
    left = Written(flow(runs=(run(stream=True, abandons=1),))).run().called("go").chunk("A").event(Abandoned, chunks=1)
    assert left_alone(left, "ORC-43") == {"cut off"}
    assert left_alone(Written(flow()).run().event(Refused, text="no"), "ORC-43") == {"cut off"}


def test_orc_43_leaves_alone_what_may_be_a_refusal():
    assert left_alone(Written(flow()).run().raised("invalid", "not so"), "ORC-43") == {"refused at once"}
    raising = flow("custom", stages=(("x",),), executors={"x": ExecutorSpec(raises="no ink")}, runs=(run(), run()))
    again = Written(raising).run().rested_failed().raised().run().raised("invalid", "it failed before")
    assert taken_away(again, "ORC-43") == {"refused at once"}
    still_failed = Written(raising).run().rested_failed().raised().run().rested_failed().raised("invalid", "it failed before")
    assert taken_away(still_failed, "ORC-43") == {"refused at once"}
    assert broken(Written(raising).run().raised(), "ORC-43") == {"not said"}


def test_orc_43_leaves_alone_what_a_failure_may_have_withdrawn():
    written = two_ask(failing_participant="left_out").called("go").failed()
    assert taken_away(written.idle(1), "ORC-43") == {"perhaps withdrawn"}
    failing = {"v": WorkflowSpec(pattern="custom", stages=(("x",),), executors={"x": ExecutorSpec(raises="no ink")})}
    parent = flow("concurrent", "a", "v", others=failing, agents=PAYING)
    written = Written(parent, failing_participant="left_out").run().pending(tool="pay", id="r")
    assert left_alone(written.idle(), "ORC-43") == {"perhaps withdrawn"}


# --- ORC-50 ---


def stuck(written: Written, cause: str = "deadlock") -> Written:
    return written.event(Broke, cause=cause, text="it waits")


def test_orc_50_holds():
    assert holds(in_turn(flow()).completed("B"), "ORC-50")
    assert holds(in_turn(flow(runs=(run(as_agent=True),))).returned("B"), "ORC-50")
    assert holds(Written(flow()).run().called("go").failed().raised(), "ORC-50")
    assert holds(Written(flow()).run().called("go").pending(tool="pay"), "ORC-50")
    assert holds(waited().completed("B"), "ORC-50")


def test_orc_50_breaks():
    assert broken(stuck(Written(flow()).run().called("go")), "ORC-50") == {"deadlock"}
    assert broken(stuck(waited()), "ORC-50") == {"deadlock"}
    assert broken(Written(flow()).run().called("go").failed().idle(), "ORC-50") == {"empty-handed"}
    left = Written(flow(runs=(run(stream=True, abandons=1),))).run().called("go").chunk("A").event(Abandoned, chunks=1)
    assert broken(stuck(left), "ORC-50") == {"deadlock"}


def test_orc_50_says_nothing_of_runs_that_nobody_awaits():
    assert not Written(flow()).run().event(Refused, text="no").findings("ORC-50")
    assert not Written(flow(runs=(run(stream=True, abandons=1),))).run().event(Abandoned, chunks=1).findings("ORC-50")


def test_orc_50_leaves_alone():
    assert {finding.holds for finding in left_to_author().findings("ORC-50")} == {True}
    assert taken_away(left_to_author(), "ORC-50") == {"left to author"}
