"""The adapter drives a range of versions: the extra names the same one, others are refused in a line, differences are asked for."""

import importlib.metadata
import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("agent_framework", reason="the extra 'agent-framework' is not installed")

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from conformance.adapters.agent_framework import versions
from conformance.errors import UsageError
from conformance.implementation.loading import resolve

ROOT = Path(__file__).parents[3]


def test_the_extra_names_the_versions_that_the_adapter_drives():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = [Requirement(text) for text in project["optional-dependencies"]["agent-framework"]]
    assert {each.name: each.specifier for each in extra} == {name: SpecifierSet(said) for name, said in versions.DRIVEN.items()}


def test_the_guide_names_pairs_within_the_range():
    guide = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in guide.splitlines() if line.startswith("| 1.")]
    assert len(rows) > 2
    for row in rows:
        for version, said in zip(row, versions.DRIVEN.values(), strict=True):
            assert SpecifierSet(said).contains(version), row
    for column, said in enumerate(versions.DRIVEN.values()):
        assert said == f">={rows[0][column]},<={rows[-1][column]}"


@pytest.mark.parametrize(
    ("name", "installed"),
    [("agent-framework-core", "1.14.0"), ("agent-framework-core", "1.24.0b1"), ("agent-framework-openai", "2")],
)
def test_a_version_that_nobody_tried_is_refused_before_anything_of_it_is_imported(
    monkeypatch: pytest.MonkeyPatch, name: str, installed: str
):
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda asked: installed if asked == name else real(asked))
    for module in [module for module in sys.modules if module.startswith("conformance.adapters.agent_framework")]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(UsageError) as caught:
        resolve("agent-framework")
    driven = versions.DRIVEN[name]
    assert str(caught.value).endswith(
        f"got {name} {installed}, expected {driven}; install one of those: pip install '{name}{driven}'"
    )
    assert not [module for module in sys.modules if module.startswith("conformance.adapters.agent_framework.adapter")]


def test_a_package_that_is_not_installed_is_left_to_what_needs_it(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(versions, "version", missing)
    versions.check()


def test_a_workflow_gets_a_name_where_its_builder_takes_one():
    class Older:
        def __init__(self, *, participants: object) -> None: ...

    class Newer(Older):
        def __init__(self, *, participants: object, name: str | None = None) -> None: ...

    assert versions.named(Older, "w") == {}
    assert versions.named(Newer, "w") == {"name": "w"}


async def test_a_stream_is_closed_where_it_can_be():
    class Stream:
        closed = False

    class Closing(Stream):
        async def __aenter__(self):
            return self

        async def __aexit__(self, *_: object) -> None:
            self.closed = True

    older, newer = Stream(), Closing()
    async with versions.closing(older) as left, versions.closing(newer) as right:
        assert (left, right) == (older, newer)
        assert not newer.closed
    assert newer.closed
