"""From pytest's options and settings to a request, and our own node ids out of pytest's arguments."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.judging.plan import Request
from conformance.vocabulary import AREAS

_OURS = re.compile(rf"conformance/({'|'.join(AREAS)})(/.*)?$")


def request(config: pytest.Config) -> Request:
    """What the options ask for; where one is missing, the project's configuration."""
    named = config.getoption("--conformance-implementation") or config.getini("conformance")
    if not named:
        raise pytest.UsageError(
            'no implementation is named: set `conformance = ["package.module:Name"]` in this project\'s pytest configuration, '
            "or use --conformance-implementation"
        )
    return Request(
        implementations=named,
        areas=config.getoption("--conformance-area") or (),
        rules=config.getoption("--conformance-rule") or (),
        profile=config.getoption("--conformance-profile") or config.getini("conformance_profile") or "default",
        explore=config.getoption("--conformance-explore"),
        seed=config.getoption("--conformance-seed"),
        required=config.getoption("--conformance-require") or config.getini("conformance_require"),
        baseline=_baseline(config),
        own_baselines=not config.getoption("--no-conformance-baseline"),
    )


def _baseline(config: pytest.Config) -> Path | None:
    if config.getoption("--no-conformance-baseline"):
        return None
    given = file(config, "--conformance-baseline")
    setting: str = config.getini("conformance_baseline")
    beside = config.inipath.parent if config.inipath else config.rootpath
    return given or (beside / setting if setting else None)


def file(config: pytest.Config, option: str) -> Path | None:
    """The path that an option names, seen from where pytest was started."""
    given = config.getoption(option)
    return config.invocation_params.dir / given if given else None


def take_node_ids(config: pytest.Config) -> None:
    """Take our node ids out of the arguments, which pytest would look for as files.

    They are kept in `config.option`, by which they reach the workers of pytest-xdist.
    """
    if not hasattr(config.option, "conformance_nodes"):
        ours = [arg for arg in config.args if _OURS.match(arg) and not (config.invocation_params.dir / arg).exists()]
        config.option.conformance_nodes = ours
        config.option.conformance_only = bool(ours) and len(ours) == len(config.args)
        config.args = [arg for arg in config.args if arg not in ours]
    if config.option.conformance_only:
        config.args = []


def wanted(config: pytest.Config, nodeid: str) -> bool:
    """Whether an item was named, by itself, without its implementation, or by its area; all are where none was named."""
    nodes: list[str] = config.option.conformance_nodes
    return not nodes or any(nodeid == node or nodeid.startswith((f"{node.rstrip('/')}/", f"{node}[")) for node in nodes)
