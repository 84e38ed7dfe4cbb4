"""Orders: who goes on next, where several are in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from conformance.world.scheduling import Order


async def seen(order: Order, waits: dict[str, int], pauses: dict[str, float]) -> list[str]:
    """What happens where each label begins, waits so many times for its turn, and pauses after each of these."""
    happened: list[str] = []

    async def strand(label: str) -> None:
        await order.begin(label)
        happened.append(f"{label} begins")
        for _ in range(waits[label]):
            await asyncio.sleep(pauses[label])
            await order.wait(label)
            happened.append(f"{label} passes")
            order.passed(label)
        await asyncio.sleep(pauses[label])
        happened.append(f"{label} ends")
        order.left(label)

    await asyncio.gather(*(strand(label) for label in waits))
    return happened


@pytest.mark.parametrize("pauses", [{"a": 0.0, "b": 0.03}, {"a": 0.03, "b": 0.0}])
async def test_one_at_a_time_everything_happens_in_one_order_however_long_it_takes(pauses: dict[str, float]):
    order = Order(["b", "a", "b", "a"], one_at_a_time=True)
    assert await seen(order, {"a": 2, "b": 2}, pauses) == [
        "a begins",
        "b begins",
        "b passes",
        "a passes",
        "b passes",
        "b ends",
        "a passes",
        "a ends",
    ]


@pytest.mark.parametrize(
    ("labels", "passes"),
    [([], "abab"), (["b"], "abab"), (["a", "b", "a", "a", "a"], "abab")],
)
async def test_labels_that_come_more_or_less_often_than_ordered_hold_up_nobody(labels: Sequence[str], passes: str):
    happened = await seen(Order(labels, one_at_a_time=True), {"a": 2, "b": 2}, {"a": 0.0, "b": 0.0})
    assert "".join(each[0] for each in happened if each.endswith("passes")) == passes


async def test_a_label_that_never_comes_is_waited_for_until_the_order_is_given_up():
    order = Order(["a", "never", "b"], one_at_a_time=True)
    happening = asyncio.ensure_future(seen(order, {"a": 1, "b": 1}, {"a": 0.0, "b": 0.0}))
    await asyncio.wait([happening], timeout=0.02)
    assert not happening.done()
    assert order.give_up()
    assert (await happening)[-2:] == ["b passes", "b ends"]


async def test_an_order_is_given_up_only_where_somebody_waits():
    order = Order(["never", "late"])
    assert not order.give_up()
    waiting = asyncio.ensure_future(order.wait("late"))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert order.give_up()
    await waiting
    assert not order.give_up()
