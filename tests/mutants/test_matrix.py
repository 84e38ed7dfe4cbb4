from dataclasses import replace

import pytest
from hypothesis import strategies as st
from samples import answers_are_short, conversation, material, never_asked, sample_rule

from conformance.judging.kills import matrix
from conformance.mutants import workers
from conformance.mutants.generated import hold, hunts, medians
from conformance.mutants.matrix import rows
from conformance.mutants.mutant import Mutant, check, mutants, rules_of
from conformance.rules.catalogue import CATALOGUE, section_of
from conformance.rules.rule import finding
from conformance.trace.adapter_events import RunReturned
from conformance.trace.exchange import Response
from conformance.trace.messages import Message
from conformance.vocabulary import AREAS

RULES = [sample_rule(answers_are_short), sample_rule(never_asked, id="THR-06")]
STUFF = material(("one", conversation("hello")))


class AlwaysShouts(Mutant):
    """Every answer is a shout."""

    imitates = "a caps lock key that got stuck"
    breaks = "THR-05/loud"
    expected = frozenset({"THR-05"})

    async def run(self, agent, thread, turn):
        return Response(messages=(Message(role="assistant", text="HELLO"),))


class DoesNothing(Mutant):
    """Claims a fault that it does not have."""

    imitates = "nothing"
    breaks = "THR-05/loud"
    expected = frozenset({"THR-05"})


class Crashes(AlwaysShouts):
    """Crashes where it should only be wrong."""

    async def run(self, agent, thread, turn):
        raise SystemExit


def made(*kinds):
    return matrix(list(rows({kind.name: kind for kind in kinds}, RULES, material=STUFF)), [rule.id for rule in RULES])


def test_a_mutant_that_is_killed_by_exactly_the_expected_rules_is_as_expected():
    found = made(AlwaysShouts)
    (row,) = found.rows
    assert (row.mutant, row.killed_by, row.equal) == ("always-shouts", ("THR-05",), True)
    assert row.fault == "Every answer is a shout."


def test_what_the_reference_does_is_judged_once_and_counts_for_every_mutant_that_does_the_same():
    asked = []

    def nobody_answers(execution):
        """Nobody answers."""
        asked.append(execution)
        return [finding(False, at, "loud", expected="silence", got="an answer") for at, _ in execution.of(RunReturned)]

    rules = [sample_rule(nobody_answers)]
    stuff = material(("one", conversation("hello")), generated=st.just(conversation("hello")))
    two = {"a": DoesNothing, "b": DoesNothing, "c": AlwaysShouts}
    assert [row.killed_by for row in rows(two, rules, material=stuff)] == [("THR-05",)] * 3
    shouting = [
        execution for execution in asked if any(event.messages[0].text == "HELLO" for _, event in execution.of(RunReturned))
    ]
    assert len(shouting) == len(asked) - 1


def test_a_mutant_of_another_policy_is_compared_with_a_reference_of_that_policy():
    class Ignoring(DoesNothing):
        """Only declares something else."""

        def __init__(self):
            super().__init__(store_conflict="ignore")

    def says_its_policy(execution):
        """The policy is raise."""
        yield finding(execution.policies.store_conflict == "raise", 0, "loud", expected="raise", got="something else")

    found = list(rows({"a": DoesNothing, "b": Ignoring}, [sample_rule(says_its_policy)], material=STUFF))
    assert [row.killed_by for row in found] == [(), ("THR-05",)]


def test_a_rule_that_kills_nothing_breaks_the_matrix():
    found = made(AlwaysShouts)
    assert (found.unkilled, found.holds) == (("THR-06",), False)


@pytest.mark.parametrize("kind", [DoesNothing, Crashes])
def test_a_mutant_that_survives_or_only_crashes_breaks_the_matrix(kind):
    (row,) = made(kind).rows
    assert (row.killed_by, row.equal) == ((), False)
    assert (row.broke is None) == (kind is DoesNothing)


def test_a_mutant_that_is_killed_in_another_way_than_it_says_breaks_the_matrix():
    class Whispers(AlwaysShouts):
        """Says that it breaks the rule otherwise."""

        breaks = "THR-05/soft"

    rules = [replace(rule, aspects=("loud", "soft")) for rule in RULES]
    (row,) = rows({"whispers": Whispers}, rules, material=STUFF)
    assert (row.killed_by, row.ways, row.equal) == (("THR-05",), ("THR-05/loud",), False)


def test_a_mutant_that_more_rules_kill_than_it_says_breaks_the_matrix():
    class Modest(AlwaysShouts):
        """Says that another rule kills it."""

        breaks = "THR-06/loud"
        expected = frozenset({"THR-06"})

    (row,) = made(Modest).rows
    assert not row.equal


def hunted(*kinds, drawn):
    stuff = material(generated=st.sampled_from([conversation(*said) for said in drawn]))
    return list(hunts({kind.name: kind for kind in kinds}, RULES, within=20, material=stuff))


class ShoutsWhenAsked(Mutant):
    """Shouts, but not always."""

    imitates = "a caps lock key"
    breaks = "THR-05/loud"
    expected = frozenset({"THR-05"})

    async def run(self, agent, thread, turn):
        return Response(messages=(Message(role="assistant", text=turn.messages[0].text.upper()),))


def test_a_hunt_counts_the_scenarios_until_an_expected_rule_kills():
    first, late, never = hunted(AlwaysShouts, ShoutsWhenAsked, DoesNothing, drawn=[("1",), ("2",), ("3",), ("a",)])
    assert (first.after, first.killed_by, first.area, first.wrong) == (1, ("THR-05",), "threads", False)
    assert 1 < late.after <= 4
    assert (never.after, never.killed_by, never.wrong) == (None, (), False)


def test_the_median_takes_a_mutant_that_survives_for_more_than_all_scenarios():
    found = hunted(AlwaysShouts, DoesNothing, drawn=[("a",)])
    assert medians(found) == {"threads": float("inf")}
    assert not hold(found)
    assert medians([*found, *hunted(AlwaysShouts, drawn=[("a",)])]) == {"threads": 1}
    assert hold(hunted(AlwaysShouts, drawn=[("a",)]))


def test_a_hunt_notes_rules_that_kill_unexpectedly_and_what_broke():
    class Modest(AlwaysShouts):
        """Says that another rule kills it."""

        breaks = "THR-06/loud"
        expected = frozenset({"THR-06"})

    modest, crashing = hunted(Modest, Crashes, drawn=[("a",)])
    assert (modest.after, modest.unexpected, modest.wrong) == (None, {"THR-05": 1}, True)
    assert "generated scenario 1" in crashing.broke
    assert not hold([crashing])


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"imitates": ""}, "has no imitates"),
        ({"expected": frozenset()}, "has no expected"),
        ({"__doc__": None}, "has no docstring"),
        ({"breaks": ""}, "has no breaks"),
        ({"expected": frozenset({"THR-5"})}, "did you mean 'THR-05'?"),
        ({"breaks": "THR-05"}, "expected one of: THR-05/loud"),
        ({"breaks": "THR-06/loud"}, "expected one of: THR-05/loud"),
    ],
)
def test_a_mutant_has_to_say_what_it_is(fields, says):
    said = {"__doc__": "Wrong.", "imitates": "x", "breaks": "THR-05/loud", "expected": frozenset({"THR-05"})}
    kind = type("Silent", (Mutant,), {**said, **fields})
    with pytest.raises(ValueError, match="mutant 'silent'") as error:
        check(kind, RULES)
    assert says in str(error.value)


def test_every_mutant_belongs_to_the_area_that_it_is_written_for():
    every = mutants().values()
    assert {kind.area() for kind in every} == set(AREAS)
    astray = [kind.name for kind in every if not kind.__module__.startswith(f"conformance.mutants.{kind.area()}")]
    assert astray == [], f"move {', '.join(astray)} to a module of conformance/mutants/<area>"


def test_the_suite_s_own_mutants_say_what_they_are():
    every = mutants()
    assert every
    for kind in every.values():
        check(kind, CATALOGUE.values())


def test_processes_of_their_own_find_the_same_in_the_same_order(monkeypatch):
    names = ["trailing-result-not-trimmed", "input-appended-apart", "local-instead"]
    chosen = {name: kind for name, kind in mutants().items() if name in names}
    rules = list(CATALOGUE.values())
    alone = list(hunts(chosen, rules, within=20))
    monkeypatch.setattr(workers, "ENOUGH", 1)
    monkeypatch.setattr(workers.os, "cpu_count", lambda: 2)
    assert [hunt.mutant for hunt in alone] == sorted(names, key=list(chosen).index)
    assert list(hunts(chosen, rules, within=20)) == alone


@pytest.mark.parametrize("kind", mutants().values(), ids=lambda kind: kind.name)
def test_a_mutant_stands_in_the_section_of_the_rule_that_it_breaks(kind):
    (rule,) = rules_of([kind.breaks])
    area, section = kind.__module__.split(".")[-2:]
    home = CATALOGUE[rule].area, section_of(rule)
    assert home == (area, section), f"{kind.name} breaks {rule}: move the mutant to conformance/mutants/{'/'.join(home)}.py"
