"""Repairs of a history whose last run ended between a call and its results (PER-46): what a rule lets pass of them.

A service refuses a call without a result. Who goes on with such a history may send one result for the call, or leave the call out;
whether a result that is sent then tells what is true is PER-46's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from conformance.rules.parts import by_number
from conformance.trace.messages import Message, Part, Result, parts


@dataclass(frozen=True)
class Repair:
    """What became of the calls without results in something that was sent.

    answers: for the place of a call, the result that it was sent with. left_out: the places of those that were not sent.
    """

    expected: Sequence[Part]
    answers: Mapping[int, Part]
    left_out: Collection[int]

    @property
    def kept(self) -> list[Part]:
        """What was expected, without the calls that were left out."""
        return [part for place, part in enumerate(self.expected) if place not in self.left_out]


def repair(expected: Sequence[Part], got: Sequence[Part]) -> Repair:
    """How the calls without results in what was expected were repaired in what we got, call by call."""
    spare = Counter(part for part in got if part[0] == "result") - Counter(expected)
    lacking = Counter(expected) - Counter(got)
    answers: dict[int, Part] = {}
    left_out: set[int] = set()
    for place in unanswered(expected):
        call = expected[place]
        mine = [part for part in spare if part[1] == call[1]]
        if mine:
            answers[place] = max(mine, key=len)
            spare -= Counter([answers[place]])
        elif lacking[call] > 0:
            left_out.add(place)
            lacking[call] -= 1
    return Repair(expected, answers, left_out)


def repaired(expected: Sequence[Part], got: Sequence[Part]) -> list[Part]:
    """What is expected, as a history may be repaired that has calls without results: with results made up, or without the calls.

    As it was done in what we got, call by call; where the calls were left as they are, so they are here.
    """
    done = repair(expected, got)
    found: list[Part] = []
    ahead: list[Part] = []
    for place, part in enumerate(expected):
        if part[0] not in ("call", "result"):
            found, ahead = [*found, *ahead], []
        found += [] if place in done.left_out else [part]
        ahead += [done.answers[place]] if place in done.answers else []
    return by_number([*found, *ahead])


def unanswered(said: Sequence[Part]) -> list[int]:
    """The places of the calls that have no result after them. Where an id comes back, a result is that of its latest call."""
    waiting: list[int] = []
    for place, part in enumerate(said):
        if part[0] == "call":
            waiting.append(place)
        elif part[0] == "result":
            mine = [each for each in waiting if said[each][1] == part[1]]
            waiting = [each for each in waiting if each != mine[-1]] if mine else waiting
    return waiting


def without_results(said: Sequence[Part], ids: Sequence[str]) -> list[Part]:
    """What is said, without one result for each of these ids: one that is not what its tool returned, if there is such a one."""
    left = list(said)
    for id in ids:
        mine = [part for part in left if part[:2] == ("result", id)]
        if mine:
            left.remove(max(mine, key=len))
    return left


def unsettled(held: Sequence[Message], messages: Sequence[Message], own: Collection[str]) -> list[Message]:
    """What is sent into a conversation, without one result for each call that it had left open.

    held: what the service has of it. own: the ids of the calls whose results are what is new.
    """
    before, sent = parts(held), Counter(result.id for message in messages for result in message.results)
    # an id may come back: a result that is new closes nothing that was left open before
    left = (Counter(before[place][1] for place in unanswered(before)) - Counter(own)) & (sent - Counter(own))
    found: list[Message] = []
    for message in messages:
        kept: list[Result] = []
        for result in message.results:
            closing = left[result.id] > 0
            left[result.id] -= closing
            kept += [] if closing else [result]
        if kept or message.text or not message.results:
            found.append(msgspec.structs.replace(message, results=tuple(kept)))
    return found
