import io
import json
import shlex
import sys

import msgspec
import pytest

from conformance.cli.main import main
from conformance.implementation import loading
from conformance.judging.replay import Replay
from conformance.rules.rule import Rule
from conformance.scenario.files import compact, decode, load
from conformance.scenario.identity import scenario_id

MINE = """
import sys
from conformance.mutants.threads.requests import StoreLeftUnset
from conformance.reference import Reference

print("noise of the import")

class Sound(Reference):
    name = "sound"

class Faulty(StoreLeftUnset):
    name = "faulty"
    async def run(self, agent, thread, turn):
        print("noise of a run")
        return await super().run(agent, thread, turn)

class Leaving(Reference):
    name = "leaving"
    async def create_thread(self, agent, kind):
        raise SystemExit("gone")

class Small(Reference):
    name = "small"
    capabilities = frozenset({"service.stateless"})
"""
STORING = compact(
    decode(
        json.dumps(
            {
                "agents": {"a": {"service": {"keeps": "one_id", "stores_by_default": True}}},
                "steps": [{"do": "create_thread", "thread": "t", "agent": "a"}, {"do": "run", "thread": "t", "say": ["it's"]}],
            }
        )
    )
)
"""A scenario in which a thread that does not say `store` is kept twice."""


def declared(rule, aspect, scenario):
    """A table of a baseline."""
    text = scenario.replace("'", " ")
    return f"[[deviation]]\nrule = \"{rule}\"\naspect = \"{aspect}\"\nreason = \"x\"\nscenario = '''{text}'''\n"


PLAIN = '{"agents": {"a": {}}, "steps": [{"do": "create_thread", "thread": "t", "agent": "a"}]}'


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A directory of a user's with an adapter and a scenario."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "my_agents.py").write_text(MINE)
    (tmp_path / "storing.json").write_text(STORING)
    yield tmp_path
    sys.modules.pop("my_agents", None)


def replayed(capsys, *arguments):
    """The exit code, and what was printed to stdout."""
    code = main(["replay", *arguments])
    text = capsys.readouterr()
    assert text.err == ""
    return code, text.out


def test_a_scenario_is_told_whole_with_what_the_rules_say(capsys):
    code, text = replayed(capsys, "storing.json", "my_agents:Faulty")
    lines = text.splitlines()
    assert code == 1
    assert lines[0] == f"Scenario {scenario_id(decode(STORING))}"
    assert '  2. run t with "it\'s"' in lines
    assert any(line.startswith(">>     3  service called (") for line in lines)
    assert not any("…" in line for line in lines)  # nothing is left out
    assert "On faulty 0.1.0:" in lines
    assert any(line.startswith("  THR-05 is violated: Every request of a run on a local thread") for line in lines)
    assert any(line.startswith("    event 3, stores: expected store off") for line in lines)
    held = next(line for line in lines if line.startswith("  held: "))
    assert "THR-01" in held
    assert "noise" not in text
    assert lines[-1] == "It printed or logged something, which --show-output shows."


@pytest.mark.parametrize("words", [STORING, "storing.json", "-"])
def test_a_scenario_is_a_file_or_its_text_or_comes_on_standard_input(capsys, monkeypatch, words):
    monkeypatch.setattr(sys, "stdin", io.StringIO(STORING))
    assert replayed(capsys, words, "my_agents:Sound")[0] == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO(STORING))
    assert replayed(capsys, words, "my_agents:Faulty")[0] == 1


def test_a_rule_in_question_is_marked_alone_stands_first_and_decides(capsys):
    code, text = replayed(capsys, STORING, "my_agents:Faulty", "--rule", "THR-09")
    marked = [line for line in text.splitlines() if line.startswith(">>")]
    assert code == 1
    assert len(marked) == 1
    assert "thread described" in marked[0]
    assert text.index("THR-09 is violated") < text.index("THR-05 is violated")
    assert replayed(capsys, STORING, "my_agents:Faulty", "--rule", "THR-01")[0] == 0


def test_a_failure_prints_a_command_that_shows_it_again(capsys):
    assert main(["run", "my_agents:Faulty", "--rule", "THR-05", "--profile", "quick"]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Replay: ")]
    command, *arguments = shlex.split(line.removeprefix("Replay: "))
    assert (command, arguments[2:]) == ("agent-tck", ["my_agents:Faulty", "--rule", "THR-05"])
    assert main(arguments) == 1
    assert "THR-05 is violated" in capsys.readouterr().out


def test_a_counterexample_in_results_is_compared_with_what_is_found_now(capsys, here):
    rules = ("--rule", "THR-05", "THR-09", "--profile", "quick", "--json", "r.json")
    main(["run", "my_agents:Faulty", "my_agents:Leaving", *rules])
    capsys.readouterr()
    code, text = replayed(capsys, "r.json", "my_agents:Faulty", "--rule", "THR-05")
    assert code == 1
    assert "THR-05, recorded in r.json, faulty 0.1.0: violated, stores; now: the same" in text
    code, text = replayed(capsys, "r.json", "my_agents:Faulty?", "--rule", "THR-09")
    assert (code, "THR-09, recorded in r.json, faulty 0.1.0: violated, twice; now: the same" in text) == (1, True)
    found = json.loads((here / "r.json").read_text())
    id = next(
        rule["violations"][0]["counterexample"]["id"] for rule in found["implementations"][0]["rules"] if rule["rule"] == "THR-05"
    )
    code, text = replayed(capsys, "r.json", "my_agents:Sound", "--id", id)  # that of another implementation
    assert code == 0
    assert "THR-05, recorded in r.json, faulty 0.1.0: violated, stores; now: holds" in text
    code, text = replayed(capsys, "r.json", "my_agents:Leaving", "--rule", "THR-05")
    assert code == 3
    assert "THR-05, recorded in r.json, leaving 0.1.0: error; now: the same" in text


def test_another_aspect_is_not_the_recorded_verdict(capsys, here):
    main(["run", "my_agents:Faulty", "--rule", "THR-05", "--profile", "quick", "--json", "r.json"])
    data = json.loads((here / "r.json").read_text())
    data["implementations"][0]["rules"][0]["violations"][0]["aspect"] = "order"
    (here / "r.json").write_text(json.dumps(data))
    capsys.readouterr()
    code, text = replayed(capsys, "r.json", "my_agents:Faulty")
    assert code == 1
    assert "violated, order; now: violated, stores" in text


def test_a_rule_of_the_implementations_own_baseline_is_replayed_and_so_is_any_other_baseline(capsys, here, monkeypatch):
    monkeypatch.setattr(loading, "BASELINES", here)
    (here / "reference.toml").write_text(declared("THR-05", "stores", STORING) + declared("THR-09", "twice", PLAIN))
    code, text = replayed(capsys, "THR-05", "reference")
    assert code == 0
    assert "THR-05, recorded in reference.toml: violated, stores; now: holds" in text
    for rule in ("THR-05", "THR-05/stores"):
        code, text = replayed(capsys, "reference.toml", "my_agents:Faulty", "--rule", rule)
        assert code == 1
        assert "THR-05, recorded in reference.toml: violated, stores; now: the same" in text
    assert replayed(capsys, "reference.toml", "my_agents:Faulty", "--rule", "THR-09")[0] == 0  # nothing runs in its scenario
    assert "recorded in reference.toml" in replayed(capsys, scenario_id(decode(PLAIN)), "reference")[1]


def test_known_failures_of_a_frozen_scenario_are_records_too(capsys, here, monkeypatch):
    monkeypatch.setattr(loading, "BASELINES", here)
    (here / "reference.toml").touch()
    id = scenario_id(load("threads")[0][1])
    failures = {"format": "agent-tck-failures/1", "implementations": {"reference": {"THR-05/stores": [id]}}}
    (here / "reference.failures.json").write_text(json.dumps(failures))
    code, text = replayed(capsys, id, "reference")
    assert code == 0
    assert "THR-05, recorded in reference.failures.json: violated, stores; now: " in text
    assert "now: the same" not in text


def test_a_frozen_scenario_is_found_by_its_id(capsys):
    _, scenario = load("threads")[0]
    code, text = replayed(capsys, scenario_id(scenario), "reference")
    assert code == 0
    assert text.startswith(f"Scenario {scenario_id(scenario)}: {scenario.title.split()[0]}")


def test_what_cannot_be_judged_exits_3(capsys):
    code, text = replayed(capsys, "storing.json", "my_agents:Leaving")
    assert code == 3
    assert "error, so no rule can judge: exit (implementation): SystemExit('gone')" in text
    assert '2. run t with "it\'s" (was not performed)' in text


def test_a_rule_that_fails_itself_is_an_error_and_the_others_judge(capsys, monkeypatch):
    examine = Rule.examine

    def failing(rule, execution):
        if rule.id == "THR-01":
            raise KeyError("a bug in the rule")
        return examine(rule, execution)

    monkeypatch.setattr(Rule, "examine", failing)
    code, text = replayed(capsys, STORING, "my_agents:Sound")
    assert code == 3
    assert "THR-01 error: the rule itself raised KeyError" in text
    assert "held: THR-03" in text
    assert replayed(capsys, STORING, "my_agents:Sound", "--rule", "THR-03")[0] == 0


def test_everything_is_data_too_and_nothing_mixes_into_it(capsys):
    code, text = replayed(capsys, STORING, "my_agents:Faulty", "--json")
    found = msgspec.json.decode(text, type=Replay)
    assert code == 1
    assert found.scenario == decode(STORING)
    assert [each.aspect for each in found.judgements["THR-05"].violations] == ["stores"]
    assert found.trace.implementation == "faulty"
    assert found.output == ""
    assert "noise of a run" in json.loads(replayed(capsys, STORING, "my_agents:Faulty", "--json", "--show-output")[1])["output"]


def test_output_is_shown_where_it_is_asked_for(capsys):
    _, text = replayed(capsys, STORING, "my_agents:Faulty", "--show-output")
    assert text.endswith("\nOutput:\n  | noise of a run\n")
    _, text = replayed(capsys, STORING, "my_agents:Sound", "--show-output")
    assert text.endswith("\nOutput: none\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("no.json", "reference"), "there is no file 'no.json'; expected a file with a scenario, results or a baseline"),
        (("PER-9", "reference"), "there is no rule 'PER-9'; did you mean 'PER-09'?"),
        (("storing.json", "refrence"), "did you mean 'reference'?"),
        (("storing.json", "reference", "--rule", "THR-5"), "there is no rule 'THR-5'; did you mean 'THR-05'?"),
        (('{"agents": 1}', "reference"), "scenario: $.agents: got 1, expected an object"),
        (("{", "reference"), "scenario: line 1, column 2: not JSON"),
        (("broken.json", "reference"), "broken.json: line 1, column 1: not JSON"),
        (("THR-05", "my_agents:Sound"), "my_agents:Sound has no baseline of its own: name the file and the rule"),
        (("THR-5/stores", "reference"), "there is no rule 'THR-5'; did you mean 'THR-05'?"),
        (("storing.json", "reference", "--rule", "THR-05/store"), "there is no aspect of THR-05 'store'; did you mean 'stores'?"),
        (("THR-01", "agent-framework"), "agent-framework.toml records no scenario of THR-01; it has THR-04/"),
        (("0123456789ab", "reference"), "no frozen scenario has the id 0123456789ab"),
        (
            ("known.toml", "reference"),
            "several scenarios: choose one with --rule or --id: THR-05/stores (5ee05128e23a), THR-09/twice (",
        ),
        (("known.toml", "reference", "--rule", "THR-01"), "known.toml records no scenario of THR-01; it has THR-05/stores ("),
        (("empty.toml", "reference"), "empty.toml records no scenario"),
        (("storing.json", "my_agents:Small"), "it does not declare service.one_id, service.stores_by_default"),
        ((PLAIN, "my_agents:Small", "--rule", "THR-06"), "small cannot be judged by THR-06, which needs capability threads.hosted"),
    ],
)
def test_mistakes_exit_2_and_say_what_to_do(capsys, here, arguments, says):
    (here / "broken.json").write_text("no")
    (here / "empty.toml").write_text("")
    (here / "known.toml").write_text(declared("THR-05", "stores", STORING) + declared("THR-09", "twice", PLAIN))
    assert main(["replay", *arguments]) == 2
    text = capsys.readouterr()
    assert says in text.err
    assert "Traceback" not in text.err
    assert text.out == ""
