"""The stage: performs a scenario on an implementation inside a world and returns the trace.

Whatever the implementation does, there is a trace: a step that hangs, crashes or exits ends the performance with a `broke` event
after everything that was observed until then. A hang is seen by the event loop, which has nothing left to do; clocks guard against
code that blocks or spins, and where something outside of the loop could still wake it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from conformance.harness.containment import DEADLOCK, Absent, Stop, Watch, attempt, crashed, malformed
from conformance.harness.event_loop import WatchedLoop
from conformance.harness.handles import Ensemble
from conformance.harness.recorder import Witness
from conformance.implementation.protocol import AnyImplementation
from conformance.scenario.scenario import (
    CreateThread,
    Respond,
    Restore,
    Run,
    RunWorkflow,
    Scenario,
    Serialize,
    Step,
    Tamper,
    Together,
)
from conformance.trace.exchange import Answer, Turn
from conformance.trace.harness_events import Broke, Refused, RunStarted
from conformance.trace.messages import Message
from conformance.trace.trace import Trace
from conformance.world.captured_warnings import catch_warnings
from conformance.world.errors import Endless
from conformance.world.event_log import stable
from conformance.world.network_guard import loopback_only
from conformance.world.scheduling import Order
from conformance.world.script import Script
from conformance.world.world import World

STEP_TIMEOUT = 30.0
"""Seconds that a step may take before it counts as hanging where nothing but a clock can tell; most take milliseconds."""

GRACE = 5.0
"""Seconds that a step has to end once it was cut off."""

PATIENCE = 5.0
"""Seconds without an event after which those who wait for their turn go on out of turn, where nothing but a clock can tell."""


class _Stuck(BaseException):
    """What was cut off waits on: it swallows its cancellation."""


_left_behind: list[asyncio.Task[Any]] = []
"""Tasks that nothing could end. They are kept: thrown away, they would clean up in the middle of another performance."""


class Stage:
    """Performs one scenario on one instance of an implementation."""

    def __init__(self, scenario: Scenario, implementation: AnyImplementation) -> None:
        self.scenario = scenario
        self.implementation = implementation
        self.world = World(scenario, handoff_tool=implementation.handoff_tool)
        self.watch = Watch(self.world, implementation)
        self.began = time.monotonic()
        self._ensemble = Ensemble(scenario, implementation, self.world)
        self._witness = Witness(self.world, implementation)

    async def perform(self) -> None:
        """Walk the steps; what happened is in `world.events`."""
        try:
            await self._attempt(self._open())
            for number, step in enumerate(self.scenario.steps):
                self.world.step = number
                self.began = time.monotonic()
                await self._perform(step)
        except (Stop, Endless):
            pass
        finally:
            self.began = time.monotonic()
            try:
                await self._close()
            finally:
                await self.world.close()

    def idle(self) -> None:
        """Nothing is left to do: whoever waits for a turn goes on without; else what is under way hangs. Raises where it stays."""
        if not self.world.give_up_orders() and not self.watch.cut("deadlock", DEADLOCK):
            raise _Stuck

    async def _close(self) -> None:
        try:
            async with self.watch.over("close: "):
                await self.implementation.close()
        except Stop:
            pass
        except Exception as error:
            crashed(self.world, self.implementation, "close", error)

    async def _open(self) -> None:
        try:
            await self.implementation.open(self.world)
        except Exception as error:
            crashed(self.world, self.implementation, "open", error)
            raise Stop from None
        if getattr(self.implementation, "world", None) is not self.world:
            malformed(self.world, self.implementation, "open", "no self.world", "a call of super().open(world)")

    async def _together(self, step: Together) -> None:
        order = Order(step.order, one_at_a_time=self.world.over_http)
        runs = (self._one_of_several(run, order, place) for place, run in enumerate(step.runs))
        ends = await asyncio.gather(*runs, return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end

    async def _perform(self, step: Step) -> None:
        match step:
            case CreateThread():
                await self._attempt(self._ensemble.create_thread(step))
            case Run():
                await self._run(step, Order(), None)
            case Together():
                await self._together(step)
            case RunWorkflow():
                await self._run_workflow(step, Order(step.finish), None)
            case Respond():
                await self._respond(step)
            case Serialize():
                await self._attempt(self._ensemble.serialize(step))
            case Restore():
                await self._attempt(self._ensemble.restore(step))
            case Tamper():
                await self._attempt(self._ensemble.tamper(step))
        await self._ensemble.describe(step, self.watch)

    async def _one_of_several(self, run: Run | RunWorkflow, order: Order, place: int) -> None:
        await order.begin(place)
        try:
            if isinstance(run, Run):
                await self._run(run, order, place)
            else:
                await self._run_workflow(run, order, place)
        finally:
            order.left(place)

    async def _run(self, step: Run, order: Order, place: int | None) -> None:
        try:
            agent, thread = self._ensemble.thread(step.thread)
        except Absent as why:
            self.world.record(Refused, text=str(why), absent=True)
            return
        name = step.agent or self.scenario.agent_name(step.thread)
        script = self._script({name: step.replies, **step.inner}, order=order, label=place, run=step)
        script.looks[name] = lambda: self.implementation.describe_thread(agent, thread)
        supplied = self._ensemble.lacking(step.thread) if step.supplies else ()
        results = [Message(role="tool", results=supplied)] if supplied else []
        turn = Turn(
            messages=(*results, *(Message(role="user", text=text) for text in step.say)),
            store=step.store,
            conversation_id=self._conversation_id(step, name),
            background=step.background,
        )
        with self.world.during(script):
            named = self.world.name_of(turn.conversation_id, "foreign")
            self.world.record(RunStarted, thread=step.thread, conversation_id=named, supplied=supplied)
            if step.forgotten:
                self.world.service(name).forget()
            await self._attempt(self._thread_run(step, agent, thread, turn, script), script)

    async def _thread_run(self, step: Run, agent: Any, thread: Any, turn: Turn, script: Script) -> None:
        if step.agent is not None or step.per_service_call is not None:
            name = step.agent or self.scenario.agent_name(step.thread)
            agent = await self._ensemble.agent(name, per_service_call=step.per_service_call)
        await self._witness.run(agent, thread, turn, script, stream=step.stream, abandons=step.abandons)

    def _conversation_id(self, step: Run, agent: str) -> str | None:
        match step.conversation_id:
            case "own":
                return self._ensemble.conversation_id(step.thread)
            case "other":
                return self.world.service(agent).another_conversation()
            case None:
                return None

    async def _run_workflow(self, step: RunWorkflow, order: Order, place: int | None) -> None:
        script = self._script(step.replies, order=order, label=place, manager=step)
        turn = Turn(messages=tuple(Message(role="user", text=text) for text in step.say))
        with self.world.during(script):
            self.world.record(RunStarted, workflow=step.workflow)
            await self._attempt(self._workflow_run(step, turn, script), script)

    async def _workflow_run(self, step: RunWorkflow, turn: Turn, script: Script) -> None:
        name, stream, abandons = step.workflow, step.stream, step.abandons
        if step.as_agent:
            agent = await self._ensemble.workflow_agent(name)
            thread = await self._ensemble.workflow_thread(name, step.thread) if step.thread is not None else None
            await self._witness.run(agent, thread, turn, script, stream=stream, abandons=abandons)
        else:
            workflow = await self._ensemble.workflow(name)
            await self._witness.run_workflow(workflow, turn, script, stream=stream, abandons=abandons)

    async def _respond(self, step: Respond) -> None:
        if step.request >= len(self._witness.waiting):
            self.world.record(Refused, text=f"there is no pending request {step.request}", absent=True)
            return
        waiting = self._witness.waiting.pop(step.request)
        answer = Answer(id=waiting.pending.id, approve=step.approve)
        if not step.approve:
            waiting.script.rejected(waiting.pending.call)
        with self.world.during(waiting.script):
            await self._attempt(waiting.resume([answer], step.stream), waiting.script)

    async def _attempt(self, action: Awaitable[None], script: Script | None = None) -> None:
        ending = attempt(action, self.world, self.implementation, self.watch, script)
        if script is None:
            await ending
        else:  # in a task of its own, which the script's caller can cancel
            task = asyncio.ensure_future(ending)
            script.cancel = task.cancel
            await task

    def _script(
        self, replies: Any, *, order: Order, label: Any = None, manager: RunWorkflow | None = None, run: Run | None = None
    ) -> Script:
        script = Script(
            len(self.world.scripts),
            replies,
            manager=manager.manager if manager else None,
            order=order,
            label=label,
            load_fails=run.load_fails if run else None,
            append_fails=run.append_fails if run else None,
        )
        self.world.scripts.append(script)
        return script


def perform(scenario: Scenario, implementation: Callable[[], AnyImplementation], *, timeout: float = STEP_TIMEOUT) -> Trace:
    """Perform a scenario on a fresh instance of an implementation. Never raises for what the implementation does.

    timeout: seconds a step may take. An implementation that blocks the thread itself is left behind in it.
    """
    here = frozenset(threading.enumerate())
    try:
        instance = implementation()
    except Exception as error:
        crash = Broke(step=0, cause="crash", text=stable(f"creating the implementation: {error!r}"), blame="adapter")
        return Trace(implementation=getattr(implementation, "name", "?"), events=(crash,))
    stage = Stage(scenario, instance)
    world = stage.world
    loops: list[WatchedLoop] = []

    def loop() -> WatchedLoop:
        loops.append(WatchedLoop(stage.idle, timeout, here))
        return loops[0]

    def work() -> None:
        try:
            with catch_warnings(world), loopback_only(world), asyncio.Runner(loop_factory=loop) as runner:
                runner.run(stage.perform())
        except _Stuck:
            _left_behind.extend(asyncio.all_tasks(loops[0]))
            if not any(isinstance(event, Broke) for event in world.events):
                text = "what was cancelled waits on, and nothing is left to end it"
                world.record(Broke, cause="deadlock", text=text, run=stage.watch.run)
        except Exception as error:  # nothing of an implementation reaches this
            world.record(Broke, cause="crash", text=stable(repr(error)), run=None, blame="harness")
        except BaseException as error:
            world.record(Broke, cause="exit", text=stable(repr(error)), run=None)

    worker = threading.Thread(target=work, daemon=True, name="conformance-stage")
    worker.start()
    _guard(worker, stage, loops, timeout)
    if worker.is_alive():
        world.record(Broke, cause="timeout", text="the implementation blocks its thread", run=None)
    return Trace(
        implementation=instance.name,
        version=instance.version,
        capabilities=tuple(sorted(instance.capabilities)),
        policies=instance.policies,
        events=tuple(world.events),
    )


def _guard(worker: threading.Thread, stage: Stage, loops: Sequence[WatchedLoop], timeout: float) -> None:
    """Wait for the worker, with an eye on the clock; return at the latest when a step was cut off and does not end."""
    told, heard, cut = len(stage.world.events), time.monotonic(), None
    worker.join(min(timeout, PATIENCE))
    while worker.is_alive():
        now = time.monotonic()
        if len(stage.world.events) != told:
            told, heard = len(stage.world.events), now
        elif now - heard >= PATIENCE:
            heard = now
            _tell(loops, stage.world.give_up_orders)
        end = stage.began + timeout
        if now >= end and cut != stage.began:
            cut = stage.began
            _tell(loops, stage.watch.cut, "timeout", f"no end within {timeout:g} s")
        if cut == stage.began:
            end += min(GRACE, timeout)
        if now >= end:
            return
        worker.join(min(end - now, PATIENCE))


def _tell(loops: Sequence[WatchedLoop], what: Callable[..., object], *arguments: object) -> None:
    with suppress(RuntimeError):  # the loop is closed by now
        for loop in loops:
            loop.call_soon_threadsafe(what, *arguments)
