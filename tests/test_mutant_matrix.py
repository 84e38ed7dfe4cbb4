import pytest
from samples import answers_are_short, conversation, material, never_asked, sample_rule

from conformance.implementation import Response
from conformance.mutants.matrix import matrix, rows
from conformance.mutants.mutant import Mutant, check, mutants
from conformance.rules.rule import catalogue
from conformance.trace import Message

RULES = [sample_rule(answers_are_short), sample_rule(never_asked, id="THR-06")]
STUFF = material(("one", conversation("hello")))


class AlwaysShouts(Mutant):
    """Every answer is a shout."""

    imitates = "a caps lock key that got stuck"
    expected = frozenset({"THR-05"})

    async def run(self, agent, thread, turn):
        return Response(messages=(Message(role="assistant", text="HELLO"),))


class DoesNothing(Mutant):
    """Claims a fault that it does not have."""

    imitates = "nothing"
    expected = frozenset({"THR-05"})


class Crashes(AlwaysShouts):
    """Crashes where it should only be wrong."""

    async def run(self, agent, thread, turn):
        raise SystemExit


def made(*kinds):
    return matrix(list(rows({kind.name: kind for kind in kinds}, RULES, material=STUFF)), RULES)


def test_a_mutant_that_is_killed_by_exactly_the_expected_rules_is_as_expected():
    found = made(AlwaysShouts)
    (row,) = found.rows
    assert (row.mutant, row.killed_by, row.equal) == ("always-shouts", ("THR-05",), True)
    assert row.fault == "Every answer is a shout."


def test_a_rule_that_kills_nothing_breaks_the_matrix():
    found = made(AlwaysShouts)
    assert (found.unkilled, found.holds) == (("THR-06",), False)


@pytest.mark.parametrize("kind", [DoesNothing, Crashes])
def test_a_mutant_that_survives_or_only_crashes_breaks_the_matrix(kind):
    (row,) = made(kind).rows
    assert (row.killed_by, row.equal) == ((), False)
    assert (row.broke is None) == (kind is DoesNothing)


def test_a_mutant_that_more_rules_kill_than_it_says_breaks_the_matrix():
    class Modest(AlwaysShouts):
        """Says that another rule kills it."""

        expected = frozenset({"THR-06"})

    (row,) = made(Modest).rows
    assert not row.equal


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"imitates": ""}, "has no imitates"),
        ({"expected": frozenset()}, "has no expected"),
        ({"__doc__": None}, "has no docstring"),
        ({"expected": frozenset({"THR-5"})}, "did you mean 'THR-05'?"),
    ],
)
def test_a_mutant_has_to_say_what_it_is(fields, says):
    kind = type("Silent", (Mutant,), {"__doc__": "Wrong.", "imitates": "x", "expected": frozenset({"THR-05"}), **fields})
    with pytest.raises(ValueError, match="mutant 'silent'") as error:
        check(kind, ["THR-05", "THR-06"])
    assert says in str(error.value)


def test_the_suite_s_own_mutants_say_what_they_are():
    every = mutants()
    assert every
    for kind in every.values():
        check(kind, catalogue())
