from collections import Counter

import msgspec
import pytest
from hypothesis import strategies as st
from samples import conversation, never_asked, sample_rule

from conformance.harness.runner import perform
from conformance.implementation.protocol import NotSupported
from conformance.implementation.subject import subject
from conformance.judging.judge import Judge
from conformance.judging.material import Material, shipped
from conformance.judging.search import Profile
from conformance.judging.verdicts import exit_code
from conformance.matrix import cells, conflict_switches
from conformance.matrix.cells import CELLS, Cell, cell_of
from conformance.mutants.mutant import mutants
from conformance.reference.implementation import Reference
from conformance.reference.parts import Parts
from conformance.reference.threads import Threads
from conformance.rules.catalogue import CATALOGUE
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import kind_before
from conformance.rules.rule import finding
from conformance.scenario.files import check
from conformance.scenario.requirements import needs
from conformance.scenario.scenario import Run, Scenario
from conformance.scenario.specs import AgentSpec, OnConflict, ServiceSpec
from conformance.vocabulary import Policies

FEW = Profile("quick", explore=1, shrink=1)
ALL = Reference.capabilities
DECLARED = Reference().policies


def says_something(execution):
    """Every run is over."""
    return [finding(True, run.sign, "loud", expected="", got="") for run in execution.runs]


def chatters(execution):
    """Nobody streams."""
    return [
        finding(not run.spec.stream, run.sign, "loud", expected="silence", got="chatter")
        for run in execution.runs
        if isinstance(run.spec, Run)
    ]


def matrix_only(*, generated=None):
    """The shipped matrix, and nothing else."""
    own = shipped()
    return Material(lambda _: [], lambda *_: generated or st.just(Scenario()), own.needs, own.matrix)


def charted(kind, check=says_something, **arguments):
    rule = sample_rule(check, id="PER-01")
    return Judge(subject(kind, arguments), [rule], effort=FEW, material=matrix_only(), timeout=20).cells()


def found(results, outcome):
    return {each.cell for each in results if each.outcome == outcome}


def cell(setting="M1", service="stateless", kind="local", *, streaming=False):
    own, per_call = next(key for key, name in cells.SETTINGS.items() if name == setting)
    return Cell(client_as_is=own, per_service_call=per_call, service=service, kind=kind, streaming=streaming)


def test_there_are_96_cells_each_with_a_name_and_a_sound_scenario_of_its_own():
    assert len(CELLS) == len(set(CELLS)) == len({each.name for each in CELLS}) == 96
    assert (CELLS[0].name, CELLS[-1].name) == ("M1 stateless local", "M4 surprising adaptive, streaming")
    made = [each.scenario(ALL) for each in CELLS]
    for scenario in made:
        check(scenario)
        assert [run.stream for run in scenario.runs()] in ([True, True], [False, False])
    assert len({scenario.title for scenario in made}) == 96


@pytest.mark.parametrize("each", CELLS, ids=lambda each: each.name)
def test_the_scenario_of_a_cell_gets_there(each):
    scenario = each.scenario(ALL)
    execution = ExecutionView(scenario, perform(scenario, lambda: Reference(unsupported_thread="at_run")))
    first = execution.runs[0]
    assert cell_of(first.agent, kind_before(execution, first), streaming=scenario.steps[1].stream) == each
    assert first.ending == ("raised" if each.refusal else "returned")
    assert first.raised is None or first.raised[1].kind == each.refusal


def test_what_a_cell_demands():
    without = cell("M4", streaming=True)
    settings = {"history.client_as_is", "history.per_service_call", "history.provider"}
    assert without.needs(ALL) == settings | {"service.stateless", "runs.streaming", "tools"}
    assert without.missing(ALL - {"history.decorated"}, Policies()) == []
    assert without.missing(ALL - {"runs.streaming", "history.client_as_is"}, DECLARED) == [
        "capability history.client_as_is",
        "capability runs.streaming",
    ]
    assert cell(kind="hosted").missing(ALL, Policies()) == ["policy unsupported_thread"]
    assert cell(kind="hosted").missing(ALL, DECLARED) == []
    assert "tools" not in cell().needs(ALL - {"tools"})
    otherwise = ALL - {"history.per_run"} | {"history.incremental"}
    assert cell("M1").missing(otherwise, Policies()) == ["capability history.per_run"]


def test_only_a_hosted_thread_may_be_on_a_service_that_keeps_by_default():
    by_default = ALL - {"service.stores_on_request"}
    assert cell("M1", "new_ids", "hosted").missing(by_default, DECLARED) == []
    assert cell("M1", "new_ids", "local").missing(by_default, DECLARED) == ["capability service.stores_on_request"]
    assert cell("M1", "new_ids", "adaptive").missing(by_default, DECLARED) == ["capability service.stores_on_request"]


def test_the_decorator_is_in_the_same_cell_and_another_setting_of_one_run_in_another():
    spec = AgentSpec(client_as_is=True, per_service_call=True, service=ServiceSpec(keeps="one_id", surprising=True))
    assert cell_of(spec, "local", streaming=False) == cell("M4", "surprising")
    assert cell_of(msgspec.structs.replace(spec, decorated=True), "local", streaming=False) == cell("M4", "surprising")
    scenario = conversation("hello")
    changed = (scenario.steps[0], msgspec.structs.replace(scenario.steps[1], per_service_call=True))
    scenario = msgspec.structs.replace(scenario, steps=changed)
    (run,) = ExecutionView(scenario, perform(scenario, Reference)).runs
    assert cell_of(run.agent, "local", streaming=False) == cell("M2")


def test_there_are_64_conflict_scenarios_that_say_what_they_are():
    made = list(conflict_switches.scenarios())
    assert len(made) == len({scenario.title for scenario in made}) == 64
    sorts = Counter(
        (agent.on_conflict, agent.history, len(scenario.steps), scenario.steps[1].stream)
        for scenario in made
        for agent in scenario.agents.values()
    )
    assert len(sorts) == 64
    assert {switch for switch, *_ in sorts} == {
        OnConflict(throw=a, warn=b, clear=c) for a in (True, False) for b in (True, False) for c in (True, False)
    }
    titles = {scenario.title for scenario in made}
    assert "a conflict on a later turn, streaming, a configured provider, switched on: warn, clear" in titles
    assert "a conflict on the first turn, the default provider, switched on: nothing" in titles


@pytest.mark.parametrize("scenario", list(conflict_switches.scenarios()), ids=lambda scenario: scenario.title)
def test_every_conflict_comes_where_its_title_says(scenario):
    check(scenario)
    spec, later = scenario.agents["a"], len(scenario.steps) == 4
    assert {"service.surprising", "service.new_ids"} <= needs(scenario)
    assert ("history.conflict_switches" in needs(scenario)) == (spec.on_conflict != OnConflict())
    assert ("service.without_id" in needs(scenario)) == later
    execution = ExecutionView(scenario, perform(scenario, Reference))
    assert [run.brought_id for run in execution.runs] == [False, True, True][not later :]
    thrown = spec.history == "provider" and spec.on_conflict.throw
    assert [run.ending for run in execution.runs[later:]] == ["raised" if thrown else "returned"] * 2


def test_every_cell_of_the_reference_is_reached_where_a_rule_speaks_of_every_run():
    results = charted(Reference)
    assert [each.cell for each in results] == list(CELLS)
    refused = {each for each in CELLS if each.refusal}
    assert found(results, "refused") == refused
    assert len(refused) == 24
    assert found(results, "held") == set(CELLS) - refused
    assert charted(Reference, unsupported_thread="at_run") == results


def test_a_rule_that_is_violated_is_named_in_exactly_its_cells():
    results = charted(Reference, chatters)
    created = {each for each in CELLS if each.unsupported}
    assert found(results, "violated") == {each for each in CELLS if each.streaming} - created
    assert {each.rules for each in results if each.outcome == "violated"} == {("PER-01",)}
    assert {each.trouble for each in results} == {None}


def test_a_mutants_violated_cells_name_the_rule():
    rule = CATALOGUE["PER-01"]
    results = Judge(subject(mutants()["input-appended-apart"]), [rule], effort=FEW, material=matrix_only()).cells()
    services = ("stateless", "one_id", "new_ids")
    assert found(results, "violated") >= {cell("M1", service, streaming=way) for service in services for way in (False, True)}
    assert {each.rules for each in results if each.outcome == "violated"} == {("PER-01",)}


def test_a_cell_that_no_rule_speaks_of_is_not_reached_and_breaks_the_gate():
    results = charted(Reference, never_asked)
    unreached = [each for each in results if each.outcome == "not reached"]
    assert {each.cell for each in unreached} == {each for each in CELLS if not each.refusal}
    assert {each.reason for each in unreached} == {"a run there ended (returned), and no rule says anything of it"}
    assert exit_code(each.trouble for each in results) == 1


def test_a_subject_that_never_gets_to_a_cell_is_told_why():
    class NoStack(Reference):
        async def create_agent(self, name, spec, inner):
            if spec.client_as_is:
                raise NotSupported("there is no such stack")
            return await super().create_agent(name, spec, inner)

    results = charted(NoStack)
    unreached = {each.cell: each for each in results if each.outcome == "not reached"}
    assert set(unreached) == {each for each in CELLS if each.client_as_is}
    assert {each.reason for each in unreached.values()} == {"its thread could not be created: there is no such stack"}
    assert exit_code(each.trouble for each in results) == 1


def test_what_is_not_declared_is_not_supported_and_no_trouble():
    class Small(Reference):
        capabilities = ALL - {"history.client_as_is"}

        def __init__(self):
            super().__init__()
            self.policies = msgspec.structs.replace(self.policies, unsupported_thread=None)

    results = charted(Small)
    unsupported = {each.cell: each.reason for each in results if each.outcome == "not supported"}
    assert set(unsupported) == {each for each in CELLS if each.client_as_is or each.unsupported}
    assert unsupported[cell("M3")] == "needs capability history.client_as_is"
    assert unsupported[cell("M1", kind="hosted")] == "needs policy unsupported_thread"
    assert exit_code(each.trouble for each in results) == 0


def test_a_hosted_thread_that_should_have_been_refused_is_a_violation():
    class Anything(Threads):
        def check_supported(self):
            pass

    class Lenient(Reference):
        parts = Parts(threads=Anything)

    violated = {each.cell: each.rules for each in charted(Lenient) if each.outcome == "violated"}
    assert violated == {each: ("THR-02",) for each in CELLS if each.unsupported}


def test_where_something_broke_no_cell_can_claim_that_anything_holds():
    class Leaving(Reference):
        async def stream(self, agent, thread, turn):
            if agent.setting.spec.client_as_is and agent.setting.spec.service.keeps == "new_ids":
                raise SystemExit("enough")
            async for item in super().stream(agent, thread, turn):
                yield item

    results = charted(Leaving, chatters)
    assert {each.outcome for each in results} == {"violated", "not reached"}
    unreached = [each for each in results if each.outcome == "not reached"]
    assert all(each.broke and "exit in step 2 of the scenario 'the configuration matrix: M3" in each.reason for each in unreached)
    assert cell("M1", streaming=True) in found(results, "violated")
    assert exit_code(each.trouble for each in results) == 3


def test_only_who_asks_for_the_whole_area_is_told_of_cells():
    every = list(CATALOGUE.values())
    asked = [rule for rule in every if rule.area == "persistence"]
    assert Judge(subject(Reference), every).knows_cells
    assert Judge(subject(Reference), asked).knows_cells
    assert not Judge(subject(Reference), asked[1:]).knows_cells
