"""Mistakes of the person who uses the suite: told in a sentence, never with a traceback."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from conformance.vocabulary import nearest


class UsageError(Exception):
    """Something was asked for that cannot be: the message says what we got, what was expected and what to do next."""


def known(words: Sequence[str], legal: Iterable[str], what: str) -> None:
    """Check words against the legal ones. Raises UsageError with the nearest legal word."""
    choices = list(legal)
    for word in words:
        if word not in choices:
            parts = word.split(",")
            if len(parts) > 1 and all(part.strip() in choices for part in parts):
                raise UsageError(f"got {word!r}, expected each {what} by itself, without commas: {' '.join(map(str.strip, parts))}")
            padded = re.sub(r"-(\d)$", r"-0\1", word.upper())  # thr-5 is nearer to THR-05 than to any other rule
            hint = f"; did you mean {padded!r}?" if padded in choices else nearest(word, choices)
            raise UsageError(f"there is no {what} {word!r}{hint}")
