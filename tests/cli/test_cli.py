import json
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

import conformance
from conformance.cli.main import main
from conformance.judging.kills import Kill
from conformance.judging.results import Results, read
from conformance.mutants import mutant
from conformance.rules.catalogue import CATALOGUE
from conformance.scenario.scenario import Scenario
from conformance.vocabulary import AREAS

MINE = """
import logging
import os
from conformance.mutants.threads.requests import StoreLeftUnset
from conformance.reference import Reference

class Sound(Reference):
    name = "sound"

class Faulty(StoreLeftUnset):
    name = "faulty"

class Leaving(Reference):
    name = "leaving"
    async def create_thread(self, agent, kind):
        print("noise")
        raise SystemExit("gone")

class Noisy(Faulty):
    name = "noisy"
    async def run(self, agent, thread, turn):
        print("noise of a run")
        os.write(1, b"noise to the descriptor\\n")
        logging.getLogger("noisy").warning("noise in a log")
        return await super().run(agent, thread, turn)

class Tired(Exception):
    pass

class Idle(Reference):
    name = "idle"
    async def create_thread(self, agent, kind):
        raise Tired
    async def continue_conversation(self, agent, conversation_id):
        raise Tired

class HandoffOnly(Reference):
    name = "handoff-only"
    capabilities = frozenset({"workflows", "workflows.handoff", "service.stateless"})
"""
KNOWN = '''
[[deviation]]
rule = "THR-05"
aspect = "stores"
reason = "we never say store"
scenario = """{
  "agents": {"a": {"service": {"keeps": "new_ids", "stores_by_default": true}}},
  "steps": [{"do": "create_thread", "thread": "t", "agent": "a"}, {"do": "run", "thread": "t", "say": ["one"]}]
}"""
'''
ONE = ("--rule", "THR-05", "--profile", "quick")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A directory of a user's with an adapter, and traps in it that the command must not step into."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "my_agents.py").write_text(MINE)
    (tmp_path / "known.toml").write_text(KNOWN)
    (tmp_path / "conftest.py").write_text("raise RuntimeError('a conftest of the user')")
    (tmp_path / "test_trap.py").write_text("def test_trap(): raise RuntimeError('a test of the user')")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '--no-such-option'\n")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    yield tmp_path
    sys.modules.pop("my_agents", None)


def output(capsys):
    text = capsys.readouterr()
    return text.out, text.err


def test_a_gate_that_holds_exits_0_and_shows_counts_and_speed(capsys, here):
    assert main(["run", "my_agents:Sound", "--area", "threads", "--profile", "quick", "--json", "r.json"]) == 0
    out, err = output(capsys)
    assert "the gate holds" in out
    assert "a second" in out
    assert "sound" in out
    assert err == ""
    results = read(here / "r.json")
    assert results.complete
    assert [verdict.rule for verdict in results.verdicts] == [rule.id for rule in CATALOGUE.values() if rule.area == "threads"]


def test_a_violation_exits_1_and_is_shown_in_a_line_and_a_story(capsys):
    assert main(["run", "my_agents:Faulty", *ONE]) == 1
    out, _ = output(capsys)
    assert "THR-05 fail: got store" in out
    assert out.index("Expected: store off") < out.index("Replay: agent-tck replay ") < out.index("the gate is broken")


def test_what_an_implementation_prints_is_hidden_and_shown_where_that_is_asked_for(capfd):
    command = ["run", "my_agents:Noisy", "--rule", "THR-05", "--profile", "quick"]
    assert main(command) == 1
    out, err = output(capfd)
    assert ("noise of a run" in out, "noise to the" in out, err) == (False, False, "")  # what is logged as a warning is an event
    assert main([*command, "--show-output"]) == 1
    out, err = output(capfd)
    assert "Output:\n  | noise of a run\n  | noise to the descriptor\n  | WARNING noisy: noise in a log\n" in out
    assert ("noise" in out.partition("the gate is")[2], err) == (False, "")


def test_a_declared_deviation_exits_0_and_a_stale_one_1(capsys, monkeypatch):
    whole = ("--rule", "THR-05", "--baseline", "known.toml")
    monkeypatch.setenv("CI", "true")
    assert main(["run", "my_agents:Faulty", *whole, "--baseline-update"]) == 2
    assert "nothing is accepted where CI is set" in output(capsys)[1]
    monkeypatch.delenv("CI")
    assert main(["run", "my_agents:Faulty", *whole, "--baseline-update", "--profile", "quick"]) == 2
    assert "needs the baseline and all frozen scenarios" in output(capsys)[1]
    assert main(["run", "my_agents:Faulty", *whole, "--baseline-update"]) == 0
    assert re.search(r"known to fail from now on: THR-05/stores in \d\d+ frozen scenarios", output(capsys)[0])
    known = Path("known.toml")
    told = known.read_text()
    known.write_text(told.replace('reason = "we never say store"', 'reason = ""'))
    assert main(["run", "my_agents:Faulty", *ONE, "--baseline", "known.toml"]) == 1
    assert "1 deviation without a reason" in output(capsys)[0]
    known.write_text(told)
    assert main(["run", "my_agents:Faulty", *ONE, "--baseline", "known.toml"]) == 0
    assert "THR-05 deviates: we never say store" in output(capsys)[0]
    assert main(["run", "my_agents:Sound", *ONE, "--baseline", "known.toml"]) == 1
    assert "THR-05 stale" in output(capsys)[0]
    assert main(["run", "my_agents:Faulty", *ONE, "--no-baseline"]) == 1


def test_an_error_verdict_exits_3_and_hides_no_violation(capsys, here):
    assert main(["run", "my_agents:Leaving", "my_agents:Faulty", *ONE, "--json", "r.json"]) == 3
    out, _ = output(capsys)
    assert "THR-05 error: exit in step 1" in out
    assert "THR-05 fail" in out
    assert "noise" not in out
    verdicts = {each.name: each.rules[0].verdict for each in read(here / "r.json").implementations}
    assert verdicts == {"leaving": "error", "faulty": "fail"}


def test_a_supported_must_rule_that_is_not_exercised_exits_1(capsys):
    assert main(["run", "my_agents:Idle", "--rule", "THR-13", "--profile", "quick"]) == 1
    assert "THR-13 not exercised" in output(capsys)[0]


def test_what_handoff_alone_cannot_exercise_is_not_supported_with_the_reason_in_the_report(capsys, here):
    assert main(["run", "my_agents:HandoffOnly", "--area", "orchestration", "--report", "REPORT.md"]) == 0
    assert "the gate holds" in output(capsys)[0]
    reason = "- ORC-20: no scenario that can be performed as declared exercises it; the nearest needs capability "
    assert reason in (here / "REPORT.md").read_text()
    assert main(["run", "my_agents:HandoffOnly", "--rule", "ORC-20"]) == 1
    assert "1 area in which nothing was exercised" in output(capsys)[0]


def test_results_of_several_implementations_stand_side_by_side(capsys, here):
    assert main(["run", "my_agents:Sound", "my_agents:Faulty", *ONE, "--report", "REPORT.md"]) == 1
    out, _ = output(capsys)
    assert any(line.split() == ["THR-05", "pass", "fail"] for line in out.splitlines())
    assert "| THR-05 | MUST |" in (here / "REPORT.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "refrence"], "did you mean 'reference'?"),
        (["run", "my_agents:Sond"], "did you mean 'Sound'?"),
        (["run", "--rule", "THR-5"], "did you mean 'THR-05'?"),
        (["run", "--rule", "THR-01,THR-02"], "expected each rule by itself, without commas: THR-01 THR-02"),
        (["run", "--area", "threads,persistence"], "expected each area by itself"),
        (["run", "--area", "thread"], "did you mean 'threads'?"),
        (["run", "--profile", "quik"], "did you mean 'quick'?"),
        (["run", "--area", "threads", "--rule", "PER-09"], "no rule is left"),
        (["run", "--baseline", "no.toml"], "no.toml: cannot be read"),
        (["run", "--json", "no/where.json"], "there is no folder"),
        (["run", "--report", "."], "is a folder"),
        (["run", "my_agents:Sound", "my_agents:Sound?"], "two implementations are called 'sound'"),
        (["rules", "THR-5"], "there is no rule 'THR-5'; did you mean 'THR-05'?"),
        (["mutants", "store-left-unse"], "there is no mutant 'store-left-unse'; did you mean 'store-left-unset'?"),
        (["mutants", "StoreLeftUnset"], "did you mean 'store-left-unset'?"),
        (["mutants", "--generated-only", "--report", "x.md"], "leave out one of them"),
        (["mutants", "x"], "there is no mutant 'x'; the nearest are: "),
        (["mutants", "--area", "orchestration", "store-left-unset"], "no mutant is left: store-left-unset in orchestration"),
    ],
)
def test_mistakes_exit_2_and_say_what_was_meant(capsys, arguments, says):
    assert main(arguments) == 2
    out, err = output(capsys)
    assert says in err
    assert "Traceback" not in err
    assert out == ""


@pytest.mark.parametrize("arguments", [[], ["runn"], ["run", "--baseline", "a", "--no-baseline"], ["schema", "nothing"]])
def test_mistakes_in_the_arguments_themselves_exit_2(arguments):
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2


def test_rules_lists_every_rule(capsys):
    assert main(["rules", "--json"]) == 0
    rows = json.loads(output(capsys)[0])
    assert [row["id"] for row in rows] == list(CATALOGUE)
    assert all(
        row.keys() == {"id", "area", "section", "level", "edition", "title", "needs", "aspects", "clauses", "source", "record"}
        for row in rows
    )
    assert {row["area"] for row in rows} == set(AREAS)
    assert main(["rules"]) == 0
    out, _ = output(capsys)
    assert all(rule in out for rule in CATALOGUE)


def test_rules_that_are_named_are_the_only_ones(capsys):
    assert main(["rules", "PER-09", "THR-05", "--json"]) == 0
    assert [row["id"] for row in json.loads(output(capsys)[0])] == ["THR-05", "PER-09"]
    assert main(["rules", "PER-09"]) == 0
    out, _ = output(capsys)
    assert "PER-09" in out
    assert "THR-05" not in out


def test_schemas_describe_what_is_written(capsys):
    for kind, type_ in (("scenario", Scenario), ("results", Results)):
        assert main(["schema", kind]) == 0
        schema = json.loads(output(capsys)[0])
        assert schema["$defs"].keys() >= {type_.__name__}
        assert schema["$defs"][type_.__name__]["properties"].keys() == {field.name for field in msgspec.structs.fields(type_)}
    assert main(["schema", "trace"]) == 0


@pytest.fixture
def no_corpus(monkeypatch):
    """Fixtures kill these mutants as expected; the corpus would only take its time."""
    monkeypatch.setattr("conformance.scenario.corpus.load", lambda _: ())


def test_mutants_exit_1_where_something_survives_and_0_where_all_is_as_expected(capsys, monkeypatch, no_corpus):
    rules = {name: rule for name, rule in CATALOGUE.items() if name in ("THR-21", "THR-01")}
    monkeypatch.setattr("conformance.rules.catalogue.CATALOGUE", rules)
    every = mutant.mutants()
    killed = {name: kind for name, kind in every.items() if kind.expected in ({"THR-21"}, {"THR-01"})}
    monkeypatch.setattr("conformance.mutants.mutant.mutants", lambda: killed)
    assert main(["mutants", "--json"]) == 0
    rows = json.loads(output(capsys)[0])
    assert {row["name"] for row in rows} == set(killed)
    assert all(row["killed_by"] == row["expected"] for row in rows)
    monkeypatch.setattr("conformance.mutants.mutant.mutants", lambda: {k: v for k, v in killed.items() if v.expected == {"THR-21"}})
    assert main(["mutants"]) == 1
    assert "rules that no mutant kills: THR-01" in output(capsys)[0]


def test_mutants_that_are_named_are_the_only_ones(capsys, monkeypatch, tmp_path, no_corpus):
    monkeypatch.setattr("conformance.rules.catalogue.CATALOGUE", {"THR-21": CATALOGUE["THR-21"]})
    report = tmp_path / "mutants.md"
    assert main(["mutants", "live-object-as-text", "--json", "--report", str(report)]) == 0
    assert "| `live-object-as-text` |" in report.read_text("utf-8")
    out, err = output(capsys)
    assert [row["name"] for row in json.loads(out)] == ["live-object-as-text"]
    assert err == ""  # other rules kill other mutants
    assert main(["mutants", "live-object-as-text"]) == 0
    assert output(capsys)[0].rstrip().endswith("1 mutant, 0 not killed as expected")
    assert main(["mutants", "live-object-as-text", "--generated-only", "--json"]) == 0
    assert [row["name"] for row in json.loads(output(capsys)[0])["mutants"]] == ["live-object-as-text"]


def test_a_mutant_that_is_not_killed_as_expected_says_how(capsys, monkeypatch):
    kill = Kill(
        mutant="m",
        fault="",
        imitates="",
        breaks="PER-09/across runs",
        expected=("PER-09",),
        killed_by=("PER-09",),
        ways=("PER-09/other",),
    )
    more = replace(kill, expected=("PER-09", "PER-10"), killed_by=("PER-09", "THR-05"), ways=("PER-09/across runs", "THR-05/store"))
    silent = replace(kill, killed_by=(), ways=(), broke="exit")
    monkeypatch.setattr("conformance.mutants.matrix.rows", lambda *_, **__: [kill, more, silent])
    assert main(["mutants", "store-left-unset"]) == 1
    out, _ = output(capsys)
    assert "breaks PER-09/across runs, but is caught as PER-09/other" in out
    assert out.count("is caught as") == 1
    assert "is not caught by PER-10" in out
    assert "is caught by THR-05, which it does not expect" in out
    assert "broke: exit" in out
    assert "3 mutants, 3 not killed as expected" in out


def test_generated_scenarios_alone_exit_1_where_they_kill_too_late_or_what_is_not_named(capsys, monkeypatch):
    every = mutant.mutants()
    soon = {"store-left-unset": every["store-left-unset"]}
    monkeypatch.setattr("conformance.mutants.mutant.mutants", lambda: soon)
    assert main(["mutants", "--generated-only", "--area", "threads", "--json"]) == 0
    found = json.loads(output(capsys)[0])
    assert found["medians"] == {"threads": found["mutants"][0]["after"]}
    assert "THR-05" in found["mutants"][0]["killed_by"]
    monkeypatch.setattr("conformance.mutants.generated.BOUND", 0)
    assert main(["mutants", "--generated-only"]) == 1
    assert "threads: 1 mutant, the median is killed within" in output(capsys)[0]


def test_mutants_of_an_area_are_those_that_a_rule_of_it_should_kill(capsys, monkeypatch, no_corpus):
    every = mutant.mutants()
    other = next(name for name, kind in every.items() if kind.area() == "orchestration")
    both = {name: every[name] for name in ("store-left-unset", other)}
    monkeypatch.setattr("conformance.mutants.mutant.mutants", lambda: both)
    assert main(["mutants", "--area", "threads", "--json"]) == 1  # few rules are killed by so few
    assert {row["name"] for row in json.loads(output(capsys)[0])} == {"store-left-unset"}


def test_coverage_is_explained_after_the_verdicts(capsys):
    assert main(["run", "my_agents:Sound", "--rule", "THR-01", "THR-05", "--profile", "quick", "--explain-coverage"]) == 0
    out, _ = output(capsys)
    assert out.index("the gate holds") < out.index("what exercised the rules on sound:")
    assert "supported rules that no scenario of the corpus reached: none" in out


def test_the_command_works_as_a_process_and_shows_no_colour_where_none_is_wanted(here):
    environment = {**os.environ, "PYTHONPATH": str(Path(conformance.__file__).parent.parent), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "conformance", "run", "my_agents:Faulty", *ONE]
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "\x1b" not in done.stdout
    assert "…" not in done.stdout.partition("faulty:")[2]


def test_an_implementation_behind_the_rules_is_one(capsys):
    assert main(["run", "--profile", "quick", "--rule", "THR-01", "THR-05", "reference?store_conflict=ignore"]) == 0
    shown, _ = output(capsys)
    assert "reference?store_conflict=ignore" in shown
    assert "rules: 2;" in shown
