"""What is drawn is decided by the seed alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from samples import WORDS, conversation

import conformance
from conformance.judging.search import Enough, draw
from conformance.scenario.scenario import Scenario
from conformance.strategies import scenarios
from conformance.vocabulary import AREAS, CAPABILITIES

DRAW = """
import sys
sys.path.insert(0, ".")
if len(sys.argv) > 1:
    import users_module
import msgspec
from conformance.judging.search import draw
from conformance.strategies import scenarios
from conformance.vocabulary import CAPABILITIES
def show(scenario):
    print(msgspec.json.encode(scenario).decode())
draw(scenarios("threads", frozenset(CAPABILITIES)), 60, show, seed=7)
"""


def drawn_in(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(conformance.__file__).parent.parent)}
    command = [sys.executable, "-c", DRAW, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout


def test_neither_the_place_nor_the_user_s_modules_change_what_is_drawn(tmp_path):
    (tmp_path / "users_module.py").write_text("A = [0, 1, 2, 3, 4, 5, 6, 7]\n")
    plain = drawn_in(tmp_path)
    assert plain
    assert drawn_in(tmp_path, "with the user's module") == plain
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {"users_module.py"}


@pytest.mark.parametrize("area", AREAS)
def test_drawing_twice_hands_out_the_same(area):
    first: list[Scenario] = []
    second: list[Scenario] = []
    draw(scenarios(area, frozenset(CAPABILITIES)), 30, first.append, seed=7)
    draw(scenarios(area, frozenset(CAPABILITIES)), 30, second.append, seed=7)
    assert first
    assert first == second


def test_a_visitor_can_end_the_drawing():
    seen: list[Scenario] = []

    def visit(scenario):
        seen.append(scenario)
        raise Enough

    draw(WORDS.map(conversation), 30, visit, seed=7)
    assert len(seen) == 1
