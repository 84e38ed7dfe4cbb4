"""What happens on a thread under each plot: one turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from conformance.scenario.scenario import Respond
from conformance.scenario.specs import CallSpec, ReplySpec
from conformance.strategies.choices import Pen
from conformance.strategies.persistence.draft import Turn
from conformance.strategies.persistence.features import EVENTS, Plot


def switched(turn: Turn) -> None:
    """One run with the other setting; then, mostly, one with the agent's own again."""
    goes = turn.pen.mostly()
    turn.begun()
    possible = not turn.agent.client_as_is and turn.pen.can("history.per_run", "history.per_service_call")
    turn.plain(per_service_call=not turn.agent.per_service_call if possible else None)
    if goes:
        turn.plain()


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


def fails(turn: Turn) -> None:
    """A service call fails, the first or a later one; the caller may say the same again."""
    turn.run([*turn.asking(), ReplySpec(error="overloaded")])
    turn.goes_on()


def terminated(turn: Turn) -> None:
    """A tool ends the loop; then, mostly, the caller supplies the results that are lacking."""
    pen, names = turn.pen, turn.tools()
    before, after = pen.rarely(4), pen.rarely(4)
    goes, supplies = pen.mostly(), pen.mostly()
    beside = [CallSpec(tool=name) for name in names[:1]]
    calls = (*(beside if before else ()), CallSpec(tool="stop"), *(beside if after else ()))
    turn.run([*turn.asking(), ReplySpec(calls=calls)])
    if goes:
        turn.plain(supplies=supplies and pen.can("runs.results"))


def left(turn: Turn) -> None:
    """The consumer leaves the stream, mostly in a later reply than the first."""
    replies = [*turn.asking(), *turn.words()]
    texts = sum(1 for reply in replies if reply.calls and reply.text) + 1
    turn.run(replies, stream=True, abandons=1 + turn.pen.number(2 * texts - 1))
    turn.goes_on()


def store_fails(turn: Turn) -> None:
    """A load or an append of the history store fails, the first or a later one where there may be several in a run."""
    appends, replies = turn.pen.rarely(2), [*turn.asking(), *turn.words()]
    last = sum(bool(reply.calls) for reply in replies)
    several = turn.agent.per_service_call or turn.pen.can("history.incremental")
    place = turn.pen.number(last) if several else 0
    if not turn.provided:
        turn.run(replies)
    elif appends:
        turn.run(replies, append_fails=place)
    else:
        turn.run(replies, load_fails=place)
    turn.goes_on()


def cancelled(turn: Turn) -> None:
    """The caller cancels the run, while it waits for the service or while a tool runs."""
    names, in_tool = turn.tools(), turn.pen.mostly()
    last = ReplySpec(calls=(CallSpec(tool=names[0], cancelled=True),)) if names and in_tool else ReplySpec(cancelled=True)
    turn.run([*turn.asking(), last])
    turn.goes_on()


HAPPENINGS: Mapping[Plot, Callable[[Turn], None]] = {
    "failing": fails,
    "storing": store_fails,
    "cancelling": cancelled,
    "leaving": left,
    "terminating": terminated,
    "approving": approved,
    "switching": switched,
}

_PLAIN: tuple[Plot, ...] = ("plain",)


def happening(pen: Pen, plots: frozenset[Plot]) -> Plot:
    """What happens in the next turn."""
    events = sorted(plots & EVENTS)
    return pen.pick([*_PLAIN * max(1, len(events)), *events * 2])


def happen(turn: Turn, plot: Plot) -> None:
    """Draw a turn in which this happens."""
    HAPPENINGS.get(plot, Turn.plain)(turn)


_ARGUMENTS: tuple[dict[str, str], ...] = ({}, {"to": "Ann"}, {"to": "Ben"}, {"to": "Eve"})
"""One for each call that waits in a run: which of several equal calls it is that runs after all nobody could tell."""


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
