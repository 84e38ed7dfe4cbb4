"""What a mutant can differ in is told from its classes; a sample of what is concluded from that is performed in full."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec
import pytest
from samples import conversation

from conformance.harness.execution import performed
from conformance.harness.runner import STEP_TIMEOUT
from conformance.implementation.subject import subject
from conformance.judging.material import shipped
from conformance.mutants.difference import Doubt, Point, points, stand_in
from conformance.mutants.mutant import Mutant, mutants
from conformance.mutants.overrides import aside, nowhere, pure, where
from conformance.mutants.persistence.faulty_homes import Front, Fronted, behind
from conformance.mutants.persistence.ordinary_runs import PER_RUN
from conformance.mutants.trial import Suspect, Trial
from conformance.mutants.watching import Watched
from conformance.reference.agent import Agent
from conformance.reference.client import PersistingClient
from conformance.reference.history_home import HistoryHome
from conformance.reference.implementation import Reference
from conformance.reference.parts import Parts
from conformance.reference.patterns import PATTERNS, Sequential
from conformance.reference.thread import Thread
from conformance.reference.tools import Tools
from conformance.reference.workflow_run import WorkflowRun
from conformance.scenario.scenario import AgentSpec, Scenario
from conformance.vocabulary import AREAS

SCENARIOS, MUTANTS = 80, 12
"""So many scenarios are sampled, and so many mutants for each of them."""


def mutant(**members: object) -> type[Mutant]:
    return type("Sample", (Mutant,), members)


class _Home(HistoryHome):
    extra = 1

    def persist(self, *_):
        """Nothing."""

    def helps(self):
        """Nothing that the reference knows."""


class _Tools(Tools):
    ends = None


class _Run(WorkflowRun):
    def start(self, *_):
        """Nothing."""


class _Sequential(Sequential):
    run_type = _Run


class _Noting(Agent):
    differs = nowhere

    def run(self, *_, **__):
        """Nothing."""


def _is_local(_home, given):
    return given["thread"].kind == "local"


class _Marked(HistoryHome):
    @where(_is_local)
    def stays_local(self, thread):
        """Never."""
        return False

    @aside
    def keeps_adds(self):
        """What the reference says."""
        return super().keeps_adds()

    @pure
    def reduce(self, history, new):
        """All but the first."""
        return tuple(history[1:])


class _Anew:
    """No agent's home."""


def test_a_mutant_replaces_what_its_parts_define_anew():
    assert points(mutant(parts=Parts(home=_Home))) == {Point(HistoryHome, "persist")}
    assert points(mutant(patterns={**PATTERNS, "sequential": _Sequential})) == {Point(Sequential, "start", of_run=True)}
    assert points(mutant(stream=lambda self: None)) == {Point(Reference, "stream")}
    assert points(mutant()) == frozenset()


def test_what_only_notes_something_replaces_nothing_but_what_stands_in_front_of_it_does():
    assert points(mutant(agent_type=_Noting)) == frozenset()
    further = type("_Further", (_Noting,), {"taken": lambda self, messages: ()})
    assert points(mutant(agent_type=further)) == {Point(Agent, "taken")}


def test_a_front_counts_in_its_runs_only():
    assert points(mutant(parts=behind(Front, PER_RUN))) == {Point(HistoryHome, "store", Fronted("provider", PER_RUN))}


def test_an_override_counts_as_it_is_marked():
    found = {point.name: point for point in points(mutant(parts=Parts(home=_Marked)))}
    assert found.keys() == {"stays_local", "reduce"}
    assert found["stays_local"] == Point(HistoryHome, "stays_local", _is_local)
    watched = Watched(found.values())
    assert watched.performed(conversation("hello"), subject(Reference)).called == {found["stays_local"]}, (
        "nothing is cut from an empty history"
    )
    assert watched.performed(conversation("hello", "once more"), subject(Reference)).called == set(found.values())


def test_who_is_asked_what_it_would_return_notes_nothing():
    class Longer(PersistingClient):
        @pure
        def request_messages(self, history, new):
            return super().request_messages(history, new)

    class Unreduced(HistoryHome):
        @pure
        def reduce(self, history, new):
            return history

    looked = points(mutant(parts=Parts(decorator=Longer, home=Unreduced)))
    plain = conversation("hello", "once more")
    scenario = msgspec.structs.replace(plain, agents={"a": AgentSpec(reduces_to=1, per_service_call=True)})
    called = Watched(looked).performed(scenario, subject(Reference)).called
    assert {point.name for point in called} == {"reduce"}, "the reference calls it in the method that the other asks first"


def test_an_override_for_some_calls_leaves_the_others_to_the_reference():
    home = object.__new__(_Marked)
    assert not home.stays_local(Thread(key="", kind="local", fixed=True))
    assert not home.stays_local(thread=Thread(key="", kind="hosted", fixed=True))
    class_of_it = type("_Further", (_Marked,), {"stays_local": where(lambda _, given: False)(lambda self, thread: True)})
    assert object.__new__(class_of_it).stays_local(Thread(key="", fixed=True)) is False


@pytest.mark.parametrize(
    "kind",
    [
        mutant(parts=Parts(tools=_Tools)),
        mutant(parts=Parts(home=_Anew)),
        mutant(errors={}),
        mutant(patterns={}),
        mutant(__getattribute__=object.__getattribute__),
        mutant(agent_type=type("_Falsy", (Agent,), {"__bool__": lambda self: False})),
    ],
)
def test_nothing_is_concluded_of_what_cannot_be_told(kind):
    with pytest.raises(Doubt):
        points(kind)
    assert Suspect(kind).points is None


def test_no_reference_stands_in_for_a_mutant_that_is_made_otherwise():
    def conducts(self):
        Reference.__init__(self)
        self.conduct = Reference(provider_copy="written").policies

    with pytest.raises(Doubt):
        stand_in(mutant(__init__=conducts))
    declared = stand_in(mutant(__init__=lambda self: Reference.__init__(self, history="incremental", provider_copy="written")))
    assert "history.incremental" in declared.capabilities
    assert declared.policies.provider_copy == "written"


def test_points_are_called_where_the_reference_calls_them():
    asked = {Point(Agent, "run"), Point(Agent, "resume"), Point(HistoryHome, "store"), Point(Sequential, "start")}
    never = Point(HistoryHome, "store", lambda home, arguments: arguments["thread"].kind == "hosted")
    wrong = Point(HistoryHome, "store", lambda home, arguments: arguments["nothing"])
    seen = Watched([*asked, never, wrong]).performed(conversation("hello"), subject(Reference))
    assert seen.called == {Point(Agent, "run"), Point(HistoryHome, "store"), wrong}, "what cannot be told counts"
    assert seen.trace == performed(conversation("hello"), subject(Reference), STEP_TIMEOUT), "it only looks"
    assert "injected_messages" in seen.asked
    assert "store_conflict" not in seen.asked


def _sample(draw: Random) -> Iterator[tuple[Suspect, Trial, str, Scenario]]:
    """Scenarios, each with mutants that cannot differ in it; some of them for mutants that declare something rare."""
    every = [Suspect(kind) for kind in mutants().values()]
    trial = Trial((), shipped(), frozenset(point for each in every for point in each.points or ()))
    alike: dict[object, list[Suspect]] = {}
    for each in every:
        alike.setdefault((each.subject.capabilities, each.subject.policies), []).append(each)
    common, *rare = sorted(alike.values(), key=len, reverse=True)
    for number in range(SCENARIOS):
        group = draw.choice(rare) if number % 4 == 0 else common
        name, scenario = draw.choice(trial.frozen(draw.choice(AREAS), group[0].subject, all=True))
        same = [each for each in group if trial.takes_over(each, scenario)]
        yield from ((each, trial, name, scenario) for each in draw.sample(same, min(MUTANTS, len(same))))


def test_what_a_mutant_cannot_differ_in_it_performs_as_the_reference_does():
    compared, differing = 0, list[str]()
    for suspect, trial, name, scenario in _sample(Random(shipped().digest)):  # other material, another sample
        compared += 1
        known = trial.reference(suspect, scenario)
        if known is None or performed(scenario, suspect.subject, STEP_TIMEOUT).events != known.trace.events:
            differing.append(f"{suspect.mutant.name} in {name}")
    assert compared > SCENARIOS
    assert differing == []
