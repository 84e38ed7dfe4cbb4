"""The specification that ships says what the code does: the same rules, levels, sections, policies and capabilities."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from importlib.resources import files
from pkgutil import walk_packages
from typing import get_args, get_type_hints

import pytest

import conformance.rules
from conformance.rules.catalogue import CATALOGUE, SECTIONS
from conformance.rules.rule import Rule
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
        assert name, (
            f"{area}.md: the heading {heading.splitlines()[0]!r} does not begin with the name of its section, as in `kinds`: ..."
        )
        told[name[1]] = re.findall(r"^- \*\*([A-Z]{3}-\d\d)\*\* (MUST|SHOULD) · ", heading, re.M)
    held = {name: [(rule.id, str(rule.level)) for rule in rules] for name, rules in SECTIONS[area].items()}
    assert told.keys() == held.keys(), f"{area}.md and SECTIONS in catalogue.py differ in {', '.join(told.keys() ^ held.keys())}"
    wrong = [sentence for name in told for sentence in differing(name, dict(told[name]), dict(held[name]))]
    assert told == held, "; ".join(wrong) or f"a rule of {area}.md stands twice, or in another order than in catalogue.py"


@pytest.mark.parametrize("area", AREAS)
def test_rules_say_which_edition_brought_them(area):
    for heading in read(f"{area}.md").split("\n## ")[1:]:
        edition = 2 if "(second edition)" in heading.splitlines()[0] else 1
        for id in re.findall(r"^- \*\*([A-Z]{3}-\d\d)\*\*", heading, re.M):
            assert CATALOGUE[id].edition == edition, f"{id} stands in a section of edition {edition}"


def differing(section: str, told: dict[str, str], held: dict[str, str]) -> Iterator[str]:
    """In which rules, or levels of rules, the specification and the catalogue differ in a section, a sentence each."""
    for id in sorted(told.keys() | held.keys()):
        if id not in held:
            yield f"{id} is in the specification under {section!r}, not in catalogue.py"
        elif id not in told:
            yield f"{id} is in catalogue.py under {section!r}, not in the specification"
        elif told[id] != held[id]:
            yield f"{id} is {told[id]} in the specification, {held[id]} in the code"


SECTION_MODULES = [
    pytest.param(area, section, import_module(f"conformance.rules.{area}.{section}"), id=f"{area}/{section}")
    for area, sections in SECTIONS.items()
    for section in sections
]


@pytest.mark.parametrize(("area", "section", "module"), SECTION_MODULES)
def test_the_catalogue_lists_every_rule_that_is_written(area, section, module):
    written = {id(held): f"{name} ({held.id})" for name, held in vars(module).items() if isinstance(held, Rule)}
    listed = {id(rule): rule.id for rule in SECTIONS[area][section]}
    lost = [written[each] for each in written.keys() - listed.keys()]
    assert lost == [], f"{module.__name__} holds {', '.join(lost)}: list it in catalogue.py under {section!r}, or delete it"
    strange = [listed[each] for each in listed.keys() - written.keys()]
    assert strange == [], f"catalogue.py lists {', '.join(strange)} under {section!r}: move it to {module.__name__}"


def test_rules_are_written_in_the_modules_of_sections_only():
    sections = {module.values[2].__name__ for module in SECTION_MODULES}
    for found in walk_packages(conformance.rules.__path__, "conformance.rules."):
        if found.name not in sections:
            rules = [name for name, held in vars(import_module(found.name)).items() if isinstance(held, Rule)]
            assert rules == [], f"{found.name} is no section's module, but holds {', '.join(rules)}: move it to its section's"


def test_the_source_of_a_rule_is_a_file_that_ships_and_holds_it():
    for rule in CATALOGUE.values():
        path, _, id = rule.source.partition(", ")
        assert f"**{id}**" in read(path.removeprefix("conformance/spec/")), f"{path} does not hold {id}, although it is its source"


def test_each_rule_says_what_became_of_its_record():
    said = {area: re.findall(r"^Status of the record: (.+)$", read(f"{area}.md"), re.M) for area in AREAS}
    assert {area: [rule.record for rule in CATALOGUE.values() if rule.area == area][:1] for area in AREAS} == said
    assert len({rule.record for rule in CATALOGUE.values()}) > 1  # else it would say nothing


@pytest.mark.parametrize("name", ["README.md", *(f"{area}.md" for area in AREAS)])
def test_no_rule_is_named_that_does_not_exist(name):
    unknown = set(re.findall(r"\b(?:THR|PER|ORC)-\d\d\b", read(name))) - set(CATALOGUE)
    assert unknown == set(), f"{name} names {', '.join(sorted(unknown))}, which is not in catalogue.py"


def test_policies_and_their_values_are_those_of_the_code():
    told = {name.strip("`"): set(re.findall(r"`(\w+)`", values)) for name, values, _ in rows("Policies")}
    held = {
        name: {word for choice in get_args(hint) for word in get_args(choice)} for name, hint in get_type_hints(Policies).items()
    }
    wrong = [name for name in told.keys() | held.keys() if told.get(name) != held.get(name)]
    assert told == held, f"the policies {', '.join(sorted(wrong))} differ between spec/README.md and vocabulary.py"


def test_capabilities_are_those_of_the_code():
    told = [name.strip("`") for name, _ in rows("Capabilities")]
    wrong = ", ".join(sorted(set(told) ^ set(CAPABILITIES))) or "the order"
    assert told == list(CAPABILITIES), f"the capabilities of spec/README.md and vocabulary.py differ in {wrong}"
    silent = [name for name, text in rows("Capabilities") if not text]
    assert silent == [], f"spec/README.md does not say what {', '.join(silent)} means"
