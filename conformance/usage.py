"""Mistakes of the person who uses the suite: told in a sentence, never with a traceback."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from conformance.vocabulary import nearest


class UsageError(Exception):
    """Something was asked for that cannot be: the message says what we got, what was expected and what to do next."""


def known(words: Sequence[str], legal: Iterable[str], what: str) -> None:
    """Check words against the legal ones. Raises UsageError with the nearest legal word."""
    choices = list(legal)
    for word in words:
        if word not in choices:
            raise UsageError(f"there is no {what} {word!r}{nearest(word, choices)}")
