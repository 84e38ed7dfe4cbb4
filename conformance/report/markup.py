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
    return _escaped(" ".join(text.split()))


def foreign_with_code(text: str) -> str:
    """The same, but what stands between two backticks stays code."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:  # one of them has no partner
        return foreign(text)
    shown = [f"`{own(part)}`" if place % 2 else _escaped(part) for place, part in enumerate(parts)]
    return "".join(shown)


def _escaped(text: str) -> str:
    for sign in "\\`*_[]<>|#":
        text = text.replace(sign, f"\\{sign}")
    return text
