"""Hangs are seen without a clock: a step that waits while nothing is left to do; and whatever may still go on is waited for.

No test says how long anything takes: `deadlock` is never the verdict of a clock, and what a clock cuts off is a `timeout`.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from conformance.harness.containment import DEADLOCK
from conformance.harness.runner import perform
from conformance.reference.implementation import Reference
from conformance.scenario.scenario import CreateThread, Run, Scenario, Together
from conformance.scenario.specs import AgentSpec
from conformance.trace.adapter_events import Chunk, RunReturned
from conformance.trace.exchange import ChunkSeen, Response, Turn
from conformance.trace.harness_events import Broke, RunStarted, ServiceReplied
from conformance.trace.trace import Trace

Fault = Callable[[], Awaitable[Any]]


def steps(*, stream: bool = False) -> Scenario:
    said = tuple(Run(thread="t", say=(text,), stream=stream) for text in ("one", "two"))
    return Scenario(agents={"a": AgentSpec()}, steps=(CreateThread(thread="t", agent="a"), *said))


def runs_after(fault: Fault) -> Trace:
    """Perform two runs on a reference that does something else first, in each."""

    class Faulty(Reference):
        async def run(self, agent: Any, thread: Any, turn: Turn) -> Response:
            await fault()
            return await super().run(agent, thread, turn)

    return perform(steps(), Faulty)


def broken(trace: Trace) -> list[tuple[str, str]]:
    return [(event.cause, event.text) for event in trace.events if isinstance(event, Broke)]


def of(trace: Trace, kind: Any) -> list[Any]:
    return [event for event in trace.events if isinstance(event, kind)]


async def awaits_a_future_that_nobody_sets() -> None:
    await asyncio.get_running_loop().create_future()


async def takes_a_lock_twice() -> None:
    lock = asyncio.Lock()
    async with lock, lock:
        pass


async def reads_a_queue_that_nobody_feeds() -> None:
    await asyncio.Queue[int]().get()


async def two_that_wait_for_each_other() -> None:
    here, there = asyncio.Event(), asyncio.Event()

    async def one(mine: asyncio.Event, other: asyncio.Event) -> None:
        await other.wait()
        mine.set()

    await asyncio.gather(one(here, there), one(there, here))


async def waits_in_a_task() -> None:
    await asyncio.ensure_future(awaits_a_future_that_nobody_sets())


async def sleeps_for_an_hour() -> None:
    await asyncio.sleep(3600)


async def waits_under_a_long_timeout() -> None:
    async with asyncio.timeout(600):
        await awaits_a_future_that_nobody_sets()


async def waits_again_when_cancelled() -> None:
    while True:
        with suppress(asyncio.CancelledError):
            await awaits_a_future_that_nobody_sets()


async def waits_for_a_thread_that_dies_in_silence() -> None:
    threading.Thread(target=time.sleep, args=(0.1,)).start()
    await awaits_a_future_that_nobody_sets()


async def waits_beside_an_idle_thread_pool() -> None:
    await asyncio.to_thread(int)
    await awaits_a_future_that_nobody_sets()


async def goes_on_as_if_it_had_not_been_cancelled() -> None:
    with suppress(asyncio.CancelledError):
        await awaits_a_future_that_nobody_sets()


async def makes_an_error_of_its_own_of_it() -> None:
    try:
        await awaits_a_future_that_nobody_sets()
    except asyncio.CancelledError:
        raise ConnectionError("gone") from None


HANGS = [
    awaits_a_future_that_nobody_sets,
    takes_a_lock_twice,
    reads_a_queue_that_nobody_feeds,
    two_that_wait_for_each_other,
    waits_in_a_task,
    sleeps_for_an_hour,
    waits_under_a_long_timeout,
    waits_for_a_thread_that_dies_in_silence,
    waits_beside_an_idle_thread_pool,
    goes_on_as_if_it_had_not_been_cancelled,
    makes_an_error_of_its_own_of_it,
]


@pytest.mark.parametrize("fault", HANGS)
def test_a_run_that_nothing_can_end_is_a_deadlock(fault: Fault):
    trace = runs_after(fault)
    assert broken(trace) == [("deadlock", DEADLOCK)]
    assert [event.run for event in of(trace, RunStarted)] == [0]


def test_the_place_where_it_waits_is_told():
    trace = runs_after(awaits_a_future_that_nobody_sets)
    assert trace.broken is not None
    assert trace.broken.where == f"tests/harness/test_hangs.py:{awaits_a_future_that_nobody_sets.__code__.co_firstlineno + 1}"


def test_what_waits_on_although_it_was_cancelled_is_left():
    assert broken(runs_after(waits_again_when_cancelled)) == [
        ("deadlock", "what was cancelled waits on, and nothing is left to end it")
    ]


def test_what_a_run_leaves_behind_must_not_outlive_its_cancellation():
    left: list[asyncio.Task[None]] = []

    async def leaves_it() -> None:
        left.append(asyncio.ensure_future(waits_again_when_cancelled()))
        await asyncio.sleep(0)

    trace = runs_after(leaves_it)
    assert [cause for cause, _ in broken(trace)] == ["deadlock"]
    assert len(of(trace, RunReturned)) == 2


async def sleeps() -> None:
    await asyncio.sleep(0.05)


async def works_in_a_thread() -> None:
    await asyncio.to_thread(time.sleep, 0.05)


async def works_in_a_pool_of_its_own() -> None:
    with ThreadPoolExecutor(1) as pool:
        await asyncio.get_running_loop().run_in_executor(pool, time.sleep, 0.05)


async def waits_for_a_timer() -> None:
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    loop.call_later(0.05, over.set_result, None)
    await over


async def waits_for_a_thread_of_its_own() -> None:
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def work() -> None:
        time.sleep(0.05)
        loop.call_soon_threadsafe(over.set_result, None)

    threading.Thread(target=work, daemon=True).start()
    await over


async def waits_for_work_whose_waiter_was_cancelled() -> None:
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def work() -> None:
        time.sleep(0.2)
        loop.call_soon_threadsafe(over.set_result, None)

    with suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.to_thread(work)
    await over


async def waits_for_another_process() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import time; time.sleep(0.1); print('done')", stdout=asyncio.subprocess.PIPE
    )
    assert await process.communicate() == (b"done\n", None)


async def waits_for_a_socket() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.to_thread(time.sleep, 0.05)
        writer.write(await reader.readline())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()


NO_HANGS = [
    sleeps,
    works_in_a_thread,
    works_in_a_pool_of_its_own,
    waits_for_a_timer,
    waits_for_a_thread_of_its_own,
    waits_for_work_whose_waiter_was_cancelled,
    waits_for_another_process,
    waits_for_a_socket,
]


@pytest.mark.parametrize("work", NO_HANGS)
def test_what_still_goes_on_is_waited_for(work: Fault):
    trace = runs_after(work)
    assert broken(trace) == []
    assert len(of(trace, RunReturned)) == 2


def test_a_thread_that_a_framework_keeps_may_wake_the_loop_of_a_later_performance():
    asked: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()

    def work() -> None:
        while (job := asked.get()) is not None:
            time.sleep(0.05)
            job()

    kept: list[threading.Thread] = []

    async def asks_the_thread() -> None:
        if not kept:
            kept.append(threading.Thread(target=work, daemon=True))
            kept[0].start()
        loop = asyncio.get_running_loop()
        over = loop.create_future()
        asked.put(lambda: loop.call_soon_threadsafe(over.set_result, None))
        await over

    assert broken(runs_after(asks_the_thread)) == []
    assert broken(runs_after(asks_the_thread)) == []
    assert kept[0].is_alive()
    asked.put(None)
    kept[0].join()


@pytest.mark.parametrize("method", ["open", "create_agent", "create_thread", "describe_thread", "close"])
def test_every_method_of_an_adapter_can_hang(method: str):
    async def hang(self: Any, *arguments: Any) -> Any:
        await awaits_a_future_that_nobody_sets()

    trace = perform(steps(), type("Hanging", (Reference,), {method: hang}))
    told = f"{method}: {DEADLOCK}" if method in ("describe_thread", "close") else DEADLOCK
    assert broken(trace) == [("deadlock", told)]
    assert len(of(trace, RunReturned)) == (2 if method == "close" else 0)


def test_a_stream_can_hang_between_its_chunks():
    class Hanging(Reference):
        async def stream(self, agent: Any, thread: Any, turn: Turn) -> AsyncIterator[ChunkSeen | Response]:
            yield ChunkSeen(text="half a")
            await awaits_a_future_that_nobody_sets()

    trace = perform(steps(stream=True), Hanging)
    assert [event.text for event in of(trace, Chunk)] == ["half a"]
    assert broken(trace) == [("deadlock", DEADLOCK)]


BOTH = Scenario(
    agents={"a": AgentSpec()},
    steps=(
        CreateThread(thread="t", agent="a"),
        CreateThread(thread="u", agent="a"),
        Together(runs=(Run(thread="t", say=("one",)), Run(thread="u", say=("two",))), order=(1, 0)),
    ),
)


def test_runs_that_wait_for_each_other_hang_together():
    class Meeting(Reference):
        """A third run would let the first two go on."""

        async def run(self, agent: Any, thread: Any, turn: Turn) -> Response:
            await awaits_a_future_that_nobody_sets()
            raise AssertionError

    assert broken(perform(BOTH, Meeting)) == [("deadlock", DEADLOCK)] * 2


def test_an_order_that_an_implementation_never_fulfils_is_given_up():
    class OneByOne(Reference):
        """The run that the order lets go first has to wait for the other one."""

        def __init__(self) -> None:
            super().__init__()
            self.turn = asyncio.Lock()

        async def run(self, agent: Any, thread: Any, turn: Turn) -> Response:
            async with self.turn:
                return await super().run(agent, thread, turn)

    replied, alike = (of(perform(BOTH, kind), ServiceReplied) for kind in (Reference, OneByOne))
    assert [event.run for event in replied] == [1, 0]
    assert [event.run for event in alike] == [0, 1]
    assert broken(perform(BOTH, OneByOne)) == []


def test_a_run_that_hangs_holds_up_no_other_one():
    class First(Reference):
        async def run(self, agent: Any, thread: Any, turn: Turn) -> Response:
            if turn.messages[-1].text == "two":
                await awaits_a_future_that_nobody_sets()
            return await super().run(agent, thread, turn)

    trace = perform(BOTH, First)
    assert [event.run for event in of(trace, RunReturned)] == [0]
    assert broken(trace) == [("deadlock", DEADLOCK)]


def test_a_clock_cuts_off_what_is_no_deadlock():
    async def polls() -> None:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    class Polling(Reference):
        async def run(self, agent: Any, thread: Any, turn: Turn) -> Response:
            await polls()
            raise AssertionError

    assert broken(perform(steps(), Polling, timeout=0.3)) == [("timeout", "no end within 0.3 s")]
