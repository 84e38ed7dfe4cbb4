"""What happened, in words: for what a finding expected and got."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

from conformance.rules.run_view import RunView
from conformance.trace.adapter_events import Raised
from conformance.trace.messages import Part, Role


def outcome(run: RunView) -> str:
    """How a run ended, in words."""
    called = f"{len(run.calls)} service calls, then " if run.calls else ""
    if run.raised:
        return called + error(run.raised[1])
    return f"{called}the run {run.ending}"


def error(raised: Raised) -> str:
    """An error, in words."""
    return f"an error of kind {raised.kind}: {raised.text!r}"


def quoted(texts: Iterable[str]) -> str:
    """Texts in quotation marks, which tell them from the words around them."""
    return ", ".join(map(repr, texts)) or "nothing"


def show(said: Sequence[Part]) -> str:
    """Parts as a person reads them: what was said stands in quotation marks."""
    return "[" + ", ".join(map(_shown, said)) + "]"


def _shown(part: Part) -> str:
    if part[0] in get_args(Role):
        return f"{part[0]} {quoted(part[1:])}"
    return " ".join(word for word in part if word != "{}")
