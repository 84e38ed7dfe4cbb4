"""The tests that pytest collects: one a rule and implementation, called like `conformance/persistence/PER-09[agent-framework]`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from conformance.judge import Judge
from conformance.ledger import Entry, judged
from conformance.report.story import story
from conformance.rules.rule import Rule
from conformance.suite.options import wanted
from conformance.vocabulary import Area

ENTRY = "conformance_entry"
"""The attribute of a test report in which an entry travels from a worker to the controller, as JSON."""


class Unmet(Exception):
    """The verdict on a rule breaks the gate. The message is the whole story."""


class AreaNode(pytest.Collector):
    """The rules of one area, on every implementation."""

    judges: list[Judge]

    @classmethod
    def of(cls, parent: pytest.Collector, area: Area, judges: list[Judge]) -> AreaNode:
        """The node of an area."""
        path = f"conformance/{area}"
        node = cast("AreaNode", cls.from_parent(parent, name=path, nodeid=path))  # pyright: ignore[reportUnknownMemberType]
        node.judges = judges
        return node

    def collect(self) -> Iterator[RuleItem]:
        """One item a rule and implementation."""
        for judge in self.judges:
            for rule in judge.rules:
                if f"conformance/{rule.area}" == self.name and wanted(self.config, nodeid(judge, rule)):
                    yield RuleItem.of(self, judge, rule)


class RuleItem(pytest.Item):
    """One rule on one implementation."""

    judge: Judge
    rule: Rule
    entry: Entry | None = None

    @classmethod
    def of(cls, parent: AreaNode, judge: Judge, rule: Rule) -> RuleItem:
        """The item of a rule and an implementation."""
        name = f"{rule.id}[{judge.subject.label}]"
        id = nodeid(judge, rule)
        item = cast("RuleItem", cls.from_parent(parent, name=name, nodeid=id))  # pyright: ignore[reportUnknownMemberType]
        item.judge, item.rule = judge, rule
        for mark in ("conformance", rule.level.lower(), rule.area):
            item.add_marker(mark)
        if item.config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group(f"conformance-{rule.area}-{judge.subject.label}"))
        return item

    def runtest(self) -> None:
        """Ask the judge, and turn the verdict into an outcome."""
        self.entry = judged(self.judge, self.rule)
        verdict = self.entry.verdict
        self.user_properties += [("conformance_verdict", verdict.verdict), ("conformance_exercised", verdict.exercised)]
        if verdict.trouble or (verdict.verdict == "deviates" and self.config.option.runxfail):
            raise Unmet(story(self.rule.title, self.judge.subject.label, verdict))
        if verdict.verdict == "deviates":
            pytest.xfail(verdict.reason)
        if verdict.verdict != "pass":
            pytest.skip(f"{verdict.verdict}: {verdict.reason}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The story, without a traceback: no line of the suite's own code helps to understand it."""
        return str(excinfo.value) if isinstance(excinfo.value, Unmet) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        """Where it is, for output that says so, and its name."""
        return f"conformance/{self.rule.area}", None, self.name


def nodeid(judge: Judge, rule: Rule) -> str:
    """The name under which pytest knows a rule on an implementation."""
    return f"conformance/{rule.area}/{rule.id}[{judge.subject.label}]"
