"""A rule that no scenario can exercise on an implementation that declares so much is not supported, and says what it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args, get_type_hints

import pytest
from drawing import NO_LIMITS
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from samples import conversation, material, sample_rule

from conformance.implementation.protocol import NotSupported
from conformance.implementation.subject import Subject, subject
from conformance.judging.floor import floor
from conformance.judging.judge import Judge
from conformance.judging.reach import as_declared
from conformance.judging.search import profile
from conformance.judging.verdicts import RuleVerdict
from conformance.mutants.distillation import SMALL_SETS
from conformance.reference.implementation import Reference
from conformance.rules.catalogue import CATALOGUE
from conformance.scenario.files import load
from conformance.scenario.requirements import can_perform
from conformance.vocabulary import AREAS, CAPABILITIES, Area, Capability, Policies

HANDOFF = frozenset[Capability]({"service.stateless", "workflows", "workflows.handoff"})
DECLARED = Reference().policies


def judge(under_test: Subject, area: Area) -> Judge:
    rules = [rule for rule in CATALOGUE.values() if rule.area == area]
    return Judge(under_test, rules, effort=profile("default"))


def verdicts(judge: Judge) -> dict[str, RuleVerdict]:
    return {rule.id: judge.verdict(rule) for rule in judge.rules}


def beyond(verdict: RuleVerdict) -> list[str]:
    """What the nearest scenario that exercises a rule takes."""
    _, _, needed = verdict.reason.partition("as declared exercises it; the nearest needs ")
    return [each.removeprefix("capability ").partition(" or ")[0] for each in needed.split(", ")] if needed else []


# --- whatever is declared ---


def some_policies() -> st.SearchStrategy[Policies]:
    """Any policies, declared or not; but a run-completed output that nobody can tell is a violation (ORC-03)."""
    choices = {name: st.sampled_from(_legal(hint)) for name, hint in get_type_hints(Policies).items()}
    told = choices["completion_signal"].filter(lambda signal: signal not in (None, "none"))
    return st.one_of(st.just(DECLARED), st.builds(Policies, **{**choices, "completion_signal": told}))


def _legal(hint: Any) -> list[Any]:
    return [None, *(word for choice in get_args(hint) for word in get_args(choice))]


@st.composite
def some_capabilities(draw: st.DrawFn) -> frozenset[Capability]:
    """What a framework that does little declares, with something more, or everything but something."""
    more = frozenset(draw(st.lists(st.sampled_from(CAPABILITIES), max_size=6)))
    small = SMALL_SETS[draw(st.sampled_from(sorted(SMALL_SETS)))]
    declared = Reference.capabilities - more if draw(st.integers(0, 9)) == 0 else small | more
    # an implementation keeps its history in one way or in the other
    return declared - {"history.per_run", "history.per_service_call"} if "history.incremental" in declared else declared


@settings(NO_LIMITS, max_examples=10, phases=[Phase.generate])
@given(st.sampled_from(AREAS), some_capabilities(), some_policies())
def test_whatever_is_declared_every_supported_rule_is_exercised(
    area: Area, capabilities: frozenset[Capability], policies: Policies
) -> None:
    asked = judge(as_declared(capabilities, policies), area)
    found = verdicts(asked)
    assert {id: (each.verdict, each.reason) for id, each in found.items() if each.verdict not in ("pass", "not supported")} == {}
    assert [id for id, each in found.items() if bool(each.exercised) != (each.verdict == "pass")] == []
    assert [id for id, each in found.items() if each.verdict == "not supported" and not each.reason] == []
    assert area != "persistence" or [cell for cell in asked.cells() if cell.trouble] == []
    if policies == DECLARED:  # by another way
        assert shown_by_fixtures(area, capabilities) <= {id for id, each in found.items() if each.verdict == "pass"}


def shown_by_fixtures(area: Area, capabilities: frozenset[Capability]) -> set[str]:
    """The rules that are shown by a fixture which can be performed, and that apply: these are supported, whoever asks."""
    can = [scenario for _, scenario in load(area) if can_perform(scenario, capabilities)]
    applying = {id for id, rule in CATALOGUE.items() if rule.area == area and not rule.missing(capabilities, DECLARED)}
    return applying & {id for scenario in can for id in scenario.shows}


SHOWING: list[tuple[str, Area]] = [
    ("local with tools", "persistence"),
    ("per service call", "threads"),
    ("custom", "orchestration"),
]


@pytest.mark.parametrize(("name", "area"), SHOWING)
def test_what_fixtures_show_is_supported(name: str, area: Area) -> None:
    expected = shown_by_fixtures(area, SMALL_SETS[name])
    found = verdicts(judge(as_declared(SMALL_SETS[name], DECLARED), area))
    assert expected
    assert expected <= {id for id, each in found.items() if each.verdict == "pass"}


# --- handoff alone ---


def test_handoff_alone_has_a_green_gate_and_says_what_the_other_rules_take() -> None:
    found = verdicts(judge(as_declared(HANDOFF, DECLARED), "orchestration"))
    assert {each.verdict for each in found.values()} == {"pass", "not supported"}
    assert [trouble for each in found.values() for trouble in each.troubles] == []
    assert list(floor([], ["orchestration"]).shortfalls(list(found.values()), HANDOFF)) == []
    unreached = {id: each for id, each in found.items() if each.reason and not each.reason.startswith("needs ")}
    assert {id: bool(beyond(each)) for id, each in unreached.items()} == dict.fromkeys(unreached, True)
    assert unreached["ORC-20"].reason == (
        f"no scenario that can be performed as declared exercises it; the nearest needs capability {beyond(unreached['ORC-20'])[0]}"
    )
    assert unreached["ORC-20"].coverage is None


def test_with_what_the_reason_names_the_rule_is_exercised() -> None:
    found = verdicts(judge(as_declared(HANDOFF, DECLARED), "orchestration"))
    unreached = {id: beyond(each) for id, each in found.items() if beyond(each)}
    assert unreached
    more = {need: [id for id, needed in unreached.items() if needed == [need]] for needed in unreached.values() for need in needed}
    for need in [need for need, rules in more.items() if rules][:2]:
        with_it = verdicts(judge(as_declared(HANDOFF | {need}, DECLARED), "orchestration"))
        assert {id: with_it[id].verdict for id in more[need]} == dict.fromkeys(more[need], "pass")


def test_what_is_asked_for_and_not_exercised_is_not_green() -> None:
    nothing = verdicts(judge(as_declared(frozenset({"service.stateless"}), Policies()), "orchestration"))
    assert {each.verdict for each in nothing.values()} == {"not supported"}
    for required, areas in (([], ["orchestration"]), (["orchestration"], [])):
        (short,) = floor(required, areas).shortfalls(list(nothing.values()), ["service.stateless"])
        assert short.trouble == "nothing exercised"


# --- by what the adapter can express ---

THREE = [("one", conversation("one")), ("two", conversation("two", "three"))]


class Lost(Exception):
    """What only these implementations raise."""


class CannotRun(Reference):
    async def run(self, agent: Any, thread: Any, turn: Any) -> Any:
        raise NotSupported("there is no word for it")


class CannotRunOnce(CannotRun):
    async def run(self, agent: Any, thread: Any, turn: Any) -> Any:
        if turn.messages[-1].text == "one":
            return await super().run(agent, thread, turn)
        raise Lost


class MakesNoThread(Reference):
    async def create_thread(self, agent: Any, kind: Any) -> Any:
        raise Lost


def of(kind: type[Reference]) -> RuleVerdict:
    return Judge(subject(kind), [sample_rule()], material=material(*THREE)).verdict(sample_rule())


def test_where_the_adapter_can_express_no_scenario_that_exercises_a_rule_its_words_are_the_reason() -> None:
    verdict = of(CannotRun)
    assert (verdict.verdict, verdict.trouble, verdict.coverage) == ("not supported", None, None)
    assert verdict.reason == (
        "in each of the 2 scenarios that exercise it the adapter could not express a step, such as: 'there is no word for it'"
    )


def test_one_scenario_that_could_be_expressed_is_enough_to_miss_it() -> None:
    assert of(CannotRunOnce).trouble == "not exercised"


def test_what_is_not_there_because_an_earlier_step_failed_excuses_nothing() -> None:
    assert of(MakesNoThread).trouble == "not exercised"


def test_a_step_that_cannot_be_expressed_after_the_one_in_question_excuses_nothing() -> None:
    class Late(CannotRun):
        async def run(self, agent: Any, thread: Any, turn: Any) -> Any:
            if turn.messages[-1].text == "two":
                raise Lost
            return await super().run(agent, thread, turn)

    assert of(Late).trouble == "not exercised"


def test_a_rule_that_nothing_in_the_suite_exercises_says_so() -> None:
    bare = replace(material(("none", conversation())), needs=lambda _: frozenset())
    verdict = Judge(subject(Reference), [sample_rule()], material=bare).verdict(sample_rule())
    assert (verdict.verdict, verdict.reason) == (
        "not supported",
        "no scenario of the suite exercises it under the declared policies",
    )
