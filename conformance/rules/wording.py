"""What happened, in words: for what a finding expected and got."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.rules.run_view import RunView
from conformance.trace.adapter_events import Raised
from conformance.trace.messages import Part


def outcome(run: RunView) -> str:
    """How a run ended, in words."""
    called = f"{len(run.calls)} service calls, then " if run.calls else ""
    if run.raised:
        return called + error(run.raised[1])
    return f"{called}the run {run.ending}"


def error(raised: Raised) -> str:
    """An error, in words."""
    return f"an error of kind {raised.kind}: {raised.text}"


def show(said: Sequence[Part]) -> str:
    """Parts as a person reads them."""
    return "[" + ", ".join(" ".join(word for word in part if word != "{}") for part in said) + "]"
