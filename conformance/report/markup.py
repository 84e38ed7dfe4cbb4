"""Markdown: tables, fenced blocks, and text that cannot leave its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table, with an empty line after it."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(' --- ' for _ in head)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def fenced(lines: Iterable[str], language: str) -> Iterator[str]:
    """A block of code, with an empty line after it."""
    text = "\n".join(lines)
    fence = "```"
    while fence in text:
        fence += "`"
    yield f"{fence}{language}"
    yield text
    yield fence
    yield ""


def own(text: str) -> str:
    """A sentence of the suite itself, which may hold `code`, in a cell of a table."""
    return text.replace("|", "\\|")


def foreign(text: str) -> str:
    """Text that is not ours, in one line and without effect as markup."""
    escaped = " ".join(text.split())
    for sign in "\\`*_[]<>|#":
        escaped = escaped.replace(sign, f"\\{sign}")
    return escaped
