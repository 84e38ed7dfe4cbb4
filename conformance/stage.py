"""The stage: performs a scenario on an implementation inside a world and returns the trace.

Whatever the implementation does, there is a trace: a step that hangs, crashes or exits ends the performance with a `broke` event
after everything that was observed until then.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec

from conformance.attempt import Stop, attempt, malformed
from conformance.implementation import Answer, Implementation, ThreadState, Turn
from conformance.scenario import CreateThread, Respond, Run, RunWorkflow, Scenario, Step, Together
from conformance.trace import Broke, Message, Refused, RunStarted, ThreadDescribed, Trace
from conformance.witness import Witness
from conformance.world import World, stable
from conformance.world.guard import loopback_only
from conformance.world.order import Order
from conformance.world.script import Script
from conformance.world.warned import catch_warnings

STEP_TIMEOUT = 5.0
"""Seconds that a step may take before it counts as hanging."""


class Stage:
    """Performs one scenario on one instance of an implementation."""

    def __init__(self, scenario: Scenario, implementation: Implementation, timeout: float) -> None:
        self.scenario = scenario
        self.implementation = implementation
        self.world = World(scenario, handoff_tool=implementation.handoff_tool)
        self.began = time.monotonic()
        self._timeout = timeout
        self._agents: dict[str, Any] = {}
        self._workflows: dict[str, Any] = {}
        self._threads: dict[str, tuple[Any, Any]] = {}
        self._described: dict[str, ThreadState] = {}
        self._witness = Witness(self.world, implementation)

    async def perform(self) -> None:
        """Walk the steps; what happened is in `world.events`."""
        try:
            await self._attempt(self._open())
            for number, step in enumerate(self.scenario.steps):
                self.world.step = number
                self.began = time.monotonic()
                await self._perform(step)
        except Stop:
            pass
        finally:
            try:
                async with asyncio.timeout(self._timeout):
                    await self.implementation.close()
            except Exception as error:
                self.world.record(Broke, cause="crash", text=stable(f"close: {error!r}"), run=None)
            finally:
                await self.world.close()

    async def _open(self) -> None:
        try:
            await self.implementation.open(self.world)
        except Exception as error:
            self.world.record(Broke, cause="crash", text=stable(f"open: {error!r}"))
            raise Stop from None
        if getattr(self.implementation, "world", None) is not self.world:
            malformed(self.world, "open", "no self.world", "a call of super().open(world)")

    async def _perform(self, step: Step) -> None:
        match step:
            case CreateThread():
                await self._attempt(self._create_thread(step))
            case Run():
                await self._run(step, Order(), None)
            case Together():
                order = Order(step.order)
                ends = await asyncio.gather(
                    *(self._run(run, order, place) for place, run in enumerate(step.runs)), return_exceptions=True
                )
                for end in ends:
                    if end is not None:
                        raise end
            case RunWorkflow():
                await self._run_workflow(step)
            case Respond():
                await self._respond(step)
        await self._describe_threads(step)

    async def _create_thread(self, step: CreateThread) -> None:
        agent = await self._agent(step.agent)
        thread = await self.implementation.create_thread(agent, step.kind)
        self._threads[step.thread] = (agent, thread)

    async def _run(self, step: Run, order: Order, place: int | None) -> None:
        if step.thread not in self._threads:
            self.world.record(Refused, text=f"there is no thread {step.thread!r}")
            return
        agent, thread = self._threads[step.thread]
        name = self.scenario.creation_of(step.thread).agent
        script = self._script({name: step.replies}, order=order, label=place)
        turn = Turn(
            messages=tuple(Message(role="user", text=text) for text in step.say),
            store=step.store,
            conversation_id=self._conversation_id(step, name),
        )
        with self.world.during(script):
            self.world.record(RunStarted, thread=step.thread)
            await self._attempt(self._witness.run(agent, thread, turn, script, stream=step.stream), script)
        if place is not None:
            await order.left(place)

    def _conversation_id(self, step: Run, agent: str) -> str | None:
        match step.conversation_id:
            case "own":
                return self._described[step.thread].conversation_id
            case "other":
                return self.world.service(agent).another_conversation()
            case None:
                return None

    async def _run_workflow(self, step: RunWorkflow) -> None:
        script = self._script(step.replies, order=Order(step.finish), manager=step)
        turn = Turn(messages=tuple(Message(role="user", text=text) for text in step.say))
        with self.world.during(script):
            self.world.record(RunStarted, workflow=step.workflow)
            await self._attempt(self._workflow_run(step, turn, script), script)

    async def _workflow_run(self, step: RunWorkflow, turn: Turn, script: Script) -> None:
        workflow = await self._workflow(step.workflow)
        if step.as_agent:
            agent = await self.implementation.workflow_as_agent(step.workflow, workflow)
            await self._witness.run(agent, None, turn, script, stream=step.stream)
        else:
            await self._witness.run_workflow(workflow, turn, script, stream=step.stream)

    async def _respond(self, step: Respond) -> None:
        if step.request >= len(self._witness.waiting):
            self.world.record(Refused, text=f"there is no pending request {step.request}")
            return
        waiting = self._witness.waiting.pop(step.request)
        answer = Answer(id=waiting.pending.id, approve=step.approve)
        with self.world.during(waiting.script):
            await self._attempt(waiting.resume([answer], step.stream), waiting.script)

    async def _attempt(self, action: Awaitable[None], script: Script | None = None) -> None:
        await attempt(action, self.world, self.implementation, seconds=self._timeout, script=script)

    async def _describe_threads(self, step: Step) -> None:
        """Record every thread that the step used, and every other one that it changed all the same."""
        for name, (agent, thread) in self._threads.items():
            try:
                async with asyncio.timeout(self._timeout):
                    state = cast("object", await self.implementation.describe_thread(agent, thread))
            except Exception as error:
                self.world.record(Broke, cause="crash", text=stable(f"describe_thread: {error!r}"), run=None)
                raise Stop from None
            if not isinstance(state, ThreadState):
                malformed(self.world, "describe_thread", repr(state), "a ThreadState")
            if name in _used(step) or state != self._described.get(name):
                self._described[name] = state
                fields = msgspec.structs.asdict(state)
                fields["conversation_id"] = self.world.name_of(state.conversation_id, "foreign")
                self.world.record(ThreadDescribed, thread=name, run=None, **fields)

    async def _agent(self, name: str) -> Any:
        if name not in self._agents:
            self._agents[name] = await self.implementation.create_agent(name, self.scenario.agents[name])
        return self._agents[name]

    async def _workflow(self, name: str) -> Any:
        if name not in self._workflows:
            spec = self.scenario.workflows[name]
            participants: dict[str, Any] = {}
            for participant in spec.participants:
                nested = participant in self.scenario.workflows
                participants[participant] = await (self._workflow if nested else self._agent)(participant)
            self._workflows[name] = await self.implementation.create_workflow(name, spec, participants)
        return self._workflows[name]

    def _script(self, replies: Any, *, order: Order, label: Any = None, manager: RunWorkflow | None = None) -> Script:
        script = Script(len(self.world.scripts), replies, manager=manager.manager if manager else None, order=order, label=label)
        self.world.scripts.append(script)
        return script


def _used(step: Step) -> tuple[str, ...]:
    match step:
        case CreateThread() | Run():
            return (step.thread,)
        case Together():
            return tuple(run.thread for run in step.runs)
        case _:
            return ()


def perform(scenario: Scenario, implementation: Callable[[], Implementation], *, timeout: float = STEP_TIMEOUT) -> Trace:
    """Perform a scenario on a fresh instance of an implementation. Never raises for what the implementation does.

    timeout: seconds a step may take. An implementation that blocks the thread itself is left behind in it.
    """
    try:
        instance = implementation()
    except Exception as error:
        crash = Broke(step=0, cause="crash", text=stable(f"creating the implementation: {error!r}"))
        return Trace(implementation=getattr(implementation, "name", "?"), events=(crash,))
    stage = Stage(scenario, instance, timeout)
    world = stage.world

    def work() -> None:
        try:
            with catch_warnings(world), loopback_only(world):
                asyncio.run(stage.perform())
        except BaseException as error:
            cause = "crash" if isinstance(error, Exception) else "exit"
            world.record(Broke, cause=cause, text=stable(repr(error)), run=None)

    worker = threading.Thread(target=work, daemon=True, name="conformance-stage")
    worker.start()
    while worker.is_alive() and (left := stage.began + timeout + 1 - time.monotonic()) > 0:
        worker.join(left)
    if worker.is_alive():
        world.record(Broke, cause="timeout", text="the implementation blocks its thread", run=None)
    return Trace(
        implementation=instance.name,
        version=instance.version,
        capabilities=tuple(sorted(instance.capabilities)),
        policies=instance.policies,
        events=tuple(world.events),
    )
