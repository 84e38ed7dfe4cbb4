"""The corpus is what it says: whole scenarios under their own ids, each once, and none that is a fixture."""

import pytest

from conformance.scenario import corpus
from conformance.scenario.files import ScenarioError, load
from conformance.scenario.identity import scenario_id
from conformance.vocabulary import AREAS


@pytest.mark.parametrize("area", AREAS)
def test_the_corpus_holds_whole_scenarios_under_their_ids(area):
    corpus.verify(area)
    assert len(corpus.load(area)) > 100


@pytest.mark.parametrize("area", AREAS)
def test_no_scenario_of_the_corpus_is_a_fixture(area):
    fixtures = {scenario_id(scenario) for _, scenario in load(area)}
    assert not fixtures & {scenario_id(scenario) for scenario in corpus.load(area)}


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "file", lambda area: tmp_path / f"{area}.jsonl")
    return tmp_path / "threads.jsonl"


def test_what_is_written_is_read_back(shipped):
    scenarios = [scenario for _, scenario in load("threads")][:5]
    corpus.write("threads", scenarios)
    corpus.verify("threads")
    assert [scenario_id(each) for each in corpus.load("threads")] == [scenario_id(each) for each in scenarios]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "not JSON"),
        ('{"id": "x", "scenario": {"stps": []}}', "did you mean 'steps'?"),
        ('{"id": "0123456789ab", "scenario": {}}', "its id is '0123456789ab', expected"),
    ],
)
def test_mistakes_are_named_with_file_and_line(shipped, line, says):
    shipped.write_text(f"{line}\n")
    with pytest.raises(ScenarioError, match=r"threads\.jsonl:1: ") as error:
        corpus.verify("threads")
    assert says in str(error.value)


def test_a_scenario_that_stands_twice_is_told(shipped):
    scenario = load("threads")[0][1]
    corpus.write("threads", [scenario, scenario])
    with pytest.raises(ScenarioError, match=r"threads\.jsonl:2: .* stands twice"):
        corpus.verify("threads")
