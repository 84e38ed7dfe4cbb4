"""Several speak side by side: what each says stands in its own order, in turns with what the others say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T", str, Sequence[object])

Stages = Sequence[Sequence[T]]
"""What is said one stage after another; in each, one strand for everybody who works side by side."""

_Strands = Sequence[tuple[int, T]]
"""The strands of all stages, each with the number of its stage."""


def in_turns(pieces: Iterable[T], stages: Stages[T]) -> bool:
    """Whether pieces make up whole stages: each stage after those before it, and in it each strand in its own order."""
    strands = [(number, strand) for number, stage in enumerate(stages) for strand in stage]
    places = {tuple(0 for _ in strands)}
    for piece in pieces:
        places = {after for place in places for after in _after(place, strands, piece)}
    return tuple(len(strand) for _, strand in strands) in places


def _after(place: tuple[int, ...], strands: _Strands[T], piece: T) -> Iterator[tuple[int, ...]]:
    """How far the strands may be after one more piece, which goes on with one of them."""
    for number, (stage, strand) in enumerate(strands):
        here = place[number]
        begun = all(at == len(other) for at, (its, other) in zip(place, strands, strict=True) if its < stage)
        if begun and strand[here : here + len(piece)] == piece:
            yield (*place[:number], here + len(piece), *place[number + 1 :])
