"""Baselines are read strictly, and speak of an implementation and a version."""

import json
from datetime import date

import pytest
from samples import sample_rule

from conformance.errors import UsageError
from conformance.implementation.subject import Subject
from conformance.judging.baseline import read
from conformance.judging.known_failures import KnownFailures, encode, file_beside

RULES = {"PER-09": sample_rule(id="PER-09"), "PER-10": sample_rule(id="PER-10")}
SCENARIO = '{"agents": {"a": {}}, "steps": [{"do": "create_thread", "thread": "t", "agent": "a"}]}'
SHORT = f"[[deviation]]\nrule='PER-09'\naspect='loud'\nscenario='{SCENARIO}'\n"
GOOD = f"""
[[deviation]]
rule = "PER-09"
aspect = "loud"
kind = "by design"
reason = "appends once more\\n on Fridays"
link = "https://example.org/1"
follows = "PER-10/loud"
versions = ">=1.15,<2"
expires = 2027-06-30
scenario = '''{SCENARIO}'''

[[deviation]]
rule = "PER-10"
aspect = "loud"
implementation = "other"
scenario = '''{SCENARIO}'''
"""


def written(tmp_path, text, failures=None):
    file = tmp_path / "known.toml"
    file.write_text(text, encoding="utf-8")
    if failures is not None:
        file_beside(file).write_text(failures, encoding="utf-8")
    return file


def mine(version="1.20", name="mine"):
    return Subject(label=name, origin=lambda: None, version=version)


def test_a_baseline_holds_each_deviation_with_what_it_says(tmp_path):
    found = read(written(tmp_path, GOOD), RULES)
    (declared,) = found.of(mine(), "PER-09").deviations
    assert declared.way == "PER-09/loud"
    assert declared.table.reason == "appends once more on Fridays"
    assert (declared.table.kind, declared.table.follows) == ("by design", "PER-10/loud")
    assert declared.table.expires == date(2027, 6, 30)
    assert list(declared.scenario.agents) == ["a"]


def test_a_deviation_says_nothing_of_another_implementation_or_version(tmp_path):
    found = read(written(tmp_path, GOOD), RULES)
    assert not found.of(mine(), "PER-10").deviations
    assert found.of(mine(name="other@1.15.0?x=y"), "PER-10").deviations
    assert not found.of(mine("1.14.9"), "PER-09").deviations
    assert found.of(mine("1.16.0rc1"), "PER-09").deviations
    assert not found.of(mine("unknown"), "PER-09").deviations, "a range says nothing of what is no version"


def test_a_deviation_is_faulty_without_a_reason_and_after_its_day(tmp_path):
    (dated,) = read(written(tmp_path, GOOD), RULES).of(mine(), "PER-09").deviations
    assert dated.faults(date(2027, 6, 30)) == []
    assert [each.trouble for each in dated.faults(date(2027, 7, 1))] == ["expired deviation"]
    (bare,) = read(written(tmp_path, SHORT), RULES).of(mine(), "PER-09").deviations
    assert [each.trouble for each in bare.faults(date(2027, 7, 1))] == ["deviation without a reason"]


def declared_in(tmp_path, *agents_and_reasons):
    create, run = '{"do": "create_thread", "thread": "t", "agent": "a"}', '{"do": "run", "thread": "t", "say": ["one"]}'
    texts = [
        f"[[deviation]]\nrule='PER-09'\naspect='loud'\nreason='{reason}'\n"
        f'scenario=\'{{"agents": {{"a": {agent}}}, "steps": [{create}, {run}]}}\'\n'
        for agent, reason in agents_and_reasons
    ]
    found = read(written(tmp_path, "".join(texts)), RULES).of(mine(), "PER-09")
    return found, [each.scenario for each in found.deviations]


PLAIN, OBSERVED, LIMITED, BOTH = "{}", '{"observed": true}', '{"limit": 2}', '{"observed": true, "limit": 2}'


def test_what_scenarios_of_one_reason_do_not_share_the_deviation_does_not_need(tmp_path):
    _, (plain, *_) = declared_in(tmp_path, (PLAIN, "x"))
    found, scenarios = declared_in(tmp_path, (OBSERVED, "one fault"), (LIMITED, "one fault"))
    assert [found.explains(each, "loud") for each in (*scenarios, plain)] == [True, True, True]
    assert not found.explains(plain, "quiet"), "another aspect"


@pytest.mark.parametrize("reasons", [("one fault", "another"), ("", "")])
def test_of_deviations_with_other_reasons_or_none_each_needs_all_of_its_own(tmp_path, reasons):
    _, (plain, both) = declared_in(tmp_path, (PLAIN, "x"), (BOTH, "y"))
    found, scenarios = declared_in(tmp_path, *zip((OBSERVED, LIMITED), reasons, strict=True))
    assert [found.explains(each, "loud") for each in (*scenarios, both, plain)] == [True, True, True, False]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[deviation]\n", "not TOML"),
        ("[[deviations]]\nrule='PER-09'\nreason='x'", "did you mean 'deviation'?"),
        ("deviation = 1", "must be a list"),
        ("[deviation]\nrule='PER-09'", "must be a list"),
        ("deviation = ['PER-09']", "expected a table"),
        ("[[deviation]]\nrule='PER-09'\nscenario='{}'", "deviation[0].aspect: missing"),
        ("[[deviation]]\nrule='PER-09'\naspect='loud'", "deviation[0].scenario: missing"),
        (SHORT.replace("PER-09", "PER-9"), "deviation[0].rule: there is no rule 'PER-9'; did you mean 'PER-09'?"),
        (SHORT.replace("loud", "lod"), "deviation[0].aspect: PER-09 has no aspect 'lod'; did you mean 'loud'?"),
        (SHORT.replace("'PER-09'", "9"), "deviation[0].rule: got 9, expected a text"),
        (f"{SHORT}reson='y'", "deviation[0].reson: there is no such field; did you mean 'reason'?"),
        (f"{SHORT}kind='bugs'", "deviation[0].kind: got 'bugs'"),
        (f"{SHORT}versions='1.2 or so'", "deviation[0].versions: got '1.2 or so', expected a range"),
        (f"{SHORT}follows='PER-09'", "deviation[0].follows: got 'PER-09', expected another deviation as RULE/aspect"),
        (SHORT * 2, "deviation[1]: PER-09/loud is declared twice with the same scenario"),
        (SHORT.replace(SCENARIO, "{"), "deviation[0].scenario: line 1"),
        (SHORT.replace("steps", "stps"), "did you mean 'steps'?"),
    ],
)
def test_mistakes_are_named_with_file_and_field(tmp_path, text, says):
    with pytest.raises(UsageError) as error:
        read(written(tmp_path, text), RULES)
    assert says in str(error.value)
    assert "known.toml" in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ('{"format": "agent-tck-failures/0"}', "$.format: got 'agent-tck-failures/0'"),
        ('{"format": "agent-tck-failures/1", "implementations": {"a": {"PER-09/lod": []}}}', "did you mean 'PER-09/loud'?"),
        ('{"format": "agent-tck-failures/1", "implementations": {"a": {"PER-09/loud": [1]}}}', "got 1, expected a text"),
    ],
)
def test_known_failures_are_read_strictly(tmp_path, text, says):
    with pytest.raises(UsageError) as error:
        read(written(tmp_path, SHORT, text), RULES)
    assert says in str(error.value)
    assert "known.failures.json" in str(error.value)


def test_known_failures_are_written_in_one_order_and_read_back(tmp_path):
    known = KnownFailures({"mine": {"PER-10/loud": frozenset({"b", "a"}), "PER-09/loud": frozenset({"c"})}, "a": {}})
    text = encode(known)
    assert list(json.loads(text)["implementations"]) == ["a", "mine"]
    assert '"PER-10/loud": ["a", "b"]' in text.splitlines()[-4]
    found = read(written(tmp_path, SHORT, text), RULES)
    assert found.failures == known
    assert found.of(mine(), "PER-09").known == {"loud": frozenset({"c"})}
    assert found.of(mine(name="unlisted"), "PER-09").known is None


def test_a_baseline_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "no.toml", RULES)
