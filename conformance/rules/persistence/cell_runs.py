"""Runs of two cells of the configuration matrix compared: what each told its caller, and what its requests say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from conformance.rules.execution_view import ExecutionView
from conformance.rules.pairs import ThreadPair, by_order
from conformance.rules.persistence.history import plain
from conformance.rules.run_view import RunView
from conformance.rules.wording import show
from conformance.trace.adapter_events import RunReturned
from conformance.trace.messages import Part


@dataclass(frozen=True)
class Told:
    """What a run told its caller, response by response, and what each of its requests says of it. ending: how it ended."""

    ending: str
    responses: list[list[Part]]
    requests: list[list[Part]]

    def __str__(self) -> str:
        """For a finding."""
        responses, requests = ("; ".join(map(show, said)) or "none" for said in (self.responses, self.requests))
        return f"responses {responses} and requests that end in {requests}, and it {self.ending}"


def told(execution: ExecutionView, run: RunView, *, requests: bool) -> Told:
    """What a run told; requests: theirs too."""
    responses = [execution.heard(event.messages) for _, event in run.of(RunReturned)]
    return Told(run.ending, responses, _own_parts(execution, run) if requests else [])


def _own_parts(execution: ExecutionView, run: RunView) -> list[list[Part]]:
    """What each request says of its own run: all that follows the history before it, whatever values that has."""
    before = {part for each in execution.earlier(run) for part in each.happened()}
    found: list[list[Part]] = []
    for view in run.calls:
        said = execution.spoken(view.request.messages, run.agent)
        most = len(said) - len(run.happened(before=view.request.call))  # the run may say what was said before
        history = next((place for place, part in enumerate(said) if not before & {part, part[:2]}), len(said))
        found.append(said[max(0, min(history, most)) :])
    return found


def how_they_tell(first: Told, second: Told) -> str:
    """The aspect in which two runs told different things; empty where they told the same."""
    if first.ending != second.ending:
        return "other ending"
    if by_order(first.responses) != by_order(second.responses):
        return "other response"
    same = by_order([*first.responses, *first.requests]) == by_order([*second.responses, *second.requests])
    return "" if same else "other requests"


def until_they_may_differ(both: ThreadPair) -> Iterator[tuple[RunView, RunView]]:
    """Two threads run by run, until their callers have other results to supply, or after one that is not plain."""
    for one, other in zip(both.first.runs, both.second.runs, strict=True):
        if by_order([one.inputs]) != by_order([other.inputs]):
            return
        yield one, other
        if not plain(one):
            return
