"""Parts of a conversation compared: whether all are there, once, in order, and how two lists of them differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby, takewhile

from conformance.trace.messages import Part


def within(parts: Sequence[Part], whole: Sequence[Part]) -> bool:
    """Whether parts stand in a whole in this order, each as often."""
    rest = iter(whole)
    return all(part in rest for part in parts)


def once_in_order(seen: Sequence[Part], required: Sequence[Part], allowed: Counter[Part]) -> bool:
    """Whether everything required is seen in order, and nothing more often than it happened."""
    return within(required, seen) and all(count <= allowed[part] for part, count in Counter(seen).items())


def begins(said: Sequence[Part], whole: Sequence[Part]) -> bool:
    """Whether parts are how a conversation begins; of results that stand together there any may come first."""
    rest = list(whole)
    for part in said:
        together = list(takewhile(lambda each: each[0] == "result", rest)) or rest[:1]
        if part not in together:
            return False
        rest.remove(part)
    return True


def at_most(said: Sequence[Part], happened: Counter[Part]) -> list[Part]:
    """Each part as often as it occurred at most; none of those that occurred several times and are there more often still."""
    seen = Counter(said)
    left = Counter({part: count for part, count in happened.items() if count == 1 or seen[part] <= count})
    found: list[Part] = []
    for part in said:
        if left[part] > 0:
            left[part] -= 1
            found.append(part)
    return found


def but_for_empty(said: Sequence[Part]) -> list[Part]:
    """The same without replies that hold nothing: nobody says whether these are kept."""
    return [part for part in said if part != ("assistant", "")]


def by_number(said: Sequence[Part]) -> list[Part]:
    """The same with neighbouring results in the order of their calls, which the service numbers."""
    found: list[Part] = []
    for results, neighbours in groupby(said, key=lambda part: part[0] == "result"):
        stretch = list(neighbours)
        found += sorted(stretch, key=lambda part: (len(part[1]), part[1])) if results else stretch
    return found


def open_calls(said: Sequence[Part]) -> list[str]:
    """The ids of the calls that have no result after them, and of the results that have no call before them."""
    waiting: list[str] = []
    stray: list[str] = []
    for part in said:
        if part[0] == "call":
            waiting.append(part[1])
        elif part[0] == "result":
            if part[1] in waiting:
                waiting.remove(part[1])
            else:
                stray.append(part[1])
    return waiting + stray


def how_they_differ(got: Sequence[Part], expected: Sequence[Part]) -> str:
    """The aspect in which parts are not the expected ones: `missing`, `repeated`, `foreign` (never said) or `order`."""
    lacking, extra = Counter(expected) - Counter(got), Counter(got) - Counter(expected)
    if lacking:
        return "missing"
    if extra:
        return "repeated" if set(extra) <= set(expected) else "foreign"
    return "order"
