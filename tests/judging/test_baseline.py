import tomllib

import pytest
from samples import conversation

from conformance.errors import UsageError
from conformance.judging.baseline import declaration, read

RULES = ["PER-09", "PER-10"]
GOOD = """
[[deviation]]
rule = "PER-09"
reason = "appends once more\\n on Fridays"
scenario = '''{"agents": {"a": {}}, "steps": [{"do": "create_thread", "thread": "t", "agent": "a"}]}'''

[[deviation]]
rule = "PER-10"
reason = "known"
"""


def written(tmp_path, text):
    file = tmp_path / "known.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_baseline_holds_each_deviation_with_reason_and_scenario(tmp_path):
    found = read(written(tmp_path, GOOD), RULES)
    per09, per10 = found.get("PER-09"), found.get("PER-10")
    assert per09 is not None
    assert per10 is not None
    assert per09.reason == "appends once more on Fridays"
    assert per09.scenario is not None
    assert list(per09.scenario.agents) == ["a"]
    assert per10.scenario is None
    assert found.get("PER-11") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[deviation]\n", "not TOML"),
        ("[[deviations]]\nrule='PER-09'\nreason='x'", "did you mean 'deviation'?"),
        ("deviation = 1", "must be a list"),
        ("[deviation]\nrule='PER-09'", "must be a list"),
        ("deviation = ['PER-09']", "expected a table"),
        ("[[deviation]]\nrule='PER-09'", "deviation[0].reason: missing"),
        ("[[deviation]]\nrule='PER-09'\nreason='  '", "deviation[0].reason: missing"),
        ("[[deviation]]\nreason='x'", "deviation[0].rule: missing"),
        ("[[deviation]]\nrule='PER-9'\nreason='x'", "deviation[0].rule: there is no rule 'PER-9'; did you mean 'PER-09'?"),
        ("[[deviation]]\nrule=9\nreason='x'", "deviation[0].rule: got 9, expected a text"),
        (
            "[[deviation]]\nrule='PER-09'\nreason='x'\nreson='y'",
            "deviation[0].reson: there is no such field; did you mean 'reason'?",
        ),
        ("[[deviation]]\nrule='PER-09'\nreason='x'\n" * 2, "deviation[1].rule: PER-09 is declared twice"),
        ("[[deviation]]\nrule='PER-09'\nreason='x'\nscenario='{'", "deviation[0].scenario: line 1"),
        ("[[deviation]]\nrule='PER-09'\nreason='x'\nscenario='{\"stps\": []}'", "did you mean 'steps'?"),
    ],
)
def test_mistakes_name_file_and_field(tmp_path, text, says):
    file = written(tmp_path, text)
    with pytest.raises(UsageError) as error:
        read(file, RULES)
    assert says in str(error.value)
    assert str(file) in str(error.value)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(UsageError, match=r"nothing\.toml: cannot be read: No such file"):
        read(tmp_path / "nothing.toml", RULES)


@pytest.mark.parametrize("said", ["hello", "it's '''quoted'''", 'say """this""" \\ and that'])
def test_a_declaration_reads_back_as_it_was(tmp_path, said):
    text = declaration("PER-09", conversation(said), "why")
    assert tomllib.loads(text)["deviation"][0]["reason"] == "why"
    deviation = read(written(tmp_path, text), RULES).get("PER-09")
    assert deviation is not None
    assert deviation.scenario == conversation(said)
