"""The versions of `agent-framework` that this adapter drives, and where they differ: each object is asked, not its version."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

from packaging.specifiers import SpecifierSet

from conformance.adapter import UsageError

DRIVEN: Mapping[str, str] = {
    "agent-framework-core": ">=1.15.0,<=1.23.0",
    "agent-framework-orchestrations": ">=1.1.1,<=1.4.0",
    "agent-framework-openai": ">=1.14.1,<=1.17.0",
}
"""Each distribution, and the versions of it that were tried; the extra in `pyproject.toml` says the same."""

S = TypeVar("S")


def check() -> None:
    """Raise UsageError where a version is installed that nobody tried: all that differs in it would look like a fault."""
    for name, driven in DRIVEN.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            continue  # what needs it says so
        if not SpecifierSet(driven).contains(installed, prereleases=True):
            raise UsageError(f"got {name} {installed}, expected {driven}; install one of those: pip install '{name}{driven}'")


def named(builder: Callable[..., Any], name: str) -> dict[str, str]:
    """The name of a workflow for its builder. Until orchestrations 1.1 only a handoff has one."""
    return {"name": name} if "name" in inspect.signature(builder).parameters else {}


@asynccontextmanager
async def closing(stream: S) -> AsyncGenerator[S]:
    """A stream that is closed where its consumer leaves it early. Until core 1.19 there is nothing with which one could do that."""
    if hasattr(stream, "__aenter__"):
        async with stream:  # type: ignore[attr-defined]
            yield stream
    else:
        yield stream
