"""Where the suite's own data is: fixtures and snapshots, in a checkout beside the package, in an installed wheel inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from conformance.vocabulary import Area

PACKAGE = Path(__file__).parent

Kind = Literal["fixtures", "snapshots"]


def folder(kind: Kind) -> Path:
    """The folder of one kind of data, with a folder an area in it. It may not exist."""
    shipped = PACKAGE / "_data" / kind
    return shipped if shipped.is_dir() else PACKAGE.parent / kind


def files(kind: Kind, area: Area) -> list[Path]:
    """The JSON files of an area, sorted by name."""
    return sorted((folder(kind) / area).glob("*.json"))
