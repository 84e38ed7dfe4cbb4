"""Repairs of a history whose last run ended between a call and its results (PER-46): what a rule lets pass of them.

A service refuses a call without a result. Who goes on with such a history may send one result for the call, or leave the call out;
whether a result that is sent then tells what is true is PER-46's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from conformance.rules.parts import by_number, open_calls
from conformance.trace.messages import Message, Part, Result, parts


@dataclass(frozen=True)
class Repair:
    """What became of the calls without results in something that was sent: their ids."""

    answered: Sequence[str]
    left_out: Sequence[str]

    def without_left_out(self, said: Sequence[Part]) -> list[Part]:
        """The same without the calls that were left out."""
        return [part for part in said if not _is(part, "call", self.left_out)]

    def without_answers(self, said: Sequence[Part]) -> list[Part]:
        """The same without one result for each call that was answered."""
        return without_results(said, self.answered)


def repair(expected: Sequence[Part], got: Sequence[Part]) -> Repair:
    """How the calls without results in what was expected were repaired in what we got."""
    before, after = _by_id(expected), _by_id(got)
    waiting = [id for id in open_calls(expected) if before["call", id] > before["result", id]]
    answered = [id for id in waiting if after["result", id] > before["result", id]]
    return Repair(answered, [id for id in waiting if id not in answered and after["call", id] < before["call", id]])


def repaired(expected: Sequence[Part], got: Sequence[Part]) -> list[Part]:
    """What is expected, as a history may be repaired that has calls without results: with results made up, or without the calls.

    As it was done in what we got, call by call; where the calls were left as they are, so they are here.
    """
    done = repair(expected, got)
    made_up = {part[1]: part for part in sorted(got, key=len) if _is(part, "result", done.answered)}
    return by_number(_answered(done.without_left_out(expected), made_up))


def without_results(said: Sequence[Part], ids: Sequence[str]) -> list[Part]:
    """What is said, without one result for each of these ids: one that is not what its tool returned, if there is such a one."""
    left = list(said)
    for id in ids:
        mine = [part for part in left if _is(part, "result", (id,))]
        if mine:
            left.remove(max(mine, key=len))
    return left


def unsettled(held: Sequence[Message], messages: Sequence[Message], own: Collection[str]) -> list[Message]:
    """What is sent into a conversation, without one result for each call that it had left open.

    held: what the service has of it. own: the ids of calls whose results are no repair.
    """
    before = _by_id(parts(held))
    left = Counter({id: count - before["result", id] for (sort, id), count in before.items() if sort == "call" and id not in own})
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


def _is(part: Part, sort: str, ids: Collection[str]) -> bool:
    """Whether a part is a call, or a result, with one of these ids."""
    return part[0] == sort and part[1] in ids


def _by_id(said: Sequence[Part]) -> Counter[tuple[str, str]]:
    return Counter((part[0], part[1]) for part in said if part[0] in ("call", "result"))


def _answered(said: Sequence[Part], made_up: Mapping[str, Part]) -> list[Part]:
    """The same with these results of calls, before somebody says something else."""
    found: list[Part] = []
    ahead: list[Part] = []
    for part in said:
        if part[0] not in ("call", "result"):
            found, ahead = [*found, *ahead], []
        found.append(part)
        if part[0] == "call" and part[1] in made_up:
            ahead.append(made_up[part[1]])
    return [*found, *ahead]
