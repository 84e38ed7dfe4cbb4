"""Runs pytest underneath for the command: only our items, untouched by any configuration, plugin or test of the user."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.judging.plan import Request
from conformance.judging.results import Results
from conformance.suite.items import JudgeItem
from conformance.suite.session import NAME, ConformanceSession

CONFIGURATION = Path(__file__).with_name("pytest.ini")

Progress = Callable[[str, int, int], None]
"""Told, for each item that is about to be judged: its name, its position from 0, and how many there are."""


class _Observer:
    """The command's own part in the session."""

    def __init__(self, progress: Progress | None) -> None:
        self.results: Results | None = None
        self.outputs: dict[str, dict[str, str]] = {}
        self._progress = progress

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.args = []  # no file of the user's is a test of ours

    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        if self._progress and isinstance(item, JudgeItem):
            items = item.session.items
            self._progress(f"{item.judge.subject.label}: {item.about}", items.index(item), len(items))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        found = session.config.pluginmanager.get_plugin(NAME)
        if isinstance(found, ConformanceSession):
            self.results = found.ledger.results
        for item in session.items:
            if isinstance(item, JudgeItem):
                self.outputs.setdefault(item.judge.subject.label, {}).update(item.outputs)


@dataclass(frozen=True)
class Judged:
    """results: None where pytest did not come to an end of its own.

    outputs: by implementation and id, what was printed and logged in counterexamples, where that was asked for.
    """

    results: Results | None
    outputs: Mapping[str, Mapping[str, str]]


def judge_all(
    request: Request,
    *,
    json: Path | None = None,
    report: Path | None = None,
    show_output: bool = False,
    progress: Progress | None = None,
) -> Judged:
    """Judge everything that is asked for."""
    observer = _Observer(progress)
    more = ["--conformance-show-output"] if show_output else []
    with _without_user_options():
        pytest.main([*_ISOLATED, *more, *_arguments(request, json, report)], plugins=[observer])
    return Judged(observer.results, observer.outputs)


_ISOLATED = (
    "-c",
    str(CONFIGURATION),
    "--rootdir",
    str(CONFIGURATION.parent),
    "--noconftest",
    "--disable-plugin-autoload",
    "-p",
    "conformance.plugin",
    *(part for name in ("cacheprovider", "terminal", "faulthandler", "junitxml") for part in ("-p", f"no:{name}")),
    "--assert=plain",
    "--capture=fd",
    "--conformance",
)


def _arguments(request: Request, json: Path | None, report: Path | None) -> Iterator[str]:
    yield f"--conformance-profile={request.profile}"
    for option, value in (("explore", request.explore), ("seed", request.seed)):
        if value is not None:
            yield f"--conformance-{option}={value}"
    lists = (
        ("implementation", request.implementations),
        ("area", request.areas),
        ("rule", request.rules),
        ("require", request.required),
    )
    for option, values in lists:
        yield from (f"--conformance-{option}={value}" for value in values)
    for option, path in (("baseline", request.baseline), ("json", json), ("report", report)):
        if path is not None:
            yield f"--conformance-{option}={path}"
    if not request.own_baselines and request.baseline is None:
        yield "--no-conformance-baseline"


@contextmanager
def _without_user_options() -> Generator[None]:
    kept = {name: os.environ.pop(name) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS") if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
