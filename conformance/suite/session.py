"""One pytest session that judges: what it collects, how verdicts come from workers, and what is written at the end."""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from pathlib import Path

import msgspec
import pytest

from conformance.errors import UsageError
from conformance.judging.cell_outcomes import Outcomes
from conformance.judging.judge import Judge
from conformance.judging.ledger import Entry, Ledger
from conformance.judging.verdicts import RuleVerdict
from conformance.report.files import check_folder, write_report
from conformance.report.terminal import summary
from conformance.rules.rule import Rule
from conformance.suite.items import ENTRY, AreaNode, JudgeItem, nodeid
from conformance.suite.options import file, request, take_node_ids
from conformance.vocabulary import AREAS, Area

NAME = "conformance-session"
_MARKERS = (
    "conformance: a rule of agent-tck on an implementation",
    "must: rules of level MUST",
    "should: rules of level SHOULD",
    *(f"{area}: rules of the area {area}" for area in AREAS),
)


def start(config: pytest.Config) -> None:
    """Resolve what is asked for and take part in the session. Mistakes end it at once, as usage errors."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if str(config.rootpath) not in sys.path:
        sys.path.append(str(config.rootpath))  # last: an adapter beside the configuration is found, nothing is shadowed
    take_node_ids(config)
    try:
        asked = request(config)
        judges, suite, floor = asked.judges(), asked.suite(), asked.floor()
        json, report = (check_folder(path) if path else None for path in (file(config, _JSON), file(config, _REPORT)))
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    ledger = Ledger(judges, suite, floor, json)
    config.pluginmanager.register(ConformanceSession(ledger, report, worker=hasattr(config, "workerinput")), NAME)


_JSON, _REPORT = "--conformance-json", "--conformance-report"


class ConformanceSession:
    """The hooks of one session. On a worker of pytest-xdist it only judges; the controller keeps the ledger."""

    def __init__(self, ledger: Ledger, report: Path | None, *, worker: bool) -> None:
        self.ledger = ledger
        self._report = report
        self._worker = worker
        self._items = {nodeid(judge, rule): (judge, rule) for judge in ledger.judges for rule in (*judge.rules, None)}
        self._expected: set[str] = set()
        self._seen: set[str] = set()

    @property
    def rules(self) -> Sequence[Rule]:
        """The rules that were asked for: the same for each implementation."""
        return self.ledger.judges[0].rules

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Collect a node an area beside the project's own tests, as if it were a folder of theirs."""
        report = yield
        if isinstance(collector, pytest.Session) and report.passed:
            concerned: list[Area] = [area for area in AREAS if any(rule.area == area for rule in self.rules)]
            report.result.extend(AreaNode.of(collector, area, list(self.ledger.judges)) for area in concerned)
        return report

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what is going to be judged, after every selection."""
        self._expected |= {item.nodeid for item in session.items if isinstance(item, JudgeItem)}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """The same on the controller, which collects nothing itself."""
        self._expected |= {id for id in ids if _plain(id) in self._items}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the entry to the report, which also travels between processes."""
        report = yield
        if isinstance(item, JudgeItem) and call.when == "call" and item.entry is not None:
            setattr(report, ENTRY, msgspec.json.encode(item.entry).decode())
            report.sections.clear()  # what hundreds of scenarios printed and logged
            report.sections += [(f"Output of scenario {id}", output or "none") for id, output in item.outputs.items()]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the entry out of the report. A report of ours that failed without one is a process or a plugin that broke."""
        found = self._items.get(_plain(report.nodeid))
        text: str | None = getattr(report, ENTRY, None)
        if found is None or self._worker or (text is None and not report.failed):
            return
        entry = msgspec.json.decode(text, type=Entry) if text is not None else _broken(*found, report.longreprtext)
        if text is not None or report.nodeid not in self._seen:
            self._seen.add(report.nodeid)
            self.ledger.add(entry)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write what is to be written; fail where nothing was exercised. Complete is what was selected and judged, all of it."""
        if self._worker:
            return
        self.ledger.finish(complete=self._expected <= self._seen and bool(self._expected))
        if self._report is not None and self._seen:
            titles = {rule.id: rule.title for rule in self.rules}
            write_report(self.ledger.results, titles, self._report)

        if any(each.shortfalls for each in self.ledger.results.implementations) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The counts, and where the files are."""
        if not self._seen:
            return
        terminalreporter.section("conformance")
        for line in summary(self.ledger.results).splitlines():
            terminalreporter.write_line(line.rstrip())
        for path in (self.ledger.file, self._report):
            if path is not None:
                terminalreporter.write_line(f"written: {path}")


def _plain(id: str) -> str:
    """A node id without the group that pytest-xdist appends under `--dist loadgroup`."""
    return id.partition("@conformance-")[0]


def _broken(judge: Judge, rule: Rule | None, text: str) -> Entry:
    reason = f"judging broke: {' '.join(text.split()[-60:]) or 'no verdict came'}"
    label = judge.subject.label
    if rule is None:
        return Entry(implementation=label, cells=Outcomes().results(judge.subject.capabilities, judge.subject.policies, reason))
    verdict = RuleVerdict(rule=rule.id, level=rule.level, record=rule.record, verdict="error", reason=reason)
    return Entry(implementation=label, verdict=verdict)
