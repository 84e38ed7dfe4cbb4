"""Turns in which calls wait for a person: granted, rejected, or left waiting while the caller says something else."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.scenario import CallSpec, ReplySpec, Respond
from conformance.strategies.turn import Turn

_ARGUMENTS: tuple[dict[str, str], ...] = ({}, {"to": "Ann"}, {"to": "Ben"}, {"to": "Eve"})
"""One for each call that waits in a run: which of several equal calls it is that runs after all nobody could tell."""


def approved(turn: Turn) -> None:
    """One call waits, sometimes two; once they are decided the run goes on, rarely to another one that waits."""
    pen = turn.pen
    again, ignored, unanswered = pen.rarely(8), pen.rarely(2), pen.rarely(8)
    arguments = iter(_ARGUMENTS)
    rounds = [_a_question(turn, arguments) for _ in range(1 + again)]
    turn.run([*(reply for replies, _ in rounds for reply in replies), *_ending(turn)])
    if ignored:
        turn.run(turn.words())
    pending = [left for _, asked in rounds for left in range(asked, 0, -1)]
    for left in pending[:-1] if unanswered else pending:
        request, approve = pen.number(left - 1), pen.number(2) < 2
        turn.steps.append(Respond(request=request, approve=approve, stream=pen.stream()))


def _a_question(turn: Turn, arguments: Iterator[dict[str, str]]) -> tuple[list[ReplySpec], int]:
    """Replies of which the last asks for a call that waits, rarely for two or beside another; and how many wait."""
    pen, names = turn.pen, turn.tools()
    before, twice, beside = turn.asking(), pen.rarely(4), pen.rarely(4)
    asks = [CallSpec(tool="pay", arguments=next(arguments)) for _ in range(1 + twice)]
    others = [CallSpec(tool=names[0])] if beside and names else []
    return [*before, ReplySpec(calls=(asks[0], *others, *asks[1:]))], len(asks)


def _ending(turn: Turn) -> list[ReplySpec]:
    """What the service says once everything is decided; rarely it fails then."""
    fails = turn.pen.rarely(8)
    said = [*turn.asking(), *turn.words()]
    return [ReplySpec(error="overloaded")] if fails and not turn.agent.service.strict else said
