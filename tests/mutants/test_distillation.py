"""Which scenarios the corpus takes, of those that were drawn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from conformance.mutants.distillation import EXERCISED, KILLED, Candidate, chosen, distill
from conformance.scenario import corpus
from conformance.scenario.identity import scenario_id
from conformance.scenario.scenario import CreateThread, Run, Scenario
from conformance.scenario.specs import AgentSpec

DEMANDS = ["rule A-01", "rule A-02", "mutant m", "set small: A-01", "one with other"]
OFTEN = {"rule": EXERCISED, "mutant": KILLED}


def candidate(number: int, *meets: str) -> Candidate:
    """A candidate of its own, the larger the higher its number, that meets some demands."""
    steps = (CreateThread(thread="t", agent="a"), Run(thread="t", say=("x" * number,)))
    return Candidate(Scenario(agents={"a": AgentSpec()}, steps=steps), frozenset(meets))


candidates = st.lists(st.lists(st.sampled_from(DEMANDS), unique=True), max_size=12).map(
    lambda all_met: [candidate(number, *meets) for number, meets in enumerate(all_met)]
)


@given(candidates, st.integers(0, 3))
def test_what_is_chosen_meets_what_can_be_met_and_nothing_in_vain(every, kept):
    found = chosen(every[:kept], every)
    by_id = {scenario_id(each.scenario): each for each in every}
    taken = [by_id[scenario_id(scenario)] for scenario in found]
    assert taken[:kept] == every[:kept], "what is in the corpus stays in front"
    for demand in DEMANDS:
        possible = sum(demand in each.meets for each in every)
        met = sum(demand in each.meets for each in taken)
        assert met >= min(possible, OFTEN.get(demand.split()[0], 1))
    for place, each in enumerate(taken[kept:], start=kept):
        before = taken[:place]
        assert any(sum(demand in one.meets for one in before) < OFTEN.get(demand.split()[0], 1) for demand in each.meets), (
            "it adds something"
        )


def test_the_most_telling_for_its_size_comes_first():
    small, large, double = candidate(1, "one with other"), candidate(400, "one with other"), candidate(2, *DEMANDS)
    assert chosen([], [large, small, double]) == [double.scenario]


def test_what_is_in_the_corpus_stays_when_it_is_distilled_again():
    present = corpus.load("threads")[:3]
    again = distill("threads", present, 26, seed=3)
    assert again[:3] == list(present)
    assert len(again) > 3
