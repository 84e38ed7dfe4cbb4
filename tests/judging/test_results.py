import json

import msgspec
import pytest
from samples import Shouting, conversation, material, sample_rule

from conformance.errors import UsageError
from conformance.implementation.loading import resolve
from conformance.implementation.subject import subject
from conformance.judging.judge import Judge
from conformance.judging.ledger import Ledger, charted, judged
from conformance.judging.results import Suite, read, write
from conformance.judging.search import Profile
from conformance.judging.verdicts import BothWays, Difference
from conformance.matrix.cells import CELLS
from conformance.scenario.identity import scenario_id
from conformance.scenario.scenario import Scenario


@pytest.fixture
def ledger(tmp_path):
    rules = [sample_rule(), sample_rule(id="THR-06")]
    stuff = material(("one", conversation("please shout")))
    judge = Judge(subject(Shouting), rules, effort=Profile("quick", explore=5, shrink=5), material=stuff)
    return Ledger([judge], Suite(version="0", profile="quick"), file=tmp_path / "results.json")


def test_the_file_is_current_after_each_verdict_and_complete_only_at_the_end(ledger):
    (judge,) = ledger.judges
    ledger.add(judged(judge, judge.rules[1]))
    early = read(ledger.file)
    assert (early.complete, [verdict.rule for verdict in early.verdicts]) == (False, ["THR-06"])
    ledger.add(judged(judge, judge.rules[0]))
    ledger.finish(complete=True)
    late = read(ledger.file)
    assert (late.complete, [verdict.rule for verdict in late.verdicts]) == (True, ["THR-05", "THR-06"])
    assert late == ledger.results
    assert [path.name for path in ledger.file.parent.iterdir()] == ["results.json"]


def test_a_counterexample_is_known_by_the_id_of_its_scenario_and_an_implementation_by_what_was_asked_for(ledger):
    (judge,) = ledger.judges
    ledger.add(judged(judge, judge.rules[0]))
    data = json.loads(ledger.file.read_text())
    found = data["implementations"][0]["rules"][0]["violations"][0]["counterexample"]
    assert found["id"] == scenario_id(msgspec.convert(found["scenario"], Scenario))
    found["id"] = "of somebody's choice"
    ledger.file.write_text(json.dumps(data))
    assert read(ledger.file) == ledger.results
    asked = Judge(resolve("reference?trailing_result=trimmed"), judge.rules)
    assert Ledger([asked], Suite(version="0")).results.implementations[0].asked == "reference?trailing_result=trimmed"


def test_the_file_has_the_fields_that_it_promises(ledger):
    (judge,) = ledger.judges
    ledger.add(judged(judge, judge.rules[0]))
    data = json.loads(ledger.file.read_text())
    assert data["format"] == "conformance-results/2"
    assert data["suite"].keys() >= {"name", "version", "profile"}
    (implementation,) = data["implementations"]
    assert implementation.keys() >= {"name", "version", "capabilities", "policies", "choices", "rules"}
    (verdict,) = implementation["rules"]
    assert verdict.keys() >= {"rule", "level", "record", "verdict", "exercised", "reason", "violations", "failing", "faults"}
    assert verdict["verdict"] == "fail"
    (violation,) = verdict["violations"]
    found = violation["counterexample"]
    assert found.keys() >= {"id", "scenario", "trace", "at"}
    assert found["trace"]["events"][found["at"]]["event"] == "run_returned"
    assert verdict["failing"] == {"loud": [scenario_id(conversation("please shout"))]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data.update(format="conformance-results/1"), "$.format: got 'conformance-results/1'"),
        (lambda data: data.pop("suite"), "$.suite: missing"),
        (lambda data: data.update(extra=1), "$.extra: there is no such field"),
        (lambda data: data["implementations"][0]["rules"][0].update(verdict="passed"), "did you mean 'pass'?"),
        (lambda data: data["implementations"][0]["rules"][0].update(exercised="3"), "$.implementations[0].rules[0].exercised"),
    ],
)
def test_reading_is_strict_and_names_file_and_field(ledger, change, says):
    (judge,) = ledger.judges
    ledger.add(judged(judge, judge.rules[0]))
    data = json.loads(ledger.file.read_text())
    change(data)
    ledger.file.write_text(json.dumps(data))
    with pytest.raises(UsageError) as error:
        read(ledger.file)
    assert says in str(error.value)
    assert str(ledger.file) in str(error.value)


def test_a_file_from_before_coverage_was_counted_is_still_read(ledger):
    (judge,) = ledger.judges
    ledger.add(judged(judge, judge.rules[0]))
    data = json.loads(ledger.file.read_text())
    found = data["implementations"][0]["rules"][0].pop("coverage")
    assert found["fixtures"] == found["of_fixtures"] == 1
    ledger.file.write_text(json.dumps(data))
    (old,) = read(ledger.file).verdicts
    assert old.coverage is None


def test_cells_and_the_comparison_both_ways_are_in_the_file_and_older_files_lack_them(ledger):
    (judge,) = ledger.judges
    ledger.add(judged(judge, judge.rules[0]))
    (before,) = ledger.results.implementations
    assert (before.cells, before.both_ways) == ((), None)
    difference = Difference(area="threads", scenario=conversation("x"), violated_flipped=("THR-05",))
    ways = {"threads": BothWays(compared=3, differing=(difference,)), "orchestration": BothWays(compared=2)}
    entry = charted(judge)
    assert entry.about == "matrix"
    assert entry.scenarios > 0
    ledger.add(msgspec.structs.replace(entry, both_ways=ways))
    assert msgspec.json.decode(msgspec.json.encode(entry), type=type(entry)) == entry
    (found,) = read(ledger.file).implementations
    assert [each.cell for each in found.cells] == list(CELLS)
    assert {each.outcome for each in found.cells} == {"not reached"}
    assert found.both_ways == BothWays(compared=5, differing=(difference,))
    assert list(ledger.results.troubles) == ["violation"] + ["not reached"] * 96
    data = json.loads(ledger.file.read_text())
    (implementation,) = data["implementations"]
    assert implementation["cells"][0] == {
        "cell": {
            "client_as_is": False,
            "per_service_call": False,
            "service": "stateless",
            "kind": "local",
            "streaming": False,
        },
        "outcome": "not reached",
        "rules": [],
        "reason": "a run there ended (returned), and no rule says anything of it",
        "broke": False,
    }
    del implementation["cells"], implementation["both_ways"]
    ledger.file.write_text(json.dumps(data))
    (old,) = read(ledger.file).implementations
    assert (old.cells, old.both_ways) == ((), None)


def test_a_file_that_is_cut_off_is_not_json(ledger):
    ledger.save()
    ledger.file.write_text(ledger.file.read_text()[:-20])
    with pytest.raises(UsageError, match="not JSON"):
        read(ledger.file)


def test_a_file_that_cannot_be_written_says_why(ledger, tmp_path):
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        write(ledger.results, tmp_path / "nowhere" / "results.json")


def test_an_entry_travels_between_processes_unchanged(ledger):
    (judge,) = ledger.judges
    entry = judged(judge, judge.rules[0])
    assert msgspec.json.decode(msgspec.json.encode(entry), type=type(entry)) == entry
