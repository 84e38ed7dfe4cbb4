"""The tests that pytest collects: one a rule and implementation, called like `conformance/persistence/PER-09[agent-framework]`.

One more for the configuration matrix of each implementation: `conformance/persistence/matrix[agent-framework]`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from conformance.judging.judge import Judge
from conformance.judging.ledger import MATRIX, Entry, charted, judged
from conformance.judging.replay import output_of
from conformance.report.counterexample import gist, shown_in_story, story
from conformance.report.matrix import counts, gaps
from conformance.rules.rule import Rule
from conformance.suite.options import wanted
from conformance.vocabulary import Area, Level

ENTRY = "conformance_entry"
"""The attribute of a test report in which an entry travels from a worker to the controller, as JSON."""


class Unmet(Exception):
    """What a judge says breaks the gate. The message is the whole story."""


class AreaNode(pytest.Collector):
    """The rules of one area, on every implementation, and the configuration matrix."""

    judges: list[Judge]

    @classmethod
    def of(cls, parent: pytest.Collector, area: Area, judges: list[Judge]) -> AreaNode:
        """The node of an area."""
        path = f"conformance/{area}"
        node = cast("AreaNode", cls.from_parent(parent, name=path, nodeid=path))  # pyright: ignore[reportUnknownMemberType]
        node.judges = judges
        return node

    def collect(self) -> Iterator[JudgeItem]:
        """One item a rule and implementation; a matrix where every rule of its area was asked for."""
        for judge in self.judges:
            for rule in judge.rules:
                if f"conformance/{rule.area}" == self.name and wanted(self.config, nodeid(judge, rule)):
                    yield RuleItem.of(self, judge, rule)
            if self.name == "conformance/persistence" and judge.knows_cells and wanted(self.config, nodeid(judge, None)):
                yield MatrixItem.of(self, judge)


class JudgeItem(pytest.Item):
    """Something that one judge is asked. about: a rule's id, or the matrix. entry: what the judge said.

    outputs: what the implementation printed and logged in counterexamples, by their ids, where that is asked for.
    """

    judge: Judge
    about: str
    area: Area
    entry: Entry | None = None
    outputs: Mapping[str, str]

    @classmethod
    def made(cls, parent: AreaNode, judge: Judge, rule: Rule | None, level: Level) -> Any:
        """The item of a judge and a rule; of its matrix where there is none."""
        about = rule.id if rule else MATRIX
        id = nodeid(judge, rule)
        name = f"{about}[{judge.subject.label}]"
        item = cast("JudgeItem", cls.from_parent(parent, name=name, nodeid=id))  # pyright: ignore[reportUnknownMemberType]
        item.outputs = {}
        item.judge, item.about, item.area = judge, about, rule.area if rule else "persistence"
        for mark in ("conformance", level.lower(), item.area):
            item.add_marker(mark)
        if item.config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group(f"conformance-{item.area}-{judge.subject.label}"))
        return item

    @abstractmethod
    def runtest(self) -> None:
        """Ask the judge, and turn what it says into an outcome."""

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The story, without a traceback: no line of the suite's own code helps to understand it."""
        return str(excinfo.value) if isinstance(excinfo.value, Unmet) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        """Where it is, for output that says so, and its name."""
        return f"conformance/{self.area}", None, self.name


class RuleItem(JudgeItem):
    """One rule on one implementation."""

    rule: Rule

    @classmethod
    def of(cls, parent: AreaNode, judge: Judge, rule: Rule) -> RuleItem:
        """The item of a rule and an implementation."""
        item = cls.made(parent, judge, rule, rule.level)
        item.rule = rule
        return item

    def runtest(self) -> None:
        """A verdict is an outcome of pytest's."""
        self.entry = judged(self.judge, self.rule)
        verdict = self.entry.verdict
        assert verdict is not None
        self.user_properties += [("conformance_verdict", verdict.verdict), ("conformance_exercised", verdict.exercised)]
        if verdict.trouble or (verdict.verdict == "deviates" and self.config.option.runxfail):
            if self.config.option.conformance_show_output:
                self.outputs = {found.id: output_of(found.scenario, self.judge.subject) for found in shown_in_story(verdict)}
            raise Unmet(f"{gist(verdict)}\n{story(self.rule.title, self.judge.subject.asked, verdict)}")
        if verdict.verdict == "deviates":
            pytest.xfail(verdict.reason)
        if verdict.verdict != "pass":
            pytest.skip(f"{verdict.verdict}: {verdict.reason}")


class MatrixItem(JudgeItem):
    """The configuration matrix of one implementation: every cell that it supports must be reached."""

    @classmethod
    def of(cls, parent: AreaNode, judge: Judge) -> MatrixItem:
        """The item of an implementation."""
        return cls.made(parent, judge, None, "MUST")

    def runtest(self) -> None:
        """It fails where a supported cell is not reached; rules that are violated in a cell have verdicts of their own."""
        self.entry = charted(self.judge)
        cells = self.entry.cells
        self.user_properties.append(("conformance_cells", counts(cells)))
        if any(cell.trouble for cell in cells):
            raise Unmet("\n".join(gaps(self.judge.subject.label, cells)))
        if all(cell.outcome == "not supported" for cell in cells):
            pytest.skip("not supported: no cell of the configuration matrix is")


def nodeid(judge: Judge, rule: Rule | None) -> str:
    """The name under which pytest knows a rule on an implementation, or its matrix."""
    place = f"{rule.area}/{rule.id}" if rule else f"persistence/{MATRIX}"
    return f"conformance/{place}[{judge.subject.label}]"
