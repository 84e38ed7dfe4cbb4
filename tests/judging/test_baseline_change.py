"""A baseline takes in what was found and gives up what is not so any more; nothing else of it changes."""

import json
import tomllib

import pytest
from samples import Shouting, conversation, material, sample_rule

from conformance.implementation.subject import subject
from conformance.judging.baseline import read
from conformance.judging.baseline_change import change
from conformance.judging.judge import Judge
from conformance.judging.ledger import Ledger, judged
from conformance.judging.results import Suite
from conformance.judging.search import Profile
from conformance.reference.implementation import Reference
from conformance.scenario.identity import scenario_id

RULE = sample_rule()
RULES = {"THR-05": RULE}
LONG = conversation("hello", "please shout", "bye")
SHOUT = conversation("please shout")


class Calm(Reference):
    name = "shouting"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "known.toml"


def found(kind, file, *fixtures):
    baseline = read(file, RULES) if file.exists() else None
    stuff = material(*((str(place), each) for place, each in enumerate(fixtures)))
    judge = Judge(subject(kind), [RULE], effort=Profile("default"), material=stuff, baseline=baseline)
    ledger = Ledger([judge], Suite(version="0"))
    ledger.add(judged(judge, RULE))
    ledger.finish(complete=True)
    return ledger.results.implementations[0]


def known(file):
    return json.loads(file.with_suffix(".failures.json").read_text())["implementations"]["shouting"]


def test_a_new_violation_is_accepted_without_a_reason_which_the_gate_refuses(file):
    told = change(file, found(Shouting, file, LONG), RULES, update=True, prune=False)
    assert told.accepted == ["THR-05/loud"]
    assert known(file) == {"THR-05/loud": [scenario_id(LONG)]}
    (table,) = tomllib.loads(file.read_text())["deviation"]
    assert table["reason"] == ""
    again = found(Shouting, file, LONG)
    assert [(each.verdict, each.troubles) for each in again.rules] == [("deviates", ("deviation without a reason",))]


def test_what_people_wrote_stays_as_it_is(file):
    change(file, found(Shouting, file, LONG), RULES, update=True, prune=False)
    text = file.read_text().replace('reason = ""', 'reason = "we like it"  # who said so')
    file.write_text(f"# ours\n{text}")
    told = change(file, found(Shouting, file, LONG, SHOUT), RULES, update=True, prune=True)
    assert file.read_text() == f"# ours\n{text}"
    assert (told.accepted, told.failing, told.dropped) == ([], {"THR-05/loud": 1}, [])
    assert known(file) == {"THR-05/loud": sorted((scenario_id(LONG), scenario_id(SHOUT)))}
    assert found(Shouting, file, LONG, SHOUT).rules[0].troubles == ()


def test_what_a_declared_deviation_explains_needs_no_entry_of_its_own(file):
    change(file, found(Shouting, file, SHOUT), RULES, update=True, prune=False)
    text = file.read_text()
    told = change(file, found(Shouting, file, SHOUT, LONG), RULES, update=True, prune=False)
    assert (told.accepted, told.failing) == ([], {"THR-05/loud": 1})
    assert file.read_text() == text


def test_what_holds_is_taken_out_only_where_that_is_asked_for(file):
    change(file, found(Shouting, file, LONG, SHOUT), RULES, update=True, prune=False)
    calm = found(Calm, file, LONG, SHOUT)
    assert set(calm.rules[0].troubles) == {"stale deviation", "deviation without a reason"}
    change(file, calm, RULES, update=True, prune=False)
    assert len(known(file)["THR-05/loud"]) == 2
    told = change(file, calm, RULES, update=False, prune=True)
    assert (told.dropped, told.holding) == (["THR-05/loud"], {"THR-05/loud": 2})
    assert "deviation" not in tomllib.loads(file.read_text()) or not tomllib.loads(file.read_text())["deviation"]
    assert known(file) == {}
    assert found(Calm, file, LONG, SHOUT).rules[0].troubles == ()


def test_a_file_that_serves_several_names_the_implementation(file):
    change(file, found(Shouting, file, LONG), RULES, update=True, prune=False, shared=True)
    (table,) = tomllib.loads(file.read_text())["deviation"]
    assert table["implementation"] == "shouting"


def test_what_changed_is_told(file):
    told = change(file, found(Shouting, file, LONG), RULES, update=True, prune=False)
    lines = list(told.lines())
    assert lines[0].startswith("accepted: THR-05/loud; write its reason into ")
    assert lines[1] == "known to fail from now on: THR-05/loud in 1 frozen scenario"
    same = change(file, found(Shouting, file, LONG), RULES, update=True, prune=True)
    assert list(same.lines()) == [f"{file}: nothing to change"]
