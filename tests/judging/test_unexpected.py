"""Errors that no neutral kind fits are counted, and a rule that nothing exercises says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from samples import conversation, material

from conformance.implementation.subject import subject
from conformance.judging.judge import Judge
from conformance.judging.ledger import Ledger, judged
from conformance.judging.search import Profile
from conformance.judging.unexpected import UnexpectedError, together
from conformance.reference.implementation import Reference
from conformance.report.terminal import summary
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.rule import Rule
from conformance.scenario.identity import scenario_id
from conformance.scenario.requirements import needs
from conformance.scenario.scenario import CreateThread, Run, Scenario
from conformance.scenario.specs import AgentSpec, ServiceSpec

ON_AN_ID = Scenario(
    title="A conversation goes on by its id",
    shows=("THR-08",),
    agents={"a": AgentSpec(service=ServiceSpec(keeps="one_id"))},
    steps=(CreateThread(thread="t", agent="a", kind="hosted", with_id=True), Run(thread="t", say=("one",))),
)
RULE = CATALOGUE["THR-08"]


def reason(kind: type[Reference], *scenarios: Scenario, rule: Rule = RULE) -> str:
    verdict = judging(kind, *scenarios, rule=rule).verdict(rule)
    assert verdict.verdict == "not exercised"
    return verdict.reason


def judging(kind: type[Reference], *scenarios: Scenario, rule: Rule = RULE) -> Judge:
    fixtures = [(each.title, each) for each in scenarios]
    stuff = replace(material(*fixtures, generated=st.just(scenarios[-1])), needs=needs)
    return Judge(subject(kind), [rule], effort=Profile("quick", explore=1, shrink=0), material=stuff)


class Overloaded(Exception):
    """What only this implementation raises."""


class NeverGoesOn(Reference):
    async def continue_conversation(self, agent: Any, conversation_id: str) -> Any:
        raise Overloaded("not now")


class Fails(NeverGoesOn):
    async def run(self, agent: Any, thread: Any, turn: Any) -> Any:
        raise Overloaded("try again")


def test_what_was_nearest_and_what_it_lacks_is_said() -> None:
    said = reason(NeverGoesOn, ON_AN_ID, conversation("hello"))
    assert f"on the reference {scenario_id(ON_AN_ID)} exercises it, one of 1 frozen scenarios" in said
    assert "nearest was a run on a thread" in said
    assert "which lacks: the thread was created with the id of a conversation" in said


def test_where_nothing_comes_near_that_is_said() -> None:
    assert "no scenario had " in reason(NeverGoesOn, ON_AN_ID)


def test_what_the_profile_left_out_is_said() -> None:
    stuff = replace(material(("plain", conversation("hello")), corpus=[conversation("x"), ON_AN_ID]), needs=needs)
    verdict = Judge(subject(Reference), [RULE], effort=Profile("quick", corpus=1), material=stuff).verdict(RULE)
    assert verdict.verdict == "not exercised"
    assert f"{scenario_id(ON_AN_ID)} exercises it, which the profile quick leaves out" in verdict.reason


def test_the_commonest_error_is_said() -> None:
    said = reason(Fails, ON_AN_ID, conversation("one", "two"))
    assert "2 of 2 runs ended in Overloaded at tests/judging/test_unexpected.py:" in said
    assert said.endswith(": try again")


def test_errors_are_said_once_for_an_implementation() -> None:
    judge = judging(Fails, conversation("one", "two"))
    ledger = Ledger([judge], "quick")
    ledger.add(judged(judge, RULE))
    (error,) = ledger.results.implementations[0].unexpected
    assert (error.native, error.text, error.runs, error.of) == ("Overloaded", "try again", 2, 2)
    assert summary(ledger.results).count("2 of 2 runs ended in Overloaded") >= 1


def test_areas_are_counted_together_the_commonest_first() -> None:
    def error(native: str, runs: int) -> UnexpectedError:
        return UnexpectedError(native=native, where="x.py:1", text="no", runs=runs, of=10)

    found = together([(error("A", 2), error("B", 3)), (error("A", 4),)])
    assert [(each.native, each.runs, each.of) for each in found] == [("A", 6, 20), ("B", 3, 10)]
