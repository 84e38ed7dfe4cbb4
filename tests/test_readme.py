"""README and the adapter guide say what is so: the table is the report's, the guide's code runs."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import adapter
from conformance.adapter import Implementation
from conformance.cli.main import main
from conformance.rules.catalogue import CATALOGUE

ROOT = Path(__file__).parent.parent
AREAS = ("threads", "persistence", "orchestration")


def compatibility(report: str) -> str:
    """README's table, made from the summary of REPORT.md."""
    versions = dict(re.findall(r"^\| ([\w-]+) \| (\d[\w.]*) \|", report, re.M))
    (head,) = re.findall(r"^\| implementation \| area \| level \| (.*) \|$", report, re.M)
    totals: dict[tuple[str, str], Counter[str]] = {}
    for name, area, counts in re.findall(r"^\| ([\w-]+) \| (\w+) \| (?:MUST|SHOULD) \|(.*)\|$", report, re.M):
        numbers = {column: int(cell.strip() or 0) for column, cell in zip(head.split(" | "), counts.split("|"), strict=True)}
        totals.setdefault((name, area), Counter()).update(numbers)
    lines = [f"| implementation | {' | '.join(AREAS)} |", "| --- | --- | --- | --- |"]
    for name, version in versions.items():
        lines.append(f"| {name} {version} | " + " | ".join(", ".join(counted(totals[name, area])) for area in AREAS) + " |")
    return "\n".join(lines)


def counted(totals: Counter[str]) -> Iterator[str]:
    """What README says of an area: the columns of the summary, of deviations how many are no bugs."""
    words: dict[str, list[str]] = {}
    for column in totals:
        words.setdefault(column.partition(":")[0], []).append(column)
    for word, columns in words.items():
        number = sum(totals[column] for column in columns)
        no_bugs = [f"{totals[column]} {column.partition(': ')[2]}" for column in columns[1:] if totals[column]]
        if number and word != "stale":
            yield f"{number} {word}" + (f" ({', '.join(no_bugs)})" if no_bugs else "")


def test_the_table_tells_deviations_by_design_from_bugs():
    head = "| implementation | area | level | pass | fail | deviates: bug | deviates: by design | deviates: disputed | stale |"
    areas = [f"| tiny | {area} | MUST | 4 |  | 2 | 3 |  |  |" for area in AREAS] + [
        "| tiny | threads | SHOULD |  | 1 |  |  | 1 |  |"
    ]
    table = compatibility("\n".join(["| tiny | 1.0 | 3 |", head, *areas]))
    same = "4 pass, 5 deviates (3 by design)"
    assert table.splitlines()[2] == f"| tiny 1.0 | 4 pass, 1 fail, 6 deviates (3 by design, 1 disputed) | {same} | {same} |"


def test_the_compatibility_table_is_that_of_the_report():
    table = compatibility((ROOT / "REPORT.md").read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- compatibility -->\n(.*?)<!-- /compatibility -->", readme, re.S)
    assert shown is not None
    assert shown[1].strip() == table, f"README's table is not that of REPORT.md; it should be:\n{table}"


def test_the_number_of_rules_is_that_of_the_catalogue():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"(\d+)\s+rules", readme.partition("<!-- compatibility -->")[0]) == [str(len(CATALOGUE))]


def blocks(start: str) -> str:
    guide = (ROOT / "docs" / "adapter.md").read_text(encoding="utf-8")
    return next(block for block in re.findall(r"```python\n(.*?)```", guide, re.S) if start in block)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "conformance", "run", "--profile", "quick", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_the_guides_adapter_passes_what_it_declares(tmp_path: Path):
    (tmp_path / "tiny.py").write_text(blocks("# tiny.py"), encoding="utf-8")
    done = run(tmp_path, "tiny:TinyAgents", "--json", "results.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"verdict": "fail"' not in (tmp_path / "results.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("thread.messages += said  # only", "thread.messages += said + said  # only"),
        ("thread.messages += said  # only", "thread.messages += said[-1:]  # only"),
        ("if store:", "if store and False:"),
        ("[*thread.messages, *said]", "said"),
    ],
)
def test_a_fault_in_the_guides_framework_is_caught(tmp_path: Path, right: str, wrong: str):
    source = blocks("# tiny.py")
    assert right in source
    (tmp_path / "tiny.py").write_text(source.replace(right, wrong), encoding="utf-8")
    done = run(tmp_path, "tiny:TinyAgents")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the gate is broken" in done.stdout, done.stdout + done.stderr


def test_the_guides_deliberate_fault_is_caught(tmp_path: Path):
    (tmp_path / "other_package").mkdir()
    (tmp_path / "other_package" / "module.py").write_text(blocks("class Broken(Reference)"), encoding="utf-8")
    done = run(tmp_path, "other_package.module:Broken", "--area", "threads")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "THR-05" in done.stdout


def tables(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("name", ["capabilities", "policies"])
def test_the_guides_tables_are_those_of_the_specification(name: str):
    spec = (ROOT / "conformance" / "spec" / "README.md").read_text(encoding="utf-8")
    guide = (ROOT / "docs" / "adapter.md").read_text(encoding="utf-8")
    shown = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", guide, re.S)
    assert shown is not None
    assert tables(shown[1]) == tables(spec.partition(f"## {name.capitalize()}\n")[2].partition("\n## ")[0])


def test_the_guide_says_truly_how_long_an_adapter_is():
    modules = [path for path in (ROOT / "conformance" / "adapters" / "agent_framework").glob("*.py") if path.stem != "__init__"]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in modules)
    guide = (ROOT / "docs" / "adapter.md").read_text(encoding="utf-8")
    said = re.search(r"has about ([\d,]+) in (\w+) modules", guide)
    assert said is not None
    assert abs(int(said[1].replace(",", "")) - lines) < 100
    assert said[2] == {11: "eleven", 12: "twelve", 13: "thirteen"}[len(modules)]


def test_the_command_in_the_guide_to_failures_works(capsys: pytest.CaptureFixture[str]):
    guide = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"```sh\nagent-tck (.*)\n```", guide)
    assert main(shlex.split(command)) == 0
    assert "On reference " in capsys.readouterr().out


def test_the_guide_names_everything_that_an_adapter_can_import():
    guide = (ROOT / "docs" / "adapter.md").read_text(encoding="utf-8")
    assert [name for name in adapter.__all__ if not re.search(rf"\b{name}\b", guide)] == []


def test_the_guide_names_every_method_of_the_protocol():
    guide = (ROOT / "docs" / "adapter.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)\(", guide, re.M)) - {"Message", "Call", "Result"}
    assert named == {name for name, value in vars(Implementation).items() if inspect.isfunction(value) and name[0] != "_"}
