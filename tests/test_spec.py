"""The specification that ships says what the code does: the same rules, levels, sections, policies and capabilities."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import get_args, get_type_hints

import pytest

from conformance.rules.catalogue import CATALOGUE, SECTIONS
from conformance.vocabulary import AREAS, CAPABILITIES, Policies

SPEC = files("conformance") / "spec"


def read(name: str) -> str:
    return (SPEC / name).read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of the overview, without the table's own head."""
    section = read("README.md").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@pytest.mark.parametrize("area", AREAS)
def test_each_section_of_the_specification_has_the_rules_of_the_code(area):
    told: dict[str, list[tuple[str, str]]] = {}
    for heading in read(f"{area}.md").split("\n## ")[1:]:
        name = re.match(r"`(\w+)`: ", heading)
        assert name, heading
        told[name[1]] = re.findall(r"^- \*\*([A-Z]{3}-\d\d)\*\* (MUST|SHOULD) · ", heading, re.M)
    assert told == {name: [(rule.id, rule.level) for rule in rules] for name, rules in SECTIONS[area].items()}


def test_the_source_of_a_rule_is_a_file_that_ships_and_holds_it():
    for rule in CATALOGUE.values():
        path, _, id = rule.source.partition(", ")
        assert f"**{id}**" in read(path.removeprefix("conformance/spec/"))


@pytest.mark.parametrize("name", ["README.md", *(f"{area}.md" for area in AREAS)])
def test_no_rule_is_named_that_does_not_exist(name):
    assert set(re.findall(r"\b(?:THR|PER|ORC)-\d\d\b", read(name))) <= set(CATALOGUE)


def test_policies_and_their_values_are_those_of_the_code():
    told = {name.strip("`"): set(re.findall(r"`(\w+)`", values)) for name, values, _ in rows("Policies")}
    assert told == {
        name: {word for choice in get_args(hint) for word in get_args(choice)} for name, hint in get_type_hints(Policies).items()
    }


def test_capabilities_are_those_of_the_code():
    assert [name.strip("`") for name, _ in rows("Capabilities")] == list(CAPABILITIES)
    assert all(text for _, text in rows("Capabilities"))
