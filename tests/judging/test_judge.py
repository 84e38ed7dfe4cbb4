import dataclasses
from datetime import date

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
from conformance.judging import material as materials
from conformance.judging import survey
from conformance.judging.baseline import Baseline, Deviation, Table
from conformance.judging.judge import Judge
from conformance.judging.known_failures import KnownFailures
from conformance.judging.search import Profile, size
from conformance.judging.verdicts import Coverage, RuleVerdict
from conformance.reference.implementation import Reference
from conformance.rules.preconditions import whole_execution
from conformance.rules.rule import finding, rule
from conformance.scenario.files import encode
from conformance.scenario.identity import scenario_id
from conformance.scenario.specs import AgentSpec
from conformance.trace.adapter_events import RunReturned
from conformance.trace.exchange import Response
from conformance.trace.messages import Message

FEW = Profile("quick", explore=40, shrink=200)


class Silent(Exception):
    """Of this implementation alone."""


class Mute(Reference):
    """Gives no answer to anything."""

    name = "mute"

    async def run(self, agent, thread, turn):
        raise Silent("nothing to say")


LONG = conversation("hello", "please shout", "bye", title="long")
SHOUT = conversation("please shout")


def judged(kind, rule=None, *, baseline=None, timeout=5.0, stuff=None) -> RuleVerdict:
    rule = rule or sample_rule()
    judge = Judge(subject(kind), [rule], effort=FEW, baseline=baseline, material=stuff or material(), timeout=timeout)
    return judge.verdict(rule)


def deviation(reason="known", scenario=SHOUT, **more) -> Deviation:
    return Deviation(Table(rule="THR-05", aspect="loud", reason=reason, scenario=encode(scenario), **more), scenario)


def declared(*deviations: Deviation, known=None) -> Baseline:
    failures = KnownFailures() if known is None else KnownFailures({"shouting": {"THR-05/loud": frozenset(known)}})
    return Baseline("known.toml", deviations or (deviation(),), failures)


def test_a_rule_that_holds_passes_and_counts_where_it_was_exercised():
    verdict = judged(Reference, stuff=material(("one", conversation("x", "y")), generated=st.just(conversation("z"))))
    assert (verdict.verdict, verdict.exercised, verdict.counterexample) == ("pass", 3, None)


def test_a_verdict_says_how_many_fixtures_and_generated_scenarios_exercised_the_rule():
    empty = conversation()
    drawn = st.sampled_from([conversation("y"), conversation("z", "z"), conversation()])
    verdict = judged(Reference, stuff=material(("one", conversation("x", "y")), ("none", empty), generated=drawn))
    assert verdict.coverage == Coverage(fixtures=1, of_fixtures=2, explored=2, of_explored=2)
    assert verdict.exercised == 5
    asked_nothing = judged(Reference, sample_rule(needs=frozenset({"magic"})))
    assert asked_nothing.coverage is None


def test_scenarios_of_the_matrix_are_performed_and_counted_apart():
    stuff = material(("one", conversation("x")), generated=st.just(conversation("y")))
    matrix = [conversation("please shout", title="cell"), conversation("z", title="other")]
    stuff = dataclasses.replace(stuff, matrix=lambda *_: matrix)
    assert judged(Reference, stuff=stuff).coverage == Coverage(
        fixtures=1, of_fixtures=1, matrix=2, of_matrix=2, explored=1, of_explored=1
    )
    assert judged(Shouting, stuff=stuff).verdict == "fail"
    unmet = judged(Mute, stuff=stuff)
    assert unmet.reason.startswith("was exercised by none of 1 fixtures, none of 2 of the matrix, none of 1 drawn scenarios; ")


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
    stuff = material(("one", conversation("x")))
    verdict = judged(Mute, stuff=stuff)
    assert (verdict.verdict, verdict.trouble) == ("not exercised", "not exercised")
    assert judged(Mute, sample_rule(level="SHOULD"), stuff=stuff).trouble is None


def test_an_undeclared_need_is_not_supported_and_nothing_is_performed():
    rule = sample_rule(needs=frozenset({"magic"}))
    judge = Judge(subject(Reference), [rule], effort=FEW, material=material())
    verdict = judge.verdict(rule)
    assert (verdict.verdict, verdict.trouble, judge.performed) == ("not supported", None, 0)
    assert "magic" in verdict.reason


def test_scenarios_that_demand_undeclared_features_are_not_performed():
    demanding = materials.Material(
        lambda _: [("one", conversation("x"))], material().scenarios, lambda _: frozenset({"tools", "magic"})
    )  # type: ignore[arg-type]
    assert judged(Reference, stuff=demanding).verdict == "not supported"


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

    assert judged(Both, stuff=material(("loud", SHOUT), ("bye", conversation("bye")))).verdict == "fail"


def sys_exit():
    raise SystemExit


def test_a_rule_that_raises_is_an_error_that_names_the_exception():
    verdict = judged(Reference, sample_rule(faulty))
    assert verdict.verdict == "error"
    assert "KeyError: 'a bug in the rule'" in verdict.reason


def test_a_declared_deviation_is_shown_by_its_own_scenario():
    recorded = conversation("hello", "please shout")
    stuff = material(generated=st.just(recorded))
    verdict = judged(Shouting, baseline=declared(deviation("we like it", recorded)), stuff=stuff)
    assert (verdict.verdict, verdict.reason, verdict.trouble) == ("deviates", "we like it", None)
    assert verdict.counterexample is not None
    assert verdict.counterexample.scenario == recorded


def test_another_aspect_is_a_new_violation():
    def answers_are_short_and_soft(execution):
        """No answer is a shout, and none begins with an H."""
        for at, event in execution.of(RunReturned):
            for message in event.messages:
                yield finding(not message.text.isupper(), at, "loud", expected="a normal voice", got="a shout")
                yield finding(not message.text.startswith("H"), at, "hard", expected="another letter", got="an H")

    def check(execution, _):
        return answers_are_short_and_soft(execution)

    check.__doc__ = answers_are_short_and_soft.__doc__
    two = rule("THR-05", aspects=("loud", "hard"), each=whole_execution)(check)
    verdict = judged(Shouting, two, baseline=declared(), stuff=material(("long", LONG)))
    assert (verdict.verdict, verdict.troubles) == ("fail", ("violation",))
    assert [(each.aspect, each.declared) for each in verdict.violations] == [("hard", False), ("loud", True)]
    assert verdict.reason == "expected another letter; got an H"


def test_a_frozen_scenario_that_is_not_known_to_fail_is_a_new_violation_although_its_aspect_is_declared():
    stuff = material(("short", SHOUT), ("long", LONG), generated=st.just(conversation("hello")))
    known = [scenario_id(SHOUT)]
    verdict = judged(Shouting, baseline=declared(known=known), stuff=stuff)
    assert (verdict.verdict, [each.declared for each in verdict.violations]) == ("fail", [False, True])
    assert verdict.counterexample is not None
    assert verdict.counterexample.scenario == LONG, "what contains a declared deviation would only shrink to that one"
    assert judged(Shouting, baseline=declared(known=[*known, scenario_id(LONG)]), stuff=stuff).verdict == "deviates"


def test_without_a_list_of_known_failures_features_explain_a_frozen_scenario():
    stuff = material(("long", LONG), generated=st.just(conversation("hello")))
    assert judged(Shouting, baseline=declared(), stuff=stuff).verdict == "deviates"
    streamed = msgspec.structs.replace(SHOUT, steps=(SHOUT.steps[0], msgspec.structs.replace(SHOUT.steps[1], stream=True)))
    # the long one contains no stream, which this deviation's scenario does
    found = judged(Shouting, baseline=declared(deviation(scenario=streamed)), stuff=stuff)
    assert [(each.aspect, each.declared) for each in found.violations if not each.declared] == [("loud", False)]


def test_a_drawn_scenario_is_explained_by_a_deviation_whose_features_it_contains():
    stuff = material(generated=st.just(LONG))
    assert judged(Shouting, baseline=declared(known=[]), stuff=stuff).verdict == "deviates"
    two = conversation("please shout", "please shout", "please shout")
    stranger = judged(Shouting, baseline=declared(deviation(scenario=two), known=[]), stuff=material(generated=st.just(SHOUT)))
    assert stranger.verdict == "fail"


def test_of_several_faults_in_one_aspect_each_is_told_with_its_own_circumstances():
    kept = AgentSpec(history="provider")

    class Loud(Reference):
        """Shouts where a history provider keeps the conversation, and in the second run."""

        runs = 0

        async def run(self, agent, thread, turn):
            response = await super().run(agent, thread, turn)
            self.runs += 1
            loud = agent.setting.spec.history == "provider" or self.runs == 2
            return Response(messages=(Message(role="assistant", text="HELLO"),)) if loud else response

    stuff = material(("kept", msgspec.structs.replace(SHOUT, agents={"a": kept})), ("twice", LONG))
    shown = [each.counterexample.scenario for each in judged(Loud, stuff=stuff).violations]
    assert [(each.agents["a"].history, len(each.steps)) for each in shown] == [("provider", 2), ("default", 3)]


def test_a_known_failure_that_holds_is_progress_and_stale():
    held = conversation("hello")
    stuff = material(("shout", SHOUT), ("calm", held), generated=st.just(held))
    verdict = judged(Shouting, baseline=declared(known=[scenario_id(SHOUT), scenario_id(held)]), stuff=stuff)
    assert (verdict.verdict, verdict.trouble) == ("deviates", "stale deviation")
    assert f"the scenario {scenario_id(held)} is known to fail, but holds" in verdict.faults[0].text
    gone = judged(Shouting, baseline=declared(known=[scenario_id(SHOUT), "0123456789ab"]), stuff=stuff)
    assert "no frozen scenario has such an id" in gone.faults[0].text


def test_results_name_the_frozen_scenarios_that_fail_by_aspect():
    stuff = material(("shout", SHOUT), ("calm", conversation("hello")), corpus=[LONG])
    assert judged(Shouting, stuff=stuff).failing == {"loud": tuple(sorted((scenario_id(SHOUT), scenario_id(LONG))))}


@pytest.mark.parametrize(
    ("more", "trouble"),
    [({"reason": ""}, "deviation without a reason"), ({"expires": date(2020, 1, 1)}, "expired deviation")],
)
def test_a_deviation_without_a_reason_or_that_expired_breaks_the_gate(more, trouble):
    verdict = judged(Shouting, baseline=declared(deviation(**more)))
    assert (verdict.verdict, verdict.troubles) == ("deviates", (trouble,))


def test_a_deviation_of_another_implementation_or_version_says_nothing():
    for more in ({"implementation": "other"}, {"versions": ">=99"}):
        assert judged(Shouting, baseline=declared(deviation(**more))).verdict == "fail"
    assert judged(Shouting, baseline=declared(deviation(implementation="shouting", versions=">=0.1"))).verdict == "deviates"


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (sample_rule(), "its own scenario does not show it"),
        (sample_rule(never_asked), "its own scenario does not show it"),
        (sample_rule(needs=frozenset({"x"})), "the rule needs capability x"),
    ],
)
def test_a_deviation_that_is_none_is_stale(rule, found):
    verdict = judged(Reference, rule, baseline=declared())
    assert verdict.stale
    assert verdict.trouble == "stale deviation"
    assert found in verdict.faults[0].text
    assert "known.toml" in verdict.faults[0].text


def test_a_broken_implementation_makes_no_deviation_stale():
    assert judged(Leaving, baseline=declared()).verdict == "error"


def test_an_implementation_that_is_not_the_same_every_time_ends_in_a_verdict():
    class Moody(Shouting):
        runs = 0

        async def run(self, agent, thread, turn):
            Moody.runs += 1
            shout = msgspec.structs.replace(turn, messages=(Message(role="user", text="please shout"),))
            return await super().run(agent, thread, shout if Moody.runs % 5 == 0 else turn)

    words = [conversation(word) for word in ("one", "two", "three", "four", "five")]
    verdict = judged(Moody, stuff=material(generated=st.just(words[0]), corpus=words))
    assert verdict.verdict == "fail"
    assert verdict.violations[0].flaky


def test_a_declared_deviation_that_shows_only_sometimes_is_flaky_and_not_stale():
    class Moody(Shouting):
        runs = 0

        async def run(self, agent, thread, turn):
            Moody.runs += 1
            if Moody.runs % 2:
                return await Reference.run(self, agent, thread, turn)
            return await super().run(agent, thread, turn)

    verdict = judged(Moody, baseline=declared(), stuff=material(generated=st.just(conversation())))
    assert (verdict.verdict, verdict.faults) == ("deviates", ())
    assert verdict.violations[0].flaky
