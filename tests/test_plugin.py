import json
import os
import sys
from pathlib import Path

import pytest

import conformance
from conformance.plugin import shadowing

ROOT = str(Path(conformance.__file__).parent.parent)
MINE = """
from conformance.mutants.threads.requests import StoreLeftUnset
from conformance.reference import Reference

class Sound(Reference):
    name = "sound"

class Faulty(StoreLeftUnset):
    name = "faulty"
"""
NOISY = """
class Noisy(Faulty):
    name = "noisy"

    async def run(self, agent, thread, turn):
        print("noise of a run")
        return await super().run(agent, thread, turn)
"""
NO_STACK = """
from conformance.adapter import NotSupported

class Stuck(Reference):
    name = "stuck"

    async def create_agent(self, name, spec, inner):
        if spec.client_as_is:
            raise NotSupported("there is no such stack")
        return await super().create_agent(name, spec, inner)
"""
CONFIGURATION = """
[tool.pytest.ini_options]
conformance = ["my_agents:{name}"]
conformance_profile = "quick"
addopts = "--strict-markers --strict-config"
{more}
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


@pytest.fixture
def project(pytester, monkeypatch):
    """A directory of a user's with a configuration, an adapter and no test."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH")))))
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(my_agents=MINE)

    def configured(name="Sound", more="", plugin=True):
        pytester.makepyprojecttoml(CONFIGURATION.format(name=name, more=more))

        def run(*options):
            return pytester.runpytest_subprocess(*(("-p", "conformance.plugin") if plugin else ()), *options)

        return run

    return configured


def outcomes(result):
    return {name: count for name, count in result.parseoutcomes().items() if name != "warnings"}


def results(pytester):
    return json.loads((pytester.path / "results.json").read_text())


def test_every_rule_is_an_item_with_its_own_name(project, pytester):
    run = project(more='markers = ["mine"]')
    listed = run("--conformance", "--collect-only", "-q").stdout.lines
    assert "conformance/threads/THR-01[sound]" in listed
    assert "conformance/persistence/PER-09[sound]" in listed
    assert "conformance/orchestration/ORC-01[sound]" in listed
    verdicts = run("--conformance", "--conformance-area", "threads", "--conformance-json", "results.json", "-q")
    assert verdicts.ret == 0
    found = results(pytester)
    assert found["complete"] is True
    assert outcomes(verdicts) == {"passed": len(found["implementations"][0]["rules"])}


def test_the_matrix_is_an_item_where_its_whole_area_is_asked_for(project):
    run = project()

    def chosen(*options):
        return "conformance/persistence/matrix[sound]" in run("--conformance", "--collect-only", "-q", *options).stdout.lines

    assert chosen()
    assert chosen("--conformance-area", "persistence", "-m", "must")
    assert chosen("conformance/persistence/matrix")
    assert not chosen("--conformance-area", "threads")
    assert not chosen("--conformance-rule", "PER-09")
    assert not chosen("conformance/persistence/PER-09")


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_a_supported_cell_that_nothing_reaches_breaks_the_gate(project, pytester, workers):
    if workers:
        pytest.importorskip("xdist")
    pytester.makepyfile(my_agents=MINE + NO_STACK)
    result = project("Stuck")("--conformance", "conformance/persistence/matrix", "--conformance-json", "results.json", *workers)
    assert (result.ret, outcomes(result)) == (1, {"failed": 1})
    text = " ".join(result.stdout.str().split())
    assert "Cells that stuck supports and nothing reached:" in text
    assert "M3 surprising adaptive, streaming or not; M4 stateless local, streaming or not" in text
    assert "its thread could not be created: there is no such stack" in text
    assert "Traceback" not in text
    (implementation,) = results(pytester)["implementations"]
    assert len(implementation["cells"]) == 96
    stuck = [each["cell"] for each in implementation["cells"] if each["reason"].endswith("there is no such stack")]
    assert len(stuck) == 48
    assert all(cell["client_as_is"] for cell in stuck)


def test_a_matrix_of_which_nothing_is_supported_is_skipped(project, pytester):
    pytester.makepyfile(
        my_agents=MINE + "\nclass Small(Reference):\n    name = 'small'\n    capabilities = frozenset({'service.stateless'})\n"
    )
    result = project("Small")("--conformance", "conformance/persistence/matrix", "-rs")
    assert (result.ret, outcomes(result)) == (1, {"skipped": 1}), "nothing is green in which nothing was exercised"
    result.stdout.fnmatch_lines(["SKIPPED*not supported: no cell of the configuration matrix is"])


def test_without_the_flag_nothing_is_collected_or_imported(project, pytester):
    run = project()
    pytester.makeconftest(
        "import sys\n"
        "def pytest_unconfigure():\n"
        "    print('OURS', sorted(name for name in sys.modules if name.startswith('conformance')))\n"
    )
    result = run("-s", "-q")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["*OURS [[]'conformance', 'conformance.plugin'[]]*"])


def test_a_violation_fails_with_a_story_and_no_traceback(project):
    result = project("Faulty")("--conformance", "--conformance-rule", "THR-05")
    assert (result.ret, outcomes(result)) == (1, {"failed": 1})
    text = result.stdout.str()
    for part in (
        "THR-05 (MUST): Every request of a run",
        "Scenario ",
        ">>",
        "Expected: ",
        "Got: ",
        "Replay: agent-tck replay '{",
        " my_agents:Faulty --rule THR-05\n",
        "the gate is broken: 1 violation",
    ):
        assert part in text
    assert "Traceback" not in text
    assert "items.py" not in text
    result.stdout.fnmatch_lines(["FAILED conformance/threads/THR-05[[]faulty[]] - fail: got*"])


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_what_a_counterexample_prints_is_shown_where_that_is_asked_for(project, pytester, workers):
    if workers:
        pytest.importorskip("xdist")
    pytester.makepyfile(my_agents=MINE + NOISY)
    run = project("Noisy")
    assert "noise" not in run("--conformance", "--conformance-rule", "THR-05", *workers).stdout.str()
    result = run("--conformance", "--conformance-rule", "THR-05", "--conformance-show-output", *workers)
    result.stdout.fnmatch_lines(["*- Output of scenario ???????????? -*", "noise of a run"])
    assert result.stdout.str().count("noise of a run") == 1


def test_a_declared_deviation_is_an_expected_failure_unless_xfail_or_baseline_is_off(project, pytester, monkeypatch):
    (pytester.path / "known.toml").write_text(KNOWN)
    run = project("Faulty", 'conformance_baseline = "known.toml"')
    monkeypatch.delenv("CI", raising=False)
    update = ("--rule", "THR-05", "--baseline", "known.toml", "--baseline-update")
    assert pytester.run(sys.executable, "-m", "conformance", "run", "my_agents:Faulty", *update).ret == 0
    known = pytester.path / "known.toml"
    known.write_text(known.read_text().replace('reason = ""', 'reason = "we never say store"'))
    one = ("--conformance", "--conformance-rule", "THR-05")
    result = run(*one, "-rx")
    assert (result.ret, outcomes(result)) == (0, {"xfailed": 1})
    result.stdout.fnmatch_lines(["XFAIL conformance/threads/THR-05[[]faulty[]] - we never say store"])
    assert outcomes(run(*one, "--runxfail")) == {"failed": 1}
    assert outcomes(run(*one, "--no-conformance-baseline")) == {"failed": 1}


def test_a_stale_deviation_fails(project, pytester):
    (pytester.path / "known.toml").write_text(KNOWN)
    result = project("Sound")("--conformance", "--conformance-rule", "THR-05", "--conformance-baseline", "known.toml")
    assert (result.ret, outcomes(result)) == (1, {"failed": 1})
    result.stdout.fnmatch_lines(["stale deviation: a deviation is declared in THR-05/stores, but its own*"])


def test_what_is_not_supported_is_skipped_with_the_reason(project, pytester):
    pytester.makepyfile(
        my_agents=MINE + "\nclass Small(Reference):\n    name = 'small'\n    capabilities = frozenset({'service.stateless'})\n"
    )
    result = project("Small")("--conformance", "--conformance-rule", "THR-06", "-rs")
    assert (result.ret, outcomes(result)) == (1, {"skipped": 1}), "nothing is green in which nothing was exercised"
    result.stdout.fnmatch_lines(["SKIPPED*not supported: needs capability threads.hosted*"])
    result.stdout.fnmatch_lines(["*nothing exercised: no rule of the area threads was exercised*"])


def test_selection_by_keyword_marker_and_node_id(project):
    run = project()

    def chosen(*options):
        lines = run("--conformance", "--collect-only", "-q", *options).stdout.lines
        return {line.split("/")[1] for line in lines if line.startswith("conformance/")}, sum("[sound]" in line for line in lines)

    assert chosen("-k", "PER-09")[1] == 1
    assert chosen("-m", "conformance and persistence")[0] == {"persistence"}
    assert chosen("-m", "not must and not should") == (set(), 0)
    assert chosen("conformance/orchestration")[0] == {"orchestration"}
    assert chosen("conformance/threads/THR-01")[1] == 1
    assert chosen("conformance/threads/THR-01[sound]", "conformance/persistence/PER-09[sound]")[1] == 2
    assert chosen("--conformance-area", "threads", "--conformance-rule", "THR-01", "--conformance-rule", "THR-05")[1] == 2


def test_stopping_early_is_known_in_the_results_and_last_failed_goes_on_there(project, pytester):
    run = project("Faulty")
    some = ("--conformance", "--conformance-rule", "THR-05", "--conformance-rule", "THR-06", "--conformance-json", "results.json")
    assert outcomes(run(*some, "-x")) == {"failed": 1}
    assert results(pytester)["complete"] is False
    assert outcomes(run(*some, "--lf")) == {"failed": 1, "deselected": 1}
    assert results(pytester)["complete"] is True


def test_the_users_own_tests_run_beside(project, pytester):
    run = project()
    pytester.makepyfile(test_mine="def test_mine(): pass")
    assert outcomes(run("--conformance", "--conformance-rule", "THR-01")) == {"passed": 2}
    assert outcomes(run("--conformance", "--conformance-rule", "THR-01", "-m", "conformance")) == {"passed": 1, "deselected": 1}
    assert outcomes(run()) == {"passed": 1}


def test_verdicts_come_back_from_workers(project, pytester):
    pytest.importorskip("xdist")
    run = project("Faulty")
    files = ("--conformance-json", "results.json", "--conformance-report", "report.md", "--junitxml", "junit.xml")
    result = run("--conformance", "--conformance-area", "threads", "-n", "2", *files)
    assert result.ret == 1
    found = results(pytester)
    (implementation,) = found["implementations"]
    assert found["complete"] is True
    assert [each["rule"] for each in implementation["rules"]] == sorted(each["rule"] for each in implementation["rules"])
    assert [each["rule"] for each in implementation["rules"] if each["verdict"] == "fail"] == ["THR-05", "THR-09"]
    assert "THR-05" in (pytester.path / "report.md").read_text()
    assert 'name="conformance_verdict" value="fail"' in (pytester.path / "junit.xml").read_text()


def test_a_worker_that_dies_is_an_error_verdict_and_the_rest_goes_on(project, pytester):
    pytest.importorskip("xdist")
    pytester.makepyfile(
        my_agents=MINE
        + "\nimport os\n\nclass Dying(Reference):\n    name = 'dying'\n"
        + "    async def create_workflow(self, *_):\n        os.kill(os.getpid(), 9)\n"
    )
    chosen = ("--conformance-rule", "THR-01", "--conformance-rule", "ORC-01", "--conformance-json", "results.json")
    result = project("Dying")("--conformance", "-n", "1", *chosen)
    assert result.ret == 1
    (implementation,) = results(pytester)["implementations"]
    assert {each["rule"]: each["verdict"] for each in implementation["rules"]} == {"THR-01": "pass", "ORC-01": "error"}
    assert "crashed" in implementation["rules"][1]["reason"]


@pytest.mark.parametrize(
    ("name", "more", "options", "says"),
    [
        ("Sond", "", (), "*my_agents has no 'Sond'; did you mean 'Sound'?"),
        ("Sound", "", ("--conformance-rule", "PER-9"), "*there is no rule 'PER-9'; did you mean 'PER-09'?"),
        ("Sound", "", ("--conformance-area", "thread"), "*there is no area 'thread'; did you mean 'threads'?"),
        ("Sound", "", ("--conformance-baseline", "no.toml"), "*no.toml: cannot be read: No such file or directory"),
        ("Sound", "", ("--conformance-json", "no/where.json"), "*there is no folder *no; create it first"),
        ("Sound", 'conformance_baseline = "no.toml"', (), "*no.toml: cannot be read: No such file or directory"),
    ],
)
def test_mistakes_are_usage_errors_without_a_traceback(project, name, more, options, says):
    result = project(name, more)("--conformance", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {says}"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_no_implementation_named_says_where_to_name_one(project, pytester):
    run = project()
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    result = run("--conformance")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: no implementation is named: set `conformance = *"])


def test_a_folder_that_shadows_the_package_is_explained(project, pytester):
    run = project()
    folder = pytester.path / "tests" / "conformance"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "test_mine.py").write_text("def test_mine(): pass")
    result = run()
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*tests/conformance is imported as the package 'conformance', a name that*"])
    assert shadowing(folder / "test_mine.py") == folder
    (pytester.path / "tests" / "__init__.py").touch()
    assert shadowing(folder / "test_mine.py") is None
    assert outcomes(run()) == {"passed": 1}
