"""What an agent says in its part of a workflow's run, as replies of its service."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

from conformance.scenario import CallSpec, ReplySpec
from conformance.strategies.common import calls
from conformance.strategies.parts import Part
from conformance.strategies.pen import Pen
from conformance.strategies.play import Play

_WORDS = ("yes", "no")
_ARGUMENTS: tuple[dict[str, str], ...] = ({}, {"to": "Ann"}, {"to": "Ben"}, {"to": "Eve"})
"""One for each call that waits in a run: which of several equal calls it is that runs after all nobody could tell."""


@st.composite
def speech(
    draw: st.DrawFn, shared: Pen, play: Play, part: Part, *, explicit: bool, asks: bool, fails: bool
) -> tuple[list[ReplySpec], list[int]]:
    """The replies of one part, and how many calls wait for a person each time when it comes to that.

    explicit: the last text stands in the script even where the service's own would do.
    """
    pen = shared.used_by(draw)
    replies = _asking(pen, play, part)
    waits: list[int] = []
    if "pay" in play.agents[part.name].tools:
        wants, twice, again = pen.mostly(), pen.rarely(4), pen.rarely(8)
        waits = [1 + twice, *([1] if again else [])] if asks and wants else []
    arguments = iter(_ARGUMENTS)
    replies += [ReplySpec(calls=tuple(_payments(arguments, count))) for count in waits]
    if fails:
        return [*replies, ReplySpec(error="overloaded")], waits
    return [*replies, *_last_word(pen, play, part, explicit=explicit)], waits


def _asking(pen: Pen, play: Play, part: Part) -> list[ReplySpec]:
    """The replies that ask for tools which simply run, sometimes with a text beside."""
    names = [name for name, tool in play.agents[part.name].tools.items() if not tool.approval]
    often = bool(play.topics & {"edges", "storing"})
    replies: list[ReplySpec] = []
    while names and len(replies) < 3 and (pen.mostly() if often and not replies else pen.rarely(2)):
        beside = pen.rarely(2)
        replies.append(ReplySpec(text=pen.text() if beside else None, calls=calls(pen, names)))
    return replies


def _payments(arguments: Iterator[dict[str, str]], count: int) -> list[CallSpec]:
    return [CallSpec(tool="pay", arguments=next(arguments)) for _ in range(count)]


def _last_word(pen: Pen, play: Play, part: Part, *, explicit: bool) -> list[ReplySpec]:
    """The reply that ends a part: a text, rarely an empty one, or a handoff; mostly the service's own, which are never the same."""
    scripted = pen.rarely(4)
    if part.hands_to is not None:
        return [ReplySpec(text=pen.text() if scripted else None, handoff=part.hands_to)]
    if "edges" in play.topics and pen.rarely(2):
        return [ReplySpec(text="")]
    if scripted and pen.rarely(4):
        return [ReplySpec(text=pen.pick(_WORDS))]
    return [ReplySpec(text=pen.text())] if explicit or scripted else []
