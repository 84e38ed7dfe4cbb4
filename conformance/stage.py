"""The stage: performs a scenario on an implementation inside a world and returns the trace.

Whatever the implementation does, there is a trace: a step that hangs, crashes or exits ends the performance with a `broke` event
after everything that was observed until then.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec

from conformance.implementation import (
    Answer,
    ChunkSeen,
    IdleSeen,
    Implementation,
    NotSupported,
    OutputSeen,
    Pending,
    Response,
    ThreadState,
    Turn,
    WorkflowSeen,
)
from conformance.scenario import CreateThread, Respond, Run, RunWorkflow, Scenario, Step, Together
from conformance.trace import (
    Broke,
    Chunk,
    Idle,
    Message,
    Output,
    Raised,
    Refused,
    RequestPending,
    RunReturned,
    RunStarted,
    ThreadDescribed,
    Trace,
)
from conformance.world import World, stable
from conformance.world.guard import loopback_only
from conformance.world.order import Order
from conformance.world.script import Script
from conformance.world.warned import catch_warnings

STEP_TIMEOUT = 5.0
"""Seconds that a step may take before it counts as hanging."""


class _Stop(Exception):
    """The performance cannot go on; the reason is recorded."""


class _Waiting:
    """A run that waits for answers: what is needed to resume it."""

    def __init__(self, script: Script, pending: Pending, resume: Callable[[Sequence[Answer], bool], Any]) -> None:
        self.script = script
        self.pending = pending
        self.resume = resume


class Stage:
    """Performs one scenario on one instance of an implementation."""

    def __init__(self, scenario: Scenario, implementation: Implementation, timeout: float) -> None:
        self.scenario = scenario
        self.implementation = implementation
        self.world = World(scenario, handoff_tool=implementation.handoff_tool)
        self._timeout = timeout
        self._agents: dict[str, Any] = {}
        self._workflows: dict[str, Any] = {}
        self._threads: dict[str, tuple[Any, Any]] = {}
        self._described: dict[str, ThreadState] = {}
        self._waiting: list[_Waiting] = []

    async def perform(self) -> None:
        """Walk the steps; what happened is in `world.events`."""
        try:
            await self._guarded(self.implementation.open(self.world), None)
            for number, step in enumerate(self.scenario.steps):
                self.world.step = number
                await self._perform(step)
        except _Stop:
            pass
        finally:
            try:
                async with asyncio.timeout(self._timeout):
                    await self.implementation.close()
            except Exception as error:
                self.world.record(Broke, cause="crash", text=stable(f"close: {error!r}"), run=None)
            finally:
                await self.world.close()

    async def _perform(self, step: Step) -> None:
        match step:
            case CreateThread():
                await self._guarded(self._create_thread(step), None)
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
            await self._guarded(self._agent_run(agent, thread, turn, step.stream, script), script)
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

    async def _agent_run(self, agent: Any, thread: Any, turn: Turn, stream: bool, script: Script) -> None:
        if stream:
            await self._follow_agent(self.implementation.stream(agent, thread, turn), agent, thread, script)
        else:
            self._returned(await self.implementation.run(agent, thread, turn), agent, thread, script)

    async def _follow_agent(self, seen: AsyncIterator[ChunkSeen | Response], agent: Any, thread: Any, script: Script) -> None:
        async for item in seen:
            if isinstance(item, Response):
                self._returned(item, agent, thread, script)
            else:
                self.world.record(Chunk, text=item.text, executor=item.executor, completed=item.completed)

    def _returned(self, response: Response, agent: Any, thread: Any, script: Script) -> None:
        self.world.record(RunReturned, messages=response.messages, author=response.author)

        async def resume(answers: Sequence[Answer], stream: bool) -> None:
            if stream:
                await self._follow_agent(self.implementation.stream_answer(agent, thread, answers), agent, thread, script)
            else:
                self._returned(await self.implementation.answer(agent, thread, answers), agent, thread, script)

        for pending in response.pending:
            self._wait_for(pending, script, resume)

    async def _run_workflow(self, step: RunWorkflow) -> None:
        script = self._script(step.replies, order=Order(step.finish), manager=step)
        turn = Turn(messages=tuple(Message(role="user", text=text) for text in step.say))
        with self.world.during(script):
            self.world.record(RunStarted, workflow=step.workflow)
            await self._guarded(self._workflow_run(step, turn, script), script)

    async def _workflow_run(self, step: RunWorkflow, turn: Turn, script: Script) -> None:
        workflow = await self._workflow(step.workflow)
        if step.as_agent:
            agent = await self.implementation.workflow_as_agent(step.workflow, workflow)
            await self._agent_run(agent, None, turn, step.stream, script)
        else:
            await self._follow_workflow(self.implementation.run_workflow(workflow, turn, stream=step.stream), workflow, script)

    async def _follow_workflow(self, seen: AsyncIterator[WorkflowSeen], workflow: Any, script: Script) -> None:
        async def resume(answers: Sequence[Answer], stream: bool) -> None:
            await self._follow_workflow(self.implementation.answer_workflow(workflow, answers, stream=stream), workflow, script)

        async for item in seen:
            match item:
                case ChunkSeen():
                    self.world.record(Chunk, text=item.text, executor=item.executor, completed=item.completed)
                case OutputSeen():
                    self.world.record(Output, **msgspec.structs.asdict(item))
                case Pending():
                    self._wait_for(item, script, resume)
                case IdleSeen():
                    self.world.record(Idle, pending=item.pending)

    def _wait_for(self, pending: Pending, script: Script, resume: Callable[[Sequence[Answer], bool], Any]) -> None:
        self._waiting.append(_Waiting(script, pending, resume))
        name = self.world.name_of(pending.id, "request")
        self.world.record(RequestPending, executor=pending.executor, tool=pending.tool, id=name)

    async def _respond(self, step: Respond) -> None:
        if step.request >= len(self._waiting):
            self.world.record(Refused, text=f"there is no pending request {step.request}")
            return
        waiting = self._waiting.pop(step.request)
        answer = Answer(id=waiting.pending.id, approve=step.approve)
        with self.world.during(waiting.script):
            await self._guarded(waiting.resume([answer], step.stream), waiting.script)

    async def _guarded(self, action: Any, script: Script | None) -> None:
        """Await an action of the implementation; every way in which it can end becomes an event."""
        run = script.number if script else None
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                await action
        except NotSupported as why:
            self.world.record(Refused, text=str(why), run=run)
        except TimeoutError as error:
            if not limit.expired():
                self._raised(error, run)
                return
            self.world.record(Broke, cause="timeout", text=f"no end within {self._timeout:g} s", run=run)
            raise _Stop from None
        except Exception as error:
            self._raised(error, run)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.world.record(Broke, cause="exit", text=stable(repr(error)), run=run)
            raise _Stop from None

    def _raised(self, error: Exception, run: int | None) -> None:
        kind = self.implementation.error_kind(error)
        self.world.record(Raised, kind=kind, text=stable(str(error)), native=type(error).__name__, run=run)

    async def _describe_threads(self, step: Step) -> None:
        """Record every thread that the step used, and every other one that it changed all the same."""
        for name, (agent, thread) in self._threads.items():
            try:
                async with asyncio.timeout(self._timeout):
                    state = await self.implementation.describe_thread(agent, thread)
            except Exception as error:
                self.world.record(Broke, cause="crash", text=stable(f"describe_thread: {error!r}"), run=None)
                raise _Stop from None
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
    worker.join(timeout * (len(scenario.steps) + 1) + 1)
    if worker.is_alive():
        world.record(Broke, cause="timeout", text="the implementation blocks its thread", run=None)
    return Trace(
        implementation=instance.name,
        version=instance.version,
        capabilities=tuple(sorted(instance.capabilities)),
        policies=instance.policies,
        events=tuple(world.events),
    )
