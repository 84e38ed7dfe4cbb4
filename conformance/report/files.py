"""The report as a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from conformance.errors import UsageError
from conformance.judging.results import Results
from conformance.report.markdown import report


def check_folder(path: Path) -> Path:
    """The path itself, where a file can be written there. Raises UsageError: better now than after everything is judged."""
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; create it first")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it")
    return path


def write_report(results: Results, titles: Mapping[str, str], path: Path) -> None:
    """Render the results and write them. titles: each rule in a sentence."""
    write_text(report(results, titles), path)


def write_text(text: str, path: Path) -> None:
    """Write a text. Raises UsageError where that is not possible."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
