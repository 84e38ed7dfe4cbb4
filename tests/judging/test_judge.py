import dataclasses

import msgspec
import pytest
from hypothesis import strategies as st
from samples import (
    CallingHome,
    Dying,
    Hanging,
    Leaving,
    Malformed,
    Shouting,
    conversation,
    faulty,
    material,
    never_asked,
    sample_rule,
)

from conformance.implementation.subject import subject
from conformance.judging import survey
from conformance.judging.baseline import Baseline, Deviation
from conformance.judging.judge import Judge
from conformance.judging.search import Profile, size
from conformance.judging.verdicts import Coverage, RuleVerdict
from conformance.reference.implementation import Reference
from conformance.trace.messages import Message

FEW = Profile("quick", pool=40, shrink=200)
LONG = conversation("hello", "please shout", "bye", title="long")


def judged(kind, rule=None, *, baseline=None, timeout=5.0, stuff=None) -> RuleVerdict:
    rule = rule or sample_rule()
    judge = Judge(subject(kind), [rule], effort=FEW, baseline=baseline, material=stuff or material(), timeout=timeout)
    return judge.verdict(rule)


def declared(reason="known", scenario=None) -> Baseline:
    return Baseline("known.toml", {"THR-05": Deviation("THR-05", reason, scenario)})


def test_a_rule_that_holds_passes_and_counts_where_it_was_exercised():
    verdict = judged(Reference, stuff=material(("one", conversation("x", "y")), generated=st.just(conversation("z"))))
    assert (verdict.verdict, verdict.exercised, verdict.counterexample) == ("pass", 3, None)


def test_a_verdict_says_how_many_fixtures_and_generated_scenarios_exercised_the_rule():
    empty = conversation()
    drawn = st.sampled_from([conversation("y"), conversation("z", "z"), conversation()])
    verdict = judged(Reference, stuff=material(("one", conversation("x", "y")), ("none", empty), generated=drawn))
    assert verdict.coverage == Coverage(fixtures=1, of_fixtures=2, generated=2, of_generated=2)
    assert verdict.exercised == 5
    asked_nothing = judged(Reference, sample_rule(needs=frozenset({"magic"})))
    assert asked_nothing.coverage is None


def test_scenarios_of_the_matrix_are_performed_and_counted_apart():
    stuff = material(("one", conversation("x")), generated=st.just(conversation("y")))
    matrix = [conversation("please shout", title="cell"), conversation("z", title="other")]
    stuff = dataclasses.replace(stuff, matrix=lambda *_: matrix)
    assert judged(Reference, stuff=stuff).coverage == Coverage(
        fixtures=1, of_fixtures=1, matrix=2, of_matrix=2, generated=1, of_generated=1
    )
    assert judged(Shouting, stuff=stuff).verdict == "fail"
    unmet = judged(Reference, sample_rule(never_asked), stuff=stuff)
    assert unmet.reason.startswith("was exercised by none of 1 fixtures, none of 2 of the matrix and by no generated scenario; ")


def test_a_violation_is_shrunk_to_the_smallest_scenario_and_points_at_the_wrong_event():
    verdict = judged(Shouting, stuff=material(("long", LONG)))
    assert verdict.verdict == "fail"
    assert verdict.counterexample is not None
    assert size(verdict.counterexample.scenario) == size(conversation("please shout"))
    wrong = verdict.counterexample.trace.events[verdict.counterexample.at]
    assert "HELLO" in str(wrong)
    assert verdict.reason == "expected an answer in a normal voice; got a shout"


def test_a_violation_that_only_a_fixture_shows_is_made_smaller_too():
    verdict = judged(Shouting, stuff=material(("long", LONG), generated=st.just(conversation("hello"))))
    assert verdict.counterexample is not None
    assert verdict.counterexample.scenario == conversation("please shout")


def test_judging_twice_gives_the_same():
    assert judged(Shouting) == judged(Shouting)


def test_a_rule_that_nothing_exercised_is_no_pass():
    verdict = judged(Reference, sample_rule(never_asked))
    assert (verdict.verdict, verdict.trouble) == ("not exercised", "not exercised")
    assert judged(Reference, sample_rule(never_asked, level="SHOULD")).trouble is None


def test_an_undeclared_need_is_not_supported_and_nothing_is_performed():
    rule = sample_rule(needs=frozenset({"magic"}))
    judge = Judge(subject(Reference), [rule], effort=FEW, material=material())
    verdict = judge.verdict(rule)
    assert (verdict.verdict, verdict.trouble, judge.performed) == ("not supported", None, 0)
    assert "magic" in verdict.reason


def test_scenarios_that_demand_undeclared_features_are_not_performed():
    demanding = survey.Material(
        lambda _: [("one", conversation("x"))], material().scenarios, lambda _: frozenset({"tools", "magic"})
    )  # type: ignore[arg-type]
    assert judged(Reference, stuff=demanding).verdict == "not exercised"


@pytest.mark.parametrize(
    ("kind", "cause", "text"),
    [
        (Hanging, "deadlock", "nothing is left that could end the waiting"),
        (Leaving, "exit", "enough of this"),
        (Dying, "exit", "os._exit(0)"),
        (Malformed, "malformed", "robot"),
        (CallingHome, "connection", "192.0.2.1:443"),
    ],
)
def test_what_breaks_is_an_error_with_the_partial_trace(kind, cause, text):
    verdict = judged(kind)
    assert (verdict.verdict, verdict.trouble) == ("error", "error")
    assert cause in verdict.reason
    assert text in verdict.reason
    assert verdict.counterexample is not None
    assert verdict.counterexample.trace.events[verdict.counterexample.at].cause == cause  # type: ignore[union-attr]


def test_an_implementation_that_always_breaks_is_given_up_early():
    rule = sample_rule()
    judge = Judge(subject(Hanging), [rule], effort=FEW, material=material(("a", LONG), ("b", LONG)))
    assert "so the rest of the area was not tried" in judge.verdict(rule).reason
    assert judge.performed <= survey.GIVE_UP + 1


def test_a_violation_counts_although_something_else_broke():
    class Both(Shouting):
        async def run(self, agent, thread, turn):
            if turn.messages[-1].text == "bye":
                sys_exit()
            return await super().run(agent, thread, turn)

    assert judged(Both).verdict == "fail"


def sys_exit():
    raise SystemExit


def test_a_rule_that_raises_is_an_error_that_names_the_exception():
    verdict = judged(Reference, sample_rule(faulty))
    assert verdict.verdict == "error"
    assert "KeyError: 'a bug in the rule'" in verdict.reason


def test_a_declared_deviation_replays_its_scenario_and_does_not_search():
    recorded = conversation("hello", "please shout")
    verdict = judged(Shouting, baseline=declared("we like it", recorded))
    assert (verdict.verdict, verdict.reason, verdict.trouble) == ("deviates", "we like it", None)
    assert verdict.counterexample is not None
    assert verdict.counterexample.scenario == recorded


def test_a_deviation_that_moved_is_found_again():
    verdict = judged(Shouting, baseline=declared(scenario=conversation("hello")))
    assert verdict.verdict == "deviates"
    assert verdict.counterexample is not None
    assert size(verdict.counterexample.scenario) == size(conversation("please shout"))


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (sample_rule(), "the rule holds"),
        (sample_rule(never_asked), "was exercised by none"),
        (sample_rule(needs=frozenset({"x"})), "the rule needs capability x"),
    ],
)
def test_a_deviation_that_is_none_is_stale(rule, found):
    verdict = judged(Reference, rule, baseline=declared())
    assert (verdict.stale, verdict.trouble) == (True, "stale deviation")
    assert found in verdict.reason
    assert "known.toml" in verdict.reason


def test_a_broken_implementation_makes_no_deviation_stale():
    assert judged(Leaving, baseline=declared()).verdict == "error"


def test_an_implementation_that_is_not_the_same_every_time_ends_in_a_verdict():
    class Moody(Shouting):
        runs = 0

        async def run(self, agent, thread, turn):
            Moody.runs += 1
            shout = msgspec.structs.replace(turn, messages=(Message(role="user", text="please shout"),))
            return await super().run(agent, thread, shout if Moody.runs % 5 == 0 else turn)

    assert judged(Moody).verdict == "fail"
