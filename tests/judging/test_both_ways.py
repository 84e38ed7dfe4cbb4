import msgspec
from samples import Shouting, conversation, material, sample_rule

from conformance.implementation.subject import subject
from conformance.judging.judge import Judge
from conformance.judging.search import Profile, profile, size
from conformance.judging.survey import flipped
from conformance.judging.verdicts import BothWays
from conformance.reference.implementation import Reference
from conformance.scenario.scenario import Respond, Run, RunWorkflow, Scenario, Together
from conformance.scenario.specs import AgentSpec
from conformance.trace.adapter_events import RunReturned
from conformance.trace.messages import Message
from conformance.vocabulary import CAPABILITIES


def test_flipping_turns_every_run_and_every_answer_and_back():
    scenario = Scenario(
        agents={"a": AgentSpec()},
        steps=(
            *conversation("one").steps,
            Together(runs=(Run(thread="t", say=("two",), stream=True), Run(thread="t", say=("three",)))),
            RunWorkflow(workflow="w", say=("four",)),
            Respond(stream=True),
        ),
    )
    other = flipped(scenario)
    created, run, together, workflow, answer = other.steps
    assert (run.stream, workflow.stream, answer.stream) == (True, True, False)
    assert [each.stream for each in together.runs] == [False, True]
    assert created == scenario.steps[0]
    assert flipped(other) == scenario


def test_a_stream_that_is_left_and_a_scenario_without_runs_have_no_other_way():
    left = Run(thread="t", say=("one",), stream=True, abandons=1)
    assert flipped(Scenario(steps=(Together(runs=(left,)),))) is None
    assert flipped(conversation()) is None


class ShoutsInStreams(Shouting):
    """Streams what it was asked to shout, and shouts then only."""

    async def run(self, agent, thread, turn):
        return await Reference.run(self, agent, thread, turn)

    async def stream(self, agent, thread, turn):
        async for item in super().stream(agent, thread, turn):
            shouts = turn.messages[-1].text == "please shout" and not hasattr(item, "text")
            yield msgspec.structs.replace(item, messages=(Message(role="assistant", text="HELLO"),)) if shouts else item


BOTH = Profile("thorough", explore=30, shrink=30, both_ways=True)


def surveyed(kind, effort=BOTH):
    return Judge(subject(kind), [sample_rule()], effort=effort, material=material(("one", conversation("x")))).survey("threads")


def test_every_drawn_scenario_is_compared_with_itself_the_other_way():
    survey = surveyed(Reference)
    drawn = survey.scenarios["explored"]
    assert drawn > 5
    empty = 1  # the one without a run has no other way
    assert survey.both_ways == BothWays(compared=drawn - empty)
    assert survey.scenarios["flipped"] == drawn - empty
    tally = survey.tallies["THR-05"]
    assert tally.scenarios["explored"] == drawn - empty


def test_what_differs_is_found_with_the_rules_and_counts_as_a_violation():
    survey = surveyed(ShoutsInStreams)
    differing = survey.both_ways.differing
    assert differing
    assert {(each.area, each.violated, each.violated_flipped) for each in differing} == {("threads", (), ("THR-05",))}
    assert [size(each.scenario) for each in differing] == sorted(size(each.scenario) for each in differing)
    assert all(any("please shout" in run.say for run in each.scenario.runs()) for each in differing)
    performed, wrong = survey.tallies["THR-05"].broken["loud"].smallest
    assert all(run.stream for run in performed.scenario.runs())
    assert isinstance(performed.trace.events[wrong.at], RunReturned)


def test_nothing_is_compared_without_streaming_or_with_less_effort():
    class Plain(Reference):
        capabilities = frozenset(CAPABILITIES) - {"runs.streaming"}

    assert surveyed(Plain).both_ways is None
    assert surveyed(Reference, Profile("quick", explore=30, shrink=30)).both_ways is None
    assert [profile(name).both_ways for name in ("quick", "default", "thorough")] == [False, False, True]
