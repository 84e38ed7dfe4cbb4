"""The log of public reports says what is so: every imitation that it tells of is tried again."""

from __future__ import annotations

import re

import pytest
import report_table
from report_log import HERE, InSteps, Report, frozen, imitations, performance, reports, sound, ways

from conformance.implementation.subject import subject
from conformance.mutants.mutant import rules_of
from conformance.reference.implementation import Reference
from conformance.rules.catalogue import CATALOGUE
from conformance.scenario.files import encode, folder
from conformance.vocabulary import AREAS

SAID = [report for report in reports() if not report.cannot]
TRIED = [report for report in SAID if not report.allowed]


def named(report: Report) -> str:
    return report.name


def test_there_are_as_many_reports_as_were_asked_for():
    assert len(SAID) >= 45


def test_each_report_is_another_one_and_of_a_project_that_no_mutant_cited():
    page = report_table.PAGE.read_text("utf-8")
    listed = re.search(r"Projects left out, because a mutant cites them:\n\n(.*?)\.\n\n", page, re.S)
    assert listed
    assert not set(re.split(r",\s+", listed[1])) & {report.project for report in reports()}
    assert len({report.url for report in reports()}) == len({report.name for report in reports()}) == len(reports())
    assert [report.term for report in reports()] == sorted(report.term for report in reports())


def test_each_report_is_of_a_section_and_about_rules_that_there_are():
    sections = {f"{area}/{path.name}" for area in AREAS for path in (folder("fixtures") / area).iterdir()}
    assert {report.kind for report in reports()} <= sections
    assert {rule.partition("/")[0] for report in reports() for rule in report.about} <= set(CATALOGUE)
    for report in reports():
        assert not (report.cannot and report.allowed)
        assert not report.cannot or not report.own
        assert report.allowed is None or not report.about


def test_each_imitation_and_each_scenario_belongs_to_a_report():
    told = [url for kind in imitations().values() for url in kind.reports]
    assert len(told) == len(set(told))
    assert set(told) <= {report.url for report in TRIED}
    assert all(kind.__doc__ and kind.reports for kind in imitations().values())
    assert {path.stem for path in (HERE / "scenarios").iterdir()} == {report.name for report in SAID}


@pytest.mark.parametrize("report", SAID, ids=named)
def test_without_the_fault_no_rule_fires_on_its_scenario(report: Report):
    assert (HERE / "scenarios" / f"{report.name}.json").read_text("utf-8") == encode(report.scenario)
    trace = performance(report.scenario, sound(report.imitation))
    assert ways(report.scenario, trace) == set()
    if report.imitation is not Reference:
        assert performance(report.scenario, report.imitation).events != trace.events


@pytest.mark.parametrize("report", TRIED, ids=named)
def test_what_catches_it_now_is_what_the_log_says(report: Report):
    kind = report.imitation
    own = ways(report.scenario, performance(report.scenario, kind))
    assert own == set(report.own), "try it again with tests/reports/try_reports.py, which says how"
    material = frozen(report.area, subject(kind))
    for way, name in report.frozen.items():
        rules = [CATALOGUE[rule] for rule in rules_of([way]) if rule in CATALOGUE]
        assert way in ways(material[name], performance(material[name], kind), rules), f"{name} shows it no more: try it again"


def test_the_page_is_made_from_the_log():
    page = report_table.PAGE.read_text("utf-8")
    assert page.partition(report_table.BEGIN)[2] == report_table.rendered(), "write it with tests/reports/try_reports.py"


def test_histories_in_steps_differ_from_the_others():
    assert subject(InSteps).capabilities != subject(Reference).capabilities


def test_what_was_caught_at_first_is_still_caught():
    for report in TRIED:
        assert report.right(report.first) <= rules_of(report.now), report.name
