"""The pytest plugin: options, and nothing more until `--conformance` asks for it.

This module is imported by every pytest run in an environment that has the suite installed, so it imports pytest and the standard
library only.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

PROFILES = ("quick", "default", "thorough")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options and the settings that stand for them in a project's configuration."""
    group = parser.getgroup("conformance", "conformance of agent frameworks")
    group.addoption("--conformance", action="store_true", help="judge implementations by the rules of agent-tck")
    group.addoption(
        "--conformance-implementation",
        action="append",
        metavar="NAME",
        help="built-in name or package.module:Name, with @INTERPRETER of another environment, with ?key=value arguments; "
        "repeatable; instead of the setting `conformance`",
    )
    group.addoption("--conformance-area", action="append", metavar="AREA", help="threads, persistence or orchestration; repeatable")
    group.addoption("--conformance-rule", action="append", metavar="ID", help="only this rule; repeatable")
    group.addoption("--conformance-profile", choices=PROFILES, help="how much is tried")
    group.addoption("--conformance-explore", type=int, metavar="N", help="draw so many scenarios an area anew")
    group.addoption("--conformance-seed", metavar="N|random", help="what they are drawn from")
    group.addoption(
        "--conformance-require",
        action="append",
        metavar="NAME",
        help="a capability that must be declared, or an area of which something must be exercised; repeatable",
    )
    group.addoption("--conformance-baseline", metavar="FILE", help="declared deviations (TOML)")
    group.addoption("--no-conformance-baseline", action="store_true", help="leave out all declared deviations")
    group.addoption("--conformance-json", metavar="FILE", help="write the results as JSON")
    group.addoption("--conformance-report", metavar="FILE", help="write the report as Markdown")
    group.addoption(
        "--conformance-show-output", action="store_true", help="with each failure, what the implementation prints and logs in it"
    )
    parser.addini("conformance", "implementations under test: built-in names or package.module:Name", type="linelist", default=[])
    parser.addini("conformance_baseline", "file with declared deviations, beside this configuration", default="")
    parser.addini("conformance_require", "capabilities to be declared, areas to be exercised", type="linelist", default=[])
    parser.addini("conformance_profile", "quick, default or thorough", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Bring the suite in, where it is asked for."""
    if config.getoption("--conformance") and not config.option.help:
        from conformance.suite.session import start

        start(config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Say why a downstream folder `tests/conformance` cannot be imported."""
    report = yield
    folder = shadowing(collector.path)
    if report.failed and folder is not None and "No module named 'conformance." in report.longreprtext:
        report.sections.append(("conformance", shadowing_hint(folder)))
    return report


def shadowing(path: Path) -> Path | None:
    """The folder of a test file that pytest imports under the name `conformance`, which is the name of this package."""
    package = Path(__file__).parent
    for folder in (path, *path.parents):
        is_package = (folder / "__init__.py").is_file()
        if folder.name == "conformance" and is_package and folder != package and not (folder.parent / "__init__.py").is_file():
            return folder
    return None


def shadowing_hint(folder: Path) -> str:
    """What is wrong with it and what to do."""
    return (
        f"{folder} is imported as the package 'conformance', a name that agent-tck has already: "
        f"add an __init__.py to {folder.parent}, take the one in {folder} away, or rename the folder"
    )
