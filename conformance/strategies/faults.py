"""Turns in which something goes wrong: the service, the history store, or a caller that does not wait for the end."""

from __future__ import annotations

from conformance.scenario import CallSpec, ReplySpec
from conformance.strategies.turn import Turn


def fails(turn: Turn) -> None:
    """A service call fails, the first or a later one; the caller may say the same again."""
    turn.run([*turn.asking(), ReplySpec(error="overloaded")])
    turn.goes_on()


def store_fails(turn: Turn) -> None:
    """A load or an append of the history store fails, the first or a later one."""
    appends, replies = turn.pen.rarely(2), [*turn.asking(), *turn.words()]
    last = sum(bool(reply.calls) for reply in replies)
    place = turn.pen.number(last) if turn.agent.per_service_call else 0
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


def left(turn: Turn) -> None:
    """The consumer leaves the stream, mostly in a later reply than the first."""
    replies = [*turn.asking(), *turn.words()]
    texts = sum(1 for reply in replies if reply.calls and reply.text) + 1
    turn.run(replies, stream=True, abandons=1 + turn.pen.number(2 * texts - 1))
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
